"""When readings are taken to have arrived: a load of history when observed, all else when it was taken in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from past_nights import workspace_with
from support import NOW, SMALL, fleet_readings, store_of, with_pressure

from lstm_model.readings import ReadingsStore, ingest_from
from lstm_model.readings.quality import ANY_FLAG
from lstm_model.replay.arrivals import Arrivals, SampleArrivals
from lstm_model.workspace import Workspace

HOUR, DAY = pd.Timedelta("1h"), pd.Timedelta("1D")
GRACE = pd.Timedelta("10min")
KEY = ["station_id", "observed_at"]


def batch(days: int, end: pd.Timestamp, came: pd.Timestamp, stations: int = 1, seed: int = 0) -> pd.DataFrame:
    """Readings of so many days until `end`, taken in at `came`."""
    return fleet_readings(days, stations, end, seed).assign(ingested_at=came.as_unit("us"))


def arrivals_of(home: Path, *batches: pd.DataFrame) -> Arrivals:
    return Arrivals.of(store_of(workspace_with(home, list(batches), SMALL)))


def brought(arrivals: Arrivals, since: pd.Timestamp | None, until: pd.Timestamp) -> pd.DataFrame:
    """All that the sources offer."""
    offered = [rows.understood for source in arrivals.sources(since, until) for rows in source.read(None, until)]
    return pd.concat(offered) if offered else pd.DataFrame(columns=KEY)


def test_a_load_of_history_arrived_as_it_was_observed(tmp_path: Path) -> None:
    rows = arrivals_of(tmp_path, batch(40, NOW, NOW + 100 * DAY)).rows
    assert (rows["arrived_at"] == rows["observed_at"]).all()


def test_what_was_taken_in_night_by_night_arrived_then(tmp_path: Path) -> None:
    rows = arrivals_of(tmp_path, batch(20, NOW, NOW + 3 * HOUR)).rows
    assert (rows["arrived_at"] == NOW + 3 * HOUR - GRACE).all()


def test_a_night_sees_what_it_took_in_itself(tmp_path: Path) -> None:
    """Its readings are stamped a little later than the night; those taken in hours later are not seen."""
    night = NOW + pd.Timedelta("15min")
    own, later = batch(1, NOW, night + pd.Timedelta("3s")), batch(1, NOW - DAY, night + HOUR, seed=1)
    arrivals = arrivals_of(tmp_path, own, later)
    assert brought(arrivals, None, night)["observed_at"].min() == NOW - 23 * HOUR
    assert len(brought(arrivals, None, night)) == 24


def test_a_clock_that_runs_ahead_brings_nothing_before_it_was_observed(tmp_path: Path) -> None:
    rows = arrivals_of(tmp_path, batch(1, NOW, NOW - HOUR)).rows
    assert rows.groupby("observed_at")["arrived_at"].first()[NOW] == NOW
    assert (rows["arrived_at"] >= rows["observed_at"]).all()


def test_late_hours_are_offered_once_they_have_arrived_and_only_once(tmp_path: Path) -> None:
    late = batch(1, NOW, NOW + 2 * DAY, seed=1)
    arrivals = arrivals_of(tmp_path, batch(40, NOW - DAY, NOW), late)
    assert brought(arrivals, None, NOW + DAY)["observed_at"].max() == NOW - DAY
    assert len(brought(arrivals, NOW + DAY, NOW + 2 * DAY - HOUR)) == 0
    assert len(brought(arrivals, NOW + DAY, NOW + 2 * DAY)) == 24  # what arrives with the night is seen by it
    assert len(brought(arrivals, NOW + 2 * DAY, NOW + 9 * DAY)) == 0


def test_a_corrected_reading_is_known_as_corrected_from_when_that_came(tmp_path: Path) -> None:
    corrected = batch(1, NOW - 5 * DAY, NOW - 2 * DAY).tail(1).assign(temperature_c=np.float32(7))
    arrivals = arrivals_of(tmp_path, batch(40, NOW, NOW), corrected)
    when = (NOW - 5 * DAY).as_unit("us")
    assert when not in set(brought(arrivals, None, NOW - 3 * DAY)["observed_at"])
    after = brought(arrivals, None, NOW - 2 * DAY).set_index("observed_at")["temperature_c"]
    assert after[when] == 7


def test_an_old_reading_corrected_beside_new_ones_is_not_known_before_that_came(tmp_path: Path) -> None:
    history, came = batch(80, NOW, NOW), NOW - 2 * DAY
    corrected = history[history["observed_at"] == NOW - 60 * DAY].assign(temperature_c=np.float32(7))
    night = pd.concat([corrected, batch(1, came, came)]).assign(ingested_at=came.as_unit("us"))
    arrivals = arrivals_of(tmp_path, history, night)
    old = arrivals.rows[arrivals.rows["temperature_c"] == 7]
    assert old["arrived_at"].tolist() == [came - GRACE]


def test_nothing_is_lost_and_nothing_twice_whatever_the_nights(tmp_path: Path) -> None:
    late, cellar = batch(1, NOW, NOW + DAY, seed=1), batch(9, NOW, NOW - 3 * DAY, seed=2)
    cellar = cellar.assign(station_id="cellar", source="cellar")
    workspace = workspace_with(tmp_path / "a", [with_pressure(batch(40, NOW, NOW, 2)), late, cellar], SMALL)
    arrivals = Arrivals.of(store_of(workspace))
    again = workspace_with(tmp_path / "b", [], SMALL)
    cuts = [None, *pd.date_range(NOW - 35 * DAY, NOW + 2 * DAY, freq="97h")]
    rows_in = 0
    for before, night in zip(cuts, [*cuts[1:], NOW + 9 * DAY], strict=True):
        report = ingest_from(again, arrivals.sources(before, night), night)
        assert (report.quarantined, report.counts.corrected, report.counts.unchanged) == (0, 0, 0)
        assert store_of(again).newest() <= night
        rows_in += report.rows_in
    kept, kept_again = (
        store_of(each).read(NOW + 9 * DAY, flags=ANY_FLAG, columns=["source"], covariates=True)
        for each in (workspace, again)
    )
    assert rows_in == len(kept)
    pd.testing.assert_frame_equal(kept_again, kept)


def test_the_night_judges_anew_what_time_has_judged(tmp_path: Path) -> None:
    history = batch(40, NOW, NOW)
    spike = history["observed_at"] == NOW - 3 * DAY
    history = history.assign(
        temperature_c=history["temperature_c"].mask(spike, 40.0), flag=np.where(spike, np.int8(1), np.int8(4))
    )
    again = workspace_with(tmp_path / "again", [], SMALL)
    for until in (NOW - 3 * DAY, NOW):
        arrivals = arrivals_of(tmp_path / f"{until:%d}", history)
        ingest_from(again, arrivals.sources(None, until), until)
        flags = store_of(again).read(until, flags=ANY_FLAG, columns=["flag"]).set_index("observed_at")["flag"]
        assert len(flags) == (history["observed_at"] <= until).sum()
        assert flags[NOW - 3 * DAY] == (3 if until < NOW else 4)  # a jump, and a spike once the next hour is known
        assert (flags.drop(NOW - 3 * DAY) < 3).mean() > 0.99


def test_an_empty_store_brings_nothing(tmp_path: Path) -> None:
    arrivals = Arrivals(Arrivals.of(store_of(workspace_with(tmp_path, [batch(1, NOW, NOW)], SMALL))).rows.iloc[:0])
    assert arrivals.sources(None, NOW) == []


def test_the_sample_arrives_as_it_is_observed(tmp_path: Path) -> None:
    workspace = Workspace.find(tmp_path, {})
    first, second = pd.Timestamp("2013-01-05T23:00Z"), pd.Timestamp("2013-01-06T23:00Z")
    for before, night in ((None, first), (first, second), (second, second)):
        report = ingest_from(workspace, SampleArrivals().sources(before, night), night)
        assert ReadingsStore(workspace.readings).newest() == night
    assert report.rows_in == 0
    newest = store_of(workspace).read(second, columns=["ingested_at"]).groupby("observed_at")["ingested_at"].max()
    assert newest[first] == first
    assert newest[second] == second
