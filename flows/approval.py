"""Asking a person whether the challenger may become champion: the run pauses, and Prefect's dashboard has the form.

The question is put once everything else is done, and no lock is held meanwhile. Prefect's own `pause_flow_run` would
do, but that it fails a run whose deadline has passed, and a run whose server was away for a while.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import httpx
import pandas as pd
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.responses import SetStateStatus
from prefect.context import FlowRunContext
from prefect.exceptions import ObjectNotFound, PrefectException
from prefect.input import RunInput, keyset_from_paused_state, read_flow_run_input
from prefect.settings import get_current_settings
from prefect.states import Paused, Running
from pydantic import Field

from flows.account import account
from flows.artifacts import leave_page
from flows.clock import present, wall_clock
from flows.events import of_approval_wanted, of_promotion
from flows.pages import gate_page
from flows.telling import announce
from flows.words import question_in_words
from lstm_model.errors import SettingsError
from lstm_model.registry import (
    Answer,
    Approval,
    Promotion,
    Silence,
    awaits_approval,
    list_versions,
    open_tracking,
    promote_challenger,
)
from lstm_model.registry.approval import outdated, standing_decision
from lstm_model.registry.shared import outlasting
from lstm_model.workspace import Workspace

log = logging.getLogger("nightcast.promote")

_LOOK_SECONDS, _TRIES = 3.0, 10
_LEFT_TO_PREFECT = timedelta(hours=1)
"""So long after the deadline Prefect itself ends a paused run of which nobody knows what became of it."""


class Verdict(RunInput):
    """The form on the dashboard."""

    approve: bool = Field(False, title="Promote it", description="On: it becomes champion. Off: it does not.")
    why: str = Field("", title="Why", description="The reason, for the promotion log.")
    who: str = Field("", title="Who says so", description="Your name, for the promotion log.")


@dataclass(frozen=True)
class _Asked:
    """A question on the dashboard: the run that is paused for it, and under which names its form is kept."""

    run_id: Any
    keyset: Any
    link: str


def ask_for_approval(workspace: Workspace, asked: Promotion, as_of: str | None, forecast: str) -> Promotion:
    """Pause this run until a person has said yes or no to the challenger, and do as they say; silence is a no.

    Where nobody could answer, because no dashboard has this run, the challenger goes on waiting.

    Args:
        workspace: whose challenger.
        asked: what the gate would promote.
        as_of: the time to live; the present, of the moment in which the answer comes, when empty.
        forecast: for the event of a promotion, whether a forecast is due or coming.

    Returns:
        What came of it; `asked` itself where nobody could be asked. Where it was settled elsewhere meanwhile, what
        stands since then: whoever settled it has left the page and told of it.
    """
    version = asked.challenger
    assert version is not None, "the gate promotes nobody"
    until = wall_clock() + pd.Timedelta(hours=workspace.settings.gate.approval_hours)
    question = _put(version, question_in_words(asked, until), until)
    link = None if question is None else question.link
    announce(workspace, of_approval_wanted(asked, present(workspace, as_of), until, link))
    if question is None:
        log.warning("version %s awaits approval, and no dashboard asks: `nightcast promote` does", version)
        return asked
    log.info("version %s awaits approval until %s UTC: %s", version, f"{until:%Y-%m-%d %H:%M}", link)
    registry = open_tracking(workspace)
    answer = _wait(question, version, until, lambda: awaits_approval(registry, version))
    if answer is None:
        return _as_it_stands(workspace, asked, version)
    return carry_out_answer(workspace, answer, as_of, forecast, asked.summary)


def carry_out_answer(
    workspace: Workspace,
    answer: Answer,
    as_of: str | None,
    forecast: str | None = None,
    shown: pd.DataFrame | None = None,
) -> Promotion:
    """Do what a person said, leave the page that tells it, and tell whoever wants to hear of it.

    Args:
        workspace: whose challenger.
        answer: what was said, or that nothing was.
        as_of: the time to live; the present when empty.
        forecast: as for `ask_for_approval`.
        shown: the scores that the person saw; a no holds no trial of its own, and is told with these.
    """
    now = present(workspace, as_of)
    promotion = promote_challenger(workspace, now, at=wall_clock(), who=answer.who, answer=answer)
    if promotion.summary is None:
        promotion = replace(promotion, summary=shown)
    leave_gate_page(workspace, promotion)
    announce(workspace, *of_promotion(promotion, now, answer.who, forecast))
    return promotion


def leave_gate_page(workspace: Workspace, promotion: Promotion) -> None:
    """The evidence, and what came of it so far."""
    verb = "promoted" if promotion.decision.promote else "not promoted"
    verb = "awaits approval" if promotion.awaits_approval else verb
    rule = promotion.decision.rule.replace("_", " ")
    subject = f"Version {promotion.challenger} {verb}" if promotion.challenger else "Nothing to judge"
    leave_page("gate", lambda: gate_page(promotion, workspace.settings.server), f"{subject}: {rule}")


def read_answer(workspace: Workspace, version: str | None, answer: str, who: str, why: str | None) -> Approval:
    """A person's answer as parameters of a flow say it.

    Raises:
        SettingsError: nobody is asked here, it is of no version, or it is neither yes nor no.
    """
    if workspace.settings.gate.approval != "human":
        raise SettingsError('nobody is asked: [gate] approval is "auto"; write approval = "human" to have a say')
    if answer not in ("yes", "no"):
        raise SettingsError(f"{answer!r} is no answer; write yes, no, or later, which waits for nobody")
    if not version:
        raise SettingsError("an answer names its version, as in version = 12; `nightcast models` lists who waits")
    return Approval(version, answer == "yes", _in_a_line(who), _in_a_line(why or ""))


def _put(version: str, words: str, until: pd.Timestamp) -> _Asked | None:
    """Pause this run with the form on its page; None where nobody could see it, or the server does not take it."""
    context, settings = FlowRunContext.get(), get_current_settings()
    if context is None or context.flow_run is None or not settings.api.url:  # an embedded server has no dashboard
        return None
    run_id = context.flow_run.id
    expires = until.to_pydatetime() + _LEFT_TO_PREFECT
    state: Any = Paused(name="Paused", message=words, pause_expiration_time=expires, pause_key=f"version-{version}")
    keyset = keyset_from_paused_state(state)
    state.state_details.run_input_keyset = keyset
    try:
        Verdict.with_initial_data(description=words).save(keyset, run_id)
        with get_client(sync_client=True) as client:
            taken = client.set_flow_run_state(run_id, state)
    except (httpx.HTTPError, PrefectException) as error:
        log.warning("Prefect's server does not put the question: %s", error)
        return None
    if taken.status != SetStateStatus.ACCEPT:
        log.warning("Prefect's server does not put the question: %s", taken.details)
        return None
    return _Asked(run_id, keyset, f"{settings.ui_url}/v2/runs/flow-run/{run_id}")


def _wait(question: _Asked, version: str, until: pd.Timestamp, is_open: Callable[[], bool]) -> Answer | None:
    """Wait for the form, for the deadline, or until somebody elsewhere closes the question, which is None."""
    with get_client(sync_client=True) as client:
        while (left := (until - wall_clock()).total_seconds()) > 0 and is_open():
            state = _state_of(client, question)
            if state is not None and not state.is_paused():
                break
            time.sleep(min(_LOOK_SECONDS, left))
        _go_on(client, question)
    verdict = _read(question)
    if verdict is None:
        return Silence(version, until) if wall_clock() >= until and is_open() else None
    who = _in_a_line(verdict.who) or f"{account()}, on the dashboard"
    return Approval(version, verdict.approve, who, _in_a_line(verdict.why))


@outlasting
def _as_it_stands(workspace: Workspace, asked: Promotion, version: str) -> Promotion:
    """What the registry says of a version whose question was closed elsewhere; it may be that it waits still."""
    client = open_tracking(workspace)
    versions = list_versions(client)
    champion, challenger = (
        next((found.version for found in versions if alias in found.aliases), None)
        for alias in ("champion", "challenger")
    )
    known = version in {found.version for found in versions}
    decision = standing_decision(client, version) if known else None
    decision = decision or outdated(version, challenger, champion)
    log.info("nobody is asked about version %s any more: %s", version, decision.reason)
    return replace(asked, decision=decision, champion=version if decision.promote else champion)


def _state_of(client: SyncPrefectClient, question: _Asked) -> Any:
    """The run's state, or None while the server is away."""
    try:
        return client.read_flow_run(question.run_id).state
    except ObjectNotFound:  # somebody deleted it, and the question with it
        return Running()
    except (httpx.HTTPError, PrefectException):
        return None


def _go_on(client: SyncPrefectClient, question: _Asked) -> None:
    """Take the form away, if it is still there: from here on nobody answers any more."""
    state = _state_of(client, question)
    if state is not None and state.is_paused():
        try:
            client.set_flow_run_state(question.run_id, Running())
        except (httpx.HTTPError, PrefectException) as error:
            log.warning("Prefect's server does not hear that nobody is asked any more: %s", error)


def _read(question: _Asked) -> Verdict | None:
    """What was filled in, if anything was: a run may go on, too, because somebody set its state by hand."""
    for _ in range(_TRIES):
        try:
            told = read_flow_run_input(question.keyset["response"], flow_run_id=question.run_id)
        except (httpx.HTTPError, PrefectException) as error:
            log.warning("the answer cannot be read now: %s", error)
            time.sleep(_LOOK_SECONDS)
        else:
            return None if told is None else Verdict.model_validate(told)
    return None


def _in_a_line(text: str) -> str:
    return " ".join(text.split())
