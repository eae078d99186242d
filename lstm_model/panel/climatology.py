"""What is usual at this hour of the day and day of the year, station by station."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstm_model.harmonics import harmonic_design, supported_harmonics
from lstm_model.panel.grid import FloatArray, Panel

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
        diurnal, annual = supported_harmonics(days, panel.step)
        design = harmonic_design(panel.times, diurnal, annual)
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
        return (self.coefficients[rows] @ harmonic_design(times, self.diurnal, self.annual).T).astype(np.float32)


def _ridge(
    x: npt.NDArray[np.float64], values: FloatArray, prior: npt.NDArray[np.float64], weight: float
) -> npt.NDArray[np.float64]:
    """Coefficients drawn towards `prior` as if it had been seen in `weight` readings; the level is free."""
    if len(values) == 0:
        return prior
    penalty = weight * np.diag([0.0] + [1.0] * (x.shape[1] - 1))
    return prior + np.linalg.solve(x.T @ x + penalty, x.T @ (values - x @ prior))
