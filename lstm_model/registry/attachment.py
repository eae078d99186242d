"""What belongs to a night beside its model: the report, on the run that the night trained."""

from __future__ import annotations

from lstm_model.registry.tracking import has_tracking, open_tracking
from lstm_model.registry.versions import find_version
from lstm_model.workspace import Workspace

REPORT_ARTIFACT = "report.html"


def attach_report(workspace: Workspace, page: str, run_id: str | None) -> str | None:
    """Keep a report beside a model in MLflow, in place of the one that was there.

    Args:
        workspace: whose MLflow.
        page: the report.
        run_id: the run of the night's candidate; the champion's where None.

    Returns:
        where MLflow's UI shows it, as `experiments/1/runs/…`; None where no run is known.
    """
    if not has_tracking(workspace):
        return None
    client = open_tracking(workspace)
    if run_id is None:
        champion = find_version(client, "champion")
        run_id = None if champion is None else champion.run_id
    if run_id is None:
        return None
    client.log_text(run_id, page, REPORT_ARTIFACT)
    return f"experiments/{client.get_run(run_id).info.experiment_id}/runs/{run_id}/artifacts/{REPORT_ARTIFACT}"
