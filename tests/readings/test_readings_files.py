"""Files of a source: found, read once, known again by their content, and refused by file, line and way out."""

import gzip
import json
import logging
import os

import fsspec
import pandas as pd
import pytest
from pydantic import ValidationError

from lstm_model.errors import SettingsError, SourceError
from lstm_model.readings.ingestion import Ingestion
from lstm_model.settings import SourceSettings
from lstm_model.workspace import Workspace

NOW = pd.Timestamp("2025-01-01T00:00Z")
HEADER = "station_id,observed_at,temperature_c\n"
A_ROW = "a,2024-01-01T00:00Z,1\n"


@pytest.fixture
def source(tmp_path):
    """The source `cellar` of this workspace, opened anew with the settings given."""

    def source(path="inbox.csv", **settings):
        work = Ingestion(Workspace.find(tmp_path, {}), NOW)
        return work.open("cellar", SourceSettings(path=path, **settings))

    return source


@pytest.fixture
def put(tmp_path):
    """Write a file of the workspace."""

    def put(name, content):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    return put


@pytest.fixture
def read(source, put):
    """Read one file's text with the settings given."""

    def read(text, **settings):
        put("inbox.csv", text)
        (rows,) = source(**settings).read(None, NOW)
        return rows

    return read


def taken(source):
    """What a source yields, as (station, temperature) of its rows; and it is told that all is kept."""
    rows = [row for batch in source.read(None, NOW) for row in zip(stations(batch), temperatures(batch), strict=True)]
    source.confirm(NOW)
    return rows


def stations(rows):
    return rows.understood["station_id"].tolist()


def temperatures(rows):
    return rows.understood["temperature_c"].tolist()


def times(rows):
    return [None if pd.isna(time) else time.isoformat() for time in rows.understood["observed_at"]]


def hours(*numbers):
    return "".join(f"a,2024-01-01T{number:02}:00Z,{number}\n" for number in numbers)


@pytest.mark.parametrize(
    "header",
    ["station_id,observed_at,temperature_c", "Sensor,Timestamp,Temp", "device,DateTime,value", " site , time , t "],
)
def test_columns_are_guessed(read, header):
    rows = read(f"{header}\nattic,2024-01-01T00:00Z,1.5\n")
    assert stations(rows) == ["attic"]
    assert times(rows) == ["2024-01-01T00:00:00+00:00"]
    assert temperatures(rows) == [1.5]


def test_named_columns_beat_the_guess(read):
    rows = read(
        "id,room,time,seen,temp,outside\nx,attic,2024-01-01T00:00Z,2024-01-02T00:00Z,1,2\n",
        station="room", time="seen", temperature="outside",
    )  # fmt: skip
    assert stations(rows) == ["attic"]
    assert times(rows) == ["2024-01-02T00:00:00+00:00"]
    assert temperatures(rows) == [2.0]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_found_out(read, delimiter):
    text = "sensor,timestamp,temp\nattic,2024-01-01T00:00Z,1.5\ncellar,2024-01-01T00:00Z,2.5\n"
    rows = read(text.replace(",", delimiter))
    assert stations(rows) == ["attic", "cellar"]
    assert temperatures(rows) == [1.5, 2.5]


@pytest.mark.parametrize(("unit", "value"), [("C", "25"), ("F", "77"), ("K", "298.15")])
def test_units_become_celsius(read, unit, value):
    rows = read(f"{HEADER}a,2024-01-01T00:00Z,{value}\n", unit=unit)
    assert temperatures(rows) == pytest.approx([25.0])


@pytest.mark.parametrize(
    "text", ["2024-01-01T10:00Z", "2024-01-01 12:00:00+02:00", "2024-01-01T05:00-0500", "2024-01-01T10:00:00.000Z"]
)
def test_a_time_with_a_zone_becomes_utc(read, text):
    assert times(read(f"{HEADER}a,{text},1\n")) == ["2024-01-01T10:00:00+00:00"]


def test_a_naive_time_names_file_line_and_way_out(read):
    with pytest.raises(SettingsError) as caught:
        read(f"{HEADER}a,2024-01-01T00:00Z,1\na,2024-01-01T01:00,1\n")
    message = str(caught.value)
    assert message.startswith("inbox.csv:3: the time '2024-01-01T01:00' names no zone")
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
    assert temperatures(rows) == pytest.approx([float("nan"), 2.0], nan_ok=True)


def test_a_byte_order_mark_is_no_part_of_the_first_column(read):
    assert len(read(f"\ufeff{HEADER}{A_ROW}").understood) == 1


def test_a_file_that_is_no_text_is_an_error_that_names_it(source, put):
    put("a.csv", b"\xff\xfe\x00\x01")
    with pytest.raises(SourceError, match=r"a\.csv: cannot be read as CSV"):
        list(source("a.csv").read(None, NOW))


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
    assert [bool(fault) for fault in rows.fault] == [False, True, False]


