"""Files that were taken in before, known by their content: dropped again or renamed they cost nothing.

Of a text file that has grown, only what was added is news: its older rows must not undo what another file corrected.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import DeltaTable, write_deltalake

from lstm_model.readings.delta import is_table, open_table
from lstm_model.readings.store import ReadingsStore

TAKEN_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("read_as", pa.string()),
        ("readings_table", pa.string()),
        ("file", pa.string()),
        ("called", pa.string()),
        ("guesses", pa.string()),
        ("stamp", pa.string()),
        ("content", pa.string()),
        ("beginning", pa.string()),
        ("beginning_bytes", pa.int64()),
        ("beginning_lines", pa.int64()),
        ("taken_at", pa.timestamp("us", tz="UTC")),
    ]
)


@dataclass(frozen=True)
class TakenFile:
    """A file's content as it was taken in.

    file: how people know it.
    stamp: what the file system says of it, such as its size and time of change; may be new for known content.
    content: digest of all of it.
    beginning, beginning_bytes, beginning_lines: digest and size of its whole lines, without one that may grow.
    called: the station, where the file's name is its name; else empty. The same content may then be another's.
    guesses: what was guessed of it, as settings in JSON; empty for known content.
    """

    file: str
    stamp: str
    content: str
    beginning: str
    beginning_bytes: int
    beginning_lines: int
    called: str = ""
    guesses: str = ""

    @classmethod
    def of(cls, content: bytes, stamp: str, file: str) -> TakenFile:
        """What to remember of a content."""
        end = content.rfind(b"\n") + 1
        digest = sha256(memoryview(content)[:end])
        beginning = digest.hexdigest()
        digest.update(memoryview(content)[end:])
        return cls(file, stamp, digest.hexdigest(), beginning, end, content.count(b"\n"))


@dataclass(frozen=True)
class Known:
    """What is known of a source's files, the same content of two stations told apart as (content, station).

    stamps: of files that need not be looked into. contents: digests of what was read as the settings are now.
    beginnings: lines of beginnings so read, by size in bytes and digest. first_taken: when content came at all.
    The station is empty where the content itself names its stations.
    """

    stamps: frozenset[str] = frozenset()
    contents: frozenset[tuple[str, str]] = frozenset()
    beginnings: Mapping[int, Mapping[tuple[str, str], int]] = field(default_factory=dict)
    first_taken: Mapping[tuple[str, str], pd.Timestamp] = field(default_factory=dict)

    def lines_known(self, content: bytes, called: str) -> int:
        """How many lines of this content were taken in with an earlier state of it."""
        most, digest, hashed = 0, sha256(), 0
        for size in sorted(self.beginnings):
            if size > len(content):
                break
            digest.update(content[hashed:size])
            hashed, so_far = size, digest.copy().hexdigest()
            lines = self.beginnings[size]
            most = max(most, lines.get((so_far, ""), 0), lines.get((so_far, called), 0))
        return most


def known_as(contents: Collection[tuple[str, str]], content: str, called: str) -> str | None:
    """The station under which a content is known in a file that is called like this one; None where it is not."""
    return next((station for station in ("", called) if (content, station) in contents), None)


class TakenFiles:
    """The list of files taken in, beside the readings that came from them."""

    def __init__(self, path: Path, readings: ReadingsStore) -> None:
        self._path = path
        self._readings = readings

    def known(self, source: str, read_as: str) -> Known:
        """What was taken in from a source into the present readings table, and when read in this way."""
        if not is_table(self._path):
            return Known()
        same = (ds.field("source") == source) & (ds.field("readings_table") == (self._readings.identity or ""))
        rows = DeltaTable(self._path).to_pyarrow_dataset().to_table(filter=same).to_pandas()
        rows = rows.sort_values("taken_at", kind="stable")
        first_taken = rows.groupby(["content", "called"])["taken_at"].first().to_dict()
        # What was read in another way since is news again, even if it was once read in this way.
        rows = rows[rows.groupby(["content", "called"])["read_as"].transform("last") == read_as]
        beginnings: dict[int, dict[tuple[str, str], int]] = {}
        for row in rows[rows["beginning_bytes"] > 0].itertuples():
            beginnings.setdefault(row.beginning_bytes, {})[row.beginning, row.called] = row.beginning_lines
        contents = frozenset(zip(rows["content"], rows["called"], strict=True))
        return Known(frozenset(rows["stamp"]), contents, beginnings, first_taken)

    def guesses(self, source: str) -> dict[str, dict[str, Any]]:
        """What was guessed of each file of a source when it was taken in last, as settings."""
        if not is_table(self._path):
            return {}
        told = (ds.field("source") == source) & (ds.field("guesses") != "")
        rows = DeltaTable(self._path).to_pyarrow_dataset().to_table(["file", "guesses", "taken_at"], filter=told)
        return {row["file"]: json.loads(row["guesses"]) for row in rows.sort_by("taken_at").to_pylist()}

    def note(self, source: str, read_as: str, files: Iterable[TakenFile], taken_at: pd.Timestamp) -> None:
        """Remember files whose every row is safely kept."""
        rows = pd.DataFrame([vars(file) for file in files]).drop_duplicates(["stamp", "content", "called"])
        if rows.empty:
            return
        table = open_table(self._path, TAKEN_SCHEMA)
        newest = pc.max(table.to_pyarrow_dataset().to_table(columns=["taken_at"])["taken_at"]).as_py()
        if newest is not None:  # later than all before, whatever the clock says: the last way of reading counts
            taken_at = max(taken_at, pd.Timestamp(newest) + pd.Timedelta(1, "us"))
        rows = rows.assign(
            source=source, read_as=read_as, readings_table=self._readings.identity or "", taken_at=taken_at
        )
        write_deltalake(table, pa.Table.from_pandas(rows, TAKEN_SCHEMA, preserve_index=False), mode="append")
