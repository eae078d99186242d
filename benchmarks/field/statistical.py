"""StatsForecast's MSTL: the daily cycle by LOESS, an AutoARIMA without seasons for what is left, anew at every origin.

Gaps are filled from the past. Tuned: two, four or eight weeks of past, judged by pinball loss from ten origins
spread over the last 15 % of what may be learnt from.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from statsforecast import StatsForecast
from statsforecast.models import MSTL, AutoARIMA

from benchmarks.field.task import FloatArray, Positions, Readings, Task, pinball

DAYS = (14, 28, 56)
JUDGED_ORIGINS = 10


class DecomposedARIMA:
    """One row; see above."""

    packages = ("statsforecast", "pandas")

    def learn(self, readings: Readings, task: Task) -> str:
        """How much past to look at; the fits themselves wait for the origins."""
        warnings.simplefilter("ignore")
        self._task, tried = task, []
        judged = np.linspace(readings.split, readings.steps - 1 - task.horizon, JUDGED_ORIGINS).astype(np.intp)
        truth = readings.ahead(judged, task.horizon)
        for self._days in DAYS:
            tried.append((pinball(self.forecast(readings, judged), truth, task.quantiles), self._days))
        loss, self._days = min(tried)
        return f"{self._days} days of past, validation pinball loss {loss:.4f}"

    def forecast(self, readings: Readings, origins: Positions) -> FloatArray:
        """(S, O, H, Q) °C, a fit for every station and origin."""
        day, stations = readings.per_day, len(readings.temperature_c)
        past = np.maximum(origins[:, None] + np.arange(1 - self._days * day, 1), 0)
        values = readings.filled()[:, past].reshape(stations * len(origins), -1)
        series, step = np.indices(values.shape)
        frame = pd.DataFrame({"unique_id": series.ravel(), "ds": step.ravel(), "y": values.ravel()})
        model = MSTL(season_length=day, trend_forecaster=AutoARIMA(seasonal=False), alias="it")
        levels = sorted({round(abs(100 - 200 * quantile)) for quantile in self._task.quantiles} - {0})
        told = StatsForecast([model], freq=1).forecast(df=frame, h=self._task.horizon, level=levels)
        told = told.sort_values(["unique_id", "ds"])[[_column(quantile) for quantile in self._task.quantiles]]
        quantiles = told.to_numpy(np.float32).reshape(stations, len(origins), self._task.horizon, -1)
        never = readings.last_observed()[:, origins] < 0
        return np.where(never[..., None, None], np.float32(np.nan), quantiles)


def _column(quantile: float) -> str:
    """What StatsForecast calls it: the edge of an interval, or the middle."""
    if quantile == 0.5:
        return "it"
    return f"it-{'lo' if quantile < 0.5 else 'hi'}-{round(abs(100 - 200 * quantile))}"
