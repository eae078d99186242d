"""The network: one LSTM for every station, reading anomalies and answering with quantiles for every lead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate

import torch
from torch import Tensor, nn
from torch.nn import functional

from lstm_model.panel.signals import WAVES
from lstm_model.settings import MEDIAN, QUANTILES

OWN_CHANNELS = 4 + WAVES  # anomaly, its change, observed, steps since observed, and the calendar's waves
NEIGHBOUR_CHANNELS = 2  # anomaly, its change over a day
COVARIATE_CHANNELS = 2  # what it adds, observed
_LOUDEST = 3.0  # spreads stay within a factor e³ of the anchor's


class WeatherLSTM(nn.Module):
    """Long short-term memory over hours, a linear head over lead times.

    The head starts at zero, so that the untrained network leaves the anchor's answer as it is. All
    temperatures here are anomalies in units of their station's spread.
    """

    def __init__(self, neighbours: int, covariates: int, hidden_size: int, horizon: int, dropout: float) -> None:
        super().__init__()
        self.horizon = horizon
        channels = OWN_CHANNELS + NEIGHBOUR_CHANNELS * neighbours + COVARIATE_CHANNELS * covariates
        self.lstm = nn.LSTM(channels, hidden_size, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden_size, horizon * len(QUANTILES))
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        with torch.no_grad():  # a forget gate that starts open remembers from the first step
            forget_gate = slice(hidden_size, 2 * hidden_size)
            dict(self.lstm.named_parameters())["bias_ih_l0"][forget_gate] = 1.0
            dict(self.lstm.named_parameters())["bias_hh_l0"][forget_gate] = 0.0

    def forward(self, inputs: Tensor, burn_in: int) -> Tensor:
        """Corrections to the anchor at every step after the burn-in.

        Args:
            inputs: (B, n, C) from `build_inputs`.
            burn_in: first steps that only warm up the state.

        Returns:
            (B, n - burn_in, H, Q).
        """
        states, _ = self.lstm(inputs)  # (B, n, hidden)
        horizon, levels = self.horizon, len(QUANTILES)
        # In memory one quantile after another: what follows goes through whole quantiles, twice as fast.
        weight = self.head.weight.view(horizon, levels, -1).transpose(0, 1).flatten(0, 1)
        bias = self.head.bias.view(horizon, levels).transpose(0, 1).flatten()
        raw = functional.linear(self.dropout(states[:, burn_in:]), weight, bias)  # (B, m, Q · H)
        return raw.view(*raw.shape[:2], levels, horizon).transpose(-1, -2)


def build_inputs(
    own: Tensor, since: Tensor, clock: Tensor, others: Tensor, covariates: Tensor, observed: Tensor, day: int
) -> Tensor:
    """What the LSTM reads at every step. Only the window itself is looked at.

    Args:
        own: (B, n) anomalies, gaps filled from the past.
        since: (B, n) steps since the last observation, 0 where observed.
        clock: (B, n, WAVES) from `calendar`.
        others: (B, k, n) the neighbours' anomalies.
        covariates: (B, C, n) what they add to the temperature, gaps filled.
        observed: (B, C, n) 1 where they were observed.
        day: steps per day.

    Returns:
        (B, n, OWN_CHANNELS + 2k + 2C).
    """
    change = torch.diff(own, dim=1, prepend=own[:, :1])
    over_a_day = torch.zeros_like(others)
    over_a_day[:, :, day:] = others[:, :, day:] - others[:, :, :-day]
    per_step = torch.stack([own, change, (since == 0).float(), torch.log1p(since) / 5.0], dim=2)  # (B, n, 4)
    around = torch.cat([others, over_a_day, covariates, observed], dim=1).transpose(1, 2)  # (B, n, 2k + 2C)
    return torch.cat([per_step, clock, around], dim=2)


def to_quantiles(raw: Tensor, anchor: Tensor, gaps: Tensor) -> Tensor:
    """Turn the head's output into quantiles that cannot cross.

    Args:
        raw: (..., H, Q) the head's output: a shift at the median, log-factors of the spread elsewhere.
        anchor: (..., H) the closed-form point forecast.
        gaps: (..., H, Q) distance of each quantile to the next one towards the median, of the anchor's errors.

    Returns:
        (..., H, Q) increasing along Q.
    """
    return torch.stack(quantiles_apart(raw, anchor, gaps), dim=-2).transpose(-1, -2)


def quantiles_apart(raw: Tensor, anchor: Tensor, gaps: Tensor) -> list[Tensor]:
    """The same as one tensor a quantile, (..., H) each: what training goes through stays in the processor's cache."""
    shifts, usual = raw.unbind(-1), gaps.unbind(-1)
    median = anchor + shifts[MEDIAN]

    def outwards(levels: Iterable[int], move: Callable[[Tensor, Tensor], Tensor]) -> list[Tensor]:
        widths = (torch.exp(_LOUDEST * torch.tanh(shifts[level] / _LOUDEST)) * usual[level] for level in levels)
        return list(accumulate(widths, move, initial=median))[1:]

    below = outwards(reversed(range(MEDIAN)), torch.sub)
    return [*reversed(below), median, *outwards(range(MEDIAN + 1, len(shifts)), torch.add)]


def pinball_loss(quantiles: Sequence[Tensor], truth: Tensor, weight: Tensor) -> Tensor:
    """Mean pinball loss over quantiles and over the cases that count.

    Args:
        quantiles: Q times (..., H).
        truth: (..., H), anything where the weight is 0.
        weight: (..., H), 0 where there is no truth to learn from.
    """
    loss = torch.zeros_like(truth)
    for level, quantile in zip(QUANTILES, quantiles, strict=True):
        error = truth - quantile  # counts `level` times where positive, `level - 1` times where negative
        loss = loss + level * functional.leaky_relu(error, (level - 1.0) / level)
    return (loss * weight).sum() / (len(QUANTILES) * weight.sum().clamp(min=1.0))
