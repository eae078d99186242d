"""The fleet's past as the network needs it, and windows cut from it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from lstm_model.network.anchor import Anchor, Lags, Lesson, Penalties, anchor_features, error_gaps, fit_weights
from lstm_model.network.scaling import Scaling
from lstm_model.network.weather_lstm import build_inputs
from lstm_model.panel import HeldOut, Panel, calendar, carry_forward, steps_since_observed
from lstm_model.panel.grid import FloatArray
from lstm_model.settings import QUANTILES

_ERRORS_IN_ALL, _FEWEST_ERRORS, _MOST_ERRORS = 60_000, 400, 4_000
"""Origins whose errors tell the anchor's spread: over the fleet, and at least and at most of one station."""

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Signal:
    """Something observed at every station, (S, T): without gaps, and where it was observed."""

    filled: FloatArray
    observed: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, values: FloatArray, step: pd.Timedelta) -> Signal:
        """From values that are NaN where unobserved, which it fills in place: two of them would be too many."""
        observed = ~np.isnan(values)
        for own in values:
            own[:] = carry_forward(own[None], steps_since_observed(own[None]), step)[0]
        return cls(values, observed)

    def truth(self, rows: Rows | int | slice, steps: Rows | slice) -> FloatArray:
        """The values, NaN where unobserved."""
        return np.where(self.observed[rows, steps], self.filled[rows, steps], np.float32(np.nan))

    def within(self, rows: Rows, steps: Rows) -> tuple[FloatArray, Rows]:
        """Values whose gaps were filled from the window itself, and the steps since each was observed.

        Where the window had not seen any yet, the value is zero, and its length has passed since.
        """
        length = steps.shape[-1]
        places = np.arange(length)
        last = np.maximum.accumulate(np.where(self.observed[rows, steps], places, -1), axis=-1)
        filled = np.where(last >= 0, self.filled[rows, steps], np.float32(0.0))
        return filled, np.where(last >= 0, places - last, length)


@dataclass(frozen=True)
class History:
    """Scaled anomalies of a fleet over T steps.

    rows: (S,) each station's row among those the forecaster knows; -1 for an unknown one.
    base_c: (S,) what is usual at the first step; scale_c: (S,) °C that an anomaly of one is.
    own: the anomalies, (S, T).
    covariates: what each adds to the temperature.
    clock: (T, WAVES).
    neighbours: (S, k) rows of this history; present: (S, k) false where a neighbour is not in it.
    day: steps per day.
    weight: (T,) how much an origin teaches, 1 the newest.
    """

    rows: Rows
    base_c: FloatArray
    scale_c: FloatArray
    own: Signal
    covariates: tuple[Signal, ...]
    clock: FloatArray
    neighbours: Rows
    present: npt.NDArray[np.bool_]
    day: int
    weight: FloatArray

    @property
    def stations(self) -> int:
        """S."""
        return self.own.filled.shape[0]

    @property
    def steps(self) -> int:
        """T."""
        return self.own.filled.shape[1]

    def truth(self, rows: Rows | int | slice, origins: Rows, horizon: int) -> FloatArray:
        """The anomaly at every lead of every origin; NaN where unobserved, and beyond the last step.

        Args:
            rows: a station, several with as many axes as `origins` has besides, or a slice of them.
            origins: (…, O).
            horizon: H.

        Returns:
            (…, O, H); a slice of stations comes first.
        """
        ahead = origins[..., None] + np.arange(1, horizon + 1)
        known = ahead < self.steps
        return np.where(known, self.own.truth(rows, np.where(known, ahead, 0)), np.float32(np.nan))

    def features(self, station: int, lags: Lags, origins: Rows) -> FloatArray:
        """What the anchor looks at, at some origins of a station's past, the reach of the lags at least: (N, F)."""
        reach = lags.reach

        def past(values: FloatArray) -> Tensor:  # (…, T) to (N, …, reach + 1)
            if len(origins) == 0:
                return torch.zeros(0, *values.shape[:-1], reach + 1)
            windows = np.lib.stride_tricks.sliding_window_view(values, reach + 1, axis=-1)
            return torch.from_numpy(windows[..., origins - reach, :]).movedim(-2, 0)

        others = self.own.filled[self.neighbours[station]] * self.present[station][:, None]  # (k, T)
        its = _stacked([signal.filled[station] for signal in self.covariates], (self.steps,))
        own, covariates, neighbours = past(self.own.filled[station]), past(its), past(others)
        waves = torch.from_numpy(self.clock[origins]).unsqueeze(1)
        return anchor_features(own, covariates, neighbours, waves, lags, reach)[:, 0].numpy()


