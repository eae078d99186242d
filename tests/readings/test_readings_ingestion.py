"""Taking in: every row ends as new, corrected, unchanged or quarantined, however it was batched."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_model.errors import SourceError
from lstm_model.readings import ReadingsStore, ingest, ingest_file
from lstm_model.readings.store import UpsertCounts
from lstm_model.workspace import Workspace

CLOCK = pd.Timestamp("2024-06-01T00:00Z")
INBOX = '[source.cellar]\npath = "inbox/*.csv"\n'
STATIONS = ("a", "O'Brien", "")
TIMES = ("2024-01-31T23:00Z", "2024-02-01T00:00Z", "2024-02-01T01:00+01:00", "soon", "2030-01-01T00:00Z")
VALUES = ("1.5", "2.5", "-3", "", "warm", "inf", "999")


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "nightcast.toml").write_text(INBOX, encoding="utf-8")
    (tmp_path / "inbox").mkdir()
    return Workspace.find(tmp_path, {})


def write(workspace, name, rows):
    """Rows of (station, time, temperature)."""
    frame = pd.DataFrame(rows, columns=["station", "time", "temperature"])
    (workspace.home / "inbox").mkdir(exist_ok=True)
    frame.to_csv(workspace.home / "inbox" / name, index=False)


def store_of(workspace):
    return ReadingsStore(workspace.readings, workspace.quarantine)


def kept(workspace):
    frame = store_of(workspace).read(CLOCK)
    return {(row.station_id, row.observed_at): float(row.temperature_c) for row in frame.itertuples()}


def is_good(station, time, value):
    return bool(station) and time in TIMES[:3] and value in VALUES[:3]


rows_in_batches = st.lists(
    st.lists(st.tuples(st.sampled_from(STATIONS), st.sampled_from(TIMES), st.sampled_from(VALUES)), max_size=8),
    min_size=1,
    max_size=3,
)


@settings(max_examples=20, deadline=None)
@given(batches=rows_in_batches)
def test_any_rows_in_any_batching_balance_and_end_with_the_last_value(tmp_path_factory, batches):
    home = tmp_path_factory.mktemp("workspace")
    (home / "nightcast.toml").write_text(INBOX, encoding="utf-8")
    workspace = Workspace.find(home, {})
    expected, counts, bad = {}, {"new": 0, "corrected": 0, "unchanged": 0}, 0
    for number, batch in enumerate(batches):
        write(workspace, f"{number}.csv", batch)
        for station, time, value in batch:
            if not is_good(station, time, value):
                bad += 1
                continue
            key = (station, pd.Timestamp(time).tz_convert("UTC"))
            before = expected.get(key)
            expected[key] = float(value)
            counts["new" if before is None else "unchanged" if before == float(value) else "corrected"] += 1

    report = ingest(workspace, CLOCK, CLOCK)

    assert (report.counts, report.quarantined) == (UpsertCounts(**counts), bad)
    assert report.rows_in == sum(map(len, batches))
    assert sum(report.reasons.values()) == bad
    assert kept(workspace) == expected
    quarantined = store_of(workspace).quarantined()

    again = ingest(workspace, CLOCK, CLOCK)  # twice equals once

    assert again.rows_in == sum(vars(again.counts).values()) + again.quarantined
    assert again.counts.new == 0
    assert kept(workspace) == expected
    assert len(store_of(workspace).quarantined()) == len(quarantined) == bad


def test_ingesting_twice_makes_no_new_version(workspace):
    write(workspace, "a.csv", [("a", "2024-01-01T00:00Z", 1), ("a", "soon", 1)])
    first = ingest(workspace, CLOCK, CLOCK)
    again = ingest(workspace, CLOCK, CLOCK + pd.Timedelta("1D"))
    assert again.counts == UpsertCounts(unchanged=1)
    assert again.readings_version == first.readings_version


def test_a_correction_in_a_later_file_is_not_made_again_every_night(workspace):
    write(workspace, "a.csv", [("a", "2024-01-01T00:00Z", 1)])
    write(workspace, "b.csv", [("a", "2024-01-01T00:00Z", 2)])
    first = ingest(workspace, CLOCK, CLOCK)
    assert ingest(workspace, CLOCK, CLOCK).readings_version == first.readings_version


@pytest.mark.parametrize(
    "station", ["O'Brien", 'the "best"', "a/b\\c", "a;b,c", "温度計 №1", "50 % & <b>", "NA", "null", "1e5", "007", "🌡"]
)
def test_a_station_is_called_what_its_owner_calls_it(workspace, station):
    write(workspace, "a.csv", [(station, "2024-01-01T00:00Z", 1)])
    ingest(workspace, CLOCK, CLOCK)
    write(workspace, "b.csv", [(station, "2024-01-01T00:00Z", 2)])
    assert ingest(workspace, CLOCK, CLOCK).counts == UpsertCounts(corrected=1, unchanged=1)
    assert kept(workspace) == {(station, pd.Timestamp("2024-01-01T00:00Z")): 2.0}


def test_a_quarantined_row_is_kept_as_it_came_with_reason_and_place(workspace):
    write(workspace, "a.csv", [("a", "2024-01-01T00:00Z", 1), ("O'Brien", "gestern", "warm"), ("b", TIMES[0], "999")])
    report = ingest(workspace, CLOCK, CLOCK)
    ingest(workspace, CLOCK, CLOCK)
    frame = store_of(workspace).quarantined().sort_values("position")
    assert [json.loads(raw) for raw in frame["raw"]] == [
        {"station": "O'Brien", "time": "gestern", "temperature": "warm"},
        {"station": "b", "time": TIMES[0], "temperature": "999"},
    ]
    assert frame["position"].tolist() == ["inbox/a.csv:3", "inbox/a.csv:4"]
    assert report.reasons == dict.fromkeys(frame["reason"], 1)
    assert frame["source"].tolist() == ["cellar", "cellar"]


def test_an_hour_without_one_meaning_is_quarantined(workspace):
    (workspace.home / "nightcast.toml").write_text(INBOX + 'timezone = "Europe/Berlin"\n', encoding="utf-8")
    times = ["2024-03-31 02:30", "2024-03-31 03:30", "2023-10-29 02:30", "2023-10-29 03:30"]
    write(workspace, "a.csv", [("a", time, 1) for time in times])
    report = ingest(Workspace.find(workspace.home, {}), CLOCK, CLOCK)
    assert (report.counts.new, report.quarantined) == (2, 2)
    assert "clock change" in next(iter(report.reasons))


def test_a_time_ahead_of_the_clock_is_quarantined_whatever_night_is_lived(workspace):
    write(workspace, "a.csv", [("a", "2024-05-31T00:00Z", 1), ("a", "2024-06-01T02:00Z", 1)])
    report = ingest(workspace, now=CLOCK - pd.Timedelta("90D"), clock=CLOCK)
    assert report.reasons == {"time lies in the future": 1}


def test_a_reading_from_files_is_stamped_with_the_clock(workspace):
    write(workspace, "a.csv", [("a", "2024-01-01T00:00Z", 1), ("a", "soon", 1)])
    ingest(workspace, now=CLOCK - pd.Timedelta("1D"), clock=CLOCK)
    assert store_of(workspace).quarantined()["ingested_at"].tolist() == [CLOCK]


def test_only_the_sources_named_are_read(workspace):
    text = INBOX + '[source.attic]\npath = "attic.csv"\n'  # attic.csv is not there
    (workspace.home / "nightcast.toml").write_text(text, encoding="utf-8")
    write(workspace, "a.csv", [("a", "2024-01-01T00:00Z", 1)])
    workspace = Workspace.find(workspace.home, {})
    assert [source.source for source in ingest(workspace, CLOCK, CLOCK, ["cellar"]).sources] == ["cellar"]


def test_what_came_before_a_broken_source_is_kept(workspace):
    text = INBOX + '[source.gone]\npath = "gone.csv"\n'
    (workspace.home / "nightcast.toml").write_text(text, encoding="utf-8")
    write(workspace, "a.csv", [("a", "2024-01-01T00:00Z", 1)])
    with pytest.raises(SourceError, match=r"gone\.csv"):
        ingest(Workspace.find(workspace.home, {}), CLOCK, CLOCK)
    assert len(kept(workspace)) == 1


def test_an_unknown_source_lists_the_configured_ones(workspace):
    with pytest.raises(SourceError, match="'celler'; configured: cellar"):
        ingest(workspace, CLOCK, CLOCK, ["celler"])


def test_a_file_named_by_hand_is_taken_in(workspace, tmp_path):
    file = tmp_path / "one.csv"
    file.write_text("sensor;timestamp;temp\nattic;2024-01-01T00:00Z;2.5\nattic;;1\n", encoding="utf-8")
    report = ingest_file(workspace, file, CLOCK)
    assert (report.counts, report.quarantined) == (UpsertCounts(new=1), 1)
    assert report.readings_version == store_of(workspace).version
    assert math.isclose(kept(workspace)["attic", pd.Timestamp("2024-01-01T00:00Z")], np.float32(2.5))


def test_a_file_with_brackets_in_its_name_is_taken_in(workspace, tmp_path):
    file = tmp_path / "export [1].csv"
    file.write_text("sensor,timestamp,temp\nattic,2024-01-01T00:00Z,2.5\n", encoding="utf-8")
    assert ingest_file(workspace, file, CLOCK).counts == UpsertCounts(new=1)


def test_the_same_bad_row_in_two_files_of_one_name_is_kept_twice(workspace):
    (workspace.home / "nightcast.toml").write_text('[source.cellar]\npath = "inbox/**/x.csv"\n', encoding="utf-8")
    for folder in ("one", "two"):
        (workspace.home / "inbox" / folder).mkdir()
        write(workspace, f"{folder}/x.csv", [("a", "soon", 1)])
    report = ingest(Workspace.find(workspace.home, {}), CLOCK, CLOCK)
    assert len(store_of(workspace).quarantined()) == report.quarantined == 2


def test_a_broken_source_does_not_starve_the_others(tmp_path):
    (tmp_path / "nightcast.toml").write_text('[source.a]\npath = "gone.csv"\n[source.b]\npath = "b.csv"\n')
    (tmp_path / "b.csv").write_text("station,time,temperature\nb,2024-01-01T00:00Z,1\n")
    workspace = Workspace.find(tmp_path, {})
    with pytest.raises(SourceError, match="source 'a': no file at"):
        ingest(workspace, CLOCK, CLOCK)
    assert len(store_of(workspace).read(CLOCK)) == 1
