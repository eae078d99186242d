"""Readings as arrays: in order whatever came, and on the grid whether they come at once or in parts."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_model.readings.columns import by_value, constant, month_of, numbered
from lstm_model.readings.fleet import Fleet, in_order
from lstm_model.readings.grid import grid_by_parts, station_grid

HOUR = pd.Timedelta("1h")
START = pd.Timestamp("2024-01-01T00:00Z")

rows = st.lists(st.tuples(st.sampled_from(["b", "a", "Ä", "O'Brien"]), st.integers(0, 90)), max_size=30)


def table(drawn, unit="20min"):
    times = [START + moment * pd.Timedelta(unit) for _, moment in drawn]
    return pd.DataFrame(
        {
            "station_id": pd.Series([station for station, _ in drawn], dtype="str"),
            "observed_at": pd.Series(times, dtype="datetime64[us, UTC]"),
            "temperature_c": np.arange(len(drawn), dtype=np.float32),
        }
    )


@given(rows)
def test_what_stands_later_comes_later(drawn):
    readings = table(drawn)
    expected = readings.sort_values(["station_id", "observed_at"], kind="stable", ignore_index=True)
    pd.testing.assert_frame_equal(in_order(readings), expected)
    fleet = Fleet.of(readings)
    assert fleet.values.tolist() == expected["temperature_c"].tolist()
    assert [fleet.stations[code] for code in fleet.codes] == expected["station_id"].tolist()
    assert fleet.repeats.tolist() == expected.duplicated(["station_id", "observed_at"], keep="last").tolist()
    assert readings["temperature_c"].to_numpy()[fleet.rows].tolist() == fleet.values.tolist()


def test_times_too_far_apart_for_one_number_are_ordered_as_well():
    readings = pd.concat([table([(name, 80_000 - number)], "1D") for number, name in enumerate("abcdefgh" * 400)])
    readings = pd.concat([readings, readings.assign(station_id=readings["station_id"] + "2")], ignore_index=True)
    readings.loc[0, "observed_at"] = pd.Timestamp("0001-01-01", tz="UTC").as_unit("us")
    readings["station_id"] += (readings.index % 50).astype(str)
    expected = readings.sort_values(["station_id", "observed_at"], kind="stable", ignore_index=True)
    pd.testing.assert_frame_equal(in_order(readings), expected)


@settings(max_examples=30)
@given(rows.filter(bool), st.integers(0, 30))
def test_in_parts_or_at_once_the_grid_is_the_same(drawn, cut):
    """The parts are months of the store: each holds every reading of its time."""
    readings = table(drawn).drop_duplicates(["station_id", "observed_at"])
    early = readings["observed_at"] < START + cut * HOUR
    names, times, values = grid_by_parts([readings[early], readings[~early]], START, START + 31 * HOUR, HOUR)
    fleet = Fleet.of(readings)
    whole = station_grid(fleet.codes, fleet.micros, fleet.values, HOUR, len(fleet.stations))
    assert names == list(fleet.stations)
    at = times.get_indexer(whole.times)
    np.testing.assert_array_equal(values[:, at], whole.values)
    assert np.isnan(np.delete(values, at, axis=1)).all()


@pytest.mark.parametrize("cells", [["a ", None, "a ", "b"] * 3, ["a", "b"], [], [1.5, None, 1.5, 1.5]])
def test_once_a_value_is_as_good_as_once_a_cell(cells):
    column = pd.Series(cells, index=range(10, 10 + len(cells)), dtype="str" if "a" in str(cells) else "float64")
    for change in (lambda some: some.isna(), lambda some: some.fillna(some.max())):
        pd.testing.assert_series_equal(by_value(column, change), change(column))


def test_columns_that_say_little():
    index = pd.Index([4, 7])

    def texts(*cells):
        return pd.Series(cells, index, dtype="str")

    pd.testing.assert_series_equal(constant("x", index), texts("x", "x"))
    pd.testing.assert_series_equal(numbered("a.csv", pd.Series([2, 3], index)), texts("a.csv:2", "a.csv:3"))
    times = pd.Series([pd.Timestamp("1969-12-31T23:59:59.999999Z"), pd.Timestamp("2024-02-29T12:00Z")], index)
    pd.testing.assert_series_equal(month_of(times), texts("1969-12", "2024-02"))
