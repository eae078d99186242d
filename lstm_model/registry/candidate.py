"""Training tonight's candidate: fit, backtest, log, package, register as challenger."""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.data.delta_dataset_source import DeltaDatasetSource
from mlflow.data.pandas_dataset import PandasDataset
from mlflow.entities import Metric, RunInfo
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

from lstm_model.evaluation import Backtest, Window, backtest_in_window, gate_window
from lstm_model.evaluation.gate import CHALLENGER
from lstm_model.network import Forecaster
from lstm_model.network.forecaster import QUANTILE_COLUMNS
from lstm_model.network.training import Epoch
from lstm_model.readings import ReadingsStore
from lstm_model.registry import charts
from lstm_model.registry.card import write_card
from lstm_model.registry.lineage import lineage, panel_digest
from lstm_model.registry.shared import outlasting
from lstm_model.registry.succession import PATIENCE, finish_promotion, lease
from lstm_model.registry.tracking import EXPERIMENT, MODEL, open_tracking
from lstm_model.registry.versions import FORECASTER_ARTIFACT, saved_forecaster
from lstm_model.settings import Settings
from lstm_model.workspace import Workspace

log = logging.getLogger("nightcast.train")

_PACKAGE = Path(__file__).parents[1]
_SHIPPED = ("__init__.py", "errors.py", "harmonics.py", "settings.py", "panel", "network")
_REQUIREMENTS = ("mlflow", "torch", "numpy", "pandas", "pydantic", "safetensors", "threadpoolctl")


@dataclass(frozen=True)
class Candidate:
    """What training brought: the version, how long it took, the losses, and the backtest's summary."""

    version: str
    run_id: str
    seconds: float
    epochs: list[Epoch]
    summary: pd.DataFrame
    trained_from: pd.Timestamp
    trained_until: pd.Timestamp


@outlasting
def train_candidate(
    workspace: Workspace, now: pd.Timestamp, on_epoch: Callable[[Epoch], None] | None = None
) -> Candidate:
    """Train on everything known at `now` but the gate's window, and register the result as challenger.

    Args:
        workspace: where readings and models are, and how to train.
        now: the night that trains.
        on_epoch: called after every pass of every network.

    Raises:
        HistoryTooShort: there is too little history yet.
    """
    finish_promotion(workspace)  # before the alias `challenger` goes to another version
    settings = workspace.settings
    readings_version = ReadingsStore(workspace.readings).version
    readings, window = known_then(workspace, settings, now, readings_version)
    past = window.past
    client = open_tracking(workspace)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    with mlflow.start_run(run_name=f"train {now:%Y-%m-%d}", experiment_id=experiment.experiment_id) as run:
        mlflow.set_tags({"lived_at": now.isoformat()})
        mlflow.log_params(settings.model.model_dump() | {"window_days": settings.gate.window_days})
        _log_data(workspace, readings, readings_version, past.times[-1])
        began = time.perf_counter()
        forecaster = Forecaster(settings.model).fit_panel(past, on_epoch=_saying(on_epoch))
        seconds = time.perf_counter() - began
        log.info("trained on %d stations, %.0f days, in %.1f s", len(past.stations), past.days, seconds)
        backtest = backtest_in_window(window, {CHALLENGER: forecaster}, settings.model.horizon)
        summary = backtest.summary()
        _log_results(client, run.info, forecaster, seconds, backtest, summary)
        _log_charts(forecaster, window, backtest, readings, now)
        mine = summary.loc[CHALLENGER]
        tags = lineage(settings, readings_version) | {
            "lived_at": now.isoformat(),
            "trained_from": past.times[0].isoformat(),
            "trained_until": past.times[-1].isoformat(),
            "stations": _named(past.stations),
            "panel_digest": panel_digest(past),
            **{name: f"{mine[name]:.6f}" for name in ("mae", "crps", "skill")},
        }
        mlflow.set_tags(tags)
        version = _register(client, run.info.run_id, forecaster, tags, _example(window), summary)
    _complete(workspace, client, run.info.run_id, version)
    log.info("registered version %s as challenger", version)
    return Candidate(version, run.info.run_id, seconds, forecaster.epochs, summary, past.times[0], past.times[-1])


def known_then(
    workspace: Workspace, settings: Settings, now: pd.Timestamp, readings_version: int | None
) -> tuple[pd.DataFrame, Window]:
    """What that version of the readings table knows at `now`, and the gate's window with the past before it.

    Raises:
        HistoryTooShort: there is too little to train on.
    """
    readings = ReadingsStore(workspace.readings).read(now, version=readings_version, covariates=True)
    return readings, gate_window(readings, settings, now)


def _named(stations: tuple[str, ...], most: int = 6) -> str:
    """How many stations, and the first of their names."""
    more = f" and {len(stations) - most} more" if len(stations) > most else ""
    return f"{len(stations)}: {', '.join(stations[:most])}{more}"


def _log_data(
    workspace: Workspace, readings: pd.DataFrame, readings_version: int | None, trained_until: pd.Timestamp
) -> None:
    """Name the exact version of the readings table as the run's input."""
    table = str(workspace.readings.relative_to(workspace.home))
    source = DeltaDatasetSource(path=table, delta_table_version=readings_version)
    dataset = PandasDataset(readings, source, name="readings", digest=f"version-{readings_version}")
    tags = {"readings_version": str(readings_version), "trained_until": trained_until.isoformat()}
    mlflow.log_input(dataset, context="training", tags=tags)


