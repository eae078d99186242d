"""Prefect's server and `deployments.serve` in a workspace of their own, each to be killed and started again."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
from servers import free_port
from support import Person, fleet_readings

from flows.runtime import environment_for
from lstm_model.workspace import Workspace

FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


@dataclass
class Served:
    """A person's workspace, its server and what serves its deployments."""

    person: Person
    port: int = field(default_factory=free_port)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    def write_settings(self, schedule: str = "") -> None:
        """Small models; nothing runs by itself but what `schedule` says."""
        crons = dict.fromkeys(("ingest", "nightly", "forecast", "verify", "maintenance"), "")
        crons |= dict(line.split("=", 1) for line in schedule.splitlines())
        lines = [f'{name} = "{cron}"' for name, cron in crons.items()]
        text = "\n".join(["[model]", "max_epochs = 2", "[schedule]", *lines])
        (self.person.workspace / "nightcast.toml").write_text(text)

    def environment(self) -> dict[str, str]:
        workspace = Workspace.find(self.person.workspace, {})
        return self.person.environment(**environment_for(workspace), PREFECT_API_URL=self.api)

    def start_server(self) -> None:
        address = {"PREFECT_SERVER_API_HOST": "127.0.0.1", "PREFECT_SERVER_API_PORT": str(self.port)}
        (self.person.workspace / ".nightcast" / "prefect").mkdir(parents=True, exist_ok=True)
        self._start("server", [sys.executable, "-m", "prefect", "server", "start"], address)
        self.until(self._answers, 90)

    def bring_fleet(self, end: pd.Timestamp) -> None:
        """Put a file of a fleet's readings up to a time into the folder `inbox`."""
        inbox = self.person.workspace / "inbox"
        inbox.mkdir()
        rows = fleet_readings(end=end)[["station_id", "observed_at", "temperature_c"]]
        rows.to_csv(inbox / "fleet.csv", index=False)

    def start_serving(self) -> str:
        """Start `deployments.serve`; what it says until it serves."""
        began = len(self.log("serving"))
        self._start("serving", [sys.executable, "-m", "deployments.serve"], {})
        self.until(lambda: "\nserving " in "\n" + self.log("serving")[began:], 120)
        return self.log("serving")[began:]

    def kill(self, name: str) -> None:
        """kill −9, the runs it started included."""
        os.killpg(self.processes[name].pid, signal.SIGKILL)
        self.processes[name].wait()

    def stop_serving(self) -> int:
        self.processes["serving"].send_signal(signal.SIGTERM)
        return self.processes["serving"].wait(60)

    def log(self, name: str) -> str:
        file = self.person.workspace / f"{name}.log"
        return file.read_text() if file.exists() else ""

    def until(self, condition: Callable[[], Any], seconds: float = 120) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, self.log("serving")[-3000:]
            time.sleep(0.3)
        return found

    # ── what the API tells ────────────────────────────────────────────────────────────────────────────────────

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """What the server answers; asked again while its database is locked (503), as Prefect's own client does."""
        for _ in range(20):
            answer = httpx.request(method, f"{self.api}{path}", json=body, trust_env=False, timeout=30)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(0.5)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def deployment(self, name: str) -> dict[str, Any]:
        told: dict[str, Any] = self.ask("GET", f"/deployments/name/{name}/{name}")
        return told

    def quick_run(self, name: str, **parameters: str) -> str:
        """Ask for a run as the dashboard does; its id."""
        path = f"/deployments/{self.deployment(name)['id']}/create_flow_run"
        return str(self.ask("POST", path, {"parameters": parameters} if parameters else {})["id"])

    def events(self, name: str) -> list[dict[str, Any]]:
        """Events of that name, the oldest first."""
        told = self.ask("POST", "/events/filter", {"filter": {"event": {"name": [name]}, "order": "ASC"}})
        return list(told["events"])

    def automations(self) -> list[str]:
        """Names of the automations on the server."""
        return [one["name"] for one in self.ask("POST", "/automations/filter", {})]

    def runs(self, **wanted: Any) -> list[dict[str, Any]]:
        body = {"flow_runs": wanted, "sort": "EXPECTED_START_TIME_ASC"}
        told: list[dict[str, Any]] = self.ask("POST", "/flow_runs/filter", body)
        return told

    def run(self, run_id: str) -> dict[str, Any]:
        return self.runs(id={"any_": [run_id]})[0]

    def wait_for(self, run_id: str, *states: str, seconds: float = 120) -> dict[str, Any]:
        self.until(lambda: self._is_in(run_id, states), seconds)
        return self.run(run_id)

    def ended(self, run_id: str, seconds: float = 120) -> str:
        """How a run ended."""
        return str(self.wait_for(run_id, *FINAL, seconds=seconds)["state_type"])

    def process_of(self, run_id: str) -> int:
        """The process that was started for a run."""
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if f"PREFECT__FLOW_RUN_ID={run_id}" in (process / "environ").read_text(errors="replace"):
                    return int(process.name)
            except OSError:
                continue
        raise AssertionError(f"no process was started for {run_id}")

    def let_time_pass(self, deployment: str, runs: int) -> list[str]:
        """Make the next scheduled runs of a deployment due in the past, as if the machine had been off; their ids."""
        database = self.person.workspace / ".nightcast" / "prefect" / "prefect.db"
        ours = {"any_": [self.deployment(deployment)["id"]]}
        ids = [run["id"] for run in self.runs(deployment_id=ours, state={"name": {"any_": ["Scheduled"]}})[:runs]]
        told = "UPDATE flow_run_state SET state_details = json_set(state_details, '$.scheduled_time', ?)"
        with closing(sqlite3.connect(database, timeout=30)) as connection:
            for number, run in enumerate(ids):
                due = f"2026-01-0{number + 1} 02:15:00.000000"
                connection.execute("UPDATE flow_run SET next_scheduled_start_time = ? WHERE id = ?", (due, run))
                connection.execute(f"{told} WHERE flow_run_id = ?", (f"{due.replace(' ', 'T')}Z", run))
            connection.commit()
        return ids

    def _is_in(self, run_id: str, states: tuple[str, ...]) -> bool:
        try:
            return self.run(run_id)["state_type"] in states
        except httpx.HTTPError:  # the server is away
            return False

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.api}/health", timeout=2, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def _start(self, name: str, command: list[str], more: dict[str, str]) -> None:
        environment = self.environment() | more
        if name == "server":
            del environment["PREFECT_API_URL"]
        with (self.person.workspace / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command,
                env=environment,
                cwd=self.person.workspace,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


@contextmanager
def served(home: Path, workspace: Path) -> Iterator[Served]:
    """A server and what serves; gone when the block ends."""
    it = Served(Person(home, workspace))
    it.write_settings()
    try:
        it.start_server()
        yield it
    finally:
        for process in it.processes.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
