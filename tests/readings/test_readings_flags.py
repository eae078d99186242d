"""Flags in the store: they follow from its contents and the frozen limits, whatever came when."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from inbox import CLOCK, HOUR, INBOX, flags, hourly, write
from support import store_of

from lstm_model.readings import ReadingsStore, ingest, table
from lstm_model.readings.quality import FAIL, GOOD, SUSPECT, QualityControl
from lstm_model.readings.stations import Stations
from lstm_model.readings.store import UpsertCounts
from lstm_model.readings.usual import Neighbour, Usual, UsualFile
from lstm_model.settings import QualitySettings
from lstm_model.workspace import Workspace

# Frozen limits: three neighbours under one roof, with a usual temperature of 10 °C.
ROOF = ("a", "b", "c")
USUAL = {
    name: Usual(0, 1, (10.0, 0.0, 0.0), 1.0, tuple(Neighbour(other, 1.0, 0.5, 0.4) for other in ROOF if other != name))
    for name in ROOF
}
HOURS = pd.date_range("2024-05-01T00:00Z", periods=60, freq="1h")


@st.composite
def rows_and_batches(draw):
    """Rows as (station, hour, text), and the same rows in another order that keeps each key's own, in batches."""
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = []
    for station in ROOF:
        level = 10 + chance.normal(0, 0.5, len(HOURS)).cumsum() * 0.3
        level[chance.random(len(HOURS)) < 0.05] += 30  # spikes
        level[20 : 20 + draw(st.integers(0, 30))] = level[20]  # a flat line
        level[45:] += draw(st.sampled_from([0, 0, 15]))  # a level shift
        rows += [(station, hour, f"{value:.2f}") for hour, value in enumerate(level) if chance.random() < 0.8]
    again = [rows[index] for index in chance.integers(0, len(rows), 20)]
    rows += [(station, hour, "11.5" if chance.random() < 0.5 else value) for station, hour, value in again]
    rows += [(station, hour, "warm") for station, hour, _ in again[:3]]
    order = chance.permutation(len(rows))
    slots = {}
    for index in sorted(order.tolist()):
        slots.setdefault(rows[index][:2], []).append(index)
    mixed = [rows[slots[rows[index][:2]].pop(0)] for index in order]
    cuts = sorted(chance.integers(0, len(rows), draw(st.integers(0, 4))).tolist())
    return rows, [mixed[start:end] for start, end in zip([0, *cuts], [*cuts, len(mixed)], strict=True)]


@settings(max_examples=8)
@given(drawn=rows_and_batches())
def test_flags_are_a_function_of_the_contents_whatever_the_order_of_arrival(tmp_path_factory, drawn):
    rows, batches = drawn
    home = tmp_path_factory.mktemp("workspace")
    (home / "nightcast.toml").write_text(INBOX, encoding="utf-8")
    workspace = Workspace.find(home, {})
    UsualFile(CLOCK, USUAL, None).write(workspace.usual)
    reports = []
    for number, batch in enumerate(batches):
        write(workspace, f"{number}.csv", [(station, HOURS[hour].isoformat(), value) for station, hour, value in batch])
        reports.append(ingest(workspace, CLOCK, CLOCK + number * pd.Timedelta("1h")))

    last = {(station, HOURS[hour]): float(value) for station, hour, value in rows if value != "warm"}
    whole = pd.DataFrame(
        [(*key, value) for key, value in sorted(last.items())], columns=["station_id", "observed_at", "t"]
    )
    whole = whole.rename(columns={"t": "temperature_c"}).astype({"temperature_c": "float32"})
    limits = QualityControl(workspace.settings.quality, pd.Timedelta("1h"), Stations(), USUAL)
    whole["flag"] = limits.assess(whole).flags
    stored = store_of(workspace).read(CLOCK, flags=(1, 2, 3, 4), columns=["flag"])
    pd.testing.assert_frame_equal(stored, whole.astype(stored.dtypes))
    for report in reports:
        counts = report.counts
        assert report.rows_in == counts.new + counts.corrected + counts.unchanged + report.quarantined
    assert sum(report.rows_in for report in reports) == len(rows)
    assert sum(report.counts.new for report in reports) == len(last)


