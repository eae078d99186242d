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

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lstm_model.panel import HeldOut, values_ahead
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
_MOST_JUDGES = 32
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


def anchor_features(own: Tensor, covariates: Tensor, others: Tensor, clock: Tensor, lags: Lags, first: int) -> Tensor:
    """What the anchor looks at, at every step from `first` on.

    Args:
        own: (B, n) the station's anomalies, gaps filled.
        covariates: (B, C, n) what they add.
        others: (B, k, n) the neighbours' anomalies.
        clock: (B, n, WAVES) waves of day and year.
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
    waves = clock[:, first:].unbind(2)
    whole = part(lags.own, lags.covariate, lags.neighbour)
    return torch.cat([whole, *(coarse * wave.unsqueeze(-1) for wave in waves)], dim=2)


@dataclass(frozen=True)
class Lesson:
    """What the regression is taught.

    features_of: a station's features from step `lags.reach` on, (T - reach, F).
    level: (S, T) scaled anomalies, gaps filled; truth: the same, NaN where unobserved.
    held_out: which origins may be learnt from, and which choose the penalties.
    weight: (T,) how much an origin teaches.
    lags: what the features look at; covariates: how many there are; horizon: leads.
    level_penalty: how many times harder a weight is drawn to zero by which the station's level returns to the usual.
    """

    features_of: Callable[[int], Tensor]
    level: FloatArray
    truth: FloatArray
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
        return _columns(self.features_of(0).shape[1], self.lags, self.covariates)

    def pool(self) -> Matrix:
        """(F, H) the fleet together: no neighbours, which mean something else at every station."""
        pooled, root = self._columns[0], np.sqrt(self.weight[self._origins])[:, None]
        size = int(pooled.sum())
        gram, moment = np.zeros((self.horizon, size, size)), np.zeros((self.horizon, size))
        for station in range(len(self.level)):
            x, y = self._cases(station, self._origins)
            _add_normal_equations(gram, moment, x[:, pooled] * root, y * root)
        penalty = self.penalties(_POOL_PENALTY, 1.0)[pooled]
        weights: Matrix = np.zeros((len(pooled), self.horizon))
        for lead in range(self.horizon):  # one by one: a long horizon's matrices are large
            weights[pooled, lead] = _solve(gram[lead], moment[lead], penalty)
        return weights

    def departure(self, station: int, pool: Matrix) -> tuple[Matrix, Matrix]:
        """Normal equations, (F, F) and (F, H), of what the fleet's weights leave unexplained at a station.

        One factorisation serves all leads: what a lead was told of some origins is taken to hold for all of them.
        """
        x, y = self._cases(station, self._origins)
        taught, known = self.weight[self._origins], np.isfinite(y)
        told: BoolArray = np.any(known, axis=1)
        x_told = x[told]
        weighed = x_told * taught[told][:, None]
        moment = weighed.T @ np.nan_to_num(y[told] - x_told @ pool)
        moment *= taught[told].sum() / np.maximum(taught @ known, 1.0)
        return (weighed.T @ x_told).astype(np.float64), moment

    def best_penalties(self, pool: Matrix) -> Penalties:
        """How firmly stations are drawn to the fleet: what does best on its validation blocks.

        One answer for the fleet, of which a large one is asked in part; a firm one where there are no blocks.
        """
        checks = np.flatnonzero(self.held_out.validation[self._first :]) + self._first
        choices = list(product(_PENALTIES, _CLOCK_PENALTIES))
        errors = np.zeros(len(choices))
        stations = len(self.level)
        for station in range(0, stations, max(1, stations // _MOST_JUDGES)) if len(checks) else ():
            x, y = self._cases(station, checks)
            left = y - x @ pool
            if np.isfinite(left).any():
                gram, moment = self.departure(station, pool)
                for which, choice in enumerate(choices):
                    answer = x @ _solve(gram, moment, self.penalties(*choice))
                    errors[which] += np.nanmean(np.abs(left - answer))
        return choices[int(np.argmin(errors))] if errors.any() else _PENALTIES_UNTESTED

    def penalties(self, base: float, of_clock: float) -> npt.NDArray[np.float64]:
        """(F,) how much each weight is drawn to zero; the constant, which stands first, is not."""
        _, wave, of_level = self._columns
        penalties = base * np.array([1.0, of_clock, 10.0 * of_clock])[wave]
        penalties[of_level] *= self.level_penalty
        penalties[0] = 1e-6
        return penalties

    def _cases(self, station: int, origins: Rows) -> tuple[FloatArray, Matrix]:
        """(N, F) features, and (N, H) the change from the origin to each lead, NaN where there is no truth."""
        x: FloatArray = self.features_of(station)[origins - self._first].numpy()
        ahead = values_ahead(self.truth[station], origins, self.horizon).astype(np.float64)
        return x, ahead - self.level[station][origins][:, None]


def fit_weights(lesson: Lesson, penalties: Penalties | None = None) -> tuple[FloatArray, Penalties]:
    """Solve for the anchor's weights.

    Args:
        lesson: what is learnt from.
        penalties: as chosen before; the validation blocks choose when None.

    Returns:
        (S + 1, F, H), and the penalties it was solved with.
    """
    pool = lesson.pool()
    chosen = penalties or lesson.best_penalties(pool)
    stations = range(len(lesson.level))
    weights = [pool + _solve(*lesson.departure(station, pool), lesson.penalties(*chosen)) for station in stations]
    return np.stack([*weights, pool]).astype(np.float32), chosen


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


def _add_normal_equations(gram: Matrix, moment: Matrix, x: FloatArray, y: Matrix) -> None:
    """Add XᵀX and Xᵀy for every lead over the cases with truth: all of them, less the few without."""
    missing = np.isnan(y)
    gram += (x.T @ x).astype(np.float64)
    for lead in np.flatnonzero(missing.any(axis=0)):
        lost = x[missing[:, lead]]
        gram[lead] -= lost.T @ lost
    moment += np.where(missing, 0.0, y).T @ x


def _solve(gram: Matrix, moment: Matrix, penalties: npt.NDArray[np.float64]) -> Matrix:
    """(F, H) ridge weights."""
    solved: Matrix = np.linalg.solve(gram + np.diag(penalties), moment)
    return solved


def error_gaps(errors: FloatArray) -> FloatArray:
    """Distances between neighbouring quantiles of a forecast's errors, (S, N, H) to (S + 1, H, Q).

    The last row is the fleet's, which also serves stations with too few errors of their own.
    """
    horizon = errors.shape[2]
    gaps = np.full((len(errors) + 1, horizon, len(QUANTILES)), _SMALLEST_GAP, np.float32)
    for row, values in [(len(errors), errors.reshape(-1, horizon)), *enumerate(errors)]:
        for lead in range(horizon):
            known = values[:, lead][np.isfinite(values[:, lead])]
            if len(known) >= (_FEWEST_ERRORS if row < len(errors) else 1):
                steps = np.diff(np.quantile(known, QUANTILES))
                gaps[row, lead, :MEDIAN], gaps[row, lead, MEDIAN + 1 :] = steps[:MEDIAN], steps[MEDIAN:]
            elif row < len(errors):
                gaps[row, lead] = gaps[-1, lead]
    return np.maximum(gaps, _SMALLEST_GAP)
