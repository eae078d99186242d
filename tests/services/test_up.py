"""`nightcast up` lives, heals and dies as a whole, and shares its workspace with nobody. Real servers all along."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from servers import NIGHTCAST, Up, answers

from flows.processes import command_of, groups_below, processes

pytestmark = pytest.mark.services

PARTS = ["Prefect server", "MLflow UI", "deployments"]


def until(condition: Callable[[], Any], seconds: float = 90.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)
    return found


def all_answer(home: Up, since: float = 0.0) -> bool:
    """Both servers answer, and the deployments have asked for work after `since`."""
    try:
        if not httpx.get(f"{home.mlflow}/health", trust_env=False).is_success:
            return False
        found = httpx.post(f"{home.prefect}/api/deployments/filter", json={}, trust_env=False).json()
    except (httpx.HTTPError, ValueError):
        return False
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(since))
    return bool(found) and all((row["last_polled"] or "") >= moment for row in found)


def family_of(pid: int) -> set[int]:
    """Everything that `up` started, with all that these started."""
    groups = groups_below(pid) - {os.getpgrp()}
    return {process.pid for process in processes() if process.group in groups}


def servers_of(home: Up) -> list[str]:
    """Every Prefect server, embedded or not, on this workspace's database."""
    found = []
    for process in processes():
        try:
            environment = Path(f"/proc/{process.pid}/environ").read_bytes()
        except OSError:
            continue
        ours = f"NIGHTCAST_HOME={home.person.workspace}\0".encode() in environment
        if ours and ("prefect server start" in process.command or "prefect.server.api.server" in process.command):
            found.append(process.command)
    return found


def beginning(home: Up, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [NIGHTCAST, *words], env=home.person.environment(), cwd=home.person.workspace,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def runs_of(home: Up, flow: str) -> list[dict[str, Any]]:
    wanted = {"flows": {"name": {"any_": [flow]}}, "flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
    found: list[dict[str, Any]] = httpx.post(
        f"{home.prefect}/api/flow_runs/filter", json=wanted, trust_env=False
    ).json()
    return found


@pytest.fixture(scope="module")
def living(home: Up) -> Iterator[subprocess.Popen[str]]:
    """`up`, in front of a person who keeps it running while the tests that share it take turns."""
    home.write_settings('[schedule]\ntimezone = "America/New_York"\n')
    with home.running() as it:
        yield it


def test_it_tells_addresses_and_the_next_times_in_both_zones(home: Up, living: subprocess.Popen[str]) -> None:
    said = "".join(home.said)
    assert f"Prefect dashboard  {home.prefect}\nMLflow UI          {home.mlflow}\n" in said
    for name in ("ingest", "nightly", "forecast", "verify"):
        (line,) = (line for line in home.said if line.startswith(f"next {name}"))
        assert " UTC (" in line
        assert line.endswith("America/New_York)\n")
    assert all_answer(home)


def test_all_of_it_stays_below_1200_megabytes(home: Up, living: subprocess.Popen[str]) -> None:
    shares = {}
    for pid in family_of(living.pid) | {living.pid}:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        shares[command_of(pid)] = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    assert sum(shares.values()) < 1_200_000, shares


def test_a_second_up_is_refused_in_one_line(home: Up, living: subprocess.Popen[str]) -> None:
    for words in (["up"], ["up", "--detach"]):
        answer = home.person.types(*words)
        assert answer.returncode == 1
        assert (answer.stderr + answer.stdout) == (
            f"nightcast: {home.person.workspace} is up already, at {home.prefect} (process {living.pid}); "
            "`nightcast down` stops it\n"
        )
    assert all_answer(home)


def test_status_tells_addresses_parts_and_next_times(home: Up, living: subprocess.Popen[str]) -> None:
    status = json.loads(home.person.types("status", "--json").stdout)
    assert (status["dashboard"], status["mlflow_ui"]) == (home.prefect, home.mlflow)
    assert all(f"{part} (process " in status["parts"] for part in PARTS)
    assert "America/New_York" in status["next_nightly"]


def test_a_command_uses_the_server_that_is_there(home: Up, living: subprocess.Popen[str]) -> None:
    before = len(runs_of(home, "verify"))
    answer = home.person.types("verify")
    assert answer.returncode == 0, answer.stderr
    assert len(runs_of(home, "verify")) == before + 1
    assert len(servers_of(home)) == 1


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_killed_comes_back_and_keeps_its_settings(
    home: Up, living: subprocess.Popen[str], part: str
) -> None:
    killed, before = home.tenant()["parts"][part], time.time()
    os.kill(killed, signal.SIGKILL)
    until(lambda: home.tenant()["parts"][part] != killed)
    until(lambda: all_answer(home, since=before + 1))
    assert living.stdout is not None
    heard = next(line for line in living.stdout if "starts again" in line)
    assert heard.startswith(f"{part} was killed by signal 9; it starts again in ")
    settings = httpx.get(f"{home.prefect}/api/admin/settings", trust_env=False).json()
    assert settings["server"]["analytics_enabled"] is False
    assert home.tenant()["prefect_api"] == f"{home.prefect}/api"


def test_a_polite_end_leaves_no_process_and_no_port(home: Up, living: subprocess.Popen[str]) -> None:
    family = family_of(living.pid)
    assert len(family) >= 4
    living.terminate()
    assert living.wait(40) == 0
    assert [command_of(pid) for pid in family if command_of(pid)] == []
    assert not answers(home.prefect_port)
    assert not answers(home.mlflow_port)
    assert home.tenant() == {}


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
    assert home.person.types("up", "--detach").returncode == 0
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
