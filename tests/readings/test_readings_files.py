"""CSV files: guessed columns, units, zones, and messages that name the line and the way out."""

import pandas as pd
import pytest
from pydantic import ValidationError

from lstm_model.errors import SettingsError, SourceError
from lstm_model.readings.files import FilesSource
from lstm_model.settings import SourceSettings

NOW = pd.Timestamp("2025-01-01T00:00Z")
HEADER = "station_id,observed_at,temperature_c\n"


@pytest.fixture
def read(tmp_path):
    """Read one file's text with the settings given."""

    def read(text, **settings):
        (tmp_path / "inbox.csv").write_text(text, encoding="utf-8")
        source = FilesSource("cellar", SourceSettings(path="inbox.csv", **settings), tmp_path)
        (rows,) = source.read(None, NOW)
        return rows

    return read


def times(rows):
    return [None if pd.isna(time) else time.isoformat() for time in rows.understood["observed_at"]]


@pytest.mark.parametrize(
    "header",
    ["station_id,observed_at,temperature_c", "Sensor,Timestamp,Temp", "device,DateTime,value", " site , time , t "],
)
def test_columns_are_guessed(read, header):
    rows = read(f"{header}\nattic,2024-01-01T00:00Z,1.5\n")
    assert rows.understood["station_id"].tolist() == ["attic"]
    assert times(rows) == ["2024-01-01T00:00:00+00:00"]
    assert rows.understood["temperature_c"].tolist() == [1.5]


def test_named_columns_beat_the_guess(read):
    rows = read(
        "id,room,time,seen,temp,outside\nx,attic,2024-01-01T00:00Z,2024-01-02T00:00Z,1,2\n",
        station="room", time="seen", temperature="outside",
    )  # fmt: skip
    assert rows.understood["station_id"].tolist() == ["attic"]
    assert times(rows) == ["2024-01-02T00:00:00+00:00"]
    assert rows.understood["temperature_c"].tolist() == [2.0]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_found_out(read, delimiter):
    text = "sensor,timestamp,temp\nattic,2024-01-01T00:00Z,1.5\ncellar,2024-01-01T00:00Z,2.5\n"
    rows = read(text.replace(",", delimiter))
    assert rows.understood["station_id"].tolist() == ["attic", "cellar"]
    assert rows.understood["temperature_c"].tolist() == [1.5, 2.5]


@pytest.mark.parametrize(("unit", "value"), [("C", "25"), ("F", "77"), ("K", "298.15")])
def test_units_become_celsius(read, unit, value):
    rows = read(f"{HEADER}a,2024-01-01T00:00Z,{value}\n", unit=unit)
    assert rows.understood["temperature_c"].tolist() == pytest.approx([25.0])


@pytest.mark.parametrize(
    "text", ["2024-01-01T10:00Z", "2024-01-01 12:00:00+02:00", "2024-01-01T05:00-0500", "2024-01-01T10:00:00.000Z"]
)
def test_a_time_with_a_zone_becomes_utc(read, text):
    assert times(read(f"{HEADER}a,{text},1\n")) == ["2024-01-01T10:00:00+00:00"]


def test_a_naive_time_names_file_line_and_way_out(read, tmp_path):
    with pytest.raises(SettingsError) as caught:
        read(f"{HEADER}a,2024-01-01T00:00Z,1\na,2024-01-01T01:00,1\n")
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'inbox.csv'}:3: the time '2024-01-01T01:00' names no zone")
    assert '[source.cellar] timezone = "UTC"' in message


def test_naive_times_are_read_in_the_zone_given(read):
    rows = read(f"{HEADER}a,2024-01-15 12:00,1\na,2024-07-15 12:00,1\n", timezone="Europe/Berlin")
    assert times(rows) == ["2024-01-15T11:00:00+00:00", "2024-07-15T10:00:00+00:00"]


def test_an_hour_that_a_clock_change_repeats_or_skips_has_no_time(read):
    rows = read(
        f"{HEADER}a,2024-03-31 01:59,1\na,2024-03-31 02:30,1\na,2024-03-31 03:00,1\n"
        "a,2024-10-27 01:59,1\na,2024-10-27 02:30,1\na,2024-10-27 03:00,1\n",
        timezone="Europe/Berlin",
    )
    assert times(rows) == [
        "2024-03-31T00:59:00+00:00",
        None,
        "2024-03-31T01:00:00+00:00",
        "2024-10-26T23:59:00+00:00",
        None,
        "2024-10-27T02:00:00+00:00",
    ]


def test_the_repeated_hour_is_clear_where_the_times_say_their_offset(read):
    rows = read(f"{HEADER}a,2024-10-27T02:30+02:00,1\na,2024-10-27T02:30+01:00,1\n", timezone="Europe/Berlin")
    assert times(rows) == ["2024-10-27T00:30:00+00:00", "2024-10-27T01:30:00+00:00"]


