"""Every issued forecast meets its truth, beside what the baselines would have said."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds

from lstm_model.evaluation import crps_from_quantiles, fit_baselines, pit_from_quantiles
from lstm_model.forecasts.store import KEY, SCORES_SCHEMA, ForecastStore
from lstm_model.network.forecaster import QUANTILE_COLUMNS
from lstm_model.panel import build_panel
from lstm_model.readings import ReadingsStore
from lstm_model.settings import MEDIAN, ModelSettings
from lstm_model.workspace import Workspace

log = logging.getLogger("nightcast.verify")

_COMPARED = ("persistence", "climatology", "damped_anomaly")


@dataclass(frozen=True)
class Verification:
    """What could be scored by now: `fresh` rows are new or corrected; `waiting` have no truth yet."""

    fresh: pd.DataFrame
    scored: int
    waiting: int


def verify_forecasts(workspace: Workspace, now: pd.Timestamp) -> Verification:
    """Score every issued forecast whose truth is known at `now`; repeating it changes nothing.

    A corrected reading corrects the scores it touches.
    """
    store = ForecastStore(workspace.forecasts, workspace.scores, workspace.latest)
    seen = pa.scalar(now.to_pydatetime(), pa.timestamp("us", tz="UTC"))
    forecasts = store.read_forecasts(where=ds.field("issued_at") <= seen)
    readings = ReadingsStore(workspace.readings).read(now)
    due = forecasts[forecasts["valid_at"] <= now]  # before its time, a step's reading may not be its last
    pairs = _with_truth(due, readings, workspace.settings.model.step)
    known = store.read_scores([*KEY, "method", "model_version", "observed_c"])
    changed = pairs.merge(known, on=[*KEY, "method", "model_version", "observed_c"], how="left", indicator=True)
    touched = changed.loc[changed["_merge"] == "left_only", "issued_at"].unique()
    fresh = []
    for issued_at in sorted(touched):
        scores = _score(pairs[pairs["issued_at"] == issued_at], readings, workspace.settings.model)
        store.keep_scores(scores)
        keys = changed.loc[(changed["_merge"] == "left_only") & (changed["issued_at"] == issued_at), KEY]
        fresh.append(scores.merge(keys, on=KEY))
    rows = pd.concat(fresh, ignore_index=True) if fresh else SCORES_SCHEMA.empty_table().to_pandas()
    log.info(
        "%d forecasts scored now, %d in all, %d wait for their truth",
        len(rows),
        len(pairs),
        len(forecasts) - len(pairs),
    )
    return Verification(rows, len(pairs), len(forecasts) - len(pairs))


def _with_truth(forecasts: pd.DataFrame, readings: pd.DataFrame, step: pd.Timedelta) -> pd.DataFrame:
    """Forecast rows whose valid time was observed, with `observed_c`."""
    cell = readings["observed_at"].dt.ceil(step)
    truth = readings.assign(valid_at=cell).sort_values("observed_at").drop_duplicates(
        ["station_id", "valid_at"], keep="last"
    )  # fmt: skip
    truth = truth.rename(columns={"temperature_c": "observed_c"})[["station_id", "valid_at", "observed_c"]]
    return forecasts.merge(truth, on=["station_id", "valid_at"], how="inner", validate="many_to_one")


def _score(pairs: pd.DataFrame, readings: pd.DataFrame, settings: ModelSettings) -> pd.DataFrame:
    """Scores of one issue's rows; the baselines see what was observed up to the issue and no more."""
    issued_at = pairs["issued_at"].iloc[0]
    stations = tuple(sorted(pairs["station_id"].unique()))
    panel = build_panel(readings[readings["observed_at"] <= issued_at], settings.step, end=issued_at, stations=stations)
    row = pd.Index(stations).get_indexer(pairs["station_id"])
    lead = np.rint(pairs["lead_hours"] / (settings.step / pd.Timedelta("1h"))).astype(int).to_numpy() - 1
    observed = pairs["observed_c"].to_numpy(np.float64)
    quantiles = pairs[QUANTILE_COLUMNS].to_numpy(np.float64)
    origin = np.array([len(panel.times) - 1])
    baselines = fit_baselines(panel, max(settings.horizon, int(lead.max()) + 1))
    errors = {
        f"{name}_error_c": baselines[name].forecast(panel, origin)[row, 0, lead, MEDIAN] - observed
        for name in _COMPARED
    }
    return pairs.assign(
        error_c=pairs["temperature_c"] - observed,
        crps=crps_from_quantiles(quantiles, observed),
        pit=pit_from_quantiles(quantiles, observed),
        covered_80=(pairs["q10"] <= observed) & (observed <= pairs["q90"]),
        width_80_c=pairs["q90"] - pairs["q10"],
        **errors,
    )[SCORES_SCHEMA.names]
