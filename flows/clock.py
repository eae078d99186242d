"""What time it is: the wall clock, or the night that the sample's playback has reached."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pandas as pd

from lstm_model.errors import SettingsError
from lstm_model.readings import SAMPLE_END, SAMPLE_FIRST_NIGHT
from lstm_model.workspace import Workspace

_NIGHTS_FILE = "nights.jsonl"
_CLOCK_MAY_STEP = pd.Timedelta("1D")
"""A night names its time to its steps; a clock that is set back meanwhile must not fail them."""


@dataclass(frozen=True)
class LivedNight:
    """A night that was lived to its end.

    failed: the steps that failed, each with its reason; "" of nights from before reasons were kept.
    """

    as_of: pd.Timestamp
    finished_at: pd.Timestamp
    failed: Mapping[str, str]


def wall_clock() -> pd.Timestamp:
    """The time of day, UTC."""
    return pd.Timestamp(datetime.now(UTC))


def parse_time(text: str) -> pd.Timestamp:
    """A time given by a person, which must name its zone.

    Raises:
        SettingsError: unreadable, or without a zone.
    """
    try:
        if not re.match(r"\s*\d{4}", text):  # "now", "-1" and others that pandas takes for a time
            raise ValueError(text)
        time = pd.Timestamp(text)
    except ValueError:
        raise SettingsError(f"{text!r} is no time; write for example 2013-12-20T23:00Z") from None
    if time.tz is None:
        raise SettingsError(f"{text!r} names no zone; write {text}Z if UTC is meant")
    return time.tz_convert("UTC")


def parse_day(text: str, *, end: bool = False) -> pd.Timestamp:
    """A time given by a person, or a day of UTC, which begins and ends at midnight.

    Raises:
        SettingsError: unreadable, or a time without a zone.
    """
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        return parse_time(text)
    try:
        day = pd.Timestamp(text, tz="UTC")
    except ValueError:
        raise SettingsError(f"{text!r} is no day; write for example 2013-12-20") from None
    return day + pd.Timedelta("1D") - pd.Timedelta(1, "us") if end else day


def present(workspace: Workspace, as_of: str | None = None) -> pd.Timestamp:
    """Now, for a single step: `as_of`, else the sample's last lived night, else the wall clock.

    Raises:
        SettingsError: `as_of` is no time, or still to come.
    """
    if as_of:
        return _past(as_of)
    if not workspace.settings.plays_sample:
        return wall_clock()
    nights = lived_nights(workspace)
    return min(max(night.as_of for night in nights), SAMPLE_END) if nights else SAMPLE_FIRST_NIGHT


def night_to_live(workspace: Workspace, as_of: str | None = None) -> pd.Timestamp:
    """Now, for a whole night: `as_of`, else the sample's next night until it ends, else the wall clock.

    Raises:
        SettingsError: `as_of` is no time, or still to come.
    """
    if as_of:
        return _past(as_of)
    if not workspace.settings.plays_sample:
        return wall_clock()
    nights = lived_nights(workspace)
    if not nights:
        return SAMPLE_FIRST_NIGHT
    return min(max(night.as_of for night in nights) + pd.Timedelta("1D"), SAMPLE_END)


def _past(as_of: str) -> pd.Timestamp:
    """A time to live, which is not still to come: nobody knows what was read by then."""
    time = parse_time(as_of)
    if time > (now := wall_clock()) + _CLOCK_MAY_STEP:
        raise SettingsError(f"{as_of!r} is still to come: it is {now:%Y-%m-%dT%H:%MZ}; write a time that has passed")
    return time


def lived_nights(workspace: Workspace) -> list[LivedNight]:
    """Every lived night in the order they ended. A line torn by a power cut is no night."""
    file = workspace.state / _NIGHTS_FILE
    if not file.is_file():
        return []
    nights = []
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        failed = row["failed"] if isinstance(row["failed"], dict) else dict.fromkeys(row["failed"], "")
        nights.append(LivedNight(pd.Timestamp(row["as_of"]), pd.Timestamp(row["finished_at"]), failed))
    return nights


def mark_lived(workspace: Workspace, as_of: pd.Timestamp, failed: Mapping[str, str]) -> None:
    """Note that a night was lived to its end; only then does the sample's playback move on."""
    workspace.state.mkdir(parents=True, exist_ok=True)
    row = {"as_of": as_of.isoformat(), "finished_at": wall_clock().isoformat(), "failed": dict(failed)}
    with (workspace.state / _NIGHTS_FILE).open("a", encoding="utf-8") as file:
        file.write(f"\n{json.dumps(row)}" if file.tell() else json.dumps(row))
