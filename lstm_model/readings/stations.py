"""The optional stations file, `data/stations.csv`: what the owner knows of each station."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from pydantic import ConfigDict, Field, ValidationError, model_validator

from lstm_model.errors import SettingsError, SourceError
from lstm_model.readings.columns import by_value, constant
from lstm_model.readings.tables import read_cells
from lstm_model.settings import QualitySettings, Section, Unit, Zone

STATIONS_FILE = Path("data") / "stations.csv"


class Station(Section):
    """One line of the stations file; what is left empty is as `nightcast.toml` says."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    station_id: str = Field(min_length=1)
    name: str | None = None
    latitude: float | None = Field(None, ge=-90, le=90)
    longitude: float | None = Field(None, ge=-180, le=360)
    elevation_m: float | None = Field(None, ge=-500, le=9000)
    timezone: Zone | None = None
    unit: Unit | None = None
    valid_min_c: float | None = None
    valid_max_c: float | None = None
    spike_c: float | None = Field(None, gt=0)
    rate_c_per_hour: float | None = Field(None, gt=0)
    flat_hours: float | None = Field(None, ge=0)
    limit_above_c: float | None = None
    limit_below_c: float | None = None

    @model_validator(mode="after")
    def _a_range(self) -> Station:
        if self.valid_min_c is not None and self.valid_max_c is not None and self.valid_min_c >= self.valid_max_c:
            raise ValueError(f"valid_min_c = {self.valid_min_c:g} is not below valid_max_c = {self.valid_max_c:g}")
        return self

    @model_validator(mode="after")
    def _limits_apart(self) -> Station:
        below, above = self.limit_below_c, self.limit_above_c
        if above is not None and below is not None and above <= below:
            raise ValueError(f"limit_above_c = {above:g} is not above limit_below_c = {below:g}")
        return self

    @property
    def has_limit(self) -> bool:
        """Whether it matters to somebody how warm or cold it gets here."""
        return self.limit_above_c is not None or self.limit_below_c is not None


@dataclass(frozen=True)
class Stations:
    """The stations that the owner described, by id."""

    known: dict[str, Station] = field(default_factory=dict)

    @classmethod
    def read(cls, home: Path) -> Stations:
        """Read and check the file; no file is no stations.

        Raises:
            SettingsError: names the line and what is wrong with it.
        """
        file = home / STATIONS_FILE
        if not file.is_file():
            return cls()
        try:
            cells = read_cells(file.read_bytes(), str(file))
        except (OSError, SourceError) as error:
            raise SettingsError(f"the stations file cannot be read: {error}") from None
        known: dict[str, Station] = {}
        for line, fault, row in zip(cells.lines, cells.fault, cells.frame.to_dict(orient="records"), strict=True):
            if fault:
                raise SettingsError(f"{file}:{line}: {fault}. Mend that line.")
            given = {name: str(value).strip() for name, value in row.items() if str(value).strip()}
            try:
                station = Station.model_validate(given)
            except ValidationError as error:
                first = error.errors()[0]
                what, told = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
                if first["type"] == "extra_forbidden":
                    problem = f"unknown column {what!r}; known: {', '.join(Station.model_fields)}"
                elif first["type"] == "missing":
                    problem = f"{what} is missing"
                else:
                    problem = f"{what} = {first['input']!r}: {told}" if what else told
                raise SettingsError(f"{file}:{line}: {problem}. Mend that line.") from None
            if station.station_id in known:
                raise SettingsError(f"{file}:{line}: station {station.station_id!r} is there twice. Keep one line.")
            known[station.station_id] = station
        return cls(known)

    def column(self, name: str, ids: pd.Series, otherwise: str | None) -> pd.Series:
        """What the file says in one column for each of these stations, and `otherwise` where it says nothing."""
        said = {
            key: getattr(station, name) for key, station in self.known.items() if getattr(station, name) is not None
        }
        if not said:
            return pd.Series(otherwise, index=ids.index) if otherwise is None else constant(otherwise, ids.index)
        return by_value(ids, lambda names: names.map(said).astype(object).where(names.isin(said), otherwise))

    def limit(self, name: str, station_id: str, defaults: QualitySettings) -> float:
        """A threshold of quality control for one station."""
        own = getattr(self.known.get(station_id), name, None)
        return float(getattr(defaults, name) if own is None else own)
