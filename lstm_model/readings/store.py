"""The readings table: Delta Lake, one row a (station, time), the last one ingested wins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError

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
QUARANTINE_SCHEMA = pa.schema(
    [
        ("raw", pa.string()),
        ("reason", pa.string()),
        ("source", pa.string()),
        ("position", pa.string()),
        ("ingested_at", pa.timestamp("us", tz="UTC")),
    ]
)
KEY = ["station_id", "observed_at"]
USABLE_FLAGS = (1, 2)
FORGET_AFTER = pd.Timedelta(days=30)
# A model names the table version it was trained on; Delta's default would forget that version after 30 days.
_CONFIGURATION = {"delta.enableExpiredLogCleanup": "false"}
_COMMIT_ATTEMPTS = 20

Result = TypeVar("Result")


@dataclass(frozen=True)
class UpsertCounts:
    """What became of a batch of readings: every row is exactly one of the three."""

    new: int = 0
    corrected: int = 0
    unchanged: int = 0

    def __add__(self, other: UpsertCounts) -> UpsertCounts:
        return UpsertCounts(self.new + other.new, self.corrected + other.corrected, self.unchanged + other.unchanged)


class ReadingsStore:
    """Readings and quarantine of one workspace. Safe to reopen at any instant; every write is one commit."""

    def __init__(self, readings: Path, quarantine: Path) -> None:
        self._readings = readings
        self._quarantine = quarantine

    @property
    def version(self) -> int | None:
        """The readings table's version, or None while there is no table."""
        return DeltaTable(self._readings).version() if DeltaTable.is_deltatable(str(self._readings)) else None

    def read(self, until: pd.Timestamp, *, since: pd.Timestamp | None = None) -> pd.DataFrame:
        """The usable readings (QARTOD 1 and 2) observed after `since` and not after `until`.

        Returns:
            station_id (str), observed_at (UTC), temperature_c (float32), ordered by station and time.
        """
        columns = [*KEY, "temperature_c"]
        if self.version is None:
            return READINGS_SCHEMA.empty_table().select(columns).to_pandas()
        wanted = (ds.field("observed_at") <= pa.scalar(until.to_pydatetime(), pa.timestamp("us", tz="UTC"))) & (
            ds.field("flag").isin(USABLE_FLAGS)
        )
        if since is not None:
            wanted &= ds.field("observed_at") > pa.scalar(since.to_pydatetime(), pa.timestamp("us", tz="UTC"))
            wanted &= ds.field("month") >= since.strftime("%Y-%m")
        table = DeltaTable(self._readings).to_pyarrow_dataset().to_table(columns=columns, filter=wanted)
        return table.sort_by([("station_id", "ascending"), ("observed_at", "ascending")]).to_pandas()

    def watermark(self, source: str) -> pd.Timestamp | None:
        """Time of the newest reading kept from `source`, or None."""
        if self.version is None:
            return None
        table = (
            DeltaTable(self._readings)
            .to_pyarrow_dataset()
            .to_table(columns=["observed_at"], filter=ds.field("source") == source)
        )
        newest = table["observed_at"].to_pandas().max()
        return None if pd.isna(newest) else pd.Timestamp(newest)

    def overview(self) -> dict[str, str | int | None]:
        """How many readings and stations are kept, and the span of their times."""
        if self.version is None:
            return {"readings": 0, "stations": 0, "first_reading": None, "last_reading": None}
        kept = DeltaTable(self._readings).to_pyarrow_dataset().to_table(columns=KEY)
        times = kept["observed_at"].to_pandas()
        return {
            "readings": len(kept),
            "stations": len(kept["station_id"].unique()),
            "first_reading": times.min().isoformat(),
            "last_reading": times.max().isoformat(),
        }

    def upsert(self, batch: pd.DataFrame) -> UpsertCounts:
        """Keep a batch, row after row as it came: later rows correct earlier ones with the same key.

        A batch that changes nothing makes no new table version. A concurrent writer that commits first
        only makes this one look again.
        """

        def attempt() -> UpsertCounts:
            kept = _open(self._readings, READINGS_SCHEMA, partition_by=["month"])
            status, winners = _compare(kept, batch)
            if not winners.empty:
                _merge(kept, winners)  # against the very version compared with, or not at all
            return UpsertCounts(*(int((status == word).sum()) for word in ("new", "corrected", "unchanged")))

        return until_committed(attempt) if len(batch) else UpsertCounts()

    def quarantine(self, rows: pd.DataFrame) -> None:
        """Keep rows that could not become readings; one seen before is not kept twice."""
        if rows.empty:
            return
        came = pa.Table.from_pandas(
            rows.drop_duplicates(["source", "position", "raw"]), QUARANTINE_SCHEMA, preserve_index=False
        )

        def attempt() -> None:
            (
                _open(self._quarantine, QUARANTINE_SCHEMA)
                .merge(
                    came,
                    "kept.source = came.source AND kept.position = came.position AND kept.raw = came.raw",
                    source_alias="came",
                    target_alias="kept",
                )
                .when_not_matched_insert_all()
                .execute()
            )

        until_committed(attempt)

    def quarantined(self) -> pd.DataFrame:
        """Every quarantined row."""
        if not DeltaTable.is_deltatable(str(self._quarantine)):
            return QUARANTINE_SCHEMA.empty_table().to_pandas()
        return DeltaTable(self._quarantine).to_pandas()


