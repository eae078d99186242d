"""A version trained again from its lineage: the same bytes, or the reason why not."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest
from support import NOW, SMALL, fleet_readings, store_of, with_pressure
from typer.testing import CliRunner

from flows.commands import app
from lstm_model.errors import ModelUnavailable, NightcastError, SettingsError
from lstm_model.registry import MODEL, maintain, open_tracking, reproduce
from lstm_model.workspace import Workspace


def retag(workspace: Workspace, **tags: object) -> None:
    client = open_tracking(workspace)
    for name, value in tags.items():
        client.set_model_version_tag(MODEL, "1", name, str(value))


@pytest.fixture
def resettled(trained: Workspace) -> Workspace:
    """The trained workspace days later: every reading corrected, other settings, and maintained."""
    store_of(trained).upsert(fleet_readings(seed=1))
    (trained.home / "nightcast.toml").write_text(
        SMALL.replace("hidden_size = 8", "hidden_size = 16").replace("window_days = 8", "window_days = 10")
    )
    maintain(trained, NOW)
    return Workspace.find(trained.home, {})


def test_the_same_bytes_come_out_whatever_was_corrected_and_set_since(resettled: Workspace) -> None:
    before = {file: file.read_bytes() for file in resettled.mlruns.rglob("*") if file.is_file()}
    outcome = reproduce(resettled, "champion")
    assert outcome.identical, outcome.differences
    assert (outcome.version, outcome.readings_version) == ("1", 1)
    assert {file: file.read_bytes() for file in resettled.mlruns.rglob("*") if file.is_file()} == before


def test_another_seed_is_found_out(trained: Workspace) -> None:
    retag(trained, seed=1)
    outcome = reproduce(trained, "1")
    assert outcome.differences[0] == "settings.seed: 0 is now 1"
    assert "arrays differ" in outcome.differences[1]


def test_other_settings_are_found_out(trained: Workspace) -> None:
    settings = json.loads(open_tracking(trained).get_model_version(MODEL, "1").tags["settings"])
    retag(trained, settings=json.dumps(settings | {"hidden_size": 4, "half_life_days": 50.0}))
    told = reproduce(trained, "1").differences
    assert "settings.hidden_size: 8 is now 4" in told
    assert "settings.half_life_days: 0.0 is now 50.0" in told
    assert "weights.safetensors: the arrays are of other shapes" in told


def test_another_end_of_training_is_found_out(trained: Workspace) -> None:
    until = pd.Timestamp(open_tracking(trained).get_model_version(MODEL, "1").tags["trained_until"])
    retag(trained, trained_until=(until - pd.Timedelta("1D")).isoformat())
    told = " ".join(reproduce(trained, "1").differences)
    assert f"trained_until: {until.isoformat()} is now" in told
    retag(trained, trained_until=(until - pd.Timedelta("1h")).isoformat())  # no window of whole days ends there
    assert "trained_until: the tag says" in reproduce(trained, "1").differences[0]


def test_a_changed_reading_at_that_version_is_found_out(trained: Workspace) -> None:
    readings = with_pressure(fleet_readings())
    readings.loc[100, "temperature_c"] += 3
    shutil.rmtree(trained.readings)
    store_of(trained).upsert(readings)
    assert store_of(trained).version == 1  # it is called as it was
    outcome = reproduce(trained, "1")
    assert outcome.differences[0] == "readings: version 1 of the table no longer says what was learnt from"
    assert "arrays differ" in outcome.differences[1]


def test_another_environment_is_named_and_need_not_matter(trained: Workspace) -> None:
    retag(trained, git_commit="abc+changes", lock_hash="def", cpu_capability="AVX9", torch_version="1.0",
          device="cuda, a large one")  # fmt: skip
    outcome = reproduce(trained, "1")
    assert outcome.identical
    told = " ".join(outcome.environment)
    for name in ("git_commit was abc+changes, is ", "lock_hash was def, is ", "cpu_capability was AVX9, is ",
                 "torch_version was 1.0, is ", "device was cuda, a large one, is cpu",
                 "changes that no commit holds"):  # fmt: skip
        assert name in told
    assert "numpy_version" not in told


def test_a_lineage_of_earlier_days_is_enough(trained: Workspace) -> None:
    client = open_tracking(trained)
    for name in ("torch_version", "numpy_version", "panel_digest", "stations"):
        client.delete_model_version_tag(MODEL, "1", name)
    assert reproduce(trained, "1").identical


def test_readings_that_are_gone_are_one_clear_line(trained: Workspace) -> None:
    next(trained.readings.rglob("month=2024-02/*.parquet")).unlink()
    with pytest.raises(NightcastError, match=r"^version 1 of the readings is no longer readable: .+$"):
        reproduce(trained, "1")
    retag(trained, readings_version=7)
    with pytest.raises(NightcastError, match=r"^version 7 of the readings is not there: the newest is 1$"):
        reproduce(trained, "1")


def test_a_lineage_that_makes_no_sense_is_one_clear_line(trained: Workspace) -> None:
    retag(trained, settings='{"hidden_sizes": 8}')
    with pytest.raises(NightcastError, match=r"^version 1: its lineage cannot be read by this code: .*hidden_sizes"):
        reproduce(trained, "1")


def test_a_damaged_registered_model_is_not_compared_with(trained: Workspace) -> None:
    weights = next(trained.mlruns.rglob("weights.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x07")
    with pytest.raises(ModelUnavailable, match="damaged"):
        reproduce(trained, "1")


def test_a_version_that_is_not_there_is_wrong_usage(trained: Workspace) -> None:
    with pytest.raises(SettingsError, match=r"there is no version '7'; the newest are 1; aliases are champion"):
        reproduce(trained, "7")


# ── the command ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def terminal(trained: Workspace, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("NIGHTCAST_HOME", str(trained.home))
    return CliRunner()


def test_the_command_exits_with_0_only_if_every_byte_is_the_same(
    terminal: CliRunner, trained: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "prefect", None)  # it needs none
    answer = terminal.invoke(app, ["reproduce", "1"])
    assert answer.exit_code == 0, answer.output
    assert "identical, every byte of its weights" in answer.output
    retag(trained, seed=1, lock_hash="def")
    answer = terminal.invoke(app, ["reproduce", "champion"])
    assert answer.exit_code == 1
    for told in ("not identical", "differs: settings.seed: 0 is now 1", "not as it was: lock_hash was def, is "):
        assert told in answer.output
    told = json.loads(terminal.invoke(app, ["reproduce", "1", "--json"]).output)
    assert (told["identical"], told["readings_version"]) == (False, 1)


def test_nothing_to_reproduce_makes_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTCAST_HOME", str(tmp_path))
    answer = CliRunner().invoke(app, ["reproduce", "1"])
    assert isinstance(answer.exception, SettingsError)
    assert not (tmp_path / "mlruns").exists()
