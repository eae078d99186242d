"""A version's card: one page for the person who finds it in MLflow and wants to know what it is."""

from __future__ import annotations

import json

import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from lstm_model.registry.tracking import IN_WORKSPACE, MODEL, shown_uri, takes_notes

CARD_FILE, SCORES_FILE = "model_card.md", "gate.json"
_LONGEST_DESCRIPTION = 5000  # characters, as MLflow's database has it
_SCORES = {"mae": "MAE °C", "rmse": "RMSE °C", "crps": "CRPS °C", "skill": "skill", "coverage_80": "80 % covers"}
_UNKNOWN = "not recorded"


def write_card(client: MlflowClient, version: str, summary: pd.DataFrame | None = None) -> None:
    """Make the card, as it stands now, the version's description and, while that is there, an artifact of its run.

    Args:
        client: of the workspace's database.
        version: which.
        summary: scores on the gate's window; those that its last judgement left when None.
    """
    registered = client.get_model_version(MODEL, version)
    noted = takes_notes(client, registered.run_id)
    judged = _judged(client, registered.run_id) if summary is None and noted else summary
    card = model_card(registered, judged, shown_uri(client.tracking_uri))
    client.update_model_version(MODEL, version, card[:_LONGEST_DESCRIPTION])
    if noted:
        client.log_text(registered.run_id, card, CARD_FILE)


def _judged(client: MlflowClient, run_id: str) -> pd.DataFrame | None:
    """The scores that the gate kept with a run, or None where it kept none."""
    if SCORES_FILE not in {file.path for file in client.list_artifacts(run_id)}:
        return None
    table = mlflow.artifacts.load_dict(f"{client.get_run(run_id).info.artifact_uri}/{SCORES_FILE}")
    return pd.DataFrame(table["data"], columns=table["columns"]).set_index("method")


def model_card(version: ModelVersion, summary: pd.DataFrame | None, registry: str = IN_WORKSPACE) -> str:
    """What a version is, what it learnt from, how it was judged and how to load it, in Markdown.

    Args:
        version: complete, with its lineage and, once it was judged, the decision among its tags.
        summary: scores on the gate's window by method; None where it could not be judged.
        registry: what MLflow calls the registry that it is in.
    """
    tags = version.tags
    settings = json.loads(tags["settings"])
    step = settings["frequency"]
    parts = [
        f"# nightcast, version {version.version}",
        f"One model for a whole fleet: an LSTM that corrects a ridge on every station's past. From the last "
        f"{settings['context']} × {step} it forecasts {settings['horizon']} × {step} ahead, as quantiles in °C.",
        f"**{tags.get('decision', 'not judged yet')}**" + (f": {tags['reason']}." if tags.get("reason") else "."),
    ]
    if summary is not None:
        parts += [_scores(summary), "On the gate's window, the newest days, which no model saw."]
    parts += [
        "\n".join(f"- **{name}**: {told}" for name, told in _origins(tags, settings).items()),
        _loading(version, registry),
    ]
    return "\n\n".join(parts) + "\n"


def _scores(summary: pd.DataFrame) -> str:
    """The models and the baselines, the best by CRPS first."""
    rows = [["method", *_SCORES.values()], ["---"] * (1 + len(_SCORES))]
    for method, row in summary.sort_values("crps").iterrows():
        numbers = [f"{row[name]:.2f}" for name in ("mae", "rmse", "crps")]
        rows.append([str(method).replace("_", " "), *numbers, f"{row['skill']:+.1%}", f"{row['coverage_80']:.0%}"])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _origins(tags: dict[str, str], settings: dict[str, object]) -> dict[str, str]:
    return {
        "trained on": f"{_day(tags['trained_from'])} … {_day(tags['trained_until'])}, in the night of "
        f"{_day(tags['lived_at'])}",
        "stations": tags.get("stations", _UNKNOWN),
        "readings": f"version {tags['readings_version']} of the table",
        "settings": ", ".join(f"{name} {value}" for name, value in settings.items()),
        "code": f"commit {tags['git_commit']}, lock {tags['lock_hash']}",
        "machine": f"torch {tags.get('torch_version', _UNKNOWN)}, numpy {tags.get('numpy_version', _UNKNOWN)}, "
        f"{tags['cpu_capability']}, {tags['threads']} thread(s), trained on {tags.get('device', _UNKNOWN)}",
    }


def _day(moment: str) -> str:
    return f"{pd.Timestamp(moment):%Y-%m-%d}"


def _loading(version: ModelVersion, registry: str) -> str:
    """How to use it without this project, and how to get the same bytes again."""
    return (
        "It loads without this project; `readings` are recent ones: station_id, observed_at, temperature_c.\n\n"
        "```python\nimport mlflow\n\n"
        f'mlflow.set_tracking_uri("{registry}")\n'
        f'forecast = mlflow.pyfunc.load_model("models:/{MODEL}/{version.version}").predict(readings)\n```\n\n'
        f"`nightcast reproduce {version.version}` trains it again and compares every byte."
    )
