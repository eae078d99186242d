"""Dense training: one pass over a long window teaches every hour after the burn-in as a forecast origin."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from lstm_model.errors import ModelUnavailable, SettingsError
from lstm_model.network.anchor import Anchor
from lstm_model.network.history import History, Windows, cut_windows, targets_of
from lstm_model.network.weather_lstm import WeatherLSTM, pinball_loss, quantiles_apart
from lstm_model.panel import HeldOut
from lstm_model.panel.grid import FloatArray

DROPOUT = 0.5
LEARNING_RATE = 1e-3
WEIGHT_DECAY = 1e-2
BATCH = 32
ORIGINS_PER_WINDOW = 168
PATIENCE = 5
SHARES = (1.0, 0.75, 0.5, 0.25, 0.0)
"""The network may over-reach on a short history: the share of its correction that validation rewards is kept."""
MOST_STEPS_PER_EPOCH = 200
LARGEST_GRADIENT = 1.0
_BURN_IN = 48
_MOST_EXAM_WINDOWS = 512
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Recipe:
    """What a network is and how it is taught: no settings, since validation has chosen; benchmarks try others."""

    network: type[WeatherLSTM] = WeatherLSTM
    batch: int = BATCH
    """Windows a step."""
    origins_per_window: int = ORIGINS_PER_WINDOW
    burn_in: int | None = None
    """Steps of a window before its first origin; None: as few as the anchor can do with."""


@dataclass(frozen=True)
class Epoch:
    """Mean pinball loss of one pass, in units of each station's spread; validation is NaN without blocks."""

    epoch: int
    training_loss: float
    validation_loss: float


def train_network(
    history: History,
    anchor: Anchor,
    held_out: HeldOut,
    *,
    hidden_size: int,
    context: int,
    max_epochs: int,
    seed: int,
    device: torch.device = CPU,
    parent: WeatherLSTM | None = None,
    recipe: Recipe = Recipe(),
    on_epoch: Callable[[Epoch], None] | None = None,
) -> tuple[WeatherLSTM, list[Epoch]]:
    """Train one network, and keep the state that did best on the validation blocks.

    Args:
        history: the fleet's past.
        anchor: the closed-form forecast it starts from.
        held_out: which origins may be learnt from, and which stop the training.
        hidden_size: width of the LSTM's state.
        context: steps of past a forecast will see.
        max_epochs: passes at most; 0 returns the anchor unchanged.
        seed: of initialisation, order and dropout.
        device: what the network is trained on; it comes back to the CPU.
        parent: an earlier network of the same shape to go on from.
        recipe: what the network is and how it is taught.
        on_epoch: called after every pass.

    Returns:
        The network, and every epoch's losses; epoch 0 is the anchor, or the parent, before any step.
    """
    torch.manual_seed(seed)
    neighbours, covariates = history.neighbours.shape[1], len(history.covariates)
    network = recipe.network(neighbours, covariates, hidden_size, anchor.horizon, DROPOUT)
    burn_in = burn_in_of(anchor, context) if recipe.burn_in is None else recipe.burn_in
    if max_epochs == 0 or history.steps <= burn_in or not held_out.training[burn_in:].any():
        return network.eval(), []
    if parent is not None:
        network.load_state_dict(parent.state_dict())
    lesson = _Lesson(network.to(device), history, anchor, held_out, burn_in, device, recipe)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max_epochs * lesson.steps_per_epoch)
    chance = np.random.default_rng(seed)
    untaught_loss, best_share = lesson.validate()
    epochs = [Epoch(0, math.nan, untaught_loss)]
    best, best_state = epochs[0], copy.deepcopy(network.state_dict())
    for number in range(1, max_epochs + 1):
        training_loss = lesson.teach(optimizer, schedule, chance)
        validation_loss, share = lesson.validate()
        epochs.append(Epoch(number, training_loss, validation_loss))
        if on_epoch is not None:
            on_epoch(epochs[-1])
        if not math.isfinite(training_loss):
            raise ModelUnavailable(f"training diverged in epoch {number}: its loss is no number any more")
        if not lesson.has_exam or validation_loss < best.validation_loss:
            best, best_share, best_state = epochs[-1], share, copy.deepcopy(network.state_dict())
        elif number - best.epoch >= PATIENCE:
            break
    network.load_state_dict(best_state)
    with torch.no_grad():  # the head is linear: scaling it scales the correction
        network.head.weight.mul_(best_share)
        network.head.bias.mul_(best_share)
    return network.to(CPU).eval(), epochs


def device_called(name: str) -> torch.device:
    """The device to train on.

    Raises:
        SettingsError: this machine, or this build of torch, has none of that kind.
    """
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not available[name]:
        raise SettingsError(
            f"model.device = {name!r}, but torch finds none here: set it to cpu, or do this where there is one"
        )
    if name == "cuda":
        os.environ.setdefault(
            "CUBLAS_WORKSPACE_CONFIG", ":4096:8"
        )  # without it, sums may come out another way each time
    return torch.device(name)


