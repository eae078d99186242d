"""Which nights there were."""

from __future__ import annotations

from datetime import datetime

import pandas as pd
from cronsim import CronSim

from lstm_model.errors import SettingsError
from lstm_model.readings import SAMPLE_FIRST_NIGHT
from lstm_model.settings import Settings

_DAWN = pd.Timestamp("1900-01-01T00:00Z")
"""Before this no sensor read anything, and calendars are strange."""


def nights_between(first: pd.Timestamp, last: pd.Timestamp, settings: Settings) -> list[pd.Timestamp]:
    """The nights that begin not before `first` and not after `last`, as `[schedule] nightly` has them.

    The sample has a night every day at the hour of its playback.

    Raises:
        SettingsError: there are none.
    """
    if settings.plays_sample:
        hour = SAMPLE_FIRST_NIGHT - SAMPLE_FIRST_NIGHT.floor("1D")
        nights = [day + hour for day in pd.date_range(first.floor("1D"), last, freq="1D")]
    else:
        nights = _scheduled(first, last, settings)
    nights = [night for night in nights if first <= night <= last]
    if not nights:
        raise SettingsError(f"there is no night from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}; widen the span")
    return nights


def _scheduled(first: pd.Timestamp, last: pd.Timestamp, settings: Settings) -> list[pd.Timestamp]:
    begin: datetime = (max(first, _DAWN).tz_convert(settings.schedule.timezone) - pd.Timedelta("1min")).to_pydatetime()
    nights = []
    for moment in CronSim(settings.schedule.nightly, begin):
        night = pd.Timestamp(moment).tz_convert("UTC")
        if night > last:
            break
        nights.append(night)
    return nights
