"""Quality control: a QARTOD flag for every reading, by the checks of `ioos_qc` and a comparison with neighbours.

A flag is a function of what the store holds around a reading and of frozen limits, never of arrival: whoever takes
in a reading judges anew all that it can change.

Source: U.S. Integrated Ocean Observing System, Manual for Real-Time Quality Control of In-situ Temperature and
Salinity Data, version 2.1 (2020), doi:10.25923/x02m-m555: tests 4 to 8, and 13, the neighbour test.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

import numpy as np
import numpy.typing as npt
import pandas as pd
from ioos_qc import qartod

from lstm_model.harmonics import harmonic_design
from lstm_model.readings.grid import station_grid
from lstm_model.readings.stations import Stations
from lstm_model.readings.usual import SMOOTH, Usual, smooth
from lstm_model.settings import QualitySettings

GOOD, NOT_EVALUATED, SUSPECT, FAIL = ANY_FLAG = (1, 2, 3, 4)
CHECKS = ("gross range", "spike", "rate of change", "flat line", "climatology", "neighbours")

_NEXT_STEPS = 3
"""Readings further apart than this many steps are no neighbours in time."""
_LEAST_FLAT_STEPS = 6
_FLAT_TOLERANCE_C = 0.01
_LEAST_NEIGHBOURS = 2
_ROWS_AT_ONCE = 250_000
_RULES = 1
"""Raised by one with every change of a check, so that readings kept before are judged anew."""

Flags = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Assessment:
    """Flags of readings, row by row, and how many each check found suspect or worse."""

    flags: Flags
    found: dict[str, npt.NDArray[np.bool_]]


class QualityControl:
    """The checks with frozen limits: the owner's settings, and what was learnt of each station."""

    def __init__(
        self,
        settings: QualitySettings,
        step: pd.Timedelta,
        stations: Stations | None = None,
        usual: dict[str, Usual] | None = None,
    ) -> None:
        self._settings = settings
        self._step = step
        self._stations = stations or Stations()
        self._usual = usual or {}

    @cached_property
    def digest(self) -> str:
        """Names these limits: readings judged under another digest must be judged anew."""
        told = {
            "rules": _RULES,
            "step": str(self._step),
            "settings": self._settings.model_dump(mode="json", exclude={"future_minutes", "earliest", "learn"}),
            "stations": {name: station.model_dump(mode="json") for name, station in self._stations.known.items()},
            "usual": {name: usual.as_data() for name, usual in self._usual.items()},
        }
        return sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]

    @cached_property
    def reach(self) -> pd.Timedelta:
        """How far before and after itself a reading can change flags."""
        hours = [self._settings.flat_hours, *(station.flat_hours or 0.0 for station in self._stations.known.values())]
        flat = 2 * max(self._flat_steps(each) for each in hours) * self._step
        return max(flat, SMOOTH) + 2 * _NEXT_STEPS * self._step

    def affected_by(self, stations: set[str]) -> set[str]:
        """The stations whose flags readings of these stations can change."""
        beside = {
            name for name, usual in self._usual.items() if any(n.station_id in stations for n in usual.neighbours)
        }
        return stations | beside

    def needed_for(self, stations: set[str]) -> set[str]:
        """The stations whose readings must be looked at to judge these."""
        known = [self._usual[name] for name in stations if name in self._usual]
        return stations | {neighbour.station_id for usual in known for neighbour in usual.neighbours}

    def assess(self, readings: pd.DataFrame) -> Assessment:
        """Judge readings.

        Args:
            readings: station_id, observed_at and temperature_c, ordered by station and time, no key twice. Flags
                are final for readings that lie `reach` within the span of what is given.
        """
        found = {check: np.zeros(len(readings), np.int8) for check in CHECKS}
        times, values = pd.DatetimeIndex(readings["observed_at"]), readings["temperature_c"].to_numpy(np.float64)
        codes, names = pd.factorize(readings["station_id"])
        own = [str(name) for name in names]
        for rows in _by_stations(codes):
            part = _Series(codes[rows], times[rows].as_unit("us").asi8, values[rows], self._step)
            found["gross range"][rows] = self._gross_range(part, own)
            found["spike"][rows] = spikes = self._spike(part, own)
            found["rate of change"][rows] = self._rate_of_change(part, own, spikes)
            found["flat line"][rows] = self._flat_line(part, own)
            found["climatology"][rows] = self._climatology(part, own, times[rows])
        if len(readings):
            found["neighbours"][:] = self._neighbours(readings, codes, own, times)
        flags = np.asarray(qartod.qartod_compare(list(found.values())), np.int8)
        return Assessment(flags, {check: flag >= SUSPECT for check, flag in found.items()})

    def _limits(self, name: str, stations: list[str]) -> npt.NDArray[np.float64]:
        """(S,) each station's threshold."""
        return np.array([self._stations.limit(name, station, self._settings) for station in stations])

    def _gross_range(self, part: _Series, stations: list[str]) -> Flags:
        spans = np.stack([self._limits("valid_min_c", stations), self._limits("valid_max_c", stations)], axis=1)
        different, which = np.unique(spans, axis=0, return_inverse=True)
        flags = np.full(len(part.values), GOOD, np.int8)
        for number, span in enumerate(different):
            rows = which.ravel()[part.codes] == number
            flags[rows] = qartod.gross_range_test(part.values[rows], fail_span=tuple(span))
        return flags

    def _spike(self, part: _Series, stations: list[str]) -> Flags:
        scaled = part.divided(part.values / self._limits("spike_c", stations)[part.codes])
        flags = qartod.spike_test(scaled, suspect_threshold=1.0, fail_threshold=2.0, method="differential")
        return np.asarray(flags, np.int8)[part.places]

    def _rate_of_change(self, part: _Series, stations: list[str], spikes: Flags) -> Flags:
        """A spike is no neighbour to be compared with; a change counts as if it had taken an hour at least."""
        steady = np.where(spikes >= SUSPECT, np.nan, part.values)
        scaled = part.divided(steady / self._limits("rate_c_per_hour", stations)[part.codes])
        # ioos_qc counts whole seconds in nanoseconds from 1970 on; here one of them is a minute, or they overflow.
        minutes = np.full(len(scaled), 60)
        minutes[part.places] = np.clip(part.elapsed_minutes, 60, None)
        flags = qartod.rate_of_change_test(scaled, tinp=_seconds(np.cumsum(minutes)), threshold=1 / 60)
        flags = np.asarray(flags, np.int8)[part.places]
        return np.where(flags > FAIL, NOT_EVALUATED, flags).astype(np.int8)

    def _flat_steps(self, hours: float) -> int:
        return max(_LEAST_FLAT_STEPS, int(np.ceil(pd.Timedelta(hours=hours) / self._step)))

    def _flat_line(self, part: _Series, stations: list[str]) -> Flags:
        hours = self._limits("flat_hours", stations)
        flags = np.full(len(part.values), NOT_EVALUATED, np.int8)
        for limit in np.unique(hours[hours > 0]):
            rows = (hours == limit)[part.codes]
            if rows.any():
                flags[rows] = part.only(rows).held_still(self._flat_steps(limit))
        return flags

    def _climatology(self, part: _Series, stations: list[str], times: pd.DatetimeIndex) -> Flags:
        """Beyond so many spreads of what is usual at this hour and season."""
        flags = np.full(len(part.values), NOT_EVALUATED, np.int8)
        knows = np.array([name in self._usual and self._usual[name].knows_seasons for name in stations])[part.codes]
        if not knows.any():
            return flags
        for code in np.unique(part.codes[knows]):
            usual, rows = self._usual[stations[code]], part.codes == code
            departure = (part.values[rows] - usual.values(times[rows])) / usual.spread_c
            limit = self._settings.learned_spreads
            always = {"tspan": ("1678-01-01", "2262-01-01"), "vspan": (-limit, limit)}
            naive = times[rows].tz_localize(None).to_numpy()
            verdict = qartod.climatology_test([always], departure, naive, np.zeros(len(departure)))
            begins = usual.begins()
            judged = np.ones(len(departure), bool) if begins is None else times[rows] > begins
            flags[rows] = np.where(judged, verdict, NOT_EVALUATED)
        return flags

    def _neighbours(
        self, readings: pd.DataFrame, codes: npt.NDArray[np.intp], stations: list[str], times: pd.DatetimeIndex
    ) -> Flags:
        """Apart from most of its neighbours, for now or for a whole day, where two or more can outvote it."""
        flags = np.full(len(readings), NOT_EVALUATED, np.int8)
        row_of = {name: row for row, name in enumerate(stations)}
        judged = [name for name in stations if name in self._usual and self._usual[name].neighbours]
        if not judged:
            return flags
        grid = station_grid(codes, times, readings["temperature_c"].to_numpy(np.float64), self._step, len(stations))
        anomaly = grid.values
        designs: dict[tuple[int, int], npt.NDArray[np.float64]] = {}
        for name in stations:
            if (usual := self._usual.get(name)) is None:
                continue
            waves = (usual.diurnal, usual.annual)
            if waves not in designs:
                designs[waves] = harmonic_design(grid.times, *waves)
            anomaly[row_of[name]] -= designs[waves] @ np.array(usual.coefficients)
            if (begins := usual.begins()) is not None:
                anomaly[row_of[name], grid.times <= begins] = np.nan
        for name in judged:
            row, own = row_of[name], self._usual[name]
            beside = [near for near in own.neighbours if near.station_id in row_of]
            if len(beside) < _LEAST_NEIGHBOURS:
                continue
            apart = np.stack([anomaly[row] - near.slope * anomaly[row_of[near.station_id]] for near in beside])
            now = apart / np.array([near.spread_c for near in beside])[:, None]
            lasting = smooth(apart, self._step) / np.array([near.day_spread_c for near in beside])[:, None]
            mine = codes == row
            flags[mine] = np.maximum(self._votes(now), self._votes(lasting))[grid.places[mine]]
        return flags

    def _votes(self, departures: npt.NDArray[np.float64]) -> npt.NDArray[np.int8]:
        """For every step: not evaluated, good, or suspect where most neighbours stand apart on the same side."""
        limit, here = self._settings.learned_spreads, (~np.isnan(departures)).sum(axis=0)
        with np.errstate(invalid="ignore"):
            most = np.maximum((departures > limit).sum(axis=0), (departures < -limit).sum(axis=0))
        enough = here >= _LEAST_NEIGHBOURS
        return np.where(enough, np.where(2 * most > here, SUSPECT, GOOD), NOT_EVALUATED).astype(np.int8)


