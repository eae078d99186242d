"""Rolling-origin backtest: every method forecasts from the same origins and meets the same truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from scores.continuous import additive_bias, mae, rmse

from lstm_model.evaluation.baselines import truth_at
from lstm_model.evaluation.paired import confidence_above_zero
from lstm_model.evaluation.scores import crps_from_quantiles
from lstm_model.panel import Panel
from lstm_model.panel.grid import FloatArray
from lstm_model.settings import MEDIAN, QUANTILES

_LOWER, _UPPER = QUANTILES.index(0.10), QUANTILES.index(0.90)
_DIMENSIONS = ("station", "origin", "lead")


class Method(Protocol):
    """Anything that forecasts quantiles: a forecaster or a baseline."""

    def forecast(self, panel: Panel, origins: npt.NDArray[np.intp]) -> FloatArray:
        """Quantiles in °C: (S, O, H, Q), seeing the panel up to each origin and no further."""
        ...


@dataclass(frozen=True)
class Backtest:
    """Forecasts of several methods beside the truth they met.

    origins: (O,) times; lead_hours: (H,); truth: (S, O, H) °C; forecasts: (S, O, H, Q) °C by method.
    """

    stations: tuple[str, ...]
    origins: pd.DatetimeIndex
    lead_hours: npt.NDArray[np.float64]
    truth: FloatArray
    forecasts: Mapping[str, FloatArray]

    def without(self, method: str) -> Backtest:
        """The same without one method, so that it no longer narrows the common cases."""
        return replace(self, forecasts={name: value for name, value in self.forecasts.items() if name != method})

    @property
    def common(self) -> npt.NDArray[np.bool_]:
        """(S, O, H) the cases that every method can be judged on: truth known, all forecasts finite."""
        finite = [np.isfinite(forecast).all(axis=-1) for forecast in self.forecasts.values()]
        return np.logical_and.reduce([np.isfinite(self.truth), *finite])

    @property
    def truth_share(self) -> float:
        """Share of cases whose truth is known."""
        return float(np.isfinite(self.truth).mean())

    def summary(self, first_lead: int = 1, last_lead: int | None = None) -> pd.DataFrame:
        """Scores over a group of leads, one row a method.

        Returns:
            method (index), mae, rmse, bias, crps, width_80 (°C), coverage_80 (0…1), skill against persistence
            (1 − CRPS ratio), n (cases). NaN and 0 where no case can be judged.
        """
        leads = slice(first_lead - 1, last_lead)
        cases = self.common[:, :, leads]
        truth = self._array(np.where(cases, self.truth[:, :, leads], np.nan))
        rows = {}
        for method, forecast in self.forecasts.items():
            quantiles = forecast[:, :, leads]
            median = self._array(quantiles[..., MEDIAN])
            lower, upper = quantiles[..., _LOWER][cases], quantiles[..., _UPPER][cases]
            observed = self.truth[:, :, leads][cases]
            if len(observed) == 0:
                rows[method] = dict.fromkeys(("mae", "rmse", "bias", "crps", "coverage_80", "width_80"), np.nan) | {
                    "n": 0
                }
                continue
            rows[method] = {
                "mae": float(mae(median, truth)),
                "rmse": float(rmse(median, truth)),
                "bias": float(additive_bias(median, truth)),
                "crps": float(crps_from_quantiles(quantiles[cases], observed).mean()),
                "coverage_80": float(((lower <= observed) & (observed <= upper)).mean()),
                "width_80": float((upper - lower).mean()),
                "n": int(cases.sum()),
            }
        table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")
        if "persistence" in table.index:
            table.insert(5, "skill", 1.0 - table["crps"] / table.loc["persistence", "crps"])
        return table

    def per_lead(self) -> pd.DataFrame:
        """`summary` for every single lead: columns lead_hours, method and the scores."""
        tables = []
        for lead, hours in enumerate(self.lead_hours, start=1):
            table = self.summary(lead, lead).reset_index()
            table.insert(0, "lead_hours", hours)
            tables.append(table)
        return pd.concat(tables, ignore_index=True)

    def covered(self, method: str) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """For every origin, (O,): the common cases inside the method's 80 % interval, and all of them."""
        forecast, cases = self.forecasts[method], self.common
        inside = (forecast[..., _LOWER] <= self.truth) & (self.truth <= forecast[..., _UPPER]) & cases
        return inside.sum(axis=(0, 2)), cases.sum(axis=(0, 2))

    def confidence_worse(self, method: str, other: str) -> float:
        """Confidence, 0…1, that `method` has the larger true CRPS: 0.95 is significantly worse, 0.05 better.

        A paired test over origins (`paired.confidence_above_zero`). NaN where there are too few origins to tell, 0.5
        where both forecast the same.
        """
        cases = self.common
        observed = np.where(cases, self.truth, np.nan)
        loss = [crps_from_quantiles(self.forecasts[name], observed) for name in (method, other)]
        counted = cases.any(axis=(0, 2))
        difference = np.nanmean((loss[0] - loss[1])[:, counted], axis=(0, 2))
        return confidence_above_zero(difference, self._overlapping_origins())

    def _overlapping_origins(self) -> int:
        """How many successive origins share some of their truth."""
        if len(self.origins) < 2:
            return 1
        spacing = (self.origins[1] - self.origins[0]) / pd.Timedelta("1h")
        return max(1, int(np.ceil(self.lead_hours[-1] / spacing)))

    def _array(self, values: FloatArray) -> xr.DataArray:
        return xr.DataArray(values, dims=_DIMENSIONS)


def run_backtest(methods: Mapping[str, Method], panel: Panel, origins: npt.NDArray[np.intp], horizon: int) -> Backtest:
    """Let every method forecast from every origin.

    Args:
        methods: by name. Each sees the panel up to an origin and no further.
        panel: observations, reaching as far beyond the origins as truth is known.
        origins: positions on the panel's grid.
        horizon: leads.
    """
    lead_hours = np.arange(1, horizon + 1) * (panel.step / pd.Timedelta("1h"))
    forecasts = {name: method.forecast(panel, origins) for name, method in methods.items()}
    return Backtest(panel.stations, panel.times[origins], lead_hours, truth_at(panel, origins, horizon), forecasts)


def from_its_end(method: Method, panel: Panel) -> FloatArray:
    """A method's quantiles from the panel's last step: (S, H, Q)."""
    return method.forecast(panel, np.array([len(panel.times) - 1]))[:, 0]
