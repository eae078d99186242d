"""Limits: are the probabilities of passing them honest, what are they worth, and which tails do best?

    python benchmarks/limits.py
    python benchmarks/limits.py --data DIR --only sample,beijing,aus5 --json limits.json

Protocol: origins, split and common sample are those of `accuracy.py`; with --validation all is done before the test, as
it was to choose the tails. Every station has eight limits, which its readings before the test passed 25, 10, 5 and 1 %
of the time: four above and four below. Skill is 1 − Brier / the Brier score of always saying each limit's own base
rate, known in hindsight, or of the climatology's probabilities, known beforehand. The reliability table holds all
eight; limits of one station are passed on the same days, so that its cases are worth far fewer.

The last table is of limits beyond q05 and q95 alone, where a forecast of seven quantiles says nothing more, so that a
shape has to be assumed: log loss is the mean of −log of the probability given to what came, infinite where that was 0.
The first shape is nightcast's: the density goes on where it was at q95 and falls exponentially, to no less than 0.0001.

Data sets are those of `accuracy.py`: the embedded `sample`, and parquet files in DIR.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import typer
from rich.console import Console
from rich.table import Table
from scipy.stats import norm

from benchmarks.accuracy import compare, load, split, where
from lstm_model.evaluation import Backtest
from lstm_model.forecasts import limit_reliability, limit_skill, probability_above, probability_below
from lstm_model.panel import Panel, build_panel
from lstm_model.settings import ModelSettings

SHARES = (0.25, 0.10, 0.05, 0.01)
Array = npt.NDArray[np.float64]

Z75, Z90, Z95 = norm.ppf([0.75, 0.90, 0.95])
TAILS: dict[str, Callable[[Array, Array, Array], Array]] = {
    "exponential, outer slope": lambda beyond, inner, wide: np.maximum(0.05 * np.exp(-beyond / inner), 1e-4),
    "exponential through q90": lambda beyond, inner, wide: 0.05 * 2.0 ** (-beyond / inner),
    "exponential through q75": lambda beyond, inner, wide: 0.05 * 5.0 ** (-beyond / wide),
    "normal through q90": lambda beyond, inner, wide: norm.sf(Z95 + beyond * (Z95 - Z90) / inner),
    "normal through q75": lambda beyond, inner, wide: norm.sf(Z95 + beyond * (Z95 - Z75) / wide),
    "linear, outer slope": lambda beyond, inner, wide: np.maximum(0.05 * (1 - beyond / inner), 0.0),
    "half of what is left": lambda beyond, inner, wide: np.full_like(beyond, 0.025),
}
"""The chance of more than a limit from its distance beyond q95, q95 − q90 and q95 − q75, all °C; below alike."""


def limits_of(past: Panel, share: float) -> tuple[Array, Array]:
    """Each station's limits that its readings passed this often: above (S,), below (S,)."""
    above, below = np.nanquantile(past.temperature_c, [1 - share, share], axis=1)
    return above, below


def scores_of(backtest: Backtest, row: str, above: Array, below: Array) -> pd.DataFrame:
    """A row's forecasts on the common cases as rows of a scores table with these limits."""
    cases = backtest.common
    station, origin, lead = np.nonzero(cases)
    quantiles = backtest.forecasts[row][cases]
    issued_at = backtest.origins[origin]
    return pd.DataFrame(
        {
            "station_id": np.array(backtest.stations)[station],
            "issue_date": issued_at.strftime("%Y-%m-%d"),
            "lead_hours": backtest.lead_hours[lead],
            "observed_c": backtest.truth[cases].astype(np.float64),
            "limit_above_c": above[station],
            "p_above": probability_above(quantiles, above[station]),
            "limit_below_c": below[station],
            "p_below": probability_below(quantiles, below[station]),
        }
    )


def judge(backtest: Backtest, past: Panel, rows: list[str]) -> dict[str, Any]:
    """Every figure of one data set: skill by row and limit, reliability and tails by row."""
    told: dict[str, Any] = {"skill": [], "reliability": {}, "tails": {}}
    gathered: dict[str, list[pd.DataFrame]] = {row: [] for row in rows}
    for share in SHARES:
        limits = limits_of(past, share)
        reference = limit_skill(scores_of(backtest, "climatology", *limits)).set_index("side")["brier"]
        for row in rows:
            scores = scores_of(backtest, row, *limits)
            gathered[row].append(scores)
            for found in limit_skill(scores).drop(columns="group").to_dict(orient="records"):
                climatology = 1 - found["brier"] / reference[found["side"]]
                told["skill"].append({"row": row, "share": share, **found, "skill_climatology": climatology})
    for row, parts in gathered.items():
        told["reliability"][row] = limit_reliability(pd.concat(parts)).to_dict(orient="records")
        told["tails"][row] = tails_of(backtest, row, past)
    return told


