"""The registry: what the aliases point to, whatever happens in between."""

from __future__ import annotations

from collections.abc import Callable

import mlflow
import pandas as pd
import pytest
from support import NOW, SMALL, fleet_readings, store_of, with_pressure

from lstm_model.errors import HistoryTooShort, ModelUnavailable
from lstm_model.registry import (
    EXPERIMENT,
    MODEL,
    find_version,
    list_versions,
    load_forecaster,
    open_tracking,
    promote_challenger,
    train_candidate,
)
from lstm_model.workspace import Workspace


def aliases(workspace: Workspace) -> dict[str, str]:
    return {
        alias: str(version) for alias, version in open_tracking(workspace).get_registered_model(MODEL).aliases.items()
    }


def test_the_first_candidate_that_beats_the_baselines_is_champion(trained: Workspace) -> None:
    (version,) = list_versions(open_tracking(trained))
    assert version.aliases == ("champion",)
    assert version.decision == "promoted"
    assert "there is no champion yet" in version.reason
    assert version.skill > 0


def test_an_equal_challenger_of_a_young_champion_stays_challenger(equal: Workspace) -> None:
    promotion = promote_challenger(equal, NOW)
    assert promotion.decision.rule == "equal"
    assert aliases(equal) == {"champion": "1", "challenger": "2"}
    refused = find_version(open_tracking(equal), "challenger")
    assert refused is not None
    assert refused.decision == "refused"
    assert refused.reason == promotion.decision.reason


def test_an_equal_challenger_replaces_a_champion_of_a_week(trained: Workspace) -> None:
    (trained.home / "nightcast.toml").write_text(SMALL + "margin = 0.1\n")  # so small models differ by chance
    trained = Workspace.find(trained.home, {})
    later = NOW + pd.Timedelta("7D")
    store_of(trained).upsert(with_pressure(fleet_readings(days=7, end=later, seed=5)))
    train_candidate(trained, later)
    promotion = promote_challenger(trained, later)
    assert promotion.decision.rule in ("refresh", "significantly_better")
    assert aliases(trained) == {"champion": "2", "previous": "1"}


def test_a_kill_between_two_moves_of_aliases_leaves_a_champion_and_a_clean_next_night(equal: Workspace) -> None:
    client = open_tracking(equal)
    client.set_registered_model_alias(MODEL, "previous", "1")  # here the power went
    assert promote_challenger(equal, NOW).champion == "1"
    client.set_registered_model_alias(MODEL, "champion", "2")  # and here another time
    promotion = promote_challenger(equal, NOW)
    assert promotion.decision.rule == "already_champion"
    assert aliases(equal) == {"champion": "2", "previous": "1"}


def test_a_night_lived_again_leaves_a_younger_champion_alone(trained: Workspace) -> None:
    before = NOW - pd.Timedelta("2D")
    train_candidate(trained, before)
    promotion = promote_challenger(trained, before)
    assert (promotion.decision.promote, promotion.decision.rule) == (False, "past_night")
    assert aliases(trained)["champion"] == "1"


def test_a_champion_without_files_is_replaced(trained: Workspace) -> None:
    for weights in trained.mlruns.rglob("weights.safetensors"):
        weights.unlink()
    train_candidate(trained, NOW)
    promotion = promote_challenger(trained, NOW)
    assert promotion.decision.rule == "champion_unusable"
    assert promotion.champion == "2"


def test_a_challenger_without_files_is_refused(equal: Workspace) -> None:
    sorted(equal.mlruns.rglob("weights.safetensors"), key=lambda file: file.stat().st_mtime)[-1].unlink()
    promotion = promote_challenger(equal, NOW)
    assert (promotion.decision.promote, promotion.decision.rule) == (False, "challenger_unusable")
    assert "the challenger cannot serve (" in promotion.decision.reason
    assert aliases(equal)["champion"] == "1"


def test_a_version_that_a_kill_left_incomplete_is_not_considered(trained: Workspace) -> None:
    client = open_tracking(trained)
    client.create_model_version(MODEL, "nowhere", tags={"lived_at": NOW.isoformat()})
    client.set_registered_model_alias(MODEL, "challenger", "2")
    assert [version.version for version in list_versions(client)] == ["1"]
    assert promote_challenger(trained, NOW).decision.rule == "no_challenger"


def test_too_little_history_says_when_training_begins(make_workspace: Callable[..., Workspace]) -> None:
    workspace = make_workspace()
    store_of(workspace).upsert(fleet_readings(days=10))
    with pytest.raises(HistoryTooShort, match=r"10 days .* too few to train on.* training begins on 2024-04-0\d"):
        train_candidate(workspace, NOW)