def test_a_late_neighbour_gives_a_reading_another_flag(workspace):
    write(workspace, "a.csv", hourly("a", [1, 2, 20, 2, 1])[2:3])
    ingest(workspace, CLOCK, CLOCK)
    assert flags(workspace) == [GOOD]
    write(workspace, "b.csv", [row for row in hourly("a", [1, 2, 20, 2, 1]) if row[2] != 20])
    report = ingest(workspace, CLOCK, CLOCK)
    assert flags(workspace) == [GOOD, GOOD, FAIL, GOOD, GOOD]
    assert report.counts == UpsertCounts(new=4)
    assert report.flags.by_station == {"a": (0, 1)}
    assert report.flags.by_check["spike"] == 1


def test_late_neighbours_outvote_a_reading_that_was_there_before(workspace):
    knows_no_seasons = {name: Usual(0, 0, (10.0,), 1.0, usual.neighbours) for name, usual in USUAL.items()}
    UsualFile(CLOCK, knows_no_seasons, None).write(workspace.usual)
    values = [10, 10.4, 9.8, 10.1, 10.3]
    write(workspace, "c.csv", hourly("c", [value + 15 for value in values]))
    ingest(workspace, CLOCK, CLOCK)
    assert flags(workspace) == [GOOD] * 5
    write(workspace, "a.csv", hourly("a", values) + hourly("b", values))
    report = ingest(workspace, CLOCK, CLOCK)
    assert flags(workspace) == [GOOD] * 10 + [SUSPECT] * 5
    assert report.flags.by_station == {"c": (5, 0)}


def test_a_correction_writes_exactly_the_corrected_row_and_the_flags_it_changes(workspace):
    write(workspace, "a.csv", hourly("a", [1, 2, 20, 2, 1, 2, 3]))
    before = ingest(workspace, CLOCK, CLOCK).readings_version
    write(workspace, "b.csv", hourly("a", [1, 2, 2, 2, 1, 2, 3]))
    after = ingest(workspace, CLOCK, CLOCK + pd.Timedelta("1h"))
    assert after.counts == UpsertCounts(corrected=1, unchanged=6)
    assert after.readings_version == before + 1
    stamped = store_of(workspace).read(CLOCK, columns=["ingested_at"])
    assert (stamped["ingested_at"] > CLOCK).sum() == 1
    old = store_of(workspace).read(CLOCK, version=before, flags=(FAIL,))
    assert old["temperature_c"].tolist() == [20.0]
    assert flags(workspace) == [GOOD] * 7


def test_other_limits_judge_every_reading_anew(workspace):
    write(workspace, "a.csv", hourly("a", [1, 2, 3, 2, 31]))
    ingest(workspace, CLOCK, CLOCK)
    assert flags(workspace)[-1] == SUSPECT  # a fast change
    stations = workspace.home / "data" / "stations.csv"
    stations.write_text("station_id,valid_max_c\na,30\n", encoding="utf-8")
    report = ingest(workspace, CLOCK, CLOCK)
    assert (report.rows_in, report.reviewed.by_station) == (0, {"a": (0, 1)})
    assert flags(workspace) == [GOOD] * 4 + [FAIL]
    version = report.readings_version
    assert ingest(workspace, CLOCK, CLOCK).readings_version == version


def test_a_killed_review_is_made_up_for(workspace):
    write(workspace, "a.csv", hourly("a", [1, 2, 20, 2, 1]))
    ingest(workspace, CLOCK, CLOCK)
    kept_limits = UsualFile.read(workspace.usual)
    store_of(workspace).reassess(QualityControl(workspace.settings.quality.model_copy(update={"spike_c": 50.0}), HOUR))
    assert flags(workspace)[2] != FAIL
    UsualFile(kept_limits.learned_until, kept_limits.usual, None).write(
        workspace.usual
    )  # killed before this was marked
    ingest(workspace, CLOCK, CLOCK)
    assert flags(workspace)[2] == FAIL


def warm_fleet(days, shift_from=None):
    """Three stations under one weather; the last one shifted by 15 °C from a day on."""
    chance = np.random.default_rng(0)
    hours = 24 * days
    common = 10 + chance.normal(0, 0.5, hours).cumsum() * 0.3
    rows = []
    for station in ROOF:
        values = common + chance.normal(0, 0.3, hours)
        if station == "c" and shift_from is not None:
            values[24 * shift_from :] += 15.0
        rows += hourly(station, np.round(values, 2))
    return rows


