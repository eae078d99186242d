"""Other processes of this machine: who they are, and how they are ended together with all that they started."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_LOOK_SECONDS = 0.1
_KILL_SECONDS = 5.0


@dataclass(frozen=True)
class Process:
    """A process that lives; one that only waits to be forgotten is none."""

    pid: int
    parent: int
    group: int
    command: str


def command_of(pid: int) -> str:
    """Command line of a process, empty if there is none."""
    found = _from_proc(pid) if _has_proc() else next(iter(_from_ps("-p", str(pid))), None)
    return "" if found is None else found.command


def processes() -> list[Process]:
    """Every process of this machine."""
    if not _has_proc():
        return _from_ps("-A")
    found = (_from_proc(int(entry.name)) for entry in _PROC.iterdir() if entry.name.isdigit())
    return [process for process in found if process is not None]


def groups_below(pid: int) -> set[int]:
    """The process groups of a process and of all that descend from it."""
    everyone = processes()
    family, found = {pid}, 0
    while len(family) > found:
        found = len(family)
        family |= {process.pid for process in everyone if process.parent in family}
    return {process.group for process in everyone if process.pid in family}


def end_groups(groups: Collection[int], patience: float) -> None:
    """End every process of these groups: politely, and after `patience` seconds not. Returns once they are gone."""
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGTERM)
    left = _wait_until_gone(lambda process: process.group in groups, patience)
    end_processes([process.pid for process in left])


def end_processes(pids: Collection[int]) -> None:
    """End these processes at once, and wait until they are gone."""
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    _wait_until_gone(lambda process: process.pid in pids, _KILL_SECONDS)


def _wait_until_gone(which: Callable[[Process], bool], patience: float) -> list[Process]:
    deadline = time.monotonic() + patience
    while left := [process for process in processes() if which(process)]:
        if time.monotonic() > deadline:
            break
        time.sleep(_LOOK_SECONDS)
    return left


def listener(port: int) -> Process | None:
    """Who listens at a TCP port, where this user may know."""
    if not _has_proc():
        asked = _output("lsof", "-nP", "-t", f"-iTCP:{port}", "-sTCP:LISTEN").split()
        return next(iter(_from_ps("-p", asked[0])), None) if asked else None
    sockets = {f"socket:[{inode}]" for inode in _listening(port)}
    for process in processes():
        with suppress(OSError):
            if any(str(handle.readlink()) in sockets for handle in (_PROC / str(process.pid) / "fd").iterdir()):
                return process
    return None


def _listening(port: int) -> Iterator[str]:
    for table in (_PROC / "net" / "tcp", _PROC / "net" / "tcp6"):
        with suppress(OSError):
            for line in table.read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                address, state, inode = fields[1], fields[3], fields[9]
                if state == "0A" and int(address.rpartition(":")[2], 16) == port:  # 0A: it listens
                    yield inode


def _has_proc() -> bool:
    return (_PROC / "self" / "stat").exists()


def _from_proc(pid: int) -> Process | None:
    try:
        state, parent, group = (_PROC / str(pid) / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[:3]
        command = (_PROC / str(pid) / "cmdline").read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return None
    return None if state in "ZX" else Process(pid, int(parent), int(group), command.replace("\0", " ").strip())


def _from_ps(*which: str) -> list[Process]:
    found = []
    # One -o for each column: POSIX takes all that follows a = for the heading of that column.
    columns = [word for name in ("pid", "ppid", "pgid", "stat", "args") for word in ("-o", f"{name}=")]
    for line in _output("ps", "-ww", *columns, *which).splitlines():  # -ww: whole lines
        pid, parent, group, state, *command = line.split(maxsplit=4)
        if not state.startswith("Z"):
            found.append(Process(int(pid), int(parent), int(group), "".join(command)))
    return found


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603
    except OSError:
        return ""
