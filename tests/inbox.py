"""A workspace with an inbox of CSV files, and a look at what became of its rows."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pandas as pd
from support import store_of

from lstm_model.readings import Quarantine
from lstm_model.settings import SourceSettings

CLOCK = pd.Timestamp("2024-06-01T00:00Z")
HOUR = pd.Timedelta("1h")
SOURCES = Path(__file__).parents[1] / "docs" / "sources.md"
INBOX = '[source.cellar]\npath = "inbox/*.csv"\n'


def write(workspace, name, rows):
    """Rows of (station, time, temperature), in a file that differs from all others."""
    frame = pd.DataFrame(rows, columns=["station", "time", "temperature"]).assign(note=f"in {name}")
    (workspace.home / "inbox").mkdir(exist_ok=True)
    frame.to_csv(workspace.home / "inbox" / name, index=False)


def quarantined(workspace):
    return Quarantine(workspace.quarantine).rows()


def kept(workspace):
    frame = store_of(workspace).read(CLOCK)
    return {(row.station_id, row.observed_at): float(row.temperature_c) for row in frame.itertuples()}


def flags(workspace):
    rows = store_of(workspace).read(CLOCK, flags=(1, 2, 3, 4), columns=["flag"])
    return rows["flag"].tolist()


def hourly(station, values, start="2024-01-01T00:00Z"):
    times = pd.date_range(start, periods=len(values), freq="1h")
    return [(station, time.isoformat(), value) for time, value in zip(times, values, strict=True)]


def documented(name):
    """A source as the documentation shows it."""
    blocks = re.findall(r"^```toml\n(.*?)^```$", SOURCES.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return next(SourceSettings(**said["source"][name]) for said in map(tomllib.loads, blocks) if name in said["source"])
