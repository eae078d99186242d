"""What the gate can see: how often its paired test cries wolf, and what other `[gate]` settings would have decided.

    python benchmarks/gate.py
    python benchmarks/gate.py --replay replays/2013-10-01_2013-12-30 --json gate.json

The first table simulates fortnights of 48 origins, six hours apart and 48 hours ahead, whose hourly differences
remember each other from day to day. *False alarms* are the equal methods called worse at a level of 5 %; *seen* are
the differences of three standard errors that are called so. Ours stands beside the two variances that `scores` offers.

The second reads a replay that `nightcast replay` has left (`nightcast replay --from 2013-10-01 --to 2013-12-30` on
the embedded sample) and decides its nights again: same challengers, same evidence, other settings. Its table says
what each setting would have served.
"""

from __future__ import annotations

import json
import math
import warnings
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import typer
import xarray as xr
from rich.console import Console
from rich.table import Table
from scipy.stats import t as student
from scores.stats.statistical_tests import diebold_mariano

from lstm_model.evaluation import Evidence, decide
from lstm_model.evaluation.gate import CHALLENGER, CHAMPION
from lstm_model.evaluation.paired import confidence_above_zero, looks
from lstm_model.panel import build_panel
from lstm_model.readings import ReadingsStore
from lstm_model.replay.night import ALWAYS, GATE, Lived, Night, Standing, key_of, night_of, seen_by
from lstm_model.replay.outcome import score_night, weigh
from lstm_model.settings import GateSettings, Settings

ORIGINS, EVERY, HORIZON = 48, 6, 48
OVERLAP, LEVEL = HORIZON // EVERY, 0.05
MEMORIES = (0.0, 0.3, 0.5, 0.7)
SETTINGS = [
    *({"refresh_days": days, "margin": margin} for days in (1, 3, 7, 14) for margin in (0.02, 0.05, 0.10)),
    *({"significance": level} for level in (0.01, 0.10, 0.20)),
]

Array = npt.NDArray[np.float64]


# ── how often the test cries wolf ──────────────────────────────────────────────────────────────────────────────


def windows(memory: float, series: int, origins: int = ORIGINS) -> Array:
    """Differences of two equal methods: means over the horizon of an hourly series whose days correlate: (N, O)."""
    chance = np.random.default_rng(0)
    fade, spin_up = memory ** (1 / 24), 200
    hourly = chance.normal(size=(spin_up + (origins - 1) * EVERY + HORIZON, series))
    for hour in range(1, len(hourly)):
        hourly[hour] = fade * hourly[hour - 1] + math.sqrt(1 - fade**2) * hourly[hour]
    sums = np.concatenate([np.zeros((1, series)), hourly[spin_up:].cumsum(axis=0)])
    starts = np.arange(origins) * EVERY
    return ((sums[starts + HORIZON] - sums[starts]) / HORIZON).T


def of_scores(method: str) -> Callable[[Array], Array]:
    """Confidence by one of the variances that `scores` offers."""

    def confidence(differences: Array) -> Array:
        overlap = ("pair", [OVERLAP] * len(differences))
        pairs = xr.DataArray(differences, dims=("pair", "origin"), coords={"overlap": overlap})
        result = diebold_mariano(pairs, "pair", "overlap", method=method, statistic_distribution="t")
        return np.asarray(result["confidence_gt_0"])

    return confidence


def ours(differences: Array) -> Array:
    """Confidence by the gate's own test."""
    return np.array([confidence_above_zero(one, OVERLAP) for one in differences])


def alarms(series: int, memories: tuple[float, ...] = MEMORIES) -> list[dict[str, Any]]:
    """False alarms and differences seen, a row for every memory and test."""
    tests = {"ours": ours, "Hering-Genton": of_scores("HG"), "Harvey-Leybourne-Newbold": of_scores("HLN")}
    rows = []
    for memory in memories:
        equal = windows(memory, series)
        apart = equal + 3 * equal.mean(axis=1).std()
        for name, confidence in tests.items():
            false, seen = ((confidence(some) > 1 - LEVEL).mean() for some in (equal, apart))
            rows.append({"memory": memory, "test": name, "false_alarms": float(false), "seen": float(seen)})
    return rows


# ── what other settings would have decided ─────────────────────────────────────────────────────────────────────


