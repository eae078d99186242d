"""What a rule says tonight, and the hysteresis that keeps one bad night from being an alarm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FLEET = "fleet"
CHAMPION = "champion"


@dataclass(frozen=True)
class Finding:
    """One rule about one subject.

    rule: skill, calibration, drift, silent or late.
    subject: `fleet`, `champion`, or a station.
    value: what was seen tonight, in the rule's unit; NaN where nothing was.
    limit: what it is held against.
    breached: nights, of the last `nights`, on which it was passed.
    nights: how many nights are looked at.
    raised: it was passed tonight and often enough before: a person should look.
    newly_raised: raised, and not so last night. newly_cleared: raised last night, and not any more.
    sentence: what, and the way out.
    version: the version that it is about, where it is about one.
    """

    rule: str
    subject: str
    value: float
    limit: float
    breached: int
    nights: int
    raised: bool
    newly_raised: bool
    newly_cleared: bool
    sentence: str
    version: str | None = None


@dataclass(frozen=True)
class Stand:
    """What hysteresis makes of a rule's nights: how many breached, whether it is raised, and whether it was before."""

    breached: int
    raised: bool
    raised_before: bool


def stand(tonight: Sequence[bool], last_night: Sequence[bool], least: int, nights: int) -> Stand:
    """Raised if the latest night and at least so many of the last ones breached.

    A night about which nothing is known did not breach.

    Args:
        tonight: whether each night breached, tonight first, as seen tonight.
        last_night: the same without tonight, as seen last night.
        least: how many must have breached.
        nights: of how many.

    >>> stand([True, True, False, True], [True, False, True], least=3, nights=4)
    Stand(breached=3, raised=True, raised_before=False)
    """
    raised, raised_before = (any(seen[:1]) and sum(map(bool, seen[:nights])) >= least for seen in (tonight, last_night))
    return Stand(sum(map(bool, tonight[:nights])), raised, raised_before)


def finding(
    rule: str,
    subject: str,
    value: float,
    limit: float,
    nights: int,
    stood: Stand,
    *,
    well: str,
    alarm: str,
    version: str | None = None,
) -> Finding:
    """A finding, with the sentence that fits: `alarm` where it is raised, else `well`."""
    return Finding(
        rule=rule,
        subject=subject,
        value=value,
        limit=limit,
        breached=stood.breached,
        nights=nights,
        raised=stood.raised,
        newly_raised=stood.raised and not stood.raised_before,
        newly_cleared=stood.raised_before and not stood.raised,
        sentence=alarm if stood.raised else well,
        version=version,
    )


def doubt_of(findings: Sequence[Finding]) -> Finding | None:
    """What puts the champion on trial: that its skill is raised; None where it is not."""
    return next((one for one in findings if one.rule == "skill" and one.raised), None)


def why_no_trial(findings: Sequence[Finding]) -> str | None:
    """Why nobody can be tried tonight: a champion that meets readings as nobody learnt from is not at fault."""
    if any(one.rule == "drift" and one.raised for one in findings):
        return "nobody is demoted while the readings drift: see to them first"
    return None
