"""What else a station measures: mapped by name, converted, and left out where it makes no sense."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lstm_model.errors import SettingsError
from lstm_model.readings.units import convert, numbers_of, plausible, states_of, suffix_of, units_for
from lstm_model.settings import CovariateSettings


def read_covariates(
    cells: pd.DataFrame, mapping: Mapping[str, CovariateSettings], where: str, decimal: str = "."
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The covariates of every row, and which values were left out because they made no sense.

    Args:
        cells: rows as they came.
        mapping: our column and where it comes from.
        where: named in messages.
        decimal: decimal sign of numbers that came as text.

    Returns:
        float columns named like the mapping, NaN where nothing came or what came made no sense; and columns of the
        same names that are true for the latter.

    Raises:
        SettingsError: a column is not there, or a unit does not fit the covariate's name.
    """
    columns, nulled = {}, {}
    for name, origin in mapping.items():
        _check_unit(name, origin.unit, where)
        if origin.column is not None:
            column = _column(cells, origin.column, name, where)
            given = came(column)
            values = convert(numbers_of(column, decimal), name, origin.unit)
            if not units_for(name):  # a door may be "open", a pressure may not be "on"
                values = values.fillna(states_of(column))
        else:
            speed, direction = (_column(cells, str(part), name, where) for part in (origin.speed, origin.direction))
            given = came(speed) & (came(direction) | (numbers_of(speed, decimal) == 0))
            metres = convert(numbers_of(speed, decimal), name, origin.unit)
            metres = metres.where(plausible(metres, name) & (metres >= 0))
            values = _wind_component(metres, numbers_of(direction, decimal), name, where)
        sensible = plausible(values, name)
        columns[name], nulled[name] = values.where(sensible), given & ~sensible
    return pd.DataFrame(columns, index=cells.index), pd.DataFrame(nulled, index=cells.index, dtype="bool")


def came(values: pd.Series) -> pd.Series:
    """Where something was said at all."""
    return values.notna() & ~values.astype("str").str.strip().str.lower().isin(["", "na", "nan", "null", "none"])


def _wind_component(speed: pd.Series, direction: pd.Series, name: str, where: str) -> pd.Series:
    """Metres of air moving east or north; a direction is where the wind comes from, and calm has none."""
    angle = np.deg2rad(direction.where(speed != 0, 0.0).where(direction.between(0, 360) | (speed == 0)))
    if "east" in name:
        return -speed * np.sin(angle)
    if "north" in name:
        return -speed * np.cos(angle)
    raise SettingsError(f"{where}: {name!r} must say which component it is: wind_east_ms or wind_north_ms.")


def _column(cells: pd.DataFrame, column: str, name: str, where: str) -> pd.Series:
    if column not in cells:
        raise SettingsError(f"{where}: no column {column!r} for {name}; found: {', '.join(map(str, cells.columns))}.")
    return cells[column]


def _check_unit(name: str, unit: str | None, where: str) -> None:
    known = units_for(name)
    if unit is not None and unit not in known:
        expected = (
            f"known for {suffix_of(name)!r}: {', '.join(known)}" if known else "its name ends in no unit that is known"
        )
        raise SettingsError(f"{where}: {name} cannot be had from unit {unit!r}; {expected}.")
