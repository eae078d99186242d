"""One night at a time, and who comes second hears which one is under way."""

from __future__ import annotations

import pandas as pd
import pytest

from flows.one_night import note_night, one_night
from lstm_model.workspace import Workspace


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    (tmp_path / ".nightcast").mkdir()
    return Workspace.find(tmp_path, {})


def test_the_second_hears_which_night_is_under_way(workspace: Workspace) -> None:
    with one_night(workspace) as first:
        assert first is None
        note_night(workspace, pd.Timestamp("2024-03-01T23:00Z"))
        with one_night(workspace) as second:
            assert second is not None
            assert second.startswith("another night is under way in this workspace (2024-03-01, since ")
            assert second.endswith(" UTC); wait for it to end, then run again")
    with one_night(workspace) as third:
        assert third is None


def test_a_night_that_has_not_said_which_it_is_still_holds(workspace: Workspace) -> None:
    with one_night(workspace), one_night(workspace) as second:
        assert second == "another night is under way in this workspace; wait for it to end, then run again"


def test_a_night_that_broke_lets_go(workspace: Workspace) -> None:
    with pytest.raises(ZeroDivisionError), one_night(workspace):
        raise ZeroDivisionError
    with one_night(workspace) as after:
        assert after is None
