"""The grid: at no time does it know what was observed later."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_model.panel import Panel, build_panel, grid

START = pd.Timestamp("2024-01-01T00:00Z")
HOUR = pd.Timedelta("1h")


def at(minutes):
    return START + pd.Timedelta(minutes=minutes)


def readings(*rows):
    """Rows of (station, minutes after START, temperature)."""
    return pd.DataFrame(
        {
            "station_id": [station for station, _, _ in rows],
            "observed_at": pd.DatetimeIndex([at(minutes) for _, minutes, _ in rows]),
            "temperature_c": [value for _, _, value in rows],
        }
    )


some_rows = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 600), st.integers(-20, 20)), min_size=1, max_size=20
)


@given(rows=some_rows, step_minutes=st.sampled_from([15, 60, 90]))
def test_a_grid_value_is_the_last_reading_of_the_step_that_ends_there(rows, step_minutes):
    step = pd.Timedelta(minutes=step_minutes)
    panel = build_panel(readings(*rows), step)
    for row, station in enumerate(panel.stations):
        for column, time in enumerate(panel.times):
            within = [(minutes, value) for name, minutes, value in rows if name == station]
            within = [(minutes, value) for minutes, value in within if time - step < at(minutes) <= time]
            last = max(within, key=lambda reading: reading[0])[0] if within else None
            expected = [value for minutes, value in within if minutes == last][-1:] or [np.nan]
            np.testing.assert_equal(panel.temperature_c[row, column], np.float32(expected[0]))


@given(rows=some_rows, known_until=st.integers(0, 600))
def test_what_was_observed_later_changes_nothing_before(rows, known_until):
    changed = [(station, m, value + 50 if m > known_until else value) for station, m, value in rows]
    span = {"start": START, "end": at(660), "stations": ("a", "b")}
    before, after = (build_panel(readings(*some), HOUR, **span).until(at(known_until)) for some in (rows, changed))
    np.testing.assert_array_equal(before.temperature_c, after.temperature_c)


def test_the_grid_ends_before_a_reading_that_came_after_its_end():
    panel = build_panel(readings(("a", 0, 1), ("a", 70, 2), ("a", 110, 3)), HOUR, end=at(90))
    assert panel.times[-1] == at(60)
    assert panel.temperature_c.tolist() == [[1.0, pytest.approx(np.nan, nan_ok=True)]]


def test_a_reading_after_the_end_does_not_hide_one_before_it():
    panel = build_panel(readings(("a", 70, 2), ("a", 110, 3)), HOUR, start=START, end=at(120))
    assert panel.temperature_c[0, -1] == 3
    assert build_panel(readings(("a", 70, 2), ("a", 125, 3)), HOUR, end=at(120)).temperature_c[0, -1] == 2


def test_times_are_whole_steps_since_1970():
    panel = build_panel(readings(("a", 7, 1), ("a", 100, 2)), HOUR)
    assert panel.times.tolist() == [at(60), at(120)]
    assert panel.step == HOUR


def test_other_zones_lie_on_the_same_grid():
    frame = readings(("a", 30, 1))
    frame["observed_at"] = frame["observed_at"].dt.tz_convert("Asia/Kolkata")
    panel = build_panel(frame, HOUR)
    assert panel.times.tolist() == [at(60)]
    assert str(panel.times.tz) == "UTC"


def test_stations_are_sorted_or_as_asked_for():
    frame = readings(("b", 0, 2), ("a", 0, 1))
    assert build_panel(frame, HOUR).stations == ("a", "b")
    asked = build_panel(frame, HOUR, stations=("new", "b"))
    np.testing.assert_array_equal(asked.temperature_c, [[np.nan], [2]])


def test_a_span_without_readings_is_unobserved():
    panel = build_panel(readings(("a", 0, 1)).iloc[:0], HOUR, start=START, end=at(120), stations=("a",))
    assert panel.temperature_c.shape == (1, 3)
    assert np.isnan(panel.temperature_c).all()


def test_no_readings_and_no_span_is_an_error():
    with pytest.raises(ValueError, match="no readings"):
        build_panel(readings(("a", 0, 1)).iloc[:0], HOUR)


def test_times_without_a_zone_are_an_error_that_names_the_column():
    frame = readings(("a", 0, 1))
    frame["observed_at"] = frame["observed_at"].dt.tz_localize(None)
    with pytest.raises(ValueError, match="observed_at: times without a zone"):
        build_panel(frame, HOUR)


@pytest.fixture
def panel():
    return build_panel(readings(("a", 0, 1), ("a", 60, 2), ("a", 180, 4)), HOUR)


@pytest.mark.parametrize(("minutes", "steps"), [(-1, 0), (0, 1), (59, 1), (60, 2), (180, 4), (999, 4)])
def test_until_keeps_what_was_known(panel, minutes, steps):
    known = panel.until(at(minutes))
    assert len(known.times) == steps
    np.testing.assert_array_equal(known.temperature_c, panel.temperature_c[:, :steps])


def test_extended_to_appends_unobserved_steps(panel):
    longer = panel.extended_to(at(330))
    assert longer.times.tolist() == [at(60 * hour) for hour in range(6)]
    np.testing.assert_array_equal(longer.temperature_c, [[1, 2, np.nan, 4, np.nan, np.nan]])


def test_extended_to_an_earlier_time_changes_nothing(panel):
    assert panel.extended_to(at(60)).times.equals(panel.times)


def test_a_grid_of_one_step_can_be_extended():
    longer = build_panel(readings(("a", 0, 1)), HOUR).extended_to(at(180))
    assert longer.times.tolist() == [at(60 * hour) for hour in range(4)]


def test_index_of_finds_positions_or_names_the_stranger(panel):
    assert panel.index_of(panel.times[[3, 1]]).tolist() == [3, 1]
    with pytest.raises(KeyError, match="00:30:00"):
        panel.index_of(pd.DatetimeIndex([at(60), at(30)]))


def test_days_is_the_length_of_the_grid(panel):
    assert panel.days == 3 / 24
    assert Panel((), panel.times[:0], np.zeros((0, 0), np.float32)).days == 0


# ── covariates ─────────────────────────────────────────────────────────────────────────────────────────────


def with_covariates(rows, **columns):
    return readings(*rows).assign(**{name: np.array(values, np.float32) for name, values in columns.items()})


def test_further_columns_of_floats_are_covariates():
    frame = with_covariates([("a", 0, 1), ("b", 60, 2)], pressure_hpa=[1000, 1010])
    panel = build_panel(frame.assign(flag=2, source="roof", ok=True), HOUR)
    assert list(panel.covariates) == ["pressure_hpa"]
    np.testing.assert_array_equal(panel.covariates["pressure_hpa"], [[1000, np.nan], [np.nan, 1010]])
    assert panel.covariates["pressure_hpa"].dtype == np.float32


def test_readings_without_further_columns_have_no_covariates(panel):
    assert not panel.covariates


def test_a_column_nobody_filled_is_no_covariate():
    frame = with_covariates([("a", 0, 1), ("a", 60, 2)], pressure_hpa=[np.nan, np.nan], door_open=[np.nan, 1])
    assert list(build_panel(frame, HOUR).covariates) == ["door_open"]


def test_of_a_covariate_the_last_reading_of_a_step_that_says_it_stays():
    rows = [("a", 50, 3), ("a", 10, 1), ("a", 30, 2)]  # in any order
    panel = build_panel(with_covariates(rows, pressure_hpa=[np.nan, 1001, 1002], door_open=[0, 1, np.nan]), HOUR)
    assert panel.temperature_c.tolist() == [[3]]
    assert panel.covariates["pressure_hpa"].tolist() == [[1002]]
    assert panel.covariates["door_open"].tolist() == [[0]]


def test_a_covariate_after_the_end_does_not_come_along():
    panel = build_panel(with_covariates([("a", 0, 1), ("a", 70, 2)], pressure_hpa=[1000, 1010]), HOUR, end=at(65))
    assert panel.times.tolist() == [at(0), at(60)]
    np.testing.assert_array_equal(panel.covariates["pressure_hpa"], [[1000, np.nan]])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda panel: panel.until(at(60)), [1000, 1001]),
        (lambda panel: panel.steps(1, 3), [1001, np.nan]),
        (lambda panel: panel.extended_to(at(240)), [1000, 1001, np.nan, 1003, np.nan]),
        (lambda panel: panel.preceded_by(2), [np.nan, np.nan, 1000, 1001, np.nan, 1003]),
        (lambda panel: panel.preceded_by(0), [1000, 1001, np.nan, 1003]),
    ],
    ids=["until", "steps", "extended_to", "preceded_by", "preceded by nothing"],
)
def test_covariates_stay_beside_the_temperature(change, expected):
    rows = [("a", 0, 1000), ("a", 60, 1001), ("a", 180, 1003)]
    panel = change(build_panel(with_covariates(rows, pressure_hpa=[1000, 1001, 1003]), HOUR))
    np.testing.assert_array_equal(panel.covariates["pressure_hpa"], [expected])
    np.testing.assert_array_equal(panel.temperature_c, [expected])
    assert len(panel.times) == len(expected)
    assert panel.step == HOUR


def test_rows_in_any_order_make_the_same_panel():
    """Also where a step holds several readings: the latest stays."""
    times = pd.date_range("2024-01-01T00:07Z", periods=60, freq="20min").as_unit("us")
    rows = pd.DataFrame(
        {
            "station_id": np.repeat(["b", "a"], len(times)),
            "observed_at": [*times, *times],
            "temperature_c": np.arange(2.0 * len(times)),
            "pressure_hpa": np.where(np.arange(2 * len(times)) % 3 == 0, np.nan, 1000.0 + np.arange(2 * len(times))),
        }
    )
    panel, shuffled = (build_panel(each, pd.Timedelta("1h")) for each in (rows, rows.sample(frac=1, random_state=0)))
    np.testing.assert_array_equal(panel.temperature_c, shuffled.temperature_c)
    np.testing.assert_array_equal(panel.covariates["pressure_hpa"], shuffled.covariates["pressure_hpa"])
    assert panel.temperature_c[0, :2].tolist() == [62.0, 65.0]


def test_its_parts_are_the_whole(monkeypatch):
    times = pd.date_range("2024-01-01", periods=10, freq="1h", tz="UTC")
    values = np.arange(70, dtype=np.float32).reshape(7, 10)
    panel = Panel(tuple("abcdefg"), times, values, {"dew_point_c": -values})
    monkeypatch.setattr(grid, "_VALUES_AT_ONCE", 30)
    rows, parts = zip(*panel.in_parts(), strict=True)
    assert [part.stations for part in parts] == [("a", "b", "c"), ("d", "e", "f"), ("g",)]
    for of, part in zip(rows, parts, strict=True):
        np.testing.assert_array_equal(part.temperature_c, values[of])
        np.testing.assert_array_equal(part.covariates["dew_point_c"], -values[of])
