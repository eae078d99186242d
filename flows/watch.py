"""What the monitoring of a night brought."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lstm_model.monitoring import Finding
    from lstm_model.registry import Demotion


@dataclass(frozen=True)
class Watch:
    """What the rules said, what came of the champion's trial if one was held, and what went wrong."""

    findings: tuple[Finding, ...] = ()
    demotion: Demotion | None = None
    faults: tuple[str, ...] = ()
