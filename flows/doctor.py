"""`nightcast doctor`: what is well, what is not, and what to do about it."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import sys
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from packaging.version import Version

from flows.notices import ways
from flows.outbox import KEPT_DAYS, Outbox
from flows.processes import listener
from flows.turns import Tenant, live_tenant, wait_for_elsewhere
from lstm_model.errors import NightcastError, SettingsError
from lstm_model.servers import Which, elsewhere, login, reach_database
from lstm_model.settings import ServerSettings
from lstm_model.workspace import Workspace

_LEAST_FREE_GIB = 2.0
_REMEDY = "start it, or mend its address under [server] in nightcast.toml"
_HELD_BACK = {  # package: first version that breaks, and how
    "fastapi": ("0.151", "newer ones keep Prefect 3.8 from starting any flow"),
    "sqlalchemy": ("2.1", "newer ones silently stop Prefect's scheduler"),
}


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    subject: str
    verdict: Literal["ok", "warning", "broken"]
    found: str
    remedy: str = ""


def examine() -> list[Finding]:
    """Look at Python, torch, the pins that matter, disk, settings, ports and databases."""
    findings = [_python(), _torch(), *(_pin(name) for name in _HELD_BACK)]
    try:
        workspace = Workspace.find()
    except SettingsError as error:
        return [*findings, Finding("settings", "broken", str(error), "mend it, then run `nightcast doctor` again")]
    named = len(workspace.origins)
    findings.append(Finding("settings", "ok", f"{workspace.home}: {named} set, the others at their defaults"))
    if not workspace.home.is_dir():
        found = f"there is no folder {workspace.home}"
        return [*findings, Finding("workspace", "broken", found, "make it, or point NIGHTCAST_HOME elsewhere")]
    findings.append(_disk(workspace.home))
    server, tenant = workspace.settings.server, live_tenant(workspace)
    if not elsewhere(server, "prefect"):
        findings.append(_port("Prefect port", server.host, server.prefect_port, tenant))
    if not elsewhere(server, "mlflow"):
        findings.append(_port("MLflow port", server.host, server.mlflow_port, tenant))
    if ways(workspace.settings.notify):
        findings.append(_messages(workspace))
    findings.append(_kept(server, "mlflow", "MLflow", workspace.mlruns / "mlflow.db"))
    findings.append(_kept(server, "prefect", "Prefect", workspace.state / "prefect" / "prefect.db"))
    return findings


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", "ok", found)


def _torch() -> Finding:
    import torch

    build = "CUDA " + torch.version.cuda if torch.version.cuda else "CPU"
    found = f"{torch.__version__}, {build} build, {torch.get_num_threads()} threads"
    if torch.version.cuda and not torch.cuda.is_available():
        return Finding("torch", "warning", found, "no GPU answers; the CPU build is much smaller: `make clean setup`")
    return Finding("torch", "ok", found)


def _pin(package: str) -> Finding:
    limit, why = _HELD_BACK[package]
    try:
        found = version(package)
    except PackageNotFoundError:
        return Finding(package, "broken", "not installed", "install from the lock: `make setup`")
    if Version(found) >= Version(limit):
        return Finding(package, "broken", f"{found}; {why}", f"install a version below {limit}: `make clean setup`")
    return Finding(package, "ok", f"{found}, held below {limit}: {why}")


def _disk(home: Path) -> Finding:
    free = shutil.disk_usage(home).free / 2**30
    found = f"{free:.1f} GiB free at {home}"
    if not os.access(home, os.W_OK):
        return Finding("disk", "broken", f"{home} cannot be written to", "give this user the right to write there")
    if free < _LEAST_FREE_GIB:
        return Finding("disk", "warning", found, "free some space: every kept model takes about a megabyte")
    return Finding("disk", "ok", found)


def _port(name: str, host: str, port: int, tenant: Tenant | None) -> Finding:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        taken = probe.connect_ex((host, port)) == 0
    if not taken:
        return Finding(name, "ok", f"{host}:{port} is free")
    who = listener(port)
    if tenant is not None and who is not None and who.pid in tenant.parts.values():
        return Finding(name, "ok", f"{host}:{port} is this workspace's `{tenant.command}`")
    by = f" by process {who.pid}, {who.command[:60]!r}" if who else ""
    remedy = "stop that before `nightcast up`, or choose another port under [server]"
    return Finding(name, "warning", f"{host}:{port} is taken{by}", remedy)


def _messages(workspace: Workspace) -> Finding:
    """Whether messages wait for people who could not be told."""
    try:
        waiting = Outbox(workspace.state).peek()
    except NightcastError as error:
        return Finding("messages", "warning", str(error), "the next ingest sets the file aside; it may be deleted")
    if not waiting:
        return Finding("messages", "ok", "none waits")
    counts = Counter(message.way for message in waiting)
    receivers = {"webhook": "the webhook", "mail": "the mail server"}
    told = ", ".join(f"{count:,} for {receivers.get(way, way)}" for way, count in counts.items())
    oldest = min(message.at for message in waiting)
    found = f"{len(waiting):,} wait ({told}), the oldest since {oldest:%Y-%m-%d %H:%M} UTC"
    remedy = f"`nightcast notify` says what keeps them; every ingest tries again, for {KEPT_DAYS} days"
    return Finding("messages", "warning", found, remedy)


def _kept(server: ServerSettings, which: Which, name: str, file: Path) -> Finding:
    """Where a server keeps what it knows: in a file of the workspace, in a database, or where somebody else runs it."""
    if not getattr(server, which):
        return _database(f"{name} database", file)
    try:
        if (address := elsewhere(server, which)) is not None:
            login(server, which, os.environ)
            wait_for_elsewhere(which, address, lambda line: None, patience=0.0)
            return Finding(f"{name} server", "ok", f"{address} answers")
        return Finding(f"{name} database", "ok", reach_database(server, which, os.environ, patience=0.0))
    except NightcastError as error:
        return Finding(f"{name} {'server' if elsewhere(server, which) else 'database'}", "broken", str(error), _REMEDY)


def _database(name: str, file: Path) -> Finding:
    if not file.is_file():
        return Finding(name, "ok", "not there yet; the first night makes it")
    try:
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        verdict = str(error)
    if verdict != "ok":
        return Finding(
            name, "broken", f"{file}: {verdict}", "restore the file from a backup, or move it away to start anew"
        )
    return Finding(name, "ok", f"{file.name}, {file.stat().st_size / 2**20:.1f} MiB, intact")
