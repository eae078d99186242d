"""What crosses between the two venvs arrives whole, and the future does not cross into a forecast."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import field_peer
from benchmarks.accuracy import compare, main, rows_of
from benchmarks.field.task import Answer, Readings, Task
from benchmarks.field_peer import FIELD_ROWS, PYTHON, FieldPeer, able
from lstm_model.evaluation.baselines import Persistence
from lstm_model.panel import Panel
from lstm_model.settings import MEDIAN, QUANTILES, ModelSettings

SETTINGS = ModelSettings(horizon=6)


def walk(stations: int = 2, days: int = 100) -> Panel:
    """Wandering temperatures with a gap, and a covariate."""
    times = pd.date_range("2024-01-01", periods=24 * days, freq="1h", tz="UTC")
    values = np.cumsum(np.random.default_rng(0).normal(size=(2 * stations, len(times))), axis=1).astype(np.float32)
    values[0, 500:502] = np.nan
    return Panel(tuple("abcdef"[:stations]), times, values[:stations], {"pressure_hpa": values[stations:]})


def test_task_and_answer_arrive_whole() -> None:
    panel = walk()
    origins = np.arange(480, 520)
    peer = FieldPeer("last_value", panel.steps(0, 480), SETTINGS, Path(sys.executable))
    forecast = peer.forecast(panel, origins)
    expected = Persistence().fit(panel.steps(0, 480), 6).point(panel, origins)
    np.testing.assert_array_equal(forecast, np.repeat(expected[..., None], len(QUANTILES), axis=-1))
    assert peer.told["chosen"] == "nothing to choose in 480 steps"
    assert peer.told["versions"] == {"numpy": np.__version__}


def test_a_task_is_read_as_it_was_written(tmp_path: Path) -> None:
    panel = walk()
    readings = Readings(panel.temperature_c, np.stack(list(panel.covariates.values())), np.arange(2400) * 3600)
    task = Task(readings, np.array([700, 724]), ["a", "b"], ["pressure_hpa"], 600, 6, 168, list(QUANTILES), 1, 0)
    task.write(tmp_path)
    again = Task.read(tmp_path)
    for name, value in vars(readings).items():
        np.testing.assert_array_equal(getattr(again.readings, name), value)
    np.testing.assert_array_equal(again.origins, task.origins)
    for name in ("stations", "covariates", "known", "horizon", "context", "quantiles", "threads", "seed"):
        assert getattr(again, name) == getattr(task, name)
    answer = Answer(np.ones((2, 2, 6, 7), np.float32), 1.5, 0.5, "this", {"numpy": "2"})
    answer.write(tmp_path)
    assert str(Answer.read(tmp_path)) == str(answer)


def test_only_the_past_fills_a_gap() -> None:
    values = walk().temperature_c
    values[0, 700:760] = np.nan
    seconds, none = np.arange(values.shape[1]) * 3600, np.empty((0, *values.shape), np.float32)
    filled = Readings(values, none, seconds).filled()
    assert np.isfinite(filled).all()
    assert filled[0, 702] == values[0, 699]
    assert filled[0, 720] == values[0, 696]
    later = values.copy()
    later[:, 730:] += 9
    np.testing.assert_array_equal(Readings(later, none, seconds).filled()[:, :730], filled[:, :730])


def test_a_peer_that_fails_says_why() -> None:
    panel = walk()
    with pytest.raises(RuntimeError, match=r"no_such_row: .*benchmarks.field(.|\n)*KeyError: 'no_such_row'"):
        FieldPeer("no_such_row", panel, SETTINGS, Path(sys.executable)).forecast(panel, np.array([480]))


def test_without_their_venv_the_other_rows_still_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(field_peer, "PYTHON", tmp_path / "missing")
    panel = walk(days=40)
    rows = pd.concat(
        pd.DataFrame({"station_id": name, "observed_at": panel.times, "temperature_c": values})
        for name, values in zip(panel.stations, panel.temperature_c, strict=True)
    ).dropna()
    rows.to_parquet(tmp_path / "walk.parquet")
    main(file=tmp_path / "walk.parquet", rows="persistence,lightgbm,nf_lstm", json_file=tmp_path / "rows.json")
    assert "left out: lightgbm, nf_lstm; their venv is missing, `make bench-setup` makes it" in capsys.readouterr().out
    found = json.loads((tmp_path / "rows.json").read_text())
    assert {row["row"] for row in found} == {"persistence"}
    assert {"date", "cpus", "torch"} <= set(found[0])


def test_what_fits_at_every_origin_is_left_out_of_large_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(field_peer, "PYTHON", tmp_path)
    rows, notes = able(["persistence", *FIELD_ROWS], 501)
    assert set(FIELD_ROWS) - set(rows) == {"sf_mstl"}
    assert notes == ["left out: sf_mstl; 501 stations × origins, it fits anew at each, 500 at most"]
    assert able(["persistence", *FIELD_ROWS], 500) == (["persistence", *FIELD_ROWS], [])


@pytest.mark.skipif(not PYTHON.exists(), reason="needs the peers' venv: make bench-setup")
def test_lightgbm_uses_what_it_is_told_and_nothing_of_the_future() -> None:
    panel = walk(days=60)
    values = panel.temperature_c.copy()
    values[1, 1:] = values[0, :-1]  # the second station repeats the first an hour later
    panel = Panel(panel.stations, panel.times, values, {"pressure_hpa": np.roll(values, -1, axis=1)})  # foretells it
    backtest, timing = compare(panel, SETTINGS, ["persistence", "lightgbm", "lightgbm_fleet"])
    assert rows_of("walk", backtest, timing)[1]["versions"]["lightgbm"]
    errors = {
        name: np.abs(told[1, :, 0, MEDIAN] - backtest.truth[1, :, 0]) for name, told in backtest.forecasts.items()
    }
    assert np.nanmean(errors["lightgbm_fleet"]) < 0.9 * np.nanmean(errors["lightgbm"])
    future = np.where(np.arange(len(panel.times)) > 1200, np.float32(9), np.float32(0))
    pressure = {name: told + future for name, told in panel.covariates.items()}
    changed = Panel(panel.stations, panel.times, panel.temperature_c + future, pressure)
    forecasts = [
        FieldPeer("lightgbm_fleet_cov", panel.steps(0, 1000), SETTINGS).forecast(some, np.array([1100, 1200]))
        for some in (panel, changed)
    ]
    np.testing.assert_array_equal(*forecasts)
