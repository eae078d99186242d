"""SQL sources on SQLite: what is understood of a query's rows, and how a pull goes on from the last."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from inbox import CLOCK, documented, kept, quarantined

from lstm_model.errors import SettingsError, SourceError
from lstm_model.readings import IngestReport, ReadingsStore, ingest, ingest_from
from lstm_model.readings.ingestion import Ingestion
from lstm_model.readings.sql import SqlSource
from lstm_model.workspace import Workspace

SECRET = "s3cret-of-mine"
READINGS = "SELECT sensor, time, temp FROM readings"


class House:
    """A workspace beside a SQLite database."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.does("CREATE TABLE readings (sensor, time, temp)")

    def does(self, statement: str, rows: Any = ()) -> None:
        with sqlite3.connect(self.home / "house.db") as database:
            database.executemany(statement, rows) if rows else database.execute(statement)
        database.close()

    def fills(self, *rows: tuple[Any, Any, Any]) -> None:
        self.does("INSERT INTO readings VALUES (?, ?, ?)", rows)

    def workspace(self, query: str = f"{READINGS} WHERE time >= :since", url: str = "sqlite:///house.db",
                  more: str = 'timezone = "UTC"') -> Workspace:  # fmt: skip
        toml = f"[source.house]\ntype = 'sql'\nurl = '{url}'\nquery = \"{query}\"\n{more}\n"
        (self.home / "nightcast.toml").write_text(toml)
        return Workspace.find(self.home, {})

    def pull(self, *args: str, **settings: str) -> IngestReport:
        return ingest(self.workspace(*args, **settings), CLOCK, CLOCK)

    @property
    def kept(self) -> dict[tuple[str, str], float]:
        return {(station, f"{time:%m-%d %H:%M}"): value for (station, time), value in kept(self.workspace()).items()}


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_rows_become_readings(house: House) -> None:
    house.fills(("attic", "2024-01-01 00:00:00", 5), ("roof", "2024-01-01T01:00Z", "6.5"))
    assert house.pull().counts.new == 2
    assert house.kept == {("attic", "01-01 00:00"): 5.0, ("roof", "01-01 01:00"): 6.5}


def test_a_pull_asks_for_what_is_new_and_a_little_before_it(house: House) -> None:
    house.fills(*[("attic", f"2024-01-{day:02d} 00:00:00", day) for day in range(1, 11)])
    house.pull()
    house.fills(("attic", "2024-01-11 00:00:00", 11), ("attic", "2024-01-08 12:00:00", 8.5), ("roof", "2024-01-03", 1))
    report = house.pull()
    assert (report.rows_in, report.counts.new, report.counts.unchanged) == (5, 2, 3)
    assert house.pull(more='timezone = "UTC"\noverlap_hours = 240').counts.new == 1  # the roof's, eight days late


def test_an_overlap_of_nothing_is_the_newest_reading_alone(house: House) -> None:
    house.fills(*[("attic", f"2024-01-01 {hour:02d}:00:00", hour) for hour in range(24)])
    house.pull(more='timezone = "Etc/UTC"\noverlap_hours = 0')
    assert house.pull(more="time_format = '%Y-%m-%d %H:%M:%S'\ntimezone = 'UTC'\noverlap_hours = 0").rows_in == 2


def test_the_first_pull_begins_where_its_owner_says(house: House) -> None:
    house.fills(("attic", "2023-12-31 23:00:00", 1), ("attic", "2024-01-01 00:00:00", 2), ("attic", "2024-01-02", 3))
    assert house.pull(more="start = 2024-01-01\ntime_format = '%Y-%m-%d %H:%M:%S'\ntimezone = 'UTC'").rows_in == 3


@pytest.mark.parametrize(("unit", "factor"), [("s", 1), ("ms", 1000)])
def test_times_that_are_numbers_are_asked_for_as_numbers(house: House, unit: str, factor: int) -> None:
    first = 1704067200  # 2024-01-01T00:00Z
    house.fills(*[("attic", (first + 3600 * hour + 0.25) * factor, hour) for hour in range(100)])
    settings = f'time_format = "epoch_{unit}"\noverlap_hours = 6'
    assert house.pull(more=settings).counts.new == 100
    assert house.pull(more=settings).rows_in == 7


