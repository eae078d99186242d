"""What several tests need: a small fleet, its readings, and a person at a terminal."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock

from lstm_model.readings import ReadingsStore
from lstm_model.workspace import Workspace

NOW = pd.Timestamp("2024-03-20T00:00Z")

SMALL = """
[source.fleet]
path = "inbox/*.csv"

[model]
horizon = 12
context = 48
hidden_size = 8
max_epochs = 2
min_days = 20

[gate]
window_days = 8
"""


def fleet_readings(days: int = 80, stations: int = 3, end: pd.Timestamp = NOW, seed: int = 0) -> pd.DataFrame:
    """Hourly temperatures with a daily cycle and weather that lasts, up to and including `end`."""
    chance = np.random.default_rng(seed)
    times = pd.date_range(end=end, periods=days * 24, freq="1h").as_unit("us")
    weather = np.zeros(len(times))
    for step, shock in enumerate(chance.normal(0, 0.8, len(times) - 1), start=1):
        weather[step] = 0.97 * weather[step - 1] + shock
    cycle = 10 + 4 * np.sin(2 * np.pi * (times.hour.to_numpy() - 8) / 24)
    parts = [
        pd.DataFrame(
            {
                "month": times.strftime("%Y-%m"),
                "station_id": f"roof {number}",
                "observed_at": times,
                "temperature_c": (cycle + weather + chance.normal(0, 0.3, len(times)) + number).astype(np.float32),
                "flag": np.int8(2),
                "source": "fleet",
                "ingested_at": end.as_unit("us"),
            }
        )
        for number in range(stations)
    ]
    return pd.concat(parts, ignore_index=True)


def with_pressure(readings: pd.DataFrame) -> pd.DataFrame:
    """The same with a covariate that falls, on the whole, before it gets warm."""
    ahead = readings.groupby("station_id")["temperature_c"].shift(-3).fillna(10.0)
    noise = np.random.default_rng(0).normal(0, 3, len(readings))
    return readings.assign(pressure_hpa=(1013 - ahead + noise).astype(np.float32))


def store_of(workspace: Workspace) -> ReadingsStore:
    return ReadingsStore(workspace.readings)


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that is made by whichever of the tests' processes needs it first; for all it is there to be copied."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"{name} of all"
    made = folder.with_suffix(".made")
    with FileLock(folder.with_suffix(".lock")):
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of one who failed to
            folder.mkdir()
            make(folder)
            made.touch()
    return folder


def forget_artifacts() -> None:
    """MLflow remembers by run where artifacts lie; in copies of a workspace the same runs lie elsewhere."""
    from mlflow.tracking._tracking_service import utils

    utils._artifact_repos_cache.clear()


def copied(home: Path, copy: Path) -> Workspace:
    """A workspace copied elsewhere."""
    shutil.copytree(home, copy, dirs_exist_ok=True)
    forget_artifacts()
    return Workspace.find(copy, {})


def move_clock_on(table: Path, days: int) -> None:
    """Make everything about a Delta table older: the same as a clock that is moved on."""
    seconds, stamps = (
        days * 24 * 3600,
        {"commitInfo": "timestamp", "add": "modificationTime", "remove": "deletionTimestamp"},
    )
    for log in (table / "_delta_log").glob("*.json"):
        actions = [json.loads(line) for line in log.read_text().splitlines()]
        for action in actions:
            for kind, stamp in stamps.items():
                if stamp in action.get(kind, {}):
                    action[kind][stamp] -= seconds * 1000
        log.write_text("\n".join(map(json.dumps, actions)) + "\n")
    for file in table.rglob("*.*"):
        seen = file.stat().st_mtime - seconds
        os.utime(file, (seen, seen))


@dataclass
class Person:
    """Someone with a terminal, a workspace and an empty home folder."""

    home: Path
    workspace: Path

    def types(self, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name("nightcast")), *words]
        return subprocess.run(
            command, env=self.environment(**settings), cwd=self.workspace, capture_output=True, text=True, timeout=280
        )

    def lives_a_night(self, *words: str, **settings: str) -> dict[str, Any]:
        answer = self.types("run", "--json", *words, **settings)
        assert answer.returncode == 0, answer.stderr + answer.stdout
        told: dict[str, Any] = json.loads(answer.stdout)
        return told

    def environment(self, **settings: str) -> dict[str, str]:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("NIGHTCAST", "PREFECT", "MLFLOW"))
        }
        return kept | {"HOME": str(self.home), "NIGHTCAST_HOME": str(self.workspace)} | settings
