"""What is usual at a station, learnt from its history: its climatology, its spread, and how its neighbours go along.

Frozen in `data/usual.json`, so that a flag does not depend on the day it was given; learnt anew every week.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import bottleneck
import numpy as np
import numpy.typing as npt
import pandas as pd
from threadpoolctl import ThreadpoolController

from lstm_model.harmonics import ANNUAL_DAYS, harmonic_design, supported_harmonics
from lstm_model.readings.grid import station_grid
from lstm_model.whole import write_text_whole

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
_FIT_AT_ONCE = 64
_PAIR_AT_ONCE = 2048
_SAME = 1e-13
"""Of the normal equations: smaller eigenvalues than so much of the greatest tell nothing."""

_LIBRARIES = ThreadpoolController()
"""Slim products take longer on several threads than on one where cores are shared, and all round differently."""

In = TypeVar("In")
Out = TypeVar("Out")
Array = npt.NDArray[np.float64]
Float32s = npt.NDArray[np.float32]


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
        return {**vars(self), "neighbours": [dict(vars(near)) for near in self.neighbours]}

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
        write_text_whole(file, json.dumps(data, indent=1, ensure_ascii=False))


def week_of(time: pd.Timestamp) -> pd.Timestamp:
    """The beginning of the week that a time lies in, weeks counted from 1970; a week learns from before it."""
    return time.floor(RELEARN_EVERY)


def values_of(usual: Sequence[Usual | None], times: pd.DatetimeIndex) -> Array:
    """(S, T) the usual temperatures of several stations, °C; NaN where nothing is known."""
    values = np.full((len(usual), len(times)), np.nan)
    known = {row: each for row, each in enumerate(usual) if each is not None}
    for waves in {(each.diurnal, each.annual) for each in known.values()}:
        rows = [row for row, each in known.items() if (each.diurnal, each.annual) == waves]
        coefficients = np.array([known[row].coefficients for row in rows])
        with _LIBRARIES.limit(limits=1):
            values[rows] = coefficients @ harmonic_design(times, *waves).T
    return values


def learn(readings: pd.DataFrame, step: pd.Timedelta) -> dict[str, Usual]:
    """Learn what is usual at every station with a month of history.

    Args:
        readings: station_id, observed_at, temperature_c, ordered by station and time.
        step: the grid's step.
    """
    codes, names = pd.factorize(readings["station_id"])
    if len(names) == 0:
        return {}
    micros = pd.DatetimeIndex(readings["observed_at"]).as_unit("us").asi8
    grid = station_grid(codes, micros, readings["temperature_c"].to_numpy(np.float64), step, len(names))
    return learn_from(tuple(map(str, names)), grid.times, grid.values.astype(np.float32), step)


def learn_from(names: Sequence[str], times: pd.DatetimeIndex, values: Float32s, step: pd.Timedelta) -> dict[str, Usual]:
    """Learn what is usual at every station with a month of history from values (S, T) on a grid, which are used up."""
    waves_of = [_waves_supported(np.flatnonzero(~np.isnan(own)), times, step) for own in values]
    fitted: dict[int, Usual] = {}
    for waves in {waves for waves in waves_of if waves is not None}:
        fitted |= _fit_all([row for row, its in enumerate(waves_of) if its == waves], times, values, waves)
    rows = sorted(fitted)
    anomaly = values if len(rows) == len(values) else values[rows]
    for begin in range(0, len(rows), _FIT_AT_ONCE):
        some = rows[begin : begin + _FIT_AT_ONCE]
        anomaly[begin : begin + len(some)] -= values_of([fitted[row] for row in some], times)
    usual = {names[row]: fitted[row] for row in rows}
    return _with_neighbours(usual, list(usual), anomaly, step)


def smooth(values: Array, step: pd.Timedelta) -> Array:
    """(k, T) running medians over the last day; NaN where less than half of it is known."""
    steps, least = _window(step)
    missing = max(0, steps - values.shape[1])
    padded = np.pad(values, ((0, 0), (missing, 0)), constant_values=np.nan)
    return bottleneck.move_median(padded, steps, least, axis=1)[:, missing:]


def may_last(values: Array, step: pd.Timedelta, limits: Array) -> bool:
    """Whether a running median of any row (k, T) can lie further than its limit (k,) from nothing at all."""
    steps, least = _window(step)
    with np.errstate(invalid="ignore"):
        far: npt.NDArray[np.intp] = np.cumsum(np.abs(values) > limits[:, None], axis=1)
    long_ago = np.pad(far, ((0, 0), (steps, 0)))[:, : far.shape[1]]
    return bool(np.any(2 * (far - long_ago) >= least))


def _window(step: pd.Timedelta) -> tuple[int, int]:
    """How many steps are a day, and how many of them must be known."""
    steps = max(1, int(SMOOTH / step))
    return steps, max(1, steps // 2)


def _waves_supported(
    known: npt.NDArray[np.intp], times: pd.DatetimeIndex, step: pd.Timedelta
) -> tuple[int, int] | None:
    """How many waves of day and year what is known (its steps) can tell; None where there is too little history."""
    if len(known) == 0:
        return None
    span = times[known[-1]] - times[known[0]]
    if span < LEAST_HISTORY or len(known) < _LEAST_SHARE * (LEAST_HISTORY / step):
        return None
    diurnal, annual = supported_harmonics(span / pd.Timedelta("1D"), step)
    if len(known) < _LEAST_SHARE * annual * (pd.Timedelta(days=ANNUAL_DAYS) / step):
        annual = 0
    return diurnal, annual


def _fit_all(rows: list[int], times: pd.DatetimeIndex, values: Float32s, waves: tuple[int, int]) -> dict[int, Usual]:
    """What is usual at these rows of the values (S, T), which can all tell the same waves."""
    design = harmonic_design(times, *waves)
    parts = [rows[begin : begin + _FIT_AT_ONCE] for begin in range(0, len(rows), _FIT_AT_ONCE)]
    found = _side_by_side(lambda some: _fit(design, values[some].astype(np.float64), *waves), parts)
    return dict(zip(rows, chain.from_iterable(found), strict=True))


def _fit(design: Array, values: Array, diurnal: int, annual: int) -> list[Usual]:
    """Least squares that set aside what lies far off, for several stations (S, T) with one design (T, terms).

    By normal equations: the products of the design with itself are the same for all stations but for what each has
    not seen. What a station's readings cannot tell apart shares the smallest coefficients, as in `lstsq`.
    """
    near, filled, whole = ~np.isnan(values), np.nan_to_num(values), design.T @ design
    for _ in range(1 + _REFITS):
        gram = np.stack([_products(design, whole, own) for own in near])
        right = (filled * near) @ design
        coefficients = (np.linalg.pinv(gram, rcond=_SAME, hermitian=True) @ right[..., None])[..., 0]
        departure = values - coefficients @ design.T
        spreads = np.array([_spread(own) for own in departure])
        with np.errstate(invalid="ignore"):
            near = np.abs(departure) <= _OUTLYING * spreads[:, None]
    return [
        Usual(diurnal, annual, tuple(float(each) for each in own), float(spread))
        for own, spread in zip(coefficients, spreads, strict=True)
    ]


def _products(design: Array, whole: Array, wanted: npt.NDArray[np.bool_]) -> Array:
    """The design's products with itself where it is wanted; of what is wanted and what is not, the fewer are summed."""
    few = design[wanted] if 2 * wanted.sum() < len(wanted) else design[~wanted]
    return few.T @ few if 2 * wanted.sum() < len(wanted) else whole - few.T @ few


