"""Covariates: mapped by name, converted, left out and counted where they make no sense."""

from collections import Counter

import pandas as pd
import pytest

from lstm_model.errors import SettingsError
from lstm_model.readings.covariates import came, read_covariates
from lstm_model.settings import SourceSettings

NOTHING = float("nan")


def read(cells, decimal=".", **mapping):
    """Covariates of columns of text, mapped as in nightcast.toml, and how many values of each were left out."""
    frame = pd.DataFrame(cells, dtype="str").fillna("")
    values, nulled = read_covariates(frame, SourceSettings(covariates=mapping).covariates, "a.csv", decimal)
    return values, Counter({name: int(lost.sum()) for name, lost in nulled.items() if lost.any()})


def test_a_covariate_comes_from_the_column_named():
    values, nulled = read({"rh": ["55", "60.5"]}, humidity_pct="rh")
    assert values["humidity_pct"].tolist() == [55.0, 60.5]
    assert not nulled


def test_a_covariate_is_converted_from_the_unit_named():
    values, _ = read({"slp": ["29.92"]}, pressure_hpa={"column": "slp", "unit": "inHg"})
    assert values["pressure_hpa"].item() == pytest.approx(1013.2, abs=0.1)


def test_a_decimal_comma_holds_for_covariates_too():
    values, _ = read({"slp": ["1013,25", "1.013,25"]}, decimal=",", pressure_hpa="slp")
    assert values["pressure_hpa"].tolist() == [1013.25, 1013.25]


def test_what_makes_no_sense_is_left_out_and_counted_but_not_what_is_unsaid():
    cells = {"slp": ["1013", "-999", "high", "", "NA", "null"], "rh": ["50", "60", "70", "80", "90", "101"]}
    values, nulled = read(cells, pressure_hpa="slp", humidity_pct="rh")
    assert values["pressure_hpa"].tolist() == pytest.approx([1013.0, *[NOTHING] * 5], nan_ok=True)
    assert values["humidity_pct"].notna().all()
    assert nulled == {"pressure_hpa": 2}


def test_a_door_is_open_or_closed():
    values, nulled = read({"door": ["open", "closed", "1", "0", "True", "off", "ajar", "2", ""]}, door_open="door")
    expected = [1, 0, 1, 0, 1, 0, NOTHING, NOTHING, NOTHING]
    assert values["door_open"].tolist() == pytest.approx(expected, nan_ok=True)
    assert nulled == {"door_open": 2}


def test_a_quantity_with_a_unit_is_not_on_or_off():
    values, nulled = read({"load": ["off", "on"]}, load_kw="load")
    assert values["load_kw"].isna().all()
    assert nulled == {"load_kw": 2}


WIND = {"speed": "wind", "direction": "dir"}


@pytest.mark.parametrize(
    ("direction", "east", "north"),
    [("0", 0, -10), ("360", 0, -10), ("90", -10, 0), ("180", 0, 10), ("270", 10, 0), ("225", 7.071, 7.071)],
)
def test_wind_is_where_the_air_goes_and_a_direction_where_it_comes_from(direction, east, north):
    values, _ = read({"wind": ["10"], "dir": [direction]}, wind_east_ms=WIND, wind_north_ms=WIND)
    assert values.iloc[0].tolist() == pytest.approx([east, north], abs=1e-3)


def test_wind_is_converted():
    values, _ = read({"wind": ["36"], "dir": ["270"]}, wind_east_ms=WIND | {"unit": "km/h"})
    assert values["wind_east_ms"].item() == pytest.approx(10.0)


@pytest.mark.parametrize("direction", ["", "VRB", "999", "90"])
def test_calm_has_no_direction(direction):
    values, nulled = read({"wind": ["0"], "dir": [direction]}, wind_east_ms=WIND)
    assert values["wind_east_ms"].item() == 0.0
    assert not nulled


@pytest.mark.parametrize(
    ("speed", "direction", "lost"),
    [
        ("5", "", 0),
        ("", "90", 0),
        ("5", "VRB", 1),
        ("5", "999", 1),
        ("-1", "90", 1),
        ("999", "90", 1),
        ("calm", "9", 1),
    ],
)
def test_wind_that_makes_no_sense_is_left_out(speed, direction, lost):
    values, nulled = read({"wind": [speed], "dir": [direction]}, wind_north_ms=WIND)
    assert values["wind_north_ms"].isna().all()
    assert nulled["wind_north_ms"] == lost


@pytest.mark.parametrize("cell", ["", "  ", "NA", "NaN", "nan", "NULL", "none", None])
def test_an_empty_cell_says_nothing(cell):
    assert came(pd.Series([cell, "0"], dtype="str")).tolist() == [False, True]


def test_rows_keep_their_index():
    frame = pd.DataFrame({"rh": ["1", "2"]}, index=[7, 3])
    values, _ = read_covariates(frame, SourceSettings(covariates={"humidity_pct": "rh"}).covariates, "a.csv")
    assert values.index.tolist() == [7, 3]


def test_without_a_mapping_there_are_no_columns():
    values, nulled = read({"rh": ["1", "2"]})
    assert values.shape == (2, 0)
    assert not nulled


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ({"pressure_hpa": "qnh"}, "a.csv: no column 'qnh' for pressure_hpa; found: slp, dir."),
        (
            {"pressure_hpa": {"column": "slp", "unit": "bar"}},
            "a.csv: pressure_hpa cannot be had from unit 'bar'; known for 'hpa': hPa, mbar, Pa, kPa, inHg, mmHg.",
        ),
        (
            {"door_open": {"column": "slp", "unit": "C"}},
            "a.csv: door_open cannot be had from unit 'C'; its name ends in no unit that is known.",
        ),
        (
            {"wind_ms": {"speed": "slp", "direction": "dir"}},
            "a.csv: 'wind_ms' must say which component it is: wind_east_ms or wind_north_ms.",
        ),
    ],
)
def test_a_mapping_that_cannot_be_followed_is_refused_with_what_was_found(mapping, said):
    with pytest.raises(SettingsError) as caught:
        read({"slp": ["1013"], "dir": ["90"]}, **mapping)
    assert str(caught.value) == said
