"""From a file's bytes to a table of cells, whatever the format: CSV, JSON lines, Parquet, plain or gzipped."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from lstm_model.errors import SourceError
from lstm_model.readings.annotated import is_annotated, read_annotated
from lstm_model.readings.columns import constant

OVERFLOW = "(further fields)"
TOO_MANY_FIELDS = "more fields than the header has columns"
NO_OBJECT = "no JSON object"
NAMELESS = "(column "
"""What the names begin with that columns get here whose header names none."""
_DELIMITERS = ",;\t|"
_JSON_LINE = "(line)"
STATION_CELL, VALUE_CELL = "(station)", "(value)"
"""Columns of a wide table made long: the column that a value stood in, and the value."""


@dataclass(frozen=True)
class Cells:
    """A file as a table, before anything is understood.

    frame: columns named as in the file; text, or typed where the format has types; nothing is None or "".
    lines: the line (of Parquet, the row) of the file on which each row ends.
    fault: why a row cannot be used, empty where it can.
    description: what the file turned out to be, for people.
    in_order: whether the rows follow one another as they did in their file, with none left out.
    delimiter: of a CSV file.
    """

    frame: pd.DataFrame
    lines: pd.Series
    fault: pd.Series
    description: str
    in_order: bool = True
    delimiter: str | None = None


def unpack(content: bytes, where: str) -> bytes:
    """What is inside, where the content is gzipped.

    Raises:
        SourceError: it is gzipped and damaged.
    """
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(f"{where}: the gzip archive is damaged or still being written: {error}") from None


def read_cells(content: bytes, where: str, delimiter: str | None = None) -> Cells:
    """Read a file's content; the format is told by the content, not by the name.

    Args:
        content: unpacked bytes.
        where: the file, for messages.
        delimiter: of a CSV file; the commonest in its first line when None.

    Raises:
        SourceError: it is none of the formats.
    """
    if content.startswith(b"PAR1"):
        return _read_parquet(content, where)
    text, encoding = _decode(content, where)
    if not text.strip():
        raise SourceError(f"{where}: the file is empty; the first line must name the columns.")
    if text.lstrip().startswith("{"):
        return _read_json_lines(text, encoding)
    if is_annotated(text):
        frame, lines = read_annotated(text, where, OVERFLOW)
        return _csv_cells(frame, lines.to_numpy(), ",", f"InfluxDB's annotated CSV, {encoding}")
    return _read_csv(text, encoding, where, delimiter)


def _decode(content: bytes, where: str) -> tuple[str, str]:
    if b"\0" in content:
        raise SourceError(f"{where}: cannot be read as CSV, JSON lines or Parquet: it is no text.")
    try:
        return content.decode("utf-8-sig"), "UTF-8"
    except UnicodeDecodeError:
        return content.decode("latin-1"), "Latin-1"


def _read_parquet(content: bytes, where: str) -> Cells:
    try:
        table = pq.read_table(io.BytesIO(content))
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{where}: cannot be read as Parquet: {error}") from None
    for number, column in enumerate(table.schema):
        if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
            texts = [cell and cell.decode("utf-8", "replace") for cell in table.column(number).to_pylist()]
            table = table.set_column(number, column.name, pa.array(texts, pa.string()))
    frame = table.to_pandas(integer_object_nulls=True)  # as floats, long whole numbers would run into one another
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index()
    frame.columns = frame.columns.map(str)
    rows = pd.Series(np.arange(1, len(frame) + 1), index=frame.index)
    return Cells(frame, rows, constant("", frame.index), "Parquet")


def _read_json_lines(text: str, encoding: str) -> Cells:
    rows, lines, faults = [], [], []
    for number, line in enumerate(text.split("\n"), start=1):  # JSON may hold what else ends a line to Python
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            json.dumps(row, ensure_ascii=False).encode()  # half a character can be escaped, but not kept
        except (ValueError, RecursionError):
            row = None
        good = isinstance(row, dict)
        rows.append(row if good else {_JSON_LINE: line.rstrip("\r")})
        lines.append(number)
        faults.append("" if good else NO_OBJECT)
    frame = pd.DataFrame(rows, dtype=object)
    frame.columns = frame.columns.map(str)
    return Cells(
        frame,
        pd.Series(lines, index=frame.index, dtype="int64"),
        pd.Series(faults, index=frame.index, dtype="str"),
        f"JSON lines, {encoding}",
    )


def _read_csv(text: str, encoding: str, where: str, delimiter: str | None) -> Cells:
    """Rows shorter than the header are filled with nothing; fields beyond it go into a column of their own."""
    first = text.lstrip("\r\n").split("\n", 1)[0]
    separator = delimiter or max(_DELIMITERS, key=first.count)
    named = {"\t": "tab"}.get(separator, f"{separator!r}")
    description = f"CSV, columns divided by {named}, {encoding}"
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        header = [name.strip() for name in next(fields for fields in reader if fields)]
        if twice := [name for name in header if name and header.count(name) > 1]:
            raise SourceError(
                f"{where}:{reader.line_num}: two columns are called {twice[0]!r}; give each its own name."
            )
        header = [name or f"{NAMELESS}{number})" for number, name in enumerate(header, start=1)]
        if (regular := _regular(text, header, separator)) is not None:
            return _csv_cells(regular, np.arange(2, len(regular) + 2), separator, description)
        width, rows, lines = len(header), [], []
        for fields in reader:
            if fields:
                overflow = separator.join(fields[width:]) if any(fields[width:]) else ""
                rows.append([*fields[:width], *[""] * (width - len(fields)), overflow])
                lines.append(reader.line_num)
    except (csv.Error, StopIteration) as error:
        raise SourceError(f"{where}: cannot be read as CSV: {error}") from None
    frame = pd.DataFrame(rows, columns=[*header, OVERFLOW], dtype=str)
    return _csv_cells(frame, np.array(lines, np.int64), separator, description)


def _csv_cells(frame: pd.DataFrame, lines: npt.NDArray[np.int64], separator: str, description: str) -> Cells:
    fault = constant("", frame.index)
    if OVERFLOW in frame:
        fault = fault.mask(frame[OVERFLOW] != "", TOO_MANY_FIELDS)
        if (fault == "").all():
            frame = frame.drop(columns=OVERFLOW)
    return Cells(frame, pd.Series(lines, index=frame.index), fault, description, delimiter=separator)


def _regular(text: str, header: list[str], separator: str) -> pd.DataFrame | None:
    """The rows of a file without quotes in which every line is a whole row, read quickly; None of any other."""
    if '"' in text or text.count("\r") != text.count("\r\n") or not separator.isascii() or separator in "\r\n":
        return None
    if text[:1] in "\r\n":  # the header is not on the first line
        return None
    try:
        table = pa_csv.read_csv(
            io.BytesIO(text.encode()),
            pa_csv.ReadOptions(column_names=[str(number) for number in range(len(header))], skip_rows=1),
            pa_csv.ParseOptions(delimiter=separator, quote_char=False, ignore_empty_lines=True),
            pa_csv.ConvertOptions(
                column_types={str(number): pa.string() for number in range(len(header))}, strings_can_be_null=False
            ),
        )
    except pa.ArrowException:  # a row of another length, or nothing below the header
        return None
    if len(table) != text.rstrip("\r\n").count("\n"):
        return None
    return table.to_pandas().set_axis(header, axis=1)


def raw_json(row: Mapping[str, object]) -> str:
    """A row as it stood in its file, as JSON; of a wide table its time and its own column."""
    kept = {key: value for key, value in row.items() if key not in (STATION_CELL, VALUE_CELL)}
    for key in (OVERFLOW, _JSON_LINE):  # columns that other rows of the file brought about
        if key in kept and (kept[key] == "" or _is_nothing(kept[key])):
            del kept[key]
    if STATION_CELL in row:
        kept[str(row[STATION_CELL])] = row[VALUE_CELL]
    told = {key: None if _is_nothing(value) else value for key, value in kept.items()}
    return json.dumps(told, ensure_ascii=False, default=str)


def raws_of(rows: pd.DataFrame) -> pd.Series:
    """Rows as they stood in their file, each as JSON."""
    texts = [raw_json({str(key): value for key, value in row.items()}) for row in rows.to_dict(orient="records")]
    return pd.Series(texts, index=rows.index, dtype="str")


def cells_of_raw(raws: Sequence[str], lines: Sequence[int] | None = None) -> Cells:
    """Quarantined rows as a table again, to be understood anew.

    Args:
        raws: the rows.
        lines: where they stood in their file; one below the other when None.
    """
    frame = pd.DataFrame([json.loads(raw) for raw in raws], dtype=object)
    frame = frame.astype(object).where(frame.notna(), "")
    fault = pd.Series("", index=frame.index, dtype="str")
    if OVERFLOW in frame:
        fault = fault.mask(frame[OVERFLOW] != "", TOO_MANY_FIELDS)
    if _JSON_LINE in frame:
        fault = fault.mask(frame[_JSON_LINE] != "", NO_OBJECT)
    rows = pd.Series(range(1, len(frame) + 1), index=frame.index)
    in_order = lines is None or all(0 <= step <= 1 for step in np.diff(lines))
    return Cells(frame, rows, fault, "quarantine", in_order)


def _is_nothing(value: object) -> bool:
    return value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and value != value)