def test_a_delimiter_at_the_end_of_every_row_does_no_harm(read):
    rows = read(f"{HEADER}a,2024-01-01T00:00Z,1,\na,2024-01-01T01:00Z,2,\n")
    assert temperatures(rows) == [1.0, 2.0]


def test_an_empty_file_is_an_error_that_names_it(read):
    with pytest.raises(SourceError, match=r"^inbox\.csv: the file is empty"):
        read("")


def test_a_comma_in_the_header_does_not_hide_the_semicolons(read):
    rows = read("sensor;timestamp;temp;note (a, b)\nattic;2024-01-01T00:00Z;2.5;x\n")
    assert temperatures(rows) == [2.5]


def test_a_position_counts_empty_lines(read):
    assert read(f"{HEADER}a,2024-01-01T00:00Z,1\n\na,oops,2\n").position.tolist()[-1] == "inbox.csv:4"


def test_a_damaged_archive_is_an_error_that_names_it(source, put):
    put("a.csv.gz", gzip.compress(HEADER.encode())[:-4])
    with pytest.raises(SourceError, match=r"^a\.csv\.gz: the gzip archive is damaged or still being written"):
        list(source("a.csv.gz").read(None, NOW))


@pytest.mark.parametrize("path", ["in [box]", "in [box]/*.csv", "in [[]box]/*", "./in [box]", "**/*.csv"])
def test_a_folder_and_a_glob_are_read_in_order_of_name(source, put, path):
    for name in ("b", "a"):
        put(f"in [box]/{name}.csv", f"{HEADER}{name},2024-01-01T00:00Z,1\n")
    path = path.replace("in [box]/*", "in [[]box]/*")
    assert [stations(rows) for rows in source(path).read(None, NOW)] == [["a"], ["b"]]


def test_folders_are_read_through_where_the_glob_says_so(source, put):
    put("inbox/2024/roof/a.csv", HEADER + A_ROW)
    put("inbox/b.csv", HEADER + hours(1))
    assert [rows.position.item() for rows in source("inbox/*.csv").read(None, NOW)] == ["inbox/b.csv:2"]
    positions = [rows.position.item() for rows in source("inbox/**/*.csv").read(None, NOW)]
    assert positions == ["inbox/2024/roof/a.csv:2", "inbox/b.csv:2"]


def test_a_path_may_lie_outside_the_workspace(source, tmp_path_factory):
    file = tmp_path_factory.mktemp("elsewhere") / "a.csv"
    file.write_text(HEADER + A_ROW)
    (rows,) = source(str(file)).read(None, NOW)
    assert rows.position.item() == f"{file}:2"


@pytest.mark.parametrize("name", ["a.csv.tmp", "a.csv.part", "a.partial", "a.csv.crdownload", "a.csv~", ".a.csv"])
def test_a_file_that_is_not_finished_is_left_out(source, put, name):
    put(f"inbox/{name}", HEADER + A_ROW)
    assert list(source("inbox").read(None, NOW)) == []


def test_a_glob_or_a_folder_without_files_is_no_error(source, put, caplog):
    assert list(source("inbox/*.csv").read(None, NOW)) == []
    put("empty/b.tmp", "")
    with caplog.at_level(logging.WARNING, "nightcast.ingest"):
        assert list(source("empty").read(None, NOW)) == []
    assert "cellar: no file matches" in caplog.text


def test_a_file_that_is_not_there_is_an_error_that_names_it(source):
    with pytest.raises(SourceError, match=r"source 'cellar': no file at .*gone\.csv. Mend `path`, or put the file th"):
        list(source("gone.csv").read(None, NOW))


def test_a_source_without_a_path_is_refused_with_the_way_out(source):
    with pytest.raises(SettingsError, match=r"source\.cellar: a files source needs a path, for example path ="):
        source(None)


@pytest.fixture
def bucket():
    """A remote folder, empty before and after."""
    system = fsspec.filesystem("memory")
    system.pipe("/bucket/b.csv", (HEADER + hours(2)).encode())
    system.pipe("/bucket/a.csv.gz", gzip.compress((HEADER + hours(1)).encode()))
    system.pipe("/bucket/c.csv.tmp", b"")
    yield system
    system.rm("/bucket", recursive=True)


@pytest.mark.parametrize("url", ["memory://bucket", "memory://bucket/", "memory://bucket/*.csv*"])
def test_a_url_is_read_like_a_folder(bucket, source, url):
    positions = [rows.position.item() for rows in source(url).read(None, NOW)]
    assert positions == ["memory:///bucket/a.csv.gz:2", "memory:///bucket/b.csv:2"]


