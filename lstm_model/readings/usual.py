"""What is usual at a station, learnt from its history: its climatology, its spread, and how its neighbours go along.

Frozen in `data/usual.json`, so that a flag does not depend on the day it was given; learnt anew every week.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstm_model.harmonics import ANNUAL_DAYS, harmonic_design, supported_harmonics
from lstm_model.readings.grid import station_grid

SMOOTH = pd.Timedelta("24h")
"""A departure that lasts is its median over this long."""
LEARN_FROM = pd.Timedelta(days=730)
RELEARN_EVERY = pd.Timedelta(days=7)
LEAST_HISTORY = pd.Timedelta(days=30)
_LEAST_COMMON = pd.Timedelta(days=14)
_LEAST_SHARE = 0.25
_NEIGHBOURS = 4
_LEAST_SPREAD_C = 0.25
_OUTLYING = 4.0
_REFITS = 2

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Neighbour:
    """How a station goes along with another one: anomaly ≈ slope · the other's, give or take a spread."""

    station_id: str
    slope: float
    spread_c: float
    day_spread_c: float


@dataclass(frozen=True)
class Usual:
    """A station's climatology as harmonics of day and year, the spread around it, and its neighbours."""

    diurnal: int
    annual: int
    coefficients: tuple[float, ...]
    spread_c: float
    neighbours: tuple[Neighbour, ...] = ()
    since: str | None = None
    """The station moved then; what it read before is not judged by this."""

    @property
    def knows_seasons(self) -> bool:
        """Whether the history was long enough to know what is usual in every season."""
        return self.annual > 0

    def begins(self) -> pd.Timestamp | None:
        """From when on readings are judged by this, or None for always."""
        return None if self.since is None else pd.Timestamp(self.since)

    def values(self, times: pd.DatetimeIndex) -> Array:
        """The usual temperature at these times, °C."""
        return harmonic_design(times, self.diurnal, self.annual) @ np.array(self.coefficients)

    def as_data(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Usual:
        """From JSON."""
        neighbours = tuple(Neighbour(**near) for near in data["neighbours"])
        return cls(**{**data, "coefficients": tuple(data["coefficients"]), "neighbours": neighbours})


@dataclass(frozen=True)
class UsualFile:
    """What was learnt until when, and under which limits every kept reading has been judged."""

    learned_until: pd.Timestamp | None
    usual: dict[str, Usual]
    applied: str | None
    """Digest of the limits that all flags in the store obey; None while they are being applied."""
    moved: dict[str, pd.Timestamp] = field(default_factory=dict)
    """Stations that moved: nothing they read before counts as usual."""

    @classmethod
    def read(cls, file: Path) -> UsualFile:
        """Read the file; nothing learnt where there is none, or it cannot be read."""
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
            until = data["learned_until"]
            usual = {name: Usual.from_data(each) for name, each in data["stations"].items()}
            moved = {name: pd.Timestamp(since) for name, since in data["moved"].items()}
            return cls(pd.Timestamp(until) if until else None, usual, data["applied"], moved)
        except (OSError, ValueError, KeyError, TypeError):
            return cls(None, {}, None)

    def write(self, file: Path) -> None:
        """Replace the file in one step."""
        data = {
            "learned_until": self.learned_until.isoformat() if self.learned_until is not None else None,
            "applied": self.applied,
            "moved": {name: since.isoformat() for name, since in self.moved.items()},
            "stations": {name: usual.as_data() for name, usual in self.usual.items()},
        }
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps(data, indent=1, ensure_ascii=False), encoding="utf-8")
        fresh.replace(file)


def week_of(time: pd.Timestamp) -> pd.Timestamp:
    """The beginning of the week that a time lies in, weeks counted from 1970; a week learns from before it."""
    return time.floor(RELEARN_EVERY)


