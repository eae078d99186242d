"""Readings from CSV files: one row a reading, with a station, a time and a temperature."""

from __future__ import annotations

import csv
import glob
import logging
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from lstm_model.errors import SettingsError, SourceError
from lstm_model.readings.sources import RawRows, to_celsius
from lstm_model.settings import SourceSettings

log = logging.getLogger("nightcast.ingest")

# Lower-case names that people give these columns, likeliest first.
_GUESSES = {
    "station": ("station_id", "station", "sensor_id", "sensor", "device_id", "device", "site", "location", "id"),
    "time": ("observed_at", "timestamp", "time", "datetime", "date_time", "time_utc", "date"),
    "temperature": ("temperature_c", "temperature", "temp_c", "temp", "celsius", "value", "t"),
}
_DELIMITERS = ",;\t|"
_CARRIES_ZONE = r"[T ]\d{2}.*(?:[Zz]|[+-]\d{2}(?::?\d{2})?)$"
TOO_MANY_FIELDS = "more fields than the header has columns"
_OVERFLOW = "(further fields)"


class FilesSource:
    """A file or a glob of CSV files. Every file is read whole; the store knows what is new in it."""

    def __init__(self, name: str, settings: SourceSettings, home: Path) -> None:
        self.name = name
        self._settings = settings
        self._home = home
        self._pattern = str(Path(glob.escape(str(home))) / (settings.path or ""))

    def read(self, since: pd.Timestamp | None, until: pd.Timestamp) -> Iterator[RawRows]:
        """Yield the rows of every matching file, in the files' order of name."""
        files = sorted(Path(name) for name in glob.glob(self._pattern, recursive=True))
        if not files and not glob.has_magic(self._pattern):
            raise SourceError(f"source {self.name!r}: no file at {self._pattern}. Mend `path`, or put the file there.")
        if not files:
            log.warning("%s: no file matches %s", self.name, self._pattern)
        for file in files:
            yield self._read_file(file)

    def _read_file(self, file: Path) -> RawRows:
        raw, lines = _read_csv(file)
        columns = {role: self._column(file, raw, role) for role in _GUESSES}
        understood = pd.DataFrame(
            {
                "station_id": raw[columns["station"]].str.strip().replace("", None),
                "observed_at": self._to_utc(file, lines, raw[columns["time"]].str.strip()),
                "temperature_c": to_celsius(raw[columns["temperature"]].str.strip(), self._settings.unit),
            }
        )
        fault = pd.Series("", index=raw.index)
        if _OVERFLOW in raw:
            fault[raw[_OVERFLOW] != ""] = TOO_MANY_FIELDS
        shown = file.relative_to(self._home) if file.is_relative_to(self._home) else file
        return RawRows(understood, raw, f"{shown}:" + lines.astype(str), fault)

    def _column(self, file: Path, raw: pd.DataFrame, role: str) -> str:
        named: str | None = getattr(self._settings, role)
        if named is not None:
            if named in raw.columns:
                return named
            raise SettingsError(f"{file}: no column {named!r} for {role}; found: {', '.join(raw.columns)}.")
        by_lower = {column.strip().lower(): column for column in raw.columns}
        for guess in _GUESSES[role]:
            if guess in by_lower:
                log.info("%s: column %r taken as the %s", file.name, by_lower[guess], role)
                return by_lower[guess]
        raise SettingsError(
            f"{file}: no column looks like the {role}; found: {', '.join(raw.columns)}. "
            f'Name it in nightcast.toml: [source.{self.name}] {role} = "…".'
        )

    def _to_utc(self, file: Path, lines: pd.Series, texts: pd.Series) -> pd.Series:
        zoned = texts.str.contains(_CARRIES_ZONE, regex=True)
        result = pd.Series(pd.NaT, index=texts.index, dtype="datetime64[us, UTC]")
        utc = texts[zoned].str.upper()
        result[zoned] = pd.to_datetime(utc, utc=True, format="ISO8601", errors="coerce").dt.as_unit("us")
        local = pd.to_datetime(texts[~zoned], format="ISO8601", errors="coerce").astype("datetime64[us]")
        if local.notna().any():
            if self._settings.timezone is None:
                row = local.first_valid_index()
                raise SettingsError(
                    f"{file}:{lines[row]}: the time {texts[row]!r} names no zone. "
                    f'Say which: [source.{self.name}] timezone = "UTC" (or "Europe/Berlin", …) in nightcast.toml.'
                )
            # An hour that a clock change repeats or skips has no one meaning: quarantined, never shifted.
            in_zone = local.dt.tz_localize(self._settings.timezone, ambiguous="NaT", nonexistent="NaT")
            result[~zoned] = in_zone.dt.tz_convert("UTC")
        return result


def _read_csv(file: Path) -> tuple[pd.DataFrame, pd.Series]:
    """Every row as text, and the line of the file on which it ends.

    Rows shorter than the header are filled with nothing; fields beyond it go into a column of their own.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            head = opened.readline()
            if not head.strip():
                raise SourceError(f"{file}: the file is empty; the first line must name the columns.")
            opened.seek(0)
            reader = csv.reader(opened, delimiter=max(_DELIMITERS, key=head.count))
            header = [name.strip() for name in next(reader)]
            if twice := [name for name in header if name and header.count(name) > 1]:
                raise SourceError(f"{file}:1: two columns are called {twice[0]!r}; give each its own name.")
            header = [name or f"(column {number})" for number, name in enumerate(header, start=1)]
            width, rows, lines = len(header), [], []
            for fields in reader:
                if fields:
                    overflow = ",".join(fields[width:]) if any(fields[width:]) else ""
                    rows.append([*fields[:width], *[""] * (width - len(fields)), overflow])
                    lines.append(reader.line_num)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{file}: cannot be read as CSV: {error}") from None
    frame = pd.DataFrame(rows, columns=[*header, _OVERFLOW], dtype=str)
    if (frame[_OVERFLOW] == "").all():
        frame = frame.drop(columns=_OVERFLOW)
    return frame, pd.Series(lines, index=frame.index, dtype="int64")
