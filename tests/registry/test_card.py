"""The model card: a version's description in MLflow, and an artifact of its run, before and after it was judged."""

from __future__ import annotations

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient
from support import NOW

from lstm_model.registry import MODEL, list_versions, open_tracking, promote_challenger
from lstm_model.registry.card import CARD_FILE, model_card
from lstm_model.workspace import Workspace


def card_of(client: MlflowClient, version: str) -> str:
    registered = client.get_model_version(MODEL, version)
    artifact = mlflow.artifacts.load_text(f"{client.get_run(registered.run_id).info.artifact_uri}/{CARD_FILE}")
    assert registered.description == artifact[:5000]
    return artifact


def test_a_card_says_what_it_is_whence_it_came_how_it_did_and_how_to_load_it(trained: Workspace) -> None:
    client = open_tracking(trained)
    card = card_of(client, "1")
    (version,) = list_versions(client)
    tags = client.get_model_version(MODEL, "1").tags
    for told in (
        "# nightcast, version 1",
        "the last 48 × 1h it forecasts 12 × 1h ahead",
        f"**promoted**: {version.reason}.",
        "2023-12-31 … 2024-03-11, in the night of 2024-03-20",
        "3: roof 0, roof 1, roof 2",
        "version 1 of the table",
        "hidden_size 8",
        f"commit {tags['git_commit']}, lock {tags['lock_hash']}",
        f"torch {tags['torch_version']}",
        'load_model("models:/nightcast/1")',
        "`nightcast reproduce 1`",
    ):
        assert told in card, told
    rows = {line.split("|")[1].strip() for line in card.splitlines() if line.startswith("|")}
    assert {"challenger", "ridge", "persistence", "damped anomaly", "climatology", "seasonal naive"} <= rows
    assert f"| {version.mae:.2f} |" in card


def test_a_version_not_yet_judged_says_so_and_a_refused_one_why(equal: Workspace) -> None:
    client = open_tracking(equal)
    assert "**not judged yet**." in card_of(client, "2")
    refused = promote_challenger(equal, NOW).decision
    assert f"**refused**: {refused.reason}." in card_of(client, "2")


def test_a_version_that_could_not_be_judged_has_a_card_without_numbers(equal: Workspace) -> None:
    client = open_tracking(equal)
    sorted(equal.mlruns.rglob("weights.safetensors"), key=lambda file: file.stat().st_mtime)[-1].unlink()
    promote_challenger(equal, NOW)
    assert "**refused**" in (card := card_of(client, "2"))
    assert "| method |" not in card


@pytest.mark.parametrize("stations", [1, 300])
def test_a_large_fleet_fits_a_description(trained: Workspace, stations: int) -> None:
    from lstm_model.registry.candidate import _named

    told = _named(tuple(f"roof {number}" for number in range(stations)))
    assert told == (
        "1: roof 0" if stations == 1 else "300: roof 0, roof 1, roof 2, roof 3, roof 4, roof 5 and 294 more"
    )


def test_the_example_of_a_card_runs(trained: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    client = open_tracking(trained)
    version = client.get_model_version(MODEL, "1")
    example = model_card(version, None).split("```python\n")[1].split("```")[0]
    times = pd.date_range(end=NOW.tz_localize(None), periods=48, freq="1h").as_unit("us")
    said = {"readings": pd.DataFrame({"station_id": "roof 0", "observed_at": times, "temperature_c": 10.0})}
    monkeypatch.chdir(trained.home)
    exec(example, said)
    assert len(said["forecast"]) == 12