def tails_of(backtest: Backtest, row: str, past: Panel) -> list[dict[str, Any]]:
    """How each shape does where a limit lies beyond the outermost quantiles."""
    cases = backtest.common
    quantiles, truth = backtest.forecasts[row][cases].astype(np.float64), backtest.truth[cases].astype(np.float64)
    station = np.nonzero(cases)[0]
    parts = []
    for sign in (1.0, -1.0):  # what is below, turned around, is above
        turned = sign * (quantiles if sign > 0 else quantiles[:, ::-1])
        for share in SHARES:
            limit = sign * limits_of(past, share)[0 if sign > 0 else 1][station]
            beyond = limit - turned[:, 6]
            out = beyond > 0
            inner, wide = (np.maximum(turned[out, 6] - turned[out, other], 0.01) for other in (5, 4))
            parts.append((beyond[out], inner, wide, sign * truth[out] > limit[out]))
    beyond, inner, wide, passed = map(np.concatenate, zip(*parts, strict=True))
    rows = []
    for shape, tail in TAILS.items():
        chance = tail(beyond, inner, wide)
        with np.errstate(divide="ignore"):
            log_loss = -np.where(passed, np.log(chance), np.log1p(-chance)).mean()
        rows.append(
            {"shape": shape, "n": len(passed), "observed": float(passed.mean()), "forecast": float(chance.mean()),
             "brier": float(((chance - passed) ** 2).mean()), "log_loss": float(log_loss)}
        )  # fmt: skip
    return rows


def tables_of(name: str, told: dict[str, Any]) -> list[Table]:
    """For people."""
    skill = _table(f"{name}: Brier score and skill by limit", "row", "limit", "passed before", "passed", "Brier",
                   "skill: base rate", "climatology")  # fmt: skip
    for one in told["skill"]:
        skill.add_row(
            one["row"], one["side"], f"{one['share']:.0%}", f"{one['base_rate']:.1%}", f"{one['brier']:.4f}",
            _with_band(one), f"{one['skill_climatology']:+.0%}",
        )  # fmt: skip
    reliability = _table(
        f"{name}: passed as often as forecast?", "row", "chance", "forecast", "passed", "cases", "days"
    )
    for row, bins in told["reliability"].items():
        for one in bins:
            reliability.add_row(
                row, f"{one['low']:.0%} … {one['high']:.0%}", f"{one['forecast']:.1%}", f"{one['observed']:.1%}",
                f"{one['n']:,}", f"{one['days']:,}",
            )  # fmt: skip
    tails = _table(f"{name}: limits beyond q05 and q95", "row", "shape", "cases", "forecast", "passed", "Brier",
                   "log loss")  # fmt: skip
    for row, shapes in told["tails"].items():
        for one in shapes:
            tails.add_row(
                row, one["shape"], f"{one['n']:,}", f"{one['forecast']:.2%}", f"{one['observed']:.2%}",
                f"{one['brier']:.6f}", f"{one['log_loss']:.5f}",
            )  # fmt: skip
    return [skill, reliability, tails]


def _with_band(one: dict[str, Any]) -> str:
    value, low, high = (one[f"skill_base_rate{end}"] for end in ("", "_low", "_high"))
    if math.isnan(value):
        return "–"
    return f"{value:+.0%}" if math.isnan(low) else f"{value:+.0%} [{low:+.0%}, {high:+.0%}]"


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading, justify="left" if heading in ("row", "shape", "limit") else "right", no_wrap=True)
    return table


def main(
    data: Annotated[Path | None, typer.Option(help="Folder with the data sets' parquet files.")] = None,
    only: Annotated[str, typer.Option(help="Data sets, separated by commas.")] = "sample",
    rows: Annotated[str, typer.Option(help="Rows of accuracy.py, separated by commas.")] = "damped_anomaly,ridge_fleet",
    validation: Annotated[bool, typer.Option("--validation", help="Judge before the test, to choose.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every figure to this file.")] = None,
) -> None:
    """Judge the probabilities of passing limits."""
    settings, screen, results, chosen = ModelSettings(), Console(width=120), {}, rows.split(",")
    for name in only.split(","):
        panel = build_panel(load(name, data), settings.step)
        if validation:
            panel = split(panel)[0]
        backtest, _ = compare(panel, settings, ["climatology", *chosen])
        results[name] = judge(backtest, split(panel)[0], chosen)
        for table in tables_of(name, results[name]):
            screen.print(table)
    if json_file is not None:
        json_file.write_text(json.dumps(where() | results, indent=2, default=str) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
