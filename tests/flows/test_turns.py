"""Who may run a server for a workspace, who waits, and who is told what."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from filelock import FileLock
from typer.testing import CliRunner

from flows.commands import app
from flows.processes import command_of
from flows.turns import UP, Tenant, answers, check_no_night, is_own_server, live_api, take_turn, tenant_of
from lstm_model.errors import NightcastError
from lstm_model.workspace import Workspace

Start = Callable[..., int]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a process that sleeps under a name; returns its number."""
    began: list[subprocess.Popen[bytes]] = []

    def sleeper(name: str) -> int:
        began.append(
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", name], start_new_session=True)
        )
        return began[-1].pid

    yield sleeper
    for process in began:
        process.kill()
        process.wait()


@pytest.fixture
def workspace(make_workspace: Callable[[], Workspace]) -> Workspace:
    found = make_workspace()
    found.state.mkdir()
    return found


@contextmanager
def somebodys_turn(workspace: Workspace, tenant: Tenant) -> Iterator[None]:
    with FileLock(workspace.state / "server.lock"):
        tenant.write(workspace)
        yield


@contextmanager
def an_api(status: int = 200) -> Iterator[str]:
    class Healthy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Healthy) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/api"
        server.shutdown()


def test_the_second_waits_for_the_first_and_says_for_whom(workspace: Workspace, start: Start) -> None:
    told: list[str] = []
    pid = start("nightcast")
    with (
        somebodys_turn(workspace, Tenant(pid, "nightcast ingest")),
        pytest.raises(NightcastError, match=r"`nightcast ingest` \(process \d+\) has had this workspace's Prefect"),
    ):
        take_turn(workspace, "nightcast train", told.append, patience=1.2)
    assert told == [f"waiting for `nightcast ingest` (process {pid}), which has this workspace's Prefect database …"]
    assert take_turn(workspace, "nightcast train", told.append, patience=0) is None
    with FileLock(workspace.state / "night.lock"), pytest.raises(NightcastError, match="another night is under way"):
        check_no_night(workspace)


def test_the_turn_stays_with_the_process_that_took_it(workspace: Workspace) -> None:
    take_turn(workspace, "nightcast train", print)
    take_turn(workspace, "nightcast train", print, patience=0)  # its own is no reason to wait
    ask = (
        "import sys; from pathlib import Path; from flows.turns import is_anybodys_turn\n"
        "class Place: state = Path(sys.argv[1])\n"
        "print(is_anybodys_turn(Place))"
    )
    command = [sys.executable, "-c", ask, str(workspace.state)]
    root = Path(__file__).parents[2]
    assert subprocess.run(command, capture_output=True, text=True, cwd=root, check=True).stdout == "True\n"


def test_whoever_waits_may_be_called_off(workspace: Workspace, start: Start) -> None:
    asked: list[None] = []

    def check() -> None:
        asked.append(None)
        if len(asked) == 2:
            raise NightcastError("no use")

    with (
        somebodys_turn(workspace, Tenant(start("nightcast"), "nightcast run")),
        pytest.raises(NightcastError, match="no use"),
    ):
        take_turn(workspace, "nightcast run", print, check=check)


def test_a_command_uses_up_once_its_api_answers_and_waits_until_then(workspace: Workspace, start: Start) -> None:
    told: list[str] = []
    with an_api() as api:
        up = start(f"deployments.up {workspace.home}")
        with somebodys_turn(workspace, Tenant(up, UP)):
            with pytest.raises(NightcastError):
                take_turn(workspace, "nightcast run", told.append, patience=0.7)
            assert told == [f"waiting for `nightcast up` (process {up}), which is on its way up …"]
            Tenant(up, UP, api).write(workspace)
            assert take_turn(workspace, "nightcast run", told.append) == api
            assert live_api(workspace) == api
            assert is_own_server(workspace, api) and not is_own_server(workspace, "http://elsewhere/api")
    assert is_own_server(workspace, None) and not is_own_server(workspace, api)


@pytest.mark.parametrize(("status", "there"), [(200, True), (401, True), (404, True), (500, False), (503, False)])
def test_a_server_that_refuses_is_there_and_one_that_fails_is_not(status: int, there: bool) -> None:
    with an_api(status) as api:
        assert answers(api) is there
    assert not answers(api)


def test_what_answers_on_the_port_of_a_killed_up_is_not_taken_for_it(workspace: Workspace, start: Start) -> None:
    with an_api() as api:
        for stranger in ("a stranger with its number", "deployments.up /another/workspace"):
            Tenant(start(stranger), UP, api).write(workspace)
            assert live_api(workspace) is None


def test_a_second_up_is_refused_and_told_how_to_stop_the_first(workspace: Workspace, start: Start) -> None:
    up = start(f"deployments.up {workspace.home}")
    with somebodys_turn(workspace, Tenant(up, UP, "http://127.0.0.1:1/api")):
        with pytest.raises(NightcastError) as refused:
            take_turn(workspace, UP, print)
        assert str(refused.value) == (
            f"{workspace.home} is up already, at http://127.0.0.1:1 (process {up}); `nightcast down` stops it"
        )


def test_what_a_killed_one_left_is_ended_and_strangers_are_spared(workspace: Workspace, start: Start) -> None:
    left, stranger = start("prefect server start"), start("somebody else's, under a number that was free again")
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    Tenant(gone.pid, UP, parts={"Prefect server": left, "MLflow UI": stranger}).write(workspace)
    take_turn(workspace, "nightcast run", print)
    assert command_of(left) == ""
    assert command_of(stranger) != ""
    assert tenant_of(workspace) is None


def test_no_room_and_no_right_are_one_line(workspace: Workspace) -> None:
    (workspace.state / "room").symlink_to("/dev/full")
    with pytest.raises(NightcastError, match="No space left on device; free some space"):
        take_turn(workspace, UP, print)
    (workspace.state / "room").unlink(missing_ok=True)
    workspace.state.rmdir()
    workspace.state.write_text("a file where the folder should be")
    with pytest.raises(NightcastError, match="cannot be written to: File exists"):
        take_turn(workspace, UP, print)


def test_a_night_under_way_ends_another_before_an_engine_starts(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTCAST_HOME", str(workspace.home))
    with FileLock(workspace.state / "night.lock"):
        answer = CliRunner().invoke(app, ["run"])
    assert str(answer.exception) == "another night is under way in this workspace; wait for it to end, then run again"
    assert not (workspace.state / "prefect").exists()
    assert os.environ.get("PREFECT_HOME") != str(workspace.state / "prefect")


def test_down_where_nothing_is_up_says_so(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, start: Start) -> None:
    monkeypatch.setenv("NIGHTCAST_HOME", str(workspace.home))
    answer = CliRunner().invoke(app, ["down"])
    assert (answer.exit_code, answer.output) == (0, f"nothing is up in {workspace.home}\n")
    pid = start("nightcast")
    with somebodys_turn(workspace, Tenant(pid, "nightcast run")):
        answer = CliRunner().invoke(app, ["down"])
    assert answer.exit_code == 0
    assert f"`nightcast run` (process {pid}) is under way and goes on" in answer.output
    assert command_of(pid) != ""


def test_down_does_not_believe_a_note_without_its_lock(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, start: Start
) -> None:
    monkeypatch.setenv("NIGHTCAST_HOME", str(workspace.home))
    pid = start(f"deployments.up {workspace.home}")
    Tenant(pid, UP).write(workspace)
    answer = CliRunner().invoke(app, ["down"])
    assert (answer.exit_code, answer.output) == (0, f"nothing is up in {workspace.home}\n")
    assert command_of(pid) != ""
