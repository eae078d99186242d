"""The quarantine: rows that could not become readings, each kept as it came, with the reason."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable

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
        if rows.empty:
            return
        came = pa.Table.from_pandas(rows.drop_duplicates(ROW), QUARANTINE_SCHEMA, preserve_index=False)
        until_committed(
            lambda: (
                open_table(self._path, QUARANTINE_SCHEMA)
                .merge(came, _SAME, source_alias="came", target_alias="kept")
                .when_not_matched_insert_all()
                .execute()
            )
        )

    def release(self, rows: pd.DataFrame) -> int:
        """Let rows go that have become readings; returns how many were there.

        Args:
            rows: source, position and raw.
        """
        if rows.empty or not is_table(self._path):
            return 0
        gone = pa.Table.from_pandas(rows[ROW].drop_duplicates(), preserve_index=False)

        def attempt() -> int:
            merger = DeltaTable(self._path).merge(gone, _SAME, source_alias="came", target_alias="kept")
            return int(merger.when_matched_delete().execute()["num_target_rows_deleted"])

        return until_committed(attempt)

    def amend(self, rows: pd.DataFrame) -> None:
        """Replace the reasons of rows that are there."""
        if rows.empty:
            return
        came = pa.Table.from_pandas(rows.drop_duplicates(ROW), QUARANTINE_SCHEMA, preserve_index=False)
        until_committed(
            lambda: (
                DeltaTable(self._path)
                .merge(came, f"{_SAME} AND kept.reason <> came.reason", source_alias="came", target_alias="kept")
                .when_matched_update({"reason": "came.reason"})
                .execute()
            )
        )

    def rows(self, source: str | None = None) -> pd.DataFrame:
        """Every quarantined row, or those of one source, in the order they came and stood in their files."""
        if not is_table(self._path):
            return QUARANTINE_SCHEMA.empty_table().to_pandas()
        wanted = None if source is None else ds.field("source") == source
        table = DeltaTable(self._path).to_pyarrow_dataset().to_table(filter=wanted)
        rows = table.to_pandas()
        place = rows["position"].str.extract(r"^(?P<file>.*?):?(?P<line>\d*)$")
        order = rows[["source", "ingested_at"]].assign(file=place["file"], line=pd.to_numeric(place["line"]))
        return rows.loc[order.sort_values(list(order), kind="stable").index].reset_index(drop=True)

    def waiting(self, source: str) -> dict[tuple[str, str], pd.Timestamp]:
        """When each quarantined row of a source came, by its position and raw text."""
        rows = self.rows(source)
        return dict(zip(zip(rows["position"], rows["raw"], strict=True), rows["ingested_at"], strict=True))

    def __len__(self) -> int:
        return DeltaTable(self._path).count() if is_table(self._path) else 0
