"""Servers that others run already: a night, a removal and the schedules on their Prefect and their MLflow."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pandas as pd
import pytest
from servers import Up, answers, free_port, until
from support import Person

pytestmark = pytest.mark.services

_SECONDS = 200.0
PRUNE = """
import pandas as pd
from flows.keeping import pruning_in_words
from lstm_model.registry import list_versions, load_forecaster, open_tracking, prune, train_candidate
from lstm_model.workspace import Workspace

workspace = Workspace.find()
for _ in range(2):
    train_candidate(workspace.with_model(max_epochs=0), pd.Timestamp("2013-11-30T23:00Z"))
much_later = pd.Timestamp.now("UTC") + pd.Timedelta("100D")
outcome = prune(workspace, much_later, keep=0)
print(outcome.versions, outcome.bytes > 100_000, pruning_in_words(outcome))
versions = list_versions(open_tracking(workspace))
for version in versions:
    load_forecaster(version)
print([version.version for version in versions], prune(workspace, much_later, keep=0).anything)
"""


@dataclass
class Others:
    """The two servers, and the workspace of somebody who uses them."""

    home: Up
    folder: Path
    prefect: str
    mlflow: str


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Others]:
    folder, prefect, mlflow = tmp_path_factory.mktemp("elsewhere"), free_port(), free_port()
    home = Up(Person(tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("workspace")))
    environment = home.person.environment(
        PREFECT_HOME=str(folder / "prefect"), PREFECT_SERVER_API_HOST="127.0.0.1", PREFECT_SERVER_API_PORT=str(prefect),
        PREFECT_SERVER_ANALYTICS_ENABLED="false", DO_NOT_TRACK="1", MLFLOW_DISABLE_TELEMETRY="true",
        MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false",
    )  # fmt: skip
    del environment["NIGHTCAST_HOME"]
    tracking = [
        "mlflow", "server", "--host", "127.0.0.1", "--port", str(mlflow), "--workers", "1", "--serve-artifacts",
        "--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", f"{folder}/artifacts",
    ]  # fmt: skip
    commands = {"prefect": ["prefect", "server", "start"], "mlflow": tracking}
    running = []
    try:
        for name, command in commands.items():
            with (folder / f"{name}.log").open("wb") as log:
                running.append(subprocess.Popen(
                    [sys.executable, "-m", *command], env=environment, cwd=folder, stdout=log, stderr=log,
                    start_new_session=True,
                ))  # fmt: skip
        until(lambda: answers(prefect) and answers(mlflow), _SECONDS)
        found = Others(home, folder, f"http://127.0.0.1:{prefect}/api", f"http://127.0.0.1:{mlflow}")
        home.write_settings(
            f'prefect = "{found.prefect}"\nmlflow = "{found.mlflow}"\n[model]\nmax_epochs = 2\n'
            '[schedule]\ningest = ""\nforecast = ""\nverify = ""\nmaintenance = ""\n'
        )
        yield found
    finally:
        for process in running:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_a_night_is_lived_with_both(others: Others) -> None:
    person = others.home.person
    told = person.lives_a_night()
    assert told["promotion"]["rule"] == "no_champion"
    assert set(pd.read_csv(person.workspace / "predictions" / "latest.csv")["method"]) == {"champion"}
    assert not list(person.workspace.rglob("*.db")), "a database was made in the workspace all the same"
    assert not list(person.workspace.rglob("weights.safetensors"))
    assert len(list(others.folder.glob("artifacts/**/weights.safetensors"))) == 1
    wanted = {"artifacts": {"key": {"any_": ["night", "gate", "forecast"]}}}
    found = httpx.post(f"{others.prefect}/artifacts/filter", json=wanted, trust_env=False).json()
    assert {one["key"] for one in found} == {"night", "gate", "forecast"}
    assert all(f"{others.mlflow}/#/models" in one["data"] for one in found if one["key"] == "gate")


def test_old_versions_go_as_far_as_a_server_lets_them(others: Others) -> None:
    person = others.home.person
    answer = subprocess.run(
        [sys.executable, "-c", PRUNE], env=person.environment(), cwd=person.workspace, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr[-3000:]
    went, left = answer.stdout.strip().splitlines()
    assert went.startswith("('2',) True 1 version (2), 1 run and 1 packaged model went, ")
    assert went.endswith("the server keeps their rows until `mlflow gc` is run there")
    assert left == "['3', '1'] False"
    assert len(list(others.folder.glob("artifacts/**/weights.safetensors"))) == 2


def test_up_serves_the_schedules_there_and_starts_no_server_of_its_own(others: Others) -> None:
    home = others.home
    with home.running():
        assert not answers(home.prefect_port) and not answers(home.mlflow_port)
        assert f"Prefect dashboard  {others.prefect.removesuffix('/api')}\n" in home.said
        assert f"MLflow UI          {others.mlflow}\n" in home.said
        assert list(home.tenant()["parts"]) == ["deployments"]
        deployment = httpx.get(f"{others.prefect}/deployments/name/verify/verify", trust_env=False).json()["id"]
        asked = httpx.post(f"{others.prefect}/deployments/{deployment}/create_flow_run", json={}, trust_env=False)
        wanted = {"flow_runs": {"id": {"any_": [asked.json()["id"]]}, "state": {"type": {"any_": ["COMPLETED"]}}}}
        until(lambda: httpx.post(f"{others.prefect}/flow_runs/filter", json=wanted, trust_env=False).json(), _SECONDS)
        status = json.loads(home.person.types("status", "--json").stdout)
        assert "next_nightly" in status and status["mlflow_ui"] == others.mlflow


def test_somebody_elses_run_that_nobody_noted_here_is_left_alone(others: Others) -> None:
    flow = httpx.post(f"{others.prefect}/flows/", json={"name": "nightly"}, trust_env=False).json()["id"]
    running = {"type": "RUNNING", "name": "Running"}
    theirs = httpx.post(
        f"{others.prefect}/flow_runs/", json={"flow_id": flow, "name": "theirs", "state": running}, trust_env=False
    ).json()["id"]
    script = (
        "from datetime import timedelta; from flows.runtime import start_engine; from lstm_model.workspace import "
        "Workspace; here = Workspace.find(); start_engine(here, 'nightcast test', print); from flows.killed import "
        "end_killed_runs; print(end_killed_runs(here, timedelta(0)))"
    )
    person = others.home.person
    told = subprocess.run(
        [sys.executable, "-c", script], env=person.environment(), cwd=person.workspace, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert told.stdout.splitlines()[-1] == "[]"
    found = httpx.get(f"{others.prefect}/flow_runs/{theirs}", trust_env=False).json()
    assert found["state_type"] == "RUNNING"
