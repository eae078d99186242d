"""Tonight's findings of a workspace."""

from __future__ import annotations

import pandas as pd

from lstm_model.monitoring.finding import Finding
from lstm_model.workspace import Workspace


def monitor(workspace: Workspace, now: pd.Timestamp) -> tuple[Finding, ...]:
    """What every rule says at `now`: of the fleet and the champion always, of stations where it is raised or was.

    Keeps nothing: what it says of a night follows from scores, readings and the promotion log as they are known then.

    Args:
        workspace: where they are.
        now: the night; nothing observed later is looked at.

    Returns:
        The raised ones first. Empty where there is nothing to look at yet.
    """
    return ()
