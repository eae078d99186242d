"""The flow that judges the challenger."""

from __future__ import annotations

from prefect import flow

from flows.account import account
from flows.answers import LATER
from flows.approval import ask_for_approval, carry_out_answer, leave_gate_page, read_answer
from flows.clock import present, wall_clock
from flows.events import DUE, NIGHTLY, of_approval_wanted, of_promotion
from flows.naming import named
from flows.night import Skipped
from flows.outcome import told
from flows.parameters import Text
from flows.telling import announce
from flows.words import decision_in_words
from lstm_model.errors import HistoryTooShort
from lstm_model.registry import Promotion, promote_challenger
from lstm_model.workspace import Workspace


@flow(
    name="promote",
    description="Judge the challenger on fresh evidence; it becomes champion only if it earned it.",
    flow_run_name=named("promote"),
)
@told(decision_in_words)
def promote_flow(
    as_of: Text = None, who: Text = None, version: Text = None, answer: Text = None, why: Text = None
) -> Promotion | Skipped:
    """Judge the challenger; skipped while there is too little history to judge on.

    Where [gate] approval is "human", the run then pauses until a person has answered.

    Args:
        as_of: the time to live, such as 2013-12-20T23:00Z; the present when empty.
        who: who asks, or answers, for the promotion log; the account it runs under when empty.
        version: the version that an answer is of, such as 12.
        answer: yes or no, where a version awaits approval already; later, to judge and wait for nobody.
        why: the reason of the answer, for the promotion log.
    """
    workspace, asked_by = Workspace.find(), who or account()
    try:
        if answer and answer != LATER:
            return carry_out_answer(workspace, read_answer(workspace, version, answer, asked_by, why), as_of)
        now = present(workspace, as_of)
        promotion = promote_challenger(workspace, now, at=wall_clock(), who=asked_by)
    except HistoryTooShort as reason:
        return Skipped(str(reason))
    leave_gate_page(workspace, promotion)
    announce(workspace, *of_promotion(promotion, now, asked_by))
    if not promotion.awaits_approval or asked_by == NIGHTLY:  # a night asks once its forecast is out
        return promotion
    if answer == LATER:
        announce(workspace, of_approval_wanted(promotion, now, None, None))
        return promotion
    return ask_for_approval(workspace, promotion, as_of, DUE)
