"""What a table's columns mean: guessed or said, told either way, and understood without a wrong reading."""

import csv
import gzip
import io
import json
import tomllib

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lstm_model.errors import SettingsError
from lstm_model.readings.layout import FROM_FILE_NAME, recognise, understand
from lstm_model.readings.normalize import raws_of
from lstm_model.readings.stations import Station, Stations
from lstm_model.readings.tables import TOO_MANY_FIELDS, cells_of_raw, read_cells, unpack
from lstm_model.readings.times import REPEATED, UNREADABLE
from lstm_model.settings import SourceSettings

NOTHING = float("nan")
HOURLY = "2024-01-01T00:00Z", "2024-01-01T01:00Z", "2024-01-01T02:00Z"


def table(content):
    content = content if isinstance(content, bytes) else content.encode()
    return read_cells(unpack(content, "inbox/a.csv"), "inbox/a.csv")


def layout_of(content, **said):
    return recognise(table(content), SourceSettings(**said), "cellar", "inbox/a.csv")


def read(content, known=None, where="inbox/a.csv", **said):
    layout = recognise(table(content), SourceSettings(**said), "cellar", where)
    return understand(table(content), layout, known or Stations(), where, "cellar")


def readings(rows):
    """(station, time, temperature) of every row, nothing as None."""
    return [
        (
            None if pd.isna(row.station_id) else row.station_id,
            None if pd.isna(row.observed_at) else f"{row.observed_at:%Y-%m-%dT%H:%MZ}",
            None if pd.isna(row.temperature_c) else row.temperature_c,
        )
        for row in rows.understood.itertuples()
    ]


def parquet(frame):
    file = io.BytesIO()
    frame.to_parquet(file)
    return file.getvalue()


@pytest.mark.parametrize(
    "header",
    [
        "station_id,observed_at,temperature_c", "Sensor,Timestamp,Temp", "device,DateTime,value", " site , time , t ",
        "Device ID,Date Time,Temp (°C)", "entity_id,dt,state", "name,valid,air-temperature [°C]", "id,ts,celsius",
        "station,time_utc,temperature_2m (°C)", "location,Timestamp (UTC),Temperature °C",
        "Sensor-ID,time [UTC],temp C",
    ],
)  # fmt: skip
def test_columns_are_guessed(header):
    assert readings(read(f"{header}\nattic,2024-01-01T00:00Z,1.5\n")) == [("attic", "2024-01-01T00:00Z", 1.5)]


def test_the_likeliest_name_wins():
    layout = layout_of("id,name,sensor,date,timestamp,value,temp\n1,2,3,4,2024-01-01,6,7\n")
    assert (layout.station, layout.time, layout.temperature) == ("sensor", ("timestamp",), "temp")


def test_named_columns_beat_the_guess():
    rows = read(
        "id,room,time,seen,temp,outside\nx,attic,2024-01-01T00:00Z,2024-01-02T00:00Z,1,2\n",
        station="room", time="seen", temperature="outside",
    )  # fmt: skip
    assert readings(rows) == [("attic", "2024-01-02T00:00Z", 2.0)]


@pytest.mark.parametrize(
    ("where", "station"),
    [
        ("loggers/cold room 7.csv", "cold room 7"),
        ("loggers/cold-room.csv.gz", "cold-room"),
        ("loggers/28.FF4B1C.csv", "28.FF4B1C"),  # two sensors of one bus must not become one station
        ("loggers/28.FF4B1D.jsonl.gz", "28.FF4B1D"),
        ("s3://bucket/roof", "roof"),
    ],
)
@pytest.mark.parametrize("said", [{}, {"station": FROM_FILE_NAME}])
def test_without_a_column_the_station_is_called_like_its_file(where, station, said):
    rows = read("time,temp\n2024-01-01T00:00Z,1.5\n", where=where, **said)
    assert readings(rows) == [(station, "2024-01-01T00:00Z", 1.5)]


@pytest.mark.parametrize("said", [{}, {"time": ["Date", "Time"]}])
def test_a_date_and_a_time_are_read_together(said):
    rows = read("Date,Time,temp\n31.01.2024,10:00,1\n31.01.2024,,2\n,10:00,3\n", timezone="UTC", **said)
    assert readings(rows) == [("a", "2024-01-31T10:00Z", 1.0), ("a", None, 2.0), ("a", None, 3.0)]
    assert rows.fault.tolist() == ["", UNREADABLE, UNREADABLE]


