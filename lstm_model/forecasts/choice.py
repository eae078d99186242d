"""Which kept forecasts are meant: the newest issue, that of a time, or all of a period, read a day at a time."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import DeltaTable

from lstm_model.errors import HistoryTooShort, SettingsError
from lstm_model.forecasts.store import issue_days, of_issues

_ORDER = [("issued_at", "ascending"), ("station_id", "ascending"), ("lead_hours", "ascending")]


@dataclass(frozen=True)
class Wanted:
    """The issue of a time, or all that were issued from `first` to `last`; nothing said is the newest issue.

    `stations` empty is all of them.
    """

    issue: pd.Timestamp | None = None
    first: pd.Timestamp | None = None
    last: pd.Timestamp | None = None
    stations: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chosen:
    """What was found: times of issue, stations and lead times, each ascending, and the version of the table."""

    kept: ds.Dataset
    issues: pd.DatetimeIndex
    stations: tuple[str, ...]
    leads: pd.TimedeltaIndex

    def by_day(self) -> Iterator[pa.Table]:
        """The rows of each day of issue, ordered by issue, station and lead; no more than a day is in memory."""
        for _, issues in self.issues.to_series().groupby(self.issues.floor("D")):
            yield self.kept.to_table(filter=self._rows_of(issues)).sort_by(_ORDER)

    def filled(self, columns: list[str]) -> list[str]:
        """Those of these columns of floats that hold a number in some row."""
        found: set[str] = set()
        for rows in self.kept.to_batches(columns=columns, filter=self._rows_of(self.issues)):
            found.update(name for name in columns if pc.any(pc.invert(pc.is_nan(rows[name]))).as_py())
        return [name for name in columns if name in found]

    def _rows_of(self, issues: Iterable[pd.Timestamp]) -> ds.Expression:
        return of_issues(list(issues)) & ds.field("station_id").isin(self.stations)

    def in_words(self) -> str:
        """Such as `the issue of 2013-11-30 23:00 UTC`."""
        if len(self.issues) == 1:
            return f"the issue of {_told(self.issues[0])}"
        return f"{len(self.issues)} issues from {_told(self.issues[0])} to {_told(self.issues[-1])}"


def choose(forecasts: Path, wanted: Wanted) -> Chosen:
    """Find what is wanted in the forecasts table, as it is now: what is issued meanwhile is not seen.

    Raises:
        HistoryTooShort: no forecast was issued yet.
        SettingsError: nothing was issued then (names what was), or a station is in none of those issues.
    """
    days = issue_days(forecasts)
    if not days:
        raise HistoryTooShort("no forecast was issued yet; `nightcast forecast` issues one")
    kept = DeltaTable(forecasts).to_pyarrow_dataset()
    issues = _issues(kept, days, wanted)
    stations: set[str] = set()
    leads: set[pd.Timedelta] = set()
    for rows in kept.to_batches(columns=["station_id", "issued_at", "valid_at"], filter=of_issues(list(issues))):
        stations.update(pc.unique(rows["station_id"]).to_pylist())
        leads.update(pd.to_timedelta(pc.unique(pc.subtract(rows["valid_at"], rows["issued_at"])).to_pandas()))
    for station in wanted.stations:
        if station not in stations:
            close = difflib.get_close_matches(station, stations, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else f"There are {len(stations)}, such as {min(stations)!r}."
            raise SettingsError(f"no forecast of a station called {station!r} was issued then. {hint}")
    found = tuple(sorted(set(wanted.stations) or stations))
    return Chosen(kept, issues, found, pd.TimedeltaIndex(sorted(leads)))


def _issues(kept: ds.Dataset, days: list[str], wanted: Wanted) -> pd.DatetimeIndex:
    """The times of issue that are wanted, ascending; never none."""
    if wanted.issue is not None:
        return _issue_of(kept, days, wanted.issue)
    if wanted.first is None and wanted.last is None:
        return _issued(kept, days[-1:])[-1:]
    first = wanted.first or pd.Timestamp(days[0], tz="UTC")
    last = wanted.last or pd.Timestamp.max.tz_localize("UTC")
    issues = _issued(kept, [day for day in days if f"{first:%Y-%m-%d}" <= day <= f"{last:%Y-%m-%d}"])
    issues = issues[(issues >= first) & (issues <= last)]
    if issues.empty:
        ends = _told(_issued(kept, days[:1])[0]), _told(_issued(kept, days[-1:])[-1])
        raise SettingsError(f"no forecast was issued in that period; those kept are of {ends[0]} to {ends[1]}.")
    return issues


def _issue_of(kept: ds.Dataset, days: list[str], time: pd.Timestamp) -> pd.DatetimeIndex:
    """The issue of exactly that time."""
    day = f"{time:%Y-%m-%d}"
    around = [max((d for d in days if d < day), default=day), day, min((d for d in days if d > day), default=day)]
    issues = _issued(kept, [d for d in days if d in around])
    if time not in issues:
        nearest = issues[abs(issues - time).argmin()]
        raise SettingsError(
            f"no forecast was issued at {_told(time)}; the nearest one: --issue {nearest:%Y-%m-%dT%H:%M}Z"
        )
    return issues[issues == time]


def _issued(kept: ds.Dataset, days: list[str]) -> pd.DatetimeIndex:
    """The times of issue on these days, ascending."""
    times: set[pd.Timestamp] = set()
    ours = ds.field("issue_date").isin(pa.array(days, pa.string()))
    for rows in kept.to_batches(columns=["issued_at"], filter=ours):
        times.update(pc.unique(rows["issued_at"]).to_pandas())
    return pd.DatetimeIndex(sorted(times), tz="UTC").as_unit("us")


def _told(time: pd.Timestamp) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"
