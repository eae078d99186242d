"""Forecasts as NetCDF by the CF conventions: stations × times of issue × lead times × quantiles.

The container is classic NetCDF, which every tool reads and which is written with what is installed anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import xarray as xr

from lstm_model.errors import SettingsError
from lstm_model.forecasts.choice import Chosen
from lstm_model.network.forecaster import QUANTILE_COLUMNS
from lstm_model.readings.stations import Station, Stations
from lstm_model.settings import QUANTILES

CONVENTIONS = "CF-1.11"
MOST_BYTES = 2**30
_CASES = ("station", "issued_at", "lead_hours")
_LABELS = {
    "method": "what made the forecast",
    "model_version": "version of the registered model, empty for a baseline",
    "run_id": "MLflow run that trained the model, empty for a baseline",
}
_OF_LIMITS = {
    "limit_above_c": "upper limit of the station when the forecast was issued",
    "p_above": "probability that the temperature is above limit_above_c",
    "limit_below_c": "lower limit of the station when the forecast was issued",
    "p_below": "probability that the temperature is below limit_below_c",
}
# Seconds are counted as POSIX does, which knows no leap second.
_UTC = {"units_metadata": "leap_seconds: none"}
_SINCE = {"units": "seconds since 1970-01-01", "calendar": "standard", "dtype": "float64", "_FillValue": None}
_OF_STATIONS: dict[str, tuple[str, dict[str, str]]] = {
    "latitude": ("latitude", {"standard_name": "latitude", "units": "degrees_north"}),
    "longitude": ("longitude", {"standard_name": "longitude", "units": "degrees_east"}),
    "elevation_m": ("elevation", {"standard_name": "surface_altitude", "units": "m"}),
}

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Made:
    """When a file is made, and by which version of nightcast."""

    at: pd.Timestamp
    version: str


def unit_of(column: str) -> str | None:
    """The unit of a column as UDUNITS writes it, told by its name; None where the name tells none."""
    if column in QUANTILE_COLUMNS or column.endswith("_c"):
        return "degC"
    if column == "lead_hours":
        return "hours"
    return "1" if column.startswith("p_") else None


def write_netcdf(chosen: Chosen, made: Made, stations: Stations, file: Path) -> None:
    """Write what was chosen; see `forecast_dataset`."""
    forecast_dataset(chosen, made, stations).to_netcdf(file, engine="scipy", format="NETCDF3_64BIT")


def forecast_dataset(chosen: Chosen, made: Made, stations: Stations) -> xr.Dataset:
    """What was chosen as one dataset, with the attributes that the CF conventions want.

    Args:
        chosen: which forecasts.
        made: told in `source`, `history` and `date_created`.
        stations: what their owner knows of them: name, place, elevation.

    Returns:
        `temperature` (station, issued_at, lead_hours, quantile), float32 °C, NaN where an issue has no such forecast;
        further float columns of the table that hold anything (station, issued_at, lead_hours); method, model_version,
        run_id (station, issued_at), empty where there is no forecast; readings_version (issued_at).

    Raises:
        SettingsError: that would be more than MOST_BYTES.
    """
    further = chosen.filled(_further(chosen.kept.schema))
    _check_size(chosen, len(QUANTILES) + len(further))
    cube, labels, readings = _filled(chosen, [*QUANTILE_COLUMNS, *further])
    told_of_readings = {"long_name": "version of the readings table that the forecast was made from"}
    return xr.Dataset(
        {
            "temperature": ((*_CASES, "quantile"), cube[..., : len(QUANTILES)], _of_temperature()),
            **{
                name: (_CASES, cube[..., place], _of_column(name)) for place, name in enumerate(further, len(QUANTILES))
            },
            **{name: (_CASES[:2], told, {"long_name": _LABELS[name]}) for name, told in labels.items()},
            "readings_version": ("issued_at", readings, told_of_readings, {"dtype": "int32", "_FillValue": -1}),
        },
        coords={**_times(chosen), **_quantiles(), **_places(chosen.stations, stations)},
        attrs=_attributes(chosen, made, labels),
    )


def _further(schema: pa.Schema) -> list[str]:
    """Columns of floats beside lead time and temperature: limits, their probabilities, and any we do not know."""
    known = {"lead_hours", "temperature_c", *QUANTILE_COLUMNS}
    return [field.name for field in schema if pa.types.is_floating(field.type) and field.name not in known]


def _check_size(chosen: Chosen, columns: int) -> None:
    size = len(chosen.stations) * len(chosen.issues) * len(chosen.leads) * columns * 4
    if size > MOST_BYTES:
        raise SettingsError(
            f"that is {size / 2**30:.1f} GiB of NetCDF, which is made in memory and may have {MOST_BYTES / 2**30:g}; "
            "take a shorter period, fewer stations, or Parquet."
        )


def _filled(chosen: Chosen, columns: list[str]) -> tuple[Array, dict[str, Array], Array]:
    """The numbers (station, issue, lead, column), the labels (station, issue), and the readings' versions (issue)."""
    shape = (len(chosen.stations), len(chosen.issues), len(chosen.leads))
    cube = np.full((*shape, len(columns)), np.nan, np.float32)
    labels = {name: np.full(shape[:2], "", object) for name in _LABELS}
    readings = np.full(shape[1], np.nan)
    for rows in chosen.by_day():
        issued_at, valid_at = rows["issued_at"].to_pandas(), rows["valid_at"].to_pandas()
        station = pd.Index(chosen.stations).get_indexer(rows["station_id"].to_pandas())
        issue = chosen.issues.get_indexer(pd.DatetimeIndex(issued_at))
        lead = chosen.leads.get_indexer(pd.TimedeltaIndex(valid_at - issued_at))
        for place, name in enumerate(columns):
            cube[station, issue, lead, place] = rows[name].to_numpy()
        for name, told in labels.items():
            told[station, issue] = rows[name].fill_null("").to_pandas()
        readings[issue] = rows["readings_version"].to_pandas()
    return cube, labels, readings


