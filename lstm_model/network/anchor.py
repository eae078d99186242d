"""The anchor: the best closed-form linear forecast, which the LSTM corrects.

For station s, lead h, origin t and scaled anomalies a:

    â(t+h) = a(t) + x(t) · (w_h + Δw_{s,h})

x(t) holds the station's own recent past, what its covariates add, its neighbours' recent past, and one. The coarser
part of it stands there once more for each wave of the clock: how yesterday's noon bears on tomorrow depends on whether
it is morning or night now.

w is fitted on all stations together and serves a station never seen; it knows no neighbours. Δw is the station's own
departure, drawn towards zero, so that a station with little history leans on the fleet; how firmly, the fleet's
validation blocks say. With no history at all every weight is zero: the anchor is then the last value, persistence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lstm_model.panel import HeldOut
from lstm_model.panel.grid import FloatArray
from lstm_model.panel.signals import DAY_WAVES, WAVES
from lstm_model.settings import ANCHOR_STEPS, MEDIAN, QUANTILES

_OWN_COARSE = (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 21, 23, 29, 35, 47, 71)
_NEIGHBOUR = (0, 1, 2, 3, 4, 6, 9, 12, 18, 23)
_NEIGHBOUR_COARSE = (0, 1, 3, 6, 12, 23)
_COVARIATE = (0, 3, 6, 12, 24)
_COVARIATE_COARSE = (0, 6, 24)

_PENALTIES = (10.0, 100.0, 1000.0, 10000.0)
_CLOCK_PENALTIES = (10.0, 100.0, 1e5)
"""How much more a weight is drawn to zero that changes with the hour; with the season ten times as much again."""
_POOL_PENALTY, _PENALTIES_UNTESTED = 300.0, (300.0, 1e5)
_MOST_TEACHERS, _MOST_JUDGES = 128, 32
"""Stations that tell what the fleet has in common, and those that choose its penalties; of a large one not all."""
_AT_ONCE = 2048
"""Origins whose features are held at a time: they stay in the processor's cache."""
_SMALLEST_GAP = 0.01
_FEWEST_ERRORS = 200

Matrix = npt.NDArray[np.floating]
Penalties = tuple[float, float]
BoolArray = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Lags:
    """How many steps back the anchor looks, all and coarsely, at whom. Nobody is looked at beyond the context."""

    own: tuple[int, ...]
    own_coarse: tuple[int, ...]
    neighbour: tuple[int, ...]
    neighbour_coarse: tuple[int, ...]
    covariate: tuple[int, ...]
    covariate_coarse: tuple[int, ...]

    @classmethod
    def within(cls, context: int, own_steps: int = ANCHOR_STEPS) -> Lags:
        """The lags that a context has room for; of the station's own past no more than `own_steps`."""
        own = tuple(range(min(context, own_steps)))
        others = (_NEIGHBOUR, _NEIGHBOUR_COARSE, _COVARIATE, _COVARIATE_COARSE)
        own_coarse = tuple(lag for lag in _OWN_COARSE if lag < len(own))
        return cls(own, own_coarse, *(tuple(lag for lag in pattern if lag < context) for pattern in others))

    @property
    def reach(self) -> int:
        """The longest lag."""
        return max(*self.own, *self.neighbour, *self.covariate)


@dataclass(frozen=True)
class Anchor:
    """Weights of the closed-form forecast.

    weights: (S + 1, F, H); the last row serves unknown stations.
    gaps: (S + 1, H, Q) distances between the quantiles of its errors, see `to_quantiles`.
    lags: what it looks at.
    """

    weights: FloatArray
    gaps: FloatArray
    lags: Lags

    @property
    def horizon(self) -> int:
        """H."""
        return self.weights.shape[2]

    def point(self, rows: Rows, features: Tensor, level: Tensor) -> Tensor:
        """The forecast, (B, m, H).

        Args:
            rows: (B,) rows of the weights.
            features: (B, m, F) from `anchor_features`.
            level: (B, m) the last value at each origin.
        """
        return torch.bmm(features, torch.from_numpy(self.weights[rows])) + level.unsqueeze(-1)


def anchor_features(own: Tensor, covariates: Tensor, others: Tensor, waves: Tensor, lags: Lags, first: int) -> Tensor:
    """What the anchor looks at, at every step from `first` on.

    Args:
        own: (B, n) the station's anomalies, gaps filled.
        covariates: (B, C, n) what they add.
        others: (B, k, n) the neighbours' anomalies.
        waves: (B, n - first, WAVES) of day and year, at the origins.
        lags: how far back; `first` is at least their reach.
        first: the first origin.

    Returns:
        (B, n - first, F): one, the own past, the covariates', the neighbours'; then, coarser, the same times each wave.
    """
    level = own[:, first:].unsqueeze(-1)
    one = torch.ones_like(level)

    def past(values: Tensor, steps: tuple[int, ...]) -> Tensor:  # (B, n) to (B, m, lags)
        n = values.shape[1]
        return torch.stack([values[:, first - lag : n - lag] for lag in steps], dim=-1)

    def part(of_own: tuple[int, ...], of_covariate: tuple[int, ...], of_neighbour: tuple[int, ...]) -> Tensor:
        mine = past(own, of_own)
        mine = torch.cat([mine[:, :, :1], mine[:, :, 1:] - level], dim=2)
        its = [past(values, of_covariate) for values in covariates.unbind(1)]
        theirs = [past(values, of_neighbour) for values in others.unbind(1)]
        return torch.cat([one, mine, *its, *theirs], dim=2)

    coarse = part(lags.own_coarse, lags.covariate_coarse, lags.neighbour_coarse)
    whole = part(lags.own, lags.covariate, lags.neighbour)
    return torch.cat([whole, *(coarse * wave.unsqueeze(-1) for wave in waves.unbind(2))], dim=2)


