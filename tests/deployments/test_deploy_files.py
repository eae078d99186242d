"""The files that deploy: they hold together, hold no secret, let nobody in unasked, and tell nobody else."""

from __future__ import annotations

import json
import re
import socket
import sys
import tomllib
from collections.abc import Callable
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import deployed
import pytest
import yaml
from deployed import (
    COMPOSE,
    DEPLOYMENTS,
    ROOT,
    SYSTEMD,
    dockerfile,
    image_environment,
    servers_toml,
    services,
    unit,
    units,
)

from deployments import healthy
from deployments.pool import environment_in
from flows.runtime import environment_for
from lstm_model.settings import ScheduleSettings, ServerSettings
from lstm_model.workspace import Workspace

TOLD = dict.fromkeys(deployed.variables(":[?]"), "8c0ffee")
# What of the Compose Specification's services is used here.
KEYS = {
    "image", "build", "init", "restart", "cap_drop", "security_opt", "logging", "environment", "volumes",
    "healthcheck", "command", "ports", "depends_on", "stop_grace_period",
}  # fmt: skip
CHECK_KEYS = {"test", "interval", "timeout", "retries", "start_period", "start_interval", "disable"}


# ── compose.yaml ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_compose_says_only_what_compose_understands() -> None:
    parsed = yaml.safe_load(COMPOSE.read_text())
    assert {key for key in parsed if not key.startswith("x-")} == {"name", "services", "volumes"}
    for name, service in services(TOLD).items():
        assert set(service.told) <= KEYS, name
        assert set(service.told.get("healthcheck", {})) <= CHECK_KEYS, name
        assert service.told["restart"] in ("unless-stopped", "on-failure"), name
        for source in service.volumes.values():
            assert source in parsed["volumes"] or (DEPLOYMENTS / source).is_file(), source
        build = service.told.get("build")
        if build:
            assert (DEPLOYMENTS / build["context"] / build["dockerfile"]).is_file()


def test_every_service_waits_for_what_it_needs() -> None:
    there = services(TOLD)
    for name, service in there.items():
        for other, how in service.told.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert there[other].healthcheck, f"{name} waits for ever for {other}"
            else:
                assert how["condition"] == "service_completed_successfully"
                assert there[other].told["restart"] == "on-failure", f"{other} never ends"
    assert set(there["worker"].told["depends_on"]) == {"register", "mlflow"}


def test_ports_are_published_on_this_machine_alone() -> None:
    published = [port for service in services(TOLD).values() for port in service.told.get("ports", [])]
    assert published == ["127.0.0.1:4200:4200", "127.0.0.1:5000:5000"]


def test_without_its_secrets_compose_does_not_start() -> None:
    assert deployed.variables(":[?]") == {"POSTGRES_PASSWORD", "DASHBOARD_USER", "DASHBOARD_PASSWORD"}
    for name in TOLD:
        with pytest.raises(KeyError, match=name):
            services({**TOLD, name: ""})


def test_no_secret_is_in_the_file() -> None:
    """A password, and what has one in it, follows what it is told."""
    told, other = services(TOLD), services(dict.fromkeys(TOLD, "0ddba11"))
    secret = re.compile("PASSWORD|AUTH_STRING|LOGIN|DATABASE_CONNECTION|STORE_URI")
    seen = 0
    for name, service in told.items():
        for key, value in service.environment.items():
            if secret.search(key):
                seen += 1
                assert "8c0ffee" in value and value.replace("8c0ffee", "0ddba11") == other[name].environment[key], key
    assert seen >= 7


def test_both_servers_ask_for_the_login_and_their_clients_know_it() -> None:
    there = services({**TOLD, "DASHBOARD_USER": "ada", "DASHBOARD_PASSWORD": "0ddba11"})
    for name in ("prefect", "mlflow"):
        told = there[name].environment
        assert told["PREFECT_SERVER_API_AUTH_STRING"] == "ada:0ddba11"
        assert name in told["NIGHTCAST_HOSTS"].split(",")
    for name in ("register", "worker"):
        told = there[name].environment
        assert (told["PREFECT_API_AUTH_STRING"], told["DASHBOARD_LOGIN"]) == ("ada:0ddba11", "ada:0ddba11")


def test_the_file_of_secrets_is_told_of_and_stays_out_of_git_and_of_the_image() -> None:
    shown = re.findall(r"^(?:# )?([A-Z_]+)=", (DEPLOYMENTS / "env.example").read_text(), re.MULTILINE)
    assert set(shown) <= deployed.variables()
    assert deployed.variables(":[?]") <= set(shown)
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()
    assert not _goes_to_the_builder("deployments/.env")