def scaled_history(panel: Panel, scaling: Scaling, neighbours: Rows, half_life_days: float = 0.0) -> History:
    """Express a panel in a fitted forecaster's terms.

    Args:
        panel: observations, over stations that may be unknown to the forecaster.
        scaling: the fitted one; its stations are those the forecaster knows.
        neighbours: (S, k) each known station's neighbours, as rows of the known stations.
        half_life_days: the age at which an origin teaches half as much; 0: all alike.
    """
    rows = scaling.temperature.rows(panel)
    truth = scaling.temperature.anomaly(panel, panel.temperature_c)
    covariates = tuple(Signal.of(covariate.beyond(panel, truth), panel.step) for covariate in scaling.covariates)
    here = pd.Index(panel.stations).get_indexer(list(scaling.stations))
    wanted = np.where((rows >= 0)[:, None], neighbours[rows], -1)
    places = np.where(wanted >= 0, here[wanted], -1) if len(here) else wanted
    return History(
        rows=rows,
        base_c=np.concatenate([scaling.temperature.base(p, p.temperature_c)[:, 0] for _, p in panel.in_parts()]),
        scale_c=scaling.temperature.scale[rows],
        own=Signal.of(truth, panel.step),
        covariates=covariates,
        clock=calendar(panel.times, knows_seasons=scaling.temperature.climatology.knows_seasons),
        neighbours=np.maximum(places, 0),
        present=places >= 0,
        day=max(1, round(pd.Timedelta("1D") / panel.step)),
        weight=_weights_by_age(panel, half_life_days),
    )


def _weights_by_age(panel: Panel, half_life_days: float) -> FloatArray:
    """(T,) 1 at the newest step, half as much every half-life before it."""
    if half_life_days == 0.0:
        return np.ones(len(panel.times), np.float32)
    age = ((panel.times[-1] - panel.times) / pd.Timedelta("1D")).to_numpy(np.float64)
    return np.exp2(-age / half_life_days).astype(np.float32)


@dataclass(frozen=True)
class Windows:
    """A batch of windows: inputs (B, n, C), the anchor's forecast (B, n - burn_in, H), and where they lie."""

    inputs: Tensor
    anchor: Tensor
    gaps: Tensor
    """(B, 1, H, Q) the anchor's usual errors at each window's station."""
    stations: Rows
    origins: Rows
    """(B, n - burn_in) step of each origin."""

    def to(self, device: torch.device) -> Windows:
        """The same with its tensors on a device."""
        tensors = {name: getattr(self, name).to(device) for name in ("inputs", "anchor", "gaps")}
        return replace(self, **tensors)


