"""The regular grid: stations × steps, NaN where nothing was observed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

FloatArray = npt.NDArray[np.float32]

_EPOCH = pd.Timestamp(0, tz="UTC")
_NANOSECONDS = {"us": 1000, "ns": 1}
_MOST = np.iinfo(np.int64).max
_AT_ONCE = 100_000
_VALUES_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class Panel:
    """Temperatures of a fleet, and what else it measures, on one time grid.

    A grid value holds the last reading of the step that *ends* there, so that the panel at a time knows
    nothing observed later.
    """

    stations: tuple[str, ...]
    times: pd.DatetimeIndex
    """(T,) UTC, equally spaced."""
    temperature_c: FloatArray
    """(S, T) °C, NaN where unobserved."""
    covariates: Mapping[str, FloatArray] = field(default_factory=dict)
    """What else the stations measure, by name: each (S, T), NaN where unobserved."""

    @property
    def step(self) -> pd.Timedelta:
        """Distance of the grid's times, which carry it along: a grid of one knows it too."""
        return self.times[1] - self.times[0] if self.times.freq is None else pd.Timedelta(self.times.freq)

    @property
    def days(self) -> float:
        """Length of the grid in days."""
        return (self.times[-1] - self.times[0]) / pd.Timedelta("1D") if len(self.times) else 0.0

    def until(self, end: pd.Timestamp) -> Panel:
        """The panel as it was known at `end`."""
        return self.steps(0, int(self.times.searchsorted(end, side="right")))

    def steps(self, first: int, stop: int) -> Panel:
        """Steps `first … stop - 1` of the panel."""
        return self._each(self.times[first:stop], lambda values: values[:, first:stop])

    def only(self, rows: npt.NDArray[np.bool_]) -> Panel:
        """The panel of some of its stations, (S,) true for those."""
        stations = tuple(name for name, wanted in zip(self.stations, rows, strict=True) if wanted)
        covariates = {name: values[rows] for name, values in self.covariates.items()}
        return Panel(stations, self.times, self.temperature_c[rows], covariates)

    def in_parts(self) -> Iterator[tuple[slice, Panel]]:
        """Some stations at a time, and which: what is worked out of them takes little memory."""
        at_once = max(1, _VALUES_AT_ONCE // max(1, len(self.times)))
        for begin in range(0, len(self.stations), at_once):
            rows = slice(begin, begin + at_once)
            covariates = {name: values[rows] for name, values in self.covariates.items()}
            yield rows, Panel(self.stations[rows], self.times, self.temperature_c[rows], covariates)

    def extended_to(self, end: pd.Timestamp) -> Panel:
        """The panel with unobserved steps appended up to `end`."""
        times = pd.date_range(self.times[0], max(end, self.times[-1]), freq=self.step)
        return self._each(times, lambda values: _padded(values, 0, len(times) - len(self.times)))

    def preceded_by(self, steps: int) -> Panel:
        """The panel with so many unobserved steps before its first."""
        if steps == 0:
            return self
        times = pd.date_range(end=self.times[-1], periods=steps + len(self.times), freq=self.step)
        return self._each(times, lambda values: _padded(values, steps, 0))

    def _each(self, times: pd.DatetimeIndex, change: Callable[[FloatArray], FloatArray]) -> Panel:
        covariates = {name: change(values) for name, values in self.covariates.items()}
        return Panel(self.stations, times, change(self.temperature_c), covariates)

    def index_of(self, times: pd.DatetimeIndex) -> npt.NDArray[np.intp]:
        """Positions of `times` on the grid.

        Raises:
            KeyError: a time is not on the grid.
        """
        positions = self.times.get_indexer(times)
        if (positions < 0).any():
            raise KeyError(
                f"{times[int(np.argmax(positions < 0))]} is not on the grid {self.times[0]}…{self.times[-1]}"
            )
        return positions


def build_panel(
    readings: pd.DataFrame,
    step: pd.Timedelta,
    *,
    start: pd.Timestamp | None = None,
    end: pd.Timestamp | None = None,
    stations: tuple[str, ...] | None = None,
) -> Panel:
    """Put readings onto a regular grid.

    Args:
        readings: columns station_id, observed_at (timezone-aware) and temperature_c, in any order; every further
            column of floats is a covariate.
        step: the grid's step; its times are whole multiples of it since 1970 UTC.
        start: first time of the grid; the first reading's when None.
        end: last time of the grid; the last reading's when None. Later readings are left out.
        stations: rows of the panel; every station in the readings, sorted, when None.

    Returns:
        The panel; of several readings within one step the last stays, of a covariate the last that says it.

    Raises:
        ValueError: no readings and no explicit bounds, or times without a zone.
    """
    observed_at = pd.DatetimeIndex(readings["observed_at"])
    if observed_at.unit in ("s", "ms"):  # steps may be finer
        observed_at = observed_at.as_unit("us")
    if observed_at.tz is None:
        raise ValueError("observed_at: times without a zone; localise them first, for example with tz_localize('UTC')")
    ticks = observed_at.tz_convert("UTC").asi8
    ticks_per_step = step // pd.Timedelta(1, observed_at.unit)
    if len(ticks) == 0 and (start is None or end is None):
        raise ValueError("no readings to build a panel from")
    first, last = start, end
    if len(ticks):
        first, last = (_EPOCH - int(-edge // ticks_per_step) * step for edge in (ticks.min(), ticks.max()))
    if (start is not None and end is None and last < start) or (end is not None and start is None and first > end):
        raise ValueError(f"no readings from {start or 'the beginning'} to {end or 'the end'}")
    times = pd.date_range(
        first if start is None else start.ceil(step), last if end is None else end.floor(step), freq=step
    )
    codes, found = pd.factorize(readings["station_id"].astype("str"), use_na_sentinel=False)
    names = tuple(sorted(map(str, found))) if stations is None else stations
    row, nowhere = pd.Index(names).get_indexer(pd.Index(found)), len(names) * len(times)
    origin = (times[0] - _EPOCH) // step if len(times) else 0
    latest = _MOST if end is None else end.as_unit("ns").value // _NANOSECONDS[observed_at.unit]
    place = np.empty(len(ticks), np.int64)  # of every reading in the grid laid out flat
    for some in _slices(len(ticks)):
        column, own_row = -(-ticks[some] // ticks_per_step) - origin, row[codes[some]]
        within = (own_row >= 0) & (column >= 0) & (column < len(times)) & (ticks[some] <= latest)
        place[some] = np.where(within, own_row * len(times) + column, nowhere)

    def gridded(values: pd.Series) -> FloatArray:
        numbers, grid, said = values.to_numpy(np.float32), np.full(nowhere + 1, np.nan, np.float32), 0
        for some in _slices(len(numbers)):
            known = ~np.isnan(numbers[some])
            grid[place[some][known]] = numbers[some][known]
            said += int(np.count_nonzero(known & (place[some] < nowhere)))
        grid = grid[:nowhere]
        if np.count_nonzero(~np.isnan(grid)) < said:  # several within one step
            last_ones = np.argsort(ticks, kind="stable")
            last_ones = last_ones[~np.isnan(numbers[last_ones]) & (place[last_ones] < nowhere)]
            grid[place[last_ones]] = numbers[last_ones]
        return grid.reshape(len(names), len(times))

    others = readings.drop(columns=["station_id", "observed_at", "temperature_c"]).select_dtypes("floating")
    covariates = {str(name): gridded(others[name]) for name in others if others[name].notna().any()}
    return Panel(names, times, gridded(readings["temperature_c"]), covariates)


def _slices(count: int) -> Iterator[slice]:
    """Parts of so many readings, each small enough for the processor's cache."""
    return (slice(begin, begin + _AT_ONCE) for begin in range(0, count, _AT_ONCE))


def _padded(values: FloatArray, before: int, after: int) -> FloatArray:
    return np.pad(values, ((0, 0), (before, after)), constant_values=np.nan)
