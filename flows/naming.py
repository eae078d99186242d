"""Names of flow runs on the dashboard: the flow and the night it lives, `train 2013-12-01`."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
from prefect.runtime import flow_run

from flows.clock import present
from lstm_model.workspace import Workspace


def named(flow: str, now: Callable[[Workspace, str | None], pd.Timestamp] = present) -> Callable[[], str]:
    """What Prefect calls to name a run of `flow`; `now` is how that flow tells the time."""
    return lambda: f"{flow} {now(Workspace.find(), flow_run.parameters.get('as_of')):%Y-%m-%d}"
