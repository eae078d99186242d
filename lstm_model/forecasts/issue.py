"""The forecast always goes out: champion, else previous, else damped anomaly, climatology, persistence."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstm_model.errors import HistoryTooShort, SettingsError, first_line
from lstm_model.evaluation import Baseline, from_its_end, living_panel
from lstm_model.evaluation.baselines import Climatology, DampedAnomaly, Persistence
from lstm_model.forecasts.limits import UNWATCHED, with_limits
from lstm_model.forecasts.store import ForecastStore
from lstm_model.network import Forecaster
from lstm_model.network.forecaster import forecast_frame
from lstm_model.panel import Panel
from lstm_model.panel.grid import FloatArray
from lstm_model.readings import ReadingsStore
from lstm_model.readings.stations import Stations
from lstm_model.registry import check_same_task, load_forecaster, standing_versions
from lstm_model.settings import ModelSettings
from lstm_model.words import count
from lstm_model.workspace import Workspace

log = logging.getLogger("nightcast.forecast")

LAST_RUNGS: tuple[type[Baseline], ...] = (DampedAnomaly, Climatology, Persistence)


@dataclass(frozen=True)
class Rung:
    """One step of the ladder and its answer: quantiles (S, H, Q), NaN for stations it cannot serve."""

    method: str
    version: str
    run_id: str
    quantiles: FloatArray


@dataclass(frozen=True)
class Issue:
    """What went out: the rows as kept, stations by method, and why better methods did not serve."""

    forecast: pd.DataFrame
    methods: dict[str, int]
    faults: tuple[str, ...]


def issue_forecast(workspace: Workspace, now: pd.Timestamp, created_at: pd.Timestamp) -> Issue:
    """Forecast every living station from `now` on, with the best method that can serve it, and keep the result.

    Args:
        workspace: where readings, models and forecasts are.
        now: the origin; nothing observed later is looked at.
        created_at: stamped onto the rows.

    Raises:
        HistoryTooShort: no station has a reading of the last 30 days.
    """
    settings = workspace.settings.model
    store = ReadingsStore(workspace.readings)
    readings_version = store.version
    panel = living_panel(store.read(now, version=readings_version, covariates=True, ordered=False), settings, now)

    forecast, faults = climb_down(panel, _ladder(workspace, panel, now), settings.horizon)
    if lost := len(panel.stations) - forecast["station_id"].nunique():
        faults.append(f"{count(lost, 'station')} without any usable reading got no forecast")
    origin = panel.times[-1]
    forecast["issue_date"] = f"{origin:%Y-%m-%d}"
    forecast["readings_version"] = readings_version
    forecast["created_at"] = created_at.as_unit("us")
    if forecast.empty:
        raise HistoryTooShort("no station has a usable reading; there is nothing to forecast from")
    forecast, unwatched = _beside_limits(workspace, forecast)
    for fault in unwatched:
        faults.append(fault)
        log.warning("%s", fault)
    ForecastStore(workspace.forecasts, workspace.scores, workspace.latest).keep(forecast)
    served = forecast.groupby("method")["station_id"].nunique()
    methods = {str(method): int(count) for method, count in served.items()}
    log.info("issued for %s: %s", f"{origin:%Y-%m-%d %H:%M}", ", ".join(f"{n} × {m}" for m, n in methods.items()))
    return Issue(forecast, methods, tuple(faults))


def _beside_limits(workspace: Workspace, forecast: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The forecast with its stations' limits, and which limits nobody can watch; a forecast goes out without any."""
    try:
        known = Stations.read(workspace.home).known
    except SettingsError as error:
        return with_limits(forecast, {}), [f"{UNWATCHED}: {first_line(error)}"]
    limited = {name for name, station in known.items() if station.has_limit}
    faults = [
        f"{name} has a limit and no forecast: no station of that name has a usable reading of the last 30 days"
        for name in sorted(limited - set(forecast["station_id"]))
    ]
    return with_limits(forecast, known), faults


def climb_down(panel: Panel, ladder: Iterator[Rung | str], horizon: int) -> tuple[pd.DataFrame, list[str]]:
    """Ask rung after rung until every station has finite quantiles.

    Args:
        panel: the past, ending at the origin.
        ladder: rungs, the best first; a string says why a rung is missing.
        horizon: leads.

    Returns:
        rows with method, model_version and run_id, and what kept better rungs from serving.
    """
    pending = np.ones(len(panel.stations), bool)
    parts, faults = [], []
    for rung in ladder:
        if isinstance(rung, str):
            faults.append(rung)
            log.warning("%s", rung)
            continue
        served = pending & finite(rung.quantiles)
        if served.any():
            rows = rows_of(panel, rung.quantiles, served)
            parts.append(rows.assign(method=rung.method, model_version=rung.version, run_id=rung.run_id))
        pending &= ~served
        if not pending.any():
            break
        if rung.method in ("champion", "previous"):
            waiting = ", ".join(np.array(panel.stations)[pending][:5])
            faults.append(f"{rung.method} (version {rung.version}) has no finite forecast for {waiting}")
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["station_id"]), faults


def finite(quantiles: FloatArray) -> npt.NDArray[np.bool_]:
    """The stations, (S,), whose quantiles (S, H, Q) are all numbers."""
    served: npt.NDArray[np.bool_] = np.all(np.isfinite(quantiles), axis=(1, 2))
    return served


def rows_of(panel: Panel, quantiles: FloatArray, served: npt.NDArray[np.bool_]) -> pd.DataFrame:
    """The forecast from the panel's end for the stations that are served, one row a station and lead."""
    stations = tuple(np.array(panel.stations, dtype=object)[served])
    return forecast_frame(stations, panel.times[-1], panel.step, quantiles[served])


def _ladder(workspace: Workspace, panel: Panel, now: pd.Timestamp) -> Iterator[Rung | str]:
    """The rungs, each made only when it is needed."""
    yield from _model_rungs(workspace, panel, now)
    for baseline in LAST_RUNGS:
        fitted = baseline().fit(panel, workspace.settings.model.horizon)
        yield Rung(baseline.name, "", "", from_its_end(fitted, panel))


def _model_rungs(workspace: Workspace, panel: Panel, now: pd.Timestamp) -> Iterator[Rung | str]:
    """Champion and previous. Whatever is wrong with one, or with the whole registry, must not stop the forecast."""
    settings = workspace.settings.model
    try:
        versions = standing_versions(workspace)
    except Exception as error:  # a damaged database speaks in many tongues
        yield f"the model registry cannot be read: {first_line(error)}"
        return
    for alias, version in versions.items():
        if version is None:
            yield f"there is no {alias}"
            continue
        yield serve(alias, version.version, version.run_id, partial(load_forecaster, version, now), panel, settings)


def serve(
    alias: str, version: str, run_id: str, load: Callable[[], Forecaster], panel: Panel, settings: ModelSettings
) -> Rung | str:
    """A model as a rung, or why it is none."""
    try:
        forecaster = load()
        check_same_task(forecaster, settings, panel.stations)
        return Rung(alias, version, run_id, from_its_end(forecaster, panel))
    except Exception as error:  # a model that fails in any way is a model that cannot serve
        return f"{alias} (version {version}) cannot serve: {first_line(error)}"
