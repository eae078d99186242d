"""Every command of compose.yaml, of the Dockerfile and of the systemd units, as written, outside the container.

What a container or systemd would do is done by the tests: places that are mounted or installed to lie elsewhere, and a
server that a container has for its neighbours listens here to this machine alone. The rest is what the files say.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import deployed
import httpx
import psycopg
import pytest
from deployed import (
    ROOT,
    SYSTEMD,
    dockerfile,
    environment_file,
    image_environment,
    image_healthcheck,
    servers_toml,
    services,
    unit,
)
from postgres import Postgres
from servers import free_port, until
from support import Person

from flows.living import living_runs
from lstm_model.workspace import Workspace

pytestmark = [pytest.mark.services, pytest.mark.timeout(900)]

BIN = str(Path(sys.executable).parent)
PASSWORD, LOGIN = "8c0ffee", ("nightcast", "0ddba11")
SMALL = "[model]\nmax_epochs = 2\nhidden_size = 8\n"


@dataclass
class Machine:
    """A machine without containers and without systemd, on which their commands are run."""

    person: Person
    postgres: Postgres
    ports: dict[str, int] = field(
        default_factory=lambda: {name: free_port() for name in ("prefect", "mlflow", "worker")}
    )
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    folder: str = "/opt/nightcast"
    """Where commands are run: the image's WORKDIR, or a unit's WorkingDirectory."""

    @property
    def places(self) -> dict[str, str]:
        """Where what the files name lies here."""
        workspace, artifacts = str(self.person.workspace), str(self.person.home / "artifacts")
        return {
            "/workspace": workspace,
            "/artifacts": artifacts,
            "/var/lib/nightcast/artifacts": artifacts,
            "/var/lib/nightcast": workspace,
            "/opt/nightcast/.venv/bin": BIN,
            "/opt/nightcast": str(ROOT),
            "0.0.0.0": "127.0.0.1",
            "5432": str(self.postgres.port),
            "4200": str(self.ports["prefect"]),
            "5000": str(self.ports["mlflow"]),
        }

    @property
    def variables(self) -> dict[str, str]:
        """What deployments/.env says."""
        hosts = dict.fromkeys(("DATABASE_HOST", "PREFECT_HOST", "MLFLOW_HOST"), "127.0.0.1")
        ports = {f"{name.upper()}_PORT": str(port) for name, port in self.ports.items()}
        secrets = {"POSTGRES_PASSWORD": PASSWORD, "DASHBOARD_USER": LOGIN[0], "DASHBOARD_PASSWORD": LOGIN[1]}
        return hosts | ports | secrets | {"DATABASE_PORT": str(self.postgres.port)}

    def here(self, text: str) -> str:
        """A text with the places that it names as they are here."""
        places = "|".join(map(re.escape, self.places))  # the longer of two comes first; what is put in stays
        return re.sub(rf"(?<![\w.-])({places})(?![\w.-])", lambda found: self.places[found[1]], text)

    def environment(self, *told: Mapping[str, str]) -> dict[str, str]:
        """What a process is told: this machine's, then each of `told`."""
        found = self.person.environment()
        for one in told:
            found |= {name: self.here(value) for name, value in one.items()}
        found["PATH"] = f"{found['PATH']}:{os.environ['PATH']}"
        return found | {"HOME": str(self.person.home)}

    def start(self, name: str, words: list[str], environment: dict[str, str]) -> None:
        command = [self.here(word) for word in words]
        with self.log(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, env=environment, cwd=self.here(self.folder), stdout=log, stderr=log, start_new_session=True
            )

    def does(self, words: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        command = [self.here(word) for word in words]
        return subprocess.run(
            command, env=environment, cwd=self.here(self.folder), capture_output=True, text=True, timeout=400
        )

    def is_well(self, name: str, healthcheck: list[str], environment: dict[str, str]) -> None:
        """Wait until the health check says so, as Docker does."""

        def well() -> bool:
            assert self.processes[name].poll() is None, self.log(name).read_text()[-3000:]
            return self.does(healthcheck, environment).returncode == 0

        until(well, 180)

    def stops(self, name: str, seconds: float) -> int:
        """Its exit code, once it was told to end."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(seconds)
        finally:
            _end(process)

    def log(self, name: str) -> Path:
        return self.person.home / f"{name}.log"

    # ── compose.yaml ──────────────────────────────────────────────────────────────────────────────────────────────

    def service(self, name: str) -> tuple[deployed.Service, dict[str, str]]:
        found = services(self.variables)[name]
        return found, self.environment(image_environment(), found.environment)

    def starts_service(self, name: str) -> None:
        service, environment = self.service(name)
        self.start(name, service.command, environment)

    def service_is_well(self, name: str) -> None:
        service, environment = self.service(name)
        self.is_well(name, service.healthcheck, environment)

    # ── what the servers say ──────────────────────────────────────────────────────────────────────────────────────

    def prefect(self, path: str, body: dict[str, Any] | None = None, method: str = "POST") -> Any:
        return _ask(method, f"http://127.0.0.1:{self.ports['prefect']}/api{path}", body)

    def mlflow(self, path: str) -> Any:
        return _ask("GET", f"http://127.0.0.1:{self.ports['mlflow']}/ajax-api/2.0/mlflow{path}", None)

    def lives(self, flow: str) -> str:
        """How a run ends that is asked for as the dashboard does, and the sentence that it ends with."""
        deployment = self.prefect(f"/deployments/name/{flow}/{flow}", method="GET")
        run = self.prefect(f"/deployments/{deployment['id']}/create_flow_run", {})["id"]

        def ended() -> dict[str, Any] | None:
            state: dict[str, Any] = self.prefect(f"/flow_runs/{run}", method="GET")["state"]
            return state if state["type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED") else None

        state = until(ended, 400)
        return f"{state['type']}: {state['message']}"


def _ask(method: str, address: str, body: dict[str, Any] | None) -> Any:
    answer = httpx.request(method, address, json=body, auth=LOGIN, trust_env=False, timeout=30)
    assert answer.is_success, answer.text
    return answer.json()


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def _machine(folder: Path, postgres: Postgres) -> Iterator[Machine]:
    person = Person(folder / "home", folder / "workspace")
    for place in (person.home, person.home / "artifacts", person.workspace):
        place.mkdir(parents=True)
    it = Machine(person, postgres)
    (person.workspace / "nightcast.toml").write_text(
        f"{SMALL}[server]\nprefect_port = {it.ports['prefect']}\nmlflow_port = {it.ports['mlflow']}\n"
    )
    try:
        yield it
    finally:
        for process in it.processes.values():
            _end(process)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Machine]:
    """Its databases are made as compose.yaml makes them."""
    postgres.does(f"CREATE ROLE nightcast SUPERUSER LOGIN PASSWORD '{PASSWORD}'")
    owner = f"postgresql://nightcast:{PASSWORD}@127.0.0.1:{postgres.port}/postgres"
    mounted = services(dict.fromkeys(deployed.variables(":[?]"), "x"))["postgres"].volumes
    (made,) = [source for target, source in mounted.items() if target.startswith("/docker-entrypoint-initdb.d/")]
    with psycopg.connect(owner, autocommit=True) as connection:
        for statement in (deployed.DEPLOYMENTS / made).read_text().split(";"):
            connection.execute(statement)  # type: ignore[call-overload]
    with _machine(tmp_path_factory.mktemp("compose"), postgres) as it:
        yield it


@pytest.fixture(scope="module")
def composed(machine: Machine) -> Iterator[Machine]:
    """Every service of compose.yaml, started in the order that it says."""
    database, environment = machine.service("postgres")
    answer = machine.does(database.healthcheck, environment)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    for name in ("prefect", "mlflow"):
        machine.starts_service(name)
    for name in ("prefect", "mlflow"):
        machine.service_is_well(name)
    service, environment = machine.service("register")
    answer = machine.does(service.command, environment)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    machine.starts_service("worker")
    machine.service_is_well("worker")
    yield machine


def test_what_compose_starts_lives_a_night(composed: Machine) -> None:
    assert composed.lives("nightly").startswith("COMPLETED: ")
    assert (composed.person.workspace / "predictions" / "latest.csv").is_file()
    assert composed.lives("verify").startswith("COMPLETED: ")


def test_its_models_are_on_the_mlflow_server(composed: Machine) -> None:
    """After the night above: its version is on PostgreSQL, its files came through the server."""
    found = composed.mlflow("/registered-models/get?name=nightcast")["registered_model"]
    assert {alias["alias"] for alias in found["aliases"]} == {"champion"}
    assert any((composed.person.home / "artifacts").rglob("weights.safetensors"))
    assert not (composed.person.workspace / "mlruns" / "mlflow.db").exists()


def test_both_servers_ask_for_the_login_and_the_right_name(composed: Machine) -> None:
    pages = [
        (f"http://127.0.0.1:{composed.ports['prefect']}/api/flows/count", {}),
        (f"http://127.0.0.1:{composed.ports['mlflow']}/ajax-api/2.0/mlflow/experiments/search", {"max_results": 1}),
    ]
    for page, body in pages:
        asked: list[tuple[int, dict[str, Any]]] = [
            (401, {}),
            (401, {"auth": ("nightcast", "wrong")}),
            (200, {"auth": LOGIN}),
            (400, {"auth": LOGIN, "headers": {"Host": "evil.example"}}),
            (403, {"auth": LOGIN, "headers": {"Origin": "https://evil.example"}}),
        ]
        for status, how in asked:
            assert httpx.post(page, json=body, trust_env=False, timeout=30, **how).status_code == status, page
    settings = composed.prefect("/admin/settings", method="GET")
    assert settings["server"]["analytics_enabled"] is False


def test_no_secret_is_in_a_log_or_a_command(composed: Machine) -> None:
    for name, process in composed.processes.items():
        command = Path(f"/proc/{process.pid}/cmdline").read_text()
        assert not [secret for secret in (PASSWORD, LOGIN[1]) if secret in command + composed.log(name).read_text()]


@pytest.mark.parametrize("kind", ["docker", "kubernetes"])
def test_prefect_takes_the_templates_of_other_pools(composed: Machine, kind: str) -> None:
    """As docs/deploy.md says it, under another name, for the one of processes is in use."""
    _, environment = composed.service("register")
    template = f"deployments/pools/{kind}.json"
    words = ["prefect", "work-pool", "create", f"of-{kind}", "--type", kind, "--base-job-template", template]
    answer = composed.does(words, environment)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    pool = composed.prefect(f"/work_pools/of-{kind}", method="GET")
    assert (pool["type"], pool["base_job_template"]) == (kind, json.loads((ROOT / template).read_text()))


@pytest.mark.timeout(120)
def test_containers_of_one_workspace_live_runs_side_by_side(tmp_path: Path) -> None:
    """In containers of their own, processes have the same number, and neither waits for the other to end."""
    script = (
        "import os, pathlib, sys; from flows.living import note_run; from lstm_model.workspace import Workspace; "
        "note_run(Workspace.find(pathlib.Path(sys.argv[1]), {}), sys.argv[2]); print(os.getpid(), flush=True); input()"
    )
    inside = ["unshare", "--pid", "--fork", "--kill-child", sys.executable, "-c", script, str(tmp_path)]
    both = [
        subprocess.Popen([*inside, run], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        for run in ("night", "forecast")
    ]
    try:
        assert [it.stdout.readline() for it in both if it.stdout is not None] == ["1\n", "1\n"]
        living = living_runs(Workspace.find(tmp_path, {}))  # with whatever else runs on the machine
        assert {"night", "forecast"} <= living
    finally:
        for it in both:
            it.kill()
            it.communicate()


def test_units_take_over_from_compose(composed: Machine) -> None:
    """`nightcast-prefect`, `-mlflow` and `-worker` on the same databases, workspace and artifacts."""
    for name in ("worker", "mlflow", "prefect"):
        grace = float(services(composed.variables)[name].told.get("stop_grace_period", "10s").removesuffix("s"))
        composed.stops(name, grace)
    told = environment_file(SYSTEMD / "servers.example", PASSWORD=PASSWORD, LOGIN=LOGIN[1])
    with (composed.person.workspace / "nightcast.toml").open("a") as toml:
        toml.write(composed.here(servers_toml().removeprefix("[server]\n")))
    for name in ("prefect", "mlflow", "worker"):
        it = unit(f"nightcast-{name}.service")
        composed.folder = it.last("WorkingDirectory")
        environment = composed.environment(it.environment, told)
        for first, *words in it.commands("ExecStartPre", environment):
            answer = composed.does([first.removeprefix("-"), *words], environment)
            assert answer.returncode == 0 or first.startswith("-"), answer.stdout + answer.stderr
        (words,) = it.commands("ExecStart", environment)
        composed.start(name, words, environment)
        if name == "prefect":
            composed.service_is_well(name)
    composed.service_is_well("mlflow")
    assert "3 by champion" in composed.lives("forecast")  # which is read from the MLflow server, once there is one
    for name in ("worker", "mlflow", "prefect"):
        composed.stops(name, float(unit(f"nightcast-{name}.service").last("TimeoutStopSec")))


# ── `nightcast run` by a timer, `nightcast up` by systemd, and in a container ─────────────────────────────────────


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Machine]:
    with _machine(tmp_path_factory.mktemp("alone"), postgres) as it:
        yield it


def test_the_unit_of_a_night_lives_one_and_writes_nowhere_else(alone: Machine) -> None:
    """All else is read-only, as `ProtectSystem=strict` makes it."""
    it, workspace = unit("nightcast-night.service"), "/var/lib/nightcast"
    alone.folder = it.last("WorkingDirectory")
    (alone.person.workspace / "tmp").mkdir()
    temporary = {"HOME": alone.here(workspace), "TMPDIR": alone.here(f"{workspace}/tmp")}
    environment = alone.environment(it.environment) | temporary
    (words,) = it.commands("ExecStart", environment)
    if os.geteuid() == 0:
        strict = 'mount --bind "$0" "$0" && mount --options remount,bind,ro / && exec "$@"'
        inside = ["unshare", "--mount", "sh", "-c", strict, workspace]
        refused = alone.does([*inside, "touch", "/opt/nightcast/elsewhere"], environment)
        assert "Read-only" in refused.stderr
        words = [*inside, *words]
    answer = alone.does(words, environment)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert (alone.person.workspace / "predictions" / "latest.csv").is_file()


def test_the_unit_of_up_answers_and_stops_in_time(alone: Machine) -> None:
    it = unit("nightcast-up.service")
    alone.folder = it.last("WorkingDirectory")
    environment = alone.environment(it.environment)
    (words,) = it.commands("ExecStart", environment)
    alone.start("up", words, environment)
    until(lambda: "Ctrl-C" in alone.log("up").read_text(), 120)
    assert alone.stops("up", float(it.last("TimeoutStopSec"))) == 0


def test_the_image_runs_up_asks_for_a_login_and_knows_when_it_is_well(alone: Machine) -> None:
    (words,) = [one.words for one in dockerfile() if one.name == "CMD"]
    (alone.folder,) = [one.text for one in dockerfile() if one.name == "WORKDIR"]
    environment = alone.environment(image_environment())
    refused = alone.does(words, environment | {"NIGHTCAST_SERVER__HOST": "0.0.0.0"})
    assert refused.returncode == 2
    assert "DASHBOARD_LOGIN" in refused.stderr
    environment["DASHBOARD_LOGIN"] = ":".join(LOGIN)
    asks = image_healthcheck()
    assert alone.does(asks, environment).returncode == 1
    alone.start("image", words, environment)
    alone.is_well("image", asks, environment)
    page = f"http://127.0.0.1:{alone.ports['prefect']}/api/flows/count"
    assert httpx.post(page, json={}, trust_env=False).status_code == 401
    until(lambda: "Ctrl-C" in alone.log("image").read_text(), 120)
    assert alone.stops("image", 90) == 0


# ── what builds the image, and other pools ────────────────────────────────────────────────────────────────────────


def test_the_image_is_installed_from_files_that_are_there(tmp_path: Path) -> None:
    """The line for torch finds the locked one in place; the two for everything else are tried without installing."""
    lines = [one.text for one in dockerfile() if one.name == "RUN"]
    (torch,) = [line for line in lines if "install-torch.sh" in line]
    installs = [line for line in lines if "python -m pip install" in line]
    assert len(installs) == 2
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "TORCH": "cpu"}
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for one in dockerfile():
        if one.name == "COPY":
            *sources, target = one.words
            for source in sources:
                _copy(ROOT / source, checkout / target, source)
    (checkout / ".venv").symlink_to(Path(sys.executable).parents[1])
    for line in (torch, *installs):
        tried = line.replace("pip install", "pip install --dry-run")
        answer = subprocess.run(["sh", "-c", tried], env=environment, cwd=checkout, capture_output=True, text=True)
        assert answer.returncode == 0, answer.stdout + answer.stderr


def _copy(source: Path, target: Path, name: str) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    else:
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target / Path(name).name)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not there")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """Their programs are where this machine has them: systemd wants to see that they can be run."""
    for file in SYSTEMD.rglob("*.*"):
        if file.is_file():
            text = file.read_text().replace("/opt/nightcast/.venv/bin", BIN).replace("/opt/nightcast", str(ROOT))
            (tmp_path / file.relative_to(SYSTEMD)).parent.mkdir(exist_ok=True)
            (tmp_path / file.relative_to(SYSTEMD)).write_text(text)
    names = [file.name for file in SYSTEMD.iterdir() if file.suffix in (".service", ".timer")]
    environment = {**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"}
    answer = subprocess.run(
        ["systemd-analyze", "verify", *(str(tmp_path / name) for name in names)],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == ""
