"""The embedded sample: what it holds by which night."""

import pandas as pd
import pytest

from lstm_model.readings import SAMPLE_FIRST_NIGHT, Quarantine, ReadingsStore, ingest
from lstm_model.readings.quality import FAIL
from lstm_model.workspace import Workspace

CLOCK = pd.Timestamp("2025-01-01T00:00Z")
DAY = pd.Timedelta("1D")


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    """Two nights lived: the reports, and the store after each."""
    workspace = Workspace.find(tmp_path_factory.mktemp("workspace"), {})
    store = ReadingsStore(workspace.readings)
    reports = [ingest(workspace, now, CLOCK) for now in (SAMPLE_FIRST_NIGHT, SAMPLE_FIRST_NIGHT + DAY)]
    return reports, store, workspace


def test_the_first_night_knows_all_until_then(nights):
    first = nights[0][0]
    assert (first.rows_in, first.counts.new, first.quarantined) == (23_956, 23_955, 1)
    assert first.reasons == {"temperature missing or not a number": 1}


def test_the_next_night_brings_one_day_of_three_stations(nights):
    second = nights[0][1]
    assert (second.rows_in, second.counts.new, second.quarantined) == (72, 72, 0)


def test_a_night_lived_twice_brings_nothing(nights):
    reports, store, workspace = nights
    again = ingest(workspace, SAMPLE_FIRST_NIGHT + DAY, CLOCK)
    assert (again.rows_in, again.readings_version) == (0, reports[1].readings_version)
    assert store.version == reports[1].readings_version


def test_nothing_observed_after_the_night_is_revealed(nights):
    _, store, _ = nights
    assert store.watermark("sample") == SAMPLE_FIRST_NIGHT + DAY


def test_readings_are_stamped_with_the_night_that_brought_them(nights):
    workspace = nights[2]
    assert Quarantine(workspace.quarantine).rows()["ingested_at"].tolist() == [SAMPLE_FIRST_NIGHT]


def test_the_bad_reading_of_kennedy_fails(nights):
    _, store, _ = nights
    failed = store.read(SAMPLE_FIRST_NIGHT, flags=(FAIL,)).set_index(["station_id", "observed_at"])["temperature_c"]
    assert failed.round(1).to_dict() == {("JFK", pd.Timestamp("2013-05-09T02:00Z")): -10.5}
    usable = store.read(SAMPLE_FIRST_NIGHT)
    assert sorted(usable["station_id"].unique()) == ["EWR", "JFK", "LGA"]
    assert usable["temperature_c"].min() > -13.5  # New York's coldest hour of 2013


def test_few_readings_of_the_sample_are_doubted(nights):
    flags = nights[0][0].flags
    assert sum(map(sum, flags.by_station.values())) < 5


def test_the_sample_brings_dew_point_pressure_and_wind(nights):
    _, store, _ = nights
    columns = ["dew_point_c", "pressure_hpa", "wind_east_ms", "wind_north_ms"]
    assert store.covariates == columns
    rows = store.read(SAMPLE_FIRST_NIGHT, columns=columns).set_index(["station_id", "observed_at"])
    # EWR at the turn to 2013-01-01 06Z: dew point 26.06 °F, 1012.0 hPa, 10.35702 mph from 270°
    assert rows.loc[("EWR", pd.Timestamp("2013-01-01T06:00Z")), columns].tolist() == pytest.approx(
        [-3.3, 1012.0, 4.63, 0.0], abs=0.01
    )
    assert nights[0][0].nulled == {"wind_east_ms": 1, "wind_north_ms": 1}  # 1048 mph at EWR on 12 February
