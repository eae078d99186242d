"""A workspace whose registry moves elsewhere and comes home: each keeps the champion it had."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient
from support import NOW

from lstm_model.registry import MODEL, Entry, PromotionLog, open_tracking, shared
from lstm_model.registry.succession import champion_since, change_champion, finish, finish_promotion
from lstm_model.registry.versions import find_version
from lstm_model.workspace import Workspace

LATER = NOW + pd.Timedelta("7D")
THERE = "postgresql://me:${PASSWORD}@db.lan/mlflow"


@pytest.fixture
def elsewhere(promoted: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """The same workspace with a fresh registry, in which somebody else's champion would be version 2 as well."""
    url = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    monkeypatch.setattr(shared, "address", lambda server: url)  # in the place of a PostgreSQL
    monkeypatch.setattr(shared, "reach", lambda server: None)
    monkeypatch.setattr(shared, "make_tables", lambda url: MlflowClient(url, url).search_experiments())
    client = open_tracking(promoted)
    versions = [client.get_model_version(MODEL, version) for version in ("1", "2")]
    with (promoted.home / "nightcast.toml").open("a") as toml:
        toml.write(f'[server]\nmlflow = "{THERE}"\n')
    away = Workspace.find(promoted.home, {})
    there = open_tracking(away)
    for version in versions:
        there.create_model_version(MODEL, "nowhere", tags=version.tags)
    there.set_registered_model_alias(MODEL, "champion", "2")
    return away


def aliases(client: MlflowClient) -> dict[str, str]:
    return {alias: str(version) for alias, version in client.get_registered_model(MODEL).aliases.items()}


def put_back(workspace: Workspace, version: str, before: str | None, night: pd.Timestamp) -> None:
    entry = Entry(night, night, "ada", "rollback", before, version, "by_hand", "it froze")
    change_champion(open_tracking(workspace), PromotionLog(workspace), entry)


def test_each_registry_keeps_its_champion_whatever_is_promoted_in_the_other(
    promoted: Workspace, elsewhere: Workspace
) -> None:
    finish_promotion(elsewhere)  # what the log says of home is not finished there
    assert aliases(open_tracking(elsewhere)) == {"champion": "2"}
    put_back(elsewhere, "1", "2", LATER)
    assert aliases(open_tracking(elsewhere)) == {"champion": "1", "previous": "2"}

    finish_promotion(promoted)
    assert aliases(open_tracking(promoted)) == {"champion": "2", "previous": "1"}, "home follows the other one"
    put_back(promoted, "1", "2", LATER + pd.Timedelta("1D"))

    put_back(elsewhere, "2", "1", LATER + pd.Timedelta("2D"))
    put_back(promoted, "2", "1", LATER + pd.Timedelta("3D"))
    finish_promotion(elsewhere)
    assert aliases(open_tracking(elsewhere)) == {"champion": "2", "previous": "1"}
    champion = find_version(open_tracking(elsewhere), "champion")
    assert champion is not None
    assert champion_since(PromotionLog(elsewhere), champion) == LATER + pd.Timedelta("2D"), "home's rollback counts"


def test_what_was_cut_off_in_a_registry_is_finished_there_alone(promoted: Workspace, elsewhere: Workspace) -> None:
    promotions = PromotionLog(promoted)
    promotions.append(Entry(LATER, LATER, "ada", "rollback", "2", "1", "by_hand", "it froze"))  # and then a power cut
    assert finish(open_tracking(elsewhere), PromotionLog(elsewhere)) is None
    finished = finish(open_tracking(promoted), promotions)
    assert finished is not None
    assert aliases(open_tracking(promoted))["champion"] == "1"


def test_a_line_says_which_registry_it_is_about_and_no_password(promoted: Workspace, elsewhere: Workspace) -> None:
    put_back(elsewhere, "1", "2", LATER)
    put_back(promoted, "1", "2", LATER)
    *_, there, home = map(json.loads, (promoted.mlruns / "promotions.jsonl").read_text().splitlines())
    assert there["registry"] == "postgresql://db.lan/mlflow"
    assert "registry" not in home
    assert [entry.action for entry in PromotionLog(elsewhere).entries()] == ["rollback"]
    assert [entry.action for entry in PromotionLog(promoted).entries()] == ["promote", "promote", "rollback"]
