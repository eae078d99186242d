"""What is usual at this hour of the day and day of the year, station by station."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstm_model.panel.grid import FloatArray, Panel
from lstm_model.panel.signals import day_fraction, year_fraction

_DIURNAL_DAYS = 2.0
_ANNUAL_DAYS = 270.0
_SECOND_ANNUAL_DAYS = 730.0
_WELL_COVERED = 0.8
_FAINT_PRIOR, _FLEET_PRIOR = 5.0, 50.0


@dataclass(frozen=True)
class ClimatologyModel:
    """Least-squares harmonics of day and year; only those that the history can support.

    Under two days of history it is the mean; under nine months a daily cycle; then one annual harmonic with
    its own daily cycle; from two years on a second annual harmonic. A station with far fewer readings than
    the others borrows the fleet's shape and keeps its own level.
    """

    stations: tuple[str, ...]
    diurnal: int
    annual: int
    coefficients: npt.NDArray[np.float64]
    """(S + 1, terms); the last row is the fleet's mean, for a station that was not there."""

    @property
    def knows_seasons(self) -> bool:
        """True once the history has seen every season twice."""
        return self.annual >= 2

    @classmethod
    def fit(cls, panel: Panel, usable: npt.NDArray[np.bool_] | None = None) -> ClimatologyModel:
        """Fit on the observed values of a panel.

        Args:
            panel: the history.
            usable: (T,) steps that may be looked at; all of them when None.
        """
        usable = np.ones(len(panel.times), bool) if usable is None else usable
        known = ~np.isnan(panel.temperature_c)
        observed = known & usable if (known & usable).any() else known
        span = panel.times[observed.any(axis=0)]
        days = (span[-1] - span[0]) / pd.Timedelta("1D") if len(span) else 0.0
        steps_per_day = pd.Timedelta("1D") / panel.step
        diurnal = 0 if days < _DIURNAL_DAYS else max(0, min(2, int((steps_per_day - 1) // 2)))
        annual = int(days >= _ANNUAL_DAYS) + int(days >= _SECOND_ANNUAL_DAYS)
        design = _design(panel.times, diurnal, annual)
        counts = observed.sum(axis=1)
        usual = counts >= _WELL_COVERED * max(counts.max(initial=0), 1)
        zero = np.zeros(design.shape[1])
        own = np.zeros((len(panel.stations) + 1, design.shape[1]))
        for row in np.flatnonzero(usual):
            own[row] = _ridge(design[observed[row]], panel.temperature_c[row, observed[row]], zero, _FAINT_PRIOR)
        own[-1] = own[:-1][usual].mean(axis=0) if usual.any() else zero
        for row in np.flatnonzero(~usual):
            own[row] = _ridge(design[observed[row]], panel.temperature_c[row, observed[row]], own[-1], _FLEET_PRIOR)
        return cls(panel.stations, diurnal, annual, own)

    def values(self, stations: tuple[str, ...], times: pd.DatetimeIndex) -> FloatArray:
        """The usual temperature: (S, T) °C; stations it does not know get the fleet's mean."""
        rows = pd.Index(self.stations).get_indexer(list(stations))  # -1, the last row, where unknown
        return (self.coefficients[rows] @ _design(times, self.diurnal, self.annual).T).astype(np.float32)


def _ridge(
    x: npt.NDArray[np.float64], values: FloatArray, prior: npt.NDArray[np.float64], weight: float
) -> npt.NDArray[np.float64]:
    """Coefficients drawn towards `prior` as if it had been seen in `weight` readings; the level is free."""
    if len(values) == 0:
        return prior
    penalty = weight * np.diag([0.0] + [1.0] * (x.shape[1] - 1))
    return prior + np.linalg.solve(x.T @ x + penalty, x.T @ (values - x @ prior))


def _design(times: pd.DatetimeIndex, diurnal: int, annual: int) -> npt.NDArray[np.float64]:
    """(T, terms): one, daily harmonics, annual harmonics, and the first annual harmonic times the daily ones."""
    day = [wave(2 * np.pi * k * day_fraction(times)) for k in range(1, diurnal + 1) for wave in (np.sin, np.cos)]
    year = [wave(2 * np.pi * k * year_fraction(times)) for k in range(1, annual + 1) for wave in (np.sin, np.cos)]
    cross = [yearly * daily for yearly in year[:2] for daily in day]
    return np.stack([np.ones(len(times)), *day, *year, *cross], axis=1)
