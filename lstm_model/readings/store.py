"""The readings table: Delta Lake, one row a (station, time), the last one ingested wins, flags always in keeping."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.table import TableMerger

from lstm_model.readings.delta import is_table, open_table, until_committed
from lstm_model.readings.fleet import Fleet, in_order
from lstm_model.readings.quality import FAIL, SUSPECT, QualityControl, count_by_check

READINGS_SCHEMA = pa.schema(
    [
        ("month", pa.string()),
        ("station_id", pa.string()),
        ("observed_at", pa.timestamp("us", tz="UTC")),
        ("temperature_c", pa.float32()),
        ("flag", pa.int8()),
        ("source", pa.string()),
        ("ingested_at", pa.timestamp("us", tz="UTC")),
    ]
)
KEY = ["station_id", "observed_at"]
USABLE_FLAGS = (1, 2)
FORGET_AFTER = pd.Timedelta(days=30)
_MOST_SPANS = 50
_ROWS_AT_ONCE = 4_000_000
_MICROSECOND = pd.Timedelta(1, "us")


@dataclass(frozen=True)
class UpsertCounts:
    """What became of a batch of readings: every row is exactly one of the three."""

    new: int = 0
    corrected: int = 0
    unchanged: int = 0

    def __add__(self, other: UpsertCounts) -> UpsertCounts:
        return UpsertCounts(self.new + other.new, self.corrected + other.corrected, self.unchanged + other.unchanged)


@dataclass(frozen=True)
class FlagCounts:
    """Readings written by a commit that are not good: by station as (suspect, failed), and by the check."""

    by_station: dict[str, tuple[int, int]] = field(default_factory=dict)
    by_check: dict[str, int] = field(default_factory=dict)

    def __add__(self, other: FlagCounts) -> FlagCounts:
        stations = sorted({*self.by_station, *other.by_station})
        pairs = {s: zip(self.by_station.get(s, (0, 0)), other.by_station.get(s, (0, 0)), strict=True) for s in stations}
        by_station = {station: (sum(suspect), sum(failed)) for station, (suspect, failed) in pairs.items()}
        return FlagCounts(by_station, dict(Counter(self.by_check) + Counter(other.by_check)))


@dataclass(frozen=True)
class Upsert:
    """A batch that is kept: what became of its rows, and what quality control found in what was written."""

    counts: UpsertCounts = UpsertCounts()
    flags: FlagCounts = FlagCounts()


class ReadingsStore:
    """The readings of one workspace. Safe to reopen at any instant; every write is one commit."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def version(self) -> int | None:
        """The table's version, or None while there is no table."""
        return DeltaTable(self._path).version() if is_table(self._path) else None

    @property
    def identity(self) -> str | None:
        """What tells this table from another one in its place, or None while there is no table."""
        return str(DeltaTable(self._path).metadata().id) if is_table(self._path) else None

    @property
    def covariates(self) -> list[str]:
        """The columns beyond the temperature that stations have brought."""
        return _covariates_kept(DeltaTable(self._path) if is_table(self._path) else None)

    def read(
        self,
        until: pd.Timestamp,
        *,
        since: pd.Timestamp | None = None,
        version: int | None = None,
        flags: Sequence[int] = USABLE_FLAGS,
        columns: Sequence[str] = (),
        covariates: bool = False,
        ordered: bool = True,
    ) -> pd.DataFrame:
        """The readings observed after `since` and not after `until`.

        Args:
            until: nothing observed later.
            since: nothing observed then or earlier.
            version: the table as it was at that version; the newest when None.
            flags: QARTOD flags of the readings wanted; the usable ones by default.
            columns: further columns.
            covariates: bring every covariate that this version of the table has.
            ordered: whether order matters; a panel is the same from rows in any order, and those come sooner.

        Returns:
            station_id (str), observed_at (UTC), temperature_c (float32), ordered by station and time.
        """
        if not is_table(self._path):
            return READINGS_SCHEMA.empty_table().select([*KEY, "temperature_c"]).to_pandas()
        table = DeltaTable(self._path, version=version)
        further = [*columns, *(_covariates_kept(table) if covariates else [])]
        rows = _between(table, since, until, flags, further)
        return in_order(rows) if ordered else rows

    def read_by_month(
        self, until: pd.Timestamp, *, since: pd.Timestamp, flags: Sequence[int], columns: Sequence[str] = ()
    ) -> Iterator[pd.DataFrame]:
        """What `read` brings, in no order but a month at a time, so that it need not all be in memory."""
        if not is_table(self._path):
            return
        kept = DeltaTable(self._path)
        for month in _months(kept):
            begin = pd.Timestamp(f"{month}-01T00:00Z")
            last = min(until, begin + pd.offsets.MonthBegin() - _MICROSECOND)
            first = max(since, begin - _MICROSECOND)
            if first < last:
                yield _between(kept, first, last, flags, columns)

    def watermark(self, source: str) -> pd.Timestamp | None:
        """Time of the newest reading kept from `source`, or None."""
        return self._newest(ds.field("source") == source)

    def overview(self) -> dict[str, str | int | None]:
        """How many readings and stations are kept, the span of their times, and how many are doubtful."""
        if not is_table(self._path):
            nothing = {"readings": 0, "stations": 0, "first_reading": None, "last_reading": None}
            return {**nothing, "suspect": 0, "failed": 0}
        kept = DeltaTable(self._path).to_pyarrow_dataset().to_table(columns=[*KEY, "flag"])
        times = pc.min_max(kept["observed_at"]).as_py()
        return {
            "readings": len(kept),
            "stations": len(kept["station_id"].unique()),
            "first_reading": times["min"].isoformat() if len(kept) else None,
            "last_reading": times["max"].isoformat() if len(kept) else None,
            "suspect": pc.sum(pc.equal(kept["flag"], SUSPECT)).as_py() or 0,
            "failed": pc.sum(pc.equal(kept["flag"], FAIL)).as_py() or 0,
        }

    def newest(self) -> pd.Timestamp | None:
        """Time of the newest reading, or None."""
        return self._newest(ds.field("source").is_valid())

    def oldest_month(self) -> pd.Timestamp | None:
        """Just before the first month of which something is kept, or None."""
        months = _months(DeltaTable(self._path)) if is_table(self._path) else []
        return pd.Timestamp(f"{months[0]}-01T00:00Z") - _MICROSECOND if months else None

    def _newest(self, wanted: ds.Expression) -> pd.Timestamp | None:
        """Time of the newest reading of those, looked for from the newest month backwards."""
        if not is_table(self._path):
            return None
        table = DeltaTable(self._path)
        kept = table.to_pyarrow_dataset()
        for month in reversed(_months(table)):
            rows = kept.to_table(columns=["observed_at"], filter=wanted & (ds.field("month") == month))
            if len(rows):
                return pd.Timestamp(pc.max(rows["observed_at"]).as_py())
        return None

    def upsert(
        self, batch: pd.DataFrame, quality: QualityControl | None = None, *, came_at: pd.Series | None = None
    ) -> Upsert:
        """Keep a batch, row after row as it came: later rows correct earlier ones with the same key.

        The same commit judges anew every kept reading whose flag the batch can change. A batch that changes nothing
        makes no new table version. A concurrent writer that commits first only makes this one look again.

        Args:
            batch: the columns of the readings table; further float columns are covariates. What a row does not say
                of a covariate leaves standing what was known.
            quality: the checks; flags stay as they come without.
            came_at: when rows came that are understood anew, NaT for news; readings ingested after that stand, and
                the row counts as unchanged.
        """
        if batch.empty:
            return Upsert()

        def attempt() -> Upsert:
            kept = open_table(self._path, READINGS_SCHEMA, partition_by=["month"])
            plan = _plan(kept, batch, quality, came_at)
            if len(plan.rows):
                _write(kept, plan)
            return plan.outcome

        return until_committed(attempt)

    def preview(self, batch: pd.DataFrame, quality: QualityControl) -> tuple[Upsert, pd.DataFrame]:
        """What `upsert` would do and write, doing nothing."""
        if batch.empty:
            return Upsert(), batch
        plan = _plan(DeltaTable(self._path) if is_table(self._path) else None, batch, quality, None)
        return plan.outcome, plan.rows

    def reassess(self, quality: QualityControl, unlearned: bool = False) -> FlagCounts:
        """Judge every kept reading anew, in one commit; none where no flag changes.

        Args:
            quality: the checks.
            unlearned: whether every flag obeys these limits as far as nothing needs to be learnt.
        """

        def attempt() -> FlagCounts:
            if not is_table(self._path):
                return FlagCounts()
            kept = DeltaTable(self._path)
            parts, counts = [], FlagCounts()
            for months in _together(kept):
                rows, by_check = _reassessed(kept, months, quality, unlearned)
                counts += _counted(rows, by_check)
                parts.append(rows)
            if changed := [rows for rows in parts if len(rows)]:
                _flag(kept, pd.concat(changed, ignore_index=True))
            return counts

        return until_committed(attempt)


