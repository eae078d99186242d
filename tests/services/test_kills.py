"""kill −9 of the server, the runner and the flow runs during a night: the state shown becomes true."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from served import Served, served

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("workspace")) as it:
        it.start_serving()
        yield it


def begin(night: Served, most_seconds: float = 8.0) -> str:
    """A night that is under way, at a random moment."""
    if night.processes["serving"].poll() is not None:
        night.start_serving()
    run = night.quick_run("nightly")
    night.wait_for(run, "RUNNING")
    time.sleep(random.uniform(0, most_seconds))
    return run


def test_a_killed_night_is_crashed_and_the_next_one_is_normal(night: Served) -> None:
    run = begin(night)
    os.kill(night.process_of(run), signal.SIGKILL)
    assert night.ended(run, 30) == "CRASHED"
    (event,) = night.until(lambda: night.events("nightcast.night.failed"), 90)
    assert event["payload"]["failed"] == {"nightly": night.run(run)["state"]["message"]}
    assert event["payload"]["text"].startswith(f"{night.run(run)['name']} was killed: ")
    assert night.ended(night.quick_run("nightly")) == "COMPLETED"
    night.until(lambda: not night.runs(state={"type": {"any_": ["RUNNING", "PENDING"]}}), 90)
    proportional = re.search(r"Pss:\s+(\d+)", Path(f"/proc/{night.processes['serving'].pid}/smaps_rollup").read_text())
    assert proportional is not None and int(proportional[1]) < 200_000, "what waits for runs has grown"


def test_runner_and_night_killed_together_are_crashed_at_the_next_start(night: Served) -> None:
    run = begin(night)
    night.kill("serving")
    assert "is Crashed: no process lives it" in night.start_serving()
    assert night.run(run)["state"]["message"].startswith("no process lives this run any more")
    assert not night.runs(state={"type": {"any_": ["RUNNING", "PENDING"]}}), "steps of the night as well"
    told = night.until(lambda: night.events("nightcast.night.failed")[1:], 90)
    assert [event["payload"]["failed"]["nightly"] for event in told] == [night.run(run)["state"]["message"]]


def test_a_stopped_night_says_that_it_was_stopped(night: Served) -> None:
    run = begin(night)
    assert night.stop_serving() == 0
    told = night.run(run)
    assert (told["state_type"], told["state"]["message"]) == ("CANCELLED", "nightcast was stopped while this ran")


def test_a_night_outlives_its_server(night: Served) -> None:
    latest = night.person.workspace / "predictions" / "latest.csv"
    latest.unlink(missing_ok=True)
    run = begin(night)
    night.kill("server")
    time.sleep(12)
    night.start_server()
    assert night.ended(run) == "COMPLETED", night.run(run)["state"]["message"]
    assert latest.exists()
    night.until(lambda: "serving anew" in night.log("serving"), 60)  # a runner that lost its server hears of no cancel
    cancelled = begin(night)
    night.ask("POST", f"/flow_runs/{cancelled}/set_state", {"state": {"type": "CANCELLING"}})
    assert night.ended(cancelled) == "CANCELLED"


def test_the_forecast_goes_out_though_the_server_stays_away(night: Served) -> None:
    latest = night.person.workspace / "predictions" / "latest.csv"
    latest.unlink(missing_ok=True)
    command = [sys.executable, "-c", "from flows.nightly import nightly_flow; nightly_flow()"]
    impatient = {"PREFECT_CLIENT_MAX_RETRIES": "1"}
    log = night.person.workspace / "alone.log"
    with (
        log.open("wb") as out,
        subprocess.Popen(
            command, env=night.environment() | impatient, cwd=night.person.workspace, stdout=out, stderr=out
        ) as terminal,
    ):
        night.until(lambda: "ingest done" in log.read_text() or terminal.poll() is not None)
        night.kill("server")
    night.start_server()
    assert "forecast is done without Prefect's server" in log.read_text(), log.read_text()[-3000:]
    assert latest.exists()


def test_a_night_from_another_terminal_is_left_alone_until_it_is_killed(night: Served) -> None:
    command = [sys.executable, "-c", "from flows.nightly import nightly_flow; nightly_flow()"]
    running = {"state": {"type": {"any_": ["RUNNING"]}}, "name": {"like_": "nightly"}}
    night.until(lambda: not night.runs(**running), 90)  # what was lived without the server is Crashed first
    with subprocess.Popen(
        command,
        env=night.environment(),
        cwd=night.person.workspace,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as terminal:
        (run,) = night.until(lambda: night.runs(**running))
        assert terminal.poll() is None, "it ended before anything was killed"
        night.kill("serving")
        assert "Crashed" not in night.start_serving()
        assert night.run(run["id"])["state_type"] == "RUNNING" or terminal.poll() == 0
        if terminal.poll() is None:
            terminal.kill()
    if terminal.returncode:
        assert night.ended(run["id"], 90) == "CRASHED"
