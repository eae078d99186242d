"""How fast the network learns: dense training beside the usual loop of one window an origin, in one run.

    python benchmarks/training_speed.py
    python benchmarks/training_speed.py --stations 50 --threads 2 --json speed.json

Both loops train an LSTM of the same width on the same readings, with the same quantile loss, for the same horizon and
context; the usual loop sends each origin's whole context through `nn.LSTM` and learns from its last state, and it reads
only the station itself and the clock. Ours also cuts neighbours' inputs and works out the anchor. Counted are origins
learnt from in a second; neighbouring origins of ours share their past, 72 to 239 steps of it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import nn

from lstm_model.network.anchor import Lags
from lstm_model.network.history import History, cut_windows, fit_anchor, scaled_history, targets_of
from lstm_model.network.neighbours import choose_neighbours
from lstm_model.network.scaling import Scaling
from lstm_model.network.training import BATCH, ORIGINS_PER_WINDOW, burn_in_of
from lstm_model.network.weather_lstm import WeatherLSTM, pinball_loss, to_quantiles
from lstm_model.panel import HeldOut, Panel
from lstm_model.settings import QUANTILES, ModelSettings

WINDOWED_BATCH = 256


def weather(stations: int, days: int) -> Panel:
    """Invented readings: only their number matters here."""
    chance = np.random.default_rng(0)
    times = pd.date_range("2024-01-01", periods=24 * days, freq="1h", tz="UTC")
    walk = np.cumsum(chance.normal(0, 0.3, (stations, len(times))), axis=1)
    cycle = 5 * np.sin(2 * np.pi * times.hour.to_numpy() / 24)
    return Panel(tuple(f"{row:04d}" for row in range(stations)), times, (cycle + walk % 10).astype(np.float32))


def rate(learn: Callable[[], int], seconds: float) -> float:
    """Origins a second, after a first round that does not count."""
    learn()
    began, origins = time.perf_counter(), 0
    while (spent := time.perf_counter() - began) < seconds:
        origins += learn()
    return origins / spent


def dense(history: History, settings: ModelSettings, batch: int, origins: int) -> Callable[[], int]:
    """A step of our loop: windows cut, anchor, network, loss, gradient."""
    everything = np.ones(history.steps, bool)
    held_out = HeldOut(training=everything, validation=~everything, calibration=~everything, fitted=everything)
    anchor, _ = fit_anchor(history, held_out, settings.horizon, Lags.within(settings.context))
    network = WeatherLSTM(history.neighbours.shape[1], 0, settings.hidden_size, settings.horizon, 0.5)
    optimizer = torch.optim.AdamW(network.parameters())
    burn_in, chance = burn_in_of(anchor, settings.context), np.random.default_rng(0)

    def learn() -> int:
        rows = chance.integers(len(history.truth), size=batch)
        starts = chance.integers(history.steps - burn_in - origins, size=batch)
        windows = cut_windows(history, anchor, rows, starts, burn_in + origins, burn_in)
        truth, known = targets_of(history, windows, settings.horizon)
        quantiles = to_quantiles(network(windows.inputs, burn_in), windows.anchor, windows.gaps)
        _step(pinball_loss(quantiles, truth, known), optimizer)
        return batch * origins

    return learn


def windowed(history: History, settings: ModelSettings) -> Callable[[], int]:
    """A step of the usual loop: a batch of contexts, one origin each."""
    channels = 1 + history.clock.shape[1]
    lstm = nn.LSTM(channels, settings.hidden_size, batch_first=True)
    head = nn.Linear(settings.hidden_size, settings.horizon * len(QUANTILES))
    optimizer = torch.optim.AdamW([*lstm.parameters(), *head.parameters()])
    chance = np.random.default_rng(0)

    def learn() -> int:
        rows = chance.integers(len(history.truth), size=WINDOWED_BATCH)
        origins = chance.integers(settings.context, history.steps - settings.horizon, size=WINDOWED_BATCH)
        steps = origins[:, None] - np.arange(settings.context)[::-1]
        own = history.own.filled[rows[:, None], steps][..., None]
        inputs = torch.from_numpy(np.concatenate([own, history.clock[steps]], axis=2))
        truth = history.own.filled[rows[:, None], origins[:, None] + np.arange(1, settings.horizon + 1)]
        states, _ = lstm(inputs)
        quantiles = head(states[:, -1]).unflatten(-1, (settings.horizon, len(QUANTILES)))
        _step(pinball_loss(quantiles, torch.from_numpy(truth), torch.ones(truth.shape)), optimizer)
        return WINDOWED_BATCH

    return learn


def _step(loss: torch.Tensor, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def main(
    stations: Annotated[int, typer.Option(help="Stations of the invented fleet.")] = 12,
    days: Annotated[int, typer.Option(help="Days of its history.")] = 365,
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 1,
    batch: Annotated[int, typer.Option(help="Windows a step of ours.")] = BATCH,
    segment: Annotated[int, typer.Option(help="Origins a window of ours.")] = ORIGINS_PER_WINDOW,
    seconds: Annotated[float, typer.Option(help="How long each loop is measured.")] = 10.0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every figure to this file.")] = None,
) -> None:
    """Compare the training loops."""
    torch.set_num_threads(threads)
    settings, panel = ModelSettings(), weather(stations, days)
    scaling = Scaling.fit(panel, np.ones(len(panel.times), bool))
    neighbours = choose_neighbours(panel.temperature_c, settings.neighbours)
    history = scaled_history(panel, scaling, neighbours)
    loops = {"windowed nn.LSTM": windowed(history, settings), "ours": dense(history, settings, batch, segment)}
    rates = {name: rate(learn, seconds) for name, learn in loops.items()}
    sizes = f"context {settings.context}, horizon {settings.horizon}, hidden {settings.hidden_size}"
    table = Table(title=f"origins learnt from in a second: {sizes}, {threads} threads", title_justify="left")
    for heading in ("loop", "origins/s", "ratio"):
        table.add_column(heading, justify="left" if heading == "loop" else "right")
    slowest = rates["windowed nn.LSTM"]
    for name, found in rates.items():
        table.add_row(name, f"{found:,.0f}", f"{found / slowest:.1f}")
    Console(width=110).print(table)
    if json_file is not None:
        rows = [{"loop": name, "origins_per_second": found, "ratio": found / slowest} for name, found in rates.items()]
        json_file.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
