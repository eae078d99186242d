"""What the gate weighed besides scores, in words: how much there was to judge by, and how sure it is."""

from __future__ import annotations

import math

from lstm_model.evaluation import Evidence
from lstm_model.evaluation.gate import CHAMPION, VETOERS

EVIDENCE_HEADINGS = ("evidence", "found")


def evidence_table(evidence: Evidence) -> list[list[str]]:
    """Rows of a table; what nobody can tell is not among them."""
    sure = evidence.confidence_worse
    known = {name: sure[name] for name in (CHAMPION, *VETOERS) if math.isfinite(sure.get(name, math.nan))}
    rows = [
        ["origins", f"{evidence.origins}, {evidence.truth_share:.0%} of their truth is known"],
        ["newest reading", f"{evidence.data_age_hours:.0f} h old"],
        *([f"worse than {name.replace('_', ' ')}", f"confidence {value:.2f}"] for name, value in known.items()),
    ]
    if math.isfinite(evidence.coverage_low):
        band = f"{evidence.coverage_low:.0%} … {evidence.coverage_high:.0%}"
        rows.append(["80 % interval covers", f"{band}, with 90 % confidence"])
    if math.isfinite(evidence.level_jump):
        rows.append(["the fleet's level", f"moved {evidence.level_jump:.1f} times as far of late as ever before"])
    if evidence.champion_fault is not None:
        rows.append(["champion", f"cannot serve: {evidence.champion_fault}"])
    if evidence.champion_age_days is not None:
        rows.append(["champion", f"trained or put back {evidence.champion_age_days:.1f} d ago"])
    if math.isfinite(evidence.champion_verified_crps):
        rows.append(["champion's verified CRPS", f"{evidence.champion_verified_crps:.3f} °C"])
    return rows