def test_a_clock_on_a_wall_is_asked_for_as_such(house: House) -> None:
    """In the hour that autumn repeats, a later reading shows an earlier time."""
    settings = 'timezone = "Europe/Berlin"\noverlap_hours = 0'
    clocks = ("01:30", "02:10", "02:40", "02:10", "02:40")
    house.fills(*[("attic", f"2023-10-29 {clock}:00", value) for value, clock in enumerate(clocks)])
    house.does("UPDATE readings SET temp = NULL WHERE temp > 2")
    assert house.pull(more=settings).counts.new == 3
    house.does("UPDATE readings SET temp = 3 WHERE temp IS NULL AND time LIKE '% 02:10:00'")
    assert house.pull(more=settings).counts.new == 1
    assert list(house.kept)[-1] == ("attic", "10-29 01:10")


def test_stations_with_clocks_of_their_own_are_asked_for_by_the_earliest(house: House) -> None:
    (house.home / "data").mkdir()
    (house.home / "data" / "stations.csv").write_text("station_id,timezone\neast,Asia/Tokyo\nwest,America/New_York\n")
    house.fills(("east", "2024-01-01 14:00:00", 1), ("west", "2024-01-01 00:00:00", 2))
    house.pull(more="overlap_hours = 0")
    assert house.kept == {("east", "01-01 05:00"): 1.0, ("west", "01-01 05:00"): 2.0}
    house.fills(("east", "2024-01-01 15:00:00", 3), ("west", "2024-01-01 01:00:00", 4))
    assert house.pull(more="overlap_hours = 0").counts.new == 2


def test_rows_that_make_no_sense_are_quarantined_once(house: House) -> None:
    house.fills(
        ("attic", "2024-01-01 00:00:00", None), (None, "2024-01-01 01:00:00", 5), ("attic", None, 5),
        ("attic", "2024-01-01 02:00:00", "unavailable"), ("attic", "2024-01-01 03:00:00", 5), ("attic", "soon", 5),
    )  # fmt: skip
    everything = f"{READINGS} WHERE :since IS NOT NULL"
    first = house.pull(everything)
    assert (first.rows_in, first.counts.new, first.quarantined) == (6, 1, 5)
    house.pull(everything)
    rows = quarantined(house.workspace())
    assert len(rows) == 5
    assert set(rows["position"]) == {
        "query#attic 2024-01-01 00:00:00", "query#? 2024-01-01 01:00:00", "query#attic ?",
        "query#attic 2024-01-01 02:00:00", "query#attic soon",
    }  # fmt: skip
    assert any('"temp": null' in raw for raw in rows["raw"])
    house.does("UPDATE readings SET sensor = 'cellar' WHERE sensor IS NULL")
    house.does("UPDATE readings SET temp = 4 WHERE temp IS NULL")
    assert house.pull(everything).counts.new == 2


def test_what_a_mended_setting_makes_sense_of_leaves_the_quarantine(house: House) -> None:
    house.fills(*[("attic", f"2024-01-{day:02d} 00:00:00", day) for day in range(1, 11)])
    assert house.pull(READINGS, more='timezone = "UTC"\ntime_format = "%d.%m.%Y"').quarantined == 10
    assert house.pull(READINGS, more='timezone = "UTC"').counts.new == 10
    assert quarantined(house.workspace()).empty


def test_a_query_without_since_is_read_whole(house: House) -> None:
    house.fills(*[("attic", f"2024-01-{day:02d}", day) for day in range(1, 31)])
    house.pull(READINGS)
    assert house.pull(READINGS).counts.unchanged == 30


def test_one_station_is_called_like_its_source(house: House) -> None:
    house.fills(("", "2024-01-01", 5))
    house.pull("SELECT time, temp FROM readings")
    assert house.kept == {("house", "01-01 00:00"): 5.0}