WIDE = "time,kitchen,Attic C,3\n2024-01-01T00:00Z,1,2,3\n2024-01-01T01:00Z,4,,NA\n"


@pytest.mark.parametrize("said", [{}, {"layout": "wide"}])
def test_a_column_a_station_is_a_wide_table(said):
    rows = read(WIDE, **said)
    assert readings(rows) == [
        ("kitchen", HOURLY[0], 1.0), ("Attic C", HOURLY[0], 2.0), ("3", HOURLY[0], 3.0), ("kitchen", HOURLY[1], 4.0),
    ]  # fmt: skip
    assert rows.position.tolist() == ["inbox/a.csv:2"] * 3 + ["inbox/a.csv:3"]


@pytest.mark.parametrize("names", ["Site A,Site C,Site F", "Room K,Device C,x", "Sensor_C,Sensor_F,Sensor_K"])
def test_a_station_of_a_wide_table_may_end_like_a_unit(names):
    assert layout_of(f"time,{names}\n2024-01-01T00:00Z,1,2,3\n").wide


def test_a_wide_table_may_hold_a_few_words_and_empty_columns():
    text = "time,kitchen,attic,void\n" + "".join(f"2024-01-01T0{hour}:00Z,{hour},{hour},\n" for hour in range(9))
    rows = read(text + "2024-01-01T09:00Z,broken,9,\n")
    assert len(rows.raw) == 20
    assert rows.understood["temperature_c"].isna().sum() == 1


def test_a_column_of_words_makes_no_wide_table():
    with pytest.raises(SettingsError, match="no column looks like the temperature; found: time, kitchen, note"):
        layout_of("time,kitchen,note\n2024-01-01T00:00Z,1,fine\n")


def test_a_column_without_a_name_is_no_station():
    rows = read(",time,kitchen,\n0,2024-01-01T00:00Z,1.5,\n1,2024-01-01T01:00Z,2.5,\n")
    assert set(rows.understood["station_id"]) == {"kitchen"}


def test_a_row_of_a_wide_table_is_kept_as_its_time_and_its_own_cell():
    rows = read("time,kitchen,attic\n2024-01-01T00:00Z,warm,1\n", layout="wide")
    assert [json.loads(raw) for raw in raws_of(rows.raw)] == [
        {"time": HOURLY[0], "kitchen": "warm"}, {"time": HOURLY[0], "attic": "1"},
    ]  # fmt: skip


def test_a_row_too_long_is_at_fault_in_a_wide_table_and_in_quarantine():
    text = "time,kitchen,attic\n2024-01-01T00:00Z,1,2\n2024-01-01T01:00Z,1,2,3\n"
    rows = read(text)
    assert rows.fault.tolist() == ["", "", TOO_MANY_FIELDS, TOO_MANY_FIELDS]
    again = cells_of_raw(raws_of(rows.raw).tolist())
    layout = recognise(again, SourceSettings(), "cellar", "inbox/a.csv")
    once_more = understand(again, layout, Stations(), "inbox/a.csv", "cellar")
    assert once_more.fault.tolist() == rows.fault.tolist()
    assert readings(once_more) == readings(rows)


def test_a_wide_table_without_rows_has_none():
    assert readings(read("time,kitchen\n", layout="wide")) == []
    assert readings(read("time,kitchen\n2024-01-01T00:00Z,\n", layout="wide")) == []


def test_a_wide_table_in_parquet_is_read():
    times = pd.date_range("2024-01-01T00:00Z", periods=2, freq="1h", name="time")
    frame = pd.DataFrame({"kitchen": [1.5, None], "attic": [1, 2]}, index=times)
    assert readings(read(parquet(frame))) == [
        ("kitchen", HOURLY[0], 1.5), ("attic", HOURLY[0], 1.0), ("attic", HOURLY[1], 2.0),
    ]  # fmt: skip


