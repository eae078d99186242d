"""The readings table: counts, corrections, time travel, and writers at the same time."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pandas as pd
import pytest
from deltalake import DeltaTable

from lstm_model.readings.store import ReadingsStore, UpsertCounts

NOON = pd.Timestamp("2024-01-31T12:00Z")
FIRST, SECOND = pd.Timestamp("2024-02-01T00:00Z"), pd.Timestamp("2024-02-02T00:00Z")
A, B = ("a", 0), ("b", 0)


@pytest.fixture
def store(tmp_path):
    return ReadingsStore(tmp_path / "readings")


def batch(*rows, ingested_at=FIRST, source="test", flag=2):
    """Rows of ((station, hours after noon), temperature)."""
    times = [NOON + pd.Timedelta(hours=hours) for (_, hours), _ in rows]
    observed_at = pd.DatetimeIndex(times, tz="UTC").as_unit("us")
    return pd.DataFrame(
        {
            "month": observed_at.strftime("%Y-%m"),
            "station_id": pd.Series([station for (station, _), _ in rows], dtype="str"),
            "observed_at": observed_at,
            "temperature_c": np.array([value for _, value in rows], np.float32),
            "flag": np.int8(flag),
            "source": source,
            "ingested_at": ingested_at.as_unit("us"),
        }
    )


def kept(store):
    frame = store.read(SECOND)
    return {
        (row.station_id, (row.observed_at - NOON) / pd.Timedelta("1h")): row.temperature_c for row in frame.itertuples()
    }


@pytest.mark.parametrize(
    ("before", "came", "expected"),
    [
        ([], [(A, 1), (B, 1)], UpsertCounts(new=2)),
        ([(A, 1)], [(A, 1)], UpsertCounts(unchanged=1)),
        ([(A, 1)], [(A, 2)], UpsertCounts(corrected=1)),
        ([(A, 1)], [(A, 1), (A, 2), (B, 1)], UpsertCounts(new=1, corrected=1, unchanged=1)),
        ([], [(A, 1), (A, 1), (A, 2), (A, 2), (A, 1)], UpsertCounts(new=1, corrected=2, unchanged=2)),
        ([(A, 1)], [(A, 2), (A, 1)], UpsertCounts(corrected=2)),
        ([(A, 0.1)], [(A, 0.1)], UpsertCounts(unchanged=1)),
        ([(A, 1)], [], UpsertCounts()),
    ],
    ids=["new", "unchanged", "corrected", "mixed", "repeats", "there and back", "float32", "nothing"],
)
def test_rows_are_counted_as_if_they_came_one_by_one(store, before, came, expected):
    store.upsert(batch(*before))
    assert store.upsert(batch(*came)).counts == expected
    assert kept(store) == {key: np.float32(value) for key, value in [*before, *came]}


def test_the_same_batch_twice_makes_no_new_version(store):
    rows = batch((A, 1), (B, 2), (("a", 24), 3))  # the last one lies in another month
    store.upsert(rows)
    version = store.version
    assert store.upsert(rows).counts == UpsertCounts(unchanged=3)
    assert store.version == version


def test_a_correction_taken_back_within_a_batch_makes_no_new_version(store):
    store.upsert(batch((A, 1)))
    version = store.version
    store.upsert(batch((A, 2), (A, 1)))
    assert store.version == version


def test_a_correction_writes_exactly_the_corrected_rows(store, tmp_path):
    store.upsert(batch((A, 1), (B, 2), (("a", 24), 3)))
    store.upsert(batch((A, 1), (B, 20), (("a", 24), 3), ingested_at=SECOND))
    table = DeltaTable(tmp_path / "readings")
    stamped = table.to_pandas().set_index("station_id").query("ingested_at == @SECOND")
    assert stamped["temperature_c"].to_dict() == {"b": 20.0}
    metrics = table.history(1)[0]["operationMetrics"]
    assert (metrics["num_target_rows_updated"], metrics["num_target_rows_inserted"]) == (1, 0)


def test_the_version_before_a_correction_still_shows_the_old_value(store):
    store.upsert(batch((A, 1), (B, 2)))
    version = store.version
    store.upsert(batch((A, 10), ingested_at=SECOND))
    old = store.read(SECOND, version=version).set_index("station_id")
    assert old["temperature_c"].to_dict() == {"a": 1.0, "b": 2.0}
    assert kept(store) == {A: 10.0, B: 2.0}


def test_read_sees_after_since_and_up_to_until(store):
    store.upsert(batch(*((("a", hours), hours) for hours in range(0, 60, 6))))
    frame = store.read(NOON + pd.Timedelta("24h"), since=NOON + pd.Timedelta("6h"))
    assert frame["temperature_c"].tolist() == [12, 18, 24]


def test_read_is_ordered_by_station_and_time(store):
    store.upsert(batch((("b", 2), 1), (("a", 5), 2), (("b", 1), 3), (("a", 3), 4)))
    assert store.read(SECOND)["temperature_c"].tolist() == [4, 2, 3, 1]


@pytest.mark.parametrize(("flag", "count"), [(1, 1), (2, 1), (3, 0), (4, 0)])
def test_only_good_and_unevaluated_readings_are_usable(store, flag, count):
    store.upsert(batch((A, 1), flag=flag))
    assert len(store.read(SECOND)) == count


def test_an_empty_store_reads_as_no_readings(store):
    frame = store.read(SECOND)
    assert frame.empty
    assert list(frame) == ["station_id", "observed_at", "temperature_c"]
    assert (store.version, store.watermark("test"), store.overview()["readings"]) == (None, None, 0)


def test_the_watermark_is_the_newest_reading_of_that_source(store):
    store.upsert(batch((("a", 3), 1), (("a", 1), 1), source="cellar"))
    store.upsert(batch((("b", 9), 1), source="attic"))
    assert store.watermark("cellar") == NOON + pd.Timedelta("3h")
    assert store.watermark("roof") is None


def test_overview_counts_readings_stations_and_doubts(store):
    store.upsert(batch((A, 1), (("a", 2), 1)))
    store.upsert(batch((B, 1), flag=3))
    assert store.overview() == {
        "readings": 3,
        "stations": 2,
        "first_reading": NOON.isoformat(),
        "last_reading": (NOON + pd.Timedelta("2h")).isoformat(),
        "suspect": 1,
        "failed": 0,
    }


def at_once(*jobs):
    """Run jobs in threads that start together."""
    barrier = Barrier(len(jobs))

    def wait_and_run(job):
        barrier.wait()
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(wait_and_run, jobs))


def test_writers_at_the_same_time_all_land(tmp_path):
    """The first table version is among what they race for."""
    stores = [ReadingsStore(tmp_path / "readings") for _ in range(4)]
    jobs = [
        lambda store=store, name=f"station {number}": store.upsert(batch(((name, 0), 1), ((name, 1), 2)))
        for number, store in enumerate(stores)
    ]
    assert [outcome.counts for outcome in at_once(*jobs)] == [UpsertCounts(new=2)] * 4
    assert kept(stores[0]) == {(f"station {n}", hour): hour + 1 for n in range(4) for hour in range(2)}


def test_writers_of_the_same_reading_leave_one(tmp_path):
    stores = [ReadingsStore(tmp_path / "readings") for _ in range(4)]
    at_once(*(lambda store=store, value=value: store.upsert(batch((A, value))) for value, store in enumerate(stores)))
    assert len(DeltaTable(tmp_path / "readings").to_pandas()) == 1
    assert kept(stores[0])[A] in range(4)


def with_covariates(rows, **columns):
    return rows.assign(**{name: np.array(values, np.float32) for name, values in columns.items()})


def covariates_of(store, *columns):
    return store.read(SECOND, columns=columns)[list(columns)].to_numpy().ravel().tolist()


def test_a_new_covariate_becomes_a_column_without_a_rebuild(store, tmp_path):
    store.upsert(batch((A, 1)))
    files = set(DeltaTable(tmp_path / "readings").file_uris())
    store.upsert(with_covariates(batch((("a", 24), 2)), pressure_hpa=[1013.5]))  # in February
    assert store.covariates == ["pressure_hpa"]
    assert covariates_of(store, "pressure_hpa") == pytest.approx([np.nan, 1013.5], nan_ok=True)
    assert files < set(DeltaTable(tmp_path / "readings").file_uris())


def test_a_batch_without_its_covariates_is_full_readings(store):
    store.upsert(with_covariates(batch((A, 1)), pressure_hpa=[1000]))
    assert store.upsert(batch((B, 2))).counts == UpsertCounts(new=1)
    assert kept(store) == {A: 1.0, B: 2.0}


@pytest.mark.parametrize(
    ("came", "counts", "expected"),
    [
        ([np.nan], UpsertCounts(unchanged=1), 1000),
        ([1000], UpsertCounts(unchanged=1), 1000),
        ([990], UpsertCounts(corrected=1), 990),
        ([990, np.nan], UpsertCounts(corrected=1, unchanged=1), 990),
        ([990, 1000], UpsertCounts(corrected=2), 1000),
    ],
    ids=["unsaid", "same", "corrected", "corrected, then unsaid", "there and back"],
)
def test_what_a_row_leaves_unsaid_of_a_covariate_stands(store, came, counts, expected):
    store.upsert(with_covariates(batch((A, 1)), pressure_hpa=[1000]))
    version = store.version
    outcome = store.upsert(with_covariates(batch(*[(A, 1)] * len(came)), pressure_hpa=came))
    assert outcome.counts == counts
    assert covariates_of(store, "pressure_hpa") == [expected]
    assert (store.version == version) == (expected == 1000)


def test_a_covariate_that_comes_later_completes_the_reading(store):
    store.upsert(batch((A, 1), (B, 2)))
    outcome = store.upsert(with_covariates(batch((A, 1)), door_open=[1]))
    assert outcome.counts == UpsertCounts(corrected=1)
    assert covariates_of(store, "door_open") == pytest.approx([1.0, np.nan], nan_ok=True)


def test_a_covariate_that_nobody_said_makes_no_column(store):
    store.upsert(with_covariates(batch((A, 1)), door_open=[np.nan]))
    assert store.covariates == []


def test_a_correction_of_the_temperature_leaves_the_covariate(store):
    store.upsert(with_covariates(batch((A, 1)), pressure_hpa=[1000]))
    store.upsert(batch((A, 2)))
    assert (kept(store), covariates_of(store, "pressure_hpa")) == ({A: 2.0}, [1000.0])


def test_what_came_before_a_reading_was_ingested_does_not_undo_it(store):
    store.upsert(batch((A, 1), ingested_at=SECOND))
    late = batch((A, 5), (B, 5), ingested_at=SECOND + pd.Timedelta("1D"))
    outcome = store.upsert(late, came_at=pd.Series([FIRST, FIRST]))
    assert outcome.counts == UpsertCounts(new=1, unchanged=1)
    assert kept(store) == {A: 1.0, B: 5.0}


def test_what_came_later_and_said_the_same_stands_against_what_came_before_it(store):
    """Understood anew in two loads, the later file first: that it agreed with what is kept must not be forgotten."""
    store.upsert(batch((A, 1), ingested_at=FIRST))
    again = batch((A, 1), ingested_at=SECOND)
    assert store.upsert(again, came_at=pd.Series([SECOND])).counts == UpsertCounts(unchanged=1)
    store.upsert(batch((A, 5), ingested_at=FIRST), came_at=pd.Series([FIRST]))
    assert kept(store) == {A: 1.0}


def test_the_newest_reading_is_found_across_months(store):
    assert store.newest() is None
    store.upsert(batch((A, 1), (("b", 30), 1)))
    assert store.newest() == NOON + pd.Timedelta("30h")


def test_a_reader_may_ask_for_every_covariate_that_a_version_has(store):
    plain = ["station_id", "observed_at", "temperature_c"]
    store.upsert(batch((A, 1)))
    assert list(store.read(SECOND, covariates=True)) == plain
    store.upsert(with_covariates(batch((A, 1)), pressure_hpa=[1000]))
    then = store.version
    store.upsert(with_covariates(batch((B, 2)), door_open=[1]))
    now = store.read(SECOND, covariates=True)
    assert set(now) == {*plain, "pressure_hpa", "door_open"}
    np.testing.assert_array_equal(now[["pressure_hpa", "door_open"]], [[1000, np.nan], [np.nan, 1]])
    assert list(store.read(SECOND, version=then, covariates=True)) == [*plain, "pressure_hpa"]
    assert list(store.read(SECOND)) == plain
