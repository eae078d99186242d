"""Every issued forecast meets its truth, beside what the baselines would have said."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow.dataset as ds
from deltalake.exceptions import DeltaError

from lstm_model.evaluation import crps_from_quantiles, pit_from_quantiles
from lstm_model.evaluation.baselines import Climatology, DampedAnomaly, Persistence
from lstm_model.forecasts.store import KEY, SCORES_SCHEMA, ForecastStore, micros, of_issues
from lstm_model.network.forecaster import QUANTILE_COLUMNS
from lstm_model.panel import build_panel
from lstm_model.readings import ReadingsStore
from lstm_model.workspace import Workspace

log = logging.getLogger("nightcast.verify")

_MATCHED = [*KEY, "method", "model_version", "observed_c"]


@dataclass(frozen=True)
class Verification:
    """What could be scored by now: `fresh` rows are new or corrected; `waiting` have no truth yet."""

    fresh: pd.DataFrame
    scored: int
    waiting: int


def verify_forecasts(workspace: Workspace, now: pd.Timestamp) -> Verification:
    """Score every issued forecast whose truth is known at `now`; repeating it changes nothing.

    A score is a function of the forecast, of the readings it was made from, and of its truth as it is known now.
    So a corrected reading corrects the scores it touches, however old it is, one that is doubted by now takes its
    scores away, and scoring all from scratch gives the same rows.
    """
    store = ForecastStore(workspace.forecasts, workspace.scores, workspace.latest)
    readings = ReadingsStore(workspace.readings)
    issued = store.read_forecasts([*_MATCHED[:-1], "valid_at"], where=ds.field("issued_at") <= micros(now))
    due = issued[issued["valid_at"] <= now]  # before its time, a step's reading may not be its last
    pairs = _with_truth(due, readings, now)
    known = store.read_scores(_MATCHED, where=ds.field("valid_at") <= micros(now))
    news, withdrawn = _differences(pairs[_MATCHED], known)
    fresh = []
    for issue, history in _with_history(store, readings, pd.concat([news["issued_at"], withdrawn["issued_at"]])):
        issued_at = issue["issued_at"].iloc[0]
        scores = _score(issue, pairs[[*KEY, "observed_c"]], history)
        later = store.read_scores(where=of_issues([issued_at]) & (ds.field("valid_at") > micros(now)))
        store.keep_scores(issued_at, pd.concat([scores, later]) if len(later) else scores)
        fresh.append(scores.merge(news.loc[news["issued_at"] == issued_at, KEY], on=KEY))
    rows = pd.concat(fresh, ignore_index=True) if fresh else SCORES_SCHEMA.empty_table().to_pandas()
    waiting = len(issued) - len(pairs)
    log.info("%d forecasts scored now, %d in all, %d wait for their truth", len(rows), len(pairs), waiting)
    return Verification(rows, len(pairs), waiting)


def _with_truth(due: pd.DataFrame, readings: ReadingsStore, now: pd.Timestamp) -> pd.DataFrame:
    """Forecast rows whose valid time was observed, with `observed_c`."""
    if due.empty:
        return due.assign(observed_c=pd.Series(dtype="float32"))
    steps = due["issued_at"].map(due.groupby("issued_at")["lead_hours"].agg(_step_of))
    observed = readings.read(now, since=due["valid_at"].min() - steps.max())  # nothing observed before can be a truth
    return pd.concat([_of_step(rows, observed, pd.Timedelta(step)) for step, rows in due.groupby(steps)])


def _step_of(lead_hours: pd.Series) -> pd.Timedelta:
    """The step that an issue was made in, whatever it is set to by now: its first lead."""
    return pd.Timedelta(round(float(lead_hours.min()) * 3600), "s")


def _of_step(due: pd.DataFrame, observed: pd.DataFrame, step: pd.Timedelta) -> pd.DataFrame:
    """Forecasts of one step: their truth is the last reading of the step that ends at their valid time."""
    truth = observed.assign(valid_at=observed["observed_at"].dt.ceil(step)).sort_values("observed_at")
    truth = truth.drop_duplicates(["station_id", "valid_at"], keep="last")
    truth = truth.rename(columns={"temperature_c": "observed_c"})[["station_id", "valid_at", "observed_c"]]
    return due.merge(truth, on=["station_id", "valid_at"], how="inner", validate="many_to_one")


def _differences(pairs: pd.DataFrame, known: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pairs that no score tells of in the same way, and scores that no pair stands behind any more."""
    rows = pd.concat([pairs, known])
    alone = ~rows.duplicated(keep=False).to_numpy()
    return pairs[alone[: len(pairs)]], known[alone[len(pairs) :]]


def _with_history(
    store: ForecastStore, readings: ReadingsStore, issued_at: pd.Series
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """These issues, whole, each with the readings that it was made from; a version of them is read once."""
    if issued_at.empty:
        return
    rows = store.read_forecasts(where=of_issues(issued_at.unique()))
    for version, issues in rows.groupby("readings_version", dropna=False):
        history = _as_it_was(readings, None if pd.isna(version) else int(version), issues["issued_at"].max())
        for time, issue in issues.groupby("issued_at"):
            yield issue, history[history["observed_at"] <= time]


def _as_it_was(readings: ReadingsStore, version: int | None, until: pd.Timestamp) -> pd.DataFrame:
    """The readings as a version of the table has them; as they are known now where it is no longer kept."""
    try:
        kept = readings.read(until, version=version)
    except (DeltaError, OSError):
        kept = readings.read(until).iloc[:0]
    return kept if len(kept) else readings.read(until)


def _score(issue: pd.DataFrame, truth: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """Scores of one issue's rows that have met their truth, beside baselines that see what the issue saw."""
    issued_at, stations = issue["issued_at"].iloc[0], tuple(sorted(issue["station_id"].unique()))
    pairs, step = issue.merge(truth, on=KEY), _step_of(issue["lead_hours"])
    panel = build_panel(history, step, end=issued_at, stations=stations)
    row = pd.Index(stations).get_indexer(pairs["station_id"])
    lead = np.rint(pairs["lead_hours"] / (step / pd.Timedelta("1h"))).astype(int).to_numpy() - 1
    observed = pairs["observed_c"].to_numpy(np.float64)
    quantiles = pairs[QUANTILE_COLUMNS].to_numpy(np.float64)
    origin, horizon = np.array([len(panel.times) - 1]), int(lead.max(initial=0)) + 1
    errors = {
        f"{baseline.name}_error_c": baseline().fit_rule(panel, horizon).point(panel, origin)[row, 0, lead] - observed
        for baseline in (Persistence, Climatology, DampedAnomaly)
    }
    return pairs.assign(
        error_c=pairs["temperature_c"] - observed,
        crps=crps_from_quantiles(quantiles, observed),
        pit=pit_from_quantiles(quantiles, observed),
        covered_80=(pairs["q10"] <= observed) & (observed <= pairs["q90"]),
        width_80_c=pairs["q90"] - pairs["q10"],
        **errors,
    )[SCORES_SCHEMA.names]
