"""Quality control: a QARTOD flag for every reading, by the checks of `ioos_qc` and a comparison with neighbours.

Flat lines `ioos_qc` judges itself. Spikes and rates are its arithmetic on arrays, held to it by tests, because its
spike test takes a turn of Python's for each of millions of readings. What is left is a comparison with two limits.

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

from lstm_model.readings.fleet import Fleet
from lstm_model.readings.grid import cells_of, station_grid
from lstm_model.readings.stations import Stations
from lstm_model.readings.usual import SMOOTH, Usual, may_last, smooth, values_of
from lstm_model.settings import QualitySettings

GOOD, NOT_EVALUATED, SUSPECT, FAIL = ANY_FLAG = (1, 2, 3, 4)
CHECKS = ("gross range", "spike", "rate of change", "flat line", "climatology", "neighbours")

_NEXT_STEPS, _NEXT_TIME = 3, pd.Timedelta("3h")
"""Readings further apart than so many steps, or so long, are no neighbours in time: noon is no spike of midnight."""
_LEAST_FLAT_STEPS = 6
_FLAT_TOLERANCE_C = 0.01
_LEAST_NEIGHBOURS = 2
_ROWS_AT_ONCE = 250_000
_RULES = 2
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

    @property
    def has_learned(self) -> bool:
        """Whether anything is known of what is usual."""
        return bool(self._usual)

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

    def assess(self, readings: pd.DataFrame | Fleet, unlearned: Flags | None = None) -> Assessment:
        """Judge readings.

        Args:
            readings: station_id, observed_at and temperature_c, ordered by station and time, no key twice. Flags
                are final for readings that lie `reach` within the span of what is given.
            unlearned: their flags by the checks that need nothing learnt, where those are known already.
        """
        fleet = readings if isinstance(readings, Fleet) else Fleet.of(readings)
        found = {check: np.full(len(fleet.codes), NOT_EVALUATED, np.int8) for check in CHECKS}
        if unlearned is None:
            self._judge_without_history(fleet, found)
        if len(fleet.codes) and self._usual:
            self._judge_by_history(fleet, found)
        flags = _worst([*found.values(), *([] if unlearned is None else [unlearned])])
        return Assessment(flags, {check: flag >= SUSPECT for check, flag in found.items()})

    def _limits(self, name: str, stations: Sequence[str]) -> npt.NDArray[np.float64]:
        """(S,) each station's threshold."""
        return np.array([self._stations.limit(name, station, self._settings) for station in stations])

    # ── what a station's own readings say, with nothing learnt ─────────────────────────────────────────────────

    def _judge_without_history(self, fleet: Fleet, found: dict[str, Flags]) -> None:
        low, high, spike_c, rate, flat_hours = (
            self._limits(name, fleet.stations)
            for name in ("valid_min_c", "valid_max_c", "spike_c", "rate_c_per_hour", "flat_hours")
        )
        for rows in _by_stations(fleet.codes):
            part = _Series(fleet.codes[rows], fleet.micros[rows], fleet.values[rows], self._step)
            outside = (part.values < low[part.codes]) | (part.values > high[part.codes])
            found["gross range"][rows] = np.where(outside, FAIL, GOOD)
            found["spike"][rows] = spikes = part.spikes(spike_c[part.codes])
            found["rate of change"][rows] = part.changes(rate[part.codes], spikes >= SUSPECT)
            found["flat line"][rows] = self._flat_line(part, flat_hours)

    def _flat_steps(self, hours: float) -> int:
        return max(_LEAST_FLAT_STEPS, int(np.ceil(pd.Timedelta(hours=hours) / self._step)))

    def _flat_line(self, part: _Series, hours: npt.NDArray[np.float64]) -> Flags:
        flags = np.full(len(part.values), NOT_EVALUATED, np.int8)
        for limit in np.unique(hours[hours > 0]):
            rows = (hours == limit)[part.codes]
            if rows.any():
                flags[rows] = part.only(rows).held_still(self._flat_steps(limit))
        return flags

    # ── what is usual there, and beside it ─────────────────────────────────────────────────────────────────────

    def _judge_by_history(self, fleet: Fleet, found: dict[str, Flags]) -> None:
        grid = station_grid(fleet.codes, fleet.micros, fleet.values, self._step, len(fleet.stations))
        usual = values_of([self._usual.get(name) for name in fleet.stations], grid.times)
        found["climatology"][:] = self._climatology(fleet, grid.places, usual)
        anomaly = np.subtract(grid.values, usual, out=usual)
        for row, name in enumerate(fleet.stations):
            if name in self._usual and (begins := self._usual[name].begins()) is not None:
                anomaly[row, grid.times <= begins] = np.nan
        self._neighbours(fleet, grid.places, anomaly, found["neighbours"])

    def _climatology(self, fleet: Fleet, places: npt.NDArray[np.intp], usual: npt.NDArray[np.float64]) -> Flags:
        """Beyond so many spreads of what is usual at this hour and season."""
        flags = np.full(len(fleet.values), NOT_EVALUATED, np.int8)
        on_grid = fleet.micros % (self._step // pd.Timedelta(1, "us")) == 0
        for row, name in enumerate(fleet.stations):
            known, own = self._usual.get(name), fleet.rows_of(row)
            if known is None or not known.knows_seasons:
                continue
            expected = usual[row, places[own]]
            if not on_grid[own].all():
                expected = known.values(fleet.times(own))
            apart = np.abs(fleet.values[own] - expected) > self._settings.learned_spreads * known.spread_c
            flags[own] = np.where(apart, SUSPECT, GOOD)
            if (begins := known.begins()) is not None:
                flags[own][fleet.times(own) <= begins] = NOT_EVALUATED
        return flags

    def _neighbours(
        self, fleet: Fleet, places: npt.NDArray[np.intp], anomaly: npt.NDArray[np.float64], flags: Flags
    ) -> None:
        """Apart from most of its neighbours, for now or for a whole day, where two or more can outvote it."""
        row_of = {name: row for row, name in enumerate(fleet.stations)}
        for row, name in enumerate(fleet.stations):
            near_it = self._usual[name].neighbours if name in self._usual else ()
            beside = [near for near in near_it if near.station_id in row_of]
            if len(beside) < _LEAST_NEIGHBOURS:
                continue
            apart = np.stack([anomaly[row] - near.slope * anomaly[row_of[near.station_id]] for near in beside])
            votes = self._votes(apart, np.array([near.spread_c for near in beside]))
            day_spreads = np.array([near.day_spread_c for near in beside])
            if may_last(apart, self._step, self._settings.learned_spreads * day_spreads):
                votes = np.maximum(votes, self._votes(smooth(apart, self._step), day_spreads))
            own = fleet.rows_of(row)
            flags[own] = votes[places[own]]

    def _votes(self, departures: npt.NDArray[np.float64], spreads: npt.NDArray[np.float64]) -> Flags:
        """For every step: not evaluated, good, or suspect where most neighbours stand apart on the same side."""
        limits, here = self._settings.learned_spreads * spreads[:, None], (~np.isnan(departures)).sum(axis=0)
        with np.errstate(invalid="ignore"):
            most = np.maximum((departures > limits).sum(axis=0), (departures < -limits).sum(axis=0))
        return np.where(here < _LEAST_NEIGHBOURS, NOT_EVALUATED, np.where(2 * most > here, SUSPECT, GOOD)).astype(
            np.int8
        )


def _worst(verdicts: Sequence[Flags]) -> Flags:
    """Of several flags the worst; good is better than nothing evaluated."""
    worst = np.zeros(len(verdicts[0]), np.int8)
    for verdict in verdicts:
        np.maximum(worst, np.where(verdict == NOT_EVALUATED, 0, verdict), out=worst)
    return np.where(worst == 0, NOT_EVALUATED, worst).astype(np.int8)


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
    def _joined(self) -> npt.NDArray[np.bool_]:
        """(n + 1,) whether a reading has a neighbour before it; what would follow the last has none."""
        near = min(_NEXT_STEPS * self._step, _NEXT_TIME) // pd.Timedelta(1, "us")
        beside = (np.diff(self.codes) == 0) & (np.diff(self.micros) <= near)
        return np.concatenate([[False], beside, [False]])

    def spikes(self, limits: npt.NDArray[np.float64]) -> Flags:
        """Off both neighbours in time, on the same side, by more than the limit, or than twice that.

        The arithmetic of `ioos_qc.qartod.spike_test`, which takes a turn of Python's for every reading.
        """
        change = np.diff(self.values, prepend=np.nan, append=np.nan)
        before, after = change[:-1], change[1:]
        least = np.where(before * after < 0, np.minimum(np.abs(before), np.abs(after)), 0.0)
        flags = np.where(least > limits, np.where(least > 2 * limits, FAIL, SUSPECT), GOOD)
        return np.where(self._joined[:-1] & self._joined[1:], flags, NOT_EVALUATED).astype(np.int8)

    def changes(self, limits_per_hour: npt.NDArray[np.float64], spikes: npt.NDArray[np.bool_]) -> Flags:
        """Faster than the limit since the reading before, as `ioos_qc.qartod.rate_of_change_test` has it.

        A spike is no neighbour to be compared with; a change counts as if it had taken an hour at least.
        """
        minutes = np.maximum(np.diff(self.micros, prepend=0) // 60_000_000, 60)
        with np.errstate(invalid="ignore"):
            fast = np.abs(np.diff(self.values, prepend=np.nan)) * 60 > limits_per_hour * minutes
        fast &= self._joined[:-1]
        fast[1:] &= ~spikes[:-1]
        return np.where(spikes, NOT_EVALUATED, np.where(fast, SUSPECT, GOOD)).astype(np.int8)

    def only(self, rows: npt.NDArray[np.bool_]) -> _Series:
        """Some of the stations."""
        return _Series(self.codes[rows], self.micros[rows], self.values[rows], self._step)

    def held_still(self, suspect_steps: int) -> Flags:
        """Flags of readings within a run that holds still for so many steps; at twice that they fail.

        Looked at on the grid, the last reading of each step, because ioos_qc counts readings and takes their
        distance for constant. A run is flagged from its beginning: it was still from there on.
        """
        cell = cells_of(self.micros, self._step)
        last = np.concatenate([(np.diff(cell) != 0) | (np.diff(self.codes) != 0), [True]])
        cells, codes, values = cell[last], self.codes[last], self.values[last]
        steps = np.diff(cells, prepend=0)
        apart = np.concatenate([[True], np.diff(codes) != 0]) | (steps > _NEXT_STEPS)
        flags = np.full(len(values), GOOD, np.int8)
        rows = _still_long(values, cells, apart, suspect_steps)
        if len(rows):
            apart = apart[rows] | (np.diff(rows, prepend=-2) > 1)
            flags[rows] = _still(values[rows], steps[rows], apart, suspect_steps)
        return flags[np.cumsum(last) - last]


def _still_long(
    values: npt.NDArray[np.float64], cells: npt.NDArray[np.int64], apart: npt.NDArray[np.bool_], steps: int
) -> npt.NDArray[np.intp]:
    """The few readings among which a line may be flat: where none differs from the one before, and one beyond."""
    still = ~apart & (np.abs(np.diff(values, prepend=np.nan)) < _FLAT_TOLERANCE_C)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], still, [False]])))
    begins, ends = edges[::2] - 1, edges[1::2]  # from the first still reading to the first that is not
    wanted = cells[ends - 1] - cells[begins] >= steps - _NEXT_STEPS
    near = np.zeros(len(values) + 2, np.int64)
    np.add.at(near, np.maximum(begins[wanted] - 1, 0), 1)
    np.add.at(near, ends[wanted] + 1, -1)
    return np.flatnonzero(np.cumsum(near[:-2]) > 0)


