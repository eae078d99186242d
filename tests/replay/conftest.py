"""Nights lived again. Worker processes take seconds to start, so one replay is shared and copied."""

from __future__ import annotations

from pathlib import Path

import pytest
from filelock import FileLock
from past_nights import NIGHTS, Past, arrived, lived_again, workspace_with
from support import NOW, made_once, store_of

from lstm_model.workspace import Workspace


@pytest.fixture(scope="session")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    """Five nights lived again by two jobs, on readings that reach far beyond them."""

    def live(home: Path) -> None:
        workspace = workspace_with(home, arrived())
        assert store_of(workspace).newest() == NOW
        lived_again(workspace, NIGHTS, jobs=2)

    home = made_once(tmp_path_factory, "past", live)
    with FileLock(home.with_suffix(".read")):  # two at once in a folder are refused
        return lived_again(Workspace.find(home, {}), NIGHTS)  # which only reads it
