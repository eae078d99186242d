"""Readings from a web service that answers as Open-Meteo does: columns of hours, one object a location."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import httpx
import pandas as pd

from lstm_model.errors import SettingsError, SourceError
from lstm_model.readings.covariates import came
from lstm_model.readings.fetch import Patience, get_json
from lstm_model.readings.layout import Layout, understand
from lstm_model.readings.sources import RawRows, SourceContext, together
from lstm_model.readings.tables import Cells
from lstm_model.readings.times import check_format
from lstm_model.readings.units import units_for
from lstm_model.secrets import Secrets
from lstm_model.settings import CovariateSettings, SourceSettings

log = logging.getLogger("nightcast.ingest")

_DAY = pd.Timedelta("1D")
_FIRST_TIME = pd.Timedelta("365D")
_HOURLY, _UNITS, _TIME, _STATION, _TEMPERATURE = "hourly", "hourly_units", "time", "station", "temperature_2m"
_DATES = {"start_date": "{start_date}", "end_date": "{end_date}"}
_PLACEHOLDER = re.compile(r"\{(start_date|end_date|since|until)\}")
_THEIR_UNITS = {"°C": "C", "°F": "F", "mp/h": "mph", "inch": "in"}
_CARRIES_OFFSET = r"(?:Z|[+-]\d{2}:?\d{2})$"


class HttpSource:
    """Asks for a few weeks at a time, the oldest first, from a little before the newest reading kept."""

    in_order = True

    def __init__(self, name: str, settings: SourceSettings, context: SourceContext, patience: Patience | None = None):
        if not settings.url:
            example = 'url = "https://archive-api.open-meteo.com/v1/archive"'
            raise SettingsError(f"source.{name}: an http source needs a url, for example {example}.")
        if settings.time_format is not None:
            check_format(settings.time_format, name)
        self.name = name
        self._settings = settings
        self._stations = context.stations
        self._secrets = Secrets(f"source.{name}", os.environ)
        self._patience = replace(
            patience or Patience(), timeout_seconds=settings.timeout_seconds, retries=settings.retries
        )
        self._place = settings.url.partition("?")[0]
        self._url = self._secrets.reveal("url", settings.url)
        self._headers = {key: self._header(key, text) for key, text in settings.headers.items()}
        self._params = {key: self._param(key, value) for key, value in self._asked().items()}
        self._check_url()

    def read(self, since: pd.Timestamp | None, until: pd.Timestamp) -> Iterator[RawRows]:
        """Yield what was observed from `overlap_hours` before `since`, page by page; hours to come are no readings.

        Raises:
            SourceError: no answer, or one that is none; every page before it was yielded.
        """
        if since is not None:
            first = since - pd.Timedelta(hours=self._settings.overlap_hours)
        elif self._settings.start is not None:
            first = pd.Timestamp(self._settings.start, tz="UTC")
        else:
            first = until - _FIRST_TIME
        day, page = first.floor("D"), self._settings.days_per_page * _DAY
        while day <= until:
            end = min(day + page, until.floor("D") + _DAY)
            # A page is whole or nothing, for every location: the newest reading kept says where to go on.
            rows = together(list(self._understood(self._fetch(day, end))))
            rows = rows.only(~(rows.understood["observed_at"] > until))
            came_in = len(rows.understood)
            yield rows
            if not came_in and end <= until:  # what comes after it is taken for newer
                log.warning("%s has nothing from %s to %s", self._where, f"{day:%Y-%m-%d}", f"{end - _DAY:%Y-%m-%d}")
            day = end

    def confirm(self, taken_at: pd.Timestamp) -> None:
        """Nothing to remember: the newest reading kept says where to go on."""

    @property
    def _where(self) -> str:
        return f"source {self.name!r}: {self._place}"

    def _fetch(self, day: pd.Timestamp, end: pd.Timestamp) -> list[Any]:
        """The answer for the days from `day` to before `end`, one part a location."""
        meant = {"start_date": f"{day:%Y-%m-%d}", "end_date": f"{end - _DAY:%Y-%m-%d}",
                 "since": f"{day:%Y-%m-%dT%H:%M:%SZ}", "until": f"{end:%Y-%m-%dT%H:%M:%SZ}"}  # fmt: skip
        url, *values = (
            _PLACEHOLDER.sub(lambda found: meant[found[1]], text) for text in (self._url, *self._params.values())
        )
        params = dict(zip(self._params, values, strict=True))
        answer = get_json(url, params, self._headers, self._patience, self._where, self._secrets.hide)
        return answer if isinstance(answer, list) else [answer]

    def _understood(self, answer: list[Any]) -> Iterator[RawRows]:
        names = self._settings.stations or [self.name]
        if len(names) != len(answer):
            raise SourceError(
                f"{self._where}: answers with {len(answer)} locations, named are {len(names)} ({', '.join(names)}). "
                f"Name each, in the order they are asked for: [source.{self.name}] stations = […]."
            )
        for station, part in zip(names, answer, strict=True):
            cells = self._cells(station, part)
            rows = understand(cells, self._layout(part, cells), self._stations, self._where, self.name)
            position = f"{self._place}#{station} " + cells.frame[_TIME].astype("str")  # the same whenever it comes
            yield replace(rows, position=position)

    def _cells(self, station: str, part: Any) -> Cells:
        """A location's columns as a table; an hour of which nothing was said yet is no row."""
        hourly = part.get(_HOURLY) if isinstance(part, Mapping) else None
        wanted = [_TIME, self._temperature, *self._columns()]
        if not isinstance(hourly, Mapping) or not all(isinstance(hourly.get(name), list) for name in wanted):
            lists = [name for name in hourly if isinstance(hourly[name], list)] if isinstance(hourly, Mapping) else []
            said = part.get("reason") if isinstance(part, Mapping) else None
            found = (
                f"the server says {said!r}" if isinstance(said, str) else f"lists there: {', '.join(lists) or 'none'}"
            )
            missing = ", ".join(f"{_HOURLY}.{name}" for name in wanted if name not in lists)
            raise SourceError(
                self._secrets.hide(f"{self._where}: {station}: the answer has no list {missing}; {found}.")
            )
        lengths = {name: len(hourly[name]) for name in wanted}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise SourceError(f"{self._where}: {station}: the lists of {_HOURLY} differ in length: {told}.")
        frame = pd.DataFrame({name: pd.Series(hourly[name], dtype=object) for name in wanted})
        frame = frame[came(frame[self._temperature])].reset_index(drop=True)
        offset = part.get("utc_offset_seconds")
        if isinstance(offset, int) and not isinstance(offset, bool) and self._time_format(frame) == "iso":
            frame[_TIME] = _with_offset(frame[_TIME].astype("str"), offset)
        frame.insert(0, _STATION, station)
        lines = pd.Series(range(1, len(frame) + 1), index=frame.index, dtype="int64")
        return Cells(frame, lines, pd.Series("", index=frame.index, dtype="str"), "JSON")

    def _layout(self, part: Mapping[str, Any], cells: Cells) -> Layout:
        """What the columns mean: as the settings say, else as the answer says of its units."""
        said = part.get(_UNITS)
        units = {
            name: _THEIR_UNITS.get(unit, unit)
            for name, unit in (said if isinstance(said, Mapping) else {}).items()
            if isinstance(unit, str)
        }
        theirs = units.get(self._temperature, "C")
        if self._settings.unit is None and theirs not in units_for("temperature_c"):
            raise SourceError(
                f"{self._where}: {self._temperature} comes in {theirs!r}. "
                'Say unit = "C", "F" or "K" if it is one of them.'
            )
        return Layout(
            station=_STATION,
            time=(_TIME,),
            temperature=self._temperature,
            unit=self._settings.unit or theirs,
            time_format=self._time_format(cells.frame),
            timezone=self._settings.timezone,
            decimal=".",
            covariates={name: _in_unit(name, each, units) for name, each in self._settings.covariates.items()},
        )

    @property
    def _temperature(self) -> str:
        return self._settings.temperature or _TEMPERATURE

    def _columns(self) -> list[str]:
        """Every further column that a covariate needs."""
        named = (
            name for each in self._settings.covariates.values() for name in (each.column, each.speed, each.direction)
        )
        return [name for name in dict.fromkeys(named) if name is not None and name != self._temperature]

    def _time_format(self, frame: pd.DataFrame) -> str:
        if self._settings.time_format is not None:
            return self._settings.time_format
        return "epoch_s" if len(frame) and isinstance(frame[_TIME].iloc[0], int | float) else "iso"

    def _asked(self) -> dict[str, Any]:
        """The query's parameters: the settings', and where they name no range of time, Open-Meteo's own."""
        told = self._settings.params
        if any(_PLACEHOLDER.search(str(text)) for text in (self._settings.url, *told.values())):
            return dict(told)
        return {_HOURLY: [self._temperature, *self._columns()], **_DATES, **told}

    def _param(self, name: str, value: Any) -> str:
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        return self._secrets.reveal(f"params.{name}", text)

    def _header(self, name: str, text: str) -> str:
        value = self._secrets.reveal(f"headers.{name}", text)
        if not (name.isascii() and value.isascii() and value.isprintable()):
            raise SettingsError(f"source.{self.name}: headers.{name} holds characters that a header cannot.")
        return value

    def _check_url(self) -> None:
        try:
            parts = httpx.URL(_PLACEHOLDER.sub("0", self._url))
        except httpx.InvalidURL:
            parts = httpx.URL()
        if parts.scheme not in ("http", "https") or not parts.host:
            raise SettingsError(f"source.{self.name}: url must begin with http:// or https:// and name a host.")


def _with_offset(times: pd.Series, seconds: int) -> pd.Series:
    """Local times with the offset that holds for the whole answer, where they carry none."""
    sign, minutes = "-" if seconds < 0 else "+", abs(seconds) // 60
    bare = times.str.contains("T") & ~times.str.contains(_CARRIES_OFFSET, regex=True)
    return times.where(~bare, times + f"{sign}{minutes // 60:02d}:{minutes % 60:02d}")


def _in_unit(name: str, origin: CovariateSettings, units: Mapping[str, str]) -> CovariateSettings:
    """Where a covariate comes from, in the unit the answer names unless the settings do."""
    theirs = units.get(origin.column or origin.speed or "")
    if origin.unit is not None or theirs not in units_for(name):
        return origin
    return origin.model_copy(update={"unit": theirs})