def _still(
    values: npt.NDArray[np.float64],
    steps: npt.NDArray[np.int64],
    apart: npt.NDArray[np.bool_],
    suspect_steps: int,
) -> Flags:
    """`ioos_qc` on readings so many steps after one another, or apart; a run is flagged from its beginning."""
    places = np.cumsum(np.where(apart, 2, steps)) - 1
    series = np.full(int(places[-1]) + 1, np.nan)
    series[places] = values
    series[places[apart] - 1] = 1e6  # never still across a gap
    clock = np.arange(len(series)).astype("datetime64[s]")
    verdict = qartod.flat_line_test(series, clock, suspect_steps, 2 * suspect_steps, _FLAT_TOLERANCE_C)
    flags = np.full(len(series), GOOD, np.int8)
    for flag, steps_still in ((SUSPECT, suspect_steps), (FAIL, 2 * suspect_steps)):
        ends = np.flatnonzero((verdict >= flag) & (verdict <= FAIL))  # a gap is 9
        change = np.zeros(len(series) + 1, np.int64)
        np.add.at(change, np.maximum(ends - steps_still, 0), 1)
        np.add.at(change, ends + 1, -1)
        flags[np.cumsum(change[:-1]) > 0] = flag
    return flags[places]


def count_by_check(
    found: dict[str, npt.NDArray[np.bool_]], rows: Sequence[bool] | npt.NDArray[np.bool_]
) -> Counter[str]:
    """How many of these rows each check found suspect or worse."""
    return Counter({check: int(hit[rows].sum()) for check, hit in found.items() if hit[rows].any()})
