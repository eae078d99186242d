"""Training a registered version again from its lineage, and comparing every byte."""

from __future__ import annotations

import json
import logging
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
from deltalake.exceptions import DeltaError
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from pydantic import ValidationError

from lstm_model.errors import NightcastError, SettingsError
from lstm_model.evaluation import Window
from lstm_model.network import Forecaster
from lstm_model.network.saved import differences
from lstm_model.panel import Panel
from lstm_model.readings import ReadingsStore
from lstm_model.registry.candidate import known_then
from lstm_model.registry.lineage import lineage, panel_digest
from lstm_model.registry.tracking import MODEL, has_tracking, open_tracking
from lstm_model.registry.versions import ALIASES, list_versions, saved_forecaster
from lstm_model.settings import ModelSettings, Settings
from lstm_model.workspace import Workspace

log = logging.getLogger("nightcast.reproduce")

_ENVIRONMENT = ("git_commit", "lock_hash", "torch_version", "numpy_version", "cpu_capability", "device")
_CHANGED = "+changes"


@dataclass(frozen=True)
class Reproduction:
    """What training a version again brought.

    environment: what is not as it was, in words; it need not matter. differences: what came out otherwise.
    """

    version: str
    readings_version: int
    environment: tuple[str, ...]
    differences: tuple[str, ...]
    seconds: float

    @property
    def identical(self) -> bool:
        """True where every byte of the weights and every word of the description is the same."""
        return not self.differences


def reproduce(workspace: Workspace, name: str) -> Reproduction:
    """Train a version again on what it was trained on then, and compare with what is registered.

    Args:
        workspace: where it is registered; nothing in it changes.
        name: number of a version, or an alias.

    Raises:
        SettingsError: there is no such version.
        ModelUnavailable: what is registered is damaged.
        NightcastError: its lineage or its readings are no longer readable.
    """
    registered = _registered(workspace, name)
    version, tags = str(registered.version), registered.tags
    settings, lived_at, readings_version = _recipe(workspace, version, tags)
    environment = _changed_environment(tags, lineage(settings, readings_version))
    for difference in environment:
        log.warning("not as it was: %s", difference)
    with saved_forecaster(version) as folder, tempfile.TemporaryDirectory(prefix="nightcast-") as scratch:
        Forecaster.load(folder)  # what is damaged is no measure
        window = _known_then(workspace, settings, lived_at, readings_version)
        log.info("training version %s again on version %d of the readings", version, readings_version)
        began = time.perf_counter()
        forecaster = Forecaster(settings.model).fit_panel(window.past)
        seconds = time.perf_counter() - began
        forecaster.save(scratch)
        found = differences(folder, Path(scratch))
    return Reproduction(version, readings_version, environment, (*_changed_past(tags, window.past), *found), seconds)


def _registered(workspace: Workspace, name: str) -> ModelVersion:
    """The complete version of that number or alias; looking for it makes no database."""
    if not has_tracking(workspace):
        raise SettingsError("there is no version yet; `nightcast run` lives the first night")
    client: MlflowClient = open_tracking(workspace)
    versions = list_versions(client)
    for version in versions:
        if name == version.version or name in version.aliases:
            return client.get_model_version(MODEL, version.version)
    known = ", ".join(version.version for version in versions[:10]) or "none"
    raise SettingsError(f"there is no version {name!r}; the newest are {known}; aliases are {', '.join(ALIASES)}")


def _recipe(workspace: Workspace, version: str, tags: Mapping[str, str]) -> tuple[Settings, pd.Timestamp, int]:
    """Settings, night and readings version, as the version's tags name them."""
    try:
        described = json.loads(tags["settings"]) | {"seed": int(tags["seed"]), "threads": int(tags["threads"])}
        model = ModelSettings.model_validate(described)
        lived_at, trained_until = pd.Timestamp(tags["lived_at"]), pd.Timestamp(tags["trained_until"])
        window = lived_at.floor(model.step) - model.horizon_time - trained_until
        readings_version = int(tags["readings_version"])
    except (KeyError, ValueError, TypeError, ValidationError) as error:
        told = "; ".join(str(error).splitlines()[:3])
        raise NightcastError(f"version {version}: its lineage cannot be read by this code: {told}") from error
    gate = workspace.settings.gate.model_copy(update={"window_days": round(window / pd.Timedelta("1D"))})
    return workspace.settings.model_copy(update={"model": model, "gate": gate}), lived_at, readings_version


def _changed_environment(then: Mapping[str, str], here: Mapping[str, str]) -> tuple[str, ...]:
    """What is recorded of code and machine and is another one here. What was not recorded cannot differ."""
    told = [
        f"{name} was {then[name]}, is {here[name]}" for name in _ENVIRONMENT if then.get(name, here[name]) != here[name]
    ]
    if then.get("git_commit", "").endswith(_CHANGED):
        told.append("git_commit: it was trained by code with changes that no commit holds")
    return tuple(told)


def _known_then(workspace: Workspace, settings: Settings, now: pd.Timestamp, readings_version: int) -> Window:
    """What training saw, from the very version of the readings table that it read."""
    newest = ReadingsStore(workspace.readings).version
    if newest is None or newest < readings_version:
        held = "there is no table" if newest is None else f"the newest is {newest}"
        raise NightcastError(f"version {readings_version} of the readings is not there: {held}")
    try:
        return known_then(workspace, settings, now, readings_version)[1]
    except (DeltaError, OSError, pa.ArrowException) as error:
        told = str(error).splitlines()[0]
        raise NightcastError(f"version {readings_version} of the readings is no longer readable: {told}") from error


def _changed_past(tags: Mapping[str, str], past: Panel) -> list[str]:
    """Where what would be learnt from today is not what was learnt from."""
    told = []
    if past.times[-1] != pd.Timestamp(tags["trained_until"]):
        told.append(
            f"trained_until: the tag says {tags['trained_until']}, the gate's window {past.times[-1].isoformat()}"
        )
    if tags.get("panel_digest", panel_digest(past)) != panel_digest(past):
        told.append(f"readings: version {tags['readings_version']} of the table no longer says what was learnt from")
    return told
