"""MLflow's database is there whole, or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

OPEN = (
    "from lstm_model.registry import open_tracking; from lstm_model.workspace import Workspace; "
    "print(open_tracking(Workspace.find()).get_experiment_by_name('nightcast').name)"
)


def test_a_kill_while_it_is_made_leaves_one_that_opens(tmp_path: Path) -> None:
    (tmp_path / "nightcast.toml").touch()
    with subprocess.Popen([sys.executable, "-c", OPEN], cwd=tmp_path, stdout=subprocess.DEVNULL) as first:
        while not any(file.stat().st_size for file in tmp_path.glob("mlruns/mlflow.db*")):
            assert first.poll() is None
            time.sleep(0.01)
        time.sleep(1.0)  # in the middle of its migrations
        os.kill(first.pid, signal.SIGKILL)
    again = subprocess.run([sys.executable, "-c", OPEN], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (again.returncode, again.stdout) == (0, "nightcast\n"), again.stderr[-2000:]
    assert not list(tmp_path.glob("mlruns/*.draft*"))
