"""Which parts there are, what each is told, in what order they start, and who starts them again."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import httpx

from deployments.parts import Part, Pulse, Undertaker, reason_in
from flows.access import address_of
from flows.due import deployments, next_runs
from flows.processes import listener
from flows.runtime import DATABASE, REGISTRY, environment_for
from flows.turns import UP, Tenant, answers, wait_for_elsewhere
from lstm_model.errors import NightcastError

_READY_SECONDS = 120.0
_PLANNED_SECONDS = 20.0
_LOOK_SECONDS = 0.2
_HANGS_AFTER = 60
"""A server that leaves so many questions in a row unanswered, one every ten seconds, hangs."""
_OPEN_TRACKING = (
    "from lstm_model.registry import open_tracking; from lstm_model.workspace import Workspace; "
    "open_tracking(Workspace.find())"
)


@dataclass(frozen=True)
class Plan:
    """Where to be up."""

    home: Path
    host: str
    prefect_port: int
    mlflow_port: int
    prefect_elsewhere: str | None = None
    """API of a Prefect server that runs elsewhere; no server of ours is started then."""
    mlflow_elsewhere: str | None = None
    """Address of an MLflow server that runs elsewhere, likewise."""

    @property
    def state(self) -> Path:
        """Folder of nightcast's own bookkeeping."""
        return self.home / ".nightcast"

    @property
    def dashboard(self) -> str:
        """Prefect's address."""
        if self.prefect_elsewhere is not None:
            return self.prefect_elsewhere.removesuffix("/api")
        return f"http://{address_of(self.host)}:{self.prefect_port}"

    @property
    def api(self) -> str:
        """Prefect's address for programs."""
        return f"{self.dashboard}/api"

    @property
    def mlflow(self) -> str:
        """MLflow's address."""
        return self.mlflow_elsewhere or f"http://{address_of(self.host)}:{self.mlflow_port}"

    def check_elsewhere(self, tell: Callable[[str], None]) -> None:
        """See that the servers that run elsewhere answer.

        Raises:
            NightcastError: one does not.
        """
        for which, address in (("prefect", self.prefect_elsewhere), ("mlflow", self.mlflow_elsewhere)):
            if address is not None:
                wait_for_elsewhere(which, address, tell)

    def check_ports(self) -> None:
        """See that the ports of our own servers are free, and ours to listen at.

        Raises:
            NightcastError: one is not.
        """
        ours = {"prefect_port": self.prefect_elsewhere, "mlflow_port": self.mlflow_elsewhere}
        for name in (name for name, elsewhere in ours.items() if elsewhere is None):
            port = getattr(self, name)
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((self.host, port))
                except OSError as error:
                    settings = self.home / "nightcast.toml"
                    if error.errno != errno.EADDRINUSE:
                        raise NightcastError(
                            f"cannot listen at {self.host}:{port}: {error.strerror}; see host and {name} under "
                            f"[server] in {settings}"
                        ) from None
                    who = listener(port)
                    by = f" by process {who.pid}, {who.command[:80]!r}" if who else ""
                    raise NightcastError(
                        f"{self.host}:{port} is taken{by}; stop that, or set another {name} under [server] in "
                        f"{settings}"
                    ) from None


