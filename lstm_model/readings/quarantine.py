"""The quarantine: rows that could not become readings, each kept as it came, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable
from deltalake.table import TableMerger

from lstm_model.readings.delta import is_table, open_table, until_committed

QUARANTINE_SCHEMA = pa.schema(
    [
        ("raw", pa.string()),
        ("reason", pa.string()),
        ("source", pa.string()),
        ("position", pa.string()),
        ("ingested_at", pa.timestamp("us", tz="UTC")),
    ]
)
ROW = ["source", "position", "raw"]
_SAME = " AND ".join(f"kept.{column} = came.{column}" for column in ROW)


class Quarantine:
    """Rows that wait for somebody to mend what is wrong with them. Every write is one commit."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def keep(self, rows: pd.DataFrame) -> None:
        """Keep rows; one seen before is not kept twice."""
        if len(rows):
            self._merge(rows, _SAME, lambda merger: merger.when_not_matched_insert_all())

    def release(self, rows: pd.DataFrame) -> int:
        """Let rows go that have become readings, named by source, position and raw; returns how many were there."""
        if rows.empty or not is_table(self._path):
            return 0
        metrics = self._merge(rows, _SAME, lambda merger: merger.when_matched_delete())
        return int(metrics["num_target_rows_deleted"])

    def amend(self, rows: pd.DataFrame) -> None:
        """Replace the reasons of rows that are there."""
        if len(rows):
            other = f"{_SAME} AND kept.reason <> came.reason"
            self._merge(rows, other, lambda merger: merger.when_matched_update({"reason": "came.reason"}))

    def _merge(self, rows: pd.DataFrame, predicate: str, then: Callable[[TableMerger], TableMerger]) -> dict[str, Any]:
        schema = pa.schema([column for column in QUARANTINE_SCHEMA if column.name in rows])
        came = pa.Table.from_pandas(rows.drop_duplicates(ROW), schema, preserve_index=False)

        def attempt() -> dict[str, Any]:
            kept = open_table(self._path, QUARANTINE_SCHEMA)
            return then(kept.merge(came, predicate, source_alias="came", target_alias="kept")).execute()

        return until_committed(attempt)

    def rows(self, source: str | None = None) -> pd.DataFrame:
        """Every quarantined row, or those of one source, in the order they came and stood in their files."""
        if not is_table(self._path):
            return QUARANTINE_SCHEMA.empty_table().to_pandas()
        wanted = None if source is None else ds.field("source") == source
        table = DeltaTable(self._path).to_pyarrow_dataset().to_table(filter=wanted)
        rows = table.to_pandas()
        order = rows[["source", "ingested_at"]].join(_places(rows["position"]))
        return rows.loc[order.sort_values(list(order), kind="stable").index].reset_index(drop=True)

    def by_file(self, source: str) -> Iterator[tuple[str, pd.DataFrame]]:
        """The rows of a source, file after file in the order the files came, each with the file's name."""
        rows = self.rows(source)
        for file, group in rows.groupby(_places(rows["position"])["file"], sort=False):
            yield str(file), group

    def waiting(self, source: str) -> dict[tuple[str, str], pd.Timestamp]:
        """When each quarantined row of a source came, by its position and raw text."""
        rows = self.rows(source)
        return dict(zip(zip(rows["position"], rows["raw"], strict=True), rows["ingested_at"], strict=True))

    def __len__(self) -> int:
        return DeltaTable(self._path).count() if is_table(self._path) else 0


def _places(positions: pd.Series) -> pd.DataFrame:
    """Positions as file and line; the line is missing where a source counts none."""
    places = positions.str.extract(r"^(?P<file>.*?):?(?P<line>\d*)$")
    return places.assign(line=pd.to_numeric(places["line"]))
