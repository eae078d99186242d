"""Readings of a fleet on the regular grid that quality control compares stations on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd


@dataclass(frozen=True)
class StationGrid:
    """Stations × steps.

    times: (T,) UTC. values: (S, T) °C, the last reading of the step that ends there, NaN where there is none.
    places: (n,) the step of every reading.
    """

    times: pd.DatetimeIndex
    values: npt.NDArray[np.float64]
    places: npt.NDArray[np.intp]


def station_grid(
    codes: npt.NDArray[np.intp],
    micros: npt.NDArray[np.int64],
    values: npt.NDArray[np.float64],
    step: pd.Timedelta,
    stations: int,
) -> StationGrid:
    """Put readings, ordered by station and time, onto the steps from the first to the last of them.

    Args:
        codes: (n,) which station.
        micros: (n,) time since 1970 in µs.
        values: (n,) °C.
        step: the grid's step.
        stations: how many there are.
    """
    cells = -(-micros // (step // pd.Timedelta(1, "us")))
    first, last = int(cells.min()), int(cells.max())
    places = cells - first
    grid = np.full((stations, last - first + 1), np.nan)
    grid.ravel()[codes * grid.shape[1] + places] = values  # of several readings in one step the last one stays
    times = pd.date_range(pd.Timestamp(0, tz="UTC") + first * step, periods=grid.shape[1], freq=step)
    return StationGrid(times, grid, places)
