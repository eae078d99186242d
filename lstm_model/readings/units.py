"""Units: everything is converted once, at the source's edge."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from lstm_model.readings.columns import by_value

_TO_OURS: dict[str, dict[str, tuple[float, float]]] = {  # suffix of our column: their unit: (factor, offset)
    "c": {"C": (1.0, 0.0), "F": (5 / 9, -160 / 9), "K": (1.0, -273.15)},
    "hpa": {"hPa": (1.0, 0.0), "mbar": (1.0, 0.0), "Pa": (0.01, 0.0), "kPa": (10.0, 0.0),
            "inHg": (33.863886, 0.0), "mmHg": (1.333224, 0.0)},
    "ms": {"m/s": (1.0, 0.0), "km/h": (1 / 3.6, 0.0), "mph": (0.44704, 0.0), "kn": (1852 / 3600, 0.0)},
    "pct": {"%": (1.0, 0.0), "1": (100.0, 0.0)},
    "mm": {"mm": (1.0, 0.0), "in": (25.4, 0.0), "cm": (10.0, 0.0)},
    "kw": {"kW": (1.0, 0.0), "W": (0.001, 0.0), "MW": (1000.0, 0.0)},
}  # fmt: skip
_PLAUSIBLE: dict[str, tuple[float, float]] = {  # suffix of our column: what can have been measured
    "c": (-100.0, 100.0),
    "hpa": (300.0, 1100.0),
    "ms": (-120.0, 120.0),
    "pct": (0.0, 110.0),
    "mm": (0.0, 2000.0),
    "open": (0.0, 1.0),
}
_ANYTHING = (-1e9, 1e9)
_STATES = {"true": 1.0, "open": 1.0, "on": 1.0, "false": 0.0, "closed": 0.0, "off": 0.0}
_UNIT_IN_NAME = re.compile(
    r"""^(?P<base>.*?)
        (?: [\s_]* [(\[] \s* (?:°|deg\s?|º)? \s* (?P<bracketed>C|F|K|celsius|fahrenheit|kelvin) \s* [)\]]
          | [\s_]* (?:°|º) \s* (?P<degrees>C|F)
          | [\s_]+ (?:deg)? (?P<after>C|F|K|celsius|fahrenheit|kelvin)
          | (?P<alone>^celsius|^fahrenheit|^kelvin) )$""",
    re.IGNORECASE | re.VERBOSE,
)


def to_celsius(values: pd.Series, unit: str) -> pd.Series:
    """Temperatures in °C from °C, °F or K; what is no number becomes NaN."""
    factor, offset = _TO_OURS["c"][unit]
    return numbers_of(values) * factor + offset


def numbers_of(values: pd.Series, decimal: str = ".") -> pd.Series:
    """Numbers from whatever came; what is none becomes NaN."""
    if pd.api.types.is_bool_dtype(values) or pd.api.types.is_numeric_dtype(values):
        return values.astype("float64")
    if pd.api.types.is_object_dtype(values):  # in which True and 1 are the same, but not as texts
        return _numbers_in(values, decimal)
    return by_value(values, lambda different: _numbers_in(different, decimal))


def _numbers_in(values: pd.Series, decimal: str) -> pd.Series:
    texts = values.astype("str").str.strip().str.replace("−", "-", regex=False)
    if decimal == ",":  # a point can then only group thousands, but not in a number that JSON brought as such
        meant = texts.str.fullmatch(r"[^.]*|[-+]?\d{1,3}(?:\.\d{3})+(?:,\d+)?")
        pointed = texts.str.replace(".", "", regex=False).str.replace(",", ".", regex=False).where(meant, "")
        texts = pointed.where(values.map(lambda value: isinstance(value, str)).astype("bool"), texts)
    return pd.to_numeric(texts, errors="coerce").astype("float64")


def states_of(values: pd.Series) -> pd.Series:
    """What is open, on or true as 1, what is not as 0, and anything else as NaN."""
    return values.astype("str").str.strip().str.lower().map(_STATES).astype("float64")


def split_unit(column: str) -> tuple[str, str | None]:
    """A column's name without its unit, and the unit of temperature in it.

    >>> split_unit("Temp (°F)"), split_unit("temp_c"), split_unit("humidity")
    (('Temp', 'F'), ('temp', 'C'), ('humidity', None))
    """
    found = _UNIT_IN_NAME.match(column.strip())
    if found is None:
        return column.strip(), None
    unit = found["bracketed"] or found["degrees"] or found["after"] or found["alone"]
    return found["base"].strip(" _") or column.strip(), unit[0].upper()


def suffix_of(covariate: str) -> str:
    """What our column's name says of its unit: `hpa` of `pressure_hpa`."""
    return covariate.rsplit("_", 1)[-1]


def units_for(covariate: str) -> list[str]:
    """The units a covariate can come in, ours first; none where its name ends in no unit that is known."""
    return list(_TO_OURS.get(suffix_of(covariate), {}))


def convert(values: pd.Series, covariate: str, unit: str | None) -> pd.Series:
    """Numbers in our unit from numbers in theirs, which is ours when None."""
    factor, offset = _TO_OURS[suffix_of(covariate)][unit] if unit else (1.0, 0.0)
    return values * factor + offset


def plausible(values: pd.Series, covariate: str) -> pd.Series:
    """Which numbers can have been measured, judged by the unit in the covariate's name."""
    low, high = _PLAUSIBLE.get(suffix_of(covariate), _ANYTHING)
    return np.isfinite(values) & values.between(low, high)
