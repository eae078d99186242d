"""`[server] prefect` and `mlflow`: what they may say, what is refused in one line, and that no secret is shown."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, TEMPORARILY_UNAVAILABLE
from prefect.client.schemas.objects import FlowRun
from typer.testing import CliRunner

from deployments.supervisor import Plan
from flows.access import access, access_for_servers
from flows.commands import app
from flows.killed import of_this_workspace
from flows.links import version_link
from flows.living import note_run
from flows.runtime import DATABASE, environment_for
from flows.turns import wait_for_elsewhere
from lstm_model.errors import NightcastError, SettingsError
from lstm_model.registry import MODEL, PromotionLog, has_tracking, open_tracking, shared
from lstm_model.registry.tracking import IN_WORKSPACE, shown_uri, tracking_uri
from lstm_model.servers import elsewhere, login, reach_database
from lstm_model.settings import ServerSettings
from lstm_model.workspace import Workspace

PASSWORD = {"DATABASE_PASSWORD": "1234/5"}
DATABASE_URL = "postgresql://me:${DATABASE_PASSWORD}@127.0.0.1:1/nights"


@pytest.mark.parametrize("key", ["prefect", "mlflow"])
@pytest.mark.parametrize(
    "address",
    ["mysql://me:1234@db/x", "postgresql+asyncpg://me@db/x", "db.lan", "sqlite:///x.db", "http://", "https:///x"],
)
def test_what_is_no_address_is_refused_with_a_way_out(
    make_workspace: Callable[[str], Workspace], key: str, address: str
) -> None:
    with pytest.raises(SettingsError, match=rf"server\.{key} = .* write for example 'postgresql://me:") as refusal:
        make_workspace(f'[server]\n{key} = "{address}"\n')
    assert "\n" not in str(refusal.value) and "1234" not in str(refusal.value)


def test_prefect_s_address_is_that_of_its_api_and_each_has_a_database_of_its_own() -> None:
    with pytest.raises(ValueError, match=r"http://prefect\.lan:4200/api"):
        ServerSettings(prefect="http://127.0.0.1:4200")
    assert elsewhere(ServerSettings(prefect="http://127.0.0.1:4200/api/"), "prefect") == "http://127.0.0.1:4200/api"
    with pytest.raises(ValueError, match="name one database"):
        ServerSettings(prefect="postgresql://a:${A}@db/x", mlflow="postgresql://b:${B}@db/x?sslmode=require")
    ServerSettings(prefect="postgresql://a:${A}@db/x", mlflow="postgresql://a:${A}@db/y")


def test_each_key_is_said_by_the_environment_as_well(tmp_path: Path) -> None:
    workspace = Workspace.find(
        tmp_path, {"NIGHTCAST_SERVER__PREFECT": "http://p/api", "NIGHTCAST_SERVER__MLFLOW": "http://m"}
    )
    assert (workspace.settings.server.prefect, workspace.settings.server.mlflow) == ("http://p/api", "http://m")


def test_a_password_in_plain_text_is_refused(make_workspace: Callable[[str], Workspace]) -> None:
    workspace = make_workspace('[server]\nmlflow = "postgresql://me:1234@db/nights"\n')
    for ask in (open_tracking, has_tracking, tracking_uri):
        with pytest.raises(SettingsError, match="server: mlflow holds a secret") as refusal:
            ask(workspace)
        assert "1234" not in str(refusal.value)
    with pytest.raises(SettingsError, match="server: prefect holds a secret"):
        login(ServerSettings(prefect="http://me:1234@p/api"), "prefect", {})


def test_no_command_shows_a_secret(
    make_workspace: Callable[[str], Workspace], monkeypatch: pytest.MonkeyPatch, wide_screen: None
) -> None:
    workspace = make_workspace(f'[server]\nprefect = "{DATABASE_URL}"\nmlflow = "http://me:${{PW}}@127.0.0.1:1"\n')
    for name, value in {**PASSWORD, "PW": "6789", "NIGHTCAST_HOME": str(workspace.home)}.items():
        monkeypatch.setenv(name, value)
    told = CliRunner().invoke(app, ["config", "--json"]).stdout
    values = {row["setting"]: row["value"] for row in json.loads(told)}
    assert values["server.prefect"] == DATABASE_URL and values["server.mlflow"] == "http://me:${PW}@127.0.0.1:1"
    findings = CliRunner().invoke(app, ["doctor", "--json"]).stdout
    broken = {row["subject"]: row["found"] for row in json.loads(findings) if row["verdict"] == "broken"}
    assert broken["Prefect database"].startswith("server.prefect: the database at 127.0.0.1:1/nights cannot be opened")
    assert broken["MLflow server"].startswith("server.mlflow: http://127.0.0.1:1 does not answer")
    for secret in ("1234", "6789"):
        assert secret not in told + findings


def test_what_does_not_answer_is_one_line(
    make_workspace: Callable[[str], Workspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NightcastError, match=r"127\.0\.0\.1:1/nights cannot be opened: .*refused") as refusal:
        reach_database(ServerSettings(prefect=DATABASE_URL), "prefect", PASSWORD, patience=0.0)
    assert "\n" not in str(refusal.value)
    heard: list[str] = []
    with pytest.raises(NightcastError, match=r"server\.prefect: http://127\.0\.0\.1:1/api does not answer; start"):
        wait_for_elsewhere("prefect", "http://127.0.0.1:1/api", heard.append, patience=0.0)
    monkeypatch.setattr(shared, "PATIENCE_SECONDS", 0.0)
    with pytest.raises(NightcastError, match=r"server\.mlflow: http://127\.0\.0\.1:1 does not answer \(.*refused"):
        open_tracking(make_workspace('[server]\nmlflow = "http://127.0.0.1:1"\n'))


def test_a_server_elsewhere_brings_its_own_login_or_ours() -> None:
    told = {"OURS": "ada:engine", "THEIRS": "1234"}
    both = ServerSettings(auth="${OURS}", prefect="http://me:${THEIRS}@p/api", mlflow="http://m")
    assert access(both, told) == {"PREFECT_API_AUTH_STRING": "me:1234", "PREFECT_SERVER_API_AUTH_STRING": "ada:engine"}
    assert login(both, "mlflow", told) == "ada:engine"
    theirs = ServerSettings(host="192.0.2.7", prefect="http://me:${THEIRS}@p/api")
    with pytest.raises(SettingsError, match="without a login"):
        access_for_servers(theirs, told)  # a login for their Prefect guards no MLflow of ours


def test_pages_link_to_the_server_that_has_the_model() -> None:
    assert "(http://m.lan/team/#/models/" in version_link(ServerSettings(mlflow="http://m.lan/team/"), "7")
    assert "(http://127.0.0.1:5000/#/models/" in version_link(ServerSettings(mlflow="postgresql://db/x"), "7")


def test_no_page_shows_the_password_of_the_registry() -> None:
    assert (
        shown_uri("postgresql+psycopg://me:1234@db/x?fallback_application_name=n") == "postgresql+psycopg://me:***@db/x"
    )
    assert shown_uri("sqlite:////home/me/mlruns/mlflow.db") == IN_WORKSPACE


def test_only_the_server_is_told_of_a_database(make_workspace: Callable[[str], Workspace]) -> None:
    workspace = make_workspace(f'[server]\nprefect = "{DATABASE_URL}"\n')
    assert environment_for(workspace, waits_for_database=True)[DATABASE].startswith("sqlite+aiosqlite:///")


def test_ports_of_servers_that_run_elsewhere_may_be_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        plan = Plan(tmp_path, "127.0.0.1", port, port, "http://p/api", "http://m")
        plan.check_ports()
    assert (plan.api, plan.dashboard, plan.mlflow) == ("http://p/api", "http://p", "http://m")


def test_on_a_server_that_others_share_only_runs_noted_here_are_ours(
    make_workspace: Callable[[str], Workspace],
) -> None:
    ours, theirs = (FlowRun(id=uuid4(), flow_id=uuid4()) for _ in range(2))
    alone = make_workspace("")
    note_run(alone, str(ours.id))
    assert of_this_workspace(alone, [ours, theirs]) == [ours, theirs]
    assert of_this_workspace(make_workspace('[server]\nprefect = "http://p/api"\n'), [ours, theirs]) == [ours]


def test_one_workspace_owns_the_registered_model(trained: Workspace, tmp_path: Path) -> None:
    client = open_tracking(trained)
    shared.claim(client, trained, MODEL)
    shared.claim(client, trained, MODEL)
    stranger = Workspace.find(tmp_path / "another", {})
    with pytest.raises(NightcastError, match="belongs to another workspace; use another database or server") as refusal:
        shared.claim(client, stranger, MODEL)
    assert "\n" not in str(refusal.value)


def test_a_fresh_registry_does_not_follow_what_was_promoted_in_another(trained: Workspace) -> None:
    client, last = open_tracking(trained), PromotionLog(trained).last()
    assert last is not None
    client.delete_registered_model_tag(MODEL, "last_promotion")  # as a fresh one is without
    shared.claim(client, trained, MODEL)
    assert client.get_registered_model(MODEL).tags["last_promotion"] == last.name


def test_what_was_cut_off_is_done_again_once() -> None:
    done: list[int] = []

    @shared.outlasting
    def work(failures: int, error_code: int) -> int:
        done.append(1)
        if len(done) <= failures:
            raise MlflowException("terminating connection", error_code=error_code)
        return len(done)

    assert work(1, TEMPORARILY_UNAVAILABLE) == 2
    for failures, error_code, tries in ((9, TEMPORARILY_UNAVAILABLE, 2), (1, INVALID_PARAMETER_VALUE, 1)):
        done.clear()
        with pytest.raises(MlflowException):
            work(failures, error_code)
        assert len(done) == tries


@pytest.mark.parametrize("where", ["file:///srv/mlruns/1", "/srv/mlruns/1", "./mlruns/1"])
def test_artifacts_that_only_the_server_reaches_are_refused(where: str) -> None:
    with pytest.raises(NightcastError, match="--serve-artifacts"):
        shared.check_artifacts(SimpleNamespace(name="nightcast", artifact_location=where))
    for fine in ("mlflow-artifacts:/1", "mlflow-artifacts://host/1", "s3://bucket/1"):
        shared.check_artifacts(SimpleNamespace(name="nightcast", artifact_location=fine))
