"""Exported forecasts, opened with the tools that people use: csv, pandas, polars, DuckDB and xarray."""

from __future__ import annotations

import csv
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xarray as xr
from deltalake import write_deltalake
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lstm_model.errors import HistoryTooShort, NightcastError, SettingsError
from lstm_model.forecasts import ForecastStore, Made, Wanted, export_forecasts, netcdf
from lstm_model.forecasts.choice import choose
from lstm_model.forecasts.store import FORECASTS_SCHEMA
from lstm_model.network.forecaster import QUANTILE_COLUMNS, forecast_frame
from lstm_model.settings import QUANTILES
from lstm_model.workspace import Workspace

FIRST = pd.Timestamp("2024-03-19T12:00Z")
SECOND = pd.Timestamp("2024-03-20T00:00Z")
MADE = Made(pd.Timestamp("2024-03-20T01:00Z"), "9.9")
PERIOD = Wanted(first=FIRST, last=SECOND)
KEY = ["issued_at", "station_id", "lead_hours"]
INDEXES = ["issued_at", "valid_at"]


def issue(at: pd.Timestamp, stations: tuple[str, ...], leads: int = 3, step: str = "1h", seed: int = 0) -> pd.DataFrame:
    """What the first of these stations' champion says, and a baseline for the others."""
    middle = np.random.default_rng(seed).normal(10, 5, (len(stations), leads, 1))
    rows = forecast_frame(stations, at, pd.Timedelta(step), (middle + np.linspace(-4, 4, 7)).astype(np.float32))
    champion = rows["station_id"] == stations[0]
    return rows.assign(
        issue_date=f"{at:%Y-%m-%d}",
        method=np.where(champion, "champion", "persistence"),
        model_version=np.where(champion, "7", ""),
        run_id=np.where(champion, "a7", ""),
        readings_version=seed,
        created_at=at.as_unit("us"),
    )


def keep(workspace: Workspace, *issues: pd.DataFrame) -> pd.DataFrame:
    store = ForecastStore(workspace.forecasts, workspace.scores, workspace.latest)
    for rows in issues:
        store.keep(rows)
    return store.read_forecasts().sort_values(KEY, ignore_index=True)


