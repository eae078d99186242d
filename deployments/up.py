"""`nightcast up`: Prefect server, MLflow UI and the deployments, started together and stopped together."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import IO

import httpx

from flows.runtime import UP_FILE, environment_for, live_api
from lstm_model.errors import NightcastError
from lstm_model.workspace import Workspace

_READY_SECONDS = 90.0
_STOP_SECONDS = 10.0


class Part:
    """A child process with its log."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], log: Path) -> None:
        self.name, self.log = name, log
        self._output: IO[bytes] = log.open("wb")
        self._process = subprocess.Popen(  # noqa: S603
            command, env=environment, stdout=self._output, stderr=subprocess.STDOUT, start_new_session=True
        )

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End it and its children: politely, then not."""
        for sign, patience in ((signal.SIGTERM, _STOP_SECONDS), (signal.SIGKILL, _STOP_SECONDS)):
            if not self.alive:
                break
            os.killpg(self._process.pid, sign)
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                continue
        self._output.close()


def main() -> int:
    """Start everything, say where it is, and wait for Ctrl-C."""
    workspace = Workspace.find(Path(sys.argv[1])) if len(sys.argv) > 1 else Workspace.find()
    parts: list[Part] = []
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, _interrupt)
    up_file = workspace.state / UP_FILE
    try:
        _start(workspace, parts)
        print("\nCtrl-C stops all of it.", flush=True)
        while all(part.alive for part in parts):
            time.sleep(1.0)
        dead = next(part for part in parts if not part.alive)
        raise NightcastError(f"{dead.name} ended by itself; its last words are in {dead.log}")
    except KeyboardInterrupt:
        print("\nstopping …", flush=True)
        return 0
    except NightcastError as error:
        print(f"nightcast: {error}", file=sys.stderr, flush=True)
        return 1
    finally:
        for part in reversed(parts):
            part.stop()
        if parts:
            up_file.unlink(missing_ok=True)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _start(workspace: Workspace, parts: list[Part]) -> None:
    if live := live_api(workspace):
        raise NightcastError(f"this workspace is up already, at {live.removesuffix('/api')}")
    server = workspace.settings.server
    for port in (server.prefect_port, server.mlflow_port):
        _check_free(server.host, port)
    logs = workspace.state / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    dashboard = f"http://{server.host}:{server.prefect_port}"
    mlflow_ui = f"http://{server.host}:{server.mlflow_port}"
    environment = os.environ | environment_for(workspace)
    environment.pop("PREFECT_API_URL", None)
    environment |= {
        "PREFECT_SERVER_API_HOST": server.host,
        "PREFECT_SERVER_API_PORT": str(server.prefect_port),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # one worker serves a person; the job runner starts eight more
    }
    python = [sys.executable, "-m"]
    parts.append(Part("Prefect server", [*python, "prefect", "server", "start"], environment, logs / "prefect.log"))
    from lstm_model.registry import open_tracking  # imported late: it takes seconds, and the server starts meanwhile
    from lstm_model.registry.tracking import database_uri

    open_tracking(workspace)  # the database is there and at home before the UI reads it
    address = ["--backend-store-uri", database_uri(workspace.mlruns), "--host", server.host]
    mlflow = [*python, "mlflow", "server", *address, "--port", str(server.mlflow_port), "--workers", "1"]
    parts.append(Part("MLflow UI", mlflow, environment, logs / "mlflow.log"))
    _wait(f"{dashboard}/api/health", parts)
    (workspace.state / UP_FILE).write_text(
        json.dumps({"prefect_api": f"{dashboard}/api", "pid": os.getpid()}), encoding="utf-8"
    )
    environment["PREFECT_API_URL"] = f"{dashboard}/api"
    parts.append(Part("deployments", [*python, "deployments.serve"], environment, logs / "deployments.log"))
    _wait(f"{mlflow_ui}/health", parts)
    _wait_for_deployments(f"{dashboard}/api", parts)
    print(f"Prefect dashboard  {dashboard}\nMLflow UI          {mlflow_ui}")
    plan = workspace.settings.schedule
    print(f"nightly at {plan.nightly!r} ({plan.timezone}); logs in {logs}")


def _check_free(host: str, port: int) -> None:
    with socket.socket() as probe:
        if probe.connect_ex((host, port)) == 0:
            raise NightcastError(f"{host}:{port} is in use; stop what listens there, or set another port in [server]")


def _wait(url: str, parts: list[Part]) -> None:
    """Wait until an address answers."""

    def answers() -> bool:
        try:
            return httpx.get(url, timeout=2.0, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    _until(answers, f"{url} does not answer", parts)


def _wait_for_deployments(api: str, parts: list[Part]) -> None:
    def registered() -> bool:
        answer = httpx.post(f"{api}/deployments/count", json={}, timeout=5.0, trust_env=False)
        return answer.is_success and int(answer.text) > 0

    _until(registered, "the deployments are not registered", parts)


def _until(condition: Callable[[], bool], complaint: str, parts: list[Part]) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not condition():
        for part in parts:
            if not part.alive:
                raise NightcastError(f"{part.name} did not start; its last words are in {part.log}")
        if time.monotonic() > deadline:
            raise NightcastError(f"{complaint} after {_READY_SECONDS:.0f} s; logs are in {parts[0].log.parent}")
        time.sleep(0.3)


if __name__ == "__main__":
    sys.exit(main())