def test_units_and_covariates_are_mapped_as_for_files(house: House) -> None:
    house.does("CREATE TABLE wide (at, temp_f, slp, door)")
    house.does(
        "INSERT INTO wide VALUES (?, ?, ?, ?)", [("2024-01-01", 50, 29.92, "open"), ("2024-01-02", 41, None, "off")]
    )
    covariates = '[source.house.covariates]\npressure_hpa = { column = "slp", unit = "inHg" }\ndoor_open = "door"'
    house.pull("SELECT at, temp_f, slp, door FROM wide", more=f'time = "at"\ntimezone = "UTC"\n{covariates}')
    frame = ReadingsStore(house.workspace().readings).read(CLOCK, covariates=True)
    assert frame["temperature_c"].round(2).tolist() == [10.0, 5.0]
    assert frame["pressure_hpa"].round(0).tolist()[0] == 1013
    assert frame["door_open"].tolist() == [1.0, 0.0]


def test_a_column_a_station(house: House) -> None:
    house.does("CREATE TABLE rooms (time, attic, cellar)")
    house.does("INSERT INTO rooms VALUES (?, ?, ?)", [("2024-01-01", 5.0, 11.0), ("2024-01-02", None, 12.0)])
    assert house.pull("SELECT * FROM rooms").counts.new == 3
    assert set(house.kept) == {("attic", "01-01 00:00"), ("cellar", "01-01 00:00"), ("cellar", "01-02 00:00")}


def test_rows_come_in_parts_that_are_understood_alike(house: House) -> None:
    house.fills(*[("attic", f"2024-01-01 {hour:02d}:00:00", 280 + hour) for hour in range(24)])
    house.fills(("attic", "2024-01-02 00:00:00", 20))  # alone it would pass for 20 °C
    workspace = house.workspace()
    source = SqlSource("house", workspace.settings.source["house"], Ingestion(workspace, CLOCK).context, rows_at_once=8)
    parts = [len(rows.understood) for rows in source.read(None, CLOCK)]
    assert parts == [8, 8, 8, 1]
    assert ingest_from(workspace, [source], CLOCK).quarantined == 1


def test_nothing_is_ever_written(house: House) -> None:
    house.fills(("attic", "2024-01-01", 5))
    with pytest.raises(SourceError, match="source 'house': the database says: attempt to write a readonly database"):
        house.pull("DELETE FROM readings")
    with pytest.raises(SourceError, match="no SQLite database at"):
        house.pull(url="sqlite:///elsewhere.db")
    assert not (house.home / "elsewhere.db").exists()
    house.pull()
    assert house.kept


