"""How often a fleet speaks, as far as its readings tell."""

from __future__ import annotations

import numpy as np
import pandas as pd

STEPS = tuple(
    pd.Timedelta(text)
    for text in ("1min", "2min", "5min", "10min", "15min", "20min", "30min",
                 "1h", "2h", "3h", "4h", "6h", "8h", "12h", "1D")
)  # fmt: skip
"""Steps of a grid that people set their sensors to; each divides a day."""


def cadence(readings: pd.DataFrame) -> pd.Timedelta | None:
    """The usual time between two readings of a station: of half the stations at most.

    Args:
        readings: station_id and observed_at, in any order.

    Returns:
        the nearest of `STEPS`; None where no station spoke twice.
    """
    rows = readings[["station_id", "observed_at"]].sort_values(["station_id", "observed_at"])
    apart = rows.groupby("station_id", observed=True)["observed_at"].diff()
    usual = apart.groupby(rows["station_id"], observed=True).median().median()
    if pd.isna(usual) or usual <= pd.Timedelta(0):
        return None
    off = [abs(np.log(usual / step)) for step in STEPS]
    return STEPS[int(np.argmin(off))]


def as_frequency(step: pd.Timedelta) -> str:
    """A step as `model.frequency` is written.

    >>> [as_frequency(pd.Timedelta(text)) for text in ("10min", "3h", "1D")]
    ['10min', '3h', '1D']
    """
    minutes = int(step / pd.Timedelta("1min"))
    if minutes % 1440 == 0:
        return f"{minutes // 1440}D"
    return f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}min"
