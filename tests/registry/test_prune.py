"""Pruning: what nobody asks for goes for good, what anybody may ask for stays, whatever is killed in between."""

from __future__ import annotations

import contextlib
import importlib
import json
import shutil
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
import sqlalchemy as sa
from mlflow import MlflowClient
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from support import NOW, fleet_readings, store_of
from typer.testing import CliRunner

from flows.commands import app
from lstm_model.errors import NightcastError
from lstm_model.registry import (
    EXPERIMENT,
    MODEL,
    Pruning,
    find_version,
    list_versions,
    load_forecaster,
    maintain,
    open_tracking,
    prune,
    train_candidate,
)
from lstm_model.registry import versions as registered
from lstm_model.registry.succession import lease
from lstm_model.registry.tracking import database_uri
from lstm_model.workspace import Workspace

pruning = importlib.import_module("lstm_model.registry.prune")  # the package gives that name to the function
removal = importlib.import_module("lstm_model.registry.removal")
TOMORROW = pd.Timestamp.now("UTC") + pd.Timedelta("25h")
MUCH_LATER = pd.Timestamp.now("UTC") + pd.Timedelta("100D")


@pytest.fixture(scope="session")
def grown_home(trained_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five versions: the champion is the second, the first is previous, the last one challenger."""
    home = tmp_path_factory.mktemp("grown") / "home"
    shutil.copytree(trained_home, home)
    workspace = Workspace.find(home, {})
    for seed in range(1, 5):
        store_of(workspace).upsert(fleet_readings(days=5, seed=seed))
        train_candidate(workspace, NOW)
    client = open_tracking(workspace)
    client.set_registered_model_alias(MODEL, "previous", "1")
    client.set_registered_model_alias(MODEL, "champion", "2")
    return home


@pytest.fixture
def grown(grown_home: Path, tmp_path: Path) -> Workspace:
    home = tmp_path / "a copy elsewhere"
    shutil.copytree(grown_home, home)
    return Workspace.find(home, {})


def numbers(workspace: Workspace) -> list[str]:
    return [version.version for version in list_versions(open_tracking(workspace))]


def runs_of(client: MlflowClient) -> list[mlflow.entities.Run]:
    return list(client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id]))


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def assert_nothing_dangles(workspace: Workspace) -> None:
    """Every version loads, every run lists its artifacts, no folder and no row is left of what went."""
    client = open_tracking(workspace)
    versions, runs = list_versions(client), runs_of(client)
    for version in versions:
        load_forecaster(version)
    assert {version.run_id for version in versions} == {run.info.run_id for run in runs}
    for run in runs:
        assert client.list_artifacts(run.info.run_id)
        assert run.inputs.dataset_inputs
        assert run.outputs.model_outputs
    experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
    models = client.search_logged_models([experiment])
    assert {model.source_run_id for model in models} == {run.info.run_id for run in runs}
    folders = {folder.name for folder in (workspace.mlruns / "artifacts").iterdir()} - {"models"}
    assert folders == {run.info.run_id for run in runs}
    assert {folder.name for folder in (workspace.mlruns / "artifacts" / "models").iterdir()} == {
        model.model_id for model in models
    }
    assert orphans_in(workspace) == []


OWNED = {
    **dict.fromkeys(("metrics", "latest_metrics", "params", "tags"), "run_uuid NOT IN (SELECT run_uuid FROM runs)"),
    **dict.fromkeys(
        ("logged_model_metrics", "logged_model_params", "logged_model_tags"),
        "model_id NOT IN (SELECT model_id FROM logged_models)",
    ),
    "inputs": "destination_id NOT IN (SELECT run_uuid FROM runs UNION SELECT model_id FROM logged_models) "
    "OR (source_type = 'RUN_OUTPUT' AND source_id NOT IN (SELECT run_uuid FROM runs))",
    "input_tags": "input_uuid NOT IN (SELECT input_uuid FROM inputs)",
    "datasets": "dataset_uuid NOT IN (SELECT source_id FROM inputs)",
}


def orphans_in(workspace: Workspace) -> list[str]:
    """Tables of MLflow's database with a row whose owner is gone."""
    engine = sa.create_engine(database_uri(workspace.mlruns))
    with engine.connect() as connection:
        found = [
            table
            for table, ownerless in OWNED.items()
            if connection.execute(sa.text(f"SELECT count(*) FROM {table} WHERE {ownerless}")).scalar_one()
        ]
    engine.dispose()
    return found


def test_what_is_old_by_count_and_age_goes_for_good(grown: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (pruning, registered):
        monkeypatch.setattr(module, "PAGE", 2)  # a registry of many pages
    before = size_of(grown.mlruns / "artifacts")
    outcome = prune(grown, MUCH_LATER, keep=1)
    assert (outcome.versions, len(outcome.runs), len(outcome.models), outcome.kept) == (("3", "4"), 2, 2, 3)
    assert numbers(grown) == ["5", "2", "1"]
    assert outcome.bytes == before - size_of(grown.mlruns / "artifacts") > 100_000
    assert_nothing_dangles(grown)
    assert prune(grown, MUCH_LATER, keep=1) == Pruning(kept=3)
    assert train_candidate(grown, NOW).version == "6"  # a number is never given again


@pytest.mark.parametrize(("now", "keep"), [(MUCH_LATER, 5), (TOMORROW, 0)], ids=["few enough", "young enough"])
def test_old_by_one_of_both_is_not_old(grown: Workspace, now: pd.Timestamp, keep: int) -> None:
    assert prune(grown, now, keep=keep) == Pruning(kept=5)
    assert len(numbers(grown)) == 5


def test_champion_previous_and_challenger_stay_whatever_their_age(grown: Workspace) -> None:
    prune(grown, MUCH_LATER, keep=0, days=1)
    client = open_tracking(grown)
    kept = {alias: find_version(client, alias).version for alias in ("champion", "previous", "challenger")}  # type: ignore[union-attr]
    assert kept == {"champion": "2", "previous": "1", "challenger": "5"}
    assert_nothing_dangles(grown)


def test_what_was_promoted_lately_stays_with_its_parents(grown: Workspace) -> None:
    lines = [
        json.dumps({"at": "2020-01-01T00:00Z", "from": None, "to": "3"}),
        json.dumps({"at": (MUCH_LATER - pd.Timedelta("2D")).isoformat(), "from": 4, "to": "2"}),
        "[1]", '{"at": "2029-01-0',
    ]  # fmt: skip
    (grown.mlruns / "promotions.jsonl").write_text("\n".join(lines))
    assert prune(grown, MUCH_LATER, keep=0, dry_run=True).versions == ("3",)
    open_tracking(grown).set_model_version_tag(MODEL, "4", "parent", "3")
    assert prune(grown, MUCH_LATER, keep=0, dry_run=True).versions == ()


def test_promotions_of_a_playback_are_recent_by_its_own_clock(grown: Workspace) -> None:
    row = {"at": "2013-12-01T00:00Z", "from": "3", "to": "2"}
    (grown.mlruns / "promotions.jsonl").write_text(json.dumps(row) + "\n" + json.dumps({"from": "4", "to": "2"}))
    assert prune(grown, MUCH_LATER, keep=0).versions == ()


def test_a_dry_run_tells_the_same_and_changes_nothing(grown: Workspace) -> None:
    open_tracking(grown)  # which follows the folder that was copied
    before = {file: file.stat().st_mtime_ns for file in grown.home.rglob("*")}
    told = prune(grown, MUCH_LATER, keep=1, dry_run=True)
    assert {file: file.stat().st_mtime_ns for file in grown.home.rglob("*")} == before
    assert prune(grown, MUCH_LATER, keep=1) == told


class Killed(BaseException):
    """What a power cut is to a process."""


def kill_at(patch: pytest.MonkeyPatch, owner: object, name: str, calls: int) -> None:
    """Let so many calls through, and end the process in the next one."""
    done, made = getattr(owner, name), []

    def deadly(*arguments: object) -> object:
        made.append(arguments)
        if len(made) > calls:
            raise Killed
        return done(*arguments)

    patch.setattr(owner, name, deadly)


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (MlflowClient, "delete_model_version"),
        (SqlAlchemyStore, "_hard_delete_logged_model"),
        (SqlAlchemyStore, "_hard_delete_run"),
        (removal, "_remove_folder"),
        (removal, "sweep_inputs"),
    ],
    ids=["versions", "models", "runs", "folders", "inputs"],
)
def test_killed_half_way_the_next_call_finishes(
    grown: Workspace, monkeypatch: pytest.MonkeyPatch, owner: object, name: str
) -> None:
    for calls in (0, 1, 2, 3):
        with monkeypatch.context() as patch, contextlib.suppress(Killed):
            kill_at(patch, owner, name, calls)
            prune(grown, MUCH_LATER, keep=1)
        for version in list_versions(open_tracking(grown)):
            load_forecaster(version)  # at no instant is there one without its files
    prune(grown, MUCH_LATER, keep=1)
    assert numbers(grown) == ["5", "2", "1"]
    assert_nothing_dangles(grown)


