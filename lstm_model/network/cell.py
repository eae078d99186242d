"""The LSTM cell, gate by gate: what `torch.nn.LSTM` computes, written out to be read and looked at.

At every step t the cell reads x, what it is shown, beside h, what it said last, and carries a memory c from step to
step, which only the gates change:

    forget     f = σ(W_f x + U_f h + b_f)        how much of the memory stays
    input      i = σ(W_i x + U_i h + b_i)        how much of the news is let in
    candidate  g = tanh(W_g x + U_g h + b_g)     the news
    cell state c ← f ⊙ c + i ⊙ g                 the memory
    output     o = σ(W_o x + U_o h + b_o)        how much of the memory is said
    hidden     h ← o ⊙ tanh(c)                   what it says

A gradient that flows back along c is only multiplied by f: with forget gates open, what was seen a hundred steps ago
still teaches. A plain recurrent network multiplies by the same matrix at every step, and forgets or explodes.

Source: Hochreiter & Schmidhuber (1997), doi:10.1162/neco.1997.9.8.1735; the forget gate: Gers, Schmidhuber & Cummins
(2000), doi:10.1162/089976600300015015.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Gates:
    """What went on inside the cell: each (B, n, hidden); the gates lie between 0 and 1."""

    forget: Tensor
    input: Tensor
    candidate: Tensor
    cell_state: Tensor
    output: Tensor
    hidden: Tensor


def walk_through(lstm: nn.LSTM, inputs: Tensor) -> Gates:
    """Run a one-layer LSTM step by step and keep what every gate did.

    Args:
        lstm: one layer, one direction, batch first.
        inputs: (B, n, C).

    Returns:
        The gates; `hidden` is what `lstm(inputs)` returns first.

    Raises:
        ValueError: the LSTM has several layers or directions, or a projection.
    """
    if lstm.num_layers != 1 or lstm.bidirectional or lstm.proj_size or not lstm.batch_first or not lstm.bias:
        raise ValueError(f"expected one layer in one direction, batch first, with bias; got {lstm}")
    parts = dict(lstm.named_parameters())
    from_input, from_hidden = parts["weight_ih_l0"], parts["weight_hh_l0"]  # (4·hidden, C), (4·hidden, hidden)
    bias = parts["bias_ih_l0"] + parts["bias_hh_l0"]  # torch keeps two; only their sum matters
    h = c = inputs.new_zeros(len(inputs), lstm.hidden_size)
    steps: list[tuple[Tensor, ...]] = []
    for x in inputs.unbind(1):  # (B, C)
        i, f, g, o = (x @ from_input.T + h @ from_hidden.T + bias).chunk(4, dim=1)  # torch's order
        f, i, g, o = torch.sigmoid(f), torch.sigmoid(i), torch.tanh(g), torch.sigmoid(o)
        c = f * c + i * g
        h = o * torch.tanh(c)
        steps.append((f, i, g, c, o, h))
    return Gates(*(torch.stack(part, dim=1) for part in zip(*steps, strict=True)))
