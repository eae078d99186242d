"""A workspace with an inbox."""

import pytest
from inbox import INBOX

from lstm_model.workspace import Workspace


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "nightcast.toml").write_text(INBOX, encoding="utf-8")
    (tmp_path / "inbox").mkdir()
    return Workspace.find(tmp_path, {})
