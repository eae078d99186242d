"""`mlflow models serve` on a registered version: forecasts for readings, and a clear 400 for anything else."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import mlflow
import pandas as pd
import pytest
from support import NOW, store_of

from lstm_model.forecasts import issue_forecast
from lstm_model.registry import MODEL, open_tracking
from lstm_model.workspace import Workspace

_PATIENCE_SECONDS = 90


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def served(trained_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """The champion's files alone, served by MLflow from a folder without the project."""
    open_tracking(Workspace.find(trained_home, {}))
    folder, port = tmp_path_factory.mktemp("served"), free_port()
    package = mlflow.artifacts.download_artifacts(f"models:/{MODEL}@champion", dst_path=str(folder / "model"))
    command = [
        str(Path(sys.executable).with_name("mlflow")), "models", "serve", "--model-uri", package,
        "--env-manager", "local", "--host", "127.0.0.1", "--port", str(port),
    ]  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    with (
        (folder / "log").open("w") as log,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        server = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            wait_for(client, server, folder / "log")
            yield client
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def wait_for(client: httpx.Client, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if client.get("/ping").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError(log.read_text())


def asked(readings: pd.DataFrame) -> dict[str, Any]:
    return {"dataframe_split": json.loads(readings.to_json(orient="split", date_format="iso", index=False))}


def good_readings(workspace: Workspace) -> pd.DataFrame:
    readings = store_of(workspace).read(NOW, since=NOW - pd.Timedelta("48h"), covariates=True)
    return readings.assign(observed_at=readings["observed_at"].dt.strftime("%Y-%m-%dT%H:%M:%S"))


def test_it_answers_recent_readings_with_forecasts(served: httpx.Client, trained: Workspace) -> None:
    answer = served.post("/invocations", json=asked(good_readings(trained)))
    assert answer.status_code == 200, answer.text
    forecast = pd.DataFrame(answer.json()["predictions"])
    issued = issue_forecast(trained, NOW, NOW).forecast.sort_values(["station_id", "lead_hours"])
    assert list(forecast["station_id"]) == list(issued["station_id"])
    assert (pd.to_datetime(forecast["valid_at"], utc=True).to_numpy() == issued["valid_at"].to_numpy()).all()
    for name in ("temperature_c", "q05", "q95"):
        assert abs(forecast[name].to_numpy() - issued[name].to_numpy()).max() < 1e-3, name


def refusal(served: httpx.Client, body: Any) -> str:
    """The last sentence of a 400; before it MLflow repeats what it was sent."""
    answer = served.post("/invocations", content=body if isinstance(body, bytes) else json.dumps(body).encode(),
                         headers={"content-type": "application/json"})  # fmt: skip
    assert answer.status_code == 400, answer.text
    told = answer.json()
    assert "Traceback" not in answer.text and "stack_trace" not in told, answer.text
    return str(told["message"]).rsplit("Error: ", 1)[-1]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda rows: rows.drop(columns="temperature_c"), "Model is missing inputs ['temperature_c']."),
        (lambda rows: rows.assign(temperature_c="warm"), "could not convert string to float: 'warm'"),
        (lambda rows: rows.assign(observed_at="yesterday"), "unable to parse: yesterday"),
        (lambda rows: rows.assign(observed_at=rows["observed_at"] + "Z"), "Use obj.tz_localize(None)"),
        (lambda rows: rows[:0], "no readings: send the recent ones, at least a day of every station"),
        (lambda rows: rows.assign(temperature_c=None), "no temperatures: temperature_c is missing"),
        (lambda rows: rows.assign(station_id=None), "row 0: station_id is missing"),
        (lambda rows: rows.assign(observed_at=[*rows["observed_at"][:-1], None]), "row 143: observed_at is missing"),
    ],
    ids=[
        "column missing",
        "words for a number",
        "words for a time",
        "zone",
        "nothing",
        "no temperature",
        "no station",
        "no time",
    ],
)
def test_what_it_cannot_forecast_from_is_a_clear_400(
    served: httpx.Client, trained: Workspace, change: Callable[[pd.DataFrame], pd.DataFrame], complaint: str
) -> None:
    assert complaint in refusal(served, asked(change(good_readings(trained))))


@pytest.mark.parametrize("body", [b"{", b"[1, 2]", b"{}"], ids=["no JSON", "a list", "an empty object"])
def test_what_is_no_request_is_a_400(served: httpx.Client, body: bytes) -> None:
    assert refusal(served, body)


def test_readings_without_covariates_are_enough(served: httpx.Client, trained: Workspace) -> None:
    answer = served.post("/invocations", json=asked(good_readings(trained).drop(columns="pressure_hpa")))
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["predictions"]) == 3 * 12
