"""A workspace with an inbox of CSV files, and a look at what became of its rows."""

from __future__ import annotations

import pandas as pd
from support import store_of

from lstm_model.readings import Quarantine

CLOCK = pd.Timestamp("2024-06-01T00:00Z")
HOUR = pd.Timedelta("1h")
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
