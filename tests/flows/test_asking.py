"""What a person is asked and told about a challenger that awaits approval, wherever they are asked."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from itertools import chain, repeat
from typing import Any

import pandas as pd
import pytest
import typer
from prefect.states import Running
from support import NOW
from typer.testing import CliRunner

from flows.approval import _Asked, ask_for_approval, read_answer
from flows.commands import app
from flows.commands.night import _asked_first
from flows.events import COMING, DUE, of_approval_wanted, of_promotion
from flows.inspection import _who_waits
from flows.pages import gate_page
from flows.words import decision_in_words, promotion_as_data, question_in_words, rehearsal_in_words
from lstm_model.errors import SettingsError
from lstm_model.evaluation import Decision
from lstm_model.registry import MODEL, Approval, Promotion, open_tracking
from lstm_model.settings import GateSettings, NotifySettings, ServerSettings
from lstm_model.workspace import Workspace

UNTIL = pd.Timestamp("2024-03-20T06:15Z")
LINK = "http://127.0.0.1:4200/runs/flow-run/1"
SCORES = pd.DataFrame(
    {
        "mae": [0.71, 0.75, 1.4],
        "rmse": [1.0, 1.0, 2.0],
        "crps": [0.5, 0.52, 1.1],
        "skill": [0.5, 0.4, 0.0],
        "coverage_80": [0.81, 0.78, 0.8],
    },
    index=pd.Index(["challenger", "champion", "persistence"], name="method"),
)
REASON = "CRPS 0.500 °C against the champion's 0.520: significantly better (confidence 0.97)"
ASKED = Promotion(Decision(False, "awaiting_approval", REASON), "5", "4", "4", SCORES)


def test_the_question_says_who_against_whom_by_what_and_until_when() -> None:
    assert question_in_words(ASKED, UNTIL) == (
        f"Version 5 would take version 4's place as champion: {REASON}. On the gate's window: "
        "challenger MAE 0.71 °C, 80 % covers 81%; champion MAE 0.75 °C, 80 % covers 78%; "
        "persistence MAE 1.40 °C, 80 % covers 80%. Without an answer by 2024-03-20 06:15 UTC version 4 stays."
    )
    first = replace(ASKED, champion_before=None, champion=None, summary=None)
    assert question_in_words(first, UNTIL) == (
        f"Version 5 would become champion, where nobody is: {REASON}. "
        "Without an answer by 2024-03-20 06:15 UTC there is none still."
    )


def test_who_waits_is_neither_promoted_nor_refused_in_words_pages_and_data() -> None:
    assert decision_in_words(ASKED) == f"version 5 awaits approval: {REASON}. Now champion is version 4."
    assert rehearsal_in_words(ASKED).startswith("version 5 would await approval: ")
    assert "**version 5 awaits approval: " in gate_page(ASKED, ServerSettings())
    assert promotion_as_data(ASKED)["awaits_approval"] is True
    assert of_promotion(ASKED, NOW, "nightly") == []


def test_whoever_is_to_answer_hears_where_and_until_when() -> None:
    event = of_approval_wanted(ASKED, NOW, UNTIL, LINK)
    assert (event.name, event.kind in NotifySettings().on) == ("nightcast.approval.wanted", True)
    assert event.sentence.endswith(
        f"Answer at {LINK} (Resume), or type `nightcast promote --approve 5 --why TEXT`, or --reject."
    )
    assert event.payload == {
        "version": "5", "champion": "4", "why": REASON, "as_of": "2024-03-20T00:00:00+00:00",
        "until": "2024-03-20T06:15:00+00:00", "link": LINK,
    }  # fmt: skip
    nowhere = of_approval_wanted(ASKED, NOW, UNTIL, None)
    assert (nowhere.payload["until"], nowhere.payload["link"]) == (None, None)
    assert "No dashboard asks, so type" in nowhere.sentence and "Without an answer" not in nowhere.sentence


def test_an_answer_is_told_as_a_promotion_or_a_refusal() -> None:
    yes = replace(ASKED, decision=Decision(True, "refresh", "fresh"), champion="5")
    (promoted,) = of_promotion(yes, NOW, "ada", COMING)
    assert (promoted.payload["who"], promoted.resource["nightcast.forecast"]) == ("ada", COMING)
    (by_hand,) = of_promotion(yes, NOW, "ada")
    assert by_hand.resource["nightcast.forecast"] == DUE
    for rule in ("not_approved", "approval_timed_out", "approval_outdated"):
        (refused,) = of_promotion(replace(ASKED, decision=Decision(False, rule, "so it is")), NOW, "ada")
        assert (refused.kind, refused.payload["rule"], refused.payload["who"]) == ("refused", rule, "ada")
        assert not refused.routine


@pytest.fixture
def workspace(make_workspace: Callable[[str], Workspace], monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace whose challenger awaits approval, and somebody at the terminal."""
    made = make_workspace('[gate]\napproval = "human"\n')
    monkeypatch.setenv("NIGHTCAST_HOME", str(made.home))
    monkeypatch.setattr("flows.answers.somebody_is_there", lambda screen: True)
    monkeypatch.setattr("lstm_model.registry.rehearse_promotion", lambda workspace, now: ASKED)
    return made


def asked_first(typed: str, *, as_json: bool = False, **options: str) -> tuple[tuple[str | None, ...], str]:
    """Version, answer and reason that `nightcast promote` goes on with, and what it said before."""
    found: list[tuple[str | None, ...]] = []
    terminal = typer.Typer()

    @terminal.command()
    def promote() -> None:
        found.append(_asked_first(None, as_json, options.get("approve"), options.get("reject"), options.get("why")))

    answer = CliRunner().invoke(terminal, [], input=typed, catch_exceptions=False)
    return found[0], answer.output


