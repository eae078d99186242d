"""`nightcast up` begins and ends in many ways, and shares its workspace with nobody. Real servers all along."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest
from servers import Up, all_answer, beginning, family_of, runs_of, servers_of, until

from flows.processes import command_of, processes

pytestmark = pytest.mark.services


def test_a_part_that_dies_again_and_again_ends_all_of_it(home: Up) -> None:
    up = beginning(home, "up")
    assert up.stdout is not None
    assert any("Ctrl-C" in line for line in up.stdout)
    killed: set[int] = set()
    while up.poll() is None:
        part = home.tenant().get("parts", {}).get("MLflow UI")
        if part not in killed | {None}:
            killed.add(part)
            os.kill(part, signal.SIGKILL)
        time.sleep(0.1)
    said = up.communicate()[1]
    assert (up.returncode, len(killed)) == (1, 5)
    assert said.startswith("nightcast: MLflow UI died too often and stays down: it was killed by signal 9; its log is ")
    assert len(said.splitlines()) == 1
    assert servers_of(home) == []


IMPATIENT = """
import os, sys
from deployments import parts, supervisor, up
from flows.access import access_for_servers
from lstm_model.workspace import Workspace

os.environ.update(access_for_servers(Workspace.find().settings.server))
parts.PULSE_SECONDS, supervisor._HANGS_AFTER = 2.0, 8
sys.exit(up.main())
"""


def test_servers_that_hang_are_started_again(home: Up) -> None:
    where = [str(home.person.workspace), "127.0.0.1", str(home.prefect_port), str(home.mlflow_port)]
    with subprocess.Popen(
        [sys.executable, "-c", IMPATIENT, *where], env=home.person.environment(), stdout=subprocess.PIPE, text=True
    ) as up:
        assert up.stdout is not None
        assert any("Ctrl-C" in line for line in up.stdout)
        stopped = {name: home.tenant()["parts"][name] for name in ("Prefect server", "MLflow UI")}
        for pid in stopped.values():
            os.kill(pid, signal.SIGSTOP)
        until(lambda: not home.tenant()["parts"].items() & stopped.items(), 150)
        until(lambda: all_answer(home))
        assert [command_of(pid) for pid in stopped.values() if command_of(pid)] == []
        up.terminate()
        assert up.wait(40) == 0
        said = up.stdout.read()
    assert all(f"{name} has left 8 questions in a row unanswered" in said for name in stopped)
    assert servers_of(home) == []


def test_a_taken_port_is_named_with_who_has_it(home: Up) -> None:
    for name, port in (("prefect_port", home.prefect_port), ("mlflow_port", home.mlflow_port)):
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", port))
            taken.listen()
            answer = home.person.types("up")
        assert answer.returncode == 1
        assert answer.stderr.startswith(f"nightcast: 127.0.0.1:{port} is taken by process {os.getpid()}, ")
        assert f"set another {name} under [server]" in answer.stderr
        assert len(answer.stderr.splitlines()) == 1
    assert servers_of(home) == []


def test_broken_settings_are_one_line(home: Up) -> None:
    settings = home.person.workspace / "nightcast.toml"
    kept = settings.read_text()
    settings.write_text(f"{kept}\n[server\n")
    answer = home.person.types("up")
    settings.write_text(kept)
    assert answer.returncode == 2
    assert answer.stderr.startswith(f"nightcast: {settings}: not valid TOML: ")
    assert len(answer.stderr.splitlines()) == 1


def test_in_the_background_it_returns_when_ready_and_goes_down_when_told(home: Up) -> None:
    answer = home.person.types("up", "--detach")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert home.prefect in answer.stdout
    assert home.mlflow in answer.stdout
    assert answer.stdout.endswith("`nightcast down` stops all of it.\n")
    assert all_answer(home)
    family = family_of(home.tenant()["pid"])
    log = (home.person.workspace / ".nightcast" / "logs" / "up.log").read_text()
    assert f"Prefect dashboard  {home.prefect}" in log

    answer = home.person.types("down")
    assert (answer.returncode, answer.stdout) == (
        0,
        f"down: the dashboards and schedules of {home.person.workspace} are stopped\n",
    )
    assert [command_of(pid) for pid in family if command_of(pid)] == []
    answer = home.person.types("down")
    assert (answer.returncode, answer.stdout) == (0, f"nothing is up in {home.person.workspace}\n")
    assert "not running" in json.loads(home.person.types("status", "--json").stdout)["dashboard"]


@pytest.mark.parametrize("undertaker_too", [False, True])
def test_a_killed_up_leaves_one_server_at_most(home: Up, undertaker_too: bool) -> None:
    assert home.person.types("up", "--detach").returncode == 0
    verify = f"{home.prefect}/api/deployments/name/verify/verify"
    found = httpx.get(verify, trust_env=False).json()
    pause = f"{home.prefect}/api/deployments/{found['id']}/pause_deployment"
    httpx.post(pause, trust_env=False).raise_for_status()
    tenant = home.tenant()
    left = list(tenant["parts"].values())
    if undertaker_too:
        (undertaker,) = (one for one in processes() if one.parent == tenant["pid"] and "undertaker" in one.command)
        os.kill(undertaker.pid, signal.SIGKILL)
        os.kill(tenant["pid"], signal.SIGKILL)
        assert all(command_of(pid) for pid in left)
    else:
        os.kill(tenant["pid"], signal.SIGKILL)
        until(lambda: not any(command_of(pid) for pid in left), seconds=20)
        assert servers_of(home) == []
    answer = home.person.types("up", "--detach")
    assert answer.returncode == 0, answer.stderr
    assert "deployments: verify: the dashboard says " in answer.stdout  # found before it was ready, told afterwards
    assert "nightcast.toml decides" in (home.person.workspace / ".nightcast" / "logs" / "up.log").read_text()
    assert [command_of(pid) for pid in left if command_of(pid)] == []
    assert len(servers_of(home)) == 1
    assert all_answer(home)
    assert home.person.types("down").returncode == 0
    assert servers_of(home) == []


def test_a_command_waits_for_another_one_and_up_for_both(home: Up) -> None:
    first = beginning(home, "verify")
    until(lambda: home.tenant().get("parts"))
    first.send_signal(signal.SIGSTOP)  # it would be done too soon
    second, up = beginning(home, "forecast"), beginning(home, "up", "--detach")
    waiting = f"waiting for `nightcast verify` (process {first.pid}), which has this workspace's Prefect database …\n"
    assert second.stderr is not None
    assert up.stdout is not None
    assert second.stderr.readline() == waiting
    assert up.stdout.readline() == waiting
    assert len(servers_of(home)) == 1
    first.send_signal(signal.SIGCONT)
    assert first.wait(120) == 0
    assert home.tenant().get("pid") != first.pid
    while second.poll() is None or up.poll() is None:
        assert len(servers_of(home)) <= 1
        time.sleep(0.2)
    assert (second.returncode, up.returncode) == (1, 0)  # there is nothing to forecast yet, and it says so
    for ended in (first, second, up):
        ended.communicate()
    assert home.person.types("down").returncode == 0


def test_a_command_waits_until_up_is_ready_and_uses_it(home: Up) -> None:
    up = beginning(home, "up", "--detach")
    tenant = until(lambda: home.tenant() if home.tenant().get("command") == "nightcast up" else None)
    assert tenant["prefect_api"] is None
    os.kill(tenant["pid"], signal.SIGSTOP)
    command = beginning(home, "verify")
    assert command.stderr is not None
    said = command.stderr.readline()
    os.kill(tenant["pid"], signal.SIGCONT)
    assert said == f"waiting for `nightcast up` (process {tenant['pid']}), which is on its way up …\n"
    assert command.wait(120) == 0
    assert up.wait(120) == 0
    assert len(servers_of(home)) == 1
    assert runs_of(home, "verify")
    for ended in (command, up):
        ended.communicate()
    assert home.person.types("down").returncode == 0
