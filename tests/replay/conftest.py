"""Nights lived again. Worker processes take seconds to start, so one replay is shared and copied."""

from __future__ import annotations

import pytest
from past_nights import NIGHTS, Past, arrived, lived_again, workspace_with
from support import NOW, store_of


@pytest.fixture(scope="session")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    """Five nights lived again by two jobs, on readings that reach far beyond them."""
    workspace = workspace_with(tmp_path_factory.mktemp("past"), arrived())
    assert store_of(workspace).newest() == NOW
    return lived_again(workspace, NIGHTS, jobs=2)
