"""Names of flow runs on the dashboard: the flow, the night it lives, and what is unusual: `train 2013-12-01`."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
from prefect.runtime import flow_run

from flows.clock import present
from lstm_model.errors import NightcastError
from lstm_model.workspace import Workspace

_NOT_IN_A_NAME = ("as_of", "who", "why")


def named(flow: str, now: Callable[[Workspace, str | None], pd.Timestamp] = present) -> Callable[[], str]:
    """What Prefect calls to name a run of `flow`; `now` is how that flow tells the time."""

    def name() -> str:
        parameters = flow_run.parameters
        try:
            night = f"{now(Workspace.find(), parameters.get('as_of')):%Y-%m-%d}"
        except NightcastError:  # the flow itself says what is wrong
            night = str(parameters.get("as_of") or "")
        unusual = [
            f"{parameter} {value}"
            for parameter, value in parameters.items()
            if parameter not in _NOT_IN_A_NAME and value not in (None, "")
        ]
        return " ".join([flow, *([night] if night else []), *([f"({', '.join(unusual)})"] if unusual else [])])

    return name
