"""The promotion log: a line for every change of champion, on the disk before any alias moves."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lstm_model.servers import place
from lstm_model.workspace import Workspace

PROMOTE, ROLLBACK, DEMOTE = "promote", "rollback", "demote"
PROMOTIONS_FILE = "promotions.jsonl"
IN_PLACE = "last_promotion"
"""Tag of the registered model: name of the last entry whose aliases are in place."""


@dataclass(frozen=True)
class Entry:
    """A decision that the champion changes.

    at: when it was taken, by the clock on the wall; as_of: the night it was taken in.
    who: `nightly`, or the account that asked for it.
    action: promote, rollback or demote.
    before: the version that was champion, None if there was none; champion: the one that is from now on, None where
        a demotion leaves nobody.
    rule, why: what decided, and the reason in a sentence.
    evidence: the gate's numbers; None where no trial was held.
    """

    at: pd.Timestamp
    as_of: pd.Timestamp
    who: str
    action: str
    before: str | None
    champion: str | None
    rule: str
    why: str
    evidence: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        """What tells this entry from the one before it."""
        return f"{self.at.isoformat()} {self.action} {self.before or 'nobody'} to {self.champion or 'nobody'}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON; a number that is none is null."""
        return {
            "at": self.at.isoformat(),
            "as_of": self.as_of.isoformat(),
            "who": self.who,
            "action": self.action,
            "from": self.before,
            "to": self.champion,
            "rule": self.rule,
            "why": self.why,
            "evidence": plain(self.evidence),
        }

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Entry:
        """What `as_dict` made."""
        at, as_of = (pd.Timestamp(row[name]).tz_convert("UTC") for name in ("at", "as_of"))
        who, action, before, champion, rule, why = (
            row[name] for name in ("who", "action", "from", "to", "rule", "why")
        )
        return cls(at, as_of, who, action, before, champion, rule, why, row["evidence"])


class PromotionLog:
    """The file `promotions.jsonl` beside MLflow's database; lines are only ever added.

    One file tells of every registry that the workspace ever had, each of which counts its versions from 1. A line says
    which one it is about, unless that is the workspace's own; what is about another one than `[server]` names now is
    no entry.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._file = workspace.mlruns / PROMOTIONS_FILE
        self._registry = place(workspace.settings.server, "mlflow")

    def entries(self) -> list[Entry]:
        """Every entry about this registry, the oldest first. A line torn by a kill is no entry."""
        if not self._file.is_file():
            return []
        lines = self._file.read_text(encoding="utf-8", errors="replace").split("\n")
        return [entry for line in lines if (entry := _read(line, self._registry)) is not None]

    def last(self) -> Entry | None:
        """The newest entry, or None."""
        return next(reversed(self.entries()), None)

    def append(self, entry: Entry) -> None:
        """Add an entry, and return once it would outlast a power cut."""
        row = entry.as_dict() | ({"registry": self._registry} if self._registry else {})
        line = json.dumps(row, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        with self._file.open("a+b") as file:
            file.write(line if _ends_with_newline(self._file) else b"\n" + line)
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(self._file.parent)


def plain(value: Any) -> Any:
    """The same with None for every number that is not finite: JSON has no word for those."""
    if isinstance(value, Mapping):
        return {name: plain(part) for name, part in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _read(line: str, registry: str) -> Entry | None:
    try:
        row = json.loads(line)
        return Entry.from_dict(row) if row.get("registry", "") == registry else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _ends_with_newline(file: Path) -> bool:
    """Whether the file is empty or its last line whole, so that the next one has a line to itself."""
    with file.open("rb") as reader:
        if not reader.seek(0, os.SEEK_END):
            return True
        reader.seek(-1, os.SEEK_END)
        return reader.read() == b"\n"


def _sync_folder(folder: Path) -> None:
    """A file just made is safe once its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
