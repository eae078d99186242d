"""Scores of single forecasts given as quantiles. Averages over many cases are `backtest`'s part."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lstm_model.settings import QUANTILES

_LEVELS = np.array(QUANTILES)
_EDGES = np.concatenate([[0.0], (_LEVELS[1:] + _LEVELS[:-1]) / 2, [1.0]])
_SHARES = np.diff(_EDGES)

Array = npt.NDArray[np.floating]


def crps_from_quantiles(quantiles: Array, observed: Array) -> npt.NDArray[np.float64]:
    """Continuous ranked probability score of a forecast known at seven levels.

    CRPS is twice the integral of the pinball loss over all levels; each known level stands for the levels
    nearest to it.

    Args:
        quantiles: (..., 7) °C, at `QUANTILES`.
        observed: (...) °C.

    Returns:
        (...) °C, 0 at best; NaN where anything is missing.

    Source: Gneiting and Raftery 2007, doi:10.1198/016214506000001437.

    >>> float(crps_from_quantiles(np.full(7, 3.0), np.array(5.0)))
    2.0
    """
    error = observed[..., None] - quantiles.astype(np.float64)
    pinball = np.maximum(_LEVELS * error, (_LEVELS - 1.0) * error)
    score: npt.NDArray[np.float64] = 2.0 * (pinball * _SHARES).sum(axis=-1)
    return score


def pit_from_quantiles(quantiles: Array, observed: Array) -> npt.NDArray[np.float64]:
    """Probability integral transform: the level at which the truth lies, 0…1, linear between known levels.

    Outside the outermost quantiles, where the forecast says nothing more, half the level that is left.

    Args:
        quantiles: (N, 7) °C.
        observed: (N,) °C.
    """
    pit = np.array([np.interp(o, q, _LEVELS) for q, o in zip(quantiles, observed, strict=True)], dtype=np.float64)
    same = quantiles == observed[:, None]  # on a quantile, or on several that coincide: the middle of them
    tied = same.any(axis=1)
    pit[tied] = (same[tied] * _LEVELS).sum(axis=1) / same[tied].sum(axis=1)
    pit[observed < quantiles[:, 0]] = _LEVELS[0] / 2
    pit[observed > quantiles[:, -1]] = (1.0 + _LEVELS[-1]) / 2
    return pit