def _open(path: Path, schema: pa.Schema, partition_by: list[str] | None = None) -> DeltaTable:
    if not DeltaTable.is_deltatable(str(path)):
        write_deltalake(
            path, schema.empty_table(), partition_by=partition_by, configuration=_CONFIGURATION, mode="ignore"
        )
    return DeltaTable(path)


def living(readings: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    """The readings of stations that spoke within the last 30 days; the others are taken to be gone."""
    newest = readings.groupby("station_id")["observed_at"].transform("max")
    return readings[newest > now - FORGET_AFTER]


def until_committed(attempt: Callable[[], Result]) -> Result:
    """Try again where a concurrent writer committed first; it only makes this one look again."""
    for _ in range(_COMMIT_ATTEMPTS - 1):
        try:
            return attempt()
        except CommitFailedError:
            continue
    return attempt()


def _compare(kept: DeltaTable, batch: pd.DataFrame) -> tuple[pd.Series, pd.DataFrame]:
    """Each row's status as if rows arrived one by one, and the rows that must be written."""
    months = ds.field("month").isin(batch["month"].unique().tolist())
    known = kept.to_pyarrow_dataset().to_table(columns=[*KEY, "temperature_c"], filter=months)
    known = known.rename_columns([*KEY, "kept_c"]).to_pandas()
    rows = batch[[*KEY, "temperature_c"]].merge(known, on=KEY, how="left", validate="many_to_one")
    rows.index = batch.index
    before = rows.groupby(KEY, sort=False)["temperature_c"].shift()
    before = before.where(rows.duplicated(KEY), rows["kept_c"])
    status = pd.Series("corrected", index=batch.index)
    status[before == rows["temperature_c"]] = "unchanged"
    status[before.isna()] = "new"
    last = ~rows.duplicated(KEY, keep="last")
    return status, batch[last & (rows["kept_c"] != rows["temperature_c"])]


def _merge(kept: DeltaTable, winners: pd.DataFrame) -> None:
    came = pa.Table.from_pandas(winners, READINGS_SCHEMA, preserve_index=False)
    months = ", ".join(f"'{month}'" for month in came["month"].unique().to_pylist())
    (
        kept.merge(
            came,
            "kept.month = came.month AND kept.station_id = came.station_id "
            f"AND kept.observed_at = came.observed_at AND kept.month IN ({months})",
            source_alias="came",
            target_alias="kept",
        )
        .when_matched_update_all()
        .when_not_matched_insert_all()
        .execute()
    )
