"""How fast readings are taken in, beside a bare pyarrow read and Delta write of the same rows, in one run.

    python benchmarks/ingest.py
    python benchmarks/ingest.py --stations 1000 --days 730 --json ingest.json

The fleet is invented: a daily cycle, weather that lasts, noise, one reading in a thousand wild; hourly, a Parquet file
(or CSV) a month. Ours reads, understands, judges (every check of quality control), compares and keeps; the bare way
reads and writes. Every row of the table is a process of its own, so that its memory is its own peak. The night brings
24 hours of news and 48 hours that are known already. On a shared machine the ratios say more than the seconds, and that
of processor time more than that of the clock.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import typer
from rich.console import Console
from rich.table import Table

_END = pd.Timestamp("2026-01-01T00:00Z")
_TOML = '[source.fleet]\npath = "{folder}/*"\n'


def weather(stations: int, times: pd.DatetimeIndex, seed: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Invented temperatures, °C to one decimal: (S, T)."""
    chance = np.random.default_rng(seed)
    lasting = chance.normal(0, 0.25, (stations, len(times)))
    for step in range(1, len(times)):
        lasting[:, step] += 0.995 * lasting[:, step - 1]
    hour, day = times.hour.to_numpy(), times.day_of_year.to_numpy()
    usual = 10 + 4 * np.sin(2 * np.pi * (hour - 8) / 24) + 8 * np.sin(2 * np.pi * (day - 110) / 365)
    wild = (chance.random(lasting.shape) < 0.001) * chance.normal(0, 15, lasting.shape)
    return np.round(usual + lasting + wild + chance.normal(0, 0.2, lasting.shape), 1)


def write_fleet(folder: Path, stations: int, times: pd.DatetimeIndex, kind: str) -> int:
    """Write the fleet's readings, a file a month; how many rows."""
    folder.mkdir(parents=True)
    names, rows = np.array([f"station {number:05d}" for number in range(stations)]), 0
    for number, (month, span) in enumerate(times.to_series().groupby(times.strftime("%Y-%m"))):
        values = weather(stations, pd.DatetimeIndex(span), number)
        frame = pa.table({
            "station": pa.array(np.repeat(names, len(span))),
            "time": pa.array(np.tile(span.to_numpy(), stations), pa.timestamp("us", tz="UTC")),
            "temperature_c": values.ravel(),
        })  # fmt: skip
        rows += len(frame)
        if kind == "parquet":
            pq.write_table(frame, folder / f"{month}.parquet")
        else:
            frame.to_pandas().to_csv(folder / f"{month}.csv", index=False, date_format="%Y-%m-%dT%H:%MZ")
    return rows


# ── what is measured, each in a process of its own ─────────────────────────────────────────────────────────────


def ours(home: Path, night: str) -> int:
    """Take in what lies in the folder of the workspace's source."""
    from lstm_model.readings import ingest
    from lstm_model.workspace import Workspace

    now = pd.Timestamp(night)
    report = ingest(Workspace.find(home, {}), now, now)
    if trouble := [source.trouble for source in report.sources if source.trouble]:
        raise SystemExit(str(trouble[0]))
    return report.rows_in


def bare_parquet(folder: Path, table: Path) -> int:
    """Read Parquet, write Delta."""
    from deltalake import write_deltalake

    read = ds.dataset(folder, format="parquet").to_table()
    month = pc.strftime(read["time"], "%Y-%m")
    write_deltalake(table, read.append_column("month", month), partition_by=["month"])
    return len(read)


def bare_csv(folder: Path, table: Path) -> int:
    """Read CSV, write Delta."""
    from deltalake import write_deltalake

    read = ds.dataset(folder, format="csv").to_table()
    month = pc.strftime(read["time"], "%Y-%m")
    write_deltalake(table, read.append_column("month", month), partition_by=["month"])
    return len(read)


def bare_merge(folder: Path, table: Path) -> int:
    """Merge the night's file into the bare table."""
    from deltalake import DeltaTable

    read = ds.dataset(folder, format="parquet").to_table()
    came = read.append_column("month", pc.strftime(read["time"], "%Y-%m"))
    months = ", ".join(f"'{month}'" for month in came["month"].unique().to_pylist())
    same = " AND ".join(f"kept.{column} = came.{column}" for column in ("month", "station", "time"))
    same = f"{same} AND kept.month IN ({months})"
    merge = DeltaTable(table).merge(came, same, source_alias="came", target_alias="kept")
    merge.when_matched_update_all().when_not_matched_insert_all().execute()
    return len(read)


def bare_read(table: Path) -> int:
    """Read the readings' three columns."""
    from deltalake import DeltaTable

    columns = ["station_id", "observed_at", "temperature_c"]
    return len(DeltaTable(table).to_pyarrow_dataset().to_table(columns=columns))