def test_a_remote_file_is_known_again_until_it_changes(bucket, source):
    assert taken(source("memory://bucket/b.csv")) == [("a", 2.0)]
    assert taken(source("memory://bucket/b.csv")) == []
    bucket.pipe("/bucket/b.csv", (HEADER + hours(2, 3)).encode())
    assert taken(source("memory://bucket/b.csv")) == [("a", 3.0)]


@pytest.mark.parametrize("url", ["memory://bucket/gone.csv", "memory://nowhere/gone.csv"])
def test_a_remote_file_that_is_not_there_is_an_error_that_names_it(bucket, source, url):
    with pytest.raises(SourceError, match=f"source 'cellar': no file at {url}. Mend `path`, or put the file there."):
        list(source(url).read(None, NOW))


def test_a_protocol_nobody_knows_is_an_error_that_names_it(source):
    with pytest.raises(SettingsError, match=r"^source\.cellar: path = 'carrier://pigeon': .*carrier"):
        list(source("carrier://pigeon").read(None, NOW))


def test_a_file_taken_in_is_not_read_again(source, put):
    put("inbox/a.csv", HEADER + A_ROW)
    assert taken(source("inbox")) == [("a", 1.0)]
    assert taken(source("inbox")) == []


def test_a_file_read_but_not_kept_is_read_again(source, put):
    put("inbox/a.csv", HEADER + A_ROW)
    for _ in range(2):
        assert len(list(source("inbox").read(None, NOW))) == 1


def test_a_renamed_a_copied_and_a_touched_file_cost_nothing(source, put, tmp_path, caplog):
    file = put("inbox/a.csv", HEADER + A_ROW)
    taken(source("inbox"))
    file.rename(tmp_path / "inbox" / "b.csv")
    put("inbox/c.csv", HEADER + A_ROW)
    put("inbox/d.csv.gz", gzip.compress((HEADER + A_ROW).encode()))
    os.utime(tmp_path / "inbox" / "b.csv", (1, 1))
    with caplog.at_level(logging.INFO, "nightcast.ingest"):
        assert taken(source("inbox")) == []
    assert "cellar: 3 of its files were taken in before" in caplog.text


def test_of_two_files_with_one_content_one_is_read(source, put):
    put("inbox/a.csv", HEADER + A_ROW)
    put("inbox/b.csv", HEADER + A_ROW)
    assert taken(source("inbox")) == [("a", 1.0)]


def test_of_a_grown_file_only_the_new_rows_are_read(source, put):
    put("inbox/a.csv", HEADER + hours(1, 2))
    taken(source("inbox"))
    put("inbox/a.csv", HEADER + hours(1, 2, 3))
    (rows,) = source("inbox").read(None, NOW)
    assert temperatures(rows) == [3.0]
    assert rows.position.tolist() == ["inbox/a.csv:4"]


@pytest.mark.parametrize("grow", [lambda text: text.encode(), lambda text: gzip.compress(text.encode())])
def test_a_file_that_grew_under_another_name_yields_its_new_rows(source, put, grow):
    put("inbox/a.csv", grow(HEADER + hours(1, 2)))
    taken(source("inbox"))
    put("inbox/b.csv", grow(HEADER + hours(1, 2, 3)))
    assert taken(source("inbox")) == [("a", 3.0)]
    put("inbox/c.csv", grow(HEADER + hours(1, 2, 4)))
    assert taken(source("inbox")) == [("a", 4.0)]


@pytest.mark.parametrize("cut", [1, 3, 12])
def test_a_last_line_that_was_half_written_is_read_again(source, put, cut):
    whole = HEADER + hours(1, 2)
    put("inbox/a.csv", whole[:-cut])
    taken(source("inbox"))
    put("inbox/a.csv", whole + hours(3))
    assert taken(source("inbox")) == [("a", 2.0), ("a", 3.0)]


def test_a_file_that_was_changed_and_not_only_grown_is_read_whole(source, put):
    put("inbox/a.csv", HEADER + hours(1, 2))
    taken(source("inbox"))
    put("inbox/a.csv", HEADER + hours(0, 2, 3))
    assert taken(source("inbox")) == [("a", 0.0), ("a", 2.0), ("a", 3.0)]


def test_json_lines_that_grew_yield_their_new_rows(source, put):
    line = '{{"sensor": "a", "time": "2024-01-01T0{0}:00Z", "temp": {0}}}\n'
    put("inbox/a.jsonl", line.format(1))
    taken(source("inbox"))
    put("inbox/a.jsonl", line.format(1) + line.format(2))
    assert taken(source("inbox")) == [("a", 2.0)]