# ── the Dockerfile ────────────────────────────────────────────────────────────────────────────────────────────────


def _goes_to_the_builder(path: str) -> bool:
    """As .dockerignore says: the last line that fits decides."""
    goes = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line and not line.startswith("#"):
            pattern = line.removeprefix("!").replace("**/", "*")
            if any(fnmatch(part, pattern) for part in (path, *_folders_of(path))):
                goes = line.startswith("!")
    return goes


def _folders_of(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def test_the_image_is_made_of_files_that_are_there() -> None:
    for one in dockerfile():
        if one.name == "COPY":
            for source in one.words[:-1]:
                assert (ROOT / source).exists()
                assert _goes_to_the_builder(source), source
    for path in (".git/config", "data/readings/x.parquet", ".nightcast/server.json", "mlruns/mlflow.db", "tests/x.py"):
        assert not _goes_to_the_builder(path), path


def test_the_lock_is_installed_before_code_is_copied() -> None:
    order = [f"{one.name} {one.text}" for one in dockerfile()]
    lock = next(place for place, line in enumerate(order) if line.endswith("-r requirements.lock"))
    code = next(place for place, line in enumerate(order) if line.startswith("COPY lstm_model"))
    assert lock < code


def test_the_image_runs_as_nobody_special_and_starts_up() -> None:
    names = [one.name for one in dockerfile()]
    assert names[0] == "FROM" and names[-1] == "CMD" and names.count("CMD") == names.count("HEALTHCHECK") == 1
    assert [one.text for one in dockerfile() if one.name == "USER"] == ["1000:1000"]
    assert dockerfile()[-1].words == ["nightcast", "up"]
    base = dockerfile()[0].text
    assert base.startswith("python:3.11-slim")


def test_the_image_lets_nobody_in_without_a_login() -> None:
    told = {name: value for name, value in image_environment().items() if name.startswith("NIGHTCAST_SERVER__")}
    server = ServerSettings.model_validate({name.split("__")[1].lower(): value for name, value in told.items()})
    assert (server.host, server.auth, server.allowed_hosts) == ("0.0.0.0", "${DASHBOARD_LOGIN}", ("localhost",))


def test_several_names_in_the_environment_are_separated_by_commas() -> None:
    told = ServerSettings.model_validate({"allowed_hosts": "sensors.lan, 192.168.1.20"})
    assert told.allowed_hosts == ("sensors.lan", "192.168.1.20")


# ── systemd ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("one", units(), ids=lambda one: one.name)
def test_a_service_runs_as_itself_in_its_workspace_and_writes_nowhere_else(one: deployed.Unit) -> None:
    assert one.last("User") == "nightcast"
    assert one.last("ProtectSystem") == "strict"
    assert one.all("ReadWritePaths") == ["/var/lib/nightcast"]
    for name in ("NoNewPrivileges", "PrivateTmp", "ProtectHome"):
        assert one.last(name) == "yes"
    assert float(one.last("TimeoutStopSec")) >= 30
    for name in ("ExecStart", "ExecStartPre"):
        assert all(line.removeprefix("-").startswith("/opt/nightcast/.venv/bin/") for line in one.all(name))


def test_up_ends_its_parts_itself_and_comes_back() -> None:
    it = unit("nightcast-up.service")
    assert (it.last("KillMode"), it.last("Restart")) == ("mixed", "on-failure")
    assert float(it.last("TimeoutStopSec")) > 3 * 20, "a part has 20 seconds, and one ends after the other"


def test_the_timer_is_the_schedule() -> None:
    (timer,) = units("timer")
    minute, hour, *rest = ScheduleSettings().nightly.split()
    assert rest == ["*", "*", "*"]
    assert timer.last("OnCalendar") == f"*-*-* {int(hour):02}:{int(minute):02}:00 UTC"
    assert timer.name.removesuffix("timer") + "service" in {one.name for one in units()}


def test_the_file_of_the_servers_holds_no_secret() -> None:
    told = deployed.environment_file(SYSTEMD / "servers.example")
    said = {name: value for name, value in told.items() if re.search("AUTH_STRING|LOGIN|PASSWORD|DATABASE|STORE", name)}
    assert all(re.search(r"\b(PASSWORD|LOGIN)\b", value) for value in said.values())


def test_where_the_servers_are_is_told_to_whoever_types_a_command_as_well() -> None:
    """Only root reads the file of the servers: what stood there alone would leave a command with a second registry."""
    told = deployed.environment_file(SYSTEMD / "servers.example")
    assert not [name for name in told if name.startswith("NIGHTCAST_SERVER__")]
    server = ServerSettings.model_validate(tomllib.loads(servers_toml())["server"])
    assert server.prefect == told["PREFECT_API_URL"]
    assert server.mlflow == f"http://127.0.0.1:{unit('nightcast-mlflow.service').environment['MLFLOW_PORT']}"
    assert server.auth.strip("${}") in told


# ── what all have in common ───────────────────────────────────────────────────────────────────────────────────────


def test_nobody_else_is_told_wherever_it_runs(make_workspace: Callable[[str], Workspace]) -> None:
    """What `up` tells its parts, beyond what is of one workspace, every image and every unit tells its own."""
    here = ("HOME", "PATH", "URL", "EPHEMERAL")
    general = {
        name: value
        for name, value in environment_for(make_workspace("")).items()
        if not any(word in name for word in here)
    }
    assert "MLFLOW_DISABLE_TELEMETRY" in general and len(general) >= 8
    assert general.items() <= image_environment().items()
    for one in units():
        assert general.items() <= one.environment.items(), one.name


@pytest.mark.parametrize("kind", ["docker", "kubernetes"])
def test_a_pools_template_names_only_what_it_declares(kind: str) -> None:
    template = json.loads((DEPLOYMENTS / "pools" / f"{kind}.json").read_text())
    declared = template["variables"]["properties"]
    named = set(re.findall(r"\{\{ (\w+) \}\}", json.dumps(template["job_configuration"])))
    assert named == set(declared)
    for name, variable in declared.items():
        default = variable.get("default")
        kinds = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict}
        assert default is None or isinstance(default, kinds[variable["type"]]), name
    for name, value in declared["env"]["default"].items():  # the whole of a value or nothing: Prefect fills no other
        secret = re.search("PASSWORD|LOGIN|AUTH", name)
        assert bool(secret) == bool(re.fullmatch(r"\{\{ prefect\.blocks\.secret\.[a-z-]+ \}\}", value)), name


