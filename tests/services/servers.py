"""`nightcast up` in a workspace of its own, on ports of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from support import Person

from flows.processes import groups_below, processes

NIGHTCAST = str(Path(sys.executable).with_name("nightcast"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Up:
    """A person's workspace, and where its two servers are while `up` lives."""

    person: Person
    prefect_port: int = field(default_factory=free_port)
    mlflow_port: int = field(default_factory=free_port)
    said: list[str] = field(default_factory=list)
    """What the last `up` said until it was ready."""

    @property
    def prefect(self) -> str:
        return f"http://127.0.0.1:{self.prefect_port}"

    @property
    def mlflow(self) -> str:
        return f"http://127.0.0.1:{self.mlflow_port}"

    def write_settings(self, more: str = "[model]\nmax_epochs = 2\n") -> None:
        """nightcast.toml with these ports; `more` are further tables."""
        ports = f"[server]\nprefect_port = {self.prefect_port}\nmlflow_port = {self.mlflow_port}\n"
        (self.person.workspace / "nightcast.toml").write_text(ports + more)

    def tenant(self) -> dict[str, Any]:
        """What is written down of who runs a server in this workspace; empty if nobody does."""
        file = self.person.workspace / ".nightcast" / "server.json"
        try:
            told: dict[str, Any] = json.loads(file.read_text())
        except FileNotFoundError:
            told = {}
        return told

    @contextmanager
    def running(self, **settings: str) -> Iterator[subprocess.Popen[str]]:
        """`nightcast up` in the foreground, ready when the block begins and gone when it ends.

        A block that ended it itself is fine; whoever reads its output reads on from `stdout`.
        """
        environment = self.person.environment(**settings)
        with subprocess.Popen(
            [NIGHTCAST, "up"], env=environment, cwd=self.person.workspace, stdout=subprocess.PIPE, text=True
        ) as it:
            try:
                assert it.stdout is not None
                self.said.clear()
                for line in it.stdout:
                    self.said.append(line)
                    if "Ctrl-C" in line:
                        break
                assert "Ctrl-C" in "".join(self.said), "".join(self.said)
                yield it
                if it.poll() is None:
                    it.send_signal(signal.SIGINT)
                    assert it.wait(40) == 0
            finally:
                it.kill()
        for port in (self.prefect_port, self.mlflow_port):
            assert not answers(port), "a server outlived `up`"


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
        if ours and ("guarded:prefect" in process.command or "prefect.server.api.server" in process.command):
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
