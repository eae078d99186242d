"""What Prefect costs: a night under the dashboard beside the same night as bare function calls, in one run.

    python benchmarks/overhead.py
    python benchmarks/overhead.py --nights 5 --json overhead.json

Two workspaces live the embedded sample's first night, which makes databases and tables. Then each lives the next ones
in turn: one in a fresh process that calls what the flows call, the other as a run of the `nightly` deployment that is
asked for over the API of a running `nightcast up`. Counted is wall time, from the start of the process or from the
request, to the end. Both include every import; the second also waiting for its turn.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.table import Table

_PATIENCE_SECONDS = 600
_PROJECT = Path(__file__).parents[1]
BARE = """
import sys
from flows.account import account
from flows.clock import mark_lived, night_to_live, wall_clock
from lstm_model.forecasts import issue_forecast, record_verified, verify_forecasts
from lstm_model.readings import ingest
from lstm_model.registry import promote_challenger, train_candidate
from lstm_model.workspace import Workspace
workspace = Workspace.find()
now = night_to_live(workspace)
ingest(workspace, now, wall_clock(), None)
verify_forecasts(workspace, now)
record_verified(workspace)
train_candidate(workspace, now)
promote_challenger(workspace, now, at=wall_clock(), who=account())
issue_forecast(workspace, now, wall_clock())
mark_lived(workspace, now, {})
"""


def environment(workspace: Path) -> dict[str, str]:
    """The environment of a process in this workspace, with nothing of the caller's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NIGHTCAST", "PREFECT"))}
    return kept | {"NIGHTCAST_HOME": str(workspace)}


def bare_night(workspace: Path) -> float:
    """Seconds of one night without Prefect, start of the process included."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", BARE], env=environment(workspace), cwd=_PROJECT, check=True)  # noqa: S603
    return time.perf_counter() - began


@contextmanager
def up(workspace: Path, port: int) -> Iterator[str]:
    """A running `nightcast up`; the address of its API."""
    command = [sys.executable, "-c", "from flows.commands import main; main()", "up"]
    with subprocess.Popen(  # noqa: S603
        command, env=environment(workspace), cwd=_PROJECT, stdout=subprocess.PIPE, text=True
    ) as it:
        assert it.stdout is not None
        said = []
        try:
            for line in it.stdout:
                said.append(line)
                if "Ctrl-C" in line:
                    break
            else:
                raise SystemExit("".join(said))
            yield f"http://127.0.0.1:{port}/api"
        finally:
            it.send_signal(signal.SIGINT)


def dashboard_night(api: str) -> tuple[float, float]:
    """Seconds of one night as a run of the deployment: from the request to the end, and of these until it began."""
    began = time.perf_counter()
    server = httpx.Client(base_url=api, trust_env=False, timeout=30)
    deployment = server.get("/deployments/name/nightly/nightly").json()["id"]
    asked = server.post(f"/deployments/{deployment}/create_flow_run", json={}).json()["id"]
    while time.perf_counter() - began < _PATIENCE_SECONDS:
        time.sleep(0.2)
        run = server.get(f"/flow_runs/{asked}").json()
        if run["state_type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"):
            if run["state_type"] != "COMPLETED":
                raise SystemExit(f"the night ended as {run['state']['name']}: {run['state']['message']}")
            return time.perf_counter() - began, time.perf_counter() - began - run["total_run_time"]
    raise SystemExit(f"the night did not end within {_PATIENCE_SECONDS} s")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def compare(nights: int, settings: str) -> list[dict[str, Any]]:
    """Live the nights both ways, in turn."""
    with tempfile.TemporaryDirectory(prefix="nightcast-") as scratch:
        one, other = Path(scratch) / "bare", Path(scratch) / "dashboard"
        port = free_port()
        for workspace in (one, other):
            workspace.mkdir()
            server = f"[server]\nprefect_port = {port}\nmlflow_port = {free_port()}\n"
            (workspace / "nightcast.toml").write_text(server + settings, encoding="utf-8")
        bare_night(one)
        with up(other, port) as api:
            dashboard_night(api)
            rows = []
            for night in range(1, nights + 1):
                bare = bare_night(one)
                dashboard, waited = dashboard_night(api)
                rows.append({"night": night, "bare_seconds": bare, "dashboard_seconds": dashboard,
                             "waited_seconds": waited, "ratio": dashboard / bare})  # fmt: skip
            return rows


def main(
    nights: Annotated[int, typer.Option(min=1, help="Nights to live each way after the first.")] = 3,
    settings: Annotated[str, typer.Option(help="More of nightcast.toml, such as '[model]\\nmax_epochs = 2'.")] = "",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every figure to this file.")] = None,
) -> None:
    """Compare a night under the dashboard with the bare computation."""
    rows = compare(nights, settings.replace("\\n", "\n"))
    table = Table(title="a night of the sample, wall seconds", title_justify="left")
    for heading in ("night", "bare", "under the dashboard", "of which waiting", "ratio"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            str(row["night"]), f"{row['bare_seconds']:.1f}", f"{row['dashboard_seconds']:.1f}",
            f"{row['waited_seconds']:.1f}", f"{row['ratio']:.2f}",
        )  # fmt: skip
    bare, dashboard = (statistics.median(row[name] for row in rows) for name in ("bare_seconds", "dashboard_seconds"))
    screen = Console(width=110)
    screen.print(table)
    screen.print(f"medians: {dashboard:.1f} s against {bare:.1f} s; 1.3 × bare + 10 s is {1.3 * bare + 10:.1f} s")
    if json_file is not None:
        json_file.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
