"""Readings of several stations as arrays, ordered by station and time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

_MOST = 2**63 - 1


@dataclass(frozen=True)
class Fleet:
    """Readings, ordered by station and time.

    stations: in the order of their names. codes: (n,) which of them. micros: (n,) time since 1970 in µs.
    values: (n,) °C. rows: (n,) where each stood in the table that it came from.
    """

    stations: tuple[str, ...]
    codes: npt.NDArray[np.intp]
    micros: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    rows: npt.NDArray[np.intp]

    @classmethod
    def of(cls, readings: pd.DataFrame) -> Fleet:
        """Of a table in any order, with station_id, observed_at and temperature_c; what stands later comes later."""
        codes, names = pd.factorize(readings["station_id"], sort=True)
        micros = pd.DatetimeIndex(readings["observed_at"]).as_unit("us").asi8
        values = readings["temperature_c"].to_numpy(np.float64)
        order = _order(codes, micros)
        if order is None:
            return cls(tuple(map(str, names)), codes, micros, values, np.arange(len(codes)))
        return cls(tuple(map(str, names)), codes[order], micros[order], values[order], order)

    def only(self, wanted: npt.NDArray[np.bool_]) -> Fleet:
        """Some of the readings."""
        if wanted.all():
            return self
        codes, micros, values, rows = self.codes[wanted], self.micros[wanted], self.values[wanted], self.rows[wanted]
        return Fleet(self.stations, codes, micros, values, rows)

    @cached_property
    def repeats(self) -> npt.NDArray[np.bool_]:
        """(n,) whether a reading is followed by one of the same station and time."""
        same = (np.diff(self.codes) == 0) & (np.diff(self.micros) == 0)
        return np.concatenate([same, np.zeros(min(1, len(self.codes)), bool)])

    @cached_property
    def _starts(self) -> npt.NDArray[np.intp]:
        return np.searchsorted(self.codes, np.arange(len(self.stations) + 1))

    def rows_of(self, station: int) -> slice:
        """Where the readings of a station lie."""
        return slice(int(self._starts[station]), int(self._starts[station + 1]))

    def times(self, rows: slice) -> pd.DatetimeIndex:
        """When these readings were observed."""
        return pd.DatetimeIndex(self.micros[rows].view("datetime64[us]"), tz="UTC")


def in_order(readings: pd.DataFrame) -> pd.DataFrame:
    """A table's rows by station and time."""
    codes, _ = pd.factorize(readings["station_id"], sort=True)
    order = _order(codes, pd.DatetimeIndex(readings["observed_at"]).as_unit("us").asi8)
    return readings if order is None else readings.take(order).reset_index(drop=True)


def _order(codes: npt.NDArray[np.intp], micros: npt.NDArray[np.int64]) -> npt.NDArray[np.intp] | None:
    """What brings readings into the order of station and time; None where they are in it.

    As one number where it has room: what comes from a few ordered files is then a few runs, which are merged quickly.
    """
    later = np.diff(codes)
    if ((later > 0) | ((later == 0) & (np.diff(micros) >= 0))).all():
        return None
    first, span = int(micros.min()), int(micros.max()) - int(micros.min()) + 1
    if span * (int(codes.max()) + 1) > _MOST:
        return np.lexsort((micros, codes))
    return np.argsort(codes * span + (micros - first), kind="stable")
