"""Good guesses at what a table means where nobody said it; each of them is told."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from lstm_model.readings.covariates import came
from lstm_model.readings.units import numbers_of, split_unit

# Lower-case names, without their unit, that people give these columns, likeliest first.
STATION = ("station_id", "station", "sensor_id", "sensor", "device_id", "device", "site", "location", "name",
            "entity_id", "id")  # fmt: skip
TIME = ("observed_at", "timestamp", "time", "datetime", "date_time", "valid", "time_utc", "timestamp_utc",
         "date", "dt", "ts")  # fmt: skip
TEMPERATURE = ("temperature", "temp", "air_temperature", "air_temp", "temperature_2m", "celsius", "fahrenheit",
                "kelvin", "value", "state", "t")  # fmt: skip
_MOSTLY = 0.8
_KELVINS = (150.0, 350.0)


def guess_column(columns: list[str], names: tuple[str, ...], units: bool = False) -> str | None:
    """The column with the likeliest of these names, the writing of blanks and, of `units`, its unit left aside."""
    plain = {_plain(column): column for column in reversed(columns)}
    if units:
        plain = {_plain(split_unit(column)[0]): column for column in reversed(columns)} | plain
    bare = {key.removesuffix("_(utc)").removesuffix("_[utc]"): column for key, column in plain.items()} | plain
    return next((bare[name] for name in names if name in bare), None)


def _plain(column: str) -> str:
    return column.strip().lower().replace(" ", "_").replace("-", "_")


def holds_numbers(frame: pd.DataFrame, columns: Sequence[str]) -> bool:
    """Whether there are such columns, with numbers in all of them."""
    for column in columns:
        told = frame.loc[came(frame[column]), column]
        if len(told) and numbers_of(told, guess_decimal(told)).notna().mean() < _MOSTLY:
            return False
    return bool(columns)


def guess_decimal(values: pd.Series) -> str:
    """The decimal sign that more of the values are written with."""
    if pd.api.types.is_numeric_dtype(values):
        return "."
    times = values.astype("str").value_counts()
    texts = times.index.to_series().str.strip()
    commas = times[texts.str.fullmatch(r"[-−+]?\d+(?:\.\d{3})*,\d+")].sum()
    points = times[texts.str.fullmatch(r"[-−+]?\d*\.\d+")].sum()
    return "," if commas > points else "."


def guess_unit(temperature: str | None, values: pd.Series, decimal: str) -> str:
    """The unit that the column's name ends in, else kelvin where the values say so, else °C."""
    named = split_unit(temperature)[1] if temperature is not None else None
    if named is not None:
        return named
    return "K" if _KELVINS[0] < numbers_of(values, decimal).median() < _KELVINS[1] else "C"


def guess_zone(time: tuple[str, ...]) -> str | None:
    """UTC where a column's name says so."""
    words = re.split(r"[^a-z]+", " ".join(time).lower())
    return "UTC" if {"utc", "gmt", "zulu"}.intersection(words) else None