def test_a_long_table_in_parquet_is_read():
    frame = pd.DataFrame(
        {
            "sensor": pd.array([7, 8, None], dtype="Int64"),
            "time": pd.to_datetime(["2024-01-01T00:00", "2024-07-01T00:00", None]),
            "temp": np.array([1.5, 2.5, 3.5], dtype="float32"),
        }
    )
    assert readings(read(parquet(frame), timezone="Europe/Berlin")) == [
        ("7", "2023-12-31T23:00Z", 1.5), ("8", "2024-06-30T22:00Z", 2.5), (None, None, 3.5),
    ]  # fmt: skip


def test_json_lines_are_read():
    text = '{"sensor": 7, "ts": 1704067200, "temp": 1.5}\n{"sensor": 7.0, "ts": 1704070800.0, "temp": "2.5"}\n'
    assert readings(read(text + '{"ts": 1704070800}\n{oops\n')) == [
        ("7", HOURLY[0], 1.5), ("7", HOURLY[1], 2.5), (None, HOURLY[1], None), (None, None, None),
    ]  # fmt: skip


def test_a_number_that_stands_for_a_station_is_the_same_out_of_quarantine():
    frame = pd.DataFrame({"sensor": [7.0, 8.0], "time": pd.to_datetime([HOURLY[0], HOURLY[1]]), "temp": [NOTHING, 2.0]})
    rows = read(parquet(frame))
    again = cells_of_raw(raws_of(rows.raw).tolist())
    layout = recognise(again, SourceSettings(), "cellar", "inbox/a.csv")
    assert readings(understand(again, layout, Stations(), "inbox/a.csv", "cellar")) == readings(rows)


@pytest.mark.parametrize(
    ("values", "decimal"),
    [
        (["21,5", "22"], ","),
        (["21.5", "22"], "."),
        (["21", "22"], "."),
        (["1.021,5", "-3,25"], ","),
        (["−3,25"], ","),
        (["warm", ""], "."),
        (["21,5", "22,5", "21.5"], ","),
    ],
)
def test_the_decimal_sign_is_guessed(values, decimal):
    text = "sensor;time;temp\n" + "".join(f"a;2024-01-01T00:00Z;{value}\n" for value in values)
    assert layout_of(text).decimal == decimal


def test_a_point_beside_decimal_commas_is_no_number_ten_times_as_large():
    text = "sensor;time;temp\n" + "".join(f"a;2024-01-01T00:00Z;{value}\n" for value in ("21,5", "22,5", "21.5"))
    assert read(text).understood["temperature_c"].tolist() == pytest.approx([21.5, 22.5, NOTHING], nan_ok=True)


def test_a_word_is_no_temperature_however_alone_it_stands():
    rows = read("entity_id,last_changed,state\nfan,2024-01-01T00:00Z,off\n", time="last_changed")
    assert rows.understood["temperature_c"].isna().all()


@pytest.mark.parametrize(
    ("header", "values", "unit"),
    [
        ("temp_f", ["77"], "F"),
        ("Temp (°F)", ["77"], "F"),
        ("kelvin", ["20"], "K"),
        ("temp", ["77"], "C"),
        ("temp", ["293", "294", "-5"], "K"),
        ("temp_c", ["293"], "C"),
        ("temp", ["warm"], "C"),
    ],
)
def test_the_unit_is_guessed_from_the_name_and_kelvin_from_the_values(header, values, unit):
    text = f"sensor,time,{header}\n" + "".join(f"a,2024-01-01T00:00Z,{value}\n" for value in values)
    assert layout_of(text).unit == unit


@pytest.mark.parametrize(("unit", "value"), [("C", "25"), ("F", "77"), ("K", "298.15")])
def test_units_become_celsius(unit, value):
    rows = read(f"sensor,time,temp_f\na,2024-01-01T00:00Z,{value}\n", unit=unit)
    assert rows.understood["temperature_c"].tolist() == pytest.approx([25.0])


@pytest.mark.parametrize("column", ["time_utc", "Timestamp (UTC)", "time [UTC]", "time GMT"])
def test_a_zone_is_guessed_from_a_name_alone(column):
    said = {"time": column}
    layout = layout_of(f"sensor,{column},temp\na,2024-01-01 00:00,1\n", **said)
    assert layout.timezone == "UTC"
    assert "timezone" in layout.guessed


