"""Forecasts and scores on disk: Delta tables replaced by key, and the newest issue as CSV."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable, write_deltalake

from lstm_model.forecasts.limits import LIMIT_COLUMNS, PROBABILITY_COLUMNS
from lstm_model.network.forecaster import QUANTILE_COLUMNS
from lstm_model.readings.delta import is_table, until_committed
from lstm_model.whole import write_whole

_TIME = pa.timestamp("us", tz="UTC")
_LIMITS = [(name, pa.float32()) for name in LIMIT_COLUMNS]
"""Last in both tables: those that were made before there were limits get them with their next issue."""
FORECASTS_SCHEMA = pa.schema(
    [
        ("issue_date", pa.string()),
        ("station_id", pa.string()),
        ("issued_at", _TIME),
        ("valid_at", _TIME),
        ("lead_hours", pa.float32()),
        ("temperature_c", pa.float32()),
        *((name, pa.float32()) for name in QUANTILE_COLUMNS),
        ("method", pa.string()),
        ("model_version", pa.string()),
        ("run_id", pa.string()),
        ("readings_version", pa.int64()),
        ("created_at", _TIME),
        *_LIMITS,
    ]
)
SCORES_SCHEMA = pa.schema(
    [
        ("issue_date", pa.string()),
        ("station_id", pa.string()),
        ("issued_at", _TIME),
        ("valid_at", _TIME),
        ("lead_hours", pa.float32()),
        ("method", pa.string()),
        ("model_version", pa.string()),
        ("observed_c", pa.float32()),
        ("error_c", pa.float32()),
        ("crps", pa.float32()),
        ("pit", pa.float32()),
        ("covered_80", pa.bool_()),
        ("width_80_c", pa.float32()),
        ("persistence_error_c", pa.float32()),
        ("climatology_error_c", pa.float32()),
        ("damped_anomaly_error_c", pa.float32()),
        *_LIMITS,
    ]
)
KEY = ["station_id", "issued_at", "lead_hours"]


class ForecastStore:
    """Every forecast ever issued, and how each one did."""

    def __init__(self, forecasts: Path, scores: Path, latest: Path) -> None:
        self._forecasts = forecasts
        self._scores = scores
        self._latest = latest

    def keep(self, issue: pd.DataFrame) -> None:
        """Write one issue in one commit, replacing an earlier one from the same origin; refresh `latest.csv`.

        Scores of what is replaced by something else are forgotten first; verifying scores the new rows.
        """
        issued_at = issue["issued_at"].iloc[0]
        if not _same_rows(self.read_forecasts(where=of_issues([issued_at])), issue):
            self._forget_scores(issued_at)
        _replace_issue(self._forecasts, FORECASTS_SCHEMA, issued_at, issue)
        newest = _readable(self.newest_issue())
        told = partial(newest.to_csv, index=False, date_format="%Y-%m-%dT%H:%M:%SZ", float_format="%.3f")
        write_whole(self._latest, told)

    def newest_issue(self, until: pd.Timestamp | None = None) -> pd.DataFrame:
        """The rows of the newest issue, ordered by station and lead; with `until`, of the newest one up to then."""
        for day in reversed(issue_days(self._forecasts)):
            rows = self.read_forecasts(where=ds.field("issue_date") == day)
            rows = rows if until is None else rows[rows["issued_at"] <= until]
            if len(rows):
                newest = rows[rows["issued_at"] == rows["issued_at"].max()]
                return newest.sort_values(["station_id", "lead_hours"], ignore_index=True)
        return FORECASTS_SCHEMA.empty_table().to_pandas()

    def issue_before(self, issued_at: pd.Timestamp) -> pd.DataFrame:
        """The newest issue from an earlier origin that speaks of times after `issued_at`: the rows that do."""
        ahead = (ds.field("issued_at") < micros(issued_at)) & (ds.field("valid_at") > micros(issued_at))
        times = self.read_forecasts(["issued_at"], where=ahead)["issued_at"]
        if times.empty:
            return FORECASTS_SCHEMA.empty_table().to_pandas()
        return self.read_forecasts(where=of_issues([times.max()]) & ahead)

    def read_forecasts(self, columns: list[str] | None = None, where: ds.Expression | None = None) -> pd.DataFrame:
        """Issued forecasts, whole or in part."""
        return _read(self._forecasts, FORECASTS_SCHEMA, columns, where)

    def read_scores(self, columns: list[str] | None = None, where: ds.Expression | None = None) -> pd.DataFrame:
        """Scores of verified forecasts, whole or in part."""
        return _read(self._scores, SCORES_SCHEMA, columns, where)

    def keep_scores(self, issued_at: pd.Timestamp, scores: pd.DataFrame) -> None:
        """Write the scores of one issue in one commit, replacing those it had."""
        _replace_issue(self._scores, SCORES_SCHEMA, issued_at, scores)

    def _forget_scores(self, issued_at: pd.Timestamp) -> None:
        if len(scored := self.read_scores(where=of_issues([issued_at]))):
            self.keep_scores(issued_at, scored.iloc[:0])


def _readable(issue: pd.DataFrame) -> pd.DataFrame:
    """An issue for people: probabilities as text, for three decimals would make certain what is nearly so."""
    chances = issue.columns.intersection(PROBABILITY_COLUMNS)
    told = {name: issue[name].map("{:.4f}".format, na_action="ignore") for name in chances}
    return issue.assign(**told)


def issue_days(table: Path) -> list[str]:
    """The days on which something was issued, ascending, as the table's log tells them: no file of it is opened."""
    if not is_table(table):
        return []
    return sorted({partition["issue_date"] for partition in DeltaTable(table).partitions()})


