"""What each of the last nights looks at: a mean over so many days, which move on by one from night to night."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def means_by_night(sums: npt.NDArray[np.number], cases: npt.NDArray[np.number], days: int, nights: int) -> Array:
    """The mean that each night sees, tonight first; NaN where it sees no case.

    Args:
        sums: (D,) of each day's cases, the day that ends tonight first.
        cases: (D,) how many each day has.
        days: so many a night looks at.
        nights: so many are asked for; D is days + nights - 1 at least.

    >>> means_by_night(np.array([1.0, 3.0, 8.0, 0.0]), np.array([1, 1, 2, 0]), days=2, nights=3).tolist()
    [2.0, 3.6666666666666665, 4.0]
    """
    seen_sums, seen_cases = (np.convolve(each, np.ones(days), "valid")[:nights] for each in (sums, cases))
    with np.errstate(divide="ignore", invalid="ignore"):
        means: Array = np.where(seen_cases > 0, seen_sums / seen_cases, np.nan)
    return means
