"""A person in the loop: where `[gate] approval = "human"`, what the gate would promote waits for somebody's yes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from lstm_model.evaluation import Decision
from lstm_model.registry.tracking import MODEL
from lstm_model.registry.versions import Version

AWAITING = "awaiting approval"
"""The decision on a version's tags until a person has answered."""
AWAITING_APPROVAL = "awaiting_approval"
NOT_APPROVED, TIMED_OUT, OUTDATED = "not_approved", "approval_timed_out", "approval_outdated"
"""Rules: nobody said yes yet; a person said no; nobody answered in time; the answer was to another question."""
BY_ANSWER = (NOT_APPROVED, TIMED_OUT, OUTDATED)
_REFUSED = (NOT_APPROVED, TIMED_OUT)


@dataclass(frozen=True)
class Approval:
    """What a person said of the version that was shown to them.

    version: which; approved: yes or no; who: said it; why: their reason, which may be empty.
    """

    version: str
    approved: bool
    who: str
    why: str = ""

    @property
    def no(self) -> Decision | None:
        """The refusal that it is, or None."""
        why = f": {self.why}" if self.why else ", and gave no reason"
        return None if self.approved else Decision(False, NOT_APPROVED, f"{self.who} did not approve it{why}")


@dataclass(frozen=True)
class Silence:
    """Nobody said anything of a version until the deadline, which is a no."""

    version: str
    until: pd.Timestamp
    who: str = "nobody"

    @property
    def no(self) -> Decision:
        """The refusal that it is."""
        return Decision(False, TIMED_OUT, f"nobody had approved it by {self.until:%Y-%m-%d %H:%M} UTC")


Answer = Approval | Silence


def awaits_approval(client: MlflowClient, version: str) -> bool:
    """Whether a version still waits for somebody's answer."""
    try:
        return bool(client.get_model_version(MODEL, version).tags.get("decision") == AWAITING)
    except MlflowException as error:
        return bool(error.error_code != "RESOURCE_DOES_NOT_EXIST")  # it was pruned; a busy database settles nothing


def ask_first(gate: Decision, standing: Decision | None, *, people_decide: bool) -> Decision:
    """What becomes of the gate's decision where nobody has said anything just now.

    Args:
        gate: its decision.
        standing: what stands on the version's tags; who was refused by a person is not asked about again.
        people_decide: a person has to approve.
    """
    if gate.promote and standing is not None and standing.rule in _REFUSED:
        return standing
    return Decision(False, AWAITING_APPROVAL, gate.reason) if gate.promote and people_decide else gate


def say_yes(gate: Decision, standing: Decision | None, approval: Approval) -> Decision:
    """What a person's yes to the challenger makes of the gate's decision, taken anew.

    Args:
        gate: its decision of now.
        standing: what stands on the version's tags; a yes after a no comes too late.
        approval: the yes.
    """
    if not gate.promote:
        return Decision(False, gate.rule, f"{gate.reason}, by now; {approval.who} had approved it")
    if standing is not None and standing.rule in _REFUSED:
        return standing
    said = f"{approval.who} approved it" + (f": {approval.why}" if approval.why else "")
    return Decision(True, gate.rule, f"{gate.reason}; {said}")


def outdated(version: str, challenger: str | None, champion: str | None) -> Decision:
    """The answer was of a version that is not the challenger, or not any more."""
    if version == champion:
        return Decision(False, OUTDATED, f"somebody settled it before: version {version} is the champion already")
    now = f"version {challenger} is, and has to be approved itself" if challenger else "nobody is"
    return Decision(False, OUTDATED, f"version {version} is not the challenger; {now}")


def standing_decision(client: MlflowClient, version: str) -> Decision | None:
    """What stands on a version's tags; None where nobody has judged it."""
    tags = client.get_model_version(MODEL, version).tags
    if "rule" not in tags:
        return None
    return Decision(tags.get("decision") == "promoted", tags["rule"], tags.get("reason", ""))


def left_waiting(versions: Collection[Version], challenger: str | None) -> list[tuple[str, Decision]]:
    """Versions that wait for an answer although they are challenger no more, and what to say of them."""
    told = Decision(False, OUTDATED, "it was challenger no more before anybody approved it")
    return [
        (version.version, told)
        for version in versions
        if version.decision == AWAITING and version.version != challenger
    ]
