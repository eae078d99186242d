"""What a table's columns mean: said in nightcast.toml, else guessed, and told either way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from lstm_model.errors import SettingsError
from lstm_model.readings.columns import by_value, constant, numbered
from lstm_model.readings.covariates import came, read_covariates
from lstm_model.readings.guesses import (
    STATION,
    TEMPERATURE,
    TIME,
    guess_column,
    guess_decimal,
    guess_unit,
    guess_zone,
    holds_numbers,
)
from lstm_model.readings.sources import RawRows
from lstm_model.readings.stations import Stations
from lstm_model.readings.tables import NAMELESS, OVERFLOW, STATION_CELL, VALUE_CELL, Cells
from lstm_model.readings.times import check_format, check_zones, guess_format, localize, read_times
from lstm_model.readings.units import numbers_of, to_celsius
from lstm_model.settings import CovariateSettings, SourceSettings

FROM_FILE_NAME = "{file}"
"""In the place of a station's column: the station is called like its file."""


@dataclass(frozen=True)
class Layout:
    """How the columns of a table become readings.

    station: column that names the station, `{file}`, or None where the table is wide: a column a station.
    time: the column of times, or a date's and a time's.
    temperature: the column of temperatures, or None where the table is wide.
    guessed: which of these nobody had said.
    """

    station: str | None
    time: tuple[str, ...]
    temperature: str | None
    unit: str
    time_format: str
    timezone: str | None
    decimal: str
    covariates: Mapping[str, CovariateSettings] = field(default_factory=dict)
    guessed: tuple[str, ...] = ()

    @property
    def wide(self) -> bool:
        """Whether every station has a column of its own."""
        return self.temperature is None

    def in_words(self) -> str:
        """One line: what was understood, the guesses marked as such."""
        parts = {
            "station": "a column a station" if self.wide else f"station in {self.station!r}",
            "time": f"time in {' and '.join(map(repr, self.time))}",
            "temperature": "" if self.wide else f"temperature in {self.temperature!r}",
            "unit": f"unit {self.unit}",
            "time_format": f"times as {self.time_format}",
            "timezone": f"zone {self.timezone}" if self.timezone else "",
            "decimal": f"decimal {self.decimal!r}",
        }
        return ", ".join(f"{text} (guessed)" if key in self.guessed else text for key, text in parts.items() if text)

    def as_settings(self) -> dict[str, Any]:
        """The settings of a source that say all of this but the covariates."""
        columns = {"layout": "wide"} if self.wide else {"station": self.station, "temperature": self.temperature}
        return {
            **columns,
            "time": self.time[0] if len(self.time) == 1 else list(self.time),
            "unit": self.unit,
            "time_format": self.time_format,
            "decimal": self.decimal,
            **({"timezone": self.timezone} if self.timezone else {}),
        }

    def guesses(self) -> dict[str, Any]:
        """What of the settings was guessed."""
        kept = {*self.guessed, *(["layout"] if "temperature" in self.guessed else [])}
        return {key: said for key, said in self.as_settings().items() if key in kept}

    def as_toml(self, name: str, path: str, delimiter: str | None = None) -> str:
        """The `nightcast.toml` that says all of this."""
        said = {"path": path, **self.as_settings(), **({"delimiter": delimiter} if delimiter else {})}
        key = name if name.replace("-", "").replace("_", "").isalnum() and name.isascii() else _quoted(name)
        lines = [f"[source.{key}]", *(f"{setting} = {_quoted(value)}" for setting, value in said.items())]
        if self.covariates:
            lines.append(f"[source.{key}.covariates]")
            for covariate, origin in self.covariates.items():
                given = origin.model_dump(exclude_none=True)
                inside = ", ".join(f"{part} = {_quoted(value)}" for part, value in given.items())
                lines.append(f"{covariate} = {{ {inside} }}")
        return "\n".join(lines)


def _quoted(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)  # a TOML basic string or array is written as in JSON