def test_a_time_that_names_no_zone_is_refused_by_line_and_way_out():
    with pytest.raises(SettingsError) as caught:
        read("sensor,time,temp\na,2024-01-01T00:00Z,1\n\na,2024-01-01T01:00,1\n")
    assert str(caught.value).startswith("inbox/a.csv:4: the time '2024-01-01T01:00' names no zone.")
    assert '[source.cellar] timezone = "UTC"' in str(caught.value)


def test_what_the_owner_says_of_a_station_goes_before_the_layout():
    known = {"a": Station(station_id="a", timezone="America/New_York", unit="F"), "b": Station(station_id="b")}
    text = "sensor,time,temp\na,2024-01-01 00:00,50\nb,2024-01-01 00:00,50\n"
    assert readings(read(text, Stations(known), timezone="Europe/Berlin")) == [
        ("a", "2024-01-01T05:00Z", 10.0), ("b", "2023-12-31T23:00Z", 50.0),
    ]  # fmt: skip


def test_a_row_without_a_station_does_not_ask_for_a_zone():
    known = Stations({"a": Station(station_id="a", timezone="Europe/Berlin")})
    rows = read("sensor,time,temp\na,2024-01-01 01:00,1\n,2024-01-01 01:00,1\n", known)
    assert readings(rows)[0] == ("a", HOURLY[0], 1.0)
    assert rows.understood["station_id"].isna().tolist() == [False, True]


def test_the_repeated_hour_is_resolved_by_the_order_of_rows_in_long_and_wide_tables():
    clocks = ["2023-10-29 01:00", "2023-10-29 02:00", "2023-10-29 02:00", "2023-10-29 03:00"]
    hours = [f"2023-10-{hour}:00Z" for hour in ("28T23", "29T00", "29T01", "29T02")]
    long = "sensor,time,temp\n" + "".join(f"a,{clock},1\nb,{clock},1\n" for clock in clocks)
    wide = "time,a,b\n" + "".join(f"{clock},1,1\n" for clock in clocks)
    for text in (long, wide):
        rows = read(text, timezone="Europe/Berlin")
        assert readings(rows) == [(station, hour, 1.0) for hour in hours for station in "ab"]
    rows = read(long.replace("b,2023-10-29 03", "b,2023-10-29 02"), timezone="Europe/Berlin")
    assert rows.fault.tolist() == ["", "", "", REPEATED, "", REPEATED, "", REPEATED]


@pytest.mark.parametrize(
    ("lines", "resolved"), [([2, 3, 4, 5], True), (None, True), ([2, 3, 5, 6], False), ([4, 5, 2, 3], False)]
)
def test_rows_out_of_quarantine_are_in_order_only_if_they_stood_one_below_the_other(lines, resolved):
    clocks = ["02:30", "02:45", "02:00", "02:15"]
    raws = [f'{{"sensor": "a", "time": "2023-10-29 {clock}", "temp": "1"}}' for clock in clocks]
    cells = cells_of_raw(raws, lines)
    layout = recognise(cells, SourceSettings(timezone="Europe/Berlin"), "cellar", "inbox/a.csv")
    rows = understand(cells, layout, Stations(), "inbox/a.csv", "cellar")
    assert set(rows.fault) == ({""} if resolved else {REPEATED})


def test_what_makes_no_sense_is_missing_and_what_came_is_kept():
    rows = read("station_id,observed_at,temperature_c\n  ,yesterday,warm\nNA,2024-01-01T00:00Z,1\n")
    assert readings(rows) == [(None, None, None), ("NA", HOURLY[0], 1.0)]
    assert rows.raw.iloc[0].tolist() == ["  ", "yesterday", "warm"]
    assert rows.position.tolist() == ["inbox/a.csv:2", "inbox/a.csv:3"]


def test_covariates_come_along_and_what_made_no_sense_is_counted():
    text = "sensor;time;temp;slp\na;2024-01-01T00:00Z;1,5;1013,25\na;2024-01-01T01:00Z;1,5;-999\n"
    rows = read(text, covariates={"pressure_hpa": "slp"})
    assert rows.understood["pressure_hpa"].tolist() == pytest.approx([1013.25, NOTHING], nan_ok=True)
    assert rows.nulled_counts() == {"pressure_hpa": 1}


