"""What each idea of the forecaster is worth, beside what another seed would change.

    python benchmarks/ablations.py --only sample --validation
    python benchmarks/ablations.py --data DIR --only beijing,aus5 --rows ours,ours_rnn,ours_gru --json ablations.json

Protocol and data sets are those of `accuracy.py`. Every row is trained with several seeds; a difference to `ours` is
taken seed by seed, and its standard error over seeds says what chance in training leaves open. What chance in the
weather leaves open is another matter: `accuracy.py` tests that over origins.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.accuracy import compare, load, split
from benchmarks.variants import OURS
from lstm_model.panel import Panel, build_panel
from lstm_model.settings import ModelSettings

WITHOUT_CHANCE = ("ours_no_lstm", "ours_cov_no_lstm")
SCORES = ("crps", "mae", "coverage_80")


def over_seeds(panel: Panel, rows: list[str], seeds: int) -> pd.DataFrame:
    """Scores over all leads and seconds of training, one line a row and seed; rows without chance are fitted once."""
    lines = []
    for seed in range(seeds):
        todo = [row for row in rows if seed == 0 or row not in WITHOUT_CHANCE]
        backtest, timing = compare(panel, ModelSettings(seed=seed), todo)
        table = backtest.summary()
        for row in todo:
            scores = {score: float(table.loc[row, score]) for score in SCORES}
            lines.append({"row": row, "seed": seed, **scores, "train_seconds": timing[row]["train_seconds"]})
    return pd.DataFrame(lines)


def beside_ours(found: pd.DataFrame) -> list[dict[str, Any]]:
    """Mean and standard error over seeds of CRPS, and of how much larger it is than ours at the same seed."""
    by_seed = found.pivot(index="seed", columns="row", values="crps")
    lines = []
    for row in dict.fromkeys(found["row"]):
        its = found[found["row"] == row]
        crps = by_seed[row].fillna(by_seed[row].iloc[0])  # without chance, every seed says the same
        larger = crps / by_seed["ours"] - 1
        lines.append(
            {
                "row": row,
                "seeds": len(its),
                "crps": float(its["crps"].mean()),
                "crps_error": standard_error(its["crps"].to_numpy()),
                "crps_larger": float(larger.mean()),
                "crps_larger_error": standard_error(larger.to_numpy()),
                "mae": float(its["mae"].mean()),
                "coverage_80": float(its["coverage_80"].mean()),
                "train_seconds": float(its["train_seconds"].median()),
            }
        )
    return lines


def standard_error(values: np.ndarray) -> float:
    """Of the mean; NaN with one value."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")


def table_of(dataset: str, lines: list[dict[str, Any]]) -> Table:
    """For people."""
    table = Table(title=f"{dataset}: leads 1-48, mean ± standard error over seeds", title_justify="left")
    for heading in ("row", "seeds", "CRPS", "beside ours", "MAE", "80 % covers", "train s"):
        table.add_column(heading, justify="left" if heading == "row" else "right", no_wrap=True)
    for line in lines:
        table.add_row(
            line["row"], str(line["seeds"]), f"{line['crps']:.4f} ± {line['crps_error']:.4f}",
            f"{line['crps_larger']:+.2%} ± {line['crps_larger_error']:.2%}", f"{line['mae']:.3f}",
            f"{line['coverage_80']:.1%}", f"{line['train_seconds']:.0f}",
        )  # fmt: skip
    return table


def main(
    data: Annotated[Path | None, typer.Option(help="Folder with the data sets' parquet files.")] = None,
    only: Annotated[str, typer.Option(help="Data sets, separated by commas.")] = "sample",
    rows: Annotated[str, typer.Option(help="Rows of ours, separated by commas; all when empty.")] = "",
    seeds: Annotated[int, typer.Option(min=1, help="Seeds: 0, 1, …")] = 3,
    validation: Annotated[
        bool, typer.Option("--validation", help="Judge before the test, to choose settings.")
    ] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every figure to this file.")] = None,
) -> None:
    """Take one idea away at a time, with several seeds."""
    chosen = list(dict.fromkeys(["ours", *(rows.split(",") if rows else OURS)]))
    if unknown := set(chosen) - set(OURS):
        raise typer.BadParameter(f"--rows: no row {', '.join(sorted(unknown))}; there are {', '.join(OURS)}")
    results, screen = [], Console(width=110)
    for dataset in only.split(","):
        panel = build_panel(load(dataset, data), ModelSettings().step)
        if validation:
            panel = split(panel)[0]
        there = [row for row in chosen if panel.covariates or "_cov" not in row]
        found = over_seeds(panel, there, seeds)
        lines = beside_ours(found)
        by_seed = found.to_dict("records")
        results.append({"dataset": dataset, "validation": validation, "rows": lines, "by_seed": by_seed})
        screen.print(table_of(dataset, lines))
    if json_file is not None:
        json_file.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