def _spread(departures: Array) -> float:
    """A standard deviation that a twentieth of wild values on each side does not change."""
    known = departures[~np.isnan(departures)]
    low, lower, higher, high = np.quantile(known, (0.05, 0.10, 0.90, 0.95))
    return max(float(higher - lower) / 2.563, float(high - low) / 3.290, _LEAST_SPREAD_C)


def _with_neighbours(
    usual: dict[str, Usual], names: Sequence[str], anomaly: Float32s, step: pd.Timedelta
) -> dict[str, Usual]:
    """Give every station the neighbours that tell most about it."""
    if len(names) < 2:
        return usual
    spreads = np.array([usual[name].spread_c for name in names])
    common, together, alone = _shared(anomaly, _OUTLYING * spreads)

    def beside(row: int) -> tuple[Neighbour, ...]:
        mine, theirs, both = (each.astype(np.float64) for each in (alone[row], alone[:, row], together[row]))
        with np.errstate(invalid="ignore", divide="ignore"):
            slope = np.clip(both / theirs, 0.0, 1.0)  # of this station on each other
            left = (mine - 2 * slope * both + slope**2 * theirs) / common[row]
        left[(common[row] < _LEAST_COMMON / step) | np.isnan(left)] = np.inf
        left[row] = np.inf
        best = [int(other) for other in np.argsort(left, kind="stable")[:_NEIGHBOURS] if left[other] < np.inf]
        found = []
        for other in best:
            apart = anomaly[row] - slope[other] * anomaly[other].astype(np.float64)
            lasting = smooth(apart[None], step)[0]
            if np.isnan(lasting).all():  # never both for half a day, as loggers whose shifts differ
                continue
            found.append(Neighbour(names[other], float(slope[other]), _spread(apart), _spread(lasting)))
        return tuple(found)

    found = _side_by_side(beside, range(len(names)))
    return {name: replace(usual[name], neighbours=near) for name, near in zip(names, found, strict=True)}


def _side_by_side(do: Callable[[In], Out], parts: Iterable[In]) -> list[Out]:
    """The same for every part, on all processors; each product on one thread, so that the answers stay the same."""
    with _LIBRARIES.limit(limits=1), ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(do, parts))


def _shared(anomaly: Float32s, limits: Array) -> tuple[Float32s, Float32s, Float32s]:
    """For every pair of stations (S, S), over the steps that both know: how many, Σ a·b, and Σ a² of the row's.

    Anomalies (S, T) count as no more than each station's limit.
    """
    stations, steps = anomaly.shape
    common, together, alone = (np.zeros((stations, stations), np.float32) for _ in range(3))
    bounds = limits[:, None].astype(np.float32)
    for begin in range(0, steps, _PAIR_AT_ONCE):
        part = anomaly[:, begin : begin + _PAIR_AT_ONCE]
        known = (~np.isnan(part)).astype(np.float32)
        tame = np.nan_to_num(np.clip(part, -bounds, bounds))
        with _LIBRARIES.limit(limits=1):
            common += known @ known.T
            together += tame @ tame.T
            alone += tame**2 @ known.T
    return common, together, alone
