"""Up and down: hand over to `deployments.up`, in this terminal or in the background, and end it again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

from flows.access import access_for_servers, forget_logins
from flows.runtime import DATABASE, REGISTRY, forgetting_after
from flows.turns import UP, end_leftovers, is_anybodys_turn, live_tenant, tenant_of
from lstm_model.errors import NightcastError
from lstm_model.servers import Which, database, elsewhere, reach_database
from lstm_model.workspace import Workspace

_SERVERS: tuple[Which, ...] = ("prefect", "mlflow")
_DOWN_SECONDS = 90.0


def go_up(workspace: Workspace, *, detach: bool) -> int:
    """Become `deployments.up`, or start it and return when it is ready; returns its exit code.

    Raises:
        SettingsError: other machines could ask, and nothing says who may.
        NightcastError: a database that `[server]` names does not answer.
    """
    server = workspace.settings.server
    forget_logins()
    os.environ.update(forgetting_after(server.history_days) | access_for_servers(server) | _databases(workspace))
    # Deployments sit above flows: they are called by name instead of being imported.
    command = [sys.executable, "-m", "deployments.up", str(workspace.home), server.host]
    command += [str(server.prefect_port), str(server.mlflow_port)]
    command += [f"--{which}={address}" for which in _SERVERS if (address := elsewhere(server, which))]
    if not detach:
        os.execv(sys.executable, command)  # noqa: S606
    child = subprocess.Popen(  # noqa: S603
        [*command, "--detached"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True, text=True
    )
    assert child.stdout is not None
    try:
        for line in child.stdout:  # ends when it is ready, or gone
            print(line, end="", flush=True)
        with suppress(subprocess.TimeoutExpired):
            return child.wait(0.5)
    except KeyboardInterrupt:
        child.terminate()
        return child.wait()
    child.returncode = 0  # it is to outlive us
    return 0


def _databases(workspace: Workspace) -> dict[str, str]:
    """What the servers of `up` are told of databases elsewhere: in the environment, for passwords are in it."""
    for name in (DATABASE, REGISTRY):
        os.environ.pop(name, None)
    found = {}
    told: tuple[tuple[Which, str, str], ...] = (("prefect", DATABASE, "asyncpg"), ("mlflow", REGISTRY, "psycopg"))
    for which, name, driver in told:
        if (url := database(workspace.settings.server, which, os.environ, driver)) is not None:
            reach_database(workspace.settings.server, which, os.environ)
            found[name] = url
    return found


def go_down(workspace: Workspace) -> str:
    """End `nightcast up` and all its parts; says what was done, once they are gone.

    Raises:
        NightcastError: it does not end, or is not ours to end.
    """
    taken = is_anybodys_turn(workspace)  # a lock dies with its process; its note may be older than that
    tenant = live_tenant(workspace) if taken else None
    if tenant is None:
        if not taken:
            end_leftovers(workspace)
            return f"nothing is up in {workspace.home}"
        other = tenant_of(workspace)
        who = "another command" if other is None else f"`{other.command}` (process {other.pid})"
        return f"nothing is up in {workspace.home}; {who} is under way and goes on"
    try:
        os.kill(tenant.pid, signal.SIGTERM)
    except ProcessLookupError:
        pass  # it ended by itself this very moment
    except PermissionError:
        raise NightcastError(f"`{UP}` (process {tenant.pid}) is another user's; that user can stop it") from None
    deadline = time.monotonic() + _DOWN_SECONDS
    while is_anybodys_turn(workspace) and tenant.is_alive_in(workspace):
        if time.monotonic() > deadline:
            raise NightcastError(
                f"`{UP}` (process {tenant.pid}) does not end; kill -9 {tenant.pid}, then run `nightcast down` again"
            )
        time.sleep(0.2)
    return f"down: the dashboards and schedules of {workspace.home} are stopped"
