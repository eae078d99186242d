"""Keeping the limits of quality control: learnt every week, frozen in between, and every flag in keeping with them."""

from __future__ import annotations

import logging
from dataclasses import replace

import pandas as pd

from lstm_model.readings.grid import grid_by_parts
from lstm_model.readings.quality import ANY_FLAG, GOOD, NOT_EVALUATED, SUSPECT, QualityControl
from lstm_model.readings.stations import Stations
from lstm_model.readings.store import FlagCounts, ReadingsStore
from lstm_model.readings.usual import LEARN_FROM, LEAST_HISTORY, UsualFile, learn_from, week_of
from lstm_model.workspace import Workspace

log = logging.getLogger("nightcast.ingest")

_MOVED_AFTER = pd.Timedelta(days=21)
_MOST_OF = 0.8


def current_quality(workspace: Workspace, stations: Stations) -> QualityControl:
    """The checks under the limits in force."""
    return _control(workspace, stations, UsualFile.read(workspace.usual))


def begin(workspace: Workspace, store: ReadingsStore, quality: QualityControl) -> None:
    """Before the first reading is kept: all of none obey the limits in force."""
    if store.version is None:
        kept = UsualFile.read(workspace.usual)
        replace(kept, applied=quality.digest).write(workspace.usual)


def review(workspace: Workspace, store: ReadingsStore, stations: Stations, used: str) -> FlagCounts:
    """Learn anew what is usual where a week has passed, and judge all readings anew where the limits changed.

    Killed in between, the next call finds that the limits are not applied yet.

    Args:
        workspace: whose settings and frozen limits hold.
        store: the readings.
        stations: what their owner says of them.
        used: digest of the limits under which the latest readings were judged.
    """
    kept = UsualFile.read(workspace.usual)
    newest = store.newest()
    if newest is None:
        return FlagCounts()
    week = week_of(newest)
    unlearned = kept.applied == used == _control(workspace, stations, replace(kept, usual={})).digest
    if workspace.settings.quality.learn and (kept.learned_until is None or week > kept.learned_until):
        kept = _learn(workspace, store, stations, kept, week)
        kept.write(workspace.usual)
    quality = _control(workspace, stations, kept)
    if quality.digest == kept.applied == used:
        return FlagCounts()
    changed = store.reassess(quality, unlearned)
    replace(kept, applied=quality.digest).write(workspace.usual)
    return changed


def _control(workspace: Workspace, stations: Stations, kept: UsualFile) -> QualityControl:
    settings = workspace.settings
    return QualityControl(settings.quality, settings.model.step, stations, kept.usual if settings.quality.learn else {})


def _learn(
    workspace: Workspace, store: ReadingsStore, stations: Stations, kept: UsualFile, week: pd.Timestamp
) -> UsualFile:
    """Learn from the last two years' usable readings before this week.

    A station that its climatology or its neighbours have found suspect for three weeks has moved, or its sensor was
    changed: what it read before is forgotten, and it is judged again once a month of it is known.
    """
    before = week - pd.Timedelta(1, "us")
    moved = {name: since for name, since in kept.moved.items() if since > week - LEARN_FROM}
    for name in _shifted(store, _control(workspace, stations, kept), before):
        if week - moved.get(name, week - LEARN_FROM) > LEAST_HISTORY:
            moved[name] = week - _MOVED_AFTER
            log.warning("%s has been suspect for three weeks: it is taken to have moved, and learnt anew", name)
    since = max(week - LEARN_FROM, min(store.oldest_month() or before, before))
    months = store.read_by_month(before, since=since, flags=(GOOD, NOT_EVALUATED, SUSPECT), columns=["flag"])
    step = workspace.settings.model.step
    names, times, values = grid_by_parts((_usable(rows, moved) for rows in months), since, before, step)
    usual = learn_from(names, times, values, step)
    usual |= {name: replace(usual[name], since=moved[name].isoformat()) for name in moved if name in usual}
    log.info("learnt what is usual at %d stations before %s", len(usual), f"{week:%Y-%m-%d}")
    return UsualFile(week, usual, None, moved)


def _usable(rows: pd.DataFrame, moved: dict[str, pd.Timestamp]) -> pd.DataFrame:
    """What may be learnt from: what is not suspect; of a station that has moved all that it read there."""
    trusted = rows["flag"] != SUSPECT
    if moved:
        since = pd.to_datetime(rows["station_id"].map(moved), utc=True)
        trusted = (since.isna() & trusted) | (rows["observed_at"] > since)
    return rows[trusted]


def _shifted(store: ReadingsStore, quality: QualityControl, before: pd.Timestamp) -> list[str]:
    """Stations that read, on most days of the last three weeks, what is usual neither for them nor beside them."""
    if not quality.has_learned:
        return []
    begins = before - _MOVED_AFTER
    rows = store.read(before, since=begins - quality.reach, flags=ANY_FLAG)
    found = quality.assess(rows).found
    rows = rows.assign(shifted=found["climatology"] | found["neighbours"], day=rows["observed_at"].dt.floor("1D"))
    late = rows[rows["observed_at"] > begins]
    share = late.groupby("station_id")["shifted"].mean()
    days = late[late["shifted"]].groupby("station_id")["day"].nunique()
    return [str(name) for name in days.index if share[name] > 0.5 and days[name] > _MOVED_AFTER.days * _MOST_OF]
