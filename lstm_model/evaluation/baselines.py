"""What people would otherwise pick, with honest uncertainty: each baseline's past errors are its spread."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstm_model.panel import ClimatologyModel, Panel, carry_forward, steps_since_observed, values_ahead
from lstm_model.panel.grid import FloatArray
from lstm_model.settings import MEDIAN, QUANTILES

_MOST_ERROR_ORIGINS = 2000
_FEWEST_ERRORS = 100
_UNKNOWN_STEP_C = 0.5
_NORMAL = np.array([-1.645, -1.282, -0.674, 0.0, 0.674, 1.282, 1.645])


class Baseline(ABC):
    """A forecast rule fitted on a panel. `forecast` answers as `Forecaster.forecast` does."""

    name: str

    def fit(self, panel: Panel, horizon: int) -> Self:
        """Learn from everything in the panel: the rule itself, then the spread of its errors."""
        self.fit_rule(panel, horizon)
        self._errors = self._error_quantiles(panel)
        return self

    def fit_rule(self, panel: Panel, horizon: int) -> Self:
        """Learn the rule alone: enough for `point`, and much the lesser part of the work."""
        self.stations, self.horizon = panel.stations, horizon
        self._learn(panel)
        return self

    def forecast(self, panel: Panel, origins: npt.NDArray[np.intp]) -> FloatArray:
        """Quantiles in °C at every origin, (S, O, H, Q); NaN for a station the rule has too little for.

        Raises:
            ValueError: the panel's stations are not those fitted on.
        """
        return self.point(panel, origins)[..., None] + self._errors[:, None]

    def point(self, panel: Panel, origins: npt.NDArray[np.intp]) -> FloatArray:
        """The medians of `forecast`: (S, O, H) °C.

        Raises:
            ValueError: the panel's stations are not those fitted on.
        """
        if panel.stations != self.stations:
            raise ValueError(f"{self.name}: fitted on stations {self.stations}, asked for {panel.stations}")
        return self._point(panel, origins)

    def _learn(self, panel: Panel) -> None:
        """Fit the rule; those without parameters have nothing to do."""

    @abstractmethod
    def _point(self, panel: Panel, origins: npt.NDArray[np.intp]) -> FloatArray:
        """Point forecasts (S, O, H) °C that see the panel up to each origin and no further."""

    def _error_quantiles(self, panel: Panel) -> FloatArray:
        """(S, H, Q) quantiles of past errors: the station's own, else the fleet's, else a random walk's."""
        last = len(panel.times) - 1
        origins = np.arange(0, last, max(1, last // _MOST_ERROR_ORIGINS))
        quantiles = np.empty((len(panel.stations), self.horizon, len(QUANTILES)), np.float32)
        walk = _random_walk(panel, self.horizon)
        if len(origins) == 0:
            quantiles[:] = walk
            return quantiles
        point, truth = self._point(panel, origins), truth_at(panel, origins, self.horizon)
        errors = np.moveaxis(truth - point, 2, 1)  # (S, H, O)
        for row, own in enumerate(errors):
            quantiles[row] = _quantiles_of(own)
        for lead in np.flatnonzero(np.isnan(quantiles).any(axis=(0, 2))):
            of_fleet = _quantiles_of(errors[:, lead].reshape(1, -1))[0]
            otherwise = of_fleet if np.isfinite(of_fleet).all() else walk[lead]
            quantiles[:, lead] = np.where(np.isnan(quantiles[:, lead]), otherwise, quantiles[:, lead])
        return quantiles


class Persistence(Baseline):
    """The last observed value stays."""

    name = "persistence"

    def _point(self, panel: Panel, origins: npt.NDArray[np.intp]) -> FloatArray:
        return np.repeat(_last_values(panel.temperature_c)[:, origins, None], self.horizon, axis=2)


class SeasonalNaive(Baseline):
    """Tomorrow is like the day before, hour by hour."""

    name = "seasonal_naive"

    def _point(self, panel: Panel, origins: npt.NDArray[np.intp]) -> FloatArray:
        day = max(1, round(pd.Timedelta("1D") / panel.step))
        leads = np.arange(1, self.horizon + 1)
        same_hour = origins[:, None] + leads - day * np.ceil(leads / day).astype(int)
        values = _last_values(panel.temperature_c)[:, np.maximum(same_hour, 0)]
        return np.where(same_hour >= 0, values, np.float32(np.nan))


class Climatology(Baseline):
    """What is usual at that hour and season. Needs two days of the station's own readings."""

    name = "climatology"

    def _learn(self, panel: Panel) -> None:
        self._climatology = ClimatologyModel.fit(panel)
        per_day = pd.Timedelta("1D") / panel.step
        self._supported = np.isfinite(panel.temperature_c).sum(axis=1) >= max(12, 2 * per_day)

    def _point(self, panel: Panel, origins: npt.NDArray[np.intp]) -> FloatArray:
        usual = self._usual(panel)[:, origins[:, None] + np.arange(1, self.horizon + 1)]
        return np.where(self._supported[:, None, None], usual, np.float32(np.nan))

    def _usual(self, panel: Panel) -> FloatArray:
        """The climatology over the panel and one horizon beyond: (S, T + H)."""
        timeline = pd.date_range(panel.times[0], periods=len(panel.times) + self.horizon, freq=panel.step)
        return self._climatology.values(panel.stations, timeline)


class DampedAnomaly(Climatology):
    """The climatology plus a share of the present anomaly, `b_h · (y(t) − clim(t))`, fitted for every lead.

    Needs, besides what the climatology needs, a reading within the last day.
    """

    name = "damped_anomaly"

    def _learn(self, panel: Panel) -> None:
        super()._learn(panel)
        truth = panel.temperature_c - self._usual(panel)[:, : len(panel.times)]
        self._share = np.zeros((len(panel.stations), self.horizon), np.float32)
        for lead in range(1, min(self.horizon, truth.shape[1] - 1) + 1):
            now, then = truth[:, :-lead], truth[:, lead:]
            both = np.isfinite(now) & np.isfinite(then)
            now, then = np.where(both, now, 0.0), np.where(both, then, 0.0)
            energy = (now**2).sum(axis=1) + 24.0  # a little doubt: the share of few readings is small
            self._share[:, lead - 1] = np.clip((now * then).sum(axis=1) / energy, 0.0, 1.0)

    def _point(self, panel: Panel, origins: npt.NDArray[np.intp]) -> FloatArray:
        usual = self._usual(panel)
        truth = panel.temperature_c - usual[:, : len(panel.times)]
        since = steps_since_observed(truth)
        anomaly = carry_forward(truth, since, panel.step)[:, origins]
        point = super()._point(panel, origins) + self._share[:, None, :] * anomaly[:, :, None]
        per_day = max(1, round(pd.Timedelta("1D") / panel.step))
        return np.where((since[:, origins] < per_day)[:, :, None], point, np.float32(np.nan))


BASELINES: tuple[type[Baseline], ...] = (Persistence, SeasonalNaive, Climatology, DampedAnomaly)


def fit_baselines(panel: Panel, horizon: int) -> dict[str, Baseline]:
    """Every baseline, fitted on the panel, by name."""
    return {baseline.name: baseline().fit(panel, horizon) for baseline in BASELINES}


def truth_at(panel: Panel, origins: npt.NDArray[np.intp], horizon: int) -> FloatArray:
    """Observed values at every lead: (S, O, H) °C, NaN where nothing was observed or the panel ends."""
    return values_ahead(panel.temperature_c, origins, horizon)


def _last_values(values: FloatArray) -> FloatArray:
    """(S, T) the last observed value at every step, NaN before the first."""
    steps = np.arange(values.shape[1])
    return np.take_along_axis(values, np.maximum(steps - steps_since_observed(values), 0), axis=1)


def _quantiles_of(errors: FloatArray) -> FloatArray:
    """(H, N) errors to (H, Q) quantiles around a median of zero; NaN for leads with too few.

    All leads at once: in a fleet of a thousand, a call for each of them is much of what a trial costs.
    """
    finite = np.isfinite(errors)
    known = finite.sum(axis=1, keepdims=True)
    ordered = np.sort(np.where(finite, errors, np.float32(np.nan)), axis=1)  # what is not known comes last
    last = np.maximum(known - 1, 0)
    place = last * np.array(QUANTILES)
    below = place.astype(np.intp)
    lower, upper = (np.take_along_axis(ordered, at, axis=1) for at in (below, np.minimum(below + 1, last)))
    levels = lower + (upper - lower) * (place - below)
    return np.where(known >= _FEWEST_ERRORS, levels - levels[:, [MEDIAN]], np.nan).astype(np.float32)


def _random_walk(panel: Panel, horizon: int) -> FloatArray:
    """(H, Q) spread that grows with the root of the lead, from the changes seen so far."""
    changes = np.diff(panel.temperature_c, axis=1)
    known = changes[np.isfinite(changes)]
    step_c = max(float(known.std()), _UNKNOWN_STEP_C) if len(known) > 1 else _UNKNOWN_STEP_C
    return (step_c * np.sqrt(np.arange(1, horizon + 1))[:, None] * _NORMAL).astype(np.float32)