@dataclass(frozen=True)
class Lesson:
    """What the regression is taught.

    features_of: a station's features at some origins, (N,) to (N, F).
    truth_of: a station's scaled anomalies at every lead of some origins, (N,) to (N, H), NaN where unobserved.
    level: (S, T) scaled anomalies, gaps filled.
    held_out: which origins may be learnt from, and which choose the penalties.
    weight: (T,) how much an origin teaches.
    lags: what the features look at; covariates: how many there are; horizon: leads.
    level_penalty: how many times harder a weight is drawn to zero by which the station's level returns to the usual.
    """

    features_of: Callable[[int, Rows], FloatArray]
    truth_of: Callable[[int, Rows], FloatArray]
    level: FloatArray
    held_out: HeldOut
    weight: FloatArray
    lags: Lags
    covariates: int
    horizon: int
    level_penalty: float = 1.0

    @cached_property
    def _first(self) -> int:
        return min(self.lags.reach, self.level.shape[1])

    @cached_property
    def _origins(self) -> Rows:
        return np.flatnonzero(self.held_out.training[self._first :]) + self._first

    @cached_property
    def _columns(self) -> tuple[BoolArray, Rows, BoolArray]:
        return _columns(self.features_of(0, self._origins[:0]).shape[1], self.lags, self.covariates)

    def pool(self) -> Matrix:
        """(F, H) the fleet together: no neighbours, which mean something else at every station."""
        pooled = np.flatnonzero(self._columns[0])
        weights: Matrix = np.zeros((len(self._columns[0]), self.horizon))
        gram, moment = np.zeros((len(pooled), len(pooled))), np.zeros((len(pooled), self.horizon))
        for station in self._some_of(_MOST_TEACHERS):
            gram_here, moment_here = self._normal_equations(station, weights, pooled)
            gram, moment = gram + gram_here, moment + moment_here
        weights[pooled] = _solve(gram, moment, self.penalties(_POOL_PENALTY, 1.0)[pooled])
        return weights

    def departure(self, station: int, pool: Matrix) -> tuple[Matrix, Matrix]:
        """Normal equations, (F, F) and (F, H), of what the fleet's weights leave unexplained at a station."""
        return self._normal_equations(station, pool, slice(None))

    def best_penalties(self, pool: Matrix) -> Penalties:
        """How firmly stations are drawn to the fleet: what does best on its validation blocks.

        One answer for the fleet, of which a large one is asked in part; a firm one where there are no blocks.
        """
        checks = np.flatnonzero(self.held_out.validation[self._first :]) + self._first
        choices = list(product(_PENALTIES, _CLOCK_PENALTIES))
        errors = np.zeros(len(choices))
        for station in self._some_of(_MOST_JUDGES) if len(checks) else ():
            gram, moment = self.departure(station, pool)
            answers = [pool + _solve(gram, moment, self.penalties(*choice)) for choice in choices]
            missed, known = np.zeros(len(choices)), 0
            for x, y, _ in self._cases(station, checks):
                known += np.isfinite(y).sum()
                missed += [np.nansum(np.abs(y - x @ answer.astype(np.float32))) for answer in answers]
            errors += missed / max(known, 1)
        return choices[int(np.argmin(errors))] if errors.any() else _PENALTIES_UNTESTED

    def penalties(self, base: float, of_clock: float) -> npt.NDArray[np.float64]:
        """(F,) how much each weight is drawn to zero; the constant, which stands first, is not."""
        _, wave, of_level = self._columns
        penalties = base * np.array([1.0, of_clock, 10.0 * of_clock])[wave]
        penalties[of_level] *= self.level_penalty
        penalties[0] = 1e-6
        return penalties

    def _normal_equations(self, station: int, explained: Matrix, columns: Rows | slice) -> tuple[Matrix, Matrix]:
        """XᵀX and Xᵀy for every lead, of some columns and of what is left to explain.

        One factorisation serves all leads: what a lead was told of some origins is taken to hold for all of them.
        """
        moment = np.zeros_like(explained)[columns]
        gram = np.zeros((len(moment), len(moment)))
        told_of_any, told, explained = 0.0, np.zeros(self.horizon), explained.astype(np.float32)
        for x, y, taught in self._cases(station, self._origins):
            known = np.isfinite(y)
            taught = np.where(known.any(axis=1), taught, np.float32(0.0))
            root = np.sqrt(taught)[:, None]
            left = np.nan_to_num((y - x @ explained) * root)
            weighed = x[:, columns] * root
            gram += weighed.T @ weighed
            moment += weighed.T @ left
            told_of_any, told = told_of_any + taught.sum(), told + taught @ known
        return gram, moment * (told_of_any / np.maximum(told, 1.0))

    def _some_of(self, most: int) -> Rows:
        """Stations, spread over the fleet, so many at most."""
        stations = len(self.level)
        return np.arange(min(stations, most)) * stations // min(stations, most)

    def _cases(self, station: int, origins: Rows) -> Iterator[tuple[FloatArray, FloatArray, FloatArray]]:
        """Of some origins at a time: features, changes from the origin to each lead, and how much they teach.

        (N, F); (N, H), NaN where there is no truth; (N,).
        """
        for begin in range(0, len(origins), _AT_ONCE):
            some = origins[begin : begin + _AT_ONCE]
            change = self.truth_of(station, some) - self.level[station][some][:, None]
            yield self.features_of(station, some), change, self.weight[some]


