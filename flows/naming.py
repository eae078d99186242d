"""Names of flow runs on the dashboard: the flow, the night it lives, and what is unusual: `train 2013-12-01`.

And who lives them: a run is named in the process that is about to live it.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
from prefect.runtime import flow_run

from flows.clock import present
from flows.living import note_run
from lstm_model.errors import NightcastError
from lstm_model.workspace import Workspace

_NOT_IN_A_NAME = ("as_of", "who", "why")


def named(flow: str, now: Callable[[Workspace, str | None], pd.Timestamp] = present) -> Callable[[], str]:
    """What Prefect calls in the process that is about to live a run of `flow`: it notes that, and names the run.

    Args:
        flow: what the name begins with.
        now: how that flow tells the time.
    """

    def name() -> str:
        parameters = flow_run.parameters
        try:
            workspace = Workspace.find()
            if flow_run.id is not None:
                note_run(workspace, flow_run.id)
            night = f"{now(workspace, parameters.get('as_of')):%Y-%m-%d}"
        except NightcastError:  # the flow itself says what is wrong
            night = str(parameters.get("as_of") or "")
        unusual = [
            f"{parameter} {value}"
            for parameter, value in parameters.items()
            if parameter not in _NOT_IN_A_NAME and value not in (None, "")
        ]
        return " ".join([flow, *([night] if night else []), *([f"({', '.join(unusual)})"] if unusual else [])])

    return name