class Supervisor:
    """Starts the parts in their order, and again those that die, and servers that hang."""

    def __init__(self, plan: Plan, say: Callable[[str], None]) -> None:
        self._plan, self._say = plan, say
        self._stopping = self._is_ready = False
        self._undertaker = Undertaker()
        logs = plan.state / "logs"
        self._server = self._part("Prefect server", _guarded("prefect", plan, plan.prefect_port), logs / "prefect.log")
        # `mlflow server` would start this and stay beside it, as large again.
        self._ui = self._part("MLflow UI", _guarded("mlflow", plan, plan.mlflow_port), logs / "mlflow.log")
        serving = [sys.executable, "-m", "deployments.serve"]
        self._serving = self._part("deployments", serving, logs / "deployments.log")
        elsewhere = {self._server: plan.prefect_elsewhere, self._ui: plan.mlflow_elsewhere, self._serving: None}
        self._parts = tuple(part for part, address in elsewhere.items() if address is None)
        self._pulses: dict[str, Pulse] = {}
        self._due: dict[str, float] = {}
        self._held: list[str] = []
        self._api: str | None = None
        databases = {name: os.environ.pop(name) for name in (DATABASE, REGISTRY) if name in os.environ}
        told = environment_for(plan, waits_for_database=DATABASE in databases or plan.prefect_elsewhere is not None)
        environment = os.environ | told | {"MALLOC_ARENA_MAX": "2", "PYTHONUNBUFFERED": "1"}
        environment.pop("PREFECT_API_URL", None)
        self._environment = environment
        self._server.environment = environment | {
            DATABASE: databases.get(DATABASE, environment[DATABASE]),
            "PREFECT_SERVER_API_HOST": plan.host,
            "PREFECT_SERVER_API_PORT": str(plan.prefect_port),
            "PREFECT_UI_API_URL": "/api",  # by whatever name a browser knows this machine
        }
        self._ui.environment = environment | _mlflow_settings(plan.home / "mlruns", databases.get(REGISTRY))
        self._serving.environment = environment | {
            "PREFECT_API_URL": plan.api,
            "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO",
        }
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if sign is not signal.SIGHUP or signal.getsignal(sign) is not signal.SIG_IGN:  # nohup means it
                signal.signal(sign, self._hear)

    def start(self) -> None:
        """Start every part and wait until all answer.

        Raises:
            NightcastError: one does not.
        """
        if self._server in self._parts:
            self._begin(self._server)
        self._open_tracking()  # the database is there and at home before the UI reads it
        if self._ui in self._parts:
            self._begin(self._ui)
        if self._server in self._parts:
            self._until(lambda: answers(self._plan.api), self._server)
        self._api = self._plan.api
        self._begin(self._serving)
        if self._ui in self._parts:
            self._until(lambda: answers(self._plan.mlflow), self._ui)
        self._until(self._deployments_are_served, self._serving)
        addresses = {self._server: self._plan.api, self._ui: self._plan.mlflow}
        self._pulses = {part.name: Pulse(addresses[part]) for part in self._parts if part in addresses}
        for pulse in self._pulses.values():
            pulse.begin()
        self._is_ready = True

    def tell_where(self) -> None:
        """Say the addresses, when what runs next, and what the deployments found as they began."""
        self._say(f"Prefect dashboard  {self._plan.dashboard}")
        self._say(f"MLflow UI          {self._plan.mlflow}")
        deadline = time.monotonic() + _PLANNED_SECONDS  # the server plans runs a few seconds after it hears of them
        try:
            planned = next_runs(self._plan.api)
            while any(due.at is None for due in planned) and time.monotonic() < deadline:
                self._pause()
                planned = next_runs(self._plan.api)
        except httpx.HTTPError:
            self._say("the server is too busy to say what runs next; `nightcast status` asks again")
        else:
            for due in planned:
                self._say(f"next {due.deployment:<14}{due.in_words()}")
        self._say(f"logs in {self._plan.state / 'logs'}")
        for news in self._held:
            self._say(news)
        self._held.clear()

    def look_after(self) -> None:
        """Start again what dies, and a server that hangs, until told to stop.

        Raises:
            NightcastError: a part dies again and again.
            KeyboardInterrupt: told to stop.
        """
        while True:
            self._pause()
            for part in self._parts:
                if part.name in self._due:
                    if time.monotonic() >= self._due[part.name] and self._may_start(part):
                        del self._due[part.name]
                        self._begin(part)
                elif not part.alive:
                    self._bury(part)
                elif self._hangs(part):
                    self._say(f"{part.name} has left {_HANGS_AFTER} questions in a row unanswered; it is ended")
                    self._bury(part)

    def stop(self) -> None:
        """End every part, those that need others first."""
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(sign, signal.SIG_IGN)  # it is under way, and has its own patience
        for part in reversed(self._parts):
            part.stop()
        self._undertaker.dismiss()

    def _part(self, name: str, command: list[str], log: Path) -> Part:
        return Part(name, command, log, self._relay, self._undertaker)

    def _relay(self, news: str) -> None:
        if self._is_ready:
            self._say(news)
        elif news.startswith(f"{self._serving.name}: "):  # what goes wrong elsewhere ends all of it, and says why
            self._held.append(news)

    def _hangs(self, part: Part) -> bool:
        pulse = self._pulses.get(part.name)
        return pulse is not None and pulse.unanswered >= _HANGS_AFTER

    def _begin(self, part: Part) -> None:
        if part.name in self._pulses:
            self._pulses[part.name].restart()
        part.start()
        running = {part.name: part.pid for part in self._parts if part.pid}
        try:
            Tenant(os.getpid(), UP, self._api, self._plan.mlflow, running).write(self._plan)
        except OSError:
            if not self._is_ready:
                raise  # later, a disk that is full for a while ends nothing: the undertaker knows the parts as well

    def _bury(self, part: Part) -> None:
        """Note a death; what the dead one had started goes with it, for nobody hears of it any more."""
        how = part.end  # of one that hangs: that it was stopped, as happens now
        part.stop()
        rest = part.deaths.one_more(time.monotonic())
        if rest is None:
            raise NightcastError(f"{part.name} died too often and stays down: it {how}; its log is {part.log}")
        self._say(f"{part.name} {how}; it starts again in {rest:.0f} s")
        self._due[part.name] = time.monotonic() + rest

    def _may_start(self, part: Part) -> bool:
        return part is not self._serving or answers(self._plan.api)

    def _open_tracking(self) -> None:
        command = [sys.executable, "-c", _OPEN_TRACKING]
        with subprocess.Popen(  # noqa: S603
            command, env=self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True,
        ) as child:  # fmt: skip
            try:
                while child.poll() is None:
                    self._pause()
            finally:
                child.kill()
            words = child.stderr.read() if child.stderr else ""
        if child.returncode:
            where = self._plan.mlflow_elsewhere or self._plan.home / "mlruns"
            raise NightcastError(
                f"MLflow's database of {where} cannot be opened; {reason_in(words.splitlines())}; `nightcast doctor` "
                "says what to do"
            )

    def _deployments_are_served(self) -> bool:
        """Whether this process, not an earlier one, has asked the server for work."""
        try:
            polled = [found["last_polled"] for found in deployments(self._plan.api)]
        except httpx.HTTPError:
            return False
        since = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(self._serving.started_at))
        return any(at is not None and at >= since for at in polled)

    def _until(self, ready: Callable[[], bool], part: Part) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while not ready():
            for other in self._parts:
                if other.pid and not other.alive:
                    raise NightcastError(f"{other.name} did not start: it {other.end}; its log is {other.log}")
            if time.monotonic() > deadline:
                raise NightcastError(f"{part.name} does not answer after {_READY_SECONDS:.0f} s; its log is {part.log}")
            self._pause()

    def _pause(self) -> None:
        time.sleep(_LOOK_SECONDS)
        if self._stopping:
            raise KeyboardInterrupt

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True  # told at the next pause: nothing is left half-started


def _guarded(name: str, plan: Plan, port: int) -> list[str]:
    """Command that serves a dashboard of `deployments.guarded`."""
    serve = [sys.executable, "-m", "uvicorn", "--no-access-log", "--factory", f"deployments.guarded:{name}"]
    return [*serve, "--host", plan.host, "--port", str(port), "--timeout-keep-alive", "5"]


def _mlflow_settings(mlruns: Path, database: str | None) -> dict[str, str]:
    """What `mlflow server` would tell the process that answers."""
    database = database or f"sqlite:///{mlruns / 'mlflow.db'}"
    return {
        "_MLFLOW_SERVER_FILE_STORE": database,
        "_MLFLOW_SERVER_REGISTRY_STORE": database,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": (mlruns / "artifacts").as_uri(),
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SGI_NAME": "uvicorn",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # one process serves a person; the job runner starts eight more
    }
