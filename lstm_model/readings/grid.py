"""Readings of a fleet on the regular grid that quality control compares stations on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstm_model.readings.fleet import Fleet


@dataclass(frozen=True)
class StationGrid:
    """Stations × steps.

    times: (T,) UTC. values: (S, T) °C, the last reading of the step that ends there, NaN where there is none.
    places: (n,) the step of every reading.
    """

    times: pd.DatetimeIndex
    values: npt.NDArray[np.float64]
    places: npt.NDArray[np.intp]


def cells_of(micros: npt.NDArray[np.int64], step: pd.Timedelta) -> npt.NDArray[np.int64]:
    """The step that each time (n,), µs since 1970, lies in: the one that ends there or next, counted from 1970."""
    return -(-micros // (step // pd.Timedelta(1, "us")))


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
    cells = cells_of(micros, step)
    first, last = int(cells.min()), int(cells.max())
    places = cells - first
    grid = np.full((stations, last - first + 1), np.nan)
    grid.ravel()[codes * grid.shape[1] + places] = values  # of several readings in one step the last one stays
    times = pd.date_range(pd.Timestamp(0, tz="UTC") + first * step, periods=grid.shape[1], freq=step)
    return StationGrid(times, grid, places)


def grid_by_parts(
    parts: Iterable[pd.DataFrame], begin: pd.Timestamp, end: pd.Timestamp, step: pd.Timedelta
) -> tuple[list[str], pd.DatetimeIndex, npt.NDArray[np.float32]]:
    """Put readings that come in parts onto the steps after `begin` until `end`, so that one part is held at a time.

    Returns:
        the stations in the order of their names, the times (T,), and the values (S, T) as in `StationGrid`.
    """
    times = pd.date_range(begin.ceil(step), end.ceil(step), freq=step)
    first = int((times[0] - pd.Timestamp(0, tz="UTC")) // step)
    row_of: dict[str, int] = {}
    values = np.full((0, len(times)), np.nan, np.float32)
    for part in parts:
        fleet = Fleet.of(part)
        for name in fleet.stations:
            row_of.setdefault(name, len(row_of))
        if len(row_of) > len(values):
            values = np.pad(values, ((0, len(row_of) - len(values)), (0, 0)), constant_values=np.nan)
        rows = np.array([row_of[name] for name in fleet.stations], np.intp)[fleet.codes]
        values[rows, cells_of(fleet.micros, step) - first] = fleet.values
    names = sorted(row_of)
    if names != list(row_of):
        values = values[[row_of[name] for name in names]]
    return names, times, values
