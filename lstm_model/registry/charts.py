"""Charts logged beside a model: how it learnt, what it says, how it compares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lstm_model.evaluation import Backtest
from lstm_model.network.cell import Gates
from lstm_model.network.training import Epoch
from lstm_model.panel import Panel
from lstm_model.settings import MEDIAN, QUANTILES

_LINE, _TRUTH = "#1f4e79", "#d1495b"
_BANDS = ("#dbe5ef", "#b9cce1", "#90afd0")  # 90, 80 and 50 %
_METHOD_COLOURS = {
    "challenger": "#1f4e79",
    "ridge": "#8a6fb0",
    "damped_anomaly": "#e09f3e",
    "climatology": "#2f9e6e",
    "seasonal_naive": "#b0a08a",
    "persistence": "#6b7280",
}
_VERIFIED_BESIDE = ("damped_anomaly", "climatology", "persistence")
_DAYS_OF_PAST = 3
_MOST_STATIONS = 6
_TALL_STATIONS = 4  # more than these, and their panels get lower, to be seen together


def learning_curve(epochs: Sequence[Epoch]) -> Figure:
    """Training and validation loss by epoch, the kept epoch marked."""
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    numbers = [epoch.epoch for epoch in epochs]
    axes.plot(numbers, [epoch.training_loss for epoch in epochs], color=_TRUTH, label="training")
    axes.plot(numbers, [epoch.validation_loss for epoch in epochs], color=_LINE, label="validation")
    judged = [epoch for epoch in epochs if epoch.validation_loss == epoch.validation_loss]
    if judged:
        kept = min(judged, key=lambda epoch: epoch.validation_loss)
        axes.plot(kept.epoch, kept.validation_loss, "o", color=_LINE, label=f"kept: epoch {kept.epoch}")
    axes.set(xlabel="epoch (0 is the anchor, untrained)", ylabel="pinball loss, in spreads", title="Learning curve")
    axes.legend(frameon=False)
    _tidy(axes)
    return figure


def forecast_fan(
    forecast: pd.DataFrame,
    recent: pd.DataFrame,
    later: pd.DataFrame | None = None,
    *,
    stations: Sequence[str] | None = None,
    width: float = 9.0,
) -> Figure:
    """One panel a station: recent readings, the median ahead, and its 50, 80 and 90 % intervals.

    Args:
        forecast: rows of one issue, columns as in the forecasts table.
        recent: readings up to the origin.
        later: readings after it, drawn as truth where they are known by now.
        stations: which, from top to bottom; the first few by name when None.
        width: of the figure, inches.
    """
    if stations is None:
        stations = sorted(forecast["station_id"].unique())[:_MOST_STATIONS]
    each = 2.4 if len(stations) <= _TALL_STATIONS else 1.7
    figure = Figure(figsize=(width, 1 + each * len(stations)), layout="constrained")
    issued_at = forecast["issued_at"].iloc[0]
    columns = [f"q{round(level * 100):02d}" for level in QUANTILES]
    for axes, station in zip(
        figure.subplots(len(stations), 1, sharex=True, squeeze=False)[:, 0], stations, strict=True
    ):
        rows = forecast[forecast["station_id"] == station].sort_values("valid_at")
        past = recent[
            (recent["station_id"] == station)
            & (recent["observed_at"] > issued_at - pd.Timedelta(days=_DAYS_OF_PAST))
            & (recent["observed_at"] <= issued_at)
        ]
        axes.plot(past["observed_at"], past["temperature_c"], color="#333333", linewidth=1.3, label="readings")
        for lower in range(MEDIAN):
            promised = QUANTILES[-1 - lower] - QUANTILES[lower]
            axes.fill_between(
                rows["valid_at"], rows[columns[lower]], rows[columns[-1 - lower]],
                color=_BANDS[lower], linewidth=0, label=f"{promised:.0%} interval",
            )  # fmt: skip
        axes.plot(rows["valid_at"], rows["temperature_c"], color=_LINE, linewidth=1.6, label="median forecast")
        if later is not None:
            truth = later[(later["station_id"] == station) & later["observed_at"].isin(rows["valid_at"])]
            if len(truth):
                axes.plot(truth["observed_at"], truth["temperature_c"], ".", color=_TRUTH, ms=4, label="what came")
        axes.axvline(issued_at, color="#999999", linewidth=0.8, linestyle=":")
        axes.set_title(f"{station} · {rows['method'].iloc[0].replace('_', ' ')}", loc="left", fontsize=10)
        axes.set_ylabel("°C")
        _tidy(axes)
    drawn = {label: line for axes in figure.axes for line, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(drawn.values(), drawn.keys(), frameon=False, fontsize=8, ncols=len(drawn), loc="outside lower left")
    figure.axes[-1].tick_params(axis="x", labelrotation=0, labelsize=8)
    figure.suptitle(f"Forecast issued {issued_at:%Y-%m-%d %H:%M} UTC", x=0.01, ha="left")
    return figure


def gates(panel: Panel, station: str, inside: Gates) -> Figure:
    """How the LSTM read the past of a station: the readings, its three gates, and its memory.

    Args:
        panel: observations, ending where the context ends.
        station: whose context it is.
        inside: the gates over that context, (1, context, hidden).
    """
    steps = inside.forget.shape[1]
    times = panel.times[-steps:]
    figure = Figure(figsize=(9, 8), layout="constrained")
    readings, opened, memory = figure.subplots(3, 1, sharex=True, height_ratios=(2, 3, 3))
    past = panel.temperature_c[panel.stations.index(station), -steps:]
    readings.plot(times, past, color="#333333", linewidth=1.3)
    readings.set(ylabel="°C")
    readings.set_title(f"{station}: what the LSTM was shown", loc="left", fontsize=10)
    said = (
        ("forget gate: the memory stays", inside.forget, "#1f4e79"),
        ("input gate: news is let in", inside.input, "#d1495b"),
        ("output gate: the memory is said", inside.output, "#2f9e6e"),
    )
    for label, gate, colour in said:
        units = gate[0, -len(times) :].numpy()  # (n, hidden)
        low, middle, high = np.quantile(units, (0.1, 0.5, 0.9), axis=1)
        opened.fill_between(times, low, high, color=colour, alpha=0.15, linewidth=0)
        opened.plot(times, middle, color=colour, linewidth=1.3, label=label)
    opened.set(ylabel="0 closed … 1 open", ylim=(0, 1))
    opened.set_title("gates: median of the units, and 80 % of them", loc="left", fontsize=10)
    opened.legend(frameon=False, fontsize=8, ncols=3, loc="lower left")
    cells = inside.cell_state[0, -len(times) :].numpy().T  # (hidden, n)
    order = np.argsort(cells[:, -1])
    loudest = float(np.abs(cells).max()) or 1.0
    image = memory.pcolormesh(
        times, np.arange(len(cells)), cells[order], cmap="RdBu_r", vmin=-loudest, vmax=loudest, shading="nearest"
    )
    memory.set(ylabel="unit")
    memory.set_title("cell state: the memory, unit by unit, ordered by where it ends", loc="left", fontsize=10)
    figure.colorbar(image, ax=memory, pad=0.01)
    memory.tick_params(axis="x", labelsize=8)
    for axes in (readings, opened):
        _tidy(axes)
    return figure


def verified_by_lead(scores: pd.DataFrame) -> Figure:
    """Mean absolute error of verified forecasts against the lead time, beside the baselines on the same cases.

    Args:
        scores: rows of the scores table.
    """
    figure = Figure(figsize=(7, 3.4), layout="constrained")
    axes = figure.subplots()
    columns = {"issued forecasts": "error_c", **{name: f"{name}_error_c" for name in _VERIFIED_BESIDE}}
    errors = scores[[*columns.values(), "lead_hours"]].dropna()
    means = errors.set_index("lead_hours").abs().groupby(level=0).mean()
    for label, column in columns.items():
        ours = column == "error_c"
        colour = _LINE if ours else _METHOD_COLOURS[label]
        axes.plot(
            means.index, means[column], label=label.replace("_", " "), linewidth=2.2 if ours else 1.2, color=colour,
            marker="o" if len(means) == 1 else None,
        )  # fmt: skip
    axes.set(xlabel="lead time, hours", ylabel="MAE, °C (lower is better)")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=8)
    _tidy(axes)
    return figure


def skill_by_lead(backtest: Backtest) -> Figure:
    """CRPS of every method against the lead time."""
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    for method, rows in backtest.per_lead().groupby("method", sort=False):
        width = 2.2 if method == "challenger" else 1.2
        colour = _METHOD_COLOURS.get(str(method))
        axes.plot(rows["lead_hours"], rows["crps"], label=str(method).replace("_", " "), linewidth=width, color=colour)
    axes.set(xlabel="lead time, hours", ylabel="CRPS, °C (lower is better)", title="Backtest on the gate's window")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=8)
    _tidy(axes)
    return figure


def _tidy(axes: Axes) -> None:
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
