"""`nightcast report`: the page of a workspace as it stands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from flows.clock import lived_nights, wall_clock
from lstm_model.report import Finding, gather, render
from lstm_model.whole import write_text_whole
from lstm_model.workspace import Workspace


def write_report(workspace: Workspace, now: pd.Timestamp, out: Path | None = None) -> Path:
    """Write the page of a workspace as it stands; `predictions/report.html` unless `out` names another file."""
    file = out or workspace.report
    nights = lived_nights(workspace)
    failed = dict.fromkeys(nights[-1].failed if nights else (), "")
    write_text_whole(file, render(gather(workspace, now, wall_clock(), findings(failed))))
    return file


def findings(failed: Mapping[str, str]) -> list[Finding]:
    """What needs a person after a night.

    Args:
        failed: the steps that failed, each with its reason where that is known.
    """
    remedy = "`nightcast doctor` tells what is wrong with machine and workspace."
    return [
        Finding(f"The night's step “{step}” failed{f': {reason}' if reason else ''}.", remedy, urgent=True)
        for step, reason in failed.items()
    ]