def _saying(on_epoch: Callable[[Epoch], None] | None) -> Callable[[Epoch], None]:
    """Log every epoch, and hand it on."""

    def say(epoch: Epoch) -> None:
        log.debug("epoch %d: training %.4f, validation %.4f", epoch.epoch, epoch.training_loss, epoch.validation_loss)
        if on_epoch is not None:
            on_epoch(epoch)

    return say


def _log_results(
    client: MlflowClient,
    run: RunInfo,
    forecaster: Forecaster,
    seconds: float,
    backtest: Backtest,
    summary: pd.DataFrame,
) -> None:
    stamp = run.start_time
    by_epoch = [
        Metric(name, value, stamp, epoch.epoch)
        for epoch in forecaster.epochs
        for name, value in (("training_loss", epoch.training_loss), ("validation_loss", epoch.validation_loss))
        if value == value  # no NaN: epoch 0 has no training loss, a short history no validation
    ]
    scores = [
        Metric(f"{score}.{method}" if method != CHALLENGER else score, float(value), stamp, 0)
        for method, row in summary.iterrows()
        for score, value in row.items()
    ]
    client.log_batch(run.run_id, metrics=[*by_epoch, *scores, Metric("training_seconds", seconds, stamp, 0)])
    mlflow.log_table(summary.reset_index(), "backtest.json")
    mlflow.log_table(backtest.per_lead(), "backtest_per_lead.json")


def _log_charts(
    forecaster: Forecaster, window: Window, backtest: Backtest, readings: pd.DataFrame, now: pd.Timestamp
) -> None:
    if forecaster.epochs:
        mlflow.log_figure(charts.learning_curve(forecaster.epochs), "charts/learning_curve.png")
    mlflow.log_figure(charts.skill_by_lead(backtest), "charts/crps_by_lead.png")
    # A forecast whose truth is known by now: the last one of the window.
    past = readings[readings["observed_at"] <= window.origins[-1]]
    forecast = forecaster.predict(window.origins[-1], past).assign(method=CHALLENGER)
    if len(served := forecast.dropna()):
        mlflow.log_figure(charts.forecast_fan(served, past, readings), "charts/forecast.png")
    until = window.panel.until(window.origins[-1])
    if (inside := forecaster.gates(until, until.stations[0])) is not None:
        mlflow.log_figure(charts.gates(until, until.stations[0], inside), "charts/gates.png")


def _register(
    client: MlflowClient,
    run_id: str,
    forecaster: Forecaster,
    tags: dict[str, str],
    example: pd.DataFrame,
    summary: pd.DataFrame,
) -> str:
    """Package, register, and load back what was registered."""
    with tempfile.TemporaryDirectory(prefix="nightcast-") as scratch:
        weights = Path(scratch) / FORECASTER_ARTIFACT
        forecaster.save(weights)
        info = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(Path(__file__).with_name("packaged_model.py")),
            artifacts={FORECASTER_ARTIFACT: str(weights)},
            code_paths=[str(_stage_code(Path(scratch)))],
            signature=_signature(forecaster.covariates),
            input_example=example,
            pip_requirements=[f"{name}=={installed_version(name).split('+')[0]}" for name in _REQUIREMENTS],
        )
    registered = client.create_model_version(
        MODEL, info.model_uri, run_id, tags=tags, model_id=info.model_id, await_creation_for=0
    )
    version = str(registered.version)
    with saved_forecaster(version) as folder:
        Forecaster.load(folder)
    write_card(client, version, summary)
    return version


def _complete(workspace: Workspace, client: MlflowClient, run_id: str, version: str) -> None:
    """Once the run is finished: mark it and its version as complete, and alias the version as challenger."""
    client.set_tag(run_id, "complete", "true")
    client.set_model_version_tag(MODEL, version, "complete", "true")
    with lease(workspace, PATIENCE):
        client.set_registered_model_alias(MODEL, CHALLENGER, version)


def _example(window: Window) -> pd.DataFrame:
    """The newest 48 readings of the station that has most, as a request to a served model would bring them."""
    panel = window.panel
    station = int(np.isfinite(panel.temperature_c).sum(axis=1).argmax())
    values = {"temperature_c": panel.temperature_c, **panel.covariates}
    columns = {name: grid[station].astype("float64") for name, grid in values.items()}
    times = panel.times.tz_localize(None)
    rows = pd.DataFrame({"station_id": panel.stations[station], "observed_at": times, **columns})
    return rows.dropna(subset="temperature_c").tail(48).reset_index(drop=True)


def _stage_code(scratch: Path) -> Path:
    """The part of this package that a model needs to live on its own, as a folder of source text."""
    staged = scratch / _PACKAGE.name
    staged.mkdir()
    for name in _SHIPPED:
        origin = _PACKAGE / name
        if origin.is_dir():
            shutil.copytree(origin, staged / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(origin, staged / name)
    return staged


def _signature(covariates: list[str]) -> ModelSignature:
    """A request may leave every covariate out."""
    inputs = Schema(
        [
            ColSpec("string", "station_id"),
            ColSpec("datetime", "observed_at"),
            ColSpec("double", "temperature_c"),
            *(ColSpec("double", name, required=False) for name in covariates),
        ]
    )
    outputs = Schema(
        [
            ColSpec("string", "station_id"),
            ColSpec("datetime", "issued_at"),
            ColSpec("datetime", "valid_at"),
            ColSpec("float", "lead_hours"),
            *(ColSpec("float", name) for name in ("temperature_c", *QUANTILE_COLUMNS)),
        ]
    )
    return ModelSignature(inputs=inputs, outputs=outputs)
