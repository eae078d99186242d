"""Which differences between rows are more than chance: Diebold–Mariano on CRPS, adjusted for many comparisons."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.table import Table

from lstm_model.evaluation import Backtest

OURS, OURS_WITH_COVARIATES = "ours", "ours_cov"


@dataclass(frozen=True)
class Comparison:
    """A row beside ours: by how much its CRPS over all leads is larger, 0.01 is 1 %, and how likely chance does that.

    p is two-sided; p_holm is adjusted over all comparisons of the data set. NaN with too few origins to tell.
    """

    row: str
    against: str
    crps_larger: float
    p: float
    p_holm: float


def comparisons(backtest: Backtest) -> list[Comparison]:
    """Every row against `ours`, those with `_cov` against `ours_cov`; `ours_cov` itself against `ours`."""
    rows = list(backtest.forecasts)
    pairs = [(row, against) for row in rows if (against := _reference(row, rows)) is not None]
    crps = backtest.summary()["crps"]
    confidences = [backtest.confidence_worse(row, against) for row, against in pairs]
    p_values = [2 * min(confidence, 1 - confidence) for confidence in confidences]
    return [
        Comparison(row, against, float(crps[row] / crps[against] - 1), p, p_holm)
        for (row, against), p, p_holm in zip(pairs, p_values, holm(p_values), strict=True)
    ]


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values so adjusted that under 5 % of families of true hypotheses have one below 0.05; NaN stays NaN.

    The smallest is multiplied by the number of hypotheses, the next by one less, and so on; none comes out smaller than
    the one before it.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted, floor = [math.nan] * len(p_values), 0.0
    told = [place for place in np.argsort(p_values, kind="stable").tolist() if not math.isnan(p_values[place])]
    for rank, place in enumerate(told):
        floor = max(floor, min(1.0, (len(told) - rank) * p_values[place]))
        adjusted[place] = floor
    return adjusted


def table_of_comparisons(dataset: str, found: list[Comparison]) -> Table:
    """For people."""
    table = Table(title=f"{dataset}: CRPS of each row beside ours, leads 1-48", title_justify="left")
    for heading in ("row", "against", "CRPS larger", "p", "p, Holm"):
        table.add_column(heading, justify="left" if heading in ("row", "against") else "right", no_wrap=True)
    for one in found:
        table.add_row(one.row, one.against, f"{one.crps_larger:+.1%}", f"{one.p:.4f}", f"{one.p_holm:.4f}")
    return table


def _reference(row: str, rows: list[str]) -> str | None:
    """What a row is compared with; None where that is not there."""
    with_covariates = "_cov" in row and row != OURS_WITH_COVARIATES
    against = OURS_WITH_COVARIATES if with_covariates else OURS
    return against if row != OURS and against in rows else None
