"""One night at a time: a file lock that dies with its process, and a note that says who holds it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

_PATIENCE_SECONDS = 1.0  # who only looks whether a night is under way holds the lock for a moment


@contextmanager
def one_night(state: Path, patience: float = _PATIENCE_SECONDS) -> Iterator[str | None]:
    """Hold the night while the block runs; yields why it cannot be held where another one is under way.

    Args:
        state: the workspace's folder of bookkeeping.
        patience: seconds to wait for another one.
    """
    lock, why_not = FileLock(state / "night.lock"), None
    try:
        lock.acquire(timeout=patience)
    except Timeout:
        why_not = f"another night is under way in this workspace{_which(state)}; wait for it to end, then run again"
    if why_not is not None:
        yield why_not
        return
    try:
        yield None
    finally:
        with suppress(OSError):  # who comes next has not said yet which night it is
            _note(state).unlink(missing_ok=True)
        lock.release()


def note_night(state: Path, as_of: datetime, since: datetime) -> None:
    """Say which night is under way, and since when, for whoever comes while it is."""
    told = {"as_of": as_of.isoformat(), "since": since.isoformat()}
    _note(state).write_text(json.dumps(told), encoding="utf-8")


def _which(state: Path) -> str:
    """The night that holds the lock, as far as it said so; a note cut off half-way says nothing."""
    try:
        told = json.loads(_note(state).read_text(encoding="utf-8"))
        as_of, since = datetime.fromisoformat(told["as_of"]), datetime.fromisoformat(told["since"])
        return f" ({as_of:%Y-%m-%d}, since {since:%Y-%m-%d %H:%M} UTC)"
    except (OSError, ValueError, KeyError):
        return ""


def _note(state: Path) -> Path:
    return state / "night-under-way.json"