def _between(
    table: DeltaTable, since: pd.Timestamp | None, until: pd.Timestamp, flags: Sequence[int], columns: Sequence[str]
) -> pd.DataFrame:
    """Readings observed after `since` and not after `until`, in no order."""
    wanted = (ds.field("observed_at") <= _micros(until)) & ds.field("flag").isin(list(flags))
    if since is not None:
        wanted &= (ds.field("observed_at") > _micros(since)) & (ds.field("month") >= since.strftime("%Y-%m"))
    return _scan(table, wanted, [*KEY, "temperature_c", *columns])


def living(readings: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    """The readings of stations that spoke within the last 30 days; the others are taken to be gone."""
    newest = readings.groupby("station_id")["observed_at"].transform("max")
    return readings[newest > now - FORGET_AFTER]


def _micros(time: pd.Timestamp) -> pa.Scalar:
    return pa.scalar(time.to_pydatetime(), pa.timestamp("us", tz="UTC"))


def _covariates_of(frame: pd.DataFrame) -> list[str]:
    return [column for column in frame.columns if column not in READINGS_SCHEMA.names]


def _covariates_kept(kept: DeltaTable | None) -> list[str]:
    return [] if kept is None else sorted(set(kept.schema().to_arrow().names) - set(READINGS_SCHEMA.names))


@dataclass(frozen=True)
class _Plan:
    """What becomes of a batch, the rows to write for it, and whether the table has a row with the key of any."""

    outcome: Upsert
    rows: pd.DataFrame
    overwrites: bool


def _plan(
    kept: DeltaTable | None, batch: pd.DataFrame, quality: QualityControl | None, came_at: pd.Series | None
) -> _Plan:
    unsaid = [column for column in _covariates_of(batch) if batch[column].isna().all()]
    counts, winners, overwrites = _compare(kept, batch.drop(columns=unsaid), came_at)
    if quality is None or winners.empty:
        return _Plan(Upsert(counts), winners, overwrites)
    rows, flags, others = _judged(kept, winners, quality)
    return _Plan(Upsert(counts, flags), rows, overwrites or others)


def _scan(kept: DeltaTable | None, filter: ds.Expression, columns: list[str] | None = None) -> pd.DataFrame:
    if kept is None:
        return READINGS_SCHEMA.empty_table().select(columns or READINGS_SCHEMA.names).to_pandas()
    return kept.to_pyarrow_dataset().to_table(columns=columns, filter=filter).to_pandas()


def _compare(
    kept: DeltaTable | None, batch: pd.DataFrame, came_at: pd.Series | None
) -> tuple[UpsertCounts, pd.DataFrame, bool]:
    """What becomes of each row as if rows arrived one by one, the rows to write, and whether any of them is kept.

    What a row leaves unsaid of a covariate stands: it is as the row before said, within the batch or as kept.
    """
    known_columns = ["temperature_c", *_covariates_kept(kept)]
    measured = [*known_columns, *(column for column in _covariates_of(batch) if column not in known_columns)]
    batch = batch.reindex(columns=[*READINGS_SCHEMA.names, *measured[1:]])
    here = ds.field("month").isin(batch["month"].unique().tolist())
    here &= (ds.field("observed_at") >= _micros(batch["observed_at"].min())) & (
        ds.field("observed_at") <= _micros(batch["observed_at"].max())
    )
    known = _scan(kept, here, [*KEY, "ingested_at", *known_columns])
    if known.empty and not Fleet.of(batch).repeats.any():
        return UpsertCounts(new=len(batch)), batch, False
    known = known.rename(columns={column: f"kept {column}" for column in ("ingested_at", *known_columns)})
    rows = batch.reset_index(drop=True).merge(known, on=KEY, how="left", validate="many_to_one")
    too_old = pd.Series(False, rows.index)
    if came_at is not None:
        too_old = rows["kept ingested_at"] > came_at.reset_index(drop=True)
    outdated, rows = int(too_old.sum()), rows[~too_old].reset_index(drop=True)

    there, repeated = rows["kept temperature_c"].notna(), rows.duplicated(KEY)
    group = rows.groupby(KEY, sort=False).ngroup()
    same, same_as_kept = pd.Series(True, rows.index), pd.Series(True, rows.index)
    for column in measured:
        kept_value = rows[f"kept {column}"] if column in known_columns else pd.Series(float("nan"), rows.index)
        kept_value, said = kept_value.astype("float32"), rows[column].astype("float32")
        stands = said.where(said.notna() | repeated, kept_value).groupby(group).ffill()
        before = stands.groupby(group).shift().where(repeated, kept_value)
        same &= (stands == before) | (stands.isna() & before.isna())
        same_as_kept &= (stands == kept_value) | (stands.isna() & kept_value.isna())
        rows[column] = stands
    new = ~there & ~repeated
    counts = UpsertCounts(int(new.sum()), int((~new & ~same).sum()), int((~new & same).sum()) + outdated)
    last = ~rows.duplicated(KEY, keep="last")
    wanted = last & ~(there & same_as_kept)
    return counts, rows.loc[wanted, list(batch.columns)], bool(there[wanted].any())


def _judged(
    kept: DeltaTable | None, winners: pd.DataFrame, quality: QualityControl
) -> tuple[pd.DataFrame, FlagCounts, bool]:
    """The winners with their flags and every kept reading whose flag they change, and whether there is any."""
    spans = _spans(winners["observed_at"], 4 * quality.reach)
    stations = quality.affected_by(set(winners["station_id"].unique()))
    around = _around(kept, spans, 2 * quality.reach, quality.needed_for(stations))
    rows = pd.concat([around, winners], ignore_index=True) if len(around) else winners.reset_index(drop=True)
    fleet = Fleet.of(rows)
    fleet = fleet.only(~fleet.repeats)  # of what is kept and what came, the latter
    assessment = quality.assess(fleet)
    fresh = fleet.rows >= len(around)
    within = np.zeros(len(fleet.rows), bool)
    for first, last in spans:
        begin, end = ((edge.value // 1000) for edge in (first - quality.reach, last + quality.reach))
        within |= (fleet.micros >= begin) & (fleet.micros <= end)
    within &= np.array([name in stations for name in fleet.stations])[fleet.codes]
    written = fresh | (within & (rows["flag"].to_numpy()[fleet.rows] != assessment.flags))
    if len(fleet.rows) == len(rows) and written.all():
        result = rows.assign(flag=_scattered(assessment.flags, fleet.rows))
    else:
        result = rows.take(fleet.rows[written]).assign(flag=assessment.flags[written])
    flags = _counted(result, count_by_check(assessment.found, written))
    return result, flags, bool((written & ~fresh).any())


def _scattered(values: npt.NDArray[np.int8], rows: npt.NDArray[np.intp]) -> npt.NDArray[np.int8]:
    result = np.empty_like(values)
    result[rows] = values
    return result


def _reassessed(
    kept: DeltaTable, months: Sequence[str], quality: QualityControl, unlearned: bool
) -> tuple[pd.DataFrame, Counter[str]]:
    """Key and flag of those readings of some months whose flag changes, and how many each check found of them."""
    begin = pd.Timestamp(f"{months[0]}-01T00:00Z")
    end = pd.Timestamp(f"{months[-1]}-01T00:00Z") + pd.offsets.MonthBegin()
    near = (ds.field("observed_at") >= _micros(begin - quality.reach)) & (
        ds.field("observed_at") < _micros(end + quality.reach)
    )
    rows = _scan(kept, near, ["month", *KEY, "temperature_c", "flag"])
    fleet = Fleet.of(rows)
    before = rows["flag"].to_numpy()[fleet.rows]
    assessment = quality.assess(fleet, before if unlearned else None)
    within = (fleet.micros >= begin.value // 1000) & (fleet.micros < end.value // 1000)
    changed = within & (assessment.flags != before)
    result = rows.take(fleet.rows[changed]).assign(flag=assessment.flags[changed])
    return result, count_by_check(assessment.found, changed)


def _months(kept: DeltaTable) -> list[str]:
    return sorted(str(partition["month"]) for partition in kept.partitions())


def _together(kept: DeltaTable) -> Iterator[list[str]]:
    """The table's months, as many together as make a load for memory."""
    sizes = Counter[str]()
    for action in pa.table(kept.get_add_actions(flatten=True)).to_pylist():
        sizes[action["partition.month"]] += action["num_records"] or 0
    together: list[str] = []
    for month in sorted(sizes):
        if together and sum(sizes[each] for each in together) + sizes[month] > _ROWS_AT_ONCE:
            yield together
            together = []
        together.append(month)
    if together:
        yield together


def _counted(rows: pd.DataFrame, by_check: Counter[str]) -> FlagCounts:
    doubtful = rows[rows["flag"] >= SUSPECT]
    suspect, failed = (doubtful[doubtful["flag"] == flag].groupby("station_id").size() for flag in (SUSPECT, FAIL))
    by_station = {
        str(station): (int(suspect.get(station, 0)), int(failed.get(station, 0)))
        for station in sorted(doubtful["station_id"].unique())
    }
    return FlagCounts(by_station, dict(by_check))


def _spans(times: pd.Series, apart: pd.Timedelta) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """The few spans that hold all of these times; one where there would be too many."""
    moments = times.drop_duplicates().sort_values(ignore_index=True)
    begins = moments[moments.diff().isna() | (moments.diff() > apart)].index
    if len(begins) > _MOST_SPANS:
        return [(moments.iloc[0], moments.iloc[-1])]
    ends = [*(begins[1:] - 1), len(moments) - 1]
    return [(moments[first], moments[last]) for first, last in zip(begins, ends, strict=True)]


def _around(
    kept: DeltaTable | None,
    spans: Iterable[tuple[pd.Timestamp, pd.Timestamp]],
    margin: pd.Timedelta,
    stations: set[str],
) -> pd.DataFrame:
    """Kept readings of these stations within the spans and a margin on both sides."""
    parts = []
    for first, last in spans:
        begin, end = first - margin, last + margin
        months = pd.period_range(begin.tz_localize(None), end.tz_localize(None), freq="M").strftime("%Y-%m")
        month = ds.field("month").isin(months.tolist())
        time = (ds.field("observed_at") >= _micros(begin)) & (ds.field("observed_at") <= _micros(end))
        parts.append(month & time)
    rows = _scan(kept, reduce(lambda one, other: one | other, parts))
    return rows[rows["station_id"].isin(stations)]  # not in the filter: pyarrow cannot compare it with Delta's bounds


def _write(kept: DeltaTable, plan: _Plan) -> None:
    """Write rows, over those with the same key, all of it in one commit; a column not seen before is added."""
    known = _covariates_kept(kept)
    fresh = [column for column in _covariates_of(plan.rows) if column not in known]
    schema = pa.schema([*READINGS_SCHEMA, *(pa.field(column, pa.float32()) for column in (*known, *fresh))])
    came = pa.Table.from_pandas(plan.rows.reindex(columns=schema.names), schema, preserve_index=False)
    if plan.overwrites:
        merge = _merger(kept, came, merge_schema=bool(fresh))
        merge.when_matched_update_all().when_not_matched_insert_all().execute()
    else:
        schema_mode: Literal["merge"] | None = "merge" if fresh else None
        write_deltalake(kept, came, mode="append", schema_mode=schema_mode, commit_properties=_as_compared(kept))


def _flag(kept: DeltaTable, rows: pd.DataFrame) -> None:
    """Give kept readings other flags."""
    schema = pa.schema([READINGS_SCHEMA.field(name) for name in ("month", *KEY, "flag")])
    came = pa.Table.from_pandas(rows, schema, preserve_index=False)
    _merger(kept, came).when_matched_update({"flag": "came.flag"}).execute()


def _merger(kept: DeltaTable, came: pa.Table, merge_schema: bool = False) -> TableMerger:
    months = ", ".join(f"'{month}'" for month in came["month"].unique().to_pylist())
    same = " AND ".join(f"kept.{column} = came.{column}" for column in ("month", *KEY))
    return kept.merge(
        came, f"{same} AND kept.month IN ({months})", source_alias="came", target_alias="kept",
        merge_schema=merge_schema, commit_properties=_as_compared(kept),
    )  # fmt: skip


def _as_compared(kept: DeltaTable) -> CommitProperties:
    """Against the very version compared with, or not at all: of two that say so at once, one fails.

    A merge would notice by itself that rows came meanwhile; an append would write them twice.
    """
    return CommitProperties(app_transactions=[Transaction("readings", kept.version() + 1)])