def test_a_row_that_waits_in_quarantine_is_read_again_when_its_file_grows(source, put, tmp_path):
    put("inbox/a.csv", HEADER + hours(1, 2))
    taken(source("inbox"))
    names, cells = HEADER.strip().split(","), hours(1).strip().split(",")
    raw = json.dumps(dict(zip(names, cells, strict=True)))
    waiting = {"raw": raw, "reason": "?", "source": "cellar", "position": "inbox/a.csv:2", "ingested_at": NOW}
    other = waiting | {"raw": "{}", "position": "inbox/a.csv:3"}  # of another row that once stood there
    Ingestion(Workspace.find(tmp_path, {}), NOW).quarantine.keep(pd.DataFrame([waiting, other]))
    assert taken(source("inbox")) == []
    put("inbox/a.csv", HEADER + hours(1, 2, 3))
    assert taken(source("inbox")) == [("a", 3.0), ("a", 1.0)]


@pytest.mark.parametrize(
    "said", [{"unit": "F"}, {"timezone": "UTC"}, {"covariates": {"humidity_pct": "temperature_c"}}]
)
def test_files_are_read_again_when_they_are_understood_differently(source, put, said):
    put("inbox/a.csv", HEADER + A_ROW)
    taken(source("inbox"))
    assert len(taken(source("inbox", **said))) == 1
    assert taken(source("inbox", **said)) == []


def test_files_are_read_again_when_their_owner_says_more_of_a_station(source, put):
    put("inbox/a.csv", HEADER + hours(1))
    taken(source("inbox"))
    put("data/stations.csv", "station_id,name,spike_c\na,Attic,3\n")
    assert taken(source("inbox")) == []  # neither changes how a file is understood
    put("data/stations.csv", "station_id,unit\na,K\n")
    assert taken(source("inbox")) == [("a", pytest.approx(-272.15))]


def test_what_is_known_of_one_source_says_nothing_of_another(source, put, tmp_path):
    put("inbox/a.csv", HEADER + A_ROW)
    taken(source("inbox"))
    other = Ingestion(Workspace.find(tmp_path, {}), NOW).open("attic", SourceSettings(path="inbox"))
    assert taken(other) == [("a", 1.0)]


def test_what_was_understood_is_told_once(source, put, caplog):
    put("inbox/a.csv", HEADER + hours(1))
    put("inbox/b.csv", HEADER + hours(2))
    put("inbox/c.csv", "sensor;time;temp\na;2024-01-01T00:00Z;1,5\n")
    with caplog.at_level(logging.INFO, "nightcast.ingest"):
        taken(source("inbox"))
    assert [record.getMessage().split(";")[0] for record in caplog.records] == [
        "cellar: inbox/a.csv: CSV, columns divided by ',', UTF-8",
        "cellar: inbox/c.csv: CSV, columns divided by '",
    ]


def test_equal_files_of_two_stations_are_both_read(source, put):
    text = "time,temp\n2024-01-01T00:00Z,5\n"
    put("inbox/attic.csv", text)
    put("inbox/cellar.csv", text)
    assert taken(source("inbox")) == [("attic", 5.0), ("cellar", 5.0)]
    put("inbox/roof.csv", text + "2024-01-01T01:00Z,6\n")  # begins like the others
    assert taken(source("inbox")) == [("roof", 5.0), ("roof", 6.0)]
    put("elsewhere/attic.csv", text)
    assert taken(source("**/*.csv")) == []


def test_a_touched_file_of_one_station_hides_no_other_station(source, put, tmp_path):
    text = "time,temp\n2024-01-01T00:00Z,5\n"
    put("inbox/attic.csv", text)
    assert taken(source("inbox")) == [("attic", 5.0)]
    os.utime(tmp_path / "inbox" / "attic.csv", (1, 1))
    assert taken(source("inbox")) == []
    put("inbox/cellar.csv", text)
    put("inbox/roof.csv", text + "2024-01-01T01:00Z,6\n")
    assert taken(source("inbox")) == [("cellar", 5.0), ("roof", 5.0), ("roof", 6.0)]


def test_what_came_first_is_told_station_by_station(source, put):
    text = "time,temp\n2024-01-01T00:00Z,5\n"
    put("inbox/attic.csv", text)
    assert taken(source("inbox")) == [("attic", 5.0)]
    put("inbox/cellar.csv", text)
    attic, cellar = source("inbox", unit="F").read(None, NOW)
    assert (attic.came_at.tolist(), cellar.came_at) == ([NOW], None)


def test_what_is_appended_before_a_file_is_noted_comes_next_time(source, put):
    put("inbox/a.csv", HEADER + hours(1))
    now = source("inbox")
    list(now.read(None, NOW))
    put("inbox/a.csv", HEADER + hours(1, 2))
    now.confirm(NOW)
    assert taken(source("inbox")) == [("a", 2.0)]
