"""InfluxDB's annotated CSV: one table below the other, each with rows that describe its columns before its header."""

from __future__ import annotations

import csv
import io

import pandas as pd

from lstm_model.errors import SourceError

_ANNOTATIONS = ("#datatype", "#group", "#default", "#constant", "#timezone", "#concat")
_DEFAULTS = "#default"


def is_annotated(text: str) -> bool:
    """Whether a file begins as InfluxDB writes them."""
    return text.lstrip().startswith(_ANNOTATIONS)


def read_annotated(text: str, where: str, overflow: str) -> tuple[pd.DataFrame, pd.Series]:
    """The rows of every table below one another, and the line on which each ends.

    The first column, which only holds annotations, is left out; a cell left empty holds its column's default.

    Args:
        text: of the file.
        where: the file, for messages.
        overflow: column for the fields that a row has more than its header.

    Raises:
        SourceError: it cannot be read as CSV, or has no header.
    """
    reader = csv.reader(io.StringIO(text, newline=""))
    rows: list[dict[str, str]] = []
    lines: list[int] = []
    header: list[str] | None = None
    defaults: list[str] = []
    try:
        for fields in reader:
            if not any(fields):  # another table follows, perhaps with other columns
                header = None
            elif fields[0].startswith(_ANNOTATIONS):
                header = None
                if fields[0] == _DEFAULTS:
                    defaults = fields
            elif header is None:
                header = [name.strip() for name in fields]
                defaults += [""] * (len(header) - len(defaults))
            else:
                filled = zip(header, fields, defaults, strict=False)
                row = {name: cell or default for name, cell, default in filled if name}
                more = fields[len(header) :]
                rows.append({**row, overflow: ",".join(more)} if any(more) else row)
                lines.append(reader.line_num)
    except csv.Error as error:
        raise SourceError(f"{where}: cannot be read as CSV: {error}") from None
    if header is None and not rows:
        raise SourceError(f"{where}: only annotations; the line after them must name the columns.")
    frame = pd.DataFrame(rows, columns=None if rows else [name for name in header or [] if name], dtype=str).fillna("")
    return frame, pd.Series(lines, index=frame.index, dtype="int64")