def test_a_terminal_shows_the_evidence_and_asks(workspace: Workspace, wide_screen: None) -> None:
    told, said = asked_first("y\nit knows the frost\n")
    assert told == ("5", "yes", "it knows the frost")
    for part in ("persistence", REASON, "Promote version 5? [y/N]", "Why"):
        assert part in said
    assert asked_first("n\n\n")[0] == ("5", "no", "")


def test_nobody_is_asked_where_nobody_is_or_what_is_said_already(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked_first("", as_json=True)[0] == (None, "later", None)
    assert asked_first("", approve="5", why="frost")[0] == ("5", "yes", "frost")
    assert asked_first("", reject="5")[0] == ("5", "no", None)
    monkeypatch.setattr("flows.answers.somebody_is_there", lambda screen: False)
    assert asked_first("")[0] == (None, "later", None)
    (workspace.home / "nightcast.toml").write_text("")
    assert asked_first("")[0] == (None, None, None)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--approve", "5", "--reject", "5"], "--approve and --reject say opposite things"),
        (["--why", "frost"], "--why is the reason of an answer"),
    ],
)
def test_an_answer_that_makes_no_sense_starts_nothing(workspace: Workspace, words: list[str], complaint: str) -> None:
    assert str(CliRunner().invoke(app, ["promote", *words]).exception).startswith(complaint)
    assert not workspace.state.exists()


def test_parameters_of_a_flow_are_an_answer_or_a_complaint(workspace: Workspace) -> None:
    assert read_answer(workspace, "5", "no", "ada", " it\nfroze ") == Approval("5", False, "ada", "it froze")
    for version, answer, complaint in (("5", "maybe", "'maybe' is no answer"), (None, "yes", "names its version")):
        with pytest.raises(SettingsError, match=complaint):
            read_answer(workspace, version, answer, "ada", None)
    (workspace.home / "nightcast.toml").write_text("")
    with pytest.raises(SettingsError, match=r'nobody is asked: \[gate\] approval is "auto"'):
        read_answer(Workspace.find(workspace.home, {}), "5", "yes", "ada", None)


def test_without_a_dashboard_nobody_waits(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr("flows.approval.announce", lambda workspace, *events: told.extend(events))
    assert ask_for_approval(workspace, ASKED, NOW.isoformat(), DUE) is ASKED
    (event,) = told
    assert (event.kind, event.payload["link"]) == ("approval", None)


WAITS = {"decision": "awaiting approval", "rule": "awaiting_approval", "reason": REASON}
REFUSED = {"decision": "refused", "rule": "not_approved", "reason": "ada did not approve it: frost"}
PROMOTED = {"decision": "promoted", "rule": "refresh", "reason": "fresh; ada approved it"}
SOON, LATE = NOW + pd.Timedelta("1min"), NOW + pd.Timedelta("5h")


@pytest.mark.parametrize(
    ("stands", "now", "rule", "champion", "news"),
    [
        (PROMOTED, SOON, "refresh", "2", []),
        (REFUSED, SOON, "not_approved", "1", []),
        (WAITS, SOON, "awaiting_approval", "1", []),  # somebody set the run's state by hand
        (WAITS, LATE, "approval_timed_out", "1", ["refused"]),
        (PROMOTED, LATE, "refresh", "2", []),
    ],
)
def test_a_question_that_was_closed_elsewhere_ends_as_it_stands_and_is_not_told_twice(
    equal: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    stands: dict[str, str],
    now: pd.Timestamp,
    rule: str,
    champion: str,
    news: list[str],
) -> None:
    told: list[Any] = []
    pages: list[str] = []
    clock, client = chain([NOW], repeat(now)), open_tracking(equal)
    for name, value in stands.items():
        client.set_model_version_tag(MODEL, "2", name, value)
    if stands is PROMOTED:
        client.set_registered_model_alias(MODEL, "champion", "2")
        client.delete_registered_model_alias(MODEL, "challenger")
    monkeypatch.setattr("flows.approval._put", lambda *asked: _Asked("a run", {}, LINK))
    monkeypatch.setattr("flows.approval.get_client", lambda **how: nullcontext())
    monkeypatch.setattr("flows.approval._state_of", lambda client, question: Running())
    monkeypatch.setattr("flows.approval._read", lambda question: None)
    monkeypatch.setattr("flows.approval.wall_clock", lambda: next(clock))
    monkeypatch.setattr("flows.approval.announce", lambda workspace, *events: told.extend(events))
    monkeypatch.setattr("flows.approval.leave_page", lambda key, *page: pages.append(key))
    before = replace(ASKED, challenger="2", champion_before="1", champion="1")
    promotion = ask_for_approval(equal, before, NOW.isoformat(), DUE)
    assert (promotion.decision.rule, promotion.decision.promote) == (rule, rule == "refresh")
    assert (promotion.challenger, promotion.champion, promotion.summary is SCORES) == ("2", champion, True)
    assert [event.kind for event in told] == ["approval", *news]
    assert pages == ["gate"] * len(news)


@pytest.mark.parametrize("hours", [0, 24, -1])
def test_the_deadline_comes_before_the_next_night(hours: float) -> None:
    with pytest.raises(ValueError, match="approval_hours"):
        GateSettings(approval_hours=hours)


def test_status_names_who_waits() -> None:
    rows = [{"version": "6", "decision": "refused"}, {"version": "5", "decision": "awaiting approval"}]
    assert _who_waits(rows) == "version 5; `nightcast promote` asks for your answer"
    assert _who_waits(rows[:1]) == "none"
