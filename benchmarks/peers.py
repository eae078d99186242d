"""The peer to beat: a ridge regression on lags, fitted in a second or two."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstm_model.evaluation import Baseline
from lstm_model.panel import ClimatologyModel, Panel, carry_forward, hold_out_blocks, steps_since_observed
from lstm_model.panel.grid import FloatArray

OWN_LAGS, FLEET_LAGS, COVARIATE_LAGS = range(72), range(24), (0, 3, 6, 12, 24)
PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0, 10000.0, 100000.0)
UNTESTED = 100.0

Matrix = npt.NDArray[np.float64]


class Ridge(Baseline):
    """One ridge a station on its anomalies' last 72 steps, for every lead; its past errors are its spread.

    The penalty, one for the fleet, is chosen on all the blocks that ours validates and calibrates on; the weights are
    then fitted on the whole training span, those blocks included. So are the errors that make its intervals.

    Args:
        fleet: also the last 24 steps of every other station.
        covariates: also what the station itself measures besides, at lags 0, 3, 6, 12 and 24.
    """

    def __init__(self, *, fleet: bool, covariates: bool = False) -> None:
        self._fleet, self._with_covariates = fleet, covariates
        self.name = "ridge" + "_fleet" * fleet + "_cov" * covariates

    def _learn(self, panel: Panel) -> None:
        self._climatology = {name: ClimatologyModel.fit(_as_panel(panel, name)) for name in self._quantities(panel)}
        self._spread = {name: np.nanstd(self._anomaly(panel, name)) for name in self._climatology}
        filled = self._filled(panel)
        held_out = hold_out_blocks(panel.times, self.horizon)
        origins = np.arange(max(OWN_LAGS), len(panel.times) - 1)
        learnt = origins[held_out.training[origins]]
        judged = origins[(held_out.validation | held_out.calibration)[origins]]
        errors = np.zeros(len(PENALTIES))
        for station in range(len(panel.stations)) if len(judged) else ():
            x, y = self._features(filled, station), self._targets(panel, station)
            gram, moment = _normal_equations(x[learnt], y[learnt])
            for which, penalty in enumerate(PENALTIES):
                errors[which] += np.nanmean(np.abs(x[judged] @ _solve(gram, moment, penalty) - y[judged]))
        self.penalty = PENALTIES[int(np.argmin(errors))] if len(judged) else UNTESTED
        self._weights = []
        for station in range(len(panel.stations)):
            x, y = self._features(filled, station), self._targets(panel, station)
            self._weights.append(_solve(*_normal_equations(x[origins], y[origins]), self.penalty))

    def _point(self, panel: Panel, origins: npt.NDArray[np.intp]) -> FloatArray:
        timeline = pd.date_range(panel.times[0], periods=len(panel.times) + self.horizon, freq=panel.step)
        usual = self._climatology["temperature_c"].values(panel.stations, timeline)
        ahead = origins[:, None] + np.arange(1, self.horizon + 1)
        filled = self._filled(panel)
        anomaly = [self._features(filled, row)[origins] @ weights for row, weights in enumerate(self._weights)]
        return (usual[:, ahead] + np.stack(anomaly) * self._spread["temperature_c"]).astype(np.float32)

    def _quantities(self, panel: Panel) -> list[str]:
        return ["temperature_c", *(sorted(panel.covariates) if self._with_covariates else [])]

    def _anomaly(self, panel: Panel, name: str) -> FloatArray:
        values = _as_panel(panel, name)
        return values.temperature_c - self._climatology[name].values(panel.stations, panel.times)

    def _filled(self, panel: Panel) -> dict[str, FloatArray]:
        """Every quantity's scaled anomalies, gaps filled from the past."""
        scaled = {
            name: (self._anomaly(panel, name) / spread).astype(np.float32) for name, spread in self._spread.items()
        }
        return {
            name: carry_forward(values, steps_since_observed(values), panel.step) for name, values in scaled.items()
        }

    def _features(self, filled: dict[str, FloatArray], station: int) -> FloatArray:
        """(T, F + 1) lags and one; zeros where the panel does not reach back so far."""
        temperature = filled["temperature_c"]
        its = [values for name, values in filled.items() if name != "temperature_c"]
        others = [row for row in range(len(temperature)) if row != station and self._fleet]
        wanted = [(temperature[station], lag) for lag in OWN_LAGS]
        wanted += [(temperature[row], lag) for row in others for lag in FLEET_LAGS]
        wanted += [(values[station], lag) for values in its for lag in COVARIATE_LAGS]
        x = np.ones((temperature.shape[1], len(wanted) + 1), np.float32)
        for column, (values, lag) in enumerate(wanted):
            x[:lag, column] = 0.0
            x[lag:, column] = values[: len(values) - lag]
        return x

    def _targets(self, panel: Panel, station: int) -> FloatArray:
        """(T, H) scaled anomaly at every lead, NaN where unobserved."""
        scaled = self._anomaly(panel, "temperature_c")[station] / self._spread["temperature_c"]
        longer = np.append(scaled, np.full(self.horizon, np.nan)).astype(np.float32)
        return np.lib.stride_tricks.sliding_window_view(longer[1:], self.horizon)


def _as_panel(panel: Panel, name: str) -> Panel:
    """A covariate, or the temperature, in the temperature's place; all missing where the panel has none."""
    nothing = np.full_like(panel.temperature_c, np.nan)
    values = panel.temperature_c if name == "temperature_c" else panel.covariates.get(name, nothing)
    return Panel(panel.stations, panel.times, values)


def _normal_equations(x: FloatArray, y: FloatArray) -> tuple[Matrix, Matrix]:
    """XᵀX and Xᵀy for every lead, over the cases with truth."""
    missing = np.isnan(y)
    gram = np.repeat((x.T @ x).astype(np.float64)[None], y.shape[1], axis=0)
    for lead in np.flatnonzero(missing.any(axis=0)):
        lost = x[missing[:, lead]]
        gram[lead] -= lost.T @ lost
    return gram, np.where(missing, 0.0, y).T @ x


def _solve(gram: Matrix, moment: Matrix, penalty: float) -> Matrix:
    ridge = np.full(gram.shape[1], penalty)
    ridge[-1] = 1e-6  # the constant is free
    return np.linalg.solve(gram + np.diag(ridge), moment[:, :, None])[:, :, 0].T
