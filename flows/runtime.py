"""Prefect inside the workspace. `start_engine` comes before the first import of prefect, which reads these once."""

from __future__ import annotations

import importlib
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from flows.access import access
from flows.turns import Place, Tenant, take_turn, wait_for_elsewhere
from lstm_model.errors import SettingsError
from lstm_model.servers import database, elsewhere, reach_database

if TYPE_CHECKING:  # `nightcast up` itself stays small
    from lstm_model.workspace import Workspace

DATABASE, REGISTRY = "PREFECT_API_DATABASE_CONNECTION_URL", "NIGHTCAST_REGISTRY"
"""Environment variables that tell Prefect's server and the MLflow UI of `up` where their databases are, with passwords.
"""

# On the command line `flows.progress` speaks; Prefect's own console lines would say everything twice.
_QUIET = {"PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL"}


def start_engine(
    workspace: Workspace, command: str, tell: Callable[[str], None], check: Callable[[], None] = lambda: None
) -> None:
    """Find a server for the flows of this command, or start Prefect's embedded one when it is our turn.

    What the flows need is imported meanwhile: each takes many seconds. Arguments are those of `take_turn`.

    Raises:
        NightcastError: the turn did not come.
        SettingsError: prefect was imported before and would look elsewhere, or the server's login is not known.
    """
    _point_at(workspace, _api_for(workspace, command, tell, check))
    from prefect.client.orchestration import get_client
    from prefect.server.api.server import SubprocessASGIServer

    def touch() -> None:
        with get_client(sync_client=True) as client:
            client.api_healthcheck()

    start = threading.Thread(target=touch, name="start of Prefect's server")
    start.start()
    while (process := SubprocessASGIServer().server_process) is None and start.is_alive():
        time.sleep(0.05)
    if process is not None:  # told at once: who is killed from here on does not leave a server that nobody knows
        Tenant(os.getpid(), command, parts={"Prefect server": process.pid}).write(workspace)
    importlib.import_module("lstm_model.forecasts")
    start.join()


def _api_for(workspace: Workspace, command: str, tell: Callable[[str], None], check: Callable[[], None]) -> str | None:
    """The API of the server that `[server] prefect` names or of a running `up`; None where the turn is ours."""
    if (api := elsewhere(workspace.settings.server, "prefect")) is None:
        return take_turn(workspace, command, tell, check=check)
    check()
    wait_for_elsewhere("prefect", api, tell)
    return api


def _point_at(workspace: Workspace, api: str | None) -> None:
    home, server = workspace.state / "prefect", workspace.settings.server
    home.mkdir(parents=True, exist_ok=True)
    environment = environment_for(workspace, waits_for_database=bool(server.prefect))
    if api is not None:
        environment |= access(server) | {"PREFECT_API_URL": api}
    elif (url := database(server, "prefect", os.environ, "asyncpg")) is not None:
        reach_database(server, "prefect", os.environ)
        environment |= {DATABASE: url}
    if "prefect" in sys.modules and os.environ.get("PREFECT_HOME") != str(home):
        raise SettingsError("prefect was imported before nightcast could point it at the workspace; import flows first")
    os.environ.pop("PREFECT_API_URL", None)
    os.environ.update(environment)
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)


def environment_for(place: Place, *, waits_for_database: bool = False) -> dict[str, str]:
    """Environment of every process that runs flows or the server for this workspace.

    Args:
        place: the workspace.
        waits_for_database: whether the server's database may go and come back by itself; it then answers with 500.
    """
    home = place.state / "prefect"
    patient = {"PREFECT_CLIENT_RETRY_EXTRA_CODES": "500"} if waits_for_database else {}
    return patient | {
        "NIGHTCAST_HOME": str(place.home),
        "PREFECT_HOME": str(home),
        "PREFECT_PROFILES_PATH": str(home / "profiles.toml"),
        DATABASE: f"sqlite+aiosqlite:///{home / 'prefect.db'}",
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


def forgetting_after(days: int) -> dict[str, str]:
    """What tells Prefect's server to remove runs and events that are older."""
    return {
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(days * 86_400),
    }
