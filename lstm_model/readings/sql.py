"""Readings from any database that SQLAlchemy speaks to, by a query of its owner."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from lstm_model.errors import SettingsError, SourceError, first_line
from lstm_model.readings.layout import FROM_FILE_NAME, Layout, recognise, understand
from lstm_model.readings.sources import RawRows, SourceContext
from lstm_model.readings.tables import Cells
from lstm_model.readings.times import check_format
from lstm_model.secrets import Secrets
from lstm_model.settings import SourceSettings

log = logging.getLogger("nightcast.ingest")

_ROWS_AT_ONCE = 50_000
_SOURCE = "(source)"
_DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}  # where the URL names none
_PACKAGES = {"psycopg": "psycopg[binary]", "psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient"}
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


class SqlSource:
    """Asks its query for what may be new since a little before the newest reading kept. Writes nothing."""

    def __init__(self, name: str, settings: SourceSettings, context: SourceContext, rows_at_once: int = _ROWS_AT_ONCE):
        if not settings.url or not settings.query:
            missing, example = (
                ("a query", 'query = "SELECT sensor, time, temp FROM readings WHERE time >= :since"')
                if settings.url
                else ("a url", 'url = "postgresql://reader:${MY_PASSWORD}@127.0.0.1/house"')
            )
            raise SettingsError(f"source.{name}: an sql source needs {missing}, for example {example}.")
        if settings.station == FROM_FILE_NAME:
            raise SettingsError(
                f"source.{name}: a query has no file's name; without a station's column the source's is it."
            )
        if settings.time_format is not None:
            check_format(settings.time_format, name)
        self.name = name
        self._settings = settings
        self._context = context
        self._rows_at_once = rows_at_once
        self._secrets = Secrets(f"source.{name}", os.environ)
        self._query = sa.text(settings.query)
        if strange := set(self._query.compile().params) - {"since"}:
            raise SettingsError(f"source.{name}: query asks for :{min(strange)}; the only parameter is :since.")
        self._engine = self._open(settings.url)

    def read(self, since: pd.Timestamp | None, until: pd.Timestamp) -> Iterator[RawRows]:
        """Yield the query's rows, `:since` being `overlap_hours` before what is kept.

        Raises:
            SourceError: the database cannot be read; the rows that came before were yielded.
            SettingsError: its columns or times cannot be understood.
        """
        layout: Layout | None = None
        with self._told_in_words(), self._engine.connect() as connection:
            self._only_read(connection)
            asked = {"since": self._since(since)} if self._query.compile().params else {}
            result = connection.execute(self._query, asked, execution_options={"stream_results": True})
            if not result.returns_rows:
                raise SettingsError(f"source.{self.name}: query returns no rows; write a SELECT.")
            columns = list(map(str, result.keys()))
            if twice := [column for column in columns if columns.count(column) > 1]:
                raise SettingsError(f"source.{self.name}: query returns two columns {twice[0]!r}; rename one with AS.")
            for part in result.partitions(self._rows_at_once):
                cells = _cells(part, columns)
                if layout is None:
                    layout = recognise(cells, self._settings, self.name, self._where)
                    if layout.station == FROM_FILE_NAME:
                        layout = replace(layout, station=_SOURCE)
                    log.info("%s: %s", self.name, layout.in_words())
                yield self._understood(cells, layout)
        if layout is None and since is None:
            log.warning(
                '%s: the query brought no row. If its times are numbers, say so: time_format = "epoch_s"', self.name
            )

    def confirm(self, taken_at: pd.Timestamp) -> None:
        """Nothing to remember: the newest reading kept says where to go on."""

    @property
    def _where(self) -> str:
        return f"source {self.name!r}"

    def _understood(self, cells: Cells, layout: Layout) -> RawRows:
        if layout.station == _SOURCE:
            cells = replace(cells, frame=cells.frame.assign(**{_SOURCE: self.name}))
        rows = understand(cells, layout, self._context.stations, self._where, self.name)
        times = [rows.raw[column].map(lambda cell: "?" if cell is None else str(cell)) for column in layout.time]
        told = rows.understood["station_id"].fillna("?") + " " + times[0].str.cat(times[1:], sep=" ")
        raw = rows.raw.drop(columns=_SOURCE, errors="ignore")
        return replace(rows, raw=raw, position="query#" + told)  # the same place whenever the row comes again

    def _since(self, since: pd.Timestamp | None) -> Any:
        """The parameter, written as the source's own times are: a number, a text, a clock on a wall, or a moment."""
        start = pd.Timestamp(self._settings.start or date(1970, 1, 1), tz="UTC")
        moment = start if since is None else since - pd.Timedelta(hours=self._settings.overlap_hours)
        moment = max(moment, pd.Timestamp(0, tz="UTC"))
        time_format = self._settings.time_format or "iso"
        if time_format.startswith("epoch_"):
            return int(moment.timestamp()) * _PER_SECOND[time_format.removeprefix("epoch_")]
        zones = {self._settings.timezone, *(station.timezone for station in self._context.stations.known.values())}
        if zones - {None}:
            # A wall shows some hours twice, and a column with zones reads it as UTC: the earliest is safe.
            walls = [moment.tz_convert(zone).tz_localize(None) for zone in {"UTC", *zones} if zone]
            moment = min(walls) - pd.Timedelta("1h")
        if time_format != "iso":
            return moment.strftime(time_format)
        if self._engine.dialect.name == "sqlite":  # which keeps times as text; a "T" sorts after the blank
            return f"{moment:%Y-%m-%d %H:%M:%S}"
        return moment.floor("s").to_pydatetime()

    def _open(self, text: str) -> sa.Engine:
        """An engine for the URL, with the driver that is installed here where it names none.

        Raises:
            SettingsError: it is no URL, or its driver is not installed.
            SourceError: there is no such SQLite file, which connecting would make.
        """
        name = self.name
        self._secrets.refuse_plain("url", text)
        try:
            url = sa.make_url(self._secrets.reveal("url", text) if text.startswith("${") else text)
            told = {part: self._revealed(getattr(url, part)) for part in ("username", "password", "host", "database")}
            url = url.set(**told, query={key: self._revealed(value) for key, value in url.query.items()})
            url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
            if url.get_backend_name() == "sqlite":
                url = self._present(url)
            return sa.create_engine(url, poolclass=sa.NullPool, connect_args=self._connecting(url))
        except NoSuchModuleError:
            raise SettingsError(
                f"source.{name}: SQLAlchemy knows no {url.drivername!r}; install its package."
            ) from None
        except (ArgumentError, ValueError):
            example = "postgresql://reader:${MY_PASSWORD}@127.0.0.1/house"
            raise SettingsError(f"source.{name}: url is no SQLAlchemy URL, for example {example}.") from None
        except ImportError as error:
            module = error.name or url.drivername
            package = _PACKAGES.get(module, module)
            raise SettingsError(
                f"source.{name}: the driver {module!r} is not installed. Run: pip install '{package}'."
            ) from None

    def _revealed(self, part: Any) -> Any:
        return self._secrets.reveal("url", part) if isinstance(part, str) else part

    def _present(self, url: sa.URL) -> sa.URL:
        if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
            return url
        file = self._context.workspace.home / Path(url.database).expanduser()
        if not file.is_file():
            raise SourceError(f"{self._where}: no SQLite database at {file}. Mend `url`, or put the file there.")
        return url.set(database=str(file))

    def _connecting(self, url: sa.URL) -> dict[str, Any]:
        seconds = self._settings.timeout_seconds
        if url.get_backend_name() == "sqlite":
            return {"timeout": seconds}
        patient = url.get_backend_name() == "postgresql" and "connect_timeout" not in url.query
        return {"connect_timeout": max(2, int(seconds))} if patient and url.get_driver_name() == "psycopg" else {}

    def _only_read(self, connection: sa.Connection) -> None:
        """Refuse every write where the database can; elsewhere nothing is ever committed."""
        if connection.dialect.name == "postgresql":
            connection.execution_options(postgresql_readonly=True)
            connection.exec_driver_sql("SET TIME ZONE 'UTC'")
        elif connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA query_only = ON")

    @contextmanager
    def _told_in_words(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            why = self._secrets.hide(first_line(Exception(error.orig)))
            raise SourceError(f"{self._where}: the database says: {why}") from None
        except SQLAlchemyError as error:
            raise SourceError(f"{self._where}: {self._secrets.hide(first_line(error))}") from None


def _cells(rows: Sequence[sa.Row[Any]], columns: list[str]) -> Cells:
    frame = pd.DataFrame([[_cell(value) for value in row] for row in rows], columns=columns, dtype=object)
    lines = pd.Series(range(1, len(frame) + 1), index=frame.index, dtype="int64")
    return Cells(frame, lines, pd.Series("", index=frame.index, dtype="str"), "SQL")


def _cell(value: Any) -> Any:
    """A value as text where JSON has no word for it; a moment in UTC."""
    if isinstance(value, datetime):
        utc = value if value.tzinfo is None else (value - (value.utcoffset() or timedelta())).replace(tzinfo=None)
        return utc.isoformat(sep=" ") + ("" if value.tzinfo is None else "Z")
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode("utf-8", "replace")
    return value
