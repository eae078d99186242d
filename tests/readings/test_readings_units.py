"""Units and numbers: converted once, and what is no number is none."""

import numpy as np
import pandas as pd
import pytest

from lstm_model.readings.units import convert, numbers_of, plausible, split_unit, states_of, to_celsius, units_for

NOTHING = float("nan")


@pytest.mark.parametrize(("unit", "value"), [("C", 25.0), ("F", 77.0), ("K", 298.15)])
def test_every_unit_becomes_celsius(unit, value):
    assert to_celsius(pd.Series([str(value), "warm"]), unit).tolist() == pytest.approx([25.0, NOTHING], nan_ok=True)


@pytest.mark.parametrize(
    ("text", "point", "comma"),
    [
        ("21.5", 21.5, NOTHING),
        ("21,5", NOTHING, 21.5),
        ("1.234", 1.234, 1234.0),
        ("1.234,5", NOTHING, 1234.5),
        ("1,234.5", NOTHING, NOTHING),
        ("12.34,5", NOTHING, NOTHING),
        ("-3", -3.0, -3.0),
        ("−3", -3.0, -3.0),
        ("+3", 3.0, 3.0),
        (" 3 ", 3.0, 3.0),
        ("1e1", 10.0, 10.0),
        ("", NOTHING, NOTHING),
        ("3 °C", NOTHING, NOTHING),
        ("0x10", NOTHING, NOTHING),
        ("1_000", NOTHING, NOTHING),
    ],
)
def test_a_number_is_read_with_the_decimal_sign_that_holds(text, point, comma):
    values = pd.Series([text])
    assert numbers_of(values).item() == pytest.approx(point, nan_ok=True)
    assert numbers_of(values, ",").item() == pytest.approx(comma, nan_ok=True)


@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pd.Series([1.5, None]), [1.5, NOTHING]),
        (pd.Series([1, 2], dtype="int8"), [1.0, 2.0]),
        (pd.Series([1, None], dtype="Int64"), [1.0, NOTHING]),
        (pd.Series([True, False]), [1.0, 0.0]),
        (pd.Series([1.234, 2, None, "3"], dtype=object), [1.234, 2.0, NOTHING, 3.0]),
        (pd.Series([], dtype="str"), []),
    ],
)
def test_what_came_as_a_number_stays_that_number(values, expected, decimal):
    numbers = numbers_of(values, decimal)
    assert numbers.dtype == "float64"
    assert numbers.tolist() == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("text", ["off", "closed", "true"])
def test_a_state_is_no_number_however_alone_it_stands(text):
    assert numbers_of(pd.Series([text])).isna().all()


def test_states_become_one_and_zero():
    values = pd.Series(["Open", "on", True, "closed", " OFF ", False, "ajar", "1", None], dtype=object)
    expected = [1, 1, 1, 0, 0, 0, NOTHING, NOTHING, NOTHING]
    assert states_of(values).tolist() == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("column", "base", "unit"),
    [
        ("Temp (°F)", "Temp", "F"),
        ("Temperature [°C]", "Temperature", "C"),
        ("temperature_2m (°C)", "temperature_2m", "C"),
        ("T (deg F)", "T", "F"),
        ("Temp °C", "Temp", "C"),
        ("temp_c", "temp", "C"),
        ("temp_degC", "temp", "C"),
        ("air temperature K", "air temperature", "K"),
        ("Temperature_Fahrenheit", "Temperature", "F"),
        ("fahrenheit", "fahrenheit", "F"),
        ("celsius", "celsius", "C"),
        (" temp ", "temp", None),
        ("humidity", "humidity", None),
        ("music", "music", None),
        ("rack", "rack", None),
        ("t", "t", None),
        ("c", "c", None),
    ],
)
def test_a_column_says_its_unit(column, base, unit):
    assert split_unit(column) == (base, unit)


@pytest.mark.parametrize(
    ("covariate", "unit", "theirs", "ours"),
    [
        ("pressure_hpa", "hPa", 1013.25, 1013.25),
        ("pressure_hpa", "mbar", 1013.25, 1013.25),
        ("pressure_hpa", "Pa", 101325.0, 1013.25),
        ("pressure_hpa", "kPa", 101.325, 1013.25),
        ("pressure_hpa", "inHg", 29.9213, 1013.25),
        ("pressure_hpa", "mmHg", 760.0, 1013.25),
        ("dew_point_c", "F", 50.0, 10.0),
        ("dew_point_c", "K", 283.15, 10.0),
        ("wind_ms", "km/h", 36.0, 10.0),
        ("wind_ms", "mph", 22.3694, 10.0),
        ("wind_ms", "kn", 19.4384, 10.0),
        ("humidity_pct", "1", 0.5, 50.0),
        ("rain_mm", "in", 1.0, 25.4),
        ("rain_mm", "cm", 1.0, 10.0),
        ("load_kw", "W", 1500.0, 1.5),
        ("load_kw", "MW", 1.5, 1500.0),
        ("load_kw", None, 1.5, 1.5),
        ("door_open", None, 1.0, 1.0),
    ],
)
def test_a_covariate_is_converted_to_the_unit_in_its_name(covariate, unit, theirs, ours):
    assert convert(pd.Series([theirs]), covariate, unit).item() == pytest.approx(ours, rel=1e-4)


def test_the_unit_a_covariate_is_kept_in_comes_first():
    assert units_for("pressure_hpa")[0] == "hPa"
    assert units_for("door_open") == []


@pytest.mark.parametrize(
    ("covariate", "low", "high"),
    [("pressure_hpa", 300, 1100), ("dew_point_c", -100, 100), ("humidity_pct", 0, 110), ("rain_mm", 0, 2000)],
)
def test_what_cannot_have_been_measured_is_implausible(covariate, low, high):
    values = pd.Series([low, high, low - 0.1, high + 0.1, np.inf, -np.inf, np.nan])
    assert plausible(values, covariate).tolist() == [True, True, *[False] * 5]


def test_of_a_unit_nobody_knows_any_finite_number_is_plausible():
    assert plausible(pd.Series([-1e6, 0.0, np.inf]), "vibration_g").tolist() == [True, True, False]
