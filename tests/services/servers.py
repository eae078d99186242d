"""`nightcast up` in a workspace of its own, on ports of its own."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support import Person

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
