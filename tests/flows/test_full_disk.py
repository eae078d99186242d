"""A full disk is one line, whoever found it full; any other fault is not hidden."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from prefect.client.schemas.objects import State
from prefect.logging import disable_run_logger
from sqlalchemy import create_engine, text

from flows import commands
from flows.night import Night
from flows.outcome import told


def by_the_system() -> None:
    Path("/dev/full").write_text("a line")


def by_a_database() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("PRAGMA max_page_count = 1")
        connection.execute("CREATE TABLE one (value)")


def by_what_wraps_a_database() -> None:
    with create_engine("sqlite://").connect() as connection:
        connection.execute(text("PRAGMA max_page_count = 1"))
        connection.execute(text("CREATE TABLE one (value)"))


def by_a_table() -> None:  # as the object store of Delta's tables says it, without a number
    raise OSError(
        "Generic LocalFileSystem error\n  Unable to copy data to file\n  No space left on device (os error 28)"
    )


FOUND = pytest.mark.parametrize("write", [by_the_system, by_a_database, by_what_wraps_a_database, by_a_table])


def without_a_right() -> None:
    raise PermissionError(13, "Permission denied", "mlruns/promotions.jsonl")


@FOUND
def test_a_command_says_it_in_one_line(
    write: Callable[[], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commands, "app", write)
    with pytest.raises(SystemExit) as ended:
        commands.main()
    said = capsys.readouterr().err
    assert ended.value.code == 1
    assert said.startswith("nightcast: the disk is full (") and said.count("\n") == 1


@FOUND
def test_a_night_tells_which_step_found_it(write: Callable[[], None], caplog: pytest.LogCaptureFixture) -> None:
    night = Night(pd.Timestamp("2024-03-20T00:00Z"), plays_sample=False)
    night.live("promote", write)
    assert night.failed["promote"].startswith("the disk is full (")
    assert [record.exc_info for record in caplog.records if record.levelname == "ERROR"] in ([False], [None])


@FOUND
def test_a_flow_run_ends_with_the_sentence(write: Callable[[], None]) -> None:
    with disable_run_logger():
        state = told(str)(write)()
    assert isinstance(state, State) and state.is_failed()
    assert state.message is not None and state.message.startswith("the disk is full (")


def test_any_other_fault_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "app", without_a_right)
    with pytest.raises(PermissionError):
        commands.main()
    night = Night(pd.Timestamp("2024-03-20T00:00Z"), plays_sample=False)
    night.live("promote", without_a_right)
    assert night.failed["promote"].startswith("PermissionError: ")
