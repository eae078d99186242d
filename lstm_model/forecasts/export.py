"""Kept forecasts as files that other people's tools open: wide CSV, Parquet, and NetCDF by the CF conventions."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lstm_model.errors import NightcastError, SettingsError
from lstm_model.forecasts.choice import Chosen, Wanted, choose
from lstm_model.forecasts.netcdf import Made, unit_of, write_netcdf
from lstm_model.network.forecaster import QUANTILE_COLUMNS
from lstm_model.readings.stations import Stations
from lstm_model.settings import MEDIAN, QUANTILES
from lstm_model.whole import write_whole
from lstm_model.workspace import Workspace

ENDINGS = {".csv": "csv", ".parquet": "parquet", ".nc": "netcdf"}
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Export:
    """What a file holds."""

    file: Path
    format: str
    chosen: Chosen


def export_forecasts(
    workspace: Workspace,
    file: Path,
    wanted: Wanted,
    made: Made,
    *,
    format: str | None = None,
    quantiles: Sequence[float] = (),
) -> Export:
    """Write issued forecasts to a file that is there whole or not at all.

    CSV and Parquet are written a day of issues at a time; NetCDF is made in memory.

    Args:
        workspace: whose forecasts.
        file: where to; replaced if it is there.
        wanted: which issues and stations.
        made: when, by what; told in the file.
        format: `csv`, `parquet` or `netcdf`; by the file's ending when None.
        quantiles: levels that a CSV shows, of those kept; the median alone when empty.

    Raises:
        HistoryTooShort: no forecast was issued yet.
        SettingsError: the ending tells no format, nothing was issued then, a station or quantile is not there, or
            that would be too much for NetCDF.
        NightcastError: the file cannot be written.
    """
    kind = format_of(file, format)
    columns = [_column_of(level) for level in dict.fromkeys(quantiles)] or [QUANTILE_COLUMNS[MEDIAN]]
    if quantiles and kind != "csv":
        raise SettingsError(f"quantiles are chosen for CSV alone; {kind} holds all of them.")
    if file.exists() and not file.is_file():
        raise SettingsError(f"{file} is no file; name one, or - for standard output.")
    chosen = choose(workspace.forecasts, wanted)
    if kind == "csv":
        write = partial(_write_csv, chosen, columns)
    elif kind == "parquet":
        write = partial(_write_parquet, chosen, made)
    else:
        write = partial(write_netcdf, chosen, made, Stations.read(workspace.home))
    try:
        write_whole(file, write)
    except OSError as error:
        raise NightcastError(f"{file} cannot be written: {error.strerror or error}") from None
    return Export(file, kind, chosen)


def format_of(file: Path, format: str | None = None) -> str:
    """The format that was named, else that of the file's ending.

    Raises:
        SettingsError: there is no such format, or the ending tells none.
    """
    if format is not None and format not in ENDINGS.values():
        raise SettingsError(f"there is no format {format!r}; there are {', '.join(ENDINGS.values())}.")
    kind = format or ENDINGS.get(file.suffix.lower())
    if kind is None:
        endings = ", ".join(ENDINGS)
        raise SettingsError(f"{file.name!r} tells no format; end it with one of {endings}, or say --format.")
    return kind


def _column_of(level: float) -> str:
    if level not in QUANTILES:
        raise SettingsError(f"quantile {level:g} is not kept; there are {', '.join(f'{q:g}' for q in QUANTILES)}.")
    return QUANTILE_COLUMNS[QUANTILES.index(level)]


def _write_csv(chosen: Chosen, columns: list[str], file: Path) -> None:
    """A row a time of issue and valid time, a column a station; of several quantiles, a column for each of them."""
    several = len(columns) > 1
    names = [f"{station} {column}" if several else station for station in chosen.stations for column in columns]
    # The csv module leaves a lone carriage return bare, which readers take for the end of a line.
    bare = any("\r" in name for name in names)
    order = pd.MultiIndex.from_product([chosen.stations, columns])
    with file.open("w", encoding="utf-8", newline="") as out:
        header = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL if bare else csv.QUOTE_MINIMAL)
        header.writerow(["issued_at", "valid_at", *names])
        for rows in chosen.by_day():
            frame = rows.select(["issued_at", "valid_at", "station_id", *columns]).to_pandas()
            wide = frame.pivot(index=["issued_at", "valid_at"], columns="station_id", values=columns)
            wide = wide.swaplevel(axis=1).reindex(columns=order)
            wide.index = pd.MultiIndex.from_arrays(
                [wide.index.get_level_values(level).strftime(_TIME) for level in range(2)]
            )
            wide.to_csv(out, header=False, float_format="%.3f", lineterminator="\n")


def _write_parquet(chosen: Chosen, made: Made, file: Path) -> None:
    """The table's rows as they are kept, ordered, with what they are in the file's metadata."""
    schema = chosen.kept.schema
    versions: set[int] = set()
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for rows in chosen.by_day():
            writer.write_table(rows.cast(schema))
            versions.update(pc.unique(rows["readings_version"].drop_null()).to_pylist())
        writer.add_key_value_metadata(
            {
                "project": "nightcast",
                "nightcast_version": made.version,
                "created_at": f"{made.at:{_TIME}}",
                "issued_from": f"{chosen.issues[0]:{_TIME}}",
                "issued_until": f"{chosen.issues[-1]:{_TIME}}",
                "readings_versions": json.dumps(sorted(versions)),
                "units": json.dumps(_units(schema)),
            }
        )


def _units(schema: pa.Schema) -> dict[str, str]:
    return {name: unit for name in schema.names if (unit := unit_of(name)) is not None}