def learn(readings: pd.DataFrame, step: pd.Timedelta) -> dict[str, Usual]:
    """Learn what is usual at every station with a month of history.

    Args:
        readings: station_id, observed_at, temperature_c, ordered by station and time.
        step: the grid's step.
    """
    codes, names = pd.factorize(readings["station_id"])
    if len(names) == 0:
        return {}
    times = pd.DatetimeIndex(readings["observed_at"])
    grid = station_grid(codes, times, readings["temperature_c"].to_numpy(np.float64), step, len(names))
    usual: dict[str, Usual] = {}
    anomaly = np.full_like(grid.values, np.nan)
    for row, name in enumerate(names):
        fitted = _fit(grid.times, grid.values[row], step)
        if fitted is not None:
            usual[str(name)] = fitted
            anomaly[row] = grid.values[row] - fitted.values(grid.times)
    rows = [row for row, name in enumerate(names) if str(name) in usual]
    return _with_neighbours(usual, [str(names[row]) for row in rows], anomaly[rows], step)


def smooth(values: Array, step: pd.Timedelta) -> Array:
    """(k, T) running medians over the last day; NaN where less than half of it is known."""
    steps = max(1, int(SMOOTH / step))
    frame = pd.DataFrame(values.T)
    return frame.rolling(steps, min_periods=max(1, steps // 2)).median().to_numpy().T


def _fit(times: pd.DatetimeIndex, values: Array, step: pd.Timedelta) -> Usual | None:
    """Least squares that set aside what lies far off; None where there is too little history."""
    known = np.flatnonzero(~np.isnan(values))
    if len(known) == 0:
        return None
    span = times[known[-1]] - times[known[0]]
    if span < LEAST_HISTORY or len(known) < _LEAST_SHARE * (LEAST_HISTORY / step):
        return None
    diurnal, annual = supported_harmonics(span / pd.Timedelta("1D"), step)
    if len(known) < _LEAST_SHARE * annual * (pd.Timedelta(days=ANNUAL_DAYS) / step):
        annual = 0
    design = harmonic_design(times[known], diurnal, annual)
    seen = values[known]
    near = np.ones(len(known), bool)
    for _ in range(1 + _REFITS):
        coefficients = np.linalg.lstsq(design[near], seen[near], rcond=None)[0]
        departure = seen - design @ coefficients
        spread = _spread(departure)
        near = np.abs(departure) <= _OUTLYING * spread
    return Usual(diurnal, annual, tuple(float(c) for c in coefficients), spread)


def _spread(departures: Array) -> float:
    """A standard deviation that a twentieth of wild values on each side does not change."""
    known = departures[~np.isnan(departures)]
    low, lower, higher, high = np.quantile(known, (0.05, 0.10, 0.90, 0.95))
    return max(float(higher - lower) / 2.563, float(high - low) / 3.290, _LEAST_SPREAD_C)


def _with_neighbours(
    usual: dict[str, Usual], names: Sequence[str], anomaly: Array, step: pd.Timedelta
) -> dict[str, Usual]:
    """Give every station the neighbours that tell most about it."""
    if len(names) < 2:
        return usual
    spreads = np.array([usual[name].spread_c for name in names])
    known = (~np.isnan(anomaly)).astype(np.float64)
    tame = np.nan_to_num(np.clip(anomaly, -_OUTLYING * spreads[:, None], _OUTLYING * spreads[:, None]))
    common, together, alone = known @ known.T, tame @ tame.T, tame**2 @ known.T
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = np.clip(together / alone.T, 0.0, 1.0)  # of a row's station on a column's
        left = (alone - 2 * slope * together + slope**2 * alone.T) / common
    left[(common < _LEAST_COMMON / step) | np.isnan(left)] = np.inf
    np.fill_diagonal(left, np.inf)
    finished = dict(usual)
    for row, name in enumerate(names):
        best = [int(other) for other in np.argsort(left[row], kind="stable")[:_NEIGHBOURS] if left[row, other] < np.inf]
        found = []
        for other in best:
            apart = anomaly[row] - slope[row, other] * anomaly[other]
            lasting = _spread(smooth(apart[None], step)[0])
            found.append(Neighbour(names[other], float(slope[row, other]), _spread(apart), lasting))
        finished[name] = replace(usual[name], neighbours=tuple(found))
    return finished
