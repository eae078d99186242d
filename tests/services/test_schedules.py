"""Schedules on a real server: they fire, survive kills, follow nightcast.toml, and don't pile up while it was down."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from served import Served, served

pytestmark = pytest.mark.services

PREFECT = str(Path(sys.executable).with_name("prefect"))
PREFECT_YAML = Path(__file__).parents[2] / "deployments" / "prefect.yaml"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("workspace")) as it:
        yield it


@pytest.fixture
def serving(server: Served) -> Iterator[Served]:
    """Ready to serve; stopped afterwards."""
    yield server
    if server.processes["serving"].poll() is None:
        assert server.stop_serving() == 0


def fired(server: Served, since: str = "") -> int:
    """How many runs that came by themselves, due after `since`, completed."""
    completed = server.runs(state={"type": {"any_": ["COMPLETED"]}})
    return len([run for run in completed if run["auto_scheduled"] and run["expected_start_time"] >= since])


def test_a_schedule_a_minute_ahead_fires(serving: Served) -> None:
    serving.write_settings("ingest=* * * * *")
    serving.start_serving()
    serving.until(lambda: fired(serving) >= 1, 90)


def test_it_fires_again_after_everything_was_killed(serving: Served) -> None:
    serving.write_settings("ingest=* * * * *")
    serving.start_serving()
    serving.kill("serving")
    serving.kill("server")
    restart = datetime.now(UTC).isoformat()
    serving.start_server()
    serving.start_serving()
    serving.until(lambda: fired(serving, restart) >= 1, 120)
    assert serving.automations() == ["forecast after a promotion"]


def test_of_missed_runs_the_newest_runs_and_the_older_say_why_not(serving: Served) -> None:
    serving.write_settings("ingest=0 5 * * *")
    serving.start_serving()
    serving.until(lambda: len(serving.runs(state={"name": {"any_": ["Scheduled"]}})) >= 3, 60)
    assert serving.stop_serving() == 0
    assert not serving.deployment("ingest")["paused"], "stopping paused the schedules"
    *older, newest = serving.let_time_pass("ingest", 3)
    assert "cancelled 2 older runs" in serving.start_serving()
    for run in map(serving.run, older):
        assert run["state_name"] == "Cancelled"
        assert run["state"]["message"] == "missed while nightcast was down; the newest one runs instead"
    assert serving.ended(newest) == "COMPLETED"


def test_nightcast_toml_wins_over_the_dashboard_and_says_so(serving: Served) -> None:
    serving.write_settings("nightly=15 2 * * *\nverify=30 * * * *")
    serving.start_serving()
    nightly, untouched = serving.deployment("nightly"), serving.deployment("verify")
    schedule = f"/deployments/{nightly['id']}/schedules/{nightly['schedules'][0]['id']}"
    serving.ask("PATCH", schedule, {"active": False})
    assert serving.stop_serving() == 0
    said = [line for line in serving.start_serving().splitlines() if "nightcast.toml decides" in line]
    assert said == [
        "nightly: the dashboard says '15 2 * * *' (UTC), paused, nightcast.toml decides: '15 2 * * *' (UTC); "
        "to keep the change, set `nightly` under [schedule]"
    ]
    assert serving.deployment("nightly")["schedules"][0]["active"]
    assert serving.deployment("verify")["updated"] == untouched["updated"], "what stands as planned is left alone"


def test_the_same_plan_runs_in_a_pool_of_workers(serving: Served) -> None:
    serving.write_settings("ingest=7 * * * *")
    environment, home = serving.environment(), serving.person.workspace

    def prefect(*words: str) -> None:
        answer = subprocess.run([PREFECT, "--no-prompt", *words], env=environment, cwd=home, capture_output=True)
        assert answer.returncode == 0, answer.stdout + answer.stderr

    prefect("work-pool", "create", "nightcast", "--type", "process")
    prefect("deploy", "--all", "--prefect-file", str(PREFECT_YAML))
    by_name = {name: serving.deployment(name)["schedules"] for name in ("ingest", "nightly", "train")}
    assert [(one["schedule"]["cron"], one["active"]) for one in by_name["ingest"]] == [("7 * * * *", True)]
    assert [one["active"] for one in by_name["nightly"]] == [False] and by_name["train"] == []
    (deployed,) = serving.ask("POST", "/automations/filter", {})
    with (home / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            [PREFECT, "worker", "start", "--pool", "nightcast"], env=environment, cwd="/", stdout=log, stderr=log
        )
    try:
        assert serving.ended(serving.quick_run("ingest")) == "COMPLETED"
    finally:
        worker.kill()
        worker.wait()
    serving.ask("DELETE", f"/automations/{deployed['id']}")  # by hand, or by a kill amid registering
    serving.start_serving()
    (served_again,) = serving.ask("POST", "/automations/filter", {})
    for told in ("name", "enabled", "actions"):
        assert deployed[told] == served_again[told], told
    for told in ("expect", "match"):
        assert deployed["trigger"][told] == served_again["trigger"][told], told
    assert serving.deployment("ingest")["work_pool_name"] is None
    assert serving.ended(serving.quick_run("ingest")) == "COMPLETED"
