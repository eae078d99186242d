"""Time as waves: how far day and year have come, and the regression design that a climatology is fitted with."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

DIURNAL_DAYS = 2.0
"""History from which a daily cycle can be told from chance."""
ANNUAL_DAYS = 270.0
SECOND_ANNUAL_DAYS = 730.0


def day_fraction(times: pd.DatetimeIndex) -> npt.NDArray[np.float64]:
    """How much of the UTC day has passed, 0…1."""
    return ((times - times.normalize()) / pd.Timedelta("1D")).to_numpy(np.float64)


def year_fraction(times: pd.DatetimeIndex) -> npt.NDArray[np.float64]:
    """How much of a mean year has passed since 1 January 1970, modulo one."""
    days = ((times - pd.Timestamp(0, tz="UTC")) / pd.Timedelta("1D")).to_numpy(np.float64)
    return np.mod(days / 365.2425, 1.0)


def supported_harmonics(days: float, step: pd.Timedelta) -> tuple[int, int]:
    """How many daily and annual harmonics a history of so many days at this step can support."""
    steps_per_day = pd.Timedelta("1D") / step
    diurnal = 0 if days < DIURNAL_DAYS else max(0, min(2, int((steps_per_day - 1) // 2)))
    return diurnal, int(days >= ANNUAL_DAYS) + int(days >= SECOND_ANNUAL_DAYS)


def harmonic_design(times: pd.DatetimeIndex, diurnal: int, annual: int) -> npt.NDArray[np.float64]:
    """(T, terms): one, daily harmonics, annual harmonics, and the first annual harmonic times the daily ones."""
    day = [wave(2 * np.pi * k * day_fraction(times)) for k in range(1, diurnal + 1) for wave in (np.sin, np.cos)]
    year = [wave(2 * np.pi * k * year_fraction(times)) for k in range(1, annual + 1) for wave in (np.sin, np.cos)]
    cross = [yearly * daily for yearly in year[:2] for daily in day]
    return np.stack([np.ones(len(times)), *day, *year, *cross], axis=1)
