"""Which of two methods is truly better, where errors overlap in time and there are few of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import t

# Only waves that last this many overlaps and more measure the variance of a mean.
_SHORTEST_WAVE = 3


def confidence_above_zero(differences: npt.NDArray[np.float64], overlap: int) -> float:
    """Confidence, 0…1, that a series with memory has a mean above zero: 0.95 is significantly above, 0.05 below.

    A Diebold–Mariano test whose variance comes from the series' few slowest cosines, and is believed no more than so
    few deserve (Student's t). Tests that weigh autocovariances call equal methods different twice as often as they
    promise when two weeks of origins, eight of them overlapping, are all there is; `docs/gate.md` has the figures.

    Args:
        differences: (O,) loss of one method minus that of the other, in order of time.
        overlap: how many successive ones share some of their truth.

    Returns:
        NaN where all of them overlap, 0.5 where none differs from zero.

    Source: Lazarus, Lewis, Stock and Watson 2018, doi:10.1080/07350015.2018.1506926, for the variance; Coroneo and
        Iacone 2020, doi:10.1002/jae.2756, for its use in comparing forecasts.
    """
    count = len(differences)
    if count <= overlap:
        return float("nan")
    if np.allclose(differences, 0.0, atol=1e-12):
        return 0.5
    cosines = looks(count, overlap)
    wave = np.arange(1, cosines + 1)[:, None] * (np.arange(count) + 0.5) / count  # (B, O)
    weights = np.sqrt(2 / count) * np.cos(np.pi * wave) @ differences  # (B,)
    deviation = np.sqrt((weights**2).mean() / count)
    with np.errstate(divide="ignore"):  # differences that are all the same are certain
        return float(t.cdf(differences.mean() / deviation, cosines))


def looks(count: int, overlap: int) -> int:
    """How many independent looks at a mean so many differences are worth: its degrees of freedom."""
    slow = min(2 * count / (_SHORTEST_WAVE * overlap), 0.4 * count ** (2 / 3))  # the second is Lazarus's rule
    return max(1, int(slow))
