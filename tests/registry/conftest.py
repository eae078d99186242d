"""A workspace with something to roll back from."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from support import NOW, SMALL, copied, fleet_readings, made_once, store_of, with_pressure

from lstm_model.workspace import Workspace

LATER = NOW + pd.Timedelta("7D")


@pytest.fixture(scope="session")
def challenged_home(trained_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained workspace a week later: version 2 is challenger, and version 1 old enough to be replaced."""
    from lstm_model.registry import train_candidate

    def train(home: Path) -> None:
        copied(trained_home, home)
        (home / "nightcast.toml").write_text(SMALL + "margin = 0.1\n")  # so small models differ by chance
        workspace = Workspace.find(home, {})
        store_of(workspace).upsert(with_pressure(fleet_readings(days=7, end=LATER, seed=5)))
        train_candidate(workspace, LATER)

    return made_once(tmp_path_factory, "challenged", train)


@pytest.fixture(scope="session")
def promoted_home(challenged_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same once version 2 is champion."""
    from lstm_model.registry import promote_challenger

    def promote(home: Path) -> None:
        assert promote_challenger(copied(challenged_home, home), LATER).champion == "2"

    return made_once(tmp_path_factory, "promoted", promote)


@pytest.fixture(scope="session")
def decayed_home(promoted_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with noise on what version 2 learnt."""
    from benchmarks.decay import perturb

    home = tmp_path_factory.mktemp("decayed") / "home"
    shutil.copytree(promoted_home, home)
    newest = max(home.rglob("weights.safetensors"), key=lambda file: file.stat().st_mtime)
    perturb(newest.parent, newest.parent, strength=10)
    return home


@pytest.fixture
def challenged(challenged_home: Path, tmp_path: Path) -> Workspace:
    return copied(challenged_home, tmp_path / "home")


@pytest.fixture
def promoted(promoted_home: Path, tmp_path: Path) -> Workspace:
    return copied(promoted_home, tmp_path / "home")