def test_stations_that_fell_silent_are_no_history(trained: Workspace) -> None:
    later = NOW + pd.Timedelta("40D")
    store_of(trained).upsert(fleet_readings(days=10, stations=1, end=later).assign(station_id="cellar"))
    with pytest.raises(HistoryTooShort, match="10 days"):
        train_candidate(trained, later)


def test_readings_that_ended_before_the_window_are_refused_in_words(trained: Workspace) -> None:
    later = NOW + pd.Timedelta("12D")
    train_candidate(trained, later)
    assert promote_challenger(trained, later).decision.rule == "too_few_origins"


def test_a_copied_workspace_finds_its_artifacts_at_the_new_place(trained: Workspace) -> None:
    client = open_tracking(trained)
    champion = find_version(client, "champion")
    assert champion is not None
    folder = mlflow.artifacts.download_artifacts(artifact_uri=f"models:/{MODEL}/{champion.version}")
    assert str(trained.home) in folder
    run = client.get_run(champion.run_id)
    assert str(trained.mlruns.as_uri()) in run.info.artifact_uri
    assert load_forecaster(champion).fitted.scaling.stations == ("roof 0", "roof 1", "roof 2")


def test_a_model_trained_later_is_refused_for_an_earlier_night(trained: Workspace) -> None:
    champion = find_version(open_tracking(trained), "champion")
    assert champion is not None
    with pytest.raises(ModelUnavailable, match="trained later, on 2024-03-20"):
        load_forecaster(champion, known_at=NOW - pd.Timedelta("1h"))


@pytest.mark.parametrize(("days", "rule"), [("13", "equal"), ("14", "champion_lost")])
def test_verified_scores_speak_against_a_window_once_they_have_met_a_fortnight_of_weather(
    equal: Workspace, days: str, rule: str
) -> None:
    client = open_tracking(equal)
    for name, told in {"mae": "0.02", "crps": "0.01", "days": days, "n": "99"}.items():
        client.set_model_version_tag(MODEL, "1", f"verified_{name}", told)
    assert promote_challenger(equal, NOW).decision.rule == rule


def test_the_run_shows_what_a_person_looks_for(trained: Workspace) -> None:
    client = open_tracking(trained)
    champion = find_version(client, "champion")
    assert champion is not None
    run = client.get_run(champion.run_id)
    assert client.get_experiment(run.info.experiment_id).name == EXPERIMENT
    assert run.info.status == "FINISHED"
    assert run.data.params["horizon"] == "12"
    assert {"mae", "crps", "skill", "mae.persistence", "crps.ridge", "training_loss"} <= set(run.data.metrics)
    assert len(client.get_metric_history(run.info.run_id, "training_loss")) == 2
    (dataset,) = run.inputs.dataset_inputs
    assert (dataset.dataset.name, dataset.dataset.digest) == ("readings", "version-1")
    assert {tag.key: tag.value for tag in dataset.tags}["readings_version"] == "1"
    artifacts = {file.path for file in client.list_artifacts(run.info.run_id)}
    charts = {file.path for file in client.list_artifacts(run.info.run_id, "charts")}
    assert {"backtest.json", "backtest_per_lead.json", "gate.json"} <= artifacts
    assert {f"charts/{name}.png" for name in ("learning_curve", "forecast", "crps_by_lead", "gates")} == charts
    per_lead = mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/backtest_per_lead.json")
    column = per_lead["columns"].index("lead_hours")
    assert {row[column] for row in per_lead["data"]} == {float(lead) for lead in range(1, 13)}


def test_every_version_carries_its_lineage(trained: Workspace) -> None:
    tags = open_tracking(trained).get_model_version(MODEL, "1").tags
    assert tags["complete"] == "true"
    assert tags["readings_version"] == "1"
    assert tags["seed"] == "0"
    assert pd.Timestamp(tags["trained_until"]) == NOW - pd.Timedelta("8D") - pd.Timedelta("12h")
    for name in ("settings", "git_commit", "lock_hash", "threads", "cpu_capability", "reason", "evidence"):
        assert tags[name], name


def test_a_failed_training_leaves_a_failed_run_and_the_champion(
    trained: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_: object, **__: object) -> None:
        raise RuntimeError("out of luck")

    monkeypatch.setattr("lstm_model.registry.candidate.Forecaster.fit_panel", explode)
    with pytest.raises(RuntimeError, match="out of luck"):
        train_candidate(trained, NOW)
    client = open_tracking(trained)
    newest = client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id], max_results=1)[0]
    assert newest.info.status == "FAILED"
    assert aliases(trained) == {"champion": "1"}
