"""Quality control on real fleets: what it flags as they are, and what it finds of faults planted in them.

    python benchmarks/quality.py
    python benchmarks/quality.py --data DIR --only sample,beijing,aus5 --json quality.json

Protocol: what is usual is learnt from the first 70 % of the time and frozen; the last 30 % is judged. There, station
by station, every reading is shifted for two weeks, and the share of shifted readings found suspect or failed is
counted, as is the share flagged of all readings as they came, which bounds the false alarms from above.

Data sets are those of `accuracy.py`: the embedded `sample`, and parquet files in DIR.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from accuracy import load
from rich.console import Console
from rich.table import Table

from lstm_model.readings.quality import CHECKS, SUSPECT, QualityControl
from lstm_model.readings.usual import learn
from lstm_model.settings import QualitySettings

LEARN_SHARE = 0.7
SHIFTS_C = (15.0, 5.0)
FORTNIGHT = pd.Timedelta(days=14)
STEP = pd.Timedelta("1h")


def judge(readings: pd.DataFrame) -> dict[str, Any]:
    """Every figure of one data set."""
    readings = readings[["station_id", "observed_at", "temperature_c"]].sort_values(["station_id", "observed_at"])
    readings = readings.reset_index(drop=True)
    first, last = readings["observed_at"].min(), readings["observed_at"].max()
    begins = (first + LEARN_SHARE * (last - first)).floor("1D")
    began = time.perf_counter()
    usual = learn(readings[readings["observed_at"] < begins], STEP)
    learning = time.perf_counter() - began
    quality = QualityControl(QualitySettings(), STEP, usual=usual)
    began = time.perf_counter()
    plain = quality.assess(readings)
    row: dict[str, Any] = {
        "readings": len(readings),
        "learn_seconds": learning,
        "readings_per_second": len(readings) / (time.perf_counter() - began),
        "flagged": {check: float(plain.found[check].mean()) for check in CHECKS},
        "found": {},
    }
    for shift in SHIFTS_C:
        row["found"][f"{shift:+g} °C"] = float(np.mean(list(_found(readings, quality, begins, last, shift))))
    return row


def _found(
    readings: pd.DataFrame, quality: QualityControl, begins: pd.Timestamp, last: pd.Timestamp, shift: float
) -> list[float]:
    """Share of shifted readings that are found, for a fortnight every six weeks at every station in turn."""
    shares = []
    for number, start in enumerate(pd.date_range(begins, last - FORTNIGHT, freq="42D")):
        window = readings["observed_at"].between(start - 3 * FORTNIGHT, start + FORTNIGHT)
        near = readings[window].reset_index(drop=True)
        stations = near["station_id"].unique()
        station = stations[number % len(stations)]
        shifted = (near["station_id"] == station) & (near["observed_at"] >= start)
        if shifted.any():
            poisoned = near.assign(temperature_c=near["temperature_c"] + shift * shifted)
            shares.append(float((quality.assess(poisoned).flags[shifted] >= SUSPECT).mean()))
    return shares


def main(
    data: Annotated[Path | None, typer.Option(help="Folder with the data sets' parquet files.")] = None,
    only: Annotated[str, typer.Option(help="Data sets, separated by commas.")] = "sample",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every figure to this file.")] = None,
) -> None:
    """Measure quality control."""
    rows = {name: judge(load(name, data)) for name in only.split(",")}
    table = Table(title="Share of readings flagged as they came, and of shifted readings found", title_justify="left")
    for heading in (
        "data set",
        "readings",
        *CHECKS,
        *(f"found of\n{shift:+g} °C" for shift in SHIFTS_C),
        "readings\na second",
    ):
        table.add_column(heading, justify="right")
    for name, row in rows.items():
        shares = [f"{share:.3%}" for share in row["flagged"].values()]
        found = [f"{share:.0%}" for share in row["found"].values()]
        table.add_row(name, f"{row['readings']:,}", *shares, *found, f"{row['readings_per_second']:,.0f}")
    Console().print(table)
    if json_file is not None:
        json_file.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
