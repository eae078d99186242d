"""From raw rows to readings: nothing is lost, and every refusal has its reason."""

import json

import numpy as np
import pandas as pd
import pytest

from lstm_model.readings.normalize import normalize
from lstm_model.readings.sources import RawRows
from lstm_model.settings import QualitySettings

CLOCK = pd.Timestamp("2024-06-01T12:00Z")
INGESTED_AT = pd.Timestamp("2024-06-01T12:34Z")


def raw_rows(*rows):
    """Rows of (station, time, temperature), each kept beside what it was understood as."""
    stations, times, values = zip(*rows, strict=True)
    understood = pd.DataFrame(
        {
            "station_id": pd.Series(stations, dtype="str"),
            "observed_at": pd.Series(pd.DatetimeIndex(times, tz="UTC")),
            "temperature_c": pd.Series(values, dtype="float64"),
        }
    )
    raw = pd.DataFrame({"who": stations, "when": [str(time) for time in times], "°C": [str(value) for value in values]})
    return RawRows(understood, raw, pd.Series([f"a.csv:{line + 2}" for line in raw.index]), pd.Series("", raw.index))


def split(*rows, **limits):
    batch = normalize(raw_rows(*rows), "cellar", CLOCK, INGESTED_AT, QualitySettings(**limits))
    return batch.readings, batch.quarantined


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ((None, CLOCK, 1.0), "station missing"),
        (("a", pd.NaT, 1.0), "time missing or unreadable"),
        (("a", CLOCK + pd.Timedelta("61min"), 1.0), "time lies in the future"),
        (("a", pd.Timestamp("1979-12-31T23:59Z"), 1.0), "time lies before 1980-01-01 (quality.earliest)"),
        (("a", CLOCK, np.nan), "temperature missing or not a number"),
        (("a", CLOCK, np.inf), "temperature missing or not a number"),
        (("a", CLOCK, -100.1), "temperature outside -100…100 °C"),
        (("a", CLOCK, 100.1), "temperature outside -100…100 °C"),
    ],
)
def test_a_bad_row_is_quarantined_with_its_reason(row, reason):
    readings, quarantined = split(row)
    assert readings.empty
    assert quarantined["reason"].item() == reason


@pytest.mark.parametrize(
    "row",
    [
        ("a", CLOCK + pd.Timedelta("59min"), 1.0),
        ("a", pd.Timestamp("1980-01-01T00:00Z"), 1.0),
        ("a", CLOCK, -100.0),
        ("a", CLOCK, 100.0),
    ],
)
def test_the_edge_of_the_possible_is_a_reading(row):
    readings, quarantined = split(row)
    assert len(readings) == 1
    assert quarantined.empty


def test_how_far_off_a_time_may_be_is_a_setting():
    early, late = ("a", pd.Timestamp("1979-01-01T00:00Z"), 1.0), ("a", CLOCK + pd.Timedelta("2h"), 1.0)
    assert len(split(early, earliest="1970-01-01T00:00:00Z")[0]) == 1
    assert len(split(late, future_minutes=120)[0]) == 1
    assert split(early, earliest="2000-06-01T00:00:00Z")[1]["reason"].item() == (
        "time lies before 2000-06-01 (quality.earliest)"
    )


def test_without_limits_the_usual_ones_hold():
    batch = normalize(raw_rows(("a", pd.Timestamp("1979-01-01T00:00Z"), 1.0)), "cellar", CLOCK, INGESTED_AT)
    assert batch.quarantined["reason"].item() == "time lies before 1980-01-01 (quality.earliest)"


def test_what_a_source_found_at_fault_is_the_reason_whatever_was_understood():
    rows = raw_rows(("a", CLOCK, 1.0), (None, pd.NaT, np.nan))
    rows.fault[:] = ["more fields than the header has columns", "no JSON object"]
    batch = normalize(rows, "cellar", CLOCK, INGESTED_AT)
    assert batch.readings.empty
    assert batch.quarantined["reason"].tolist() == rows.fault.tolist()


def test_both_parts_keep_the_index_of_their_rows():
    rows = raw_rows(("a", CLOCK, 1.0), ("a", pd.NaT, 1.0), ("b", CLOCK, 1.0)).on(pd.Index([7, 5, 3]))
    batch = normalize(rows, "cellar", CLOCK, INGESTED_AT)
    assert (batch.readings.index.tolist(), batch.quarantined.index.tolist()) == ([7, 3], [5])


def test_covariates_stay_beside_their_reading():
    rows = raw_rows(("a", CLOCK, 1.0), ("a", pd.NaT, 1.0), ("b", CLOCK, 1.0))
    rows.understood["pressure_hpa"] = [1013.25, 1000.0, np.nan]
    readings = normalize(rows, "cellar", CLOCK, INGESTED_AT).readings
    assert readings["pressure_hpa"].tolist() == pytest.approx([1013.25, np.nan], nan_ok=True)
    assert readings["pressure_hpa"].dtype == "float32"


def test_no_rows_are_no_readings_with_all_their_columns():
    batch = normalize(raw_rows(("a", CLOCK, 1.0)).only(pd.Series([False])), "cellar", CLOCK, INGESTED_AT)
    assert list(batch.readings) == [
        "month", "station_id", "observed_at", "temperature_c", "flag", "source", "ingested_at",
    ]  # fmt: skip
    assert list(batch.quarantined) == ["raw", "reason", "source", "position", "ingested_at"]
    assert len(batch.readings) == len(batch.quarantined) == 0


def test_a_quarantined_row_stays_as_it_came():
    _, quarantined = split(("ü 'n' \"q\"", pd.NaT, 1.0), ("b", CLOCK, np.nan))
    assert [json.loads(raw) for raw in quarantined["raw"]] == [
        {"who": "ü 'n' \"q\"", "when": "NaT", "°C": "1.0"},
        {"who": "b", "when": str(CLOCK), "°C": "nan"},
    ]
    assert quarantined["position"].tolist() == ["a.csv:2", "a.csv:3"]
    assert set(quarantined["source"]) == {"cellar"}
    assert set(quarantined["ingested_at"]) == {INGESTED_AT}


def test_no_row_is_lost_and_order_is_kept():
    readings, quarantined = split(("a", CLOCK, 1.0), ("a", pd.NaT, 2.0), ("a", CLOCK, 3.0), ("a", CLOCK, np.nan))
    assert readings["temperature_c"].tolist() == [1.0, 3.0]
    assert quarantined["position"].tolist() == ["a.csv:3", "a.csv:5"]


def test_a_reading_carries_its_partition_flag_and_stamp():
    readings, _ = split(("a", pd.Timestamp("2024-01-31T23:30Z"), 1.0))
    row = readings.iloc[0]
    assert (row["month"], row["flag"], row["source"], row["ingested_at"]) == ("2024-01", 2, "cellar", INGESTED_AT)
