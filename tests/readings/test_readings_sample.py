"""The embedded sample: what it holds by which night."""

import pandas as pd
import pytest

from lstm_model.readings import SAMPLE_FIRST_NIGHT, ReadingsStore, ingest
from lstm_model.workspace import Workspace

CLOCK = pd.Timestamp("2025-01-01T00:00Z")
DAY = pd.Timedelta("1D")


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    """Two nights lived: the reports, and the store after each."""
    workspace = Workspace.find(tmp_path_factory.mktemp("workspace"), {})
    store = ReadingsStore(workspace.readings, workspace.quarantine)
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
    _, store, _ = nights
    assert store.quarantined()["ingested_at"].tolist() == [SAMPLE_FIRST_NIGHT]


def test_the_bad_reading_of_kennedy_is_left_for_quality_control(nights):
    _, store, _ = nights
    readings = store.read(SAMPLE_FIRST_NIGHT).set_index(["station_id", "observed_at"])["temperature_c"]
    assert round(float(readings["JFK", pd.Timestamp("2013-05-09T02:00Z")]), 1) == -10.5
    assert sorted(readings.index.unique("station_id")) == ["EWR", "JFK", "LGA"]