def test_a_level_shift_is_found_once_there_is_history(workspace):
    write(workspace, "history.csv", warm_fleet(60))
    first = ingest(workspace, CLOCK, CLOCK)
    assert sum(map(sum, first.flags.by_station.values())) == 0
    assert set(UsualFile.read(workspace.usual).usual) == set(ROOF)
    write(workspace, "shifted.csv", warm_fleet(63, shift_from=60))
    report = ingest(workspace, CLOCK, CLOCK)
    assert report.flags.by_station == {"c": (72, 0)}
    assert report.flags.by_check["neighbours"] == 72


def test_a_station_that_stays_shifted_is_taken_to_have_moved(workspace):
    write(workspace, "history.csv", warm_fleet(60))
    ingest(workspace, CLOCK, CLOCK)
    for days in (*range(67, 130, 7), 130):
        write(workspace, f"{days}.csv", warm_fleet(days, shift_from=60))
        ingest(workspace, CLOCK, CLOCK)
    usual = UsualFile.read(workspace.usual)
    assert list(usual.moved) == ["c"]
    assert usual.usual["c"].since == usual.moved["c"].isoformat()
    moved = usual.moved["c"]
    rows = store_of(workspace).read(CLOCK, flags=(1, 2, 3, 4), columns=["flag"])
    assert set(rows.loc[rows["observed_at"] <= moved, "flag"]) == {GOOD}  # what it read before keeps its flags
    assert (rows.loc[rows["observed_at"] > moved + 50 * 24 * HOUR, "flag"] == GOOD).mean() > 0.99


def test_one_wild_reading_after_a_silence_is_no_move(workspace):
    write(workspace, "history.csv", warm_fleet(60))
    ingest(workspace, CLOCK, CLOCK)
    silent = [row for row in warm_fleet(90) if row[0] != "c" or row[1] < "2024-03-01"]
    write(workspace, "wild.csv", [*silent, ("c", "2024-03-30T12:00Z", 55)])
    report = ingest(workspace, CLOCK, CLOCK)
    assert UsualFile.read(workspace.usual).moved == {}
    assert report.flags.by_station == {"c": (1, 0)}


def test_a_station_that_holds_still_has_not_moved(workspace):
    (workspace.home / "nightcast.toml").write_text(INBOX + "[quality]\nflat_hours = 6\n", encoding="utf-8")
    workspace = Workspace.find(workspace.home, {})
    rows = [row for row in warm_fleet(100) if row[0] != "c"] + hourly("c", np.repeat(np.arange(200) % 5, 12))
    write(workspace, "a.csv", rows)
    ingest(workspace, CLOCK, CLOCK)
    write(workspace, "b.csv", hourly("a", [10.0], "2024-04-15T00:00Z"))  # another week begins
    ingest(workspace, CLOCK, CLOCK)
    assert UsualFile.read(workspace.usual).moved == {}


def test_judged_anew_in_loads_or_at_once_every_flag_is_the_same(tmp_path, monkeypatch):
    """A load is a month; what lies beyond its ends is looked at as far as a flag reaches."""
    chance, hours = np.random.default_rng(0), pd.date_range("2024-01-01T00:00Z", periods=24 * 90, freq="1h")
    parts = []
    for station in ROOF:
        level = 10 + chance.normal(0, 0.6, len(hours)).cumsum() * 0.2
        level[chance.random(len(hours)) < 0.02] += 30
        for begin in (24 * 31 - 15, 24 * 60 - 2):  # still across the turn of a month
            level[begin : begin + 40] = level[begin]
        parts.append(pd.DataFrame({"station_id": station, "observed_at": hours, "temperature_c": np.float32(level)}))
    rows = pd.concat(parts, ignore_index=True)
    batch = rows.assign(
        month=rows["observed_at"].dt.strftime("%Y-%m"), flag=np.int8(2), source="roof", ingested_at=CLOCK
    )
    store = ReadingsStore(tmp_path / "readings")
    store.upsert(batch)
    quality = QualityControl(QualitySettings(), HOUR, Stations(), USUAL)
    monkeypatch.setattr(table, "_ROWS_AT_ONCE", 1)
    store.reassess(quality)
    kept = store.read(CLOCK, flags=(1, 2, 3, 4), columns=["flag"])
    expected = quality.assess(rows.sort_values(["station_id", "observed_at"], ignore_index=True)).flags
    assert kept["flag"].tolist() == expected.tolist()
    assert len(set(expected)) > 2
    assert store.reassess(quality, unlearned=True).by_check == {}