def our_panel(home: Path, night: str) -> int:
    """Read the store and lay it on the panel's grid."""
    from lstm_model.panel import build_panel
    from lstm_model.readings import ReadingsStore
    from lstm_model.workspace import Workspace

    workspace, now = Workspace.find(home, {}), pd.Timestamp(night)
    readings = ReadingsStore(workspace.readings).read(now, ordered=False)
    panel = build_panel(readings, workspace.settings.model.step, end=now)
    return int(np.isfinite(panel.temperature_c).sum())


MEASURED: dict[str, Callable[..., int]] = {
    one.__name__: one for one in (ours, bare_parquet, bare_csv, bare_merge, bare_read, our_panel)
}


def measure(name: str, *arguments: object) -> dict[str, float]:
    """Run one of them in a fresh process: rows, seconds by the clock and of the processor, and peak memory in MiB."""
    command = [sys.executable, __file__, "--measure", name, *map(str, arguments)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if answer.returncode:
        raise SystemExit(f"{name} ended with {answer.returncode}: {answer.stderr}")
    told: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    return told


def _measured(name: str, *arguments: str) -> None:
    import lstm_model.panel
    import lstm_model.readings  # noqa: F401  imports are not what is measured

    began, worked = time.perf_counter(), time.process_time()
    rows = MEASURED[name](*(Path(each) if "/" in each else each for each in arguments))
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        json.dumps({"rows": rows, "seconds": seconds, "cpu": time.process_time() - worked, "peak_mib": peak}),
        flush=True,
    )
    os._exit(0)  # threads of pyarrow that read through Delta may outlive the interpreter, which aborts then


# ── the table ──────────────────────────────────────────────────────────────────────────────────────────────────


def compare(stations: int, days: int, csv_share: float) -> list[dict[str, Any]]:
    """Take the fleet's history in, then a night, and read it back; ours beside the bare way."""
    with tempfile.TemporaryDirectory(prefix="nightcast-") as scratch:
        home, bare, rows = Path(scratch) / "home", Path(scratch) / "bare", []
        history = pd.date_range(end=_END, periods=days * 24, freq="1h")
        home.mkdir()
        (home / "nightcast.toml").write_text(_TOML.format(folder="inbox"), encoding="utf-8")

        def pair(work: str, ours_is: dict[str, float], bare_is: dict[str, float]) -> None:
            rows.append({"work": work, **{f"ours_{k}": v for k, v in ours_is.items()},
                         **{f"bare_{k}": v for k, v in bare_is.items()},
                         "ratio": ours_is["seconds"] / bare_is["seconds"],
                         "cpu_ratio": ours_is["cpu"] / bare_is["cpu"]})  # fmt: skip

        inbox = home / "inbox"
        write_fleet(inbox, stations, history, "parquet")
        pair("history from Parquet", measure("ours", home, _END), measure("bare_parquet", inbox, bare))
        shutil.rmtree(inbox)
        later = _END + pd.Timedelta("1D")
        write_fleet(inbox, stations, pd.date_range(end=later, periods=72, freq="1h"), "parquet")
        pair("the night: 1 day new, 2 known", measure("ours", home, later), measure("bare_merge", inbox, bare))
        pair("a panel of everything", measure("our_panel", home, later), measure("bare_read", home / "data/readings"))
        text = Path(scratch) / "text"
        text.mkdir()
        (text / "nightcast.toml").write_text(_TOML.format(folder="inbox"), encoding="utf-8")
        write_fleet(text / "inbox", max(1, int(stations * csv_share)), history, "csv")
        pair("history from CSV", measure("ours", text, _END), measure("bare_csv", text / "inbox", Path(scratch) / "b2"))
        return rows


def main(
    stations: Annotated[int, typer.Option(help="Stations of the invented fleet.")] = 100,
    days: Annotated[int, typer.Option(help="Days of its history.")] = 365,
    csv_share: Annotated[float, typer.Option(help="Share of the stations that the CSV files hold.")] = 0.2,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every figure to this file.")] = None,
) -> None:
    """Compare taking readings in with a bare read and write."""
    rows = compare(stations, days, csv_share)
    table = Table(title=f"{stations:,} stations × {days} days, hourly", title_justify="left")
    for heading in ("work", "rows", "ours s", "rows/s", "peak MiB", "bare s", "ratio", "of cpu"):
        table.add_column(heading, justify="left" if heading == "work" else "right")
    for row in rows:
        table.add_row(
            row["work"], f"{row['ours_rows']:,}", f"{row['ours_seconds']:.2f}",
            f"{row['ours_rows'] / row['ours_seconds']:,.0f}", f"{row['ours_peak_mib']:,.0f}",
            f"{row['bare_seconds']:.2f}", f"{row['ratio']:.1f}", f"{row['cpu_ratio']:.1f}",
        )  # fmt: skip
    Console(width=110).print(table)
    if json_file is not None:
        json_file.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        _measured(*sys.argv[2:])
    else:
        typer.run(main)
