"""Upkeep: small files become few, old ones go, and a version that somebody names stays readable for ever."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError
from support import move_clock_on

from lstm_model.readings import ReadingsStore
from lstm_model.readings.store import READINGS_SCHEMA
from lstm_model.readings.upkeep import keep_small

START = pd.Timestamp("2024-01-01T00:00Z")


def batch(hour: int, value: float) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "month": "2024-01",
            "station_id": ["a"],
            "observed_at": pd.DatetimeIndex([START + pd.Timedelta(hours=hour)]).as_unit("us"),
            "temperature_c": np.array([value], np.float32),
            "flag": np.int8(1),
            "source": "test",
            "ingested_at": START.as_unit("us"),
        }
    )


@pytest.fixture
def store(tmp_path: Path) -> ReadingsStore:
    """Ten commits, the value of the first hour corrected by each."""
    store = ReadingsStore(tmp_path / "readings")
    for number in range(10):
        store.upsert(pd.concat([batch(0, number), batch(number, number)]))
    return store


def values(store: ReadingsStore, version: int | None = None) -> list[float]:
    return store.read(START + pd.Timedelta("10D"), version=version)["temperature_c"].tolist()


def test_small_files_become_few_and_nothing_is_lost(tmp_path: Path) -> None:
    store = ReadingsStore(tmp_path / "readings")
    for number in range(3):
        store.upsert(batch(number, number))
    before = values(store)
    upkeep = keep_small(tmp_path / "readings")
    assert (upkeep.files_after, upkeep.removed) == (1, 0)
    assert upkeep.files_before > 1
    assert values(store) == before


def test_what_is_young_stays(store: ReadingsStore, tmp_path: Path) -> None:
    move_clock_on(tmp_path / "readings", 29)
    keep_small(tmp_path / "readings")
    assert values(store, 5) == [4.0, 1.0, 2.0, 3.0, 4.0]


def test_a_named_version_outlives_compaction_vacuum_and_forty_days(store: ReadingsStore, tmp_path: Path) -> None:
    named = values(store, 5)
    move_clock_on(tmp_path / "readings", 40)
    upkeep = keep_small(tmp_path / "readings", named=[5])
    assert upkeep.removed > 0
    store.upsert(batch(30, 30))
    DeltaTable(tmp_path / "readings").create_checkpoint()  # at which Delta forgets old log entries
    DeltaTable(tmp_path / "readings").cleanup_metadata()
    move_clock_on(tmp_path / "readings", 40)
    keep_small(tmp_path / "readings", named=[5])
    assert values(store, 5) == named
    with pytest.raises((DeltaError, FileNotFoundError)):
        values(store, 8)  # nobody named this one


def test_the_clock_of_these_tests_would_make_delta_forget(tmp_path: Path) -> None:
    table = tmp_path / "plain"
    for number in range(5):
        write_deltalake(table, READINGS_SCHEMA.empty_table(), mode="append")
        assert DeltaTable(table).version() == number
    move_clock_on(table, 40)
    DeltaTable(table).create_checkpoint()
    DeltaTable(table).cleanup_metadata()
    with pytest.raises(TableNotFoundError):
        DeltaTable(table, version=2)


def test_files_of_a_killed_writer_go_once_they_are_old(store: ReadingsStore, tmp_path: Path) -> None:
    torn = tmp_path / "readings" / "month=2024-01" / "part-torn.snappy.parquet"
    torn.write_bytes(b"PAR1")
    keep_small(tmp_path / "readings")
    assert torn.exists()
    move_clock_on(tmp_path / "readings", 40)
    keep_small(tmp_path / "readings")
    assert not torn.exists()


def test_no_table_is_no_trouble(tmp_path: Path) -> None:
    assert keep_small(tmp_path / "nothing").files_before == 0
