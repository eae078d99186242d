"""The flow that puts an earlier version back as champion."""

from __future__ import annotations

from prefect import flow

from flows.account import account
from flows.artifacts import leave_page
from flows.clock import present, wall_clock
from flows.events import of_rollback
from flows.naming import named
from flows.outcome import told
from flows.pages import rollback_page
from flows.parameters import Text
from flows.telling import announce
from flows.words import rollback_in_words
from lstm_model.registry import Entry, roll_back
from lstm_model.workspace import Workspace


@flow(
    name="rollback",
    description="Put an earlier version back as champion, in seconds; the next forecast uses it.",
    flow_run_name=named("rollback"),
)
@told(rollback_in_words)
def rollback_flow(to: Text = None, why: Text = None) -> Entry:
    """Put an earlier version back.

    Args:
        to: the version, such as 12; the previous champion when empty.
        why: the reason, for the promotion log.
    """
    workspace = Workspace.find()
    entry = roll_back(workspace, present(workspace), at=wall_clock(), who=account(), to=to or None, why=why or "")
    leave_page("rollback", lambda: rollback_page(entry, workspace.settings.server), f"Version {entry.champion} is back")
    announce(workspace, *of_rollback(entry))
    return entry
