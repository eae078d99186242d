"""From raw rows to readings: nothing is lost, and every refusal has its reason."""

import json

import numpy as np
import pandas as pd
import pytest

from lstm_model.readings.normalize import normalize
from lstm_model.readings.sources import RawRows, to_celsius

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


def split(*rows):
    return normalize(raw_rows(*rows), "cellar", CLOCK, INGESTED_AT)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ((None, CLOCK, 1.0), "station missing"),
        (("a", pd.NaT, 1.0), "time missing, unreadable"),
        (("a", CLOCK + pd.Timedelta("61min"), 1.0), "time lies in the future"),
        (("a", pd.Timestamp("1699-12-31T23:00Z"), 1.0), "time lies before 1700"),
        (("a", CLOCK, np.nan), "temperature missing or not a number"),
        (("a", CLOCK, np.inf), "temperature missing or not a number"),
        (("a", CLOCK, -100.1), "temperature outside -100…100 °C"),
        (("a", CLOCK, 100.1), "temperature outside -100…100 °C"),
    ],
)
def test_a_bad_row_is_quarantined_with_its_reason(row, reason):
    readings, quarantined = split(row)
    assert readings.empty
    assert quarantined["reason"].item().startswith(reason)


@pytest.mark.parametrize(
    "row",
    [
        ("a", CLOCK + pd.Timedelta("59min"), 1.0),
        ("a", pd.Timestamp("1700-01-01T00:00Z"), 1.0),
        ("a", CLOCK, -100.0),
        ("a", CLOCK, 100.0),
    ],
)
def test_the_edge_of_the_possible_is_a_reading(row):
    readings, quarantined = split(row)
    assert len(readings) == 1
    assert quarantined.empty


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


@pytest.mark.parametrize(("unit", "value"), [("C", 25.0), ("F", 77.0), ("K", 298.15)])
def test_every_unit_becomes_celsius(unit, value):
    assert to_celsius(pd.Series([str(value), "warm"]), unit).tolist() == pytest.approx([25.0, np.nan], nan_ok=True)
