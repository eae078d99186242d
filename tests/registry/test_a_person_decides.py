"""A person in the loop: nothing moves without a yes, a no is final, and a yes is judged anew."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from support import NOW, forget_artifacts

from lstm_model.registry import (
    MODEL,
    Approval,
    Promotion,
    PromotionLog,
    Silence,
    awaits_approval,
    open_tracking,
    promote_challenger,
    roll_back,
)
from lstm_model.workspace import Workspace

LATER = NOW + pd.Timedelta("7D")
AT = LATER + pd.Timedelta("3h")
YES = Approval("2", True, "ada", "it is right about the frost")
NO = Approval("2", False, "ada", "it is wrong about the frost")
SILENCE = Silence("2", AT)


@pytest.fixture(scope="module")
def asked_home(challenged_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Version 2 awaits approval; the gate would promote it."""
    home = tmp_path_factory.mktemp("asked") / "home"
    shutil.copytree(challenged_home, home)
    with (home / "nightcast.toml").open("a") as toml:
        toml.write('approval = "human"\n')
    promotion = promote_challenger(Workspace.find(home, {}), LATER, at=LATER, who="nightly")
    assert (promotion.decision.promote, promotion.awaits_approval) == (False, True)
    assert (promotion.challenger, promotion.champion_before, promotion.champion) == ("2", "1", "1")
    return home


