"""The flow that puts an earlier version back as champion."""

from __future__ import annotations

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from flows.account import account
from flows.clock import present, wall_clock
from flows.naming import named
from flows.words import rollback_in_words
from lstm_model.registry import Entry, roll_back
from lstm_model.workspace import Workspace


@flow(
    name="rollback",
    description="Put an earlier version back as champion, in seconds; the next forecast uses it.",
    flow_run_name=named("rollback"),
)
def rollback_flow(to: str | None = None, why: str = "") -> Entry:
    """Put an earlier version back.

    Args:
        to: the version, such as 12; the previous champion when empty.
        why: the reason, for the promotion log.
    """
    workspace = Workspace.find()
    entry = roll_back(workspace, present(workspace), at=wall_clock(), who=account(), to=to or None, why=why)
    create_markdown_artifact(rollback_in_words(entry), key="rollback", description="The version that serves again")
    return entry