def device_here(name: str) -> str:
    """What `model.device` is on this machine, in words; another make of GPU rounds differently."""
    if name != "cuda":
        return name
    return f"cuda, {torch.cuda.get_device_name()}" if torch.cuda.is_available() else "cuda, of which none is here"


def burn_in_of(anchor: Anchor, context: int) -> int:
    """Steps that only warm up the state, at most what a forecast sees."""
    return min(max(_BURN_IN, anchor.lags.reach), context - 1)


class _Lesson:
    """What a network is taught and examined on: the same from the first step to the last."""

    def __init__(
        self,
        network: WeatherLSTM,
        history: History,
        anchor: Anchor,
        held_out: HeldOut,
        burn_in: int,
        device: torch.device,
        recipe: Recipe = Recipe(),
    ) -> None:
        self._network, self._history, self._anchor, self._burn_in = network, history, anchor, burn_in
        self._device, self._batch = device, recipe.batch
        self._length = min(burn_in + recipe.origins_per_window, history.steps)
        wanted = math.ceil(history.own.filled.size / (ORIGINS_PER_WINDOW * BATCH))
        self.steps_per_epoch = min(wanted, MOST_STEPS_PER_EPOCH)
        self._taught = held_out.training * history.weight
        self._examined = held_out.validation.astype(np.float32)
        self._exam = list(_validation_windows(history, anchor, held_out, burn_in))
        self._cases = [float(self._targets(windows, self._examined)[1].sum()) for windows in self._exam]

    @property
    def has_exam(self) -> bool:
        """Whether there are validation blocks to stop by."""
        return bool(self._exam)

    def teach(
        self, optimizer: torch.optim.Optimizer, schedule: torch.optim.lr_scheduler.LRScheduler, chance: Generator
    ) -> float:
        """One pass over windows drawn by chance, of whose origins those teach that may; returns the mean loss."""
        self._network.train()
        total = 0.0
        for _ in range(self.steps_per_epoch):
            rows = chance.integers(self._history.stations, size=self._batch)
            starts = chance.integers(self._history.steps - self._length + 1, size=self._batch)
            windows = cut_windows(self._history, self._anchor, rows, starts, self._length, self._burn_in)
            (loss,) = self._losses(windows, self._taught, (1.0,))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self._network.parameters(), LARGEST_GRADIENT)
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
        return total / self.steps_per_epoch

    def validate(self) -> tuple[float, float]:
        """The loss on the validation blocks, and the share of the correction that reaches it."""
        if not self._exam:
            return math.nan, 1.0
        self._network.eval()
        with torch.no_grad():
            parts = [[float(loss) for loss in self._losses(w, self._examined, SHARES)] for w in self._exam]
        losses = np.average(parts, axis=0, weights=self._cases) if any(self._cases) else np.zeros(len(SHARES))
        return min(zip(map(float, losses), SHARES, strict=True))

    def _targets(self, windows: Windows, counted: FloatArray) -> tuple[Tensor, Tensor]:
        truth, known = targets_of(self._history, windows, self._network.horizon)
        return truth, known * torch.from_numpy(counted[windows.origins]).unsqueeze(-1)

    def _losses(self, windows: Windows, counted: FloatArray, shares: Sequence[float]) -> list[Tensor]:
        truth, weight = (part.to(self._device) for part in self._targets(windows, counted))
        windows = windows.to(self._device)
        raw = self._network(windows.inputs, self._burn_in)
        kept = (raw if share == 1.0 else share * raw for share in shares)
        answers = (quantiles_apart(some, windows.anchor, windows.gaps) for some in kept)
        return [pinball_loss(answer, truth, weight) for answer in answers]


def _validation_windows(history: History, anchor: Anchor, held_out: HeldOut, burn_in: int) -> Iterator[Windows]:
    """Every validation block of every station as one window, so that one pass scores all its origins.

    A batch at a time: a pass over all at once takes memory by the gigabyte. Nothing where no block has a burn-in
    before it.
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], held_out.validation.astype(np.int8), [0]])))
    firsts, ends = edges[::2], edges[1::2]
    firsts, ends = firsts[firsts >= burn_in], ends[firsts >= burn_in]
    if len(firsts) == 0:
        return
    stations = np.repeat(np.arange(history.stations), len(firsts))
    starts = np.tile(firsts - burn_in, history.stations)
    thinned = slice(None, None, math.ceil(len(starts) / _MOST_EXAM_WINDOWS))  # a large fleet is examined in part
    stations, starts, length = stations[thinned], starts[thinned], int((ends - firsts).max()) + burn_in
    for begin in range(0, len(starts), BATCH):
        batch = slice(begin, begin + BATCH)
        yield cut_windows(history, anchor, stations[batch], starts[batch], length, burn_in)