@pytest.fixture
def asked(asked_home: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(asked_home, tmp_path / "home")
    forget_artifacts()
    return Workspace.find(tmp_path / "home", {})


def answered(workspace: Workspace, answer: Approval | Silence) -> Promotion:
    return promote_challenger(workspace, LATER, at=AT, who="somebody else", answer=answer)


def aliases(workspace: Workspace) -> dict[str, str]:
    registered = open_tracking(workspace).get_registered_model(MODEL).aliases
    return {alias: str(version) for alias, version in registered.items()}


def tags(workspace: Workspace, version: str = "2") -> dict[str, Any]:
    return dict(open_tracking(workspace).get_model_version(MODEL, version).tags)


def test_without_a_yes_nothing_moves_and_the_version_says_that_it_waits(asked: Workspace) -> None:
    assert aliases(asked) == {"champion": "1", "challenger": "2"}
    told = tags(asked)
    assert (told["decision"], told["rule"]) == ("awaiting approval", "awaiting_approval")
    assert told["reason"].startswith("CRPS ") and told["evidence"].startswith("{")
    description = open_tracking(asked).get_model_version(MODEL, "2").description
    assert f"**awaiting approval**: {told['reason']}." in description
    assert [entry.champion for entry in PromotionLog(asked).entries()] == ["1"]
    again = promote_challenger(asked, LATER, at=LATER, who="nightly")
    assert again.awaits_approval, "a night lived again asks again"
    with FileLock(asked.state / "promotion.lock", timeout=0):
        pass  # whoever waits holds nothing


def test_a_yes_promotes_and_the_log_says_whose_it_was_and_why(asked: Workspace) -> None:
    reason = tags(asked)["reason"]
    promotion = answered(asked, YES)
    assert (promotion.decision.promote, promotion.champion) == (True, "2")
    assert aliases(asked) == {"champion": "2", "previous": "1"}
    last = PromotionLog(asked).last()
    assert last is not None and last.evidence is not None
    assert (last.who, last.at, last.as_of, last.rule) == ("ada", AT, LATER, promotion.decision.rule)
    assert last.rule in ("refresh", "significantly_better")
    assert last.why == f"{reason}; ada approved it: it is right about the frost"
    assert tags(asked)["decision"] == "promoted"


@pytest.mark.parametrize(
    ("answer", "rule", "reason"),
    [
        (NO, "not_approved", "ada did not approve it: it is wrong about the frost"),
        (SILENCE, "approval_timed_out", "nobody had approved it by 2024-03-27 03:00 UTC"),
    ],
)
def test_a_no_and_silence_are_refusals_and_final(
    asked: Workspace, answer: Approval | Silence, rule: str, reason: str
) -> None:
    numbers = tags(asked)["evidence"]
    refused = answered(asked, answer)
    assert (refused.decision.promote, refused.decision.rule, refused.champion) == (False, rule, "1")
    told = tags(asked)
    assert (told["decision"], told["rule"], told["reason"]) == ("refused", rule, reason)
    assert told["evidence"] == numbers
    again = promote_challenger(asked, LATER, at=AT, who="nightly")
    assert (again.awaits_approval, again.decision.rule) == (False, rule), "asked about again"
    late = answered(asked, YES)
    assert (late.decision.promote, late.decision.rule) == (False, rule), "a yes after the no"
    (asked.home / "nightcast.toml").write_text((asked.home / "nightcast.toml").read_text().replace("human", "auto"))
    alone = promote_challenger(Workspace.find(asked.home, {}), LATER, at=AT, who="nightly")
    assert (alone.decision.promote, alone.decision.rule) == (False, rule), "the gate alone forgot it"
    assert aliases(asked) == {"champion": "1", "challenger": "2"}
    assert len(PromotionLog(asked).entries()) == 1


@pytest.mark.parametrize("kept", range(3))
def test_a_no_that_a_kill_cut_off_between_two_tags_has_its_reason_in_the_end(
    asked: Workspace, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, done = MlflowClient.set_model_version_tag, []

    def cut(*args: Any) -> None:
        if len(done) == kept:
            raise KeyboardInterrupt
        done.append(write(*args))

    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, "set_model_version_tag", cut)
        with pytest.raises(KeyboardInterrupt):
            answered(asked, NO)
    refused = answered(asked, NO)
    told = tags(asked)
    assert (told["decision"], told["rule"], told["reason"]) == ("refused", "not_approved", refused.decision.reason)
    assert told["reason"] == "ada did not approve it: it is wrong about the frost"


def test_whom_a_person_puts_in_by_hand_is_not_asked_about_any_more(asked: Workspace) -> None:
    numbers = tags(asked)["evidence"]
    roll_back(asked, LATER, at=AT, who="bob", to="2", why="I know better")
    told = tags(asked)
    assert (told["decision"], told["rule"], told["reason"]) == ("promoted", "by_hand", "I know better")
    assert told["evidence"] == numbers
    assert not awaits_approval(open_tracking(asked), "2"), "its run goes on waiting"
    for answer in (SILENCE, YES, NO):  # what the run that waited comes to, and whoever comes later
        assert answered(asked, answer).decision.rule == "approval_outdated"
    assert promote_challenger(asked, LATER, at=AT, who="nightly").decision.rule == "no_challenger"
    assert tags(asked)["decision"] == "promoted", "the champion counts as refused"
    assert aliases(asked) == {"champion": "2", "previous": "1"}


def test_a_new_challenger_is_a_new_question_and_answers_to_the_old_one_move_nothing(asked: Workspace) -> None:
    client = open_tracking(asked)
    two = client.get_model_version(MODEL, "2")
    lineage = {name: told for name, told in two.tags.items() if name not in ("decision", "rule", "reason", "evidence")}
    client.create_model_version(MODEL, two.source, two.run_id, tags=lineage)  # as if it had been trained just now
    client.set_registered_model_alias(MODEL, "challenger", "3")
    late = answered(asked, YES)
    assert (late.decision.promote, late.decision.rule) == (False, "approval_outdated")
    assert late.decision.reason == ("version 2 is not the challenger; version 3 is, and has to be approved itself")
    assert tags(asked)["rule"] == "approval_outdated", "version 2 waits no more"
    assert "decision" not in tags(asked, "3"), "the new one was not asked about yet"
    for answer in (NO, SILENCE):
        assert answered(asked, answer).decision.rule == "approval_outdated"
    assert "decision" not in tags(asked, "3")
    assert aliases(asked) == {"champion": "1", "challenger": "3"}


def test_a_busy_database_settles_no_question(asked: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    client = open_tracking(asked)
    assert awaits_approval(client, "2")
    assert not awaits_approval(client, "1") and not awaits_approval(client, "99")

    def busy(*_: object) -> None:
        raise MlflowException("database is locked")

    monkeypatch.setattr(client, "get_model_version", busy)
    assert awaits_approval(client, "2")


def test_a_yes_is_judged_anew_by_the_gate(asked: Workspace) -> None:
    roll_back(asked, LATER, at=AT, who="bob", to="2")
    roll_back(asked, LATER, at=AT, who="bob")  # version 1 is back since this night, and stale no more
    open_tracking(asked).set_registered_model_alias(MODEL, "challenger", "2")
    late = answered(asked, YES)
    assert (late.decision.promote, late.decision.rule) == (False, "equal")
    assert late.decision.reason.endswith(", by now; ada had approved it")
    assert tags(asked)["decision"] == "refused"
    assert aliases(asked)["champion"] == "1"


def test_a_yes_to_who_is_champion_already_changes_nothing(asked: Workspace) -> None:
    answered(asked, YES)
    for answer in (YES, NO, SILENCE):
        late = answered(asked, answer)
        assert (late.decision.promote, late.decision.rule, late.champion) == (False, "approval_outdated", "2")
        assert "version 2 is the champion already" in late.decision.reason
    assert tags(asked)["decision"] == "promoted"
    assert len(PromotionLog(asked).entries()) == 2


def test_a_yes_that_the_power_cut_off_is_carried_out_by_the_next_night(
    asked: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("lstm_model.registry.succession.carry_out", cut)
        with pytest.raises(KeyboardInterrupt):
            answered(asked, YES)
    assert aliases(asked)["champion"] == "1"
    promotion = promote_challenger(asked, LATER, at=AT, who="nightly")
    assert (promotion.decision.promote, promotion.champion) == (True, "2")
    assert [entry.who for entry in PromotionLog(asked).entries()][1:] == ["ada"]
