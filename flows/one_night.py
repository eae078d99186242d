"""One night at a time: a file lock that dies with its process, and a note that says who holds it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
from filelock import FileLock, Timeout

from flows.clock import wall_clock
from lstm_model.workspace import Workspace


@contextmanager
def one_night(workspace: Workspace) -> Iterator[str | None]:
    """Hold the night while the block runs; yields why it cannot be held where another one is under way."""
    lock = FileLock(workspace.state / "night.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        taken = True
    else:
        taken = False
    if taken:
        yield f"another night is under way in this workspace{_which(workspace)}; wait for it to end, then run again"
        return
    try:
        yield None
    finally:
        lock.release()


def note_night(workspace: Workspace, now: pd.Timestamp) -> None:
    """Say which night is under way, for whoever comes while it is."""
    told = {"as_of": now.isoformat(), "since": wall_clock().isoformat()}
    _note(workspace).write_text(json.dumps(told), encoding="utf-8")


def _which(workspace: Workspace) -> str:
    """The night that holds the lock, as far as it said so; a note cut off half-way says nothing."""
    try:
        told = json.loads(_note(workspace).read_text(encoding="utf-8"))
        as_of, since = pd.Timestamp(told["as_of"]), pd.Timestamp(told["since"])
        return f" ({as_of:%Y-%m-%d}, since {since:%Y-%m-%d %H:%M} UTC)"
    except (OSError, ValueError, KeyError):
        return ""


def _note(workspace: Workspace) -> Path:
    return workspace.state / "night-under-way.json"
