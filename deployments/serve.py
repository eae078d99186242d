"""Serve every flow with its schedule, as `nightcast up` does: `python -m deployments.serve`.

This process only waits for what is due and stays small; each run is a process of its own, which imports what it needs.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast
from uuid import UUID

from deployments.backlog import clear_backlog
from deployments.plan import plan
from deployments.standing import Standing, note_registered, overridden, read_standing, recall_registered
from flows.access import access
from flows.events import of_crash
from flows.killed import GONE, crashed_nights, end_killed_runs, of_this_workspace, runs_under_way
from flows.runtime import environment_for
from flows.telling import announce
from flows.turns import answers, live_api
from lstm_model.errors import NightcastError
from lstm_model.servers import elsewhere
from lstm_model.workspace import Workspace

if TYPE_CHECKING:
    from prefect.deployments.runner import RunnerDeployment

_RUNS_AT_ONCE = 4
_POLL_SECONDS = 3
_PATIENCE_SECONDS = 120.0
_LOOK_AFTER_RUNS_SECONDS = 30.0
_AT_START, _LATER = timedelta(0), timedelta(seconds=30)


def main() -> int:
    """Register the deployments and run what they ask for until stopped."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))  # until the runner listens
    try:
        workspace = Workspace.find()
        _point_prefect_at(workspace)
        since = datetime.now(UTC)
        _tell_ended(end_killed_runs(workspace, _AT_START))
        serve(workspace, register_plan(workspace), since)
    except NightcastError as error:
        print(f"nightcast: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


def register_plan(workspace: Workspace) -> Mapping[str, Standing]:
    """Make the server's deployments what nightcast.toml says, and clear what was missed while nobody served.

    What is as planned already is not touched: registering anew would drop a run that is due this minute.
    """
    from prefect.client.orchestration import get_client

    planned = plan(workspace.settings.schedule)
    with get_client(sync_client=True) as client:
        standing = read_standing(client, planned)
        for line in overridden(planned, standing, recall_registered(workspace)):
            _say(line)
        if changed := [one.name for one in planned if one.name not in standing or not standing[one.name].is_as(one)]:
            registering = subprocess.run([sys.executable, "-m", "deployments.register", *changed], check=False)  # noqa: S603
            if registering.returncode:
                raise NightcastError("the deployments could not be registered; the lines above say why")
            standing = read_standing(client, planned)
        note_registered(workspace, planned)
        by_itself = {standing[one.name].id for one in planned if one.cron}
        others = {standing[one.name].id for one in planned if not one.cron}
        if cancelled := clear_backlog(client, by_itself, others):
            _say(f"cancelled {cancelled} older runs that were missed; of each scheduled deployment the newest runs now")
    return standing


def serve(workspace: Workspace, standing: Mapping[str, Standing], since: datetime) -> None:
    """Run what is due until SIGTERM or Ctrl-C. Schedules stay active: a night missed meanwhile is lived afterwards.

    Args:
        workspace: whose flows.
        standing: the deployments, by name.
        since: of nights that were killed from then on, people are told.
    """
    from deployments.runner import LeanRunner

    runner = LeanRunner("nightcast", query_seconds=_POLL_SECONDS, limit=_RUNS_AT_ONCE, pause_on_shutdown=False)
    for name, one in standing.items():
        runner.add_deployment(cast("RunnerDeployment", _Registered(name, one.id)))
    threading.Thread(target=_look_after_runs, args=(workspace, since), name="look after runs", daemon=True).start()
    _say(f"serving {', '.join(standing)}")
    asyncio.run(runner.run_until_stopped())


@dataclass(frozen=True)
class _Registered:
    """To a runner, a deployment that is registered already."""

    name: str
    id: UUID
    storage: None = None

    async def aapply(self) -> UUID:
        return self.id


def _look_after_runs(workspace: Workspace, since: datetime) -> None:
    """See to it that the states shown are true: whatever was killed is Crashed within a minute."""
    api, was_away, looked_at = os.environ["PREFECT_API_URL"], False, time.monotonic()
    told: set[UUID] = set()
    while True:
        time.sleep(_POLL_SECONDS)
        if not answers(api):
            was_away = True
        elif was_away or time.monotonic() - looked_at > _LOOK_AFTER_RUNS_SECONDS:
            looked_at = time.monotonic()
            try:
                _tell_ended(end_killed_runs(workspace, _LATER))
                _announce_crashed(workspace, since, told)
                if was_away and not _is_busy(workspace):
                    _renew()
            except Exception as error:  # the server may be away again; the next look finds it
                _say(f"cannot look after the runs now: {type(error).__name__}: {error}")


def _is_busy(workspace: Workspace) -> bool:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        return bool(of_this_workspace(workspace, runs_under_way(client)))


def _renew() -> None:
    """Become a fresh process: a runner whose server was away does not hear any more that a run is to be cancelled."""
    _say("the server was away and is back: serving anew")
    os.execv(sys.executable, [sys.executable, "-m", "deployments.serve"])  # noqa: S606


def _point_prefect_at(workspace: Workspace) -> None:
    """Before Prefect is imported, say where its server and its files are; wait until the server answers."""
    server = workspace.settings.server
    api = elsewhere(server, "prefect") or os.environ.get("PREFECT_API_URL") or live_api(workspace)
    if not api:
        raise NightcastError("no Prefect server runs for this workspace; `nightcast up` starts one, and this with it")
    told = environment_for(workspace, waits_for_database=bool(server.prefect))
    os.environ.update(told | access(server) | {"PREFECT_API_URL": api})
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not answers(api):
        if time.monotonic() > deadline:
            raise NightcastError(f"{api} does not answer; `nightcast up` starts a server, and this with it")
        time.sleep(0.3)


def _tell_ended(names: list[str]) -> None:
    for name in names:
        _say(f"{name} is Crashed: no process lives it any more")


def _announce_crashed(workspace: Workspace, since: datetime, told: set[UUID]) -> None:
    """Tell people of nights that were killed: they could not do so themselves.

    A night that was lived to its end, but whose server was away then, is Crashed as well and nothing to tell of.
    """
    crashed = [run for run in of_this_workspace(workspace, crashed_nights(since)) if run.id not in told]
    if not crashed:
        return
    from flows.clock import lived_nights  # it brings the readings' libraries: not before they are needed

    ended = [night.finished_at for night in lived_nights(workspace)]
    for run in crashed:
        told.add(run.id)
        if not (ended and run.start_time is not None and ended[-1] >= run.start_time):
            why = (run.state and run.state.message) or GONE
            announce(workspace, of_crash(run.name, why))


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