def micros(time: pd.Timestamp) -> pa.Scalar:
    """A time as the tables keep it."""
    return pa.scalar(time.to_pydatetime(), _TIME)


def of_issues(issued_at: Collection[pd.Timestamp]) -> ds.Expression:
    """The rows of these issues, found without opening the files of other days."""
    days = sorted({f"{time:%Y-%m-%d}" for time in issued_at})
    times = pa.array([time.to_pydatetime() for time in issued_at], _TIME)
    return ds.field("issue_date").isin(days) & ds.field("issued_at").isin(times)


def _same_rows(kept: pd.DataFrame, issue: pd.DataFrame) -> bool:
    """Whether two issues say the same, whenever they were made."""
    came = _as_table(issue, FORECASTS_SCHEMA).to_pandas()
    told = [rows.drop(columns="created_at").sort_values(KEY, ignore_index=True) for rows in (kept, came)]
    return told[0].equals(told[1])


def _as_table(rows: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    """Rows as a table keeps them; those that say nothing of limits have none."""
    unsaid = {name: np.float32(np.nan) for name in LIMIT_COLUMNS if name not in rows}
    return pa.Table.from_pandas(rows.assign(**unsaid), schema, preserve_index=False)


def _replace_issue(path: Path, schema: pa.Schema, issued_at: pd.Timestamp, rows: pd.DataFrame) -> None:
    table = _as_table(rows, schema)
    if not is_table(path):
        write_deltalake(path, schema.empty_table(), partition_by=["issue_date"], mode="ignore")
    # Times are compared as text: a literal of Delta's SQL has no zone, the column has.
    same_issue = (
        f"issue_date = '{issued_at:%Y-%m-%d}' AND issued_at = "
        f"arrow_cast('{issued_at:%Y-%m-%dT%H:%M:%S}Z', 'Timestamp(Microsecond, Some(\"UTC\"))')"
    )
    until_committed(lambda: write_deltalake(path, table, mode="overwrite", predicate=same_issue, schema_mode="merge"))


def _read(path: Path, schema: pa.Schema, columns: list[str] | None, where: ds.Expression | None) -> pd.DataFrame:
    wanted = columns or schema.names
    if not is_table(path):
        return schema.empty_table().select(wanted).to_pandas()
    kept = DeltaTable(path).to_pyarrow_dataset()
    there = [name for name in wanted if name in kept.schema.names]
    rows = kept.to_table(columns=there, filter=where)
    for name in wanted:
        if name not in there:
            rows = rows.append_column(name, pa.nulls(len(rows), schema.field(name).type))
    return rows.select(wanted).to_pandas()
