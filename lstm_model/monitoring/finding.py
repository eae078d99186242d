"""What a rule says tonight, and the hysteresis that keeps one bad night from being an alarm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FLEET = "fleet"
CHAMPION = "champion"


@dataclass(frozen=True)
class Finding:
    """One rule about one subject.

    rule: skill, predecessor, calibration, drift, silent or late.
    subject: `fleet`, `champion`, or a station.
    value: what was seen tonight, in the rule's unit; NaN where nothing was.
    limit: what it is held against.
    breached: nights, of the last `nights`, on which it was passed.
    nights: how many nights are looked at.
    raised: it was passed tonight and often enough before: a person should look.
    newly_raised: raised, and not so last night. newly_cleared: raised last night, and not any more.
    sentence: what, and the way out.
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


@dataclass(frozen=True)
class Standing:
    """What hysteresis makes of a rule's nights: how many breached it, whether it is raised, and was last night."""

    breached: int
    raised: bool
    raised_before: bool


def stands(breaches: Sequence[bool], least: int, nights: int) -> Standing:
    """Raised if tonight and at least so many of the last nights breached.

    Args:
        breaches: tonight's first, then the night before, and so on; a night about which nothing is known did not
            breach.
        least: how many must have breached.
        nights: of how many.

    >>> stands([True, True, False, True, False, False], least=3, nights=5)
    Standing(breached=3, raised=True, raised_before=False)
    """
    tonight, before = (tuple(breaches[first : first + nights]) for first in (0, 1))
    raised, raised_before = (bool(some) and bool(some[0]) and sum(some) >= least for some in (tonight, before))
    return Standing(sum(map(bool, tonight)), raised, raised_before)
