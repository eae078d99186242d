"""Which recurrent cell remembers a trend in noisy readings: `nn.RNN`, `nn.LSTM` and `nn.GRU` on rising sequences.

    python benchmarks/cells.py
    python benchmarks/cells.py --lengths 5,50 --noise 0,4 --seeds 20 --json cells.json

Sequences rise by one a step from somewhere between 30 and 40, as in 30, 31, 32, 33, 34 ─► 35, and every reading, the
one to forecast included, carries noise. All cells have the same width, see the same 200 sequences, are taught in the
same way and keep the state that did best on 100 others. Judged is the mean absolute error of the next value on 1,000
new sequences, against that value without its noise.

Two rules that know the rise stand beside them: the last reading plus one, and the mean of all readings, each moved up
to the next value. A cell comes near the second only by remembering all it has read; it can do a little better by
knowing where sequences begin. The last line is our own forecaster on the article's three sequences without noise: what
it says after 36, 37, 38, 39, 40.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from benchmarks.ablations import standard_error
from lstm_model.network import Forecaster
from lstm_model.settings import ModelSettings

CELLS: dict[str, type[nn.RNNBase]] = {"nn.RNN": nn.RNN, "nn.LSTM": nn.LSTM, "nn.GRU": nn.GRU}
WIDTH = 32
TAUGHT, VALIDATED, JUDGED = 200, 100, 1000
BATCH, EPOCHS, LEARNING_RATE = 50, 150, 3e-3
LOWEST, HIGHEST = 30.0, 40.0
ARTICLE_STARTS = (30, 32, 35)


class NextValue(nn.Module):
    """A cell over the readings, and a linear answer from its last state."""

    def __init__(self, cell: type[nn.RNNBase]) -> None:
        super().__init__()
        self.cell = cell(1, WIDTH, batch_first=True)
        self.head = nn.Linear(WIDTH, 1)

    def forward(self, readings: Tensor) -> Tensor:
        """(B, n) readings to (B,) the next one, all scaled."""
        states, _ = self.cell(readings.unsqueeze(-1))
        return self.head(states[:, -1])[:, 0]


def rising(count: int, length: int, noise: float, chance: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Sequences (count, length + 1) with noise, and (count,) their last value without it."""
    starts = chance.uniform(LOWEST, HIGHEST, (count, 1))
    clean = starts + np.arange(length + 1)
    return clean + chance.normal(0, noise, clean.shape), clean[:, -1]


def errors_of_cells(length: int, noise: float, seed: int) -> dict[str, float]:
    """Mean absolute errors of every cell and of both rules on the same sequences."""
    chance = np.random.default_rng(seed)
    taught, validated, (judged, truth) = (
        rising(TAUGHT, length, noise, chance)[0],
        rising(VALIDATED, length, noise, chance)[0],
        rising(JUDGED, length, noise, chance),
    )
    level, spread = taught.mean(), taught.std()
    lesson, exam, seen = (torch.from_numpy((part - level) / spread).float() for part in (taught, validated, judged))
    answers = {
        "last + 1": judged[:, -2] + 1,
        "mean of all": (judged[:, :-1] + np.arange(length, 0, -1)).mean(axis=1),
    }
    for name, cell in CELLS.items():
        network = teach(cell, lesson, exam, seed)
        with torch.no_grad():
            answers[name] = network(seen[:, :-1]).numpy() * spread + level
    return {name: float(np.abs(answer - truth).mean()) for name, answer in answers.items()}


def teach(cell: type[nn.RNNBase], lesson: Tensor, exam: Tensor, seed: int) -> NextValue:
    """Train on (N, n + 1) scaled sequences; the state that does best on the exam's is kept."""
    torch.manual_seed(seed)
    network = NextValue(cell)
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    best, best_state = float("inf"), copy.deepcopy(network.state_dict())
    for _ in range(EPOCHS):
        for batch in lesson[torch.randperm(len(lesson))].split(BATCH):
            optimizer.zero_grad()
            nn.functional.mse_loss(network(batch[:, :-1]), batch[:, -1]).backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
        with torch.no_grad():
            loss = float(nn.functional.mse_loss(network(exam[:, :-1]), exam[:, -1]))
        if loss < best:
            best, best_state = loss, copy.deepcopy(network.state_dict())
    network.load_state_dict(best_state)
    return network


def answer_of_ours(seed: int) -> float:
    """What the forecaster, taught three sequences of six, says after 36 … 40."""
    taught = pd.concat([_counting(f"from {start}", start, 6) for start in ARTICLE_STARTS])
    forecaster = Forecaster(ModelSettings(context=5, horizon=1, seed=seed)).fit(taught)
    return float(forecaster.predict(readings=_counting("new", 36, 5))["temperature_c"].item())


def _counting(station: str, start: int, count: int) -> pd.DataFrame:
    times = pd.date_range("2024-01-01", periods=count, freq="1h", tz="UTC")
    values = start + np.arange(count, dtype=np.float32)
    return pd.DataFrame({"station_id": station, "observed_at": times, "temperature_c": values})


def table_of(lines: list[dict[str, Any]]) -> Table:
    """For people."""
    names = [*CELLS, "last + 1", "mean of all"]
    title = f"error of the next value, mean ± standard error over {lines[0]['seeds']} seeds, width {WIDTH}"
    table = Table(title=title, title_justify="left")
    for heading in ("readings", "noise", *names):
        table.add_column(heading, justify="right", no_wrap=True)
    for line in lines:
        figures = [f"{line[name]['mean']:.3f} ± {line[name]['error']:.3f}" for name in names]
        table.add_row(str(line["length"]), f"{line['noise']:g}", *figures)
    return table


def main(
    lengths: Annotated[str, typer.Option(help="Readings seen, separated by commas.")] = "5,30",
    noise: Annotated[str, typer.Option(help="Standard deviations of the noise, separated by commas.")] = "0,0.5,1,2",
    seeds: Annotated[int, typer.Option(min=1, help="Seeds: 0, 1, …")] = 5,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every figure to this file.")] = None,
) -> None:
    """Compare the cells."""
    torch.set_num_threads(1)
    lines = []
    for length, size in ((int(length), float(size)) for length in lengths.split(",") for size in noise.split(",")):
        errors = pd.DataFrame([errors_of_cells(length, size, seed) for seed in range(seeds)])
        scores = {
            name: {"mean": float(of.mean()), "error": standard_error(of.to_numpy())} for name, of in errors.items()
        }
        lines.append({"length": length, "noise": size, "seeds": seeds, **scores})
    ours = np.array([answer_of_ours(seed) for seed in range(seeds)])
    Console(width=110).print(table_of(lines))
    typer.echo(f"ours after 36, 37, 38, 39, 40 without noise: {ours.mean():.3f} ± {standard_error(ours):.3f}")
    if json_file is not None:
        found = {"width": WIDTH, "cells": lines, "ours_after_36_to_40": ours.tolist()}
        json_file.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