def test_a_folder_half_removed_is_removed(grown: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def some_of_it(folder: Path) -> None:
        next(file for file in folder.rglob("*") if file.is_file()).unlink()
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(removal, "_remove_folder", some_of_it)
        prune(grown, MUCH_LATER, keep=1)
    prune(grown, MUCH_LATER, keep=1)
    assert_nothing_dangles(grown)


def test_an_alias_given_in_the_last_instant_saves_a_version(grown: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    client, planned = open_tracking(grown), pruning._remove

    def rolled_back(*arguments: Any) -> None:
        client.set_registered_model_alias(MODEL, "champion", "3")
        planned(*arguments)

    monkeypatch.setattr(pruning, "_remove", rolled_back)
    prune(grown, MUCH_LATER, keep=1)
    assert numbers(grown) == ["5", "3", "2", "1"]
    assert_nothing_dangles(grown)


def test_what_killed_trainings_left_goes_after_a_day(trained: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_at(patch, MlflowClient, "set_model_version_tag", 0)
        train_candidate(trained, NOW)
    client = open_tracking(trained)
    client.update_run(runs_of(client)[0].info.run_id, "RUNNING")  # as SIGKILL leaves it
    assert not prune(trained, TOMORROW - pd.Timedelta("2h")).anything
    outcome = prune(trained, TOMORROW)
    assert (outcome.versions, len(outcome.runs), len(outcome.models)) == (("2",), 1, 1)
    assert numbers(trained) == ["1"]
    assert_nothing_dangles(trained)


def test_failed_trainings_stay_to_be_looked_at_until_they_are_old(trained: Workspace) -> None:
    client = open_tracking(trained)
    experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
    failed = client.create_run(experiment, run_name="train 2024-03-21").info.run_id
    client.set_terminated(failed, "FAILED")
    own = client.create_run(experiment, run_name="my own try").info.run_id
    assert not prune(trained, TOMORROW).anything
    assert prune(trained, MUCH_LATER).runs == (failed,)
    assert own in {run.info.run_id for run in runs_of(client)}


def test_maintenance_prunes_and_lets_readings_go_that_no_kept_model_names(grown: Workspace) -> None:
    pruned = prune(grown, MUCH_LATER, keep=1)
    assert pruned.versions == ("3", "4")
    report = maintain(grown, MUCH_LATER)
    assert report.pruned == Pruning(kept=3)
    assert report.kept_versions == [1, 2, 5]
    assert len(numbers(grown)) == 3


# ── the command ────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_command_tells_what_went(grown: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTCAST_HOME", str(grown.home))
    monkeypatch.setattr("flows.clock.wall_clock", lambda: MUCH_LATER)
    person = CliRunner()
    assert "nothing is old enough to go; 5 versions stay" in person.invoke(app, ["prune"]).output
    told = person.invoke(app, ["prune", "--keep", "1", "--dry-run"]).output
    assert "2 versions (3–4), 2 runs and 2 packaged models would go, " in told
    assert person.invoke(app, ["prune", "--days", "0"]).exit_code == 2
    gone = json.loads(person.invoke(app, ["prune", "--keep", "1", "--days", "30", "--json"]).output)
    assert (gone["versions"], gone["kept"]) == (["3", "4"], 3)
    assert gone["bytes"] > 100_000
    assert numbers(grown) == ["5", "2", "1"]


def test_nothing_to_prune_makes_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTCAST_HOME", str(tmp_path))
    assert "nothing is old enough to go" in CliRunner().invoke(app, ["prune"]).output
    assert not (tmp_path / "mlruns").exists()


def test_nothing_is_removed_while_a_rollback_is_under_way(grown: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "PATIENCE", 0.1)
    with lease(grown), pytest.raises(NightcastError, match="under way"):
        prune(grown, MUCH_LATER, keep=1)
    assert len(numbers(grown)) == 5
