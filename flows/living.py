"""Which flow runs live: every process that lives one notes it beside a file lock that dies with the process."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from lstm_model.workspace import Workspace

_FOLDER = "processes"
_RUN_VARIABLE = "PREFECT__FLOW_RUN_ID"
_REMEMBERED_SECONDS = 24 * 3600.0
_own: dict[Path, FileLock] = {}
_names: dict[int, str] = {}


def note_run(workspace: Workspace, run_id: str) -> None:
    """Note that this process lives a flow run, from now until it ends, however it ends."""
    notes = workspace.state / _FOLDER / _own_name()
    if notes not in _own:
        notes.parent.mkdir(parents=True, exist_ok=True)
        _sweep(notes.parent)
        lock = FileLock(notes.with_suffix(".lock"))
        lock.acquire()
        notes.write_text("", encoding="utf-8")
        _own[notes] = lock
    with notes.open("a", encoding="utf-8") as file:
        file.write(f"{run_id}\n")


def living_runs(workspace: Workspace) -> set[str]:
    """Ids of the flow runs that a process lives, or was started to live and has not begun yet."""
    return _told_in(notes for notes in _notes(workspace.state / _FOLDER) if not _is_gone(notes)) | set(_started_runs())


def noted_runs(workspace: Workspace) -> set[str]:
    """Ids of the flow runs that any process noted here within a day, whether or not it still lives."""
    return _told_in(_notes(workspace.state / _FOLDER))


def _told_in(files: Iterable[Path]) -> set[str]:
    told: set[str] = set()
    for notes in files:
        with suppress(FileNotFoundError):  # swept this very moment
            told |= set(notes.read_text(encoding="utf-8").splitlines())
    return told


def _sweep(folder: Path) -> None:
    """Remove what processes left that ended a day ago."""
    for notes in _notes(folder):
        with suppress(FileNotFoundError):  # another process sweeps as well
            if time.time() - notes.stat().st_mtime > _REMEMBERED_SECONDS and _is_gone(notes):
                notes.unlink()
                notes.with_suffix(".lock").unlink()


def _own_name() -> str:
    """A name that no other process has: containers that share a workspace have processes of the same number."""
    return _names.setdefault(os.getpid(), f"{os.getpid()}{secrets.randbelow(10**9):09}")


def _notes(folder: Path) -> list[Path]:
    return [file for file in folder.glob("*") if file.name.isdecimal()]


def _is_gone(notes: Path) -> bool:
    """Whether the process that wrote these notes has ended: then its lock is free."""
    if notes in _own:
        return False
    try:
        with FileLock(notes.with_suffix(".lock"), timeout=0):
            return True
    except Timeout:
        return False


def _started_runs() -> Iterator[str]:
    """Ids of the flow runs that running processes were started for, as their environments say."""
    beginning = f"{_RUN_VARIABLE}="
    for environment in _environments():
        for assignment in environment:
            if assignment.startswith(beginning):
                yield assignment.removeprefix(beginning)


def _environments() -> Iterator[list[str]]:
    if not Path("/proc/self/environ").exists():
        command = ["ps", "-axEww" if sys.platform == "darwin" else "axeww", "-o", "command="]
        for line in subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines():  # noqa: S603
            yield line.split()
        return
    for process in Path("/proc").glob("[0-9]*"):
        try:
            yield (process / "environ").read_text(encoding="utf-8", errors="replace").split("\0")
        except OSError:  # another user's, or gone by now
            continue
