"""`nightcast export`: what a person asks for, written to a file or to standard output, and told in a sentence."""

from __future__ import annotations

import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from flows.clock import parse_day, parse_time
from lstm_model.errors import SettingsError
from lstm_model.forecasts import Export, Made, Wanted, export_forecasts, format_of
from lstm_model.words import count
from lstm_model.workspace import Workspace

STDOUT = "-"


def wanted(issue: str | None, first: str | None, last: str | None, stations: list[str] | None) -> Wanted:
    """What was asked for.

    Raises:
        SettingsError: a time cannot be read, the period ends before it begins, or both an issue and a period were asked
            for.
    """
    if issue is not None and (first is not None or last is not None):
        raise SettingsError("--issue names one issue, --from and --to a period; leave one of them out.")
    if issue is not None:
        return Wanted(issue=parse_time(issue), stations=tuple(stations or ()))
    begin = parse_day(first) if first is not None else None
    end = parse_day(last, end=True) if last is not None else None
    if begin is not None and end is not None and begin > end:
        raise SettingsError(f"--from {first} lies after --to {last}; turn them round.")
    return Wanted(first=begin, last=end, stations=tuple(stations or ()))


def export_to(
    workspace: Workspace, out: str, what: Wanted, now: pd.Timestamp, format: str | None, quantiles: list[float] | None
) -> Export:
    """Write to the file `out`, or to standard output where it is `-`: then CSV, unless a format is named.

    Raises:
        SettingsError: wrong input; or a format that is no text would go to a terminal.
        HistoryTooShort: no forecast was issued yet.
    """
    made = Made(now, version("nightcast"))
    if out != STDOUT:
        return export_forecasts(workspace, Path(out), what, made, format=format, quantiles=quantiles or ())
    kind = format_of(Path(out), format or "csv")
    if kind != "csv" and sys.stdout.isatty():
        raise SettingsError(f"{kind} is nothing to read on a terminal; name a file with --out FILE.")
    with tempfile.TemporaryDirectory(prefix="nightcast-") as folder:
        whole = Path(folder) / "export"
        export = export_forecasts(workspace, whole, what, made, format=kind, quantiles=quantiles or ())
        with whole.open("rb") as content:
            shutil.copyfileobj(content, sys.stdout.buffer)
    sys.stdout.flush()
    return export


def export_in_words(export: Export) -> str:
    """What is in the file."""
    chosen = export.chosen
    fleet = count(len(chosen.stations), "station")
    return f"{export.file}: {chosen.in_words()}, {fleet}, {len(chosen.leads)} leads"


def export_as_data(export: Export) -> dict[str, Any]:
    """The same for machines."""
    chosen = export.chosen
    return {
        "file": str(export.file),
        "format": export.format,
        "issues": [issue.isoformat() for issue in chosen.issues],
        "stations": list(chosen.stations),
        "leads": len(chosen.leads),
    }
