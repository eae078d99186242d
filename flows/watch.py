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

    @property
    def trial_matters(self) -> bool:
        """Whether a person wants to hear of the trial: a champion was doubted, has begun to lose, or went."""
        if self.demotion is None:
            return False
        has_begun = self.demotion.judgement.rule == "worse_than_previous"
        doubted = any(one.raised and one.rule == "skill" for one in self.findings)
        return has_begun or doubted or self.demotion.entry is not None

    def is_settled(self, finding: Finding) -> bool:
        """Whether what a finding calls for was done tonight: the champion that loses was demoted.

        A rollback, which the finding advises, would bring that one back by now.
        """
        return finding.raised and finding.rule == "skill" and self.demotion is not None and bool(self.demotion.entry)
