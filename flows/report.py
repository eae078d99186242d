"""`nightcast report`: the page of a workspace as it stands."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path

import pandas as pd

from flows.clock import lived_nights, wall_clock
from flows.findings import demoted_in_words
from lstm_model.errors import first_line
from lstm_model.monitoring import monitor
from lstm_model.registry import PromotionLog
from lstm_model.registry.promotion_log import DEMOTE, ROLLBACK
from lstm_model.report import Finding, from_monitoring, gather, render
from lstm_model.whole import write_text_whole
from lstm_model.workspace import Workspace

log = logging.getLogger("nightcast.report")


def write_report(
    workspace: Workspace, now: pd.Timestamp, out: Path | None = None, others: Sequence[Finding] = ()
) -> Path:
    """Write the page of a workspace as it stands, and return where it is.

    Args:
        workspace: whose page.
        now: nothing later is told.
        out: where to; `predictions/report.html` when None.
        others: what else needs a person, beside what the last night and monitoring say.
    """
    file = out or workspace.report
    found = [*_last_night(workspace), *_watched(workspace, now), *others]
    write_text_whole(file, render(gather(workspace, now, wall_clock(), found)))
    return file


def _last_night(workspace: Workspace) -> list[Finding]:
    """What failed in it, and the champion that it demoted, unless a person changed the champion since."""
    nights = lived_nights(workspace)
    if not nights:
        return []
    newest_first = reversed(PromotionLog(workspace).entries())
    its_own = takewhile(lambda one: one.as_of == nights[-1].as_of and one.action != ROLLBACK, newest_first)
    gone = [demoted(demoted_in_words(one, one.why)) for one in its_own if one.action == DEMOTE]
    return [*failed_steps(nights[-1].failed), *gone]


def _watched(workspace: Workspace, now: pd.Timestamp) -> list[Finding]:
    try:
        return from_monitoring(monitor(workspace, now))
    except Exception as error:  # the rest of the page is worth reading without it
        log.warning("the report does not tell what monitoring says: %s", first_line(error))
        return [Finding("Monitoring failed.", "`nightcast monitor` tells why.")]


def demoted(words: str) -> Finding:
    """That a champion was demoted, as a finding of a report."""
    return Finding(f"{words[:1].upper()}{words[1:]}.", "“Which model, and why” has the whole story.")


def failed_steps(failed: Mapping[str, str]) -> list[Finding]:
    """What needs a person after a night that failed.

    Args:
        failed: the steps that failed, each with its reason where that is known.
    """
    remedy = "`nightcast doctor` tells what is wrong with machine and workspace."
    return [
        Finding(f"The night's step “{step}” failed{f': {reason}' if reason else ''}.", remedy, urgent=True)
        for step, reason in failed.items()
    ]
