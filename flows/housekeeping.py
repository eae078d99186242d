"""Giving back the space that deleted rows leave in a database.

What goes is decided elsewhere: MLflow's runs and models by `prune`; Prefect's server itself removes, every hour, flow
runs that are older than `server.history_days`.
"""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

from lstm_model.workspace import Workspace

log = logging.getLogger("nightcast.maintenance")

_WORTH_IT = 0.25
_PATIENCE_SECONDS = 5.0


def compact_databases(workspace: Workspace) -> dict[str, int]:
    """Bytes that each of the workspace's databases gave back, by file name.

    One that somebody is writing to keeps its free pages, which it uses again anyway, until the next time.
    """
    files = (workspace.state / "prefect" / "prefect.db", workspace.mlruns / "mlflow.db")
    return {file.name: given for file in files if file.is_file() and (given := _compact(file))}


def _compact(file: Path) -> int:
    before = file.stat().st_size
    try:
        connection = sqlite3.connect(file, timeout=_PATIENCE_SECONDS, isolation_level=None)
        try:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            free = connection.execute("PRAGMA freelist_count").fetchone()[0]
            if free < _WORTH_IT * pages:
                return 0
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        log.info("%s keeps its free pages for now: %s", file.name, error)
        return 0
    given = before - file.stat().st_size
    log.info("%s gave back %.1f MB", file.name, given / 1e6)
    return given
