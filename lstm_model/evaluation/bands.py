"""What chance leaves open: bands from a bootstrap of blocks, since neighbouring days are not independent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.stats import norm, t
from scores.processing import block_bootstrap

BAND = 0.90
# Errors of neighbouring days go together, and a horizon of two days overlaps with the next issue's: a block is longer.
_BLOCK_DAYS, _SHORTEST_BLOCK_DAYS, _FEWEST_BLOCKS = 5, 3, 4
_DRAWS = 1000

Array = npt.NDArray[np.float64]


def ratio_band(above: Array, below: Array, seed: int = 0) -> tuple[float, float]:
    """The 90 % band of Σ above / Σ below over successive days, from a circular block bootstrap.

    Blocks of days are drawn again and again, ratios of whole sums are formed, and the band is stretched by what so
    few blocks leave unsaid (Student's t).

    Args:
        above: (D,) each day's sum, in order.
        below: (D,) what it is divided by.
        seed: of the draws.

    Returns:
        both ends; NaN under twelve days, or where there is nothing to divide by.

    Source: Wilks 1997, doi:10.1175/1520-0442(1997)010<0065:RHTFAF>2.0.CO;2.
    """
    days = len(above)
    block = min(_BLOCK_DAYS, days // _FEWEST_BLOCKS)
    if block < _SHORTEST_BLOCK_DAYS or not below.sum() > 0:
        return float("nan"), float("nan")
    value = above.sum() / below.sum()
    drawn = _drawn_days(days, block, seed)
    tail = (1 - BAND) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = np.nanquantile((drawn @ above) / (drawn @ below), (tail, 1 - tail))
    stretch = _stretch(days / block)
    return float(value - stretch * (value - low)), float(value + stretch * (high - value))


def _stretch(blocks: float) -> float:
    """How much wider a band from so few independent blocks must be than their bootstrap says."""
    tail = (1 + BAND) / 2
    return float(t.ppf(tail, blocks - 1) / norm.ppf(tail) * np.sqrt(blocks / (blocks - 1)))


@lru_cache(maxsize=8)
def _drawn_days(days: int, block: int, seed: int) -> Array:
    """How often each day occurs in every draw: (draws, days)."""
    with _numpy_seeded(seed):
        drawn = block_bootstrap(xr.DataArray(np.arange(days), dims="day"), blocks={"day": block}, n_iteration=_DRAWS)
    times = [np.bincount(draw, minlength=days) for draw in drawn.transpose("iteration", "day").to_numpy()]
    return np.stack(times).astype(np.float64)


@contextmanager
def _numpy_seeded(seed: int) -> Iterator[None]:
    """NumPy's global generator, which `block_bootstrap` draws from, seeded and afterwards as it was."""
    before = np.random.get_state()
    np.random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(before)