def _by_stations(codes: npt.NDArray[np.intp]) -> Iterator[slice]:
    """Slices of whole stations, large enough to be quick and small enough for memory."""
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    begin = 0
    for start in starts[1:]:
        if start - begin >= _ROWS_AT_ONCE:
            yield slice(begin, int(start))
            begin = int(start)
    if len(codes):
        yield slice(begin, len(codes))


def _seconds(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.datetime64]:
    return counts.astype("datetime64[s]")


class _Series:
    """Readings of several stations as one long series, divided where station or time leave a gap.

    codes, micros, values: (n,) station, time since 1970 in µs, °C; ordered by station and time.
    """

    def __init__(
        self,
        codes: npt.NDArray[np.intp],
        micros: npt.NDArray[np.int64],
        values: npt.NDArray[np.float64],
        step: pd.Timedelta,
    ) -> None:
        self.codes, self.micros, self.values, self._step = codes, micros, values, step

    @cached_property
    def _divided(self) -> npt.NDArray[np.bool_]:
        """(n,) whether a reading has no neighbour before it."""
        near = _NEXT_STEPS * (self._step // pd.Timedelta(1, "us"))
        apart = (np.diff(self.codes) != 0) | (np.diff(self.micros) > near)
        return np.concatenate([[True], apart])

    @cached_property
    def places(self) -> npt.NDArray[np.int64]:
        """(n,) where each reading lies in the divided series."""
        return np.arange(len(self.values)) + np.cumsum(self._divided)

    @property
    def elapsed_minutes(self) -> npt.NDArray[np.int64]:
        """(n,) whole minutes since the reading before, 0 where there is none."""
        return np.where(self._divided, 0, np.diff(self.micros, prepend=0) // 60_000_000)

    def divided(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Values with NaN at every division and at the end."""
        series = np.full(len(values) + int(self._divided.sum()) + 1, np.nan)
        series[self.places] = values
        return series

    def only(self, rows: npt.NDArray[np.bool_]) -> _Series:
        """Some of the stations."""
        return _Series(self.codes[rows], self.micros[rows], self.values[rows], self._step)

    def held_still(self, suspect_steps: int) -> Flags:
        """Flags of readings within a run that holds still for so many steps; at twice that they fail.

        Looked at on the grid, the last reading of each step, because ioos_qc counts readings and takes their
        distance for constant. A run is flagged from its beginning: it was still from there on.
        """
        cell = -(-self.micros // (self._step // pd.Timedelta(1, "us")))
        last = np.concatenate([(np.diff(cell) != 0) | (np.diff(self.codes) != 0), [True]])
        steps = np.diff(cell[last], prepend=0)
        apart = np.concatenate([[True], np.diff(self.codes[last]) != 0]) | (steps > _NEXT_STEPS)
        places = np.cumsum(np.where(apart, 2, steps)) - 1
        series = np.full(int(places[-1]) + 1, np.nan)
        series[places] = self.values[last]
        series[places[apart] - 1] = 1e6  # never still across a gap
        clock = _seconds(np.arange(len(series)))
        verdict = qartod.flat_line_test(series, clock, suspect_steps, 2 * suspect_steps, _FLAT_TOLERANCE_C)
        flags = np.full(len(series), GOOD, np.int8)
        for flag, steps_still in ((SUSPECT, suspect_steps), (FAIL, 2 * suspect_steps)):
            ends = np.flatnonzero((verdict >= flag) & (verdict <= FAIL))  # a gap is 9
            change = np.zeros(len(series) + 1, np.int64)
            np.add.at(change, np.maximum(ends - steps_still, 0), 1)
            np.add.at(change, ends + 1, -1)
            flags[np.cumsum(change[:-1]) > 0] = flag
        return flags[places][np.cumsum(last) - last]


def count_by_check(
    found: dict[str, npt.NDArray[np.bool_]], rows: Sequence[bool] | npt.NDArray[np.bool_]
) -> Counter[str]:
    """How many of these rows each check found suspect or worse."""
    return Counter({check: int(hit[rows].sum()) for check, hit in found.items() if hit[rows].any()})
