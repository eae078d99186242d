"""How fast the network learns and forecasts, and what that takes: ours beside two plain loops, in one run.

    python benchmarks/training.py --only rates
    python benchmarks/training.py --only rates,forecast,night --json training.json

rates: origins learnt from in a second, by loops that learn from the same readings, inputs, leads and quantiles with an
LSTM of the same width, the same loss, AdamW and clipping. They take turns, so that a busy machine hurts all alike; the
median of their rounds is told.
- windowed: what is usual, `nn.LSTM` over each origin's whole context, learning from its last state;
- bare dense: every hour after a burn-in is an origin, and nothing else: no anchor, no drop-out, quantiles as they come,
  and the loss as textbooks write it, max(q · e, (q − 1) · e);
- bare dense, our loss: the same with the loss that ours has, which goes through memory quantile by quantile;
- ours: `train_network` as a night runs it, which cuts every window anew, asks the anchor and keeps quantiles in order;
- ours with exams: the same with its validation blocks.
The plain loops find their windows cut already; ours pays for it. Neighbouring origins of a dense window share their
past, 72 to 239 steps of it.

forecast: seconds until every quantile of every lead of every station of a large fleet is there, from one origin; the
forecaster's weights are invented, of the shapes that fitting gives.

night: how long a whole `fit_panel` takes, and the most memory its process ever held, beside the panel's own bytes.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from lstm_model.network import Forecaster
from lstm_model.network.anchor import Anchor, Lags
from lstm_model.network.forecaster import Fitted
from lstm_model.network.history import History, Windows, cut_windows, fit_anchor, scaled_history, targets_of
from lstm_model.network.neighbours import choose_neighbours
from lstm_model.network.scaling import Scaling
from lstm_model.network.training import (
    BATCH,
    LARGEST_GRADIENT,
    LEARNING_RATE,
    MOST_STEPS_PER_EPOCH,
    ORIGINS_PER_WINDOW,
    WEIGHT_DECAY,
    burn_in_of,
    train_network,
)
from lstm_model.network.weather_lstm import WeatherLSTM, pinball_loss
from lstm_model.panel import HeldOut, Panel, hold_out_blocks
from lstm_model.settings import QUANTILES, ModelSettings

WINDOWED_BATCH = 256
BATCHES_CUT = 16
MISSING = 0.01
MEGABYTE = 1e6

Result = dict[str, Any]


def weather(stations: int, days: int) -> Panel:
    """Invented readings, some of them missing: only their number matters here."""
    chance = np.random.default_rng(0)
    times = pd.date_range("2023-01-01", periods=24 * days, freq="1h", tz="UTC")
    day = 5 * np.sin(2 * np.pi * times.hour.to_numpy() / 24)
    values = np.empty((stations, len(times)), np.float32)
    for row in values:  # one at a time: the memory of the whole is measured
        row[:] = day + np.cumsum(chance.normal(0, 0.3, len(times))) % 10
        row[chance.random(len(times)) < MISSING] = np.nan
    return Panel(tuple(f"{row:04d}" for row in range(stations)), times, values)


# ── rates ──────────────────────────────────────────────────────────────────────────────────────────────────────


def rates(settings: ModelSettings, stations: int, days: int, rounds: int) -> list[Result]:
    """Origins a second of every loop: a warm-up of each, then rounds in which they take turns."""
    torch.set_num_threads(settings.threads)
    panel = weather(stations, days)
    history = scaled_history(
        panel, Scaling.fit(panel, np.ones(len(panel.times), bool)), choose_neighbours(panel.temperature_c, 6)
    )
    held_out = hold_out_blocks(panel.times, settings.horizon)
    anchor, _ = fit_anchor(history, held_out, settings.horizon, Lags.within(settings.context))
    steps = int(np.ceil(history.own.filled.size / (BATCH * ORIGINS_PER_WINDOW)))
    burn_in = burn_in_of(anchor, settings.context)
    loops: dict[str, Callable[[], int]] = {
        "windowed": plain(history, anchor, settings, WINDOWED_BATCH, settings.context - 1, 1, steps=4),
        "bare dense": plain(history, anchor, settings, BATCH, burn_in, steps=steps),
        "bare dense, our loss": plain(history, anchor, settings, BATCH, burn_in, steps=steps, loss=our_loss),
        "ours": ours(history, anchor, HeldOut.nothing(history.steps), settings, steps),
        "ours with exams": ours(history, anchor, held_out, settings, steps),
    }
    found: dict[str, list[float]] = {name: [] for name in loops}
    for turn in range(rounds + 1):
        for name, learn in loops.items():
            began = time.perf_counter()
            origins = learn()
            if turn:
                found[name].append(origins / (time.perf_counter() - began))
    return [
        {
            "loop": name,
            "origins_per_second": float(np.median(all_of)),
            "against_windowed": _ratio(all_of, found["windowed"]),
            "against_bare": _ratio(all_of, found["bare dense"]),
            "against_bare_our_loss": _ratio(all_of, found["bare dense, our loss"]),
            "rounds": all_of,
        }
        for name, all_of in found.items()
    ]


def _ratio(of: list[float], to: list[float]) -> float:
    """The median of the rounds' ratios: what slows a round slows both."""
    return float(np.median(np.array(of) / np.array(to)))