def fit_weights(
    lesson: Lesson, penalties: Penalties | None = None, into: FloatArray | None = None
) -> tuple[FloatArray, Penalties]:
    """Solve for the anchor's weights.

    Args:
        lesson: what is learnt from.
        penalties: as chosen before; the validation blocks choose when None.
        into: weights of before to write over, when not None.

    Returns:
        (S + 1, F, H), and the penalties it was solved with.
    """
    pool = lesson.pool()
    chosen = penalties or lesson.best_penalties(pool)
    weights = np.empty((len(lesson.level) + 1, *pool.shape), np.float32) if into is None else into
    for station in range(len(lesson.level)):
        weights[station] = pool + _solve(*lesson.departure(station, pool), lesson.penalties(*chosen))
    weights[-1] = pool
    return weights, chosen


def _columns(width: int, lags: Lags, covariates: int) -> tuple[BoolArray, Rows, BoolArray]:
    """Of every feature: whether the pool has it; its wave: 0 none, 1 of the day, 2 of the year; if it is the level."""
    whole = 1 + len(lags.own) + covariates * len(lags.covariate)
    coarse = 1 + len(lags.own_coarse) + covariates * len(lags.covariate_coarse)
    neighbours = (width - whole - WAVES * coarse) // (len(lags.neighbour) + WAVES * len(lags.neighbour_coarse))
    ends = neighbours * len(lags.neighbour), neighbours * len(lags.neighbour_coarse)
    pooled = [True] * whole + [False] * ends[0] + ([True] * coarse + [False] * ends[1]) * WAVES
    wave = np.repeat([0, *[1] * DAY_WAVES, *[2] * (WAVES - DAY_WAVES)], [whole + ends[0], *[coarse + ends[1]] * WAVES])
    of_level = np.zeros(width, bool)
    of_level[[1, *range(whole + ends[0] + 1, width, coarse + ends[1])]] = True  # after the constant of each part
    return np.array(pooled), wave, of_level


def _solve(gram: Matrix, moment: Matrix, penalties: npt.NDArray[np.float64]) -> Matrix:
    """(F, H) ridge weights."""
    solved: Matrix = np.linalg.solve(gram + np.diag(penalties), moment)
    return solved


def error_gaps(errors: Iterable[FloatArray], most_for_fleet: int = 4_000) -> FloatArray:
    """Distances between neighbouring quantiles of a forecast's errors, (S + 1, H, Q).

    The last row is the fleet's, which also serves stations with too few errors of their own.

    Args:
        errors: of every station, (N, H), NaN where there is no truth.
        most_for_fleet: about so many of each station's stand for it in the fleet.
    """
    of_fleet, gaps = [], []
    for own in errors:
        of_fleet.append(own[:: max(1, math.ceil(len(own) / most_for_fleet))].copy())  # a view would keep them all
        gaps.append(_gaps(own, _FEWEST_ERRORS))
    whole = np.stack([*gaps, _gaps(np.concatenate(of_fleet), 1)])
    return np.fmax(np.where(np.isnan(whole), whole[-1], whole), np.float32(_SMALLEST_GAP))


def _gaps(errors: FloatArray, fewest: int) -> FloatArray:
    """(H, Q) of (N, H) errors, NaN at the leads that have fewer, and at the median."""
    gaps = np.full((errors.shape[1], len(QUANTILES)), np.nan, np.float32)
    for lead, values in enumerate(errors.T):
        known = values[np.isfinite(values)]
        if len(known) >= fewest:
            steps = np.diff(np.quantile(known, QUANTILES))
            gaps[lead, :MEDIAN], gaps[lead, MEDIAN + 1 :] = steps[:MEDIAN], steps[MEDIAN:]
    return gaps
