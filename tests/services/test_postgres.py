"""SQL sources on a real PostgreSQL, while others write to it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pandas as pd
import pytest
from inbox import documented
from postgres import Postgres
from support import store_of

from lstm_model.errors import SettingsError, SourceError
from lstm_model.readings import IngestReport, Quarantine, ingest, ingest_from
from lstm_model.readings.ingestion import Ingestion
from lstm_model.readings.sql import SqlSource
from lstm_model.workspace import Workspace

pytestmark = pytest.mark.services

CLOCK = pd.Timestamp("2024-06-01T00:00Z")
START = pd.Timestamp("2024-01-01T00:00Z")
BY_TIME = "SELECT sensor, observed, celsius FROM readings WHERE observed >= :since"

Kept = dict[tuple[str, pd.Timestamp], float]


class House:
    """A workspace whose source is a table of the server."""

    def __init__(self, home: Path, server: Postgres) -> None:
        self.home, self.server = home, server

    def workspace(self, query: str = BY_TIME, more: str = "", url: str = "") -> Workspace:
        toml = f'[source.house]\ntype = "sql"\nurl = "{url or self.server.url}"\nquery = "{query}"\n'
        (self.home / "nightcast.toml").write_text(f'{toml}time = "observed"\ntemperature = "celsius"\n{more}\n')
        return Workspace.find(self.home, {})

    def pull(self, *args: str, **settings: str) -> IngestReport:
        return ingest(self.workspace(*args, **settings), CLOCK, CLOCK)

    @property
    def kept(self) -> Kept:
        rows = store_of(self.workspace()).read(CLOCK, flags=(1, 2, 3, 4))
        return {(row.station_id, row.observed_at): round(float(row.temperature_c), 2) for row in rows.itertuples()}

    @property
    def table(self) -> Kept:
        with self.server.connect() as connection:
            rows = connection.execute("SELECT sensor, observed, celsius FROM readings").fetchall()
        return {(sensor, pd.Timestamp(at).tz_convert("UTC")): round(float(value), 2) for sensor, at, value in rows}


@pytest.fixture
def house(tmp_path: Path, postgres: Postgres) -> Iterator[House]:
    postgres.does(
        "ALTER DATABASE postgres RESET timezone",
        "DROP TABLE IF EXISTS readings",
        "CREATE SEQUENCE IF NOT EXISTS counter",
        "CREATE TABLE readings (sensor text, observed timestamptz, celsius numeric(6, 2), "
        "changed timestamptz, PRIMARY KEY (sensor, observed))",
    )
    yield House(tmp_path, postgres)


def a_busy_fleet(server: Postgres, enough: Event, latest_hours: int) -> None:
    """Writes hour after hour; some rows come late, some are corrected, by up to so many hours."""
    chance, late = random.Random(0), list[tuple[int, str, pd.Timestamp]]()
    with server.connect() as connection:

        def write(sensor: str, at: pd.Timestamp) -> None:
            connection.execute(
                "INSERT INTO readings VALUES (%s, %s, %s, %s) ON CONFLICT (sensor, observed) "
                "DO UPDATE SET celsius = excluded.celsius, changed = excluded.changed",
                (sensor, at, round(chance.uniform(-20, 30), 2), START + pd.Timedelta(hours=hour)),
            )

        hour = 0
        while hour < 400 or (hour < 3000 and not enough.is_set()):
            for sensor in ("attic", "cellar", "roof"):
                at = START + pd.Timedelta(hours=hour)
                if chance.random() < 0.2:
                    late.append((hour + chance.randrange(1, latest_hours), sensor, at))
                else:
                    write(sensor, at)
                if chance.random() < 0.2:
                    write(sensor, at - pd.Timedelta(hours=chance.randrange(min(hour, latest_hours - 1) + 1)))
            for due, sensor, at in [each for each in late if each[0] <= hour]:
                write(sensor, at)
                late.remove((due, sensor, at))
            hour += 1
        for _, sensor, at in late:
            write(sensor, at)


@pytest.mark.parametrize(
    ("query", "more", "latest_hours"),
    [
        (BY_TIME, "overlap_hours = 48", 48),
        (BY_TIME.replace("observed >=", "changed >="), "overlap_hours = 1", 400),  # says itself what was written since
    ],
    ids=["late by less than the overlap", "late by anything, with a column that says when a row was written"],
)
def test_a_table_filled_meanwhile_is_all_there_in_the_end(
    house: House, query: str, more: str, latest_hours: int
) -> None:
    enough = Event()
    fleet = Thread(target=a_busy_fleet, args=(house.server, enough, latest_hours))
    fleet.start()
    try:
        while not house.pull(query, more).counts.new:
            pass  # until the fleet has begun
        reports = [house.pull(query, more) for _ in range(4)]
    finally:
        enough.set()
        fleet.join()
    assert sum(report.counts.new for report in reports) > 0, "nothing was written meanwhile"
    last = house.pull(query, more)
    assert last.rows_in == last.counts.new + last.counts.corrected + last.counts.unchanged
    assert house.kept == house.table
    assert len(house.table) >= 1200


@pytest.mark.parametrize(
    ("kind", "literal", "more"),
    [
        ("timestamptz", "'2024-01-15 12:00+01'", ""),
        ("timestamptz", "'2024-01-15 12:00+01'", 'timezone = "Europe/Berlin"'),
        ("timestamp", "'2024-01-15 12:00'", 'timezone = "Europe/Berlin"'),
        ("timestamp", "'2024-01-15 06:00'", 'timezone = "America/New_York"'),
        ("double precision", "1705316400.5", 'time_format = "epoch_s"'),
        ("bigint", "1705316400000", 'time_format = "epoch_ms"'),
        ("text", "'2024-01-15T11:00:00Z'", 'timezone = "UTC"\ntime_format = "%Y-%m-%dT%H:%M:%SZ"'),
    ],
)
@pytest.mark.parametrize("server_zone", ["Australia/Sydney", "America/Los_Angeles"])
def test_times_of_every_kind_are_asked_for_and_understood(
    house: House, kind: str, literal: str, more: str, server_zone: str
) -> None:
    house.server.does(
        f"ALTER DATABASE postgres SET timezone = '{server_zone}'",
        "DROP TABLE readings",
        f"CREATE TABLE readings (sensor text, observed {kind}, celsius real)",
        f"INSERT INTO readings VALUES ('attic', {literal}, 5)",
    )
    settings = f"{more}\noverlap_hours = 0"
    assert house.pull(more=settings).counts.new == 1
    assert {time.floor("min") for _, time in house.kept} == {pd.Timestamp("2024-01-15T11:00Z")}
    assert house.pull(more=settings).counts.unchanged == 1  # the newest is asked for again: nothing lies between


def test_a_row_that_makes_no_sense_is_quarantined_as_it_came(house: House) -> None:
    house.server.does(
        "INSERT INTO readings VALUES ('attic', '2024-01-01Z', NULL), ('attic', '2024-01-02Z', 'NaN'), "
        "('', '2024-01-03Z', 5), ('attic', '2024-01-04Z', 5.25)"
    )
    assert (house.pull().quarantined, house.pull().quarantined) == (3, 2)  # two lie within the overlap
    rows = Quarantine(house.workspace().quarantine).rows()
    assert len(rows) == 3
    assert rows["raw"].str.contains('"celsius": null').sum() == 1
    assert list(house.kept.values()) == [5.25]


def test_nothing_can_be_written(house: House) -> None:
    write = "INSERT INTO readings VALUES ('me', now(), 1) RETURNING sensor, observed, celsius"
    with pytest.raises(SourceError, match="the database says"):
        house.pull(write)
    with pytest.raises(SourceError, match="read-only transaction"):
        house.pull("SELECT 'me' AS sensor, now() AS observed, nextval('counter') AS celsius")
    assert house.table == {}


def test_a_stopped_query_is_one_line(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOUSE_PASSWORD", "s3cret")
    gone = f"postgresql://nobody:${{HOUSE_PASSWORD}}@127.0.0.1:{house.server.port}/nowhere"
    with pytest.raises(SourceError, match=r"source 'house': the database says: .*does not exist") as caught:
        house.pull(url=gone)
    assert "\n" not in str(caught.value)
    with pytest.raises(SourceError, match="operator does not exist"):
        house.pull("SELECT * FROM readings WHERE celsius >= :since")
    with pytest.raises(SettingsError, match="no column 'observed' for time"):
        house.pull("SELECT 1 AS celsius")


def test_the_tables_of_the_documentation_are_read(house: House) -> None:
    house.server.does(
        "DROP TABLE IF EXISTS conditions, readings",
        "CREATE TABLE conditions (sensor_id text, time timestamptz, temperature float, humidity float)",
        "INSERT INTO conditions VALUES ('kiln', '2024-01-01Z', 21.5, 40), ('kiln', '2024-01-02Z', NULL, 41)",
        "CREATE TABLE readings (logger int, measured_at timestamptz, celsius real, written_at timestamptz)",
        "INSERT INTO readings VALUES (7, '2024-01-01Z', 5, '2024-01-01Z'), (7, '2023-01-01Z', 6, '2024-01-02Z')",
    )
    workspace = house.workspace()
    context = Ingestion(workspace, CLOCK).context
    address = {"url": house.server.url}
    plant, loggers = (
        SqlSource(name, documented(name).model_copy(update=address), context) for name in ("plant", "loggers")
    )
    assert ingest_from(workspace, [plant, loggers], CLOCK).counts.new == 3
    house.server.does("INSERT INTO readings VALUES (7, '2020-01-01Z', 4, '2024-01-03Z')")  # years late
    assert ingest_from(workspace, [loggers], CLOCK).counts.new == 1
    assert {station for station, _ in house.kept} == {"kiln", "7"}


def test_many_rows_are_streamed(house: House) -> None:
    """A cursor of the server's: rows wait there, not here."""
    house.server.does(
        "INSERT INTO readings SELECT 'attic', '2000-01-01Z'::timestamptz + n * interval '1 h', 5 "
        "FROM generate_series(1, 150000) n"
    )
    workspace = house.workspace()
    source = SqlSource("house", workspace.settings.source["house"], Ingestion(workspace, CLOCK).context, 40_000)
    parts = source.read(None, CLOCK)
    assert len(next(parts).understood) == 40_000
    with house.server.connect() as connection:
        (cursors,) = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'FETCH%' AND state = 'idle in transaction'"
        ).fetchone() or (0,)
    assert cursors == 1
    assert [len(rows.understood) for rows in parts] == [40_000, 40_000, 30_000]
