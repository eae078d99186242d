"""`nightcast replay`: past nights lived again, for the terminal and for machines."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from lstm_model.replay import Outcome
from lstm_model.replay.night import ALWAYS, GATE, NEVER, Lived
from lstm_model.replay.outcome import BEST

_POLICIES = (GATE, ALWAYS, NEVER, BEST)


@contextmanager
def replay_progress(screen: Console, nights: int, *, quiet: bool) -> Iterator[Callable[[Lived], None]]:
    """A bar that moves on night by night and tells the newest decision; plain lines where nobody watches."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, disable=quiet or not screen.is_terminal, transient=True) as bar:
        task = bar.add_task("first night", total=nights)

        def tell(lived: Lived) -> None:
            decision = "promoted" if lived.promoted else lived.rule.replace("_", " ")
            bar.update(task, advance=1, description=f"{lived.night:%Y-%m-%d} {decision}")
            if not quiet and not screen.is_terminal:
                screen.print(
                    f"  replay  {lived.night:%Y-%m-%d} {decision}: {lived.reason}", soft_wrap=True, markup=False
                )

        yield tell


def outcome_as_data(outcome: Outcome) -> list[dict[str, Any]]:
    """For machines: one object a policy; what is not known is null."""
    rows = outcome.policies.astype(object).where(outcome.policies.notna(), None).to_dict(orient="records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def print_outcome(screen: Console, outcome: Outcome, folder: str) -> None:
    """Print the policies side by side, what chance leaves open, and what a night cost."""
    best = outcome.policies.set_index("policy").loc[BEST]
    if not best["n"]:
        screen.print("no forecast has met its truth yet: replay earlier nights, or this span once its readings are in")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.title, table.title_justify, table.title_style = "Verified on the same forecasts, °C", "left", "bold"
    table.add_column("policy", no_wrap=True)
    for heading in ("MAE", "RMSE", "CRPS", "80 %", "CRPS beyond the gate's", "promoted", "last"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in outcome.policies.to_dict(orient="records"):
        name = str(row["policy"])
        table.add_row(
            name.replace("_", " "), *(f"{row[score]:.3f}" for score in ("mae", "rmse", "crps")),
            f"{row['coverage_80']:.0%}", Text(_beyond(row)), _or_nothing(row["promotions"], "{:d}"),
            _or_nothing(row["days_since_promotion"], "{:.0f} d"),
            style="bold" if name == GATE else None if name in _POLICIES else "dim",
        )  # fmt: skip
    screen.print(table)
    for line in (
        f"{best['n']:,} forecasts of {len(outcome.nights):,} nights, which every policy made; {outcome.waiting:,} of "
        "the gate's have no truth. Brackets hold 90 % of what chance leaves open (bootstrap of blocks of nights)",
        f"best baseline, in hindsight: {best['method'].replace('_', ' ')}; ridge: every night's anchor, no LSTM",
        _cost_in_words(outcome.nights),
        f"every night's record, forecasts and model: {folder}",
    ):
        screen.print(line, style="dim", highlight=False, markup=False)


def _beyond(row: dict[Any, Any]) -> str:
    if row["policy"] == GATE:
        return ""
    low, high = row["crps_beyond_gate_low"], row["crps_beyond_gate_high"]
    band = "" if math.isnan(low) else f" [{low:+.3f}, {high:+.3f}]"
    return f"{row['crps_beyond_gate']:+.3f}{band}"


def _or_nothing(value: Any, form: str) -> str:
    return "" if pd.isna(value) else form.format(value)


def _cost_in_words(nights: tuple[Lived, ...]) -> str:
    """Where the seconds of a night go, on the average of those lived in full."""
    costs = pd.DataFrame([night.seconds for night in nights]).fillna(0.0)
    costs = costs[costs["train"] > 0] if (costs["train"] > 0).any() else costs
    parts = ", ".join(f"{step} {seconds:.1f} s" for step, seconds in costs.mean().items())
    return f"a night cost {costs.sum(axis=1).mean():.1f} s of work: {parts}"
