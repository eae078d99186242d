"""A database gives back what deleted rows left, unless somebody is using it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from flows import housekeeping
from flows.housekeeping import compact_databases
from lstm_model.workspace import Workspace


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Path]:
    """Prefect's database after most of it was deleted."""
    file = tmp_path / ".nightcast" / "prefect" / "prefect.db"
    file.parent.mkdir(parents=True)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE run (note)")
        connection.executemany("INSERT INTO run VALUES (?)", [("x" * 4000,)] * 200)
        connection.execute("DELETE FROM run WHERE rowid > 10")
        connection.commit()
    yield file


def test_free_pages_are_given_back_and_rows_stay(database: Path, tmp_path: Path) -> None:
    before = database.stat().st_size
    assert compact_databases(Workspace.find(tmp_path, {})) == {"prefect.db": before - database.stat().st_size}
    assert database.stat().st_size < before / 4
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT count(*) FROM run").fetchone() == (10,)
    assert compact_databases(Workspace.find(tmp_path, {})) == {}


def test_a_database_in_use_is_left_for_the_next_time(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "_PATIENCE_SECONDS", 0.1)
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert compact_databases(Workspace.find(tmp_path, {})) == {}
