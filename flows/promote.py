"""The flow that judges the challenger."""

from __future__ import annotations

from prefect import flow

from flows.account import account
from flows.artifacts import leave_page
from flows.clock import present, wall_clock
from flows.events import of_promotion
from flows.naming import named
from flows.night import Skipped
from flows.outcome import told
from flows.pages import gate_page
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
def promote_flow(as_of: Text = None, who: Text = None) -> Promotion | Skipped:
    """Judge the challenger; skipped while there is too little history to judge on.

    Args:
        as_of: the time to live, such as 2013-12-20T23:00Z; the present when empty.
        who: who asks, for the promotion log; the account it runs under when empty.
    """
    workspace, asked_by = Workspace.find(), who or account()
    try:
        now = present(workspace, as_of)
        promotion = promote_challenger(workspace, now, at=wall_clock(), who=asked_by)
    except HistoryTooShort as reason:
        return Skipped(str(reason))
    verb = "promoted" if promotion.decision.promote else "not promoted"
    subject = f"Version {promotion.challenger} {verb}" if promotion.challenger else "Nothing to judge"
    leave_page("gate", lambda: gate_page(promotion, workspace.settings.server), f"{subject}: {promotion.decision.rule}")
    announce(workspace, *of_promotion(promotion, now, asked_by))
    return promotion