def test_a_missing_column_lists_the_columns_found(read):
    with pytest.raises(SettingsError) as caught:
        read("sensor,wann,temp\na,2024-01-01T00:00Z,1\n")
    assert "no column looks like the time; found: sensor, wann, temp" in str(caught.value)
    assert "[source.cellar] time" in str(caught.value)


def test_a_named_column_that_is_not_there_lists_the_columns_found(read):
    with pytest.raises(SettingsError, match="no column 'temp_f' for temperature; found: sensor, time, temp"):
        read("sensor,time,temp\na,2024-01-01T00:00Z,1\n", temperature="temp_f")


def test_what_makes_no_sense_is_missing_and_what_came_is_kept(read):
    rows = read(f"{HEADER}  ,yesterday,warm\nNA,2024-01-01T00:00Z,1\n")
    assert rows.understood.iloc[0].isna().all()
    assert rows.raw.iloc[0].tolist() == ["  ", "yesterday", "warm"]
    assert rows.understood["station_id"][1] == "NA"
    assert rows.position.tolist() == ["inbox.csv:2", "inbox.csv:3"]


def test_a_row_that_ends_early_costs_no_other_row(read):
    rows = read(f"{HEADER}a,2024-01-01T00:00Z\na,2024-01-01T01:00Z,2\n")
    assert rows.understood["temperature_c"].tolist() == pytest.approx([float("nan"), 2.0], nan_ok=True)


def test_a_byte_order_mark_is_no_part_of_the_first_column(read):
    assert len(read(f"\ufeff{HEADER}a,2024-01-01T00:00Z,1\n").understood) == 1


def test_a_glob_reads_every_file_in_order_of_name(tmp_path):
    for name in ("b", "a"):
        (tmp_path / f"{name}.csv").write_text(f"{HEADER}{name},2024-01-01T00:00Z,1\n", encoding="utf-8")
    source = FilesSource("cellar", SourceSettings(path="*.csv"), tmp_path)
    assert [rows.understood["station_id"].item() for rows in source.read(None, NOW)] == ["a", "b"]


def test_a_glob_without_files_is_no_error(tmp_path):
    assert list(FilesSource("cellar", SourceSettings(path="inbox/*.csv"), tmp_path).read(None, NOW)) == []


def test_a_file_that_is_not_there_is_an_error_that_names_it(tmp_path):
    with pytest.raises(SourceError, match=r"source 'cellar': no file at .*gone\.csv"):
        list(FilesSource("cellar", SourceSettings(path="gone.csv"), tmp_path).read(None, NOW))


def test_a_file_that_is_no_text_is_an_error_that_names_it(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(SourceError, match=r"a\.csv: cannot be read as CSV"):
        list(FilesSource("cellar", SourceSettings(path="a.csv"), tmp_path).read(None, NOW))


@pytest.mark.parametrize("text", ["2024-01-01T10:00:00.1234567Z", "2024-01-01T10:00:00.123456789+00:00"])
def test_a_time_finer_than_microseconds_is_cut_to_them(read, text):
    assert times(read(f"{HEADER}a,{text},1\n")) == ["2024-01-01T10:00:00.123456+00:00"]


@pytest.mark.parametrize("settings", [{}, {"timezone": "UTC"}], ids=["no zone", "zone"])
def test_an_offset_without_minutes_is_a_zone(read, settings):
    assert times(read(f"{HEADER}a,2024-01-01 11:00:00+01,1\n", **settings)) == ["2024-01-01T10:00:00+00:00"]


def test_an_unknown_zone_is_an_error_in_words(read):
    with pytest.raises(ValidationError, match="'Europe/Berlinn' is no known time zone"):
        read(f"{HEADER}a,2024-01-01 11:00,1\n", timezone="Europe/Berlinn")


def test_a_row_with_a_field_too_many_costs_no_other_row(read):
    rows = read(f"{HEADER}a,2024-01-01T00:00Z,1\na,2024-01-01T01:00Z,1,9\na,2024-01-01T02:00Z,3\n")
    assert times(rows)[::2] == ["2024-01-01T00:00:00+00:00", "2024-01-01T02:00:00+00:00"]


def test_a_delimiter_at_the_end_of_every_row_does_no_harm(read):
    rows = read(f"{HEADER}a,2024-01-01T00:00Z,1,\na,2024-01-01T01:00Z,2,\n")
    assert rows.understood["temperature_c"].tolist() == [1.0, 2.0]


def test_an_empty_file_is_an_error_that_names_it(read):
    with pytest.raises(SourceError, match=r"inbox\.csv"):
        read("")


def test_a_comma_in_the_header_does_not_hide_the_semicolons(read):
    rows = read("sensor;timestamp;temp;note (a, b)\nattic;2024-01-01T00:00Z;2.5;x\n")
    assert rows.understood["temperature_c"].tolist() == [2.5]


def test_a_position_counts_empty_lines(read):
    assert read(f"{HEADER}a,2024-01-01T00:00Z,1\n\na,oops,2\n").position.tolist()[-1] == "inbox.csv:4"
