"""The quarantine: rows kept as they came, once, until they make sense."""

from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

from lstm_model.readings.quarantine import Quarantine

FIRST = pd.Timestamp("2024-02-01T00:00Z")


@pytest.fixture
def quarantine(tmp_path):
    return Quarantine(tmp_path / "quarantine")


def rejected(*raws, source="test", reason="time missing"):
    frame = pd.DataFrame({"raw": raws, "reason": reason, "source": source})
    return frame.assign(position=[f"a.csv:{line}" for line in range(2, len(raws) + 2)], ingested_at=FIRST)


def raws(quarantine, source=None):
    return sorted(quarantine.rows(source)["raw"])


def test_a_row_is_kept_once_however_often_it_is_read(quarantine):
    rows = rejected('{"t": "1"}', '{"t": "2"}')
    quarantine.keep(pd.concat([rows, rows]))
    quarantine.keep(rows)
    assert raws(quarantine) == ['{"t": "1"}', '{"t": "2"}']
    assert len(quarantine) == 2


def test_an_empty_quarantine_has_its_columns(quarantine):
    quarantine.keep(rejected())
    assert list(quarantine.rows()) == ["raw", "reason", "source", "position", "ingested_at"]
    assert len(quarantine) == 0


def test_quarantines_at_the_same_time_all_land(tmp_path):
    doors = [Quarantine(tmp_path / "quarantine") for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda pair: pair[1].keep(rejected(f"row {pair[0]}")), enumerate(doors)))
    assert raws(doors[0]) == [f"row {n}" for n in range(8)]


def test_the_same_row_of_two_sources_is_two(quarantine):
    quarantine.keep(rejected("row"))
    quarantine.keep(rejected("row", source="other"))
    assert (len(quarantine), raws(quarantine, "other")) == (2, ["row"])


def test_what_became_a_reading_is_released_and_nothing_else(quarantine):
    quarantine.keep(rejected("one", "two", "three"))
    assert quarantine.release(rejected("one", "two", "three").iloc[[1]]) == 1
    assert raws(quarantine) == ["one", "three"]
    assert quarantine.release(rejected("one", source="other")) == 0


def test_a_reason_can_be_amended(quarantine):
    quarantine.keep(rejected("one", "two"))
    quarantine.amend(rejected("one", reason="station missing"))
    assert quarantine.rows().set_index("raw")["reason"].to_dict() == {"one": "station missing", "two": "time missing"}
