"""Prefect inside the workspace. `prepare` comes before the first import of prefect, which reads these once."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx

from lstm_model.errors import SettingsError
from lstm_model.workspace import Workspace

UP_FILE = "up.json"
_HEALTH_SECONDS = 2.0
_ENGINE_FILE = "engine.json"
# On the command line `flows.progress` speaks; Prefect's own console lines would say everything twice.
_QUIET = {"PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL"}


def prepare(workspace: Workspace) -> str | None:
    """Point Prefect at the workspace: at the server of `nightcast up` if one answers, else at an embedded one.

    Returns:
        The live server's API address, or None where flows run embedded.

    Raises:
        SettingsError: prefect was imported before and would look elsewhere.
    """
    home = workspace.state / "prefect"
    home.mkdir(parents=True, exist_ok=True)
    environment = environment_for(workspace)
    live = live_api(workspace)
    if live is not None:
        environment["PREFECT_API_URL"] = live
    if "prefect" in sys.modules and os.environ.get("PREFECT_HOME") != str(home):
        raise SettingsError("prefect was imported before nightcast could point it at the workspace; import flows first")
    os.environ.pop("PREFECT_API_URL", None)
    os.environ.update(environment | _QUIET)
    return live


def start_engine(workspace: Workspace) -> None:
    """Start Prefect's embedded server and import what the flows need, side by side: each takes many seconds.

    A server whose night was killed outlives it; it is ended first.
    """
    from prefect.client.orchestration import get_client
    from prefect.server.api.server import SubprocessASGIServer

    _end_orphan(workspace)

    def touch() -> None:
        with get_client(sync_client=True) as client:
            client.api_healthcheck()
        if (process := SubprocessASGIServer().server_process) is not None:
            pids = {"server": process.pid, "owner": os.getpid()}
            (workspace.state / _ENGINE_FILE).write_text(json.dumps(pids), encoding="utf-8")

    server = threading.Thread(target=touch, name="start of Prefect's server")
    server.start()
    importlib.import_module("lstm_model.forecasts")
    server.join()


def _end_orphan(workspace: Workspace) -> None:
    """Stop the embedded server of a night that no longer lives."""
    try:
        pids = json.loads((workspace.state / _ENGINE_FILE).read_text(encoding="utf-8"))
        server, owner = int(pids["server"]), int(pids["owner"])
    except (OSError, ValueError, KeyError):
        return
    if _command_of(owner) == "" and "prefect.server.api.server" in _command_of(server):
        os.kill(server, signal.SIGKILL)  # nobody is left to wait for it; asked politely it may stay


def _command_of(pid: int) -> str:
    """Command line of a process, empty if there is none."""
    command = ["ps", "-ww", "-o", "args=", "-p", str(pid)]  # -ww: whole, however narrow the terminal
    try:
        if Path("/proc/self/cmdline").exists():
            return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").replace("\0", " ").strip()
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
    except OSError:
        return ""


def environment_for(workspace: Workspace) -> dict[str, str]:
    """Environment of every process that runs flows or the server for this workspace."""
    home = workspace.state / "prefect"
    return {
        "NIGHTCAST_HOME": str(workspace.home),
        "PREFECT_HOME": str(home),
        "PREFECT_PROFILES_PATH": str(home / "profiles.toml"),
        "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{home / 'prefect.db'}",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
        "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
        "PREFECT_LOGGING_EXTRA_LOGGERS": "nightcast",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def live_api(workspace: Workspace) -> str | None:
    """API address of a running `nightcast up` in this workspace, or None."""
    file = workspace.state / UP_FILE
    if not file.is_file():
        return None
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        api = str(told["prefect_api"])
        if "deployments.up" not in _command_of(int(told["pid"])):
            return None  # it was killed; whatever answers on that port by now is somebody else's
        answer = httpx.get(f"{api}/health", timeout=_HEALTH_SECONDS, trust_env=False)
    except (OSError, ValueError, KeyError, httpx.HTTPError):
        return None
    return api if answer.is_success else None
