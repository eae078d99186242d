"""Our forecaster without one of its ideas, or with another cell in the LSTM's place: rows for `accuracy.py`.

Each is the forecaster itself with one part replaced; everything else, settings and seed included, stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from lstm_model.evaluation.backtest import Method
from lstm_model.network import Forecaster, WeatherLSTM
from lstm_model.network.anchor import Anchor, Lags, Penalties
from lstm_model.network.forecaster import Fitted
from lstm_model.network.history import History, anchor_of
from lstm_model.network.scaling import Scaling
from lstm_model.network.training import Recipe
from lstm_model.panel import HeldOut, Panel
from lstm_model.panel.grid import FloatArray
from lstm_model.settings import ModelSettings

WINDOWED_BATCH = 128


class WeatherRNN(WeatherLSTM):
    """A plain recurrent layer of the same width in the LSTM's place: h ← tanh(W x + U h + b)."""

    def __init__(self, neighbours: int, covariates: int, hidden_size: int, horizon: int, dropout: float) -> None:
        super().__init__(neighbours, covariates, hidden_size, horizon, dropout)
        self.lstm = nn.RNN(self.lstm.input_size, hidden_size, batch_first=True)


class WeatherGRU(WeatherLSTM):
    """Gated recurrent units of the same width in the LSTM's place."""

    def __init__(self, neighbours: int, covariates: int, hidden_size: int, horizon: int, dropout: float) -> None:
        super().__init__(neighbours, covariates, hidden_size, horizon, dropout)
        self.lstm = nn.GRU(self.lstm.input_size, hidden_size, batch_first=True)


class PlainRNN(Forecaster):
    """Ours with `nn.RNN`."""

    recipe = Recipe(network=WeatherRNN)


class GRU(Forecaster):
    """Ours with `nn.GRU`."""

    recipe = Recipe(network=WeatherGRU)


class Windowed(Forecaster):
    """The usual loop: a window is a whole context, and its last step the only origin.

    An epoch has as many steps as ours. A step has 128 windows, which takes about as long as ours: equal time, but 42
    times fewer origins.
    """

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        self.recipe = Recipe(batch=WINDOWED_BATCH, origins_per_window=1, burn_in=settings.context - 1)


class Unanchored(Forecaster):
    """The LSTM alone corrects the last anomaly, with the widths of that forecast's errors."""

    def _anchor(
        self,
        history: History,
        held_out: HeldOut,
        penalties: Penalties | None = None,
        into: FloatArray | None = None,
    ) -> tuple[Anchor, Penalties]:
        lags = Lags.within(self.settings.context)
        features = history.features(0, lags, np.arange(0)).shape[1]
        weights = np.zeros((history.stations + 1, features, self.settings.horizon), np.float32)
        return anchor_of(weights, history, held_out, lags), (0.0, 0.0)


class Uncalibrated(Forecaster):
    """Quantiles as the network says them."""

    def _calibrated(self, history: History, fitted: Fitted, origins: npt.NDArray[np.intp]) -> Fitted:
        return fitted


class WithoutClimatology(Forecaster):
    """Every station's mean in its climatology's place; the clock is still shown to anchor and network."""

    def _scaling(self, panel: Panel, usable: npt.NDArray[np.bool_]) -> Scaling:
        found = super()._scaling(panel, usable)
        usual = found.temperature
        values = np.where(usable, panel.temperature_c, np.nan)
        means, spreads = np.nanmean(values, axis=1), np.nanstd(values, axis=1)
        level = np.zeros_like(usual.climatology.coefficients)
        level[:, 0] = _and_the_fleets(means)
        climatology = replace(usual.climatology, coefficients=level)
        scale = _and_the_fleets(spreads).astype(np.float32)
        return replace(found, temperature=replace(usual, climatology=climatology, scale=scale))


def _and_the_fleets(values: FloatArray) -> FloatArray:
    """(S,) of stations to (S + 1,): the mean of all serves a station never seen."""
    return np.append(values, np.mean(values))


def fitted_as(kind: type[Forecaster], covariates: bool = False, **changes: Any) -> Callable[..., Method]:
    """How to fit a kind of forecaster on a past, with or without covariates, with some settings changed."""

    def fit(past: Panel, settings: ModelSettings) -> Method:
        seen = past if covariates else replace(past, covariates={})
        return kind(settings.model_copy(update=changes)).fit_panel(seen)

    return fit


OURS: dict[str, Callable[[Panel, ModelSettings], Method]] = {
    "ours": fitted_as(Forecaster),
    "ours_no_lstm": fitted_as(Forecaster, max_epochs=0),
    "ours_rnn": fitted_as(PlainRNN),
    "ours_gru": fitted_as(GRU),
    "ours_no_dense": fitted_as(Windowed),
    "ours_no_anchor": fitted_as(Unanchored),
    "ours_no_neighbours": fitted_as(Forecaster, neighbours=0),
    "ours_no_calibration": fitted_as(Uncalibrated),
    "ours_no_climatology": fitted_as(WithoutClimatology),
    "ours_ensemble": fitted_as(Forecaster, ensemble=3),
    "ours_cov": fitted_as(Forecaster, covariates=True),
    "ours_cov_no_lstm": fitted_as(Forecaster, covariates=True, max_epochs=0),
}
"""How each row of ours is fitted; those with `_cov` also see what else the stations measure."""
