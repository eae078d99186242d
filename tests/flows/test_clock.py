"""What time it is: the playback moves on by whole nights only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from flows.clock import lived_nights, mark_lived, night_to_live, parse_time, present, wall_clock
from lstm_model.errors import SettingsError
from lstm_model.readings import SAMPLE_END, SAMPLE_FIRST_NIGHT
from lstm_model.workspace import Workspace

DAY = pd.Timedelta("1D")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.find(tmp_path, {})


def test_the_sample_starts_with_its_first_night_and_goes_on_by_days(workspace: Workspace) -> None:
    assert night_to_live(workspace) == present(workspace) == SAMPLE_FIRST_NIGHT
    given = "2013-12-20T23:00Z"
    assert night_to_live(workspace, given) == present(workspace, given) == pd.Timestamp(given)
    mark_lived(workspace, SAMPLE_FIRST_NIGHT, {})
    assert present(workspace) == SAMPLE_FIRST_NIGHT
    assert night_to_live(workspace) == SAMPLE_FIRST_NIGHT + DAY


def test_the_sample_ends(workspace: Workspace) -> None:
    mark_lived(workspace, SAMPLE_END, {})
    assert night_to_live(workspace) == SAMPLE_END


def test_a_night_far_ahead_does_not_carry_the_playback_off(workspace: Workspace) -> None:
    mark_lived(workspace, SAMPLE_FIRST_NIGHT, {})
    mark_lived(workspace, pd.Timestamp("9999-12-31T23:00Z"), {})
    assert present(workspace) == night_to_live(workspace) == SAMPLE_END


@pytest.mark.parametrize("clock", [present, night_to_live])
def test_a_time_to_come_cannot_be_lived(workspace: Workspace, clock: Callable[..., pd.Timestamp]) -> None:
    with pytest.raises(SettingsError, match=r"'9999-12-31T23:00Z' is still to come: .* write a time that has passed"):
        clock(workspace, "9999-12-31T23:00Z")
    set_back = wall_clock() + pd.Timedelta("1h")  # a night began, and then the clock was set back
    assert clock(workspace, set_back.isoformat()) == set_back


@pytest.mark.parametrize("text", ["now", "today", "-1", "   "])
def test_what_pandas_takes_for_a_time_is_none_to_a_person(text: str) -> None:
    with pytest.raises(SettingsError, match="is no time; write for example"):
        parse_time(text)


def test_a_night_lived_again_does_not_turn_the_playback_back(workspace: Workspace) -> None:
    mark_lived(workspace, SAMPLE_FIRST_NIGHT + 5 * DAY, {})
    mark_lived(workspace, SAMPLE_FIRST_NIGHT, {})
    assert present(workspace) == SAMPLE_FIRST_NIGHT + 5 * DAY


def test_a_torn_line_is_no_night_and_spoils_no_other(workspace: Workspace) -> None:
    mark_lived(workspace, SAMPLE_FIRST_NIGHT, {"train": "it burst"})
    with (workspace.state / "nights.jsonl").open("a") as file:
        file.write('\n{"as_of": "2013-12-0')
    mark_lived(workspace, SAMPLE_FIRST_NIGHT + DAY, {})
    assert [night.as_of for night in lived_nights(workspace)] == [SAMPLE_FIRST_NIGHT, SAMPLE_FIRST_NIGHT + DAY]
    assert lived_nights(workspace)[0].failed == {"train": "it burst"}


def test_a_night_from_before_reasons_were_kept_still_says_what_failed(workspace: Workspace) -> None:
    workspace.state.mkdir(parents=True)
    line = '{"as_of": "2013-12-01T23:00:00+00:00", "finished_at": "2013-12-01T23:01:00+00:00", "failed": ["train"]}'
    (workspace.state / "nights.jsonl").write_text(line)
    assert lived_nights(workspace)[0].failed == {"train": ""}


def test_own_readings_live_by_the_wall_clock(tmp_path: Path) -> None:
    (tmp_path / "nightcast.toml").write_text('[source.attic]\npath = "attic.csv"\n')
    own = Workspace.find(tmp_path, {})
    before = pd.Timestamp.now("UTC")
    assert before <= night_to_live(own) <= pd.Timestamp.now("UTC")


@pytest.mark.parametrize(("text", "complaint"), [("soon", "is no time"), ("2013-12-20", "names no zone")])
def test_times_by_hand_are_refused_in_words(text: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        parse_time(text)


def test_times_by_hand_may_name_any_zone() -> None:
    assert parse_time("2013-12-20T23:00+01:00") == pd.Timestamp("2013-12-20T22:00Z")
