"""Addresses of pages of the MLflow UI: the one that `nightcast up` serves, or the one that runs elsewhere."""

from __future__ import annotations

from flows.access import address_of
from lstm_model.registry import MODEL
from lstm_model.servers import elsewhere
from lstm_model.settings import ServerSettings


def mlflow_address(server: ServerSettings) -> str:
    """Where the MLflow UI is."""
    return elsewhere(server, "mlflow") or f"http://{address_of(server.host)}:{server.mlflow_port}"


def run_link(server: ServerSettings, run_id: str, text: str = "the run in MLflow") -> str:
    """A link, in markdown, to a run with its charts and artifacts."""
    return f"[{text}]({mlflow_address(server)}/#/runs/{run_id})"


def version_link(server: ServerSettings, version: str, text: str | None = None) -> str:
    """A link, in markdown, to a version of the model with its card."""
    return f"[{text or f'version {version}'}]({mlflow_address(server)}/#/models/{MODEL}/versions/{version})"


def shown_link(server: ServerSettings, shown_at: str, text: str) -> str:
    """A link, in markdown, to a place of the MLflow UI."""
    return f"[{text}]({mlflow_address(server)}/#/{shown_at})"
