"""The fleet's past as the network needs it, and windows cut from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from lstm_model.network.anchor import Anchor
from lstm_model.network.weather_lstm import build_inputs
from lstm_model.panel import ClimatologyModel, Panel, calendar, carry_forward, steps_since_observed
from lstm_model.panel.grid import FloatArray


@dataclass(frozen=True)
class History:
    """Scaled anomalies of a fleet over T steps.

    rows: (S,) each station's row among those the forecaster knows; -1 for an unknown one.
    base_c, scale_c: (S, T) and (S,); temperature = base + scale · anomaly.
    truth: (S, T) anomalies, NaN where unobserved; filled: the same without gaps; since: steps since observed.
    calendar: (T, 4).
    neighbours: (S, k) rows of this history; present: (S, k) false where a neighbour is not in it.
    day: steps per day.
    """

    rows: npt.NDArray[np.intp]
    base_c: FloatArray
    scale_c: FloatArray
    truth: FloatArray
    filled: FloatArray
    since: npt.NDArray[np.int32]
    calendar: FloatArray
    neighbours: npt.NDArray[np.intp]
    present: npt.NDArray[np.bool_]
    day: int

    @property
    def steps(self) -> int:
        """T."""
        return self.truth.shape[1]


def scaled_history(
    panel: Panel, climatology: ClimatologyModel, scale_c: FloatArray, neighbours: npt.NDArray[np.intp]
) -> History:
    """Express a panel in a fitted forecaster's terms.

    Args:
        panel: observations, over stations that may be unknown to the forecaster.
        climatology: the fitted one; its stations are those the forecaster knows.
        scale_c: (S + 1,) spreads of the known stations; the last one serves unknown ones.
        neighbours: (S, k) each known station's neighbours, as rows of the known stations.
    """
    rows = pd.Index(climatology.stations).get_indexer(list(panel.stations))
    base_c = climatology.values(panel.stations, panel.times)
    for row in np.flatnonzero(rows < 0):  # an unknown station: the fleet's cycle at its own level
        departure = panel.temperature_c[row] - base_c[row]
        if np.isfinite(departure).any():
            base_c[row] += np.nanmean(departure)
    spread = scale_c[rows]
    truth = (panel.temperature_c - base_c) / spread[:, None]
    since = steps_since_observed(truth)
    filled = carry_forward(truth, since, panel.step)
    here = pd.Index(panel.stations).get_indexer(list(climatology.stations))
    wanted = np.where((rows >= 0)[:, None], neighbours[rows], -1)
    places = np.where(wanted >= 0, here[wanted], -1) if len(here) else wanted
    day = max(1, round(pd.Timedelta("1D") / panel.step))
    clock = calendar(panel.times, knows_seasons=climatology.knows_seasons)
    return History(rows, base_c, spread, truth, filled, since, clock, np.maximum(places, 0), places >= 0, day)


@dataclass(frozen=True)
class Windows:
    """A batch of windows: inputs (B, n, C), the anchor's forecast (B, n - burn_in, H), and where they lie."""

    inputs: Tensor
    anchor: Tensor
    stations: npt.NDArray[np.intp]
    origins: npt.NDArray[np.intp]
    """(B, n - burn_in) step of each origin."""


def cut_windows(
    history: History,
    anchor: Anchor,
    stations: npt.NDArray[np.intp],
    starts: npt.NDArray[np.intp],
    length: int,
    burn_in: int,
) -> Windows:
    """Cut one window a row: station `stations[b]`, steps `starts[b] … starts[b] + length - 1`.

    Every step from `burn_in` on is an origin; `burn_in` is at least what the anchor reaches back.
    """
    steps = starts[:, None] + np.arange(length)  # (B, n)
    places, present = history.neighbours[stations], history.present[stations]  # (B, k)
    own = torch.from_numpy(_filled_from_within(history, stations[:, None], steps))
    others = _filled_from_within(history, places[:, :, None], steps[:, None, :]) * present[:, :, None]
    others_t = torch.from_numpy(others.astype(np.float32))  # (B, k, n)
    since = torch.from_numpy(np.minimum(history.since[stations[:, None], steps], length).astype(np.float32))
    inputs = build_inputs(own, since, torch.from_numpy(history.calendar[steps]), others_t, min(history.day, length))

    own_lags = _lags(own, anchor.own_lags, burn_in)  # (B, n - burn_in, lags)
    other_lags = _lags(others_t.flatten(0, 1), anchor.neighbour_lags, burn_in)  # (B·k, n - burn_in, lags)
    apart = other_lags.reshape(*places.shape, length - burn_in, anchor.neighbour_lags)  # (B, k, n - burn_in, lags)
    features = torch.cat([own_lags, apart.transpose(1, 2).flatten(2)], dim=2)  # (B, n - burn_in, F)
    rows = history.rows[stations]
    point = torch.bmm(features, torch.from_numpy(anchor.weights[rows]))
    point += torch.from_numpy(anchor.bias[rows])[:, None, :]
    return Windows(inputs, point, stations, steps[:, burn_in:])


def _filled_from_within(history: History, rows: npt.NDArray[np.intp], steps: npt.NDArray[np.intp]) -> FloatArray:
    """Anomalies whose gaps were filled from the window itself; zero where the window had not seen any yet."""
    seen = history.since[rows, steps] <= np.arange(steps.shape[-1])
    return np.where(seen, history.filled[rows, steps], np.float32(0.0))


def _lags(values: Tensor, lags: int, burn_in: int) -> Tensor:
    """(B, n) to (B, n - burn_in, lags): at every origin the last values, the newest first."""
    return values.unfold(1, lags, 1)[:, burn_in - lags + 1 :].flip(-1)


def targets_of(history: History, windows: Windows, horizon: int) -> tuple[Tensor, Tensor]:
    """Truth at every lead of every origin, and 1 where there is one: both (B, origins, H)."""
    ahead = windows.origins[:, :, None] + np.arange(1, horizon + 1)
    inside = ahead < history.steps
    values = history.truth[windows.stations[:, None, None], np.minimum(ahead, history.steps - 1)]
    known = inside & ~np.isnan(values)
    return torch.from_numpy(np.where(known, values, 0.0).astype(np.float32)), torch.from_numpy(known).float()
