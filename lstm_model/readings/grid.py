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
    times: pd.DatetimeIndex,
    values: npt.NDArray[np.float64],
    step: pd.Timedelta,
    stations: int,
) -> StationGrid:
    """Put readings, ordered by station and time, onto the steps from the first to the last of them."""
    cells = times.ceil(step)
    grid_times = pd.date_range(cells.min(), cells.max(), freq=step)
    places = ((cells - grid_times[0]) // step).to_numpy(np.intp)
    grid = np.full((stations, len(grid_times)), np.nan)
    grid[codes, places] = values  # of several readings in one step the last one stays
    return StationGrid(grid_times, grid, places)
