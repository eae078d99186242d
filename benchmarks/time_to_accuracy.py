"""How long ours takes to be better than ridge and LightGBM will ever be, beside LightGBM's own training.

    make bench-setup
    python benchmarks/time_to_accuracy.py --only sample
    python benchmarks/time_to_accuracy.py --data DIR --only sample,beijing,aus5 --json time.json

Data and protocol are those of accuracy.py --validation: the test is left alone; the last 20 % of what comes before it
judges, from daily origins at 00Z over 48 leads, what learnt from the 80 % before that. Temperatures alone, the fleet's
for everybody: `ridge_fleet`, `lightgbm_fleet` and `ours`, a thread each.

Ours is fitted from nothing with ever larger budgets of passes, none first, until its error is below both peers'. The
clock runs from the start of the fit to a forecaster that could serve: climatology, neighbours, anchor, passes, exams,
calibration and the anchor's second solve are in it, and what smaller budgets took is not. Every budget is fitted twice,
the first of all before and after LightGBM trains, and the slower fit counts. LightGBM's seconds are those of its four
trainings that choose its settings and of the last one; reading data and starting Python are in neither's.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import typer
from rich.console import Console

from benchmarks.accuracy import load, split
from benchmarks.field_peer import FieldPeer
from benchmarks.peers import Ridge
from benchmarks.training import table
from lstm_model.evaluation import run_backtest
from lstm_model.evaluation.backtest import Method
from lstm_model.network import Forecaster
from lstm_model.panel import Panel, build_panel
from lstm_model.settings import ModelSettings

BUDGETS = (0, 1, 2, 5, 10, 20, 40)
REACH = 1 / 5
"""Of LightGBM's training time."""
SCORES = ("mae", "crps")
Origins = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Race:
    """What is learnt from, what is judged, and from where."""

    past: Panel
    panel: Panel
    origins: Origins
    settings: ModelSettings

    @classmethod
    def on(cls, panel: Panel, settings: ModelSettings) -> Race:
        """Over what comes before a panel's test."""
        panel = replace(split(panel)[0], covariates={})
        past, judged = split(panel)
        end = panel.times[-1] - settings.horizon_time
        days = pd.date_range(judged[0].ceil("1D"), end, freq="1D", unit=judged.unit)
        return cls(past, panel, panel.index_of(days), settings)

    def ours(self, passes: int) -> tuple[Forecaster, float]:
        """A forecaster of so many passes at most, and the seconds that its whole fit took."""
        forecaster, began = Forecaster(self.settings.model_copy(update={"max_epochs": passes})), time.perf_counter()
        forecaster.fit_panel(self.past)
        return forecaster, time.perf_counter() - began

    def errors(self, methods: dict[str, Method]) -> pd.DataFrame:
        """MAE and CRPS in °C of every method, on the cases all of them can be judged on."""
        backtest = run_backtest(methods, self.panel, self.origins, self.settings.horizon)
        return backtest.summary(1, self.settings.horizon)[list(SCORES)]


def run(race: Race) -> dict[str, Any]:
    """Every figure of one data set."""
    began = time.perf_counter()
    ridge = Ridge(fleet=True).fit(race.past, race.settings.horizon)
    ridge_seconds = time.perf_counter() - began
    lightgbm = FieldPeer("lightgbm_fleet", race.past, race.settings)
    peers: dict[str, Method] = {"ridge_fleet": ridge, "lightgbm_fleet": lightgbm}
    rows = []
    for passes in BUDGETS:
        forecaster, seconds = race.ours(passes)
        errors = race.errors({**peers, "ours": forecaster})  # LightGBM trains when it is asked first
        _, again = race.ours(passes)
        passed = {score: bool(errors[score].idxmin() == "ours") for score in SCORES}
        rows.append(
            {"passes": passes, "seconds": max(seconds, again), "passed": passed, **errors.loc["ours"].to_dict()}
        )
        if all(passed.values()):
            break
    budget = float(lightgbm.told["train_seconds"])
    return {
        "ours": rows,
        "ridge_fleet": {"seconds": ridge_seconds, **errors.loc["ridge_fleet"].to_dict()},
        "lightgbm_fleet": {"seconds": budget, **errors.loc["lightgbm_fleet"].to_dict(), "told": lightgbm.told},
        "share_of_lightgbm": {score: _first(rows, score, budget) for score in SCORES},
    }


def _first(rows: list[dict[str, Any]], score: str, budget: float) -> float | None:
    """The share of LightGBM's seconds that the smallest budget which passed took; None where none did."""
    return next((row["seconds"] / budget for row in rows if row["passed"][score]), None)


def lines_of(found: dict[str, Any]) -> list[tuple[str, ...]]:
    """For people."""
    budget = found["lightgbm_fleet"]["seconds"]
    named = [(name, found[name]) for name in ("ridge_fleet", "lightgbm_fleet")]
    named += [(f"ours, {row['passes']} passes", row) for row in found["ours"]]
    return [
        (
            name,
            f"{row['mae']:.3f}", f"{row['crps']:.3f}", f"{row['seconds']:.1f}", f"{row['seconds'] / budget:.2f}",
            ", ".join(score.upper() for score in SCORES if row.get("passed", {}).get(score)),
        )
        for name, row in named
    ]  # fmt: skip


def main(
    data: Annotated[Path | None, typer.Option(help="Folder with the data sets' parquet files.")] = None,
    only: Annotated[str, typer.Option(help="Data sets, separated by commas.")] = "sample",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every figure to this file.")] = None,
) -> None:
    """Measure the time to a peer's accuracy."""
    settings, screen, results = ModelSettings(threads=1), Console(width=110), {}
    headings = ("row", "MAE", "CRPS", "s", "× LightGBM's s", "below both peers in")
    for name in only.split(","):
        results[name] = found = run(Race.on(build_panel(load(name, data), settings.step), settings))
        screen.print(table(f"{name}: validation, leads 1-{settings.horizon}", headings, lines_of(found)))
        told = found["lightgbm_fleet"]["told"]
        screen.print(f"LightGBM chose {told['chosen']}; reach: {REACH:.2f} of its seconds\n")
    if json_file is not None:
        json_file.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
