"""How issued forecasts did, on the version that made them: verified beside backtested scores."""

from __future__ import annotations

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Metric

from lstm_model.registry.tracking import MODEL, takes_notes
from lstm_model.registry.versions import Verified, Version

_SAME = 1e-9


def log_verified(client: MlflowClient, version: Version, days: pd.DataFrame, until: pd.Timestamp) -> bool:
    """Log a version's verified scores: a point a day on its run, and where it stands now as tags on the version.

    A point is logged once its day is over, and again if a correction changed it; the first day's at once, so that a
    fresh version has something to show. Tags come last: a version whose tags agree has all its points.

    Args:
        client: of the workspace's database.
        version: which.
        days: indexed by days since the version's training; n, mae, rmse, bias, crps, coverage_80 and skill up to
            the end of each.
        until: the newest time verified; days that end later are not over.

    Returns:
        True if there was anything new to log.
    """
    over = days.index[version.lived_at + pd.to_timedelta(days.index, unit="D") <= until]
    newest = days.iloc[-1]
    verified = Verified(
        mae=round(float(newest["mae"]), 6),
        crps=round(float(newest["crps"]), 6),
        n=int(newest["n"]),
        days=int(over.max()) if len(over) else 0,
    )
    if verified == version.verified:
        return False
    told = days.loc[over if len(over) else days.index[:1]]
    points = _unlogged(client, version.run_id, told, until, again=len(over) > 0)
    if points and takes_notes(client, version.run_id):
        client.log_batch(version.run_id, metrics=points)
    for name, text in verified.as_tags().items():
        client.set_model_version_tag(MODEL, version.version, name, text)
    return True


def _unlogged(
    client: MlflowClient, run_id: str, days: pd.DataFrame, until: pd.Timestamp, *, again: bool
) -> list[Metric]:
    """The points that the run does not tell yet, or, where it may be said `again`, tells differently.

    MLflow takes the point with the latest stamp for the metric's value at a step, so that a correction's is later.
    """
    points = []
    for score in days:
        logged = {point.step: point for point in client.get_metric_history(run_id, f"verified_{score}")}
        for day, value in days[score].dropna().items():
            before = logged.get(day)
            if before is not None and (not again or abs(before.value - value) < _SAME):
                continue
            stamp = int(until.timestamp() * 1000)
            stamp = stamp if before is None else max(stamp, before.timestamp + 1)
            points.append(Metric(f"verified_{score}", float(value), stamp, int(day)))
    return points
