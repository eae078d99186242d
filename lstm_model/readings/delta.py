"""What every Delta table here has in common: how it is opened, and how writers at the same time get along."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError

# A model names the table version it was trained on; Delta's default would forget that version after 30 days.
_CONFIGURATION = {"delta.enableExpiredLogCleanup": "false"}
_COMMIT_ATTEMPTS = 40
_LONGEST_PAUSE_SECONDS = 0.5

Result = TypeVar("Result")


def is_table(path: Path) -> bool:
    """Whether there is a Delta table at `path`."""
    return DeltaTable.is_deltatable(str(path))


def open_table(path: Path, schema: pa.Schema, partition_by: Sequence[str] | None = None) -> DeltaTable:
    """Open a table, made empty where there is none."""
    if not is_table(path):
        write_deltalake(
            path, schema.empty_table(), partition_by=list(partition_by or []) or None,
            configuration=dict[str, str | None](_CONFIGURATION), mode="ignore",
        )  # fmt: skip
    return DeltaTable(path)


def until_committed(attempt: Callable[[], Result]) -> Result:
    """Try again where a concurrent writer committed first; it only makes this one look again.

    Losers wait a moment of random length, or they would meet again.
    """
    for number in range(_COMMIT_ATTEMPTS - 1):
        try:
            return attempt()
        except CommitFailedError:
            time.sleep(random.uniform(0, min(_LONGEST_PAUSE_SECONDS, 0.01 * 2**number)))  # noqa: S311
    return attempt()
