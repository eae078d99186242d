"""Sources that an ingest cannot read: told when they begin to fail, and again only once they were read meanwhile.

A night tells of its failed steps itself, but at its end, which it may not live to see, and to whom asked for that. So
what it finds broken does not count as told, and the next ingest between nights tells it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from flows.events import ingest_failed
from flows.telling import announce
from lstm_model.errors import NightcastError, first_line
from lstm_model.whole import write_text_whole
from lstm_model.workspace import Workspace

log = logging.getLogger("nightcast.ingest")

_FILE = "broken-sources.json"
_ALL = ""
"""Stands for an ingest that failed whatever its sources hold: the stations file makes no sense, or the disk is full."""


@contextmanager
def failure_told(workspace: Workspace, source: str | None, now: pd.Timestamp, *, by_night: bool) -> Iterator[None]:
    """Tell people where the ingest in this block fails and none has told so, and remember it until it works.

    Args:
        workspace: whose ingest.
        source: the only source that it reads; None: all of them.
        now: the time it lives.
        by_night: whether it is a night's, which tells of its failed steps itself.
    """
    asked = set(workspace.settings.sources) if source is None else {source}
    try:
        yield
    except Exception as error:
        if asked <= set(workspace.settings.sources):  # else somebody mistyped a name
            broken = set(error.sources if isinstance(error, NightcastError) else ()) or {_ALL}
            if not by_night and (fresh := broken - _standing(workspace)):
                announce(workspace, ingest_failed(sorted(fresh - {_ALL}), first_line(error), now))
            _note(workspace, asked, broken, told=not by_night)
        raise
    _note(workspace, asked, set(), told=False)


def _note(workspace: Workspace, asked: Collection[str], broken: set[str], *, told: bool) -> None:
    """Forget what was read, and remember what fails if it was told.

    It is told first and noted then, so that a kill in between tells it twice, never not at all.
    """
    before = _standing(workspace)
    read = set() if _ALL in broken else {*asked, _ALL} - broken
    after = ((before - read) | (broken if told else set())) & {*workspace.settings.sources, _ALL}
    if after == before:
        return
    try:
        write_text_whole(_file(workspace), json.dumps(sorted(after)))
    except OSError as error:
        log.warning("which sources fail cannot be noted, so they may be told again: %s", first_line(error))


def _standing(workspace: Workspace) -> set[str]:
    """What was told to fail, and not read since; a file that says nothing that makes sense says nothing."""
    try:
        return set(map(str, json.loads(_file(workspace).read_text(encoding="utf-8"))))
    except (OSError, ValueError, TypeError):
        return set()


def _file(workspace: Workspace) -> Path:
    return workspace.state / _FILE
