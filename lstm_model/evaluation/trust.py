"""Whether the newest days can be trusted to judge by: a poisoned truth favours a model that learnt the poison."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lstm_model.panel import Panel

_RECENT_DAYS, _LEAST_EARLIER_DAYS = 42, 56


def level_jump(panel: Panel, window_days: int) -> float:
    """How far the fleet's level moved of late, beside how far it ever moved before: 1 is as far as ever.

    The level is the mean of as many days as the window has; a move is the difference of two such means, one right
    after the other, averaged over stations. Of late is the last six weeks.

    Measured on 347 windows of 14 days (New York, Beijing, Australia): honest ones at most 1.16. With 15 °C added to
    the last 35 days everywhere, 92 % pass 4/3 in New York, 83 % in Beijing, all in Australia; with 15 °C taken away
    100, 89 and 100 %. The others are those in which the weather happened to move the other way.

    Args:
        panel: everything known, the window at its end.
        window_days: its length.

    Returns:
        the ratio; NaN where there is too little history to compare with.
    """
    days = _daily(panel)
    moves = np.array([np.nan])
    if len(days) > 2 * window_days:
        levels = days.rolling(window_days, min_periods=max(1, window_days // 2)).mean()
        moves = (levels - levels.shift(window_days)).mean(axis=1).abs().dropna().to_numpy()
    late, early = moves[-_RECENT_DAYS:], moves[:-_RECENT_DAYS]
    if len(early) < _LEAST_EARLIER_DAYS or not early.max() > 0:
        return float("nan")
    return float(late.max() / early.max())


def _daily(panel: Panel) -> pd.DataFrame:
    """Every station's daily means, a column a station; NaN for days it said nothing."""
    frame = pd.DataFrame(panel.temperature_c.T, index=panel.times)
    return frame.groupby(frame.index.floor("1D")).mean()
