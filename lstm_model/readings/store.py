"""The readings table: Delta Lake, one row a (station, time), the last one ingested wins, flags always in keeping."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.table import TableMerger

from lstm_model.readings.delta import is_table, open_table, until_committed
from lstm_model.readings.fleet import in_order
from lstm_model.readings.plan import FlagCounts, Plan, Upsert, UpsertCounts, counted, plan, reassessed
from lstm_model.readings.quality import FAIL, SUSPECT, QualityControl
from lstm_model.readings.table import (
    KEY,
    READINGS_SCHEMA,
    covariates_kept,
    covariates_of,
    loads_of,
    micros,
    months_of,
    scan,
)

__all__ = ["READINGS_SCHEMA", "FlagCounts", "ReadingsStore", "Upsert", "UpsertCounts", "living"]

USABLE_FLAGS = (1, 2)
FORGET_AFTER = pd.Timedelta(days=30)
_MICROSECOND = pd.Timedelta(1, "us")


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
        return covariates_kept(DeltaTable(self._path) if is_table(self._path) else None)

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
        further = [*columns, *(covariates_kept(table) if covariates else [])]
        rows = _between(table, since, until, flags, further)
        return in_order(rows) if ordered else rows

    def read_by_month(
        self, until: pd.Timestamp, *, since: pd.Timestamp, flags: Sequence[int], columns: Sequence[str] = ()
    ) -> Iterator[pd.DataFrame]:
        """What `read` brings, in no order but a month at a time, so that it need not all be in memory."""
        if not is_table(self._path):
            return
        kept = DeltaTable(self._path)
        for month in months_of(kept):
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
        months = months_of(DeltaTable(self._path)) if is_table(self._path) else []
        return pd.Timestamp(f"{months[0]}-01T00:00Z") - _MICROSECOND if months else None

    def _newest(self, wanted: ds.Expression) -> pd.Timestamp | None:
        """Time of the newest reading of those, looked for from the newest month backwards."""
        if not is_table(self._path):
            return None
        table = DeltaTable(self._path)
        kept = table.to_pyarrow_dataset()
        for month in reversed(months_of(table)):
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
            planned = plan(kept, batch, quality, came_at)
            if len(planned.rows):
                _write(kept, planned)
            return planned.outcome

        return until_committed(attempt)

    def preview(self, batch: pd.DataFrame, quality: QualityControl) -> tuple[Upsert, pd.DataFrame]:
        """What `upsert` would do and write, doing nothing."""
        if batch.empty:
            return Upsert(), batch
        planned = plan(DeltaTable(self._path) if is_table(self._path) else None, batch, quality, None)
        return planned.outcome, planned.rows

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
            for months in loads_of(kept):
                rows, by_check = reassessed(kept, months, quality, unlearned)
                counts += counted(rows, by_check)
                parts.append(rows)
            if changed := [rows for rows in parts if len(rows)]:
                _flag(kept, pd.concat(changed, ignore_index=True))
            return counts

        return until_committed(attempt)


def _between(
    table: DeltaTable, since: pd.Timestamp | None, until: pd.Timestamp, flags: Sequence[int], columns: Sequence[str]
) -> pd.DataFrame:
    """Readings observed after `since` and not after `until`, in no order."""
    wanted = (ds.field("observed_at") <= micros(until)) & ds.field("flag").isin(list(flags))
    if since is not None:
        wanted &= (ds.field("observed_at") > micros(since)) & (ds.field("month") >= since.strftime("%Y-%m"))
    return scan(table, wanted, [*KEY, "temperature_c", *columns])


def living(readings: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    """The readings of stations that spoke within the last 30 days; the others are taken to be gone."""
    newest = readings.groupby("station_id")["observed_at"].transform("max")
    return readings[newest > now - FORGET_AFTER]


def _write(kept: DeltaTable, planned: Plan) -> None:
    """Write rows, over those with the same key, all of it in one commit; a column not seen before is added."""
    known = covariates_kept(kept)
    fresh = [column for column in covariates_of(planned.rows) if column not in known]
    schema = pa.schema([*READINGS_SCHEMA, *(pa.field(column, pa.float32()) for column in (*known, *fresh))])
    came = pa.Table.from_pandas(planned.rows.reindex(columns=schema.names), schema, preserve_index=False)
    if planned.overwrites:
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
