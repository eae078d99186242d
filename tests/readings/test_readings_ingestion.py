"""Taking in: every row ends as new, corrected, unchanged or quarantined, however it was batched."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inbox import CLOCK, HOUR, INBOX, hourly, kept, quarantined, write
from support import store_of

from lstm_model.errors import SettingsError, SourceError
from lstm_model.readings import ingest, ingest_file, ingestion, retry_quarantine
from lstm_model.readings.store import UpsertCounts
from lstm_model.workspace import Workspace

STATIONS = ("a", "O'Brien", "")
TIMES = ("2024-01-31T23:00Z", "2024-02-01T00:00Z", "2024-02-01T01:00+01:00", "soon", "2030-01-01T00:00Z")
VALUES = ("1.5", "2.5", "-3", "", "warm", "inf", "999")


def is_good(station, time, value):
    return bool(station) and time in TIMES[:3] and value in VALUES[:3]


rows_in_batches = st.lists(
    st.lists(st.tuples(st.sampled_from(STATIONS), st.sampled_from(TIMES), st.sampled_from(VALUES)), max_size=8),
    min_size=1,
    max_size=3,
)


@settings(max_examples=12)
@given(batches=rows_in_batches, load=st.sampled_from([1, 2_000_000]))
def test_any_rows_in_any_batching_balance_and_end_with_the_last_value(tmp_path_factory, batches, load):
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

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ingestion, "_ROWS_AT_ONCE", load)
        report = ingest(workspace, CLOCK, CLOCK)

    assert (report.counts, report.quarantined) == (UpsertCounts(**counts), bad)
    assert report.rows_in == sum(map(len, batches))
    assert sum(report.reasons.values()) == bad
    assert kept(workspace) == expected
    rejected, version = quarantined(workspace), report.readings_version

    again = ingest(workspace, CLOCK, CLOCK)  # twice equals once

    assert (again.rows_in, again.readings_version) == (0, version)
    assert kept(workspace) == expected
    assert len(quarantined(workspace)) == len(rejected) == bad


def test_what_came_before_a_source_broke_is_kept_load_after_load(workspace, monkeypatch):
    monkeypatch.setattr(ingestion, "_ROWS_AT_ONCE", 2)
    for number in range(5):
        write(workspace, f"{number}.csv", [("a", f"2024-01-0{number + 1}T00:00Z", number)])
    (workspace.home / "inbox" / "3.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"3\.csv"):
        ingest(workspace, CLOCK, CLOCK)
    assert sorted(kept(workspace).values()) == [0, 1, 2, 4]
    versions = store_of(workspace).version
    with pytest.raises(SettingsError, match=r"3\.csv"):
        ingest(workspace, CLOCK, CLOCK)
    assert store_of(workspace).version == versions


def test_ingesting_twice_makes_no_new_version(workspace):
    write(workspace, "a.csv", [("a", "2024-01-01T00:00Z", 1), ("a", "soon", 1)])
    first = ingest(workspace, CLOCK, CLOCK)
    again = ingest(workspace, CLOCK, CLOCK + pd.Timedelta("1D"))
    assert (again.rows_in, again.readings_version) == (0, first.readings_version)


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
    assert ingest(workspace, CLOCK, CLOCK).counts == UpsertCounts(corrected=1)
    assert kept(workspace) == {(station, pd.Timestamp("2024-01-01T00:00Z")): 2.0}


def test_a_quarantined_row_is_kept_as_it_came_with_reason_and_place(workspace):
    write(workspace, "a.csv", [("a", "2024-01-01T00:00Z", 1), ("O'Brien", "gestern", "warm"), ("b", TIMES[0], "999")])
    report = ingest(workspace, CLOCK, CLOCK)
    ingest(workspace, CLOCK, CLOCK)
    frame = quarantined(workspace).sort_values("position")
    assert [json.loads(raw) for raw in frame["raw"]] == [
        {"station": "O'Brien", "time": "gestern", "temperature": "warm", "note": "in a.csv"},
        {"station": "b", "time": TIMES[0], "temperature": "999", "note": "in a.csv"},
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
    assert quarantined(workspace)["ingested_at"].tolist() == [CLOCK]


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
    assert len(quarantined(workspace)) == report.quarantined == 2


def test_a_broken_source_does_not_starve_the_others(tmp_path):
    (tmp_path / "nightcast.toml").write_text('[source.a]\npath = "gone.csv"\n[source.b]\npath = "b.csv"\n')
    (tmp_path / "b.csv").write_text("station,time,temperature\nb,2024-01-01T00:00Z,1\n")
    workspace = Workspace.find(tmp_path, {})
    with pytest.raises(SourceError, match="source 'a': no file at"):
        ingest(workspace, CLOCK, CLOCK)
    assert len(store_of(workspace).read(CLOCK)) == 1


def test_a_row_is_taken_in_after_its_mapping_was_mended(workspace):
    text = "sensor;stamp;temp\na;01.02.2024 10:00;1,5\na;01.02.2024 11:00;\n"
    (workspace.home / "inbox" / "a.csv").write_text(text, encoding="utf-8")
    toml = INBOX + 'time = "stamp"\ntimezone = "Europe/Berlin"\ntime_format = "%Y-%m-%d %H:%M"\n'
    (workspace.home / "nightcast.toml").write_text(toml, encoding="utf-8")
    assert ingest(Workspace.find(workspace.home, {}), CLOCK, CLOCK).quarantined == 2
    (workspace.home / "inbox" / "a.csv").unlink()
    (workspace.home / "nightcast.toml").write_text(toml.replace("%Y-%m-%d", "%d.%m.%Y"), encoding="utf-8")
    report = retry_quarantine(Workspace.find(workspace.home, {}), CLOCK + HOUR)
    assert (report.rows_in, report.counts, report.quarantined) == (2, UpsertCounts(new=1), 1)
    assert kept(workspace) == {("a", pd.Timestamp("2024-02-01T09:00Z")): 1.5}
    assert quarantined(workspace)["reason"].tolist() == ["temperature missing or not a number"]
    assert retry_quarantine(Workspace.find(workspace.home, {}), CLOCK + HOUR).counts == UpsertCounts()


def test_an_old_row_from_quarantine_does_not_undo_what_came_after_it(workspace):
    write(workspace, "a.csv", [("a", "2024-01-01T00:00", 1)])
    toml = INBOX + 'time_format = "%d.%m.%Y"\ntimezone = "UTC"\n'
    (workspace.home / "nightcast.toml").write_text(toml, encoding="utf-8")
    ingest(Workspace.find(workspace.home, {}), CLOCK, CLOCK)
    (workspace.home / "inbox" / "a.csv").unlink()
    (workspace.home / "nightcast.toml").write_text(INBOX + 'timezone = "UTC"\n', encoding="utf-8")
    mended = Workspace.find(workspace.home, {})
    write(mended, "b.csv", [("a", "2024-01-01T00:00", 2)])
    ingest(mended, CLOCK, CLOCK + HOUR)
    report = retry_quarantine(mended, CLOCK + 2 * HOUR)
    assert report.counts == UpsertCounts(unchanged=1)
    assert list(kept(mended).values()) == [2.0]
    assert quarantined(mended).empty


def test_a_mended_mapping_reads_the_files_that_are_there_again(workspace):
    write(workspace, "a.csv", [("a", "2024-01-01T00:00Z", 50), ("a", "2024-01-01T01:00Z", 999)])
    ingest(workspace, CLOCK, CLOCK)
    (workspace.home / "nightcast.toml").write_text(INBOX + 'unit = "K"\n', encoding="utf-8")
    report = ingest(Workspace.find(workspace.home, {}), CLOCK, CLOCK + HOUR)
    assert (report.counts, report.quarantined) == (UpsertCounts(), 2)
    (workspace.home / "nightcast.toml").write_text(INBOX + 'unit = "F"\n', encoding="utf-8")
    report = ingest(Workspace.find(workspace.home, {}), CLOCK, CLOCK + HOUR)
    assert report.counts == UpsertCounts(corrected=1)
    assert list(kept(workspace).values()) == [10.0]


def test_the_other_half_of_a_repeated_hour_lets_the_first_out_of_quarantine(workspace):
    (workspace.home / "nightcast.toml").write_text(INBOX + 'timezone = "Europe/Berlin"\n', encoding="utf-8")
    workspace = Workspace.find(workspace.home, {})
    file, header = workspace.home / "inbox" / "a.csv", "station,time,temperature\n"
    text = header + "a,2024-10-27 01:00,1\na,2024-10-27 02:00,2\n".replace("2024", "2023").replace("-27", "-29")
    file.write_text(text, encoding="utf-8")
    assert ingest(workspace, CLOCK, CLOCK).quarantined == 1
    file.write_text(text + "a,2023-10-29 02:00,3\na,2023-10-29 03:00,4\n", encoding="utf-8")
    report = ingest(workspace, CLOCK, CLOCK)
    assert (report.rows_in, report.counts.new, report.quarantined) == (3, 3, 0)
    assert list(kept(workspace).values()) == [1.0, 2.0, 3.0, 4.0]
    assert quarantined(workspace).empty


def test_covariates_come_along(workspace):
    toml = INBOX + '[source.cellar.covariates]\npressure_hpa = { column = "slp", unit = "inHg" }\n'
    (workspace.home / "nightcast.toml").write_text(toml, encoding="utf-8")
    text = (
        "station,time,temperature,slp\na,2024-01-01T00:00Z,1,29.92\na,2024-01-01T01:00Z,1,\na,2024-01-01T02:00Z,1,5\n"
    )
    (workspace.home / "inbox" / "a.csv").write_text(text, encoding="utf-8")
    workspace = Workspace.find(workspace.home, {})
    report = ingest(workspace, CLOCK, CLOCK)
    assert (report.counts.new, report.nulled) == (3, {"pressure_hpa": 1})
    pressure = store_of(workspace).read(CLOCK, columns=["pressure_hpa"])["pressure_hpa"]
    assert pressure.tolist() == pytest.approx([1013.2, np.nan, np.nan], abs=0.1, nan_ok=True)


def test_a_reading_of_a_clock_that_lost_its_time_is_quarantined(workspace):
    write(workspace, "a.csv", [("a", "1970-01-01T00:00Z", 1), ("a", "2024-01-01T00:00Z", 1)])
    report = ingest(workspace, CLOCK, CLOCK)
    assert report.reasons == {"time lies before 1980-01-01 (quality.earliest)": 1}
    assert len(kept(workspace)) == 1


def test_files_of_a_table_that_was_deleted_are_read_again(workspace):
    import shutil

    write(workspace, "a.csv", [("a", "2024-01-01T00:00Z", 1)])
    ingest(workspace, CLOCK, CLOCK)
    shutil.rmtree(workspace.readings)
    assert ingest(workspace, CLOCK, CLOCK).counts == UpsertCounts(new=1)


def test_a_broken_file_does_not_starve_the_others(workspace):
    write(workspace, "a.csv", [("a", "2024-01-01T00:00Z", 1)])
    (workspace.home / "inbox" / "b.csv").write_bytes(b"")
    write(workspace, "c.csv", [("c", "2024-01-01T00:00Z", 3)])
    for _ in range(2):
        with pytest.raises(SourceError, match=r"inbox/b\.csv: the file is empty"):
            ingest(workspace, CLOCK, CLOCK)
        assert list(kept(workspace).values()) == [1.0, 3.0]
    write(workspace, "b.csv", [("b", "2024-01-01T00:00Z", 2)])
    assert ingest(workspace, CLOCK, CLOCK).counts == UpsertCounts(new=1)


def test_a_second_try_understands_rows_as_their_whole_file_was_understood(workspace):
    rows = [*hourly("a", [280.5, 281.0, 281.5]), ("a", "2024-01-01T05:00Z", 0)]  # kelvin, and a failure
    write(workspace, "a.csv", rows)
    assert ingest(workspace, CLOCK, CLOCK).quarantined == 1
    report = retry_quarantine(workspace, CLOCK + HOUR)
    assert (report.counts, report.quarantined) == (UpsertCounts(), 1)
    assert quarantined(workspace)["reason"].tolist() == ["temperature outside -100…100 °C"]


def test_quarantined_rows_of_a_wide_table_are_taken_in_again(workspace):
    text = "time;attic;cellar\n2024-01-01T00:00Z;1,5;2,5\n2024-01-01T01:00Z;;200,5\n"
    (workspace.home / "inbox" / "a.csv").write_text(text, encoding="utf-8")
    report = ingest(workspace, CLOCK, CLOCK)
    assert (report.rows_in, report.counts.new, report.quarantined) == (3, 2, 1)
    assert json.loads(quarantined(workspace)["raw"].item()) == {"time": "2024-01-01T01:00Z", "cellar": "200,5"}
    (workspace.home / "inbox" / "a.csv").unlink()
    (workspace.home / "nightcast.toml").write_text(INBOX + 'unit = "F"\n', encoding="utf-8")
    report = retry_quarantine(Workspace.find(workspace.home, {}), CLOCK + HOUR)
    assert report.counts == UpsertCounts(new=1)
    late = store_of(workspace).read(CLOCK, since=pd.Timestamp("2024-01-01T00:00Z"), flags=(1, 2, 3, 4))
    assert (late["station_id"].item(), round(late["temperature_c"].item(), 2)) == ("cellar", 93.61)


def test_a_file_named_by_hand_is_read_even_if_it_was_taken_in_before(workspace, tmp_path):
    file = workspace.home / "inbox" / "a.csv"
    for value in (1, 2):
        write(workspace, "a.csv", [("a", "2024-01-01T00:00Z", value)])
        ingest(workspace, CLOCK, CLOCK)
    write(workspace, "a.csv", [("a", "2024-01-01T00:00Z", 1)])
    assert ingest(workspace, CLOCK, CLOCK).rows_in == 0  # known content is no news ...
    assert ingest_file(workspace, file, CLOCK).counts == UpsertCounts(corrected=1)  # ... unless it is asked for
    version = store_of(workspace).version
    report = ingest_file(workspace, file, CLOCK)
    assert (report.counts, report.readings_version) == (UpsertCounts(unchanged=1), version)


def test_of_a_grown_file_only_new_rows_count(workspace):
    toml = INBOX + '[source.cellar.covariates]\nhumidity_pct = "rh"\n'
    (workspace.home / "nightcast.toml").write_text(toml, encoding="utf-8")
    workspace = Workspace.find(workspace.home, {})
    file = workspace.home / "inbox" / "a.csv"
    file.write_text("station,time,temp,rh\na,2024-01-01T00:00Z,1,500\n", encoding="utf-8")
    ingest(workspace, CLOCK, CLOCK)
    file.write_text(file.read_text() + "a,2024-01-01T01:00Z,1,50\n", encoding="utf-8")
    report = ingest(workspace, CLOCK, CLOCK)
    assert (report.rows_in, report.counts.new, report.nulled) == (1, 1, {})


def test_files_read_again_do_not_undo_what_came_after_them(workspace):
    write(workspace, "z.csv", [("a", "2024-01-01T00:00Z", 5)])
    ingest(workspace, CLOCK, CLOCK)
    write(workspace, "fix.csv", [("a", "2024-01-01T00:00Z", 9)])
    ingest(workspace, CLOCK, CLOCK + HOUR)
    for number, timezone in enumerate(("Europe/Berlin", "UTC", "Europe/Paris"), start=2):
        (workspace.home / "nightcast.toml").write_text(INBOX + f'timezone = "{timezone}"\n', encoding="utf-8")
        report = ingest(Workspace.find(workspace.home, {}), CLOCK, CLOCK + number * HOUR)
        assert report.counts == UpsertCounts(unchanged=2)
        assert list(kept(workspace).values()) == [9.0]


def test_a_unit_mended_twice_is_mended_twice(workspace):
    write(workspace, "a.csv", [("a", "2024-01-01T00:00Z", 50)])
    found = []
    for number, unit in enumerate("CFC"):
        (workspace.home / "nightcast.toml").write_text(INBOX + f'unit = "{unit}"\n', encoding="utf-8")
        ingest(Workspace.find(workspace.home, {}), CLOCK, CLOCK + number * HOUR)
        found += kept(workspace).values()
    assert found == [50.0, 10.0, 50.0]


def test_text_that_cannot_be_kept_stops_no_other_source(workspace):
    (workspace.home / "nightcast.toml").write_text(INBOX.replace("*.csv", "*") + '[source.b]\npath = "b.csv"\n')
    (workspace.home / "inbox" / "a.jsonl").write_text(
        '{"station": "a", "time": "2024-01-01T00:00Z", "temp": "x\\ud83d"}\n'
        '{"station": "a", "time": "2024-01-01T01:00Z", "temp": 1}\n'
    )
    (workspace.home / "b.csv").write_text("station,time,temperature\nb,2024-01-01T00:00Z,1\n")
    report = ingest(Workspace.find(workspace.home, {}), CLOCK, CLOCK)
    assert (report.counts.new, report.reasons) == (2, {"no JSON object": 1})


def test_a_covariate_may_have_any_name(workspace):
    toml = INBOX + '[source.cellar.covariates]\nfresh = "rh"\n'
    (workspace.home / "nightcast.toml").write_text(toml, encoding="utf-8")
    (workspace.home / "inbox" / "a.csv").write_text(
        "station,time,temp,rh\na,2024-01-01T00:00Z,1,50\n", encoding="utf-8"
    )
    ingest(Workspace.find(workspace.home, {}), CLOCK, CLOCK)
    assert store_of(workspace).covariates == ["fresh"]