def ours(history: History, anchor: Anchor, held_out: HeldOut, settings: ModelSettings, steps: int) -> Callable[[], int]:
    """An epoch as a night has it, on one network."""

    def learn() -> int:
        train_network(
            history, anchor, held_out,
            hidden_size=settings.hidden_size, context=settings.context, max_epochs=1, seed=0,
        )  # fmt: skip
        taught = held_out.training.mean() if held_out.validation.any() else 1.0
        return int(min(steps, MOST_STEPS_PER_EPOCH) * BATCH * ORIGINS_PER_WINDOW * taught)

    return learn


def textbook_loss(answers: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """Pinball loss of (B, m, H · Q) answers at truth (B, m, H), over what is known."""
    error = truth.unsqueeze(-1) - answers.unflatten(-1, (-1, len(QUANTILES)))
    levels = torch.tensor(QUANTILES)
    loss = torch.maximum(levels * error, (levels - 1) * error).mean(-1)
    return (loss * known).sum() / known.sum()


def our_loss(answers: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """The same by our function, of (B, m, Q · H) answers."""
    return pinball_loss(answers.unflatten(-1, (len(QUANTILES), -1)).unbind(-2), truth, known)


def plain(
    history: History,
    anchor: Anchor,
    settings: ModelSettings,
    batch: int,
    burn_in: int,
    origins: int = ORIGINS_PER_WINDOW,
    *,
    steps: int,
    loss: Callable[[Tensor, Tensor, Tensor], Tensor] = textbook_loss,
) -> Callable[[], int]:
    """Steps of a loop that has nothing but an LSTM, a head, the loss and the optimizer, on windows cut before."""
    lessons = cycle(list(_cut(history, anchor, settings.horizon, batch, burn_in, origins)))
    channels = next(lessons)[0].shape[-1]
    lstm = nn.LSTM(channels, settings.hidden_size, batch_first=True)
    head = nn.Linear(settings.hidden_size, settings.horizon * len(QUANTILES))
    parameters = [*lstm.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)

    def learn() -> int:
        for _ in range(steps):
            inputs, truth, known = next(lessons)
            states, _ = lstm(inputs)
            optimizer.zero_grad()
            loss(head(states[:, burn_in:]), truth, known).backward()
            nn.utils.clip_grad_norm_(parameters, LARGEST_GRADIENT)
            optimizer.step()
        return steps * batch * origins

    return learn


def _cut(
    history: History, anchor: Anchor, horizon: int, batch: int, burn_in: int, origins: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Batches of inputs (B, n, C), truth and where it is known, both (B, origins, H)."""
    chance = np.random.default_rng(0)
    for _ in range(BATCHES_CUT):
        rows = chance.integers(history.stations, size=batch)
        starts = chance.integers(history.steps - burn_in - origins, size=batch)
        windows: Windows = cut_windows(history, anchor, rows, starts, burn_in + origins, burn_in)
        yield windows.inputs, *targets_of(history, windows, horizon)


# ── forecast and night ─────────────────────────────────────────────────────────────────────────────────────────


def forecast(settings: ModelSettings, stations: int, rounds: int) -> Result:
    """Seconds of `Forecaster.forecast` for a fleet, the median of some rounds after a first."""
    panel = weather(stations, 14)
    forecaster = invented(settings, panel)
    forecaster.forecast(panel, np.array([len(panel.times) - 2]))
    origin, seconds = np.array([len(panel.times) - 1]), []
    for _ in range(rounds):
        began = time.perf_counter()
        quantiles = forecaster.forecast(panel, origin)
        seconds.append(time.perf_counter() - began)
    return {"stations": stations, "shape": list(quantiles.shape), "seconds": float(np.median(seconds)), "all": seconds}


def invented(settings: ModelSettings, panel: Panel) -> Forecaster:
    """A forecaster whose weights are chance, of the shapes that fitting the panel would give."""
    chance, stations, horizon = np.random.default_rng(0), len(panel.stations), settings.horizon
    lags, levels = Lags.within(settings.context), len(QUANTILES)
    scaling = Scaling.fit(panel, np.ones(len(panel.times), bool))
    neighbours = chance.integers(stations, size=(stations, settings.neighbours))
    history = scaled_history(panel, scaling, neighbours)
    features = history.features(0, lags, np.array([lags.reach])).shape[1]
    weights = chance.normal(0, 0.01, (stations + 1, features, horizon)).astype(np.float32)
    anchor = Anchor(weights, np.ones((stations + 1, horizon, levels), np.float32), lags)
    network = WeatherLSTM(neighbours.shape[1], 0, settings.hidden_size, horizon, 0.0).eval()
    offsets = np.zeros((horizon, levels), np.float32)
    fitted = Fitted(scaling, neighbours, anchor, offsets, offsets, (network,), panel.times[-1])
    return Forecaster.of(settings, fitted)


def night(settings: ModelSettings, stations: int, days: int) -> Result:
    """Fit a fleet in a process of its own: its seconds, and the most memory it held."""
    call = f"from benchmarks.training import fit_here; fit_here({stations}, {days}, {settings.model_dump_json()!r})"
    told = subprocess.run(  # noqa: S603 - this very file
        [sys.executable, "-c", call], check=True, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]
    )
    return {"stations": stations, "days": days, **json.loads(told.stdout)}


def fit_here(stations: int, days: int, settings: str) -> None:
    """The body of `night`: prints one JSON object."""
    panel = weather(stations, days)
    before, began = _most_memory(), time.perf_counter()
    Forecaster(ModelSettings.model_validate_json(settings)).fit_panel(panel)
    seconds, peak, size = time.perf_counter() - began, _most_memory(), panel.temperature_c.nbytes / MEGABYTE
    allowed = 1.5 * size + 500
    print(
        json.dumps({"seconds": seconds, "panel_mb": size, "before_mb": before, "peak_mb": peak, "allowed_mb": allowed})
    )


def _most_memory() -> float:
    """The most that this process ever held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / MEGABYTE


# ── for people ─────────────────────────────────────────────────────────────────────────────────────────────────


def table(title: str, headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> Table:
    """A table whose first column is words and whose others are numbers."""
    result = Table(title=title, title_justify="left")
    for place, heading in enumerate(headings):
        result.add_column(heading, justify="right" if place else "left", no_wrap=True)
    for row in rows:
        result.add_row(*row)
    return result


def main(
    only: Annotated[str, typer.Option(help="Of rates, forecast, night, separated by commas.")] = "rates",
    stations: Annotated[int, typer.Option(help="rates: stations of the invented fleet.")] = 12,
    days: Annotated[int, typer.Option(help="rates: days of its history.")] = 365,
    rounds: Annotated[int, typer.Option(help="rates, forecast: rounds measured.")] = 7,
    threads: Annotated[int, typer.Option(help="rates, night: CPU threads.")] = 1,
    fleet: Annotated[int, typer.Option(help="forecast: stations of a large fleet.")] = 5672,
    fleet_threads: Annotated[int, typer.Option(help="forecast: CPU threads.")] = 2,
    night_stations: Annotated[int, typer.Option(help="night: stations.")] = 1000,
    night_days: Annotated[int, typer.Option(help="night: days of history.")] = 730,
    max_epochs: Annotated[int, typer.Option(help="night: passes over the history at most.")] = 2,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every figure to this file.")] = None,
) -> None:
    """Measure how fast the network learns and forecasts."""
    wanted, screen, results = only.split(","), Console(width=110), {}
    if unknown := set(wanted) - {"rates", "forecast", "night"}:
        raise typer.BadParameter(f"--only: no {', '.join(sorted(unknown))}; there are rates, forecast, night")
    settings = ModelSettings(threads=threads)
    sizes = f"context {settings.context}, {settings.horizon} leads × {len(QUANTILES)} quantiles"
    if "rates" in wanted:
        results["rates"] = rates(settings, stations, days, rounds)
        lines = [
            (
                r["loop"],
                f"{r['origins_per_second']:,.0f}",
                f"{r['against_windowed']:.1f}",
                f"{r['against_bare']:.2f}",
                f"{r['against_bare_our_loss']:.2f}",
            )
            for r in results["rates"]
        ]
        headings = ("loop", "origins/s", "× windowed", "× bare dense", "× with our loss")
        screen.print(table(f"origins learnt from in a second: {sizes}, {threads} threads", headings, lines))
    if "forecast" in wanted:
        found = forecast(settings.model_copy(update={"threads": fleet_threads}), fleet, rounds)
        results["forecast"] = found
        line = (f"{fleet:,} stations", f"{found['seconds']:.2f}", f"{min(found['all']):.2f}")
        screen.print(table(f"one forecast: {sizes}, {fleet_threads} threads", ("fleet", "s", "fastest"), [line]))
    if "night" in wanted:
        changes = {"max_epochs": max_epochs}
        results["night"] = found = night(settings.model_copy(update=changes), night_stations, night_days)
        line = (
            f"{night_stations:,} stations, {night_days} days, {max_epochs} epochs",
            *(f"{found[name]:,.0f}" for name in ("seconds", "panel_mb", "before_mb", "peak_mb", "allowed_mb")),
        )
        headings = ("fit_panel", "s", "panel MB", "before MB", "peak MB", "1.5 × panel + 500 MB")
        screen.print(table(f"a whole training: {sizes}, {threads} threads", headings, [line]))
    if json_file is not None:
        json_file.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
