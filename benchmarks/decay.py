"""How soon a champion whose weights decayed is found out, raised and demoted.

    nightcast replay --from 2013-10-01 --to 2013-12-30
    python benchmarks/decay.py --replay replays/2013-10-01_2013-12-30 --json decay.json

Takes the nights of a replay that `nightcast replay` has left (here of the embedded sample). On every fourteenth of them
(`--every`) the standing champion is replaced by hand with a copy whose weights carry noise, so many times their own
root mean square; the following nights are lived again without any new challenger, as where training is broken or
pauses: the decayed version forecasts, is verified, watched, and meets its predecessor as on any night. Beside it stands
what the gate alone would have done with that night's challenger. Before that, the replay's own nights are watched: what
is raised of healthy champions, and what comes of their trials.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from rich.table import Table

from lstm_model.evaluation import decide
from lstm_model.monitoring import doubt_of
from lstm_model.network.saved import read_model, write_model
from lstm_model.panel import build_panel
from lstm_model.readings import ReadingsStore
from lstm_model.replay.night import GATE, Lived, Night, Standing, key_of, seen_by
from lstm_model.replay.watching import Watching, scores_of, trial_of
from lstm_model.settings import Settings

LEARNT = ("anchor.weights", "network.")
MINUTE = pd.Timedelta("1min")


def perturb(saved: Path, folder: Path, strength: float, seed: int = 0) -> None:
    """Keep a copy of a saved forecaster with noise on every weight that it learnt."""
    chance = np.random.default_rng(seed)
    arrays, description = read_model(saved)
    for name, array in sorted(arrays.items()):  # a file has them in no order of its own
        if name.startswith(LEARNT):
            spread = strength * np.sqrt(np.nanmean(array.astype(np.float64) ** 2))
            arrays[name] = (array + chance.normal(0, spread, array.shape)).astype(array.dtype)
    write_model(folder, arrays, description)


class Past:
    """The nights of a replay, to be lived again from one of them on."""

    def __init__(self, folder: Path) -> None:
        told = json.loads((folder / "replay.json").read_text(encoding="utf-8"))
        self.folder, self.settings = folder, Settings.model_validate(told["settings"])
        self.versions: dict[str, int | None] = json.loads((folder / "versions.json").read_text(encoding="utf-8"))
        self.nights = [pd.Timestamp(night) for night in told["nights"]]
        self.store = ReadingsStore(folder / "data" / "readings")
        end = self.nights[-1]
        self.truth = build_panel(self.store.read(end), self.settings.model.step, end=end)

    def standing(self, night: pd.Timestamp) -> Standing:
        """Who served once a night was lived."""
        record = json.loads((self.folder / "nights" / f"{key_of(night)}.json").read_text(encoding="utf-8"))
        return Standing(**record["standing"])

    def healthy(self) -> dict[str, Any]:
        """What monitoring says of the nights as they were lived, and what comes of every trial it asks for.

        As long as nobody is demoted, these are the very nights that a replay with demotion lives.
        """
        watching, lived = Watching(self.folder, self.store, self.settings), list[Lived]()
        told: dict[str, Any] = {"nights": len(self.nights), "raised": Counter(), "spells": Counter(), "trials": []}
        for night in self.nights:
            version = self.versions[key_of(night)]
            readings = seen_by(self.store, version, night)
            findings = watching.look(night, version, readings, lived)
            told["raised"].update(one.rule for one in findings if one.raised)
            told["spells"].update(one.rule for one in findings if one.newly_raised)
            then = Night(readings, night, self.settings, self.folder / "models")
            if (judgement := trial_of(then, findings, lived, self.settings)) is not None:
                doubtful = doubt_of(findings) is not None
                told["trials"].append({"night": f"{night:%Y-%m-%d}", "doubtful": doubtful, **asdict(judgement)})
            lived.append(Lived(night, version, False, "", "", self.standing(night)))
        return told

    def decayed(self, position: int, strength: float, most: int) -> dict[str, Any] | None:
        """Live on from a night with a decayed champion, until it is demoted or so many nights have passed."""
        start, standing = self.nights[position], self.standing(self.nights[position])
        if standing.champion is None:
            return None
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            for name in ("nights", "models"):
                (folder / name).mkdir()
            for model in (self.folder / "models").iterdir():
                (folder / "models" / model.name).symlink_to(model.resolve())
            if (self.folder / "usual").is_dir():
                shutil.copytree(self.folder / "usual", folder / "usual")
            ours = key_of(start + MINUTE)
            perturb(self.folder / "models" / standing.champion, folder / "models" / ours, strength)
            by_hand = replace(standing, champion=ours, previous=standing.champion)
            return self._live_on(folder, position, by_hand, most) | {"strength": strength, "start": f"{start:%Y-%m-%d}"}

    def _live_on(self, folder: Path, position: int, standing: Standing, most: int) -> dict[str, Any]:
        settings = self.settings
        watching = Watching(folder, self.store, settings)
        lived: list[Lived] = []
        told: dict[str, Any] = {"raised": None, "demoted": None, "to": None, "rule": None, "gate": None, "trials": []}
        parts = []
        for after, night in enumerate(self.nights[position : position + most + 1]):
            version = self.versions[key_of(night)]
            readings = seen_by(self.store, version, night)
            then = Night(readings, night, settings, folder / "models")
            if told["gate"] is None and decide(then.trial(standing.champion), settings.gate).promote:
                told["gate"] = after
            findings = watching.look(night, version, readings, lived) if lived else ()
            if doubt_of(findings) is not None and told["raised"] is None:
                told["raised"] = after
            if (judgement := trial_of(then, findings, lived, settings)) is not None:
                told["trials"].append(judgement.rule)
                if judgement.demote:
                    told |= {"demoted": after, "rule": judgement.rule,
                             "to": "predecessor" if judgement.to_predecessor else "baseline"}  # fmt: skip
                    break
            forecasts = then.forecasts(standing)
            forecasts.to_parquet(folder / "nights" / f"{key_of(night)}.parquet")
            parts.append(forecasts)
            lived.append(Lived(night, version, False, "", "", standing))
        errors = scores_of(parts, self.truth)
        told["mae_c"] = float(errors["error_c"].abs().mean())
        told["damped_anomaly_mae_c"] = float(errors["damped_anomaly_error_c"].abs().mean())
        healthy = [pd.read_parquet(self.folder / "nights" / f"{key_of(one.night)}.parquet") for one in lived]
        told["healthy_mae_c"] = float(scores_of(healthy, self.truth, GATE)["error_c"].abs().mean())
        return told


def main(
    replay: Annotated[Path, typer.Option(help="Folder of a replay.")],
    strengths: Annotated[str, typer.Option(help="Noise, in root mean squares of the weights.")] = "0.25,0.5,1",
    every: Annotated[int, typer.Option(help="Nights between starts.")] = 14,
    most: Annotated[int, typer.Option(help="Nights to live on at most.")] = 7,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every figure to this file.")] = None,
) -> None:
    """Let champions decay."""
    screen, past = Console(width=140), Past(replay)
    healthy, rows = past.healthy(), []
    raised, spells = dict(healthy["raised"]), dict(healthy["spells"])
    screen.print(f"{healthy['nights']} nights as they were: raised on {raised} of them, in {spells} spells")
    for trial in healthy["trials"]:
        screen.print(f"  {trial['night']} {trial['rule']}: {trial['reason']}", style="dim")
    table = Table(title="a decayed champion, nights after it was put there by hand", title_justify="left")
    for heading in (
        "noise",
        "from",
        "MAE",
        "healthy",
        "damped an.",
        "gate replaces",
        "raised",
        "demoted",
        "to",
        "rule",
    ):
        table.add_column(heading, justify="right" if heading not in ("to", "rule") else "left")
    for strength in map(float, strengths.split(",")):
        for position in range(7, len(past.nights) - most - 1, every):
            row = past.decayed(position, strength, most)
            if row is None:
                continue
            rows.append(row)
            screen.print(row, style="dim")
            nights = ("–" if row[name] is None else str(row[name]) for name in ("gate", "raised", "demoted"))
            table.add_row(
                f"{strength:g}", row["start"], f"{row['mae_c']:.2f}", f"{row['healthy_mae_c']:.2f}",
                f"{row['damped_anomaly_mae_c']:.2f}", *nights, row["to"] or "", row["rule"] or ", ".join(row["trials"]),
            )  # fmt: skip
    screen.print(table)
    if json_file is not None:
        json_file.write_text(json.dumps({"healthy": healthy, "decayed": rows}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
