"""Causal signals on the grid: what a station knew of itself, and what the clock and the calendar say."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstm_model.harmonics import day_fraction, year_fraction
from lstm_model.panel.grid import FloatArray

FILL_DECAY_PER_HOUR = 0.97
"""An unobserved anomaly is worth this much less with every hour: after a day, half; after a week, nothing."""
DAY_WAVES, WAVES = 4, 6
"""Of the calendar's waves the first four are of the day, the others of the year."""


def steps_since_observed(values: FloatArray) -> npt.NDArray[np.int32]:
    """Steps since the last observed value, 0 where observed, T where there was none before.

    Args:
        values: (S, T), NaN where unobserved.
    """
    steps = np.arange(values.shape[1], dtype=np.int32)
    last = np.maximum.accumulate(np.where(np.isnan(values), -1, steps), axis=1)
    return np.where(last < 0, np.int32(values.shape[1]), steps - last).astype(np.int32)


def carry_forward(anomaly: FloatArray, since: npt.NDArray[np.int32], step: pd.Timedelta) -> FloatArray:
    """Fill gaps from the past alone: the last anomaly, fading towards the climatology.

    Args:
        anomaly: (S, T) departures from the climatology, NaN where unobserved.
        since: (S, T) from `steps_since_observed`.
        step: the grid's step.
    """
    hours = since * (step / pd.Timedelta("1h"))
    source = np.maximum(np.arange(anomaly.shape[1]) - since, 0)
    last = np.take_along_axis(anomaly, source, axis=1)
    return np.where(np.isnan(last), 0.0, last * FILL_DECAY_PER_HOUR**hours).astype(np.float32)


def values_ahead(values: FloatArray, origins: npt.NDArray[np.intp], horizon: int) -> FloatArray:
    """The values at every lead of every origin: (…, T) to (…, O, H); NaN beyond the last step."""
    ahead = origins[:, None] + np.arange(1, horizon + 1)
    last = values.shape[-1] - 1
    return np.where(ahead <= last, values[..., np.minimum(ahead, last)], np.float32(np.nan))


def calendar(times: pd.DatetimeIndex, *, knows_seasons: bool) -> FloatArray:
    """Sine and cosine of the hour of the day, of its double, and of the day of the year, UTC: (T, WAVES).

    Until a history has seen every season twice, the day of the year would only tell *which* week it is, and a
    network learns such weeks by heart; the last two are then zero.
    """
    day = 2 * np.pi * day_fraction(times)
    year = 2 * np.pi * year_fraction(times)
    seasons = [np.sin(year), np.cos(year)] if knows_seasons else [np.zeros(len(times))] * 2
    waves = [np.sin(day), np.cos(day), np.sin(2 * day), np.cos(2 * day), *seasons]
    return np.stack(waves, axis=1).astype(np.float32)
