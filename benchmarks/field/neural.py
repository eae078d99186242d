"""neuralforecast's LSTM, NHITS and DLinear with its multi-quantile loss, global over stations, on a week of past.

Windows are standardised by their own past; LSTM and NHITS also get the hour of the day as sine and cosine, which
DLinear takes none of. The LSTM has one layer of 64, as ours has; steps see 128 windows; other settings are
neuralforecast's own, but for a rate that stays. Gaps in inputs are filled from the past and marked as not available,
so that no loss is counted there. Series are handed over in pieces of 30 days that overlap by a window: no window is
lost, and a step need not look through years for its 128.

Tuned: two settings each (`TRIED`) and 200, 400, 600 or 800 steps. Two trainings on what comes before the last 15 % are
judged every 200 steps by pinball loss from 60 origins spread over the last 15 %, and end at the first round that brings
nothing. The best is then trained anew on the whole. DLinear and NHITS choose between two rates, the LSTM between a
week of past and a step less than the horizon. On a past that is longer than the horizon, neuralforecast's LSTM reads
its first leads from states that have not seen the newest readings: lead 1 of 48 from the state 47 steps before the
origin. On a shorter one it stretches the states, and every lead sees all.
"""

from __future__ import annotations

import logging
import warnings
from typing import Any

import numpy as np
import pandas as pd
import torch
from neuralforecast import NeuralForecast, models
from neuralforecast.losses.pytorch import MQLoss

from benchmarks.field.task import FloatArray, Positions, Readings, Task, pinball

TRIED = {
    "LSTM": ((1e-3, "long"), (1e-3, "short")),
    "NHITS": ((1e-3, "long"), (3e-4, "long")),
    "DLinear": ((3e-3, "long"), (1e-3, "long")),
}
"""Rates, and whether the past is as long as ours or shorter than the horizon."""
ROUNDS, STEPS_A_ROUND = 4, 200
JUDGED_ORIGINS = 60
WINDOWS, PIECES, PIECE_DAYS = 128, 8, 30
SIZES: dict[str, dict[str, Any]] = {
    "LSTM": {"encoder_n_layers": 1, "encoder_hidden_size": 64, "decoder_hidden_size": 64},
    "NHITS": {},
    "DLinear": {},
}
CLOCK = ["day_sine", "day_cosine"]
_QUIET = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False, "logger": False}


class Neural:
    """One row; see above."""

    packages = ("neuralforecast", "torch", "pytorch-lightning", "pandas")

    def __init__(self, *, model: str) -> None:
        self._kind, self._tried, self._sizes = getattr(models, model), TRIED[model], SIZES[model]
        self._clock = CLOCK if self._kind.EXOGENOUS_FUTR else []

    def learn(self, readings: Readings, task: Task) -> str:
        """Two trainings, and the best anew on everything."""
        logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
        warnings.simplefilter("ignore")
        torch.set_num_threads(task.threads)
        self._task, tried = task, []
        before = readings.until(readings.split)
        judged = np.linspace(readings.split, readings.steps - 1 - task.horizon, JUDGED_ORIGINS).astype(np.intp)
        truth = readings.ahead(judged, task.horizon)
        for rate, past in self._tried:
            self._begin(rate, past)
            best = np.inf
            for rounds in range(1, ROUNDS + 1):
                self._go_on(before)
                loss = pinball(self.forecast(readings, judged), truth, task.quantiles)
                tried.append((loss, rounds, rate, past))
                if loss >= best:
                    break
                best = loss
        loss, rounds, rate, past = min(tried)
        self._begin(rate, past)
        for _ in range(rounds):
            self._go_on(readings)
        found = f"{rounds * STEPS_A_ROUND} steps, rate {rate}, {self._context} steps of past"
        return f"{found}, validation pinball loss {loss:.4f}"

    def forecast(self, readings: Readings, origins: Positions) -> FloatArray:
        """(S, O, H, Q) °C; every station and origin is a series of its own that ends at the origin."""
        filled, stations = readings.filled(), len(readings.temperature_c)
        past = origins[:, None] + np.arange(1 - self._context, 1)
        future = origins[:, None] + np.arange(1, self._task.horizon + 1)
        values = filled[:, np.maximum(past, 0)].reshape(stations * len(origins), -1)
        known = self._frame(readings, np.tile(past, (stations, 1))).assign(y=values.ravel(), available_mask=1.0)
        told = self._model.predict(known, futr_df=self._frame(readings, np.tile(future, (stations, 1))))
        quantiles = told.sort_values(["unique_id", "ds"]).drop(columns=["unique_id", "ds"]).to_numpy(np.float32)
        quantiles = np.sort(quantiles.reshape(stations, len(origins), self._task.horizon, -1), axis=-1)
        never = readings.last_observed()[:, origins] < 0
        return np.where(never[..., None, None], np.float32(np.nan), quantiles)

    def _begin(self, rate: float, past: str) -> None:
        task, clock = self._task, {"futr_exog_list": self._clock} if self._clock else {}
        self._context = task.context if past == "long" else task.horizon - 1
        model = self._kind(
            h=task.horizon, input_size=self._context, loss=MQLoss(quantiles=task.quantiles), max_steps=STEPS_A_ROUND,
            learning_rate=rate, num_lr_decays=0, scaler_type="standard", windows_batch_size=WINDOWS, batch_size=PIECES,
            random_seed=task.seed + 1, accelerator="cpu", **clock, **self._sizes, **_QUIET,
        )  # fmt: skip
        self._model = NeuralForecast([model], freq=1)

    def _go_on(self, readings: Readings) -> None:
        """`STEPS_A_ROUND` more steps."""
        length = PIECE_DAYS * readings.per_day
        window = self._context + self._task.horizon
        begins = np.arange(0, readings.steps - window + 1, length)
        pieces = [np.arange(begin, min(begin + length + window - 1, readings.steps)) for begin in begins]
        values, known = readings.filled(), np.isfinite(readings.temperature_c).astype(np.float32)
        frames = [
            self._frame(readings, piece[None], f"{row}|{piece[0]:08d}").assign(
                y=values[row, piece], available_mask=known[row, piece]
            )
            for row in range(len(values))
            for piece in pieces
        ]
        self._model.fit(pd.concat(frames, ignore_index=True))

    def _frame(self, readings: Readings, steps: Positions, name: str | None = None) -> pd.DataFrame:
        """One series a row of (N, L) steps, numbered in that order or named, with the clock."""
        turn = 2 * np.pi * readings.day_fraction(steps.ravel())
        clock = {"day_sine": np.sin(turn), "day_cosine": np.cos(turn)}
        series = np.repeat(np.arange(len(steps)), steps.shape[1]) if name is None else name
        return pd.DataFrame({"unique_id": series, "ds": steps.ravel(), **{name: clock[name] for name in self._clock}})