def test_runs_in_containers_have_the_workspace_where_the_image_looks_for_it() -> None:
    image = image_environment()["NIGHTCAST_HOME"]
    docker, kubernetes = (
        json.loads((DEPLOYMENTS / "pools" / f"{kind}.json").read_text()) for kind in ("docker", "kubernetes")
    )
    (volume,) = docker["variables"]["properties"]["volumes"]["default"]
    name = yaml.safe_load(COMPOSE.read_text())["name"]
    assert volume == f"{name}_workspace:{image}"
    assert docker["variables"]["properties"]["networks"]["default"] == [f"{name}_default"]
    pod = kubernetes["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]
    assert [mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]] == [image]
    claim = kubernetes["variables"]["properties"]["workspace_claim"]["default"]
    in_cluster: list[dict[str, Any]] = list(yaml.safe_load_all((DEPLOYMENTS / "pools" / "kubernetes.yaml").read_text()))
    assert claim in {one["metadata"]["name"] for one in in_cluster if one["kind"] == "PersistentVolumeClaim"}


def test_a_job_runs_once_by_kubernetes_and_by_prefects_own_check() -> None:
    """The first reads the job's fields; the second refuses a template without the same ones in the pod."""
    template = json.loads((DEPLOYMENTS / "pools" / "kubernetes.json").read_text())
    job = template["job_configuration"]["job_manifest"]["spec"]
    for told in (job, job["template"]["spec"]):
        assert (told["parallelism"], told["completions"]) == (1, 1)
    assert job["backoffLimit"] == 0


def test_a_process_is_sent_to_the_workspace_and_a_container_is_not(
    make_workspace: Callable[[str], Workspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = str(make_workspace("").home)
    monkeypatch.setenv("NIGHTCAST_HOME", home)
    assert environment_in("process") == {"NIGHTCAST_HOME": home}
    assert environment_in("docker") == environment_in("kubernetes") == {}


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 503)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_health_check_is_content_only_if_all_answer_well(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with HTTPServer(("127.0.0.1", 0), _Answers) as server, socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        Thread(target=server.serve_forever, daemon=True).start()
        well, ill = (f"http://127.0.0.1:{server.server_port}/{path}" for path in ("health", "ready"))
        gone = f"http://127.0.0.1:{silent.getsockname()[1]}/health"
        for addresses, code in (([well], 0), ([well, ill], 1), ([well, gone], 1)):
            monkeypatch.setattr(sys, "argv", ["healthy", *addresses])
            assert healthy.main() == code, addresses
        server.shutdown()
    said = capsys.readouterr().err
    assert f"{ill}: HTTP Error 503" in said and f"{gone}: " in said
