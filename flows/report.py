"""`nightcast report`: the page of a workspace as it stands."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from flows.clock import lived_nights, wall_clock
from lstm_model.errors import first_line
from lstm_model.monitoring import monitor
from lstm_model.report import Finding, from_monitoring, gather, render
from lstm_model.whole import write_text_whole
from lstm_model.workspace import Workspace

log = logging.getLogger("nightcast.report")


def write_report(workspace: Workspace, now: pd.Timestamp, out: Path | None = None) -> Path:
    """Write the page of a workspace as it stands; `predictions/report.html` unless `out` names another file."""
    file = out or workspace.report
    nights = lived_nights(workspace)
    failed = dict.fromkeys(nights[-1].failed if nights else (), "")
    found = [*failed_steps(failed), *_watched(workspace, now)]
    write_text_whole(file, render(gather(workspace, now, wall_clock(), found)))
    return file


def _watched(workspace: Workspace, now: pd.Timestamp) -> list[Finding]:
    try:
        return from_monitoring(monitor(workspace, now))
    except Exception as error:  # the rest of the page is worth reading without it
        log.warning("the report does not tell what monitoring says: %s", first_line(error))
        return [Finding("Monitoring failed.", "`nightcast monitor` tells why.")]


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