def test_a_query_that_brings_nothing_says_why_that_may_be(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.fills(("attic", 1704067200, 5))
    with caplog.at_level(logging.WARNING):
        house.pull()
    assert 'If its times are numbers, say so: time_format = "epoch_s"' in caplog.text


def test_home_assistant_is_read_as_documented(house: House) -> None:
    hour, rows = 1704067200, 100  # 2024-01-01T00:00Z
    for statement in (
        "CREATE TABLE statistics_meta (id INTEGER, statistic_id VARCHAR(255), unit_of_measurement VARCHAR(255))",
        "CREATE TABLE statistics (metadata_id INTEGER, start_ts FLOAT, mean FLOAT)",
        "CREATE TABLE states_meta (metadata_id INTEGER, entity_id VARCHAR(255))",
        "CREATE TABLE states (metadata_id INTEGER, state VARCHAR(255), last_updated_ts FLOAT)",
        "INSERT INTO statistics_meta VALUES (1, 'sensor.attic_temperature', '°C'), (2, 'sensor.power', 'W')",
        "INSERT INTO states_meta VALUES (7, 'sensor.cellar_temperature'), (8, 'light.hall')",
        f"INSERT INTO states VALUES (7, '11.5', {hour + 60.25}), (7, 'unavailable', {hour + 90}), (8, 'on', {hour})",
    ):
        house.does(statement)
    means = [(station, hour + 3600.0 * number, number % 7) for station in (1, 2) for number in range(rows)]
    house.does("INSERT INTO statistics VALUES (?, ?, ?)", means)
    workspace = house.workspace()
    context = Ingestion(workspace, CLOCK).context

    def source(name: str) -> SqlSource:
        return SqlSource(name, documented(name).model_copy(update={"url": "sqlite:///house.db"}), context)

    report = ingest_from(workspace, [source("home"), source("states")], CLOCK)
    assert (report.counts.new, report.quarantined) == (rows + 1, 0)
    assert min(house.kept) == ("sensor.attic_temperature", "01-01 01:00")  # when that hour's mean was known
    assert max(house.kept) == ("sensor.cellar_temperature", "01-01 00:01")
    assert ingest_from(workspace, [source("home")], CLOCK).rows_in == 49


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"query": "SELECT missing FROM readings"}, SourceError, "source 'house': the database says: no such column"),
        ({"query": "SELECT temp, temp FROM readings"}, SettingsError, "query returns two columns 'temp'"),
        ({"query": f"{READINGS} WHERE time > :after"}, SettingsError, "query asks for :after; the only"),
        ({"query": ""}, SettingsError, "an sql source needs a query"),
        ({"url": ""}, SettingsError, "an sql source needs a url"),
        ({"url": "house.db"}, SettingsError, "url is no SQLAlchemy URL"),
        ({"url": "nosql://127.0.0.1/x"}, SettingsError, "SQLAlchemy knows no 'nosql'"),
        ({"url": "mysql+pymysql://127.0.0.1/x"}, SettingsError, "not installed. Run: pip install 'pymysql'"),
        ({"url": f"postgresql://me:{SECRET}@127.0.0.1/x"}, SettingsError, "url holds a secret. Write ${MY_SECRET}"),
        ({"url": "postgresql://me:${NOT_THERE}@127.0.0.1/x"}, SettingsError, "${NOT_THERE}, which the environment"),
        ({"more": ""}, SettingsError, "names no zone. Say which: [source.house] timezone"),
        ({"more": 'station = "{file}"'}, SettingsError, "a query has no file's name"),
        ({"more": 'station = "device"'}, SettingsError, "no column 'device' for station; found: sensor, time, temp"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_words(
    house: House, settings: dict[str, str], error: type[Exception], words: str
) -> None:
    house.fills(("attic", "2024-01-01", 5))
    with pytest.raises(error) as caught:
        house.pull(**settings)
    assert words in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_password_of_the_environment_is_never_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOUSE_PASSWORD", f"{SECRET}/@:%")
    monkeypatch.setenv("HOUSE_URL", f"postgresql://me:{SECRET}@127.0.0.1:9/{SECRET}")
    for url in ("postgresql://me:${HOUSE_PASSWORD}@127.0.0.1:9/house", "${HOUSE_URL}"):
        with pytest.raises(
            SourceError, match=r"the database says: connection failed: .*127\.0\.0\.1.*port 9"
        ) as caught:
            house.pull(url=url)
        assert SECRET not in str(caught.value)


def test_a_pull_that_broke_begins_anew_whatever_the_order_of_its_rows(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Station by station, as a table without an order is read: the newest reading kept says nothing of the others."""
    hours = [f"2024-01-{day:02d} {hour:02d}:00:00" for day in range(1, 25) for hour in range(24)]
    house.fills(*[(station, hour, number % 7) for station in "abc" for number, hour in enumerate(hours)])
    whole, read = SqlSource._understood, 0

    def breaks_off(source: SqlSource, *args: Any) -> Any:
        nonlocal read
        read += 1
        if read > 1:
            raise SourceError("the connection was lost")
        return whole(source, *args)

    with monkeypatch.context() as patch:
        patch.setattr(SqlSource, "_understood", breaks_off)
        patch.setattr(SqlSource.__init__, "__defaults__", (len(hours) + 100,))
        with pytest.raises(SourceError, match="the connection was lost"):
            house.pull()
    assert 0 < len(house.kept) < 3 * len(hours)
    house.pull()
    assert len(house.kept) == 3 * len(hours)
    assert house.pull().rows_in < len(house.kept)  # and once it ended well, only what is new is asked for
