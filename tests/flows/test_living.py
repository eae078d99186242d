"""Who lives which flow run: told by a lock that dies with the process, or by what a process was started for."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from prefect.client.schemas.objects import FlowRun
from prefect.states import Running

from flows.killed import without_process
from flows.living import living_runs, note_run, noted_runs
from lstm_model.workspace import Workspace

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_a_run_lives_as_long_as_its_process(tmp_path: Path) -> None:
    workspace = Workspace.find(tmp_path, {})
    script = (
        "import pathlib, sys; from flows.living import note_run; from lstm_model.workspace import Workspace; "
        "note_run(Workspace.find(pathlib.Path(sys.argv[1]), {}), 'night'); print('noted', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "noted\n"
        assert "night" in living_runs(workspace)
        process.kill()
        process.wait()
        assert "night" not in living_runs(workspace)


def test_own_runs_live_and_what_others_left_is_swept(tmp_path: Path) -> None:
    workspace = Workspace.find(tmp_path, {})
    left = workspace.state / "processes" / "1"
    left.parent.mkdir(parents=True)
    left.write_text("long gone\n")
    young = left.with_name("2")
    young.write_text("gone by now\n")
    a_day_ago = time.time() - 25 * 3600
    os.utime(left, (a_day_ago, a_day_ago))
    note_run(workspace, "mine")
    note_run(workspace, "mine too")
    assert {"mine", "mine too"} <= living_runs(workspace)
    assert "gone by now" not in living_runs(workspace)
    assert noted_runs(workspace) == {"mine", "mine too", "gone by now"}, "whoever looks for the killed needs their ids"
    assert not left.exists()


def test_a_run_that_is_still_importing_lives(tmp_path: Path) -> None:
    environment = os.environ | {"PREFECT__FLOW_RUN_ID": "on its way"}
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=environment) as process:
        assert "on its way" in living_runs(Workspace.find(tmp_path, {}))
        process.kill()
        process.wait()
        assert "on its way" not in living_runs(Workspace.find(tmp_path, {}))


def test_only_what_nobody_lives_and_had_time_to_begin_was_killed() -> None:
    lived, killed, young = (
        FlowRun(id=uuid4(), flow_id=uuid4(), state=Running(timestamp=NOW - timedelta(minutes=age)))
        for age in (60, 60, 0)
    )
    runs = [lived, killed, young]
    assert without_process(runs, {str(lived.id)}, NOW - timedelta(seconds=30)) == [killed]
