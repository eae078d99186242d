"""Keeping the tables small: compaction, and the removal of files that no wanted version needs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from deltalake import DeltaTable

from lstm_model.readings.delta import is_table, until_committed

_KEEP_EVERY_VERSION_HOURS = 30 * 24
"""Every version stays readable this long after it was replaced; after that only those that are named."""


@dataclass(frozen=True)
class Upkeep:
    """Files of a table's newest version before and after, and old files removed."""

    files_before: int = 0
    files_after: int = 0
    removed: int = 0

    def __add__(self, other: Upkeep) -> Upkeep:
        return Upkeep(
            self.files_before + other.files_before,
            self.files_after + other.files_after,
            self.removed + other.removed,
        )


def keep_small(path: Path, named: Collection[int] = ()) -> Upkeep:
    """Merge a table's small files, and remove what no version of the last 30 days and no named one needs.

    What a killed writer left behind goes as well once it is that old; what a writer is writing now is younger.

    Args:
        path: a Delta table.
        named: versions that stay readable for ever.
    """
    if not is_table(path):
        return Upkeep()
    before = len(DeltaTable(path).file_uris())
    until_committed(lambda: DeltaTable(path).optimize.compact())
    table = DeltaTable(path)
    kept = sorted(version for version in set(named) if 0 <= version <= table.version())
    removed = until_committed(
        lambda: DeltaTable(path).vacuum(_KEEP_EVERY_VERSION_HOURS, dry_run=False, full=True, keep_versions=kept)
    )
    return Upkeep(before, len(DeltaTable(path).file_uris()), len(removed))