def recognise(cells: Cells, settings: SourceSettings, name: str, where: str) -> Layout:
    """Find out what each column means; what the settings say stands, the rest is guessed.

    Args:
        cells: the table.
        settings: of its source.
        name: the source, for messages.
        where: the file, for messages.

    Raises:
        SettingsError: a column is not there, or a meaning cannot be guessed; lists what was found and the way out.
    """
    frame = cells.frame.drop(columns=OVERFLOW, errors="ignore")
    columns = [str(column) for column in frame.columns]
    for role, named in (("station", settings.station), ("temperature", settings.temperature)):
        if named is not None and named != FROM_FILE_NAME and named not in columns:
            raise SettingsError(f"{where}: no column {named!r} for {role}; found: {', '.join(columns)}.")
    if settings.time_format is not None:
        check_format(settings.time_format, name)
    time = _time_columns(columns, settings, name, where)
    temperature = settings.temperature or guess_column(columns, TEMPERATURE, units=True)
    station = settings.station or guess_column(columns, STATION)
    others = _stations_columns(columns, time)
    nothing_named = settings.layout is None and station is None and temperature is None and not settings.covariates
    wide = settings.layout == "wide" or (nothing_named and holds_numbers(frame, others))
    if wide:
        station, temperature = None, None
        if settings.covariates:
            raise SettingsError(f"source.{name}: a wide table has columns for stations only; leave covariates out.")
        if not others:
            raise SettingsError(f"{where}: no column but the time's; a wide table needs one for every station.")
    elif temperature is None:
        raise _unknown("temperature", columns, name, where)
    elif station is None:
        station = FROM_FILE_NAME
    values = pd.concat([frame[column] for column in others]) if wide else frame[temperature]
    numbers = [values, *(frame[each.column] for each in settings.covariates.values() if each.column in columns)]
    texts_of_numbers = [column.astype("str") for column in numbers if not pd.api.types.is_numeric_dtype(column)]
    decimal = settings.decimal or (guess_decimal(pd.concat(texts_of_numbers)) if texts_of_numbers else ".")
    texts = _time_texts(frame, time)
    time_format = settings.time_format or ("iso" if _is_time(texts) else guess_format(texts, where))
    said = {entry.name for entry in fields(Layout) if getattr(settings, entry.name, None) is not None}
    if settings.layout == "wide":
        said |= {"station", "temperature"}
    return Layout(
        station=station,
        time=time,
        temperature=temperature,
        unit=settings.unit or guess_unit(temperature, values, decimal),
        time_format=time_format,
        timezone=settings.timezone or guess_zone(time),
        decimal=decimal,
        covariates=settings.covariates,
        guessed=tuple(entry.name for entry in fields(Layout) if entry.name not in {*said, "covariates", "guessed"}),
    )


def understand(cells: Cells, layout: Layout, stations: Stations, where: str, name: str) -> RawRows:
    """Readings from a table, as far as its rows make sense.

    Args:
        cells: the table.
        layout: what its columns mean.
        stations: what their owner says of single stations; it goes before the layout.
        where: the file, as it stands in messages and beside quarantined rows.
        name: the source, for messages.

    Raises:
        SettingsError: times without a zone, or covariates that cannot be had.
    """
    if layout.wide:
        cells = _melt(cells, layout)
        ids, values = cells.frame[STATION_CELL].astype("str"), cells.frame[VALUE_CELL]
    elif layout.station == FROM_FILE_NAME:
        ids = constant(station_in(where), cells.frame.index)
        values = cells.frame[layout.temperature]
    else:
        ids, values = _texts(cells.frame[layout.station]), cells.frame[layout.temperature]
    ids = ids.where(ids != "", None) if (ids == "").any() else ids
    texts = _time_texts(cells.frame, layout.time)
    times = read_times(texts, layout.time_format)
    observed_at, time_fault = times.utc, constant("", ids.index)
    if times.utc.isna().any():
        zones = stations.column("timezone", ids, layout.timezone)
        zones = zones.where(ids.notna(), layout.timezone or "UTC")  # a row of no station is lost; its file need not be
        check_zones(times, zones, texts, cells.lines, where, name)
        # Rows out of quarantine may not show what stood between them; then each is looked at alone.
        sequences = ids.fillna("") if cells.in_order else pd.Series(range(len(ids)), index=ids.index)
        observed_at, time_fault = localize(times, zones, sequences)
    covariates, nulled = read_covariates(cells.frame, layout.covariates, where, layout.decimal)
    understood = pd.DataFrame(
        {
            "station_id": ids,
            "observed_at": observed_at,
            "temperature_c": _celsius(numbers_of(values, layout.decimal), stations.column("unit", ids, layout.unit)),
        }
    ).join(covariates)
    fault = cells.fault.where(cells.fault != "", time_fault)
    words = f"{cells.description}; {layout.in_words()}"
    return RawRows(understood, cells.frame, numbered(where, cells.lines), fault, nulled, understood_as=words)