@pytest.fixture(scope="module")
def two_issues(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The older one lacks `roof 2`."""
    home = tmp_path_factory.mktemp("two issues")
    older, newer = issue(FIRST, ("roof 0", "roof 1"), seed=1), issue(SECOND, ("roof 0", "roof 1", "roof 2"), seed=2)
    keep(Workspace.find(home, {}), older, newer)
    return home


@pytest.fixture
def workspace(two_issues: Path, tmp_path: Path) -> Workspace:
    """A copy of the two issues."""
    return Workspace.find(shutil.copytree(two_issues, tmp_path / "copy"), {})


def write(workspace: Workspace, name: str, wanted: Wanted = PERIOD, **how: object) -> Path:
    file = workspace.home / name
    export_forecasts(workspace, file, wanted, MADE, **how)  # type: ignore[arg-type]
    return file


def kept(workspace: Workspace) -> pd.DataFrame:
    return keep(workspace)


# ── CSV ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_csv_has_a_row_a_time_and_a_column_a_station(workspace: Workspace) -> None:
    text = write(workspace, "a.csv", Wanted()).read_text()
    assert text.splitlines()[0] == "issued_at,valid_at,roof 0,roof 1,roof 2"
    assert text.splitlines()[1].startswith("2024-03-20T00:00:00Z,2024-03-20T01:00:00Z,")
    wide = pd.read_csv(workspace.home / "a.csv", parse_dates=INDEXES).set_index(INDEXES)
    newest = kept(workspace).query("issued_at == @SECOND")
    median = newest.pivot(index=INDEXES, columns="station_id", values="q50")
    np.testing.assert_allclose(wide.to_numpy(), median.to_numpy(), atol=5.1e-4)
    assert list(wide.index) == list(median.index)


def test_csv_of_a_period_leaves_cells_empty_where_a_station_had_no_forecast(workspace: Workspace) -> None:
    wide = pd.read_csv(write(workspace, "a.csv"), parse_dates=INDEXES)
    assert list(wide["issued_at"]) == [FIRST] * 3 + [SECOND] * 3
    assert list(wide["roof 2"].isna()) == [True] * 3 + [False] * 3
    assert not wide[["roof 0", "roof 1"]].isna().to_numpy().any()


def test_csv_shows_the_quantiles_asked_for(workspace: Workspace) -> None:
    one = pd.read_csv(write(workspace, "a.csv", Wanted(stations=("roof 1",)), quantiles=[0.9]))
    two = pd.read_csv(write(workspace, "b.csv", Wanted(stations=("roof 1",)), quantiles=[0.9, 0.1, 0.9]))
    rows = kept(workspace).query("issued_at == @SECOND and station_id == 'roof 1'")
    assert list(one.columns) == [*INDEXES, "roof 1"]
    assert list(two.columns) == [*INDEXES, "roof 1 q90", "roof 1 q10"]
    np.testing.assert_allclose(one["roof 1"], rows["q90"], atol=5.1e-4)
    np.testing.assert_allclose(two["roof 1 q10"], rows["q10"], atol=5.1e-4)


def test_polars_and_duckdb_read_the_csv(workspace: Workspace) -> None:
    file = write(workspace, "a.csv")
    wide = pl.read_csv(file, try_parse_dates=True)
    assert wide.schema["issued_at"].is_temporal()
    assert wide["roof 2"].null_count() == 3
    newest = kept(workspace).query("issued_at == @SECOND and station_id == 'roof 1'")
    means = duckdb.sql(f"SELECT issued_at, avg(\"roof 1\") FROM '{file}' GROUP BY ALL ORDER BY 1").fetchall()
    assert len(means) == 2
    assert means[1][1] == pytest.approx(newest["q50"].mean(), abs=1e-3)


# ── Parquet ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_parquet_holds_the_rows_as_they_are_kept(workspace: Workspace) -> None:
    file = write(workspace, "a.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(file), kept(workspace))
    assert pl.read_parquet(file).schema["issued_at"] == pl.Datetime("us", "UTC")
    assert pl.read_parquet(file)["q05"].to_list() == kept(workspace)["q05"].to_list()
    asked = f"SELECT station_id, count(*), max(q95) FROM '{file}' GROUP BY ALL ORDER BY 1"
    assert [row[:2] for row in duckdb.sql(asked).fetchall()] == [("roof 0", 6), ("roof 1", 6), ("roof 2", 3)]


def test_parquet_says_what_it_is(workspace: Workspace) -> None:
    metadata = pq.read_metadata(write(workspace, "a.parquet")).metadata
    told = {key.decode(): value.decode() for key, value in metadata.items()}
    assert (told["project"], told["nightcast_version"]) == ("nightcast", "9.9")
    assert (told["issued_from"], told["issued_until"]) == ("2024-03-19T12:00:00Z", "2024-03-20T00:00:00Z")
    assert json.loads(told["readings_versions"]) == [1, 2]
    units = json.loads(told["units"])
    assert units["temperature_c"] == units["q05"] == "degC"
    assert units["lead_hours"] == "hours"
    assert "method" not in units


# ── NetCDF ─────────────────────────────────────────────────────────────────────────────────────────────────────


def described(workspace: Workspace) -> None:
    (workspace.home / "data").mkdir(exist_ok=True)
    (workspace.home / "data" / "stations.csv").write_text(
        "station_id,name,latitude,longitude,elevation_m\nroof 0,Dach,52.5,13.4,34\nroof 1,,48.1,,\n"
    )


def test_netcdf_holds_every_quantile_and_what_made_it(workspace: Workspace) -> None:
    described(workspace)
    with xr.open_dataset(write(workspace, "a.nc")) as opened:
        found = opened.load()
    assert dict(found["temperature"].sizes) == {"station": 3, "issued_at": 2, "lead_hours": 3, "quantile": 7}
    rows = kept(workspace)
    for row in rows.to_dict("records"):
        case = found.set_xindex("station_id").sel(
            station_id=row["station_id"], issued_at=row["issued_at"].tz_localize(None), lead_hours=row["lead_hours"]
        )
        assert [float(value) for value in case["temperature"]] == [row[name] for name in QUANTILE_COLUMNS]
        assert pd.Timestamp(case["valid_at"].item(), tz="UTC") == row["valid_at"]
        told = [case[name].item() for name in ("method", "model_version", "run_id", "readings_version")]
        assert told == [row[name] for name in ("method", "model_version", "run_id", "readings_version")]
    missing = found.isel(station=2, issued_at=0)
    assert missing["temperature"].isnull().all()
    assert missing["method"] == ""
    assert list(found["station_name"].values) == ["Dach", "", ""]
    assert list(found["latitude"].values[:2]) == [52.5, 48.1]
    assert np.isnan(found["longitude"].values[1])
    assert found["elevation"].values[0] == 34


def test_netcdf_keeps_the_cf_conventions(workspace: Workspace) -> None:
    described(workspace)
    with xr.open_dataset(write(workspace, "a.nc"), decode_cf=False) as raw:
        variables, attributes = {str(name): raw[name] for name in raw.variables}, raw.attrs
    assert attributes["Conventions"] == "CF-1.11"
    assert attributes["source"] == ("nightcast 9.9; methods champion, persistence; model versions 7; MLflow runs a7")
    assert attributes["history"] == "2024-03-20T01:00:00Z nightcast export"
    assert "institution" not in attributes  # nobody told us
    standard = {name: told.attrs["standard_name"] for name, told in variables.items() if "standard_name" in told.attrs}
    assert standard == {
        "temperature": "air_temperature", "issued_at": "forecast_reference_time", "lead_hours": "forecast_period",
        "valid_at": "time", "latitude": "latitude", "longitude": "longitude", "elevation": "surface_altitude",
    }  # fmt: skip
    units = {name: told.attrs["units"] for name, told in variables.items() if "units" in told.attrs}
    since = "seconds since 1970-01-01"
    assert units == {
        "temperature": "degC", "issued_at": since, "lead_hours": "hours", "valid_at": since, "quantile": "1",
        "latitude": "degrees_north", "longitude": "degrees_east", "elevation": "m",
    }  # fmt: skip
    temperature = variables["temperature"].attrs
    assert set(temperature["coordinates"].split()) == {
        "valid_at", "station_id", "station_name", "latitude", "longitude", "elevation",
    }  # fmt: skip
    assert set(temperature["ancillary_variables"].split()) <= set(variables)
    assert variables["station_id"].attrs["cf_role"] == "timeseries_id"
    for name, told in variables.items():
        assert name.isidentifier()
        assert set(told.attrs) & {"long_name", "standard_name"}
        assert told.dtype in (np.float32, np.float64, np.int32, np.dtype("S1"))
        if name in told.dims:  # a coordinate variable: one dimension, ordered, nothing missing
            assert told.dims == (name,)
            assert (np.diff(told.values) > 0).all()
            assert "_FillValue" not in told.attrs
    for name in ("issued_at", "valid_at"):
        assert variables[name].attrs["calendar"] == "standard"
        assert "_FillValue" not in variables[name].attrs


def test_netcdf_of_baselines_alone(make_workspace: Callable[..., Workspace]) -> None:
    workspace = make_workspace()
    keep(workspace, issue(FIRST, ("roof 0",)).assign(method="climatology", model_version="", run_id=""))
    with xr.open_dataset(write(workspace, "a.nc")) as found:
        assert found["model_version"].item() == ""
        assert found.attrs["source"] == "nightcast 9.9; methods climatology"
        assert set(found.coords) == {"issued_at", "lead_hours", "valid_at", "quantile", "station_id"}


@pytest.mark.parametrize("step", ["20min", "1D"])
def test_netcdf_of_another_cadence(make_workspace: Callable[..., Workspace], step: str) -> None:
    workspace = make_workspace()
    rows = keep(workspace, issue(FIRST, ("roof 0",), step=step), issue(SECOND, ("roof 0",)))  # and of two at once
    with xr.open_dataset(write(workspace, "a.nc")) as found:
        assert len(found["lead_hours"]) == rows["lead_hours"].nunique()
        flat = found["temperature"].sel(quantile=0.5).stack(row=["issued_at", "lead_hours"]).dropna("row")
        assert list(pd.DatetimeIndex(flat["valid_at"].values, tz="UTC")) == list(rows["valid_at"])
        assert list(flat.values[0]) == list(rows["q50"])


def test_further_columns_go_along(workspace: Workspace) -> None:
    rows = issue(SECOND + pd.Timedelta("1h"), ("roof 0",)).assign(
        p_above=np.float32([0.1, 0.2, 0.3]), limit_above_c=np.float32(30), haze=np.float32(5)
    )
    table = pa.Table.from_pandas(rows, preserve_index=False)
    write_deltalake(workspace.forecasts, table, mode="append", schema_mode="merge", partition_by=["issue_date"])
    parquet = pd.read_parquet(write(workspace, "a.parquet", Wanted(first=SECOND)))
    assert list(parquet["p_above"].dropna()) == list(rows["p_above"])
    with xr.open_dataset(write(workspace, "a.nc", Wanted(first=SECOND))) as found:
        assert list(found["p_above"].isel(station=0, issued_at=1).values) == list(rows["p_above"])
        assert found["p_above"].isel(issued_at=0).isnull().all()
        units = [found[name].attrs.get("units") for name in ("p_above", "limit_above_c", "haze")]
        assert units == ["1", "degC", None]
        told = [found[name].attrs["long_name"] for name in ("p_above", "haze")]
        assert told == ["probability that the temperature is above limit_above_c", "haze"]
        assert "p_below" not in found, "no station has a lower limit"
    older = write(workspace, "b.nc", Wanted(issue=SECOND))
    with xr.open_dataset(older) as found:
        assert "haze" not in found, "nothing is known of it then"


# ── what is wanted ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("wanted", "issues"),
    [
        (Wanted(), [SECOND]),
        (Wanted(issue=FIRST), [FIRST]),
        (Wanted(first=FIRST), [FIRST, SECOND]),
        (Wanted(first=FIRST + pd.Timedelta("1s")), [SECOND]),
        (Wanted(last=FIRST), [FIRST]),
        (Wanted(last=SECOND - pd.Timedelta("1s")), [FIRST]),
    ],
)
def test_issues_are_chosen(workspace: Workspace, wanted: Wanted, issues: list[pd.Timestamp]) -> None:
    assert list(choose(workspace.forecasts, wanted).issues) == issues


def test_only_the_stations_asked_for_are_written(workspace: Workspace) -> None:
    wanted, rows = Wanted(stations=("roof 1", "roof 0")), kept(workspace).query("issued_at == @SECOND")
    assert list(pd.read_csv(write(workspace, "a.csv", wanted)).columns) == [*INDEXES, "roof 0", "roof 1"]
    assert list(pd.read_parquet(write(workspace, "a.parquet", wanted))["station_id"].unique()) == ["roof 0", "roof 1"]
    with xr.open_dataset(write(workspace, "a.nc", wanted)) as found:
        told = found["temperature"].sel(quantile=0.5).to_numpy().ravel()
        assert list(told) == list(rows[rows["station_id"] != "roof 2"]["q50"])


def test_rows_come_a_day_at_a_time_and_as_they_were_when_they_were_chosen(workspace: Workspace) -> None:
    chosen = choose(workspace.forecasts, PERIOD)
    before = kept(workspace)
    keep(workspace, issue(FIRST, ("roof 0",), seed=9), issue(SECOND + pd.Timedelta("1h"), ("roof 0",), seed=9))
    days = [rows.to_pandas() for rows in chosen.by_day()]
    assert [set(rows["issue_date"]) for rows in days] == [{"2024-03-19"}, {"2024-03-20"}]
    pd.testing.assert_frame_equal(pd.concat(days, ignore_index=True), before)


@pytest.mark.parametrize(
    ("name", "wanted", "how", "told"),
    [
        ("a.csv", Wanted(issue=FIRST + pd.Timedelta("2h")), {}, "the nearest one: --issue 2024-03-19T12:00Z"),
        ("a.csv", Wanted(issue=FIRST - pd.Timedelta("9D")), {}, "the nearest one: --issue 2024-03-19T12:00Z"),
        ("a.csv", Wanted(issue=SECOND + pd.Timedelta("9D")), {}, "the nearest one: --issue 2024-03-20T00:00Z"),
        ("a.csv", Wanted(first=SECOND + pd.Timedelta("1s")), {}, "of 2024-03-19 12:00 UTC to 2024-03-20 00:00 UTC"),
        ("a.csv", Wanted(stations=("roof O",)), {}, "Did you mean 'roof"),
        ("a.csv", Wanted(stations=("sea",)), {}, "There are 3, such as 'roof 0'"),
        ("a.csv", Wanted(), {"quantiles": [0.4]}, "quantile 0.4 is not kept; there are 0.05, 0.1"),
        ("a.nc", Wanted(), {"quantiles": [0.5]}, "quantiles are chosen for CSV alone"),
        ("a.xlsx", Wanted(), {}, "'a.xlsx' tells no format; end it with one of .csv, .parquet, .nc, or say --format"),
        ("a.csv", Wanted(), {"format": "zarr"}, "there is no format 'zarr'; there are csv, parquet, netcdf"),
        (".", Wanted(), {"format": "csv"}, "is no file"),
    ],
)  # fmt: skip
def test_what_cannot_be_had_is_told(
    workspace: Workspace, name: str, wanted: Wanted, how: dict[str, object], told: str
) -> None:
    with pytest.raises(SettingsError) as refusal:
        write(workspace, name, wanted, **how)
    assert told in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_before_the_first_forecast_there_is_nothing_to_export(make_workspace: Callable[..., Workspace]) -> None:
    with pytest.raises(HistoryTooShort, match="no forecast was issued yet; `nightcast forecast` issues one"):
        write(make_workspace(), "a.csv")


def test_too_much_for_memory_is_refused(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netcdf, "MOST_BYTES", 3 * 2 * 3 * 7 * 4 - 1)
    with pytest.raises(SettingsError, match="take a shorter period, fewer stations, or Parquet"):
        write(workspace, "a.nc")
    write(workspace, "a.nc", Wanted())
    monkeypatch.setattr(netcdf, "MOST_BYTES", 3 * 2 * 3 * 7 * 4)  # limits that nobody has take no place
    write(workspace, "a.nc")


# ── files ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_that_cannot_be_written_is_one_line(workspace: Workspace) -> None:
    (workspace.home / "taken").write_text("no folder")
    with pytest.raises(NightcastError, match=r"taken/a\.csv cannot be written: "):
        write(workspace, "taken/a.csv")


# ── whatever comes ─────────────────────────────────────────────────────────────────────────────────────────────

# NetCDF's character arrays are padded with NUL; a station called so would lose it.
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)
TEMPERATURES = st.one_of(st.just(float("nan")), st.floats(-90, 60, width=32))


@st.composite
def histories(draw: st.DrawFn) -> list[pd.DataFrame]:
    """A few issues of stations that come and go, with numbers that are missing."""
    names = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    hours = draw(st.lists(st.integers(0, 60), min_size=1, max_size=3, unique=True))
    issues = []
    for hour in hours:
        here = tuple(draw(st.lists(st.sampled_from(names), min_size=1, unique=True)))
        rows = issue(FIRST + pd.Timedelta(hours=hour), here, leads=draw(st.integers(1, 3)))
        middle = np.float32(draw(st.lists(TEMPERATURES, min_size=len(rows), max_size=len(rows))))
        issues.append(rows.assign(q50=middle))
    return issues


@given(histories())
@example([issue(FIRST, ("a\rb", 'c"d,e\n'))])
@settings(max_examples=8)
def test_every_format_holds_what_is_kept(issues: list[pd.DataFrame]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.find(Path(folder), {})
        whole = pd.concat(issues).reindex(columns=FORECASTS_SCHEMA.names)  # nobody has limits
        table = pa.Table.from_pandas(whole, FORECASTS_SCHEMA, preserve_index=False)
        write_deltalake(workspace.forecasts, table, partition_by=["issue_date"])
        rows, wanted = kept(workspace), Wanted(first=FIRST)
        pd.testing.assert_frame_equal(pd.read_parquet(write(workspace, "a.parquet", wanted)), rows)

        with write(workspace, "a.csv", wanted).open(encoding="utf-8", newline="") as file:
            header, *lines = csv.reader(file)
        cells = {
            (line[0], line[1], station): cell
            for line in lines
            for station, cell in zip(header[2:], line[2:], strict=True)
            if cell
        }
        said = rows.dropna(subset="q50")
        times = [said[name].dt.strftime("%Y-%m-%dT%H:%M:%SZ") for name in INDEXES]
        assert cells == {
            (issued, valid, station): f"{value:.3f}"
            for issued, valid, station, value in zip(*times, said["station_id"], said["q50"], strict=True)
        }

        with xr.open_dataset(write(workspace, "a.nc", wanted)) as found:
            assert list(found["station_id"].values) == sorted(rows["station_id"].unique())
            values = found["temperature"].sel(quantile=QUANTILES[0]).to_numpy()
            assert np.isfinite(values).sum() == len(rows)
            np.testing.assert_array_equal(np.sort(values[np.isfinite(values)]), np.sort(rows["q05"]))
