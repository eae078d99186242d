"""InfluxDB's CSV export: tables with annotations, one below the other."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from inbox import CLOCK

from lstm_model.errors import SourceError
from lstm_model.readings import Quarantine, ReadingsStore, ingest
from lstm_model.workspace import Workspace

SETTINGS = """
[source.influx]
path = "influx/*.csv"
station = "room"
time = "_time"
temperature = "_value"
unit = "C"
"""
EXPORT = """\
#group,false,false,true,true,false,false,true,true,true
#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,double,string,string,string
#default,_result,,,,,,,,
,result,table,_start,_stop,_time,_value,_field,_measurement,room
,,0,2024-01-01T00:00:00Z,2024-01-02T00:00:00Z,2024-01-01T00:00:00Z,5.5,temperature,climate,attic
,,0,2024-01-01T00:00:00Z,2024-01-02T00:00:00Z,2024-01-01T01:00:00.123456789Z,5.25,temperature,climate,attic
,,1,2024-01-01T00:00:00Z,2024-01-02T00:00:00Z,2024-01-01T00:00:00Z,11,temperature,climate,"cellar, left"

#group,false,false,true,true,false,false,true,true,true,true
#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,long,string,string,string,string
#default,_result,,,,,,,,,hall
,result,table,_start,_stop,_time,_value,_field,_measurement,floor,room
,,2,2024-01-01T00:00:00Z,2024-01-02T00:00:00Z,2024-01-01T00:00:00Z,18,temperature,climate,1,
,,2,2024-01-01T00:00:00Z,2024-01-02T00:00:00Z,2024-01-01T01:00:00Z,,temperature,climate,1,

"""
PIVOTED = """\
#datatype,string,long,dateTime:RFC3339,double,double,string
#group,false,false,false,false,false,true
#default,_result,,,,,
,result,table,_time,humidity,temperature,room
,,0,2024-01-01T00:00:00Z,60.5,5.5,attic
,,0,2024-01-01T01:00:00Z,,5.25,attic
"""


def workspace(home: Path, export: str, settings: str = SETTINGS) -> Workspace:
    (home / "influx").mkdir()
    (home / "influx" / "export.csv").write_text(export.replace("\n", "\r\n"), newline="")
    (home / "nightcast.toml").write_text(settings)
    return Workspace.find(home, {})


def test_every_table_of_an_export_is_read(tmp_path: Path) -> None:
    here = workspace(tmp_path, EXPORT)
    report = ingest(here, CLOCK, CLOCK)
    assert (report.rows_in, report.counts.new, report.quarantined) == (5, 4, 1)
    frame = ReadingsStore(here.readings).read(CLOCK)
    kept = {(row.station_id, f"{row.observed_at:%H:%M}"): float(row.temperature_c) for row in frame.itertuples()}
    assert kept == {
        ("attic", "00:00"): 5.5, ("attic", "01:00"): 5.25, ("cellar, left", "00:00"): 11.0, ("hall", "00:00"): 18.0
    }  # fmt: skip
    assert Quarantine(here.quarantine).rows()["position"].tolist() == ["influx/export.csv:14"]


def test_a_pivoted_export_has_a_column_a_field(tmp_path: Path) -> None:
    settings = SETTINGS.replace("_value", "temperature") + '[source.influx.covariates]\nhumidity_pct = "humidity"\n'
    here = workspace(tmp_path, PIVOTED, settings)
    assert ingest(here, CLOCK, CLOCK).counts.new == 2
    frame = ReadingsStore(here.readings).read(CLOCK, covariates=True).sort_values("observed_at")
    assert frame["humidity_pct"].iloc[0] == 60.5
    assert pd.isna(frame["humidity_pct"].iloc[1])


def test_an_export_that_grows_is_read_on(tmp_path: Path) -> None:
    here = workspace(tmp_path, PIVOTED, SETTINGS.replace("_value", "temperature"))
    ingest(here, CLOCK, CLOCK)
    with (tmp_path / "influx" / "export.csv").open("a", newline="") as file:
        file.write(",,0,2024-01-01T02:00:00Z,,5.0,attic\r\n")
    assert ingest(here, CLOCK, CLOCK).rows_in == 1


def test_a_row_with_more_fields_than_columns_is_quarantined(tmp_path: Path) -> None:
    here = workspace(tmp_path, PIVOTED.replace("5.25,attic", "5,25,attic"), SETTINGS.replace("_value", "temperature"))
    report = ingest(here, CLOCK, CLOCK)
    assert (report.counts.new, report.reasons) == (1, {"more fields than the header has columns": 1})
    assert '"(further fields)": "attic"' in Quarantine(here.quarantine).rows()["raw"].iloc[0]


def test_annotations_alone_are_no_table(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"influx/export.csv: only annotations; the line after them must name"):
        ingest(workspace(tmp_path, "#group,false\n#datatype,string\n"), CLOCK, CLOCK)