class Past:
    """The nights of a replay, to be decided again: trials and forecasts are asked for once."""

    def __init__(self, folder: Path) -> None:
        told = json.loads((folder / "replay.json").read_text(encoding="utf-8"))
        versions: dict[str, int | None] = json.loads((folder / "versions.json").read_text(encoding="utf-8"))
        settings, store = Settings.model_validate(told["settings"]), ReadingsStore(folder / "data" / "readings")
        self.gate = settings.gate
        self.nights = {
            night_of(key): Night(seen_by(store, version, night_of(key)), night_of(key), settings, folder / "models")
            for key, version in versions.items()
        }
        end = max(self.nights) + settings.model.horizon_time
        self._truth = build_panel(store.read(end), settings.model.step, end=end)
        self.trial = cache(self._trial)
        self._sums = cache(self._sums_of)

    def decide_again(self, gate: GateSettings) -> dict[str, Any]:
        """Who would have served under these settings, and how that went."""
        standing, lived, sums = Standing(), [], {}
        for night in self.nights:
            decision = decide(self.trial(night, standing.champion), gate)
            standing = standing.after(key_of(night), decision.promote)
            lived.append(Lived(night, None, decision.promote, decision.rule, decision.reason, standing))
            sums[night] = self._sums(night, standing)
        table = weigh(sums, lived).policies.set_index("policy")
        rules = Counter(night.rule for night in lived)
        mine, always = table.loc[GATE], table.loc[ALWAYS]
        return {
            "promotions": int(mine["promotions"]),
            "refused_for_margin": rules["worse_by_margin"],
            "mae": float(mine["mae"]),
            "crps": float(mine["crps"]),
            "beyond_always": -float(always["crps_beyond_gate"]),
            "beyond_always_low": -float(always["crps_beyond_gate_high"]),
            "beyond_always_high": -float(always["crps_beyond_gate_low"]),
            "rules": dict(rules),
        }

    def standard_error(self, days: int = 7) -> float:
        """Of the difference from a model so much older, as a share of that one's CRPS: the nights' median."""
        found = []
        for night in self.nights:
            if (older := night - pd.Timedelta(days=days)) in self.nights:
                evidence = self.trial(night, key_of(older))
                theirs, confidence = evidence.crps[CHAMPION], evidence.confidence_worse[CHAMPION]
                statistic = student.ppf(confidence, looks(evidence.origins, OVERLAP))
                found.append((evidence.crps[CHALLENGER] - theirs) / statistic / theirs)
        return float(np.nanmedian(found))

    def _trial(self, night: pd.Timestamp, standing: str | None) -> Evidence:
        return self.nights[night].trial(standing)

    def _sums_of(self, night: pd.Timestamp, standing: Standing) -> pd.DataFrame:
        return score_night(self.nights[night].forecasts(standing), self._truth)


def policies(past: Past) -> list[dict[str, Any]]:
    """A row for every choice of settings, the defaults of that replay first."""
    rows = []
    for changed in ({}, *SETTINGS):
        gate = past.gate.model_copy(update=changed)
        if not changed or gate != past.gate:
            rows.append({"settings": changed or {"as replayed": ""}} | past.decide_again(gate))
    return rows


# ── tables ─────────────────────────────────────────────────────────────────────────────────────────────────────


def main(
    series: Annotated[int, typer.Option(help="Fortnights simulated for each row.")] = 2000,
    replay: Annotated[Path | None, typer.Option(help="Folder of a replay to decide again.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every figure to this file.")] = None,
) -> None:
    """Show what the gate can see, and what its settings are worth."""
    warnings.simplefilter("ignore", RuntimeWarning)  # of simulated fortnights whose variance comes out negative
    screen = Console(width=120)
    figures: dict[str, Any] = {"alarms": alarms(series)}
    table = Table(title=f"a paired test at {LEVEL:.0%} on {ORIGINS} origins", title_justify="left")
    for heading in ("days correlate", "test", "false alarms", "3 s.e. seen"):
        table.add_column(heading, justify="left" if heading == "test" else "right")
    for row in figures["alarms"]:
        table.add_row(f"{row['memory']:.1f}", row["test"], f"{row['false_alarms']:.1%}", f"{row['seen']:.0%}")
    screen.print(table)
    if replay is not None:
        past = Past(replay)
        figures["standard_error"] = past.standard_error()
        screen.print(f"standard error of the difference from a week-old model: {figures['standard_error']:.1%} of CRPS")
        figures["policies"] = policies(past)
        table = Table(title=f"{len(past.nights)} nights decided again", title_justify="left")
        for heading in ("[gate]", "promotions", "refused for margin", "MAE", "CRPS", "CRPS beyond always promote"):
            table.add_column(heading, justify="left" if heading == "[gate]" else "right")
        for row in figures["policies"]:
            low, high = row["beyond_always_low"], row["beyond_always_high"]
            table.add_row(
                ", ".join(f"{name} {value}".strip() for name, value in row["settings"].items()),
                str(row["promotions"]), str(row["refused_for_margin"]), f"{row['mae']:.3f}", f"{row['crps']:.3f}",
                f"{row['beyond_always']:+.3f} [{low:+.3f}, {high:+.3f}]",
            )  # fmt: skip
        screen.print(table)
    if json_file is not None:
        json_file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