@pytest.mark.parametrize(
    ("text", "said", "message"),
    [
        (
            "sensor,wann,temp\n", {},
            'inbox/a.csv: no column looks like the time; found: sensor, wann, temp. Name it in nightcast.toml: '
            '[source.cellar] time = "…".',
        ),
        (
            "sensor,time,grad\na,b,c\n", {},
            'inbox/a.csv: no column looks like the temperature; found: sensor, time, grad. Name it in nightcast.toml: '
            '[source.cellar] temperature = "…".',
        ),
        (
            "sensor,time,temp\n", {"temperature": "temp_f"},
            "inbox/a.csv: no column 'temp_f' for temperature; found: sensor, time, temp.",
        ),
        ("time,temp\n", {"station": "who"}, "inbox/a.csv: no column 'who' for station; found: time, temp."),
        ("time,temp\n", {"time": ["time", "zone"]}, "inbox/a.csv: no column 'zone' for time; found: time, temp."),
        (
            "time,temp\n", {"time": []},
            "source.cellar: time = []: name one column, or a date's and a time's.",
        ),
        (
            "time\n2024-01-01T00:00Z\n", {"layout": "wide"},
            "inbox/a.csv: no column but the time's; a wide table needs one for every station.",
        ),
        (
            "time,kitchen,slp\n2024-01-01T00:00Z,1,2\n", {"layout": "wide", "covariates": {"pressure_hpa": "slp"}},
            "source.cellar: a wide table has columns for stations only; leave covariates out.",
        ),
        (
            "time,temp\n", {"time_format": "dd.mm.yyyy"},
            "source.cellar: time_format = 'dd.mm.yyyy' is no format of times; write iso, epoch_s, epoch_ms or a "
            "pattern such as %d.%m.%Y %H:%M.",
        ),
        (
            "time,temp\n01/02/2024,1\n", {},
            'inbox/a.csv: \'01/02/2024\' may put the day or the month first. Say which: time_format = '
            '"%d/%m/%Y %H:%M" or "%m/%d/%Y %H:%M".',
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_known_is_refused_with_what_was_found_and_the_way_out(text, said, message):
    with pytest.raises(SettingsError) as caught:
        read(text, **said)
    assert str(caught.value) == message


def test_a_temperature_not_named_beside_covariates_is_asked_for_and_not_taken_for_a_wide_table():
    with pytest.raises(SettingsError, match="no column looks like the temperature"):
        layout_of("time,outside,slp\n2024-01-01T00:00Z,1,2\n", covariates={"pressure_hpa": "slp"})


def test_guesses_are_told_as_such():
    layout = layout_of("Sensor;Datum;Zeit;Temp (°C)\na;31.01.2024;10:00;1,5\n", time=["Datum", "Zeit"], timezone="UTC")
    assert layout.in_words() == (
        "station in 'Sensor' (guessed), time in 'Datum' and 'Zeit', temperature in 'Temp (°C)' (guessed), "
        "unit C (guessed), times as %d.%m.%Y %H:%M (guessed), zone UTC, decimal ',' (guessed)"
    )
    assert layout_of(WIDE).in_words() == (
        "a column a station (guessed), time in 'time' (guessed), unit C (guessed), times as iso (guessed), "
        "decimal '.' (guessed)"
    )
    assert layout_of(WIDE, layout="wide").in_words().startswith("a column a station, time in")


@pytest.mark.parametrize("name", ["cellar", "cold-room_7", "my cellar", 'the "best"', "Höhe", "a.b"])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Sensor;Temps;Temp (°F)\na;31.01.2024 10:00;1,5\n", {"time": "Temps", "timezone": "Europe/Berlin"}),
        ("date,time,temp\n31.01.2024,10:00,1\n", {"timezone": "UTC"}),
        (WIDE, {}),
        (
            'sensor,"the ""time"" \\ ü",t,slp,wind,dir\na,1704067200000,1,2,3,4\n',
            {
                "time": 'the "time" \\ ü',
                "covariates": {
                    "pressure_hpa": {"column": "slp", "unit": "inHg"},
                    "wind_east_ms": {"speed": "wind", "direction": "dir"},
                },
            },
        ),
    ],
)
def test_the_toml_says_all_that_was_understood(text, said, name):
    layout = layout_of(text, **said)
    source = tomllib.loads(layout.as_toml(name, "in box/*.csv"))["source"]
    assert list(source) == [name]
    assert source[name]["path"] == "in box/*.csv"
    again = layout_of(text, **source[name])
    assert set(again.guessed) <= {"timezone"}
    assert again.in_words() == layout.in_words().replace(" (guessed)", "")
    assert again.covariates == layout.covariates


# Names that any text can hold; what surrounds a name is no part of it.
names = (
    st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), min_size=1, max_size=8)
    .map(str.strip)
    .filter(lambda name: name and not name.startswith(("(column", "\ufeff")))
)
NOT_STATIONS = {"date", "time", "when", "who", "warmth"}