def cut_windows(history: History, anchor: Anchor, stations: Rows, starts: Rows, length: int, burn_in: int) -> Windows:
    """Cut one window a row: station `stations[b]`, steps `starts[b] … starts[b] + length - 1`.

    Every step from `burn_in` on is an origin; `burn_in` is at least what the anchor reaches back.
    """
    steps = starts[:, None] + np.arange(length)  # (B, n)
    here = stations[:, None]
    places, present = history.neighbours[stations], history.present[stations]  # (B, k)
    filled, ago = history.own.within(here, steps)
    own, since = torch.from_numpy(filled), torch.from_numpy(ago.astype(np.float32))
    around, _ = history.own.within(places[:, :, None], steps[:, None])
    others = torch.from_numpy(around * present[:, :, None])
    told = [signal.within(here, steps) for signal in history.covariates]
    its = torch.from_numpy(_stacked([values for values, _ in told], steps.shape, axis=1))
    fresh = [(ago == 0).astype(np.float32) for _, ago in told]
    observed = torch.from_numpy(_stacked(fresh, steps.shape, axis=1))
    clock = torch.from_numpy(history.clock[steps])
    inputs = build_inputs(own, since, clock, others, its, observed, min(history.day, length))
    features = anchor_features(own, its, others, clock[:, burn_in:], anchor.lags, burn_in)
    rows = history.rows[stations]
    point = anchor.point(rows, features, own[:, burn_in:])
    return Windows(inputs, point, torch.from_numpy(anchor.gaps[rows]).unsqueeze(1), stations, steps[:, burn_in:])


def _stacked(parts: list[FloatArray], shape: tuple[int, ...], axis: int = 0) -> FloatArray:
    """Arrays of one shape along a new axis, which is empty where there are none."""
    return np.stack(parts, axis) if parts else np.zeros((*shape[:axis], 0, *shape[axis:]), np.float32)


def fit_anchor(
    history: History,
    held_out: HeldOut,
    horizon: int,
    lags: Lags,
    penalties: Penalties | None = None,
    level_penalty: float = 1.0,
    into: FloatArray | None = None,
) -> tuple[Anchor, Penalties]:
    """The closed-form forecast of a fleet's past with the spread of its errors there, and the penalties it has.

    The validation blocks choose the penalties, unless they are given. The weights are written into those of an earlier
    anchor, if they are given, which is lost then.
    """
    lesson = Lesson(
        lambda station, origins: history.features(station, lags, origins),
        lambda station, origins: history.truth(station, origins, horizon),
        history.own.filled, held_out, history.weight, lags, len(history.covariates), horizon, level_penalty,
    )  # fmt: skip
    weights, penalties = fit_weights(lesson, penalties, into)
    return anchor_of(weights, history, held_out, lags), penalties


def anchor_of(weights: FloatArray, history: History, held_out: HeldOut, lags: Lags) -> Anchor:
    """The closed-form forecast with these weights, (S + 1, F, H), and the spread of its errors on a fleet's past."""
    stations, horizon = history.stations, weights.shape[2]
    origins = np.flatnonzero(held_out.training[lags.reach :]) + lags.reach
    most = min(max(_ERRORS_IN_ALL // stations, _FEWEST_ERRORS), _MOST_ERRORS)
    origins = origins[:: max(1, len(origins) // most)]
    anchor = Anchor(weights, np.zeros((stations + 1, horizon, len(QUANTILES)), np.float32), lags)

    def errors_of(station: int) -> FloatArray:
        features = torch.from_numpy(history.features(station, lags, origins))
        level = torch.from_numpy(history.own.filled[station][origins])
        point = anchor.point(np.array([station]), features[None], level[None])[0].numpy()
        return history.truth(station, origins, horizon) - point

    gaps = error_gaps(map(errors_of, range(stations)), math.ceil(_ERRORS_IN_ALL / stations))
    return replace(anchor, gaps=gaps)


def targets_of(history: History, windows: Windows, horizon: int) -> tuple[Tensor, Tensor]:
    """Truth at every lead of every origin, and 1 where there is one: both (B, origins, H)."""
    first, origins = windows.origins[:, :1], windows.origins.shape[1]  # a window's origins follow each other
    following = history.truth(windows.stations[:, None, None], first + np.arange(origins + horizon - 1), 1)[..., 0]
    truth = np.lib.stride_tricks.sliding_window_view(following, horizon, axis=1)
    known = np.isfinite(truth)
    return torch.from_numpy(np.where(known, truth, np.float32(0.0))), torch.from_numpy(known).float()
