"""One night at a time, and who comes second hears which one is under way."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from flows.one_night import note_night, one_night


def test_the_second_hears_which_night_is_under_way(tmp_path) -> None:
    with one_night(tmp_path) as first:
        assert first is None
        note_night(tmp_path, datetime(2024, 3, 1, 23, tzinfo=UTC), datetime(2024, 3, 2, 2, 15, tzinfo=UTC))
        with one_night(tmp_path, patience=0) as second:
            assert second == (
                "another night is under way in this workspace (2024-03-01, since 2024-03-02 02:15 UTC); "
                "wait for it to end, then run again"
            )
    with one_night(tmp_path) as third:
        assert third is None


def test_a_night_that_has_not_said_which_it_is_still_holds(tmp_path) -> None:
    with one_night(tmp_path):
        note_night(tmp_path, datetime(2024, 3, 1, 23, tzinfo=UTC), datetime(2024, 3, 2, 2, 15, tzinfo=UTC))
    with one_night(tmp_path), one_night(tmp_path, patience=0) as second:  # and isn't taken for the one before
        assert second == "another night is under way in this workspace; wait for it to end, then run again"


def test_a_night_that_broke_lets_go(tmp_path) -> None:
    with pytest.raises(ZeroDivisionError), one_night(tmp_path):
        raise ZeroDivisionError
    with one_night(tmp_path) as after:
        assert after is None


def test_who_only_looks_for_a_moment_keeps_nobody_from_the_night(tmp_path) -> None:
    with one_night(tmp_path) as looking:
        assert looking is None
        found: list[str | None] = []

        def live() -> None:
            with one_night(tmp_path, patience=30) as why_not:
                found.append(why_not)

        night = threading.Thread(target=live)
        night.start()
        night.join(0.2)
        assert night.is_alive()
    night.join(30)
    assert found == [None]
