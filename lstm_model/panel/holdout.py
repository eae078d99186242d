"""Blocks of history kept away from learning: some to stop the training by, some to calibrate on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

BLOCK_DAYS = 10
_LEAST_HORIZONS = 3
_BLOCKS_PER_PAIR = 15
_MOST_PAIRS = 12

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class HeldOut:
    """Which steps serve what, over a grid of T steps.

    training: (T,) origins whose every target may be learnt from.
    validation: (T,) origins to stop the training by.
    calibration: (T,) origins to calibrate the quantiles on.
    fitted: (T,) steps that scaling, climatology and anchor may look at.
    """

    training: BoolArray
    validation: BoolArray
    calibration: BoolArray
    fitted: BoolArray

    @classmethod
    def nothing(cls, steps: int) -> HeldOut:
        """Everything may be learnt from; the last step has no target."""
        never, always = np.zeros(steps, bool), np.ones(steps, bool)
        return cls(np.arange(steps) < steps - 1, never, never.copy(), always)


def hold_out_blocks(times: pd.DatetimeIndex, horizon: int) -> HeldOut:
    """Spread blocks of ten days, three horizons at least, over the history, for validation and calibration in turn.

    An origin is learnt from only if neither it nor any of its targets lies in a block, nor within one horizon
    behind one. A block's origins are those whose targets all stay inside it. Histories too short for two blocks
    keep nothing back: training then runs its course, and quantiles stay as they are.

    Args:
        times: (T,) the grid.
        horizon: longest lead in steps.
    """
    steps = len(times)
    per_day = pd.Timedelta("1D") / (times[1] - times[0]) if steps > 1 else 1.0
    length = max(round(BLOCK_DAYS * per_day), _LEAST_HORIZONS * horizon)
    blocks = 2 * min(round(steps / (_BLOCKS_PER_PAIR * length)), _MOST_PAIRS)
    held_out = HeldOut.nothing(steps)
    for block in range(blocks):
        start = int((block + 0.5) * steps / blocks - length / 2)
        end = start + length
        held_out.training[max(start - horizon, 0) : end + horizon] = False
        held_out.fitted[start:end] = False
        (held_out.validation if block % 2 == 0 else held_out.calibration)[start : end - horizon] = True
    return held_out
