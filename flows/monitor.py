"""The step of a night that looks at what was verified and what came in, tells what is new, and acts on it.

No flow of its own: it holds a trial or two like the gate's, leaves its page with the night's run, and whatever goes
wrong in it is a warning.
"""

from __future__ import annotations

import logging

import pandas as pd

from flows.artifacts import leave_page
from flows.clock import wall_clock
from flows.events import NIGHTLY, of_demotion, of_findings
from flows.findings import findings_page, watch_in_words
from flows.telling import announce
from flows.watch import Watch
from lstm_model.errors import first_line
from lstm_model.evaluation import Judgement
from lstm_model.monitoring import Finding, doubt_of, monitor, why_no_trial
from lstm_model.registry import Demotion, Doubt, demote_champion
from lstm_model.workspace import Workspace

log = logging.getLogger("nightcast.monitor")


def watch_over(workspace: Workspace, now: pd.Timestamp) -> Watch:
    """Look at everything, see whether the champion loses, and tell what is new; never raises."""
    faults: list[str] = []
    findings: tuple[Finding, ...] = ()
    demotion: Demotion | None = None
    try:
        findings = monitor(workspace, now)
        demotion = _on_trial(workspace, now, findings)
    except Exception as error:  # what only watches must not keep a night from its forecast
        faults.append(f"{type(error).__name__}: {first_line(error)}")
        log.warning("monitoring failed, the night goes on: %s", faults[-1], exc_info=error)
    watch = Watch(findings, demotion, tuple(faults))
    leave_page("monitoring", lambda: findings_page(watch), watch_in_words(watch))
    open_ones = [finding for finding in findings if not watch.is_settled(finding)]
    announce(workspace, *of_findings(open_ones, now), *of_demotion(demotion))
    return watch


def _on_trial(workspace: Workspace, now: pd.Timestamp, findings: tuple[Finding, ...]) -> Demotion | None:
    """What comes of the champion: it meets its predecessor, and the baselines too if its skill is too low."""
    doubt = doubt_of(findings)
    if (fault := why_no_trial(findings)) is not None:
        return None if doubt is None else Demotion(Judgement(False, False, "drift", fault), doubt.version)
    return demote_champion(workspace, now, at=wall_clock(), who=NIGHTLY, doubt=None if doubt is None else _told(doubt))


def _told(doubt: Finding) -> Doubt:
    return Doubt(
        str(doubt.version),
        f"verified skill {doubt.value:+.0%}, and under {doubt.limit:+.0%} on {doubt.breached} of {doubt.nights} nights",
    )
