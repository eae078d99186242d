"""Conformalized quantile regression: intervals widened or narrowed until they cover what they promise.

Source: Romano, Patterson, Candès, "Conformalized Quantile Regression", 2019, arXiv:1905.03222.
"""

from __future__ import annotations

import math

import numpy as np

from lstm_model.panel.grid import FloatArray
from lstm_model.settings import MEDIAN, QUANTILES

_DOUBT = 2.0
"""A block's hours are one spell of weather; with so many spells, half of what they ask for is taken to be chance."""


def conformal_offsets(quantiles: FloatArray, truth: FloatArray, spells: float = math.inf) -> FloatArray:
    """How far to move each quantile at each lead so that its interval covers as promised.

    Args:
        quantiles: (S, O, H, Q) forecasts the model was not trained on, in units of spread.
        truth: (S, O, H), NaN where unobserved.
        spells: independent spells of weather that the origins come from; few of them move the quantiles less.

    Returns:
        (H, Q) to add; zero at the median, and zero where a lead has no truth.
    """
    leads = quantiles.shape[2]
    offsets = np.zeros((leads, len(QUANTILES)), np.float32)
    for lower in range(MEDIAN):
        upper = len(QUANTILES) - 1 - lower
        promised = QUANTILES[upper] - QUANTILES[lower]
        outside = np.maximum(quantiles[..., lower] - truth, truth - quantiles[..., upper])  # (S, O, H)
        for lead in range(leads):
            scores = outside[:, :, lead]
            scores = scores[np.isfinite(scores)]
            if len(scores):
                level = min(1.0, promised * (1 + 1 / len(scores)))
                offsets[lead, upper] = np.quantile(scores, level)
                offsets[lead, lower] = -offsets[lead, upper]
    return offsets / np.float32(1 + _DOUBT / spells)


def apply_offsets(quantiles: FloatArray, offsets: FloatArray) -> FloatArray:
    """Quantiles moved by their offsets, kept in order outwards from the median: (..., H, Q)."""
    moved = quantiles + offsets
    moved[..., MEDIAN:] = np.maximum.accumulate(moved[..., MEDIAN:], axis=-1)
    moved[..., MEDIAN::-1] = np.minimum.accumulate(moved[..., MEDIAN::-1], axis=-1)
    return moved
