"""Trying a version before it serves: load it, and ask it for the forecast that it would have to make now."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstm_model.errors import HistoryTooShort, ModelUnavailable
from lstm_model.evaluation import Method, from_its_end, living_panel
from lstm_model.panel import Panel
from lstm_model.readings import ReadingsStore
from lstm_model.readings.store import FORGET_AFTER
from lstm_model.registry.versions import Version, check_same_task, load_forecaster
from lstm_model.workspace import Workspace


def try_forecast(workspace: Workspace, version: Version, now: pd.Timestamp) -> None:
    """Load a version and forecast with it from the newest readings, however long the fleet has been silent since.

    Raises:
        ModelUnavailable: it cannot be loaded, is made for another task, or has no finite answer where its ridge has.
    """
    settings, forecaster = workspace.settings.model, load_forecaster(version, now)
    readings = ReadingsStore(workspace.readings).read(now, since=now - FORGET_AFTER, covariates=True)
    try:
        panel = living_panel(readings, settings, now)
    except HistoryTooShort:
        raise ModelUnavailable(
            f"version {version.version}: no station spoke within 30 days, so it cannot be tried"
        ) from None
    check_same_task(forecaster, settings, panel.stations)
    try:
        if not (expected := _answers(forecaster.ridge(), panel)).any():  # silent for a whole context: nobody could now
            panel = living_panel(readings, settings, readings["observed_at"].max())
            expected = _answers(forecaster.ridge(), panel)
        answered = _answers(forecaster, panel)
    except Exception as error:  # a model that fails in any way is a model that cannot serve
        raise ModelUnavailable(f"version {version.version}: forecasting fails: {error}") from error
    if not answered.any() or (expected & ~answered).any():
        mute = ", ".join(np.array(panel.stations)[~answered][:5])
        raise ModelUnavailable(f"version {version.version} has no finite forecast for {mute}")


def _answers(method: Method, panel: Panel) -> npt.NDArray[np.bool_]:
    """The stations that a method has a whole, finite forecast for at the end of the panel: (S,)."""
    answered: npt.NDArray[np.bool_] = np.all(np.isfinite(from_its_end(method, panel)), axis=(1, 2))
    return answered
