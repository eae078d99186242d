"""The anchor: the best closed-form linear forecast, which the LSTM corrects.

For station s, lead h and scaled anomalies a:

    â(t+h) = a(t) + own lags · (w_h + Δw_{s,h}) + neighbours' lags · Δv_{s,h} + b_h + Δb_{s,h}

The part without Δ is fitted on all stations together and serves a station never seen; the Δ part is drawn
towards zero, so that a station with little history leans on the fleet. With no history at all every weight is
zero: the anchor is then the last value, persistence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lstm_model.panel import HeldOut
from lstm_model.panel.grid import FloatArray

OWN_LAGS = 72
NEIGHBOUR_LAGS = 24
_PENALTIES = (3.0, 30.0, 300.0, 3000.0, 30000.0)
_PENALTY_UNTESTED = 300.0

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Anchor:
    """Weights of the closed-form forecast.

    weights: (S + 1, F, H) on own lags (0 first) and then each neighbour's; the last row serves unknown stations.
    bias: (S + 1, H).
    gaps: (H, Q) distances between the quantiles of its errors, see `to_quantiles`.
    own_lags, neighbour_lags: how many steps back each reaches.
    """

    weights: FloatArray
    bias: FloatArray
    gaps: FloatArray
    own_lags: int
    neighbour_lags: int


def fit_weights(
    anomaly: FloatArray,
    truth: FloatArray,
    neighbours: npt.NDArray[np.intp],
    held_out: HeldOut,
    horizon: int,
    context: int,
) -> tuple[FloatArray, FloatArray, int, int]:
    """Solve for the anchor's weights.

    Args:
        anomaly: (S, T) scaled anomalies, gaps filled.
        truth: (S, T) the same, NaN where unobserved.
        neighbours: (S, k).
        held_out: which origins may be learnt from, and which choose the penalty.
        horizon: leads.
        context: steps of past that may be looked at.

    Returns:
        weights (S + 1, F, H), bias (S + 1, H), and the numbers of own and of neighbours' lags.
    """
    stations = len(anomaly)
    own_lags, neighbour_lags = min(context, OWN_LAGS), min(context, NEIGHBOUR_LAGS)
    first = own_lags - 1
    origins = np.flatnonzero(held_out.training[first:]) + first
    checks = np.flatnonzero(held_out.validation[first:]) + first
    width = own_lags + neighbour_lags * neighbours.shape[1] + 1

    # The fleet together, own lags only.
    gram, moment = np.zeros((horizon, own_lags + 1, own_lags + 1)), np.zeros((horizon, own_lags + 1))
    for station in range(stations):
        x = _features(anomaly, station, neighbours[station, :0], origins, own_lags, neighbour_lags)
        own_gram, own_moment = _normal_equations(x, _targets(anomaly, truth, station, origins, horizon))
        gram, moment = gram + own_gram, moment + own_moment
    pooled = _solve(gram, moment, _PENALTY_UNTESTED)

    # Each station's departure from the fleet, with its neighbours.
    prior = np.zeros((width, horizon))
    prior[:own_lags], prior[-1] = pooled[:-1], pooled[-1]
    solutions = np.zeros((stations + 1, width, horizon))
    solutions[-1] = prior
    for station in range(stations):
        x = _features(anomaly, station, neighbours[station], origins, own_lags, neighbour_lags)
        y = _targets(anomaly, truth, station, origins, horizon)
        gram, moment = _normal_equations(x, y - x @ prior)
        x_check = _features(anomaly, station, neighbours[station], checks, own_lags, neighbour_lags)
        y_check = _targets(anomaly, truth, station, checks, horizon)
        solutions[station] = _best(gram, moment, prior, x_check, y_check)
    return (*_fold(solutions, own_lags), own_lags, neighbour_lags)


def _features(
    anomaly: FloatArray,
    station: int,
    neighbours: npt.NDArray[np.intp],
    origins: npt.NDArray[np.intp],
    own_lags: int,
    neighbour_lags: int,
) -> Matrix:
    """(N, F + 1): the level, departures of the own lags from it, the neighbours' lags, and one."""
    own = anomaly[station][origins[:, None] - np.arange(own_lags)].astype(np.float64)
    own[:, 1:] -= own[:, :1]
    lags = origins[:, None] - np.arange(neighbour_lags)
    others = [anomaly[neighbour][lags].astype(np.float64) for neighbour in neighbours]
    return np.concatenate([own, *others, np.ones((len(origins), 1))], axis=1)


def _targets(
    anomaly: FloatArray, truth: FloatArray, station: int, origins: npt.NDArray[np.intp], horizon: int
) -> Matrix:
    """(N, H) change from the origin to each lead, NaN where there is no truth."""
    ahead = origins[:, None] + np.arange(1, horizon + 1)
    inside = ahead < truth.shape[1]
    values = np.where(inside, truth[station][np.minimum(ahead, truth.shape[1] - 1)], np.nan)
    return values.astype(np.float64) - anomaly[station][origins][:, None]


def _normal_equations(x: Matrix, y: Matrix) -> tuple[Matrix, Matrix]:
    """XᵀX and Xᵀy for every lead over the cases with truth: all of them, less the few without."""
    missing = np.isnan(y)
    gram = np.broadcast_to(x.T @ x, (y.shape[1], x.shape[1], x.shape[1])).copy()
    for lead in np.flatnonzero(missing.any(axis=0)):
        lost: Matrix = x[missing[:, lead]]
        gram[lead] -= lost.T @ lost
    return gram, np.where(missing, 0.0, y).T @ x


def _solve(gram: Matrix, moment: Matrix, penalty: float) -> Matrix:
    """(F, H) ridge weights; the constant, which stands last, is not drawn to zero."""
    ridge = np.full(gram.shape[1], penalty)
    ridge[-1] = 1e-6
    return np.linalg.solve(gram + np.diag(ridge), moment[:, :, None])[:, :, 0].T.astype(np.float64)


def _best(gram: Matrix, moment: Matrix, prior: Matrix, x_check: Matrix, y_check: Matrix) -> Matrix:
    """The solution whose penalty does best on the validation blocks; a firm one where there are none."""
    if not np.isfinite(y_check).any():
        return prior + _solve(gram, moment, _PENALTY_UNTESTED)
    candidates = [prior + _solve(gram, moment, penalty) for penalty in _PENALTIES]
    errors = [float(np.nanmean(np.abs(y_check - x_check @ candidate))) for candidate in candidates]
    return candidates[int(np.argmin(errors))]


def _fold(solutions: Matrix, own_lags: int) -> tuple[FloatArray, FloatArray]:
    """Rewrite weights on departures from the last value as weights on plain lags, plus the last value itself."""
    weights, bias = solutions[:, :-1].copy(), solutions[:, -1]
    weights[:, 0] += 1.0 - weights[:, 1:own_lags].sum(axis=1)
    return weights.astype(np.float32), bias.astype(np.float32)