def station_in(file: str) -> str:
    """The station that a file is called after."""
    return PurePosixPath(PurePosixPath(file).name.removesuffix(".gz")).stem


def _melt(cells: Cells, layout: Layout) -> Cells:
    """A wide table made long: one row for every cell that holds something, in the file's order."""
    shared = cells.frame[[*layout.time, *({OVERFLOW} & set(cells.frame.columns))]]
    parts = [shared.iloc[:0].assign(**{STATION_CELL: "", VALUE_CELL: ""})]
    for column in _stations_columns([str(column) for column in cells.frame.columns], layout.time):
        told = came(cells.frame[column])
        value = cells.frame.loc[told, column].astype(object)
        parts.append(shared[told].assign(**{STATION_CELL: column, VALUE_CELL: value}))
    long = pd.concat(parts).sort_index(kind="stable")
    row, long = long.index, long.reset_index(drop=True)
    lines, fault = (part.loc[row].set_axis(long.index) for part in (cells.lines, cells.fault))
    return replace(cells, frame=long, lines=lines, fault=fault)


def _stations_columns(columns: list[str], time: tuple[str, ...]) -> list[str]:
    return [
        column for column in columns if column not in time and column != OVERFLOW and not column.startswith(NAMELESS)
    ]


def _celsius(values: pd.Series, units: pd.Series) -> pd.Series:
    different = units.unique()
    if len(different) == 1:
        return to_celsius(values, different[0])
    result = pd.Series(float("nan"), index=values.index, dtype="float64")
    for unit in different:
        result[units == unit] = to_celsius(values[units == unit], unit)
    return result


def _texts(column: pd.Series) -> pd.Series:
    """Cells as text without surrounding blanks; nothing is empty. A number that stands for a name has no `.0`."""
    if pd.api.types.is_float_dtype(column) and (column.dropna() % 1 == 0).all():
        column = column.astype("Int64")
    elif pd.api.types.is_object_dtype(column):
        whole = [int(cell) if isinstance(cell, float) and cell.is_integer() else cell for cell in column]
        return _stripped(pd.Series(whole, index=column.index, dtype=object))
    return by_value(column, _stripped)


def _stripped(column: pd.Series) -> pd.Series:
    return column.astype("str").where(column.notna(), "").str.strip()


def _is_time(column: pd.Series) -> bool:
    return pd.api.types.is_datetime64_any_dtype(column)


def _time_texts(frame: pd.DataFrame, time: tuple[str, ...]) -> pd.Series:
    if len(time) == 1:
        column = frame[time[0]]
        return column if _is_time(column) else _texts(column)
    first, second = (_texts(frame[column]) for column in time)
    return (first + " " + second).where((first != "") & (second != ""), "")  # a date alone would pass for midnight


def _time_columns(columns: list[str], settings: SourceSettings, name: str, where: str) -> tuple[str, ...]:
    if settings.time is not None:
        named = (settings.time,) if isinstance(settings.time, str) else tuple(settings.time)
        if not 1 <= len(named) <= 2:
            raise SettingsError(f"source.{name}: time = {list(named)!r}: name one column, or a date's and a time's.")
        for column in named:
            if column not in columns:
                raise SettingsError(f"{where}: no column {column!r} for time; found: {', '.join(columns)}.")
        return named
    by_lower = {column.strip().lower(): column for column in columns}
    if {"date", "time"} <= set(by_lower):
        return by_lower["date"], by_lower["time"]
    guessed = guess_column(columns, TIME)
    if guessed is None:
        raise _unknown("time", columns, name, where)
    return (guessed,)


def _unknown(role: str, columns: list[str], name: str, where: str) -> SettingsError:
    return SettingsError(
        f"{where}: no column looks like the {role}; found: {', '.join(columns)}. "
        f'Name it in nightcast.toml: [source.{name}] {role} = "…".'
    )
