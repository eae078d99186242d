"""Accuracy beside what people would otherwise pick, on one protocol, in one run.

    python benchmarks/accuracy.py --only sample
    python benchmarks/accuracy.py --data DIR --only beijing,aus5 --json accuracy.json

Protocol: the last 20 % of the time span is test; origins every day at 00Z whose 48 leads lie in the data; the
reading at the origin hour is known; training sees only what was observed before the test starts; gaps in inputs
are filled from the past, truth never; all rows are judged on one common sample. With --validation the same is done
on what comes before the test: settings are chosen there, and the test is looked at once.

Data sets besides the embedded `sample` are parquet files in DIR with station_id, observed_at (UTC), temperature_c
and, if there are any, covariates: `beijing.parquet` from UCI data set 501 (PRSA, CC BY 4.0), `aus5.parquet` from the
raw files of tsibbledata (five Australian cities), or any file of that shape given with --file. Beijing's twelve sites
hold fewer distinct series; where stations repeat each other, a second table counts each series once.

LightGBM, neuralforecast and StatsForecast live in a second venv, which `make bench-setup` makes; without it their rows
are left out. Each chooses among a few settings on the last 15 % of what it may learn from; `benchmarks/field` says
which, and a line below the table says what was chosen. They get as many threads as ours. Seconds of training include
the choosing, not the start of Python.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.field_peer import FIELD_ROWS, FieldPeer, able
from benchmarks.peers import Ridge
from benchmarks.significance import comparisons, table_of_comparisons
from benchmarks.variants import OURS
from lstm_model.evaluation import BASELINES, Backtest, run_backtest
from lstm_model.evaluation.backtest import Method
from lstm_model.panel import Panel, build_panel
from lstm_model.readings import SAMPLE_END
from lstm_model.readings.sample import SampleSource
from lstm_model.settings import ModelSettings

TEST_SHARE = 0.2
GROUPS = {"1-24": (1, 24), "1-48": (1, 48), "25-48": (25, 48)}
SCORES = ("mae", "rmse", "bias", "crps", "coverage_80", "width_80")


ROWS: dict[str, Callable[[Panel, ModelSettings], Method]] = {
    **{rule.name: lambda past, settings, rule=rule: rule().fit(past, settings.horizon) for rule in BASELINES},
    "ridge": lambda past, settings: Ridge(fleet=False).fit(past, settings.horizon),
    "ridge_fleet": lambda past, settings: Ridge(fleet=True).fit(past, settings.horizon),
    "ridge_fleet_cov": lambda past, settings: Ridge(fleet=True, covariates=True).fit(past, settings.horizon),
    **OURS,
    **{row: lambda past, settings, row=row: FieldPeer(row, past, settings) for row in FIELD_ROWS},
}
"""How each row is fitted; those with `_cov` also see what else the stations measure."""


def load(name: str, data: Path | None) -> pd.DataFrame:
    """Readings of a data set: the embedded sample, or NAME.parquet in the data folder."""
    if name == "sample":
        (rows,) = SampleSource("sample").read(None, SAMPLE_END)
        return rows.understood.dropna(subset="temperature_c")
    if data is None:
        raise typer.BadParameter(f"{name} needs --data DIR, the folder that holds {name}.parquet")
    return pd.read_parquet(data / f"{name}.parquet")


def split(panel: Panel) -> tuple[Panel, pd.DatetimeIndex]:
    """The part before the test, and the times of the test."""
    test_start = int(len(panel.times) * (1 - TEST_SHARE))
    return panel.steps(0, test_start), panel.times[test_start:]


def compare(panel: Panel, settings: ModelSettings, rows: list[str]) -> tuple[Backtest, dict[str, dict[str, float]]]:
    """Fit and judge rows; returns the backtest and each row's seconds of training and of predicting."""
    past, test = split(panel)
    positions = panel.index_of(
        pd.date_range(test[0].ceil("1D"), panel.times[-1] - settings.horizon_time, freq="1D", unit=test.unit)
    )
    methods, timing = {}, {}
    for name in rows:
        began = time.perf_counter()
        methods[name] = ROWS[name](past, settings)
        fitted = time.perf_counter()
        methods[name].forecast(panel, positions)
        timing[name] = {"train_seconds": fitted - began, "predict_seconds": time.perf_counter() - fitted}
        timing[name] |= getattr(methods[name], "told", {})
    return run_backtest(methods, panel, positions, settings.horizon), timing


def distinct(panel: Panel) -> list[int]:
    """Rows of the stations whose test no earlier station repeats."""
    test = len(split(panel)[0].times)
    values = panel.temperature_c[:, test:]  # a gap repeats nothing
    return [row for row in range(len(values)) if not any((values[row] == other).mean() > 0.9 for other in values[:row])]


def only_stations(backtest: Backtest, rows: list[int]) -> Backtest:
    """The same backtest, some stations only."""
    forecasts = {name: forecast[rows] for name, forecast in backtest.forecasts.items()}
    stations = tuple(backtest.stations[row] for row in rows)
    return replace(backtest, stations=stations, truth=backtest.truth[rows], forecasts=forecasts)


