"""The readings table as it lies in Delta: its columns, and how its rows are looked up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import DeltaTable

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

_ROWS_AT_ONCE = 4_000_000


def micros(time: pd.Timestamp) -> pa.Scalar:
    """A time as the table has it."""
    return pa.scalar(time.to_pydatetime(), pa.timestamp("us", tz="UTC"))


def covariates_of(frame: pd.DataFrame) -> list[str]:
    """The columns of a batch beyond those that every reading has."""
    return [column for column in frame.columns if column not in READINGS_SCHEMA.names]


def covariates_kept(kept: DeltaTable | None) -> list[str]:
    """The columns of a table beyond those that every reading has."""
    return [] if kept is None else sorted(set(kept.schema().to_arrow().names) - set(READINGS_SCHEMA.names))


def scan(
    kept: DeltaTable | None,
    filter: ds.Expression,
    columns: list[str] | None = None,
    stations: Collection[str] | None = None,
) -> pd.DataFrame:
    """The rows for which a filter holds, of some stations alone where they are named; in no order, none of no table."""
    if kept is None:
        return READINGS_SCHEMA.empty_table().select(columns or READINGS_SCHEMA.names).to_pandas()
    dataset = kept.to_pyarrow_dataset()
    if stations is None:
        return dataset.to_table(columns=columns, filter=filter).to_pandas()
    # Not in the filter, for pyarrow cannot compare it with Delta's bounds; part by part, for memory.
    wanted, scanner = pa.array(stations, pa.string()), dataset.scanner(columns=columns, filter=filter)
    parts = [part.filter(pc.is_in(part["station_id"], wanted)) for part in scanner.to_batches()]
    return pa.Table.from_batches(parts, scanner.projected_schema).to_pandas()


def months_of(kept: DeltaTable) -> list[str]:
    """The months of which a table keeps something, oldest first."""
    return sorted(str(partition["month"]) for partition in kept.partitions())


def loads_of(kept: DeltaTable) -> Iterator[list[str]]:
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
