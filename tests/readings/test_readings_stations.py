"""The stations file: checked line by line, and what it leaves empty is as the settings say."""

import pandas as pd
import pytest

from lstm_model.errors import SettingsError
from lstm_model.readings.stations import STATIONS_FILE, Stations
from lstm_model.settings import QualitySettings


@pytest.fixture
def read(tmp_path):
    """Read a stations file with this content."""

    def read(content):
        file = tmp_path / STATIONS_FILE
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return Stations.read(tmp_path)

    return read


def test_no_file_is_no_stations(tmp_path):
    assert Stations.read(tmp_path).known == {}


def test_a_station_is_read(read):
    header = "station_id,name,latitude,longitude,elevation_m,timezone,unit,valid_min_c,valid_max_c,spike_c"
    header += ",rate_c_per_hour,flat_hours,limit_above_c,limit_below_c"
    station = read(f"{header}\nroof,On top,40.69,-74.17,5,America/New_York,F,-30,50,4,9,0,30,-2.5\n")
    told = station.known["roof"]
    assert told.model_dump() == {
        "station_id": "roof", "name": "On top", "latitude": 40.69, "longitude": -74.17, "elevation_m": 5.0,
        "timezone": "America/New_York", "unit": "F", "valid_min_c": -30.0, "valid_max_c": 50.0, "spike_c": 4.0,
        "rate_c_per_hour": 9.0, "flat_hours": 0.0, "limit_above_c": 30.0, "limit_below_c": -2.5,
    }  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [
        "station_id,unit,name\nroof,F,\n",
        "\ufeffunit , station_id\r\nF , roof \r\n",
        "station_id;unit\nroof;F\n",
        "station_id,unit\n\nroof,F,\n\n",
    ],
)
def test_however_the_file_is_written_it_says_the_same(read, content):
    stations = read(content)
    assert {key: station.unit for key, station in stations.known.items()} == {"roof": "F"}


@pytest.mark.parametrize("station_id", ["007", "1e5", "NA", "null", "O'Brien", "温度計 №1"])
def test_a_station_is_called_what_its_owner_calls_it(read, station_id):
    assert list(read(f"station_id\n{station_id}\n").known) == [station_id]


def test_a_name_may_hold_commas_and_latin_letters(read):
    assert read('station_id,name\nroof,"Höhe, außen"\n'.encode("latin-1")).known["roof"].name == "Höhe, außen"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("station_id,unit\na,C\na,F\n", "stations.csv:3: station 'a' is there twice. Keep one line."),
        (
            "station_id,unit\na,C\n\nb,X\n",
            "stations.csv:4: unit = 'X': Input should be 'C', 'F' or 'K'. Mend that line.",
        ),
        ("station_id,timezone\na,Berlin\n", "stations.csv:2: timezone = 'Berlin': 'Berlin' is no known time zone"),
        ("station_id,latitude\na,91\n", "stations.csv:2: latitude = '91': Input should be less than or equal to 90"),
        ("station_id,latitude\na,north\n", "stations.csv:2: latitude = 'north': Input should be a valid number"),
        ("station_id,valid_max_c\na,nan\n", "stations.csv:2: valid_max_c = 'nan': Input should be a finite number"),
        ("station_id,spike_c\na,0\n", "stations.csv:2: spike_c = '0': Input should be greater than 0"),
        ("station_id,colour\na,red\n", "stations.csv:2: unknown column 'colour'; known: station_id, name, latitude"),
        (
            "station_id,valid_min_c,valid_max_c\na,10,5\n",
            "stations.csv:2: valid_min_c = 10 is not below valid_max_c = 5. Mend that line.",
        ),
        (
            "station_id,limit_above_c,limit_below_c\na,2,8\n",
            "stations.csv:2: limit_above_c = 2 is not above limit_below_c = 8. Mend that line.",
        ),
        ("station_id,limit_above_c\na,inf\n", "stations.csv:2: limit_above_c = 'inf': Input should be a finite number"),
        ("station_id,unit\n,C\n", "stations.csv:2: station_id is missing. Mend that line."),
        ("station,unit\na,C\n", "stations.csv:2: "),
        ("station_id,unit\na,C,F\n", "stations.csv:2: more fields than the header has columns. Mend that line."),
        ("station_id,unit,unit\na,C,F\n", "stations.csv:1: two columns are called 'unit'; give each its own name."),
        ("", "stations.csv: the file is empty; the first line must name the columns."),
        (b"station_id\n\0\n", "stations.csv: cannot be read as CSV"),
    ],
)
def test_a_line_that_makes_no_sense_is_named(read, content, said):
    with pytest.raises(SettingsError) as caught:
        read(content)
    assert said in str(caught.value)


def test_what_the_file_leaves_empty_is_as_the_settings_say(read):
    stations = read("station_id,unit,spike_c\nroof,F,\ncellar,,2\n")
    ids = pd.Series(["roof", "cellar", "attic", None], dtype="str", index=[4, 3, 2, 1])
    assert stations.column("unit", ids, "C").to_dict() == {4: "F", 3: "C", 2: "C", 1: "C"}
    assert stations.limit("spike_c", "cellar", QualitySettings()) == 2.0
    assert stations.limit("spike_c", "roof", QualitySettings()) == 6.0
    assert stations.limit("spike_c", "attic", QualitySettings()) == 6.0


def test_a_column_of_no_stations_is_what_the_settings_say():
    ids = pd.Series([None, None], dtype="str")
    assert Stations().column("unit", ids, "C").tolist() == ["C", "C"]
    assert Stations().column("timezone", ids, None).isna().all()
    assert Stations().column("timezone", ids[:0], "UTC").empty