def rows_of(dataset: str, backtest: Backtest, timing: dict[str, dict[str, float]]) -> list[dict[str, Any]]:
    """One object a row and group of leads."""
    rows = []
    for leads, (first, last) in GROUPS.items():
        summary = backtest.summary(first, last)
        for name, scores in summary.iterrows():
            kept = {score: float(scores[score]) for score in SCORES}
            skill = {
                f"skill_{rule}": float(1 - scores["crps"] / summary.loc[rule, "crps"])
                for rule in ("persistence", "climatology")
                if rule in summary.index
            }
            rows.append(
                {
                    "dataset": dataset,
                    "row": name,
                    "leads": leads,
                    **kept,
                    **skill,
                    "n": int(scores["n"]),
                    **timing[name],
                }
            )
    return rows


def table_of(dataset: str, rows: list[dict[str, Any]], stations: int, origins: int) -> Table:
    """For people."""
    table = Table(
        title=f"{dataset}: {stations} stations, {origins} daily origins at 00Z",
        title_justify="left",
    )
    table.add_column("row", no_wrap=True)
    headings = (
        "MAE\n1-24",
        "MAE\n1-48",
        "bias\n1-48",
        "CRPS\n1-24",
        "CRPS\n1-48",
        "80 %\ncovers",
        "width\n1-48",
        "train\ns",
    )
    for heading in headings:
        table.add_column(heading, justify="right")
    for name in dict.fromkeys(row["row"] for row in rows):
        day, both = (next(r for r in rows if r["row"] == name and r["leads"] == leads) for leads in ("1-24", "1-48"))
        table.add_row(
            name, f"{day['mae']:.3f}", f"{both['mae']:.3f}", f"{both['bias']:+.2f}",
            f"{day['crps']:.3f}", f"{both['crps']:.3f}", f"{both['coverage_80']:.1%}", f"{both['width_80']:.2f}",
            f"{both['train_seconds']:.1f}",
        )  # fmt: skip
    return table


def verdicts(backtest: Backtest) -> list[str]:
    """Ours beside each ridge with the same inputs, in per cent and in confidence."""
    lines = []
    day, both = backtest.summary(1, 24), backtest.summary(1, 48)
    for ours, peers in (("ours", ("ridge", "ridge_fleet")), ("ours_cov", ("ridge_fleet_cov",))):
        for peer in peers:
            if {ours, peer} <= set(both.index):
                gains = [table.loc[ours, s] / table.loc[peer, s] - 1 for s in ("mae", "crps") for table in (day, both)]
                confidence = 1 - backtest.confidence_worse(ours, peer)
                lines.append(
                    f"{ours} against {peer}, leads 1-24 / 1-48: MAE {gains[0]:+.1%} / {gains[1]:+.1%}, CRPS "
                    f"{gains[2]:+.1%} / {gains[3]:+.1%}; better by Diebold-Mariano on CRPS: {confidence:.3f}"
                )
    return lines


def where() -> dict[str, Any]:
    """On what a run was made, and when."""
    today = datetime.now(UTC).date().isoformat()
    machine = {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    return {"date": today, **machine, "torch": version("torch"), "numpy": version("numpy")}


def main(
    data: Annotated[Path | None, typer.Option(help="Folder with the data sets' parquet files.")] = None,
    only: Annotated[str, typer.Option(help="Data sets, separated by commas.")] = "sample",
    file: Annotated[Path | None, typer.Option(help="Any other parquet file of that shape.")] = None,
    rows: Annotated[str, typer.Option(help="Rows to fit, separated by commas; all when empty.")] = "",
    validation: Annotated[
        bool, typer.Option("--validation", help="Judge before the test, to choose settings.")
    ] = False,
    per_lead: Annotated[Path | None, typer.Option(help="Write every score at every lead to this CSV file.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every figure to this file.")] = None,
    seed: Annotated[int, typer.Option(help="Of ours: initialisation, order and dropout.")] = 0,
) -> None:
    """Compare the forecaster with what people would otherwise pick."""
    settings, screen, results, by_lead = ModelSettings(seed=seed), Console(width=110), [], []
    chosen = rows.split(",") if rows else list(ROWS)
    if unknown := set(chosen) - set(ROWS):
        raise typer.BadParameter(f"--rows: no row {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    wanted = {file.stem: pd.read_parquet(file)} if file else {name: load(name, data) for name in only.split(",")}
    for dataset, readings in wanted.items():
        panel = build_panel(readings, settings.step)
        if validation:
            panel = split(panel)[0]
        there = [name for name in chosen if panel.covariates or "_cov" not in name]
        there, notes = able(there, round(len(panel.stations) * panel.days * TEST_SHARE))
        backtest, timing = compare(panel, settings, there)
        notes += [f"{name}: {told['chosen']}" for name, told in timing.items() if "chosen" in told]
        views = {dataset: backtest}
        if len(once := distinct(panel)) < len(panel.stations):
            views[f"{dataset}, distinct series"] = only_stations(backtest, once)
        for name, view in views.items():
            found = rows_of(name, view, timing)
            beside_ours = comparisons(view)
            tests = {(one.row, "1-48"): asdict(one) for one in beside_ours}
            results += [row | tests.get((row["row"], row["leads"]), {}) for row in found]
            by_lead.append(view.per_lead().assign(dataset=name))
            screen.print(table_of(name, found, len(view.stations), len(view.origins)))
            for line in notes + verdicts(view):
                screen.print(line)
            if beside_ours:
                screen.print(table_of_comparisons(name, beside_ours))
            screen.print()
    if json_file is not None:
        json_file.write_text(json.dumps([row | where() for row in results], indent=2) + "\n", encoding="utf-8")
    if per_lead is not None:
        pd.concat(by_lead).to_csv(per_lead, index=False)


if __name__ == "__main__":
    typer.run(main)
