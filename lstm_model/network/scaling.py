"""What a forecaster knows of every station's usual: climatology and spread, of temperature and of covariates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstm_model.panel import ClimatologyModel, Panel
from lstm_model.panel.grid import FloatArray

_SMALLEST_SPREAD_C = 0.1
_SMALLEST_SPREAD = 1e-6
_FEWEST_READINGS = 168
"""A station that has said less of a covariate, or has not seen it move, is not believed on it until it has."""
_TOO_STILL = 0.05
_LOUDEST = 5.0

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Usual:
    """Climatology and spread of one quantity.

    scale: (S + 1,) spreads of the known stations' anomalies; the last one serves unknown ones.
    """

    climatology: ClimatologyModel
    scale: FloatArray

    @classmethod
    def fit(cls, panel: Panel, usable: BoolArray, smallest: float) -> Usual:
        """Learn from the steps of a panel that may be looked at, (T,)."""
        climatology = ClimatologyModel.fit(panel, usable)
        scale = np.full(len(panel.stations) + 1, np.nan, np.float32)
        for rows, part in panel.in_parts():
            usual = climatology.values(part.stations, part.times)
            for row, values in enumerate(np.where(usable, part.temperature_c - usual, np.nan), rows.start):
                if np.isfinite(values).any():
                    scale[row] = max(np.nanstd(values), smallest)
        scale[-1] = np.nanmedian(scale[:-1]) if np.isfinite(scale[:-1]).any() else 1.0
        return cls(climatology, np.where(np.isnan(scale), scale[-1], scale).astype(np.float32))

    def base(self, panel: Panel, values: FloatArray) -> FloatArray:
        """(S, T) what would be usual; an unknown station gets the fleet's cycle at its own level."""
        base = self.climatology.values(panel.stations, panel.times)
        for row in np.flatnonzero(self.rows(panel) < 0):
            departure = values[row] - base[row]
            if np.isfinite(departure).any():
                base[row] += np.nanmean(departure)
        return base

    def anomaly(self, panel: Panel, values: FloatArray) -> FloatArray:
        """(S, T) departures from the usual, in spreads; NaN where unobserved."""
        scaled = np.empty(values.shape, np.float32)
        for rows, part in Panel(panel.stations, panel.times, values).in_parts():
            mine = part.temperature_c
            scaled[rows] = (mine - self.base(part, mine)) / self.scale[self.rows(part), None]
        return scaled

    def rows(self, panel: Panel) -> npt.NDArray[np.intp]:
        """(S,) the row of each of the panel's stations among the known ones, -1 for an unknown one."""
        return pd.Index(self.climatology.stations).get_indexer(list(panel.stations))


@dataclass(frozen=True)
class Covariate:
    """What a station measures besides the temperature, as far as the temperature does not say it already.

    Where the covariate is missing, what it adds is taken to be nothing: the forecast is then about as good as one
    from the temperature alone.

    slope: (S + 1,) how the scaled covariate goes with the scaled temperature of the same step; NaN for a station of
        which too little was seen, and whose covariate is therefore not looked at.
    """

    name: str
    usual: Usual
    slope: FloatArray

    @classmethod
    def fit(cls, name: str, panel: Panel, anomaly: FloatArray, usable: BoolArray) -> Covariate:
        """Learn from the usable steps; `anomaly` is the temperature's, scaled, (S, T)."""
        values = _finite(panel.covariates[name])
        usual = Usual.fit(Panel(panel.stations, panel.times, values), usable, _SMALLEST_SPREAD)
        scaled = usual.anomaly(panel, values)
        both = np.isfinite(scaled) & np.isfinite(anomaly) & usable
        mine, its = np.where(both, scaled, 0.0), np.where(both, anomaly, 0.0)
        products, squares = (mine * its).sum(axis=1), (its * its).sum(axis=1)
        pooled = products.sum() / max(squares.sum(), 1.0)
        own = products / np.maximum(squares, 1.0)
        spread = usual.scale[:-1]
        still = (spread <= _SMALLEST_SPREAD) | (spread < _TOO_STILL * np.median(spread))
        own[(both.sum(axis=1) < _FEWEST_READINGS) | still] = np.nan
        believed = np.isfinite(own).any()
        return cls(name, usual, np.append(own, pooled if believed else np.nan).astype(np.float32))

    def beyond(self, panel: Panel, anomaly: FloatArray) -> FloatArray:
        """(S, T) the scaled covariate less what the temperature says of it; NaN where it was not observed.

        A broken sensor can say anything: more than five spreads count as five.
        """
        values = panel.covariates.get(self.name)
        if values is None:
            return np.full_like(anomaly, np.nan)
        scaled, slope = self.usual.anomaly(panel, _finite(values)), self.slope[self.usual.rows(panel), None]
        return np.clip(scaled - slope * anomaly, -_LOUDEST, _LOUDEST).astype(np.float32)


def _finite(values: FloatArray) -> FloatArray:
    return np.where(np.isfinite(values), values, np.float32(np.nan))


@dataclass(frozen=True)
class Scaling:
    """Everything needed to express a panel in units of what is usual."""

    temperature: Usual
    covariates: tuple[Covariate, ...]

    @classmethod
    def fit(cls, panel: Panel, usable: BoolArray) -> Scaling:
        """Learn from the steps of a panel that may be looked at, (T,)."""
        temperature = Usual.fit(panel, usable, _SMALLEST_SPREAD_C)
        anomaly = temperature.anomaly(panel, panel.temperature_c)
        told = [name for name, values in panel.covariates.items() if np.isfinite(values[:, usable]).any()]
        return cls(temperature, tuple(Covariate.fit(name, panel, anomaly, usable) for name in sorted(told)))

    @property
    def stations(self) -> tuple[str, ...]:
        """The stations it knows."""
        return self.temperature.climatology.stations
