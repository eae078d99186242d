"""Findings in words: a sentence, a table, a page, and the same for machines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.markdown import page, table
from flows.watch import Watch

if TYPE_CHECKING:
    from lstm_model.monitoring import Finding
    from lstm_model.registry import Demotion, Entry

_HEADINGS = ("rule", "about", "seen", "limit", "nights", "in words")
_SHARES = ("skill", "calibration")


def watch_in_words(watch: Watch) -> str:
    """What needs a person tonight, in a sentence."""
    raised = [finding for finding in watch.findings if finding.raised and not watch.is_settled(finding)]
    cleared = [finding for finding in watch.findings if finding.newly_cleared]
    parts = [f"{finding.rule}: {finding.sentence}" for finding in raised]
    parts += [f"{finding.rule} of {finding.subject} is well again" for finding in cleared]
    if watch.demotion is not None and watch.trial_matters:
        parts.append(demotion_in_words(watch.demotion))
    parts += [f"failed, and the night goes on: {fault}" for fault in watch.faults]
    return ". ".join(parts) if parts else "nothing that needs a person"


def demotion_in_words(demotion: Demotion) -> str:
    """What came of a champion's trial."""
    if demotion.judgement.rule in ("not_champion", "no_champion"):
        return f"nobody was put on trial: {demotion.judgement.reason}"
    if demotion.entry is None:
        return f"version {demotion.champion} stays champion: {demotion.judgement.reason}"
    return demoted_in_words(demotion.entry, demotion.judgement.reason)


def demoted_in_words(entry: Entry, why: str) -> str:
    """Who was demoted, and who is champion since."""
    serves = f"version {entry.champion} took its place" if entry.champion else "nobody took its place"
    return f"version {entry.before} was demoted, {serves}: {why}"


def findings_table(findings: Sequence[Finding]) -> list[tuple[str, ...]]:
    """Rows of text: rule, subject, value, limit, nights that breached, sentence."""
    return [
        (
            finding.rule, finding.subject, _number(finding.rule, finding.value), _number(finding.rule, finding.limit),
            f"{finding.breached} of {finding.nights}", finding.sentence,
        )
        for finding in findings
    ]  # fmt: skip


def _number(rule: str, value: float) -> str:
    if not math.isfinite(value):
        return "–"
    return f"{value:.0%}" if rule in _SHARES else f"{value:.1f}"


def findings_page(watch: Watch) -> str:
    """What the rules said, those that are raised first."""
    parts = [f"**{watch_in_words(watch)}**"]
    if watch.findings:
        told = [_settled(finding, watch) if watch.is_settled(finding) else finding for finding in watch.findings]
        parts.append(table(_HEADINGS, findings_table(told), numbers_from=2, numbers_to=5))
    if watch.demotion is not None and not watch.trial_matters:
        parts.append(demotion_in_words(watch.demotion))
    parts.append("`nightcast monitor` shows the same at the terminal; limits stand under `[monitor]`.")
    return page(parts)


def _settled(finding: Finding, watch: Watch) -> Finding:
    """A finding with what came of it in the place of what should be done."""
    assert watch.demotion is not None
    return replace(finding, sentence=demotion_in_words(watch.demotion))


def findings_as_data(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """For machines; what is not known is null."""
    return [
        {name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in row.items()}
        for row in map(asdict, findings)
    ]


def watch_as_data(watch: Watch) -> dict[str, Any]:
    """For machines: what is raised or new, who was demoted, what went wrong."""
    told = [one for one in watch.findings if one.raised or one.newly_cleared]
    entry = None if watch.demotion is None else watch.demotion.entry
    return {
        "findings": findings_as_data(told),
        "trial": None if watch.demotion is None else asdict(watch.demotion.judgement),
        "demoted": None if entry is None else {"from": entry.before, "to": entry.champion},
        "faults": list(watch.faults),
    }


def print_findings(screen: Console, findings: Sequence[Finding]) -> None:
    """Print what every rule says."""
    if not findings:
        screen.print("nothing to watch yet; `nightcast run` lives the first night")
        return
    told = Table(box=None, pad_edge=False, header_style="dim")
    for heading in _HEADINGS:
        told.add_column(heading, justify="right" if heading in ("seen", "limit", "nights") else "left", overflow="fold")
    for finding, row in zip(findings, findings_table(findings), strict=True):
        told.add_row(*map(Text, row), style="yellow" if finding.raised else None)
    screen.print(told)
