"""Readings that should have come by now."""

from __future__ import annotations

import logging

import pandas as pd

from flows.events import Event, of_late
from lstm_model.readings import ReadingsStore
from lstm_model.readings.store import FORGET_AFTER
from lstm_model.workspace import Workspace

log = logging.getLogger("nightcast.night")


def late_readings(workspace: Workspace, now: pd.Timestamp) -> list[Event]:
    """The event that stations are late, if any is; the sample is played back and never late.

    A station that has been silent for a month is taken to be gone, and no longer told.
    """
    if workspace.settings.plays_sample:
        return []
    try:
        readings = ReadingsStore(workspace.readings).read(now, since=now - FORGET_AFTER, ordered=False)
    except Exception as error:  # the night's own steps say what is wrong with the readings
        log.warning("cannot see whether readings are late: %s", error)
        return []
    newest = readings.groupby("station_id")["observed_at"].max()
    return of_late(newest, now, workspace.settings.notify.late_hours)
