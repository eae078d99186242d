"""`nightcast up` as it lives: what it says, who uses it, how it heals, and what is left when it is told to end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from servers import Up, all_answer, answers, family_of, runs_of, servers_of, until

from flows.processes import command_of

pytestmark = pytest.mark.services

PARTS = ["Prefect server", "MLflow UI", "deployments"]


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
