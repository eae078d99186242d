"""What people do by hand in MLflow's UI or to files: the next night goes on, and nobody becomes champion by it."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest
from support import NOW

from lstm_model.errors import NightcastError
from lstm_model.registry import (
    MODEL,
    PromotionLog,
    open_tracking,
    promote_challenger,
    roll_back,
    tracking,
    train_candidate,
)
from lstm_model.registry.succession import finish_promotion
from lstm_model.workspace import Workspace

LATER = NOW + pd.Timedelta("7D")
AT = LATER + pd.Timedelta("8h")


def aliases(workspace: Workspace) -> dict[str, str]:
    registered = open_tracking(workspace).get_registered_model(MODEL)
    return {alias: str(version) for alias, version in registered.aliases.items()}


def tags_of(workspace: Workspace, version: str) -> dict[str, str]:
    tags: dict[str, str] = open_tracking(workspace).get_model_version(MODEL, version).tags
    return tags


def test_a_challenger_whose_run_was_deleted_is_promoted_and_the_next_change_follows(challenged: Workspace) -> None:
    client = open_tracking(challenged)
    client.delete_run(client.get_model_version(MODEL, "2").run_id)
    assert promote_challenger(challenged, LATER).decision.promote
    assert aliases(challenged) == {"champion": "2", "previous": "1"}
    assert tags_of(challenged, "2")["decision"] == "promoted"
    assert "**promoted**" in client.get_model_version(MODEL, "2").description
    roll_back(challenged, LATER, at=AT, who="somebody@home")
    assert aliases(challenged) == {"champion": "1", "previous": "2"}


def test_a_registry_begun_anew_does_not_follow_the_log_of_the_old_one(promoted: Workspace) -> None:
    roll_back(promoted, LATER, at=AT, who="somebody@home", to="1")
    open_tracking(promoted).delete_registered_model(MODEL)
    tracking._ready.clear()  # as in the next process
    assert train_candidate(promoted, LATER).version == "1"
    assert promote_challenger(promoted, LATER, at=AT).decision.rule == "no_champion", "nobody skips the gate"
    assert aliases(promoted) == {"champion": "1"}


def test_a_line_lost_from_the_log_brings_no_earlier_champion_back(promoted: Workspace) -> None:
    roll_back(promoted, LATER, at=AT, who="somebody@home")  # so that the line before it promotes version 2
    file = promoted.mlruns / "promotions.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
    assert promote_challenger(promoted, LATER).decision.rule == "no_challenger"
    assert aliases(promoted) == {"champion": "1", "previous": "2"}
    assert roll_back(promoted, LATER, at=AT + pd.Timedelta("1h"), who="somebody@home").champion == "2"


def test_a_pending_line_is_finished_although_the_one_before_it_was_damaged(promoted: Workspace) -> None:
    file = promoted.mlruns / "promotions.jsonl"
    last = PromotionLog(promoted).last()
    roll_back(promoted, LATER, at=AT, who="somebody@home")
    client = open_tracking(promoted)
    client.set_registered_model_alias(MODEL, "champion", "2")  # as a kill after the log's line leaves it
    client.set_registered_model_alias(MODEL, "previous", "1")
    client.set_registered_model_tag(MODEL, "last_promotion", last.name if last else "")
    first, second, third = file.read_text().splitlines()
    file.write_text(f"{first}\n{second[:40]}\n{third}\n")
    finish_promotion(promoted)
    assert aliases(promoted) == {"champion": "1", "previous": "2"}


def test_an_experiment_that_was_deleted_is_restored(trained: Workspace) -> None:
    client = open_tracking(trained)
    client.delete_experiment(client.get_experiment_by_name("nightcast").experiment_id)
    tracking._ready.clear()
    assert train_candidate(trained, NOW).version == "2"


def test_a_packaged_model_that_was_deleted_is_a_champion_that_cannot_serve(challenged: Workspace) -> None:
    client = open_tracking(challenged)
    client.delete_logged_model(client.get_model_version(MODEL, "1").source.removeprefix("models:/"))
    promotion = promote_challenger(challenged, LATER)
    assert promotion.decision.rule in ("champion_unusable", "refresh", "significantly_better")
    assert aliases(challenged)["champion"] == "2"


def test_a_database_that_does_not_open_is_one_line(make_workspace: Callable[..., Workspace]) -> None:
    workspace = make_workspace()
    workspace.mlruns.mkdir()
    (workspace.mlruns / "mlflow.db").write_bytes(b"no database" * 100)
    with pytest.raises(NightcastError, match=r"mlruns/mlflow\.db does not open: .*not a database") as refusal:
        open_tracking(workspace)
    assert "\n" not in str(refusal.value)
