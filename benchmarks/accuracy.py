"""Accuracy beside the baselines, on one protocol, in one run.

    python benchmarks/accuracy.py --only sample
    python benchmarks/accuracy.py --data DIR --only beijing,aus5 --json accuracy.json

Protocol: the last 20 % of the time span is test; origins every day at 00Z whose 48 leads lie in the data; the
reading at the origin hour is known; training sees only what was observed before the test starts; gaps in inputs
are filled from the past, truth never; all rows are judged on one common sample.

Data sets besides the embedded `sample` are parquet files in DIR with station_id, observed_at (UTC) and
temperature_c: `beijing.parquet` from UCI data set 501 (PRSA, CC BY 4.0), `aus5.parquet` from the raw files of
tsibbledata (five Australian cities), or any file of that shape given with --file.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer
from rich.console import Console
from rich.table import Table

from lstm_model.evaluation import Backtest, fit_baselines, run_backtest
from lstm_model.evaluation.backtest import Method
from lstm_model.network import Forecaster
from lstm_model.panel import Panel, build_panel
from lstm_model.readings import SAMPLE_END
from lstm_model.readings.sample import SampleSource
from lstm_model.settings import ModelSettings

TEST_SHARE = 0.2
GROUPS = {"1-24": (1, 24), "1-48": (1, 48), "25-48": (25, 48)}
ROWS = ("persistence", "seasonal_naive", "climatology", "damped_anomaly", "ridge_fleet", "ours")


def load(name: str, data: Path | None) -> pd.DataFrame:
    """Readings of a data set: the embedded sample, or NAME.parquet in the data folder."""
    if name == "sample":
        (rows,) = SampleSource("sample").read(None, SAMPLE_END)
        return rows.understood.dropna(subset="temperature_c")
    if data is None:
        raise typer.BadParameter(f"{name} needs --data DIR, the folder that holds {name}.parquet")
    return pd.read_parquet(data / f"{name}.parquet")


def split(readings: pd.DataFrame, settings: ModelSettings) -> tuple[Panel, Panel, pd.DatetimeIndex]:
    """The whole panel, the part before the test, and the test's origins."""
    panel = build_panel(readings, settings.step)
    test_start = panel.times[int(len(panel.times) * (1 - TEST_SHARE))]
    last = panel.times[-1] - settings.horizon_time
    return panel, panel.until(test_start - settings.step), pd.date_range(test_start.ceil("1D"), last, freq="1D")


def compare(readings: pd.DataFrame, settings: ModelSettings) -> tuple[Backtest, dict[str, dict[str, float]]]:
    """Fit and judge every row; returns the backtest and each row's seconds of training and of predicting."""
    panel, past, origins = split(readings, settings)
    began = time.perf_counter()
    methods: dict[str, Method] = dict(fit_baselines(past, settings.horizon))
    seconds = {name: (time.perf_counter() - began) / len(methods) for name in methods}
    began = time.perf_counter()
    forecaster = Forecaster(settings).fit_panel(past)
    seconds["ours"] = time.perf_counter() - began
    began = time.perf_counter()
    Forecaster(settings.model_copy(update={"max_epochs": 0})).fit_panel(past)
    seconds["ridge_fleet"] = time.perf_counter() - began
    methods |= {"ridge_fleet": forecaster.ridge(), "ours": forecaster}
    positions = panel.index_of(origins)
    timing = {}
    for name in ROWS:
        began = time.perf_counter()
        methods[name].forecast(panel, positions)
        timing[name] = {"train_seconds": seconds[name], "predict_seconds": time.perf_counter() - began}
    return run_backtest({name: methods[name] for name in ROWS}, panel, positions, settings.horizon), timing


def rows_of(dataset: str, backtest: Backtest, timing: dict[str, dict[str, float]]) -> list[dict[str, Any]]:
    """One object a row and group of leads."""
    rows = []
    for leads, (first, last) in GROUPS.items():
        for name, scores in backtest.summary(first, last).iterrows():
            kept = {score: float(scores[score]) for score in ("mae", "rmse", "bias", "crps", "coverage_80")}
            rows.append(
                {"dataset": dataset, "row": name, "leads": leads, **kept, "n": int(scores["n"]), **timing[name]}
            )
    return rows


def table_of(dataset: str, rows: list[dict[str, Any]], stations: int, origins: int) -> Table:
    """For people."""
    table = Table(
        title=f"{dataset}: {stations} stations, {origins} daily origins at 00Z, last 20 % of the time",
        title_justify="left",
    )
    table.add_column("row", no_wrap=True)
    for heading in ("MAE\n1-24", "MAE\n1-48", "bias\n1-48", "CRPS\n1-24", "CRPS\n1-48", "80 %\ncovers", "train\ns"):
        table.add_column(heading, justify="right")
    for name in dict.fromkeys(row["row"] for row in rows):
        day, both = (next(r for r in rows if r["row"] == name and r["leads"] == leads) for leads in ("1-24", "1-48"))
        table.add_row(
            name, f"{day['mae']:.3f}", f"{both['mae']:.3f}", f"{both['bias']:+.2f}",
            f"{day['crps']:.3f}", f"{both['crps']:.3f}", f"{both['coverage_80']:.1%}", f"{both['train_seconds']:.1f}",
        )  # fmt: skip
    return table


def main(
    data: Annotated[Path | None, typer.Option(help="Folder with the data sets' parquet files.")] = None,
    only: Annotated[str, typer.Option(help="Data sets, separated by commas.")] = "sample",
    file: Annotated[Path | None, typer.Option(help="Any other parquet file of that shape.")] = None,
    rows: Annotated[str, typer.Option(help="Rows to print, separated by commas; all when empty.")] = "",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every figure to this file.")] = None,
) -> None:
    """Compare the forecaster with what people would otherwise pick."""
    settings, screen, results = ModelSettings(), Console(), []
    wanted = {file.stem: pd.read_parquet(file)} if file else {name: load(name, data) for name in only.split(",")}
    chosen = rows.split(",") if rows else list(ROWS)
    for dataset, readings in wanted.items():
        backtest, timing = compare(readings, settings)
        found = [row for row in rows_of(dataset, backtest, timing) if row["row"] in chosen]
        results += found
        screen.print(table_of(dataset, found, len(backtest.stations), len(backtest.origins)))
        worse = backtest.confidence_worse("ours", "ridge_fleet")
        screen.print(f"Diebold-Mariano, CRPS over leads 1-48: ours beats ridge_fleet, confidence {1 - worse:.3f}\n")
    if json_file is not None:
        json_file.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