@st.composite
def fleets(draw):
    """Readings: station, instant in whole minutes, and a temperature in hundredths."""
    stations = draw(
        st.lists(names, min_size=1, max_size=4, unique=True).filter(lambda them: not NOT_STATIONS & {*them})
    )
    # Times in 2024 outside any repeated or skipped hour: that of each zone's change is tested with the times.
    minutes = draw(st.lists(st.integers(0, 80 * 1440), min_size=1, max_size=8, unique=True))
    start = pd.Timestamp("2024-01-02T00:00Z")
    return [
        (station, start + pd.Timedelta(minutes=minute), draw(st.integers(-6000, 6000)) / 100)
        for minute in minutes
        for station in stations
    ]


FROM_CELSIUS = {"C": lambda value: value, "F": lambda value: value * 9 / 5 + 32, "K": lambda value: value + 273.15}
WRITTEN = {
    "iso": lambda time, zone: time.tz_convert(zone).isoformat(),
    "epoch_s": lambda time, zone: str(int(time.timestamp())),
    "epoch_ms": lambda time, zone: str(int(time.timestamp()) * 1000),
    "local": lambda time, zone: f"{time.tz_convert(zone):%Y-%m-%d %H:%M}",
    "%d.%m.%Y %H:%M": lambda time, zone: f"{time.tz_convert(zone):%d.%m.%Y %H:%M}",
}


def reads_as_other_utf8(content, text):
    """Whether nobody can tell: Â¡ in Latin-1 is ¡ in UTF-8."""
    try:
        return content.decode("utf-8") != text
    except UnicodeDecodeError:
        return False


@settings(max_examples=60)
@given(
    fleet=fleets(),
    wide=st.booleans(),
    delimiter=st.sampled_from(",;\t|"),
    decimal=st.sampled_from(".,"),
    unit=st.sampled_from(["C", "F", "K"]),
    time_format=st.sampled_from(list(WRITTEN)),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "latin-1"]),
    pack=st.booleans(),
)
def test_readings_come_back_however_they_were_written(
    fleet, wide, delimiter, decimal, unit, time_format, zone, encoding, pack
):
    def number(value):
        return f"{FROM_CELSIUS[unit](value):.4f}".replace(".", decimal)

    def when(time):
        return WRITTEN[time_format](time, zone)

    text = io.StringIO()
    write = csv.writer(text, delimiter=delimiter).writerow
    if wide:
        stations = list(dict.fromkeys(station for station, _, _ in fleet))
        write(["when", *stations])
        for time in dict.fromkeys(time for _, time, _ in fleet):
            write([when(time), *(number(value) for _, other, value in fleet if other == time)])
    else:
        write(["who", "when", "warmth"])
        for station, time, value in fleet:
            write([station, when(time), number(value)])
    content = text.getvalue().encode(encoding)
    assume(encoding != "latin-1" or not reads_as_other_utf8(content, text.getvalue()))
    said = {"layout": "wide"} if wide else {"station": "who", "temperature": "warmth"}
    said |= {"time": "when", "unit": unit, "timezone": zone, "delimiter": delimiter}

    cells = read_cells(unpack(gzip.compress(content) if pack else content, "a.csv"), "a.csv", delimiter)
    layout = recognise(cells, SourceSettings(**said), "cellar", "a.csv")
    rows = understand(cells, layout, Stations(), "a.csv", "cellar")

    assert set(rows.fault) == {""}
    assert list(rows.understood[["station_id", "observed_at"]].itertuples(index=False, name=None)) == [
        (station, time) for station, time, _ in fleet
    ]
    assert rows.understood["temperature_c"].tolist() == pytest.approx([value for _, _, value in fleet], abs=0.01)
