"""A small fleet, and its nights lived again, as the tests of the replay look at them."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from support import SMALL, fleet_readings, store_of, with_pressure

from lstm_model.readings import ReadingsStore
from lstm_model.replay import Outcome, Replay
from lstm_model.replay.night import key_of
from lstm_model.workspace import Workspace

NIGHTS = list(pd.date_range("2024-03-10T02:15Z", periods=5, freq="1D"))
MIDDLE = NIGHTS[2]
"""The night to which later readings must not matter: two nights lie behind it, and eight days of readings after it."""
PATIENT = f"{SMALL}refresh_days = 2\nsignificance = 0.01\n"
"""An equal challenger is promoted after two days, so that the gate's model is sometimes the first or the newest.

So short a window makes chance look significant at a twentieth: damped anomaly would veto the first challenger.
"""
BELATED = pd.Timestamp("2024-03-12T10:00Z")
"""When seventeen hours of one station arrived, a day of another that is learnt from, and a corrected reading."""


def arrived() -> list[pd.DataFrame]:
    """What a workspace took in, batch by batch: 80 days at once; then hours that came late and one corrected."""
    history = with_pressure(fleet_readings())
    hour = history["observed_at"]
    late = (history["station_id"] == "roof 2") & hour.between("2024-03-11T04:00Z", "2024-03-11T20:00Z")
    late |= (history["station_id"] == "roof 1") & hour.between("2024-02-20T00:00Z", "2024-02-20T23:00Z")
    wrong = (history["station_id"] == "roof 0") & (hour == pd.Timestamp("2024-03-09T12:00Z"))
    belated = BELATED.as_unit("us")
    corrected = history[wrong].assign(temperature_c=history["temperature_c"] + np.float32(0.5), ingested_at=belated)
    return [history[~late], pd.concat([history[late].assign(ingested_at=belated), corrected])]


def workspace_with(home: Path, batches: list[pd.DataFrame], toml: str = PATIENT) -> Workspace:
    """A workspace that took these batches in."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "nightcast.toml").write_text(toml)
    workspace = Workspace.find(home, {})
    for batch in batches:
        store_of(workspace).upsert(batch)
    return workspace


@dataclass(frozen=True)
class Past:
    """A replay that was lived, where it lies, and what came of it."""

    workspace: Workspace
    folder: Path
    outcome: Outcome

    def weights(self, night: pd.Timestamp) -> bytes:
        return (self.folder / "models" / key_of(night) / "weights.safetensors").read_bytes()

    def forecasts(self, night: pd.Timestamp) -> pd.DataFrame:
        return pd.read_parquet(self.folder / "nights" / f"{key_of(night)}.parquet")

    def record(self, night: pd.Timestamp) -> dict[str, Any]:
        """All that is told of a night but what it cost."""
        told: dict[str, Any] = json.loads((self.folder / "nights" / f"{key_of(night)}.json").read_text())
        del told["seconds"]
        return told

    def version(self, night: pd.Timestamp) -> int | None:
        versions: dict[str, int | None] = json.loads((self.folder / "versions.json").read_text())
        return versions[key_of(night)]

    def seen(self, night: pd.Timestamp) -> pd.DataFrame:
        """The readings that the night saw."""
        store = ReadingsStore(self.folder / "data" / "readings")
        return store.read(night, version=self.version(night), covariates=True)


def lived_again(workspace: Workspace, nights: list[pd.Timestamp], jobs: int = 1) -> Past:
    """Live these nights again."""
    replay = Replay(workspace, nights, jobs)
    return Past(workspace, replay.folder, replay.live())


def copied(past: Past, home: Path) -> Past:
    """The same, free to be broken."""
    shutil.copytree(past.workspace.home, home)
    return Past(Workspace.find(home, {}), home / past.folder.relative_to(past.workspace.home), past.outcome)


def assert_same_night(one: Past, other: Past, night: pd.Timestamp) -> None:
    """The same model, forecasts and decision, bit for bit."""
    assert one.weights(night) == other.weights(night)
    pd.testing.assert_frame_equal(one.forecasts(night), other.forecasts(night), check_exact=True)
    assert one.record(night) == other.record(night)