def _of_temperature() -> dict[str, str]:
    return {
        "standard_name": "air_temperature",
        "long_name": "quantiles of the forecast temperature",
        "units": "degC",
        "units_metadata": "temperature: on_scale",
        "ancillary_variables": " ".join([*_LABELS, "readings_version"]),
    }


def _of_column(name: str) -> dict[str, str]:
    """Attributes of a further column; what the name of one that we do not know does not tell is not made up."""
    unit = unit_of(name)
    on_scale = {"units_metadata": "temperature: on_scale"} if unit == "degC" else {}
    return {"long_name": _OF_LIMITS.get(name, name.replace("_", " ")), **({"units": unit} if unit else {}), **on_scale}


def _times(chosen: Chosen) -> dict[str, Any]:
    issued = chosen.issues.tz_localize(None).to_numpy()
    ahead = chosen.leads.to_numpy()
    of_issue = {"long_name": "time of issue, nothing later is known to it", "standard_name": "forecast_reference_time"}
    of_validity = {"long_name": "time that the forecast is for", "standard_name": "time"}
    of_lead = {"long_name": "lead time", "standard_name": "forecast_period", "units": "hours"}
    return {
        "issued_at": ("issued_at", issued, of_issue | _UTC, _SINCE),
        "lead_hours": ("lead_hours", ahead / np.timedelta64(1, "h"), of_lead, {"_FillValue": None}),
        "valid_at": (("issued_at", "lead_hours"), issued[:, None] + ahead, of_validity | _UTC, _SINCE),
    }


def _quantiles() -> dict[str, Any]:
    told = {"long_name": "probability that the temperature stays below", "units": "1"}
    return {"quantile": ("quantile", np.array(QUANTILES), told, {"_FillValue": None})}


def _places(ids: tuple[str, ...], stations: Stations) -> dict[str, Any]:
    """Who the stations are, and where: each column that the stations file fills for one of them at least."""
    described = [stations.known.get(name, Station(station_id=name)) for name in ids]
    places: dict[str, Any] = {
        "station_id": ("station", np.array(ids, object), {"long_name": "station", "cf_role": "timeseries_id"})
    }
    if any(station.name for station in described):
        names = np.array([station.name or "" for station in described], object)
        places["station_name"] = ("station", names, {"long_name": "name of the station"})
    for column, (name, told) in _OF_STATIONS.items():
        values = [getattr(station, column) for station in described]
        if any(value is not None for value in values):
            places[name] = ("station", np.array(values, np.float64), told)
    return places


def _attributes(chosen: Chosen, made: Made, labels: dict[str, Array]) -> dict[str, str]:
    def listed(name: str) -> str:
        return ", ".join(sorted(set(labels[name].ravel()) - {""}))

    versions = f"; model versions {listed('model_version')}; MLflow runs {listed('run_id')}" if listed("run_id") else ""
    now = f"{made.at:%Y-%m-%dT%H:%M:%SZ}"
    return {
        "Conventions": CONVENTIONS,
        "title": f"Temperature forecasts, {chosen.in_words()}",
        "source": f"nightcast {made.version}; methods {listed('method')}{versions}",
        "history": f"{now} nightcast export",
        "date_created": now,
    }
