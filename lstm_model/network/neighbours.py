"""Which other stations tell most about each one's future."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lstm_model.panel.grid import FloatArray

_AHEAD = 6
_SAME = 0.02
"""A station of which the chosen ones explain all but this share says nothing new."""

_AT_ONCE = 2048
"""Steps that are looked at together."""

Vector = npt.NDArray[np.float64]


def choose_neighbours(anomaly: FloatArray, most: int) -> npt.NDArray[np.intp]:
    """For every station those whose anomalies, taken together, tell most about its coming change, the best first.

    Forward selection: the next one is judged by what it says beyond the station itself and those chosen before,
    so that two stations beside each other, or one under two names, are not both chosen.

    Args:
        anomaly: (S, T), NaN where unobserved.
        most: neighbours wanted.

    Returns:
        (S, k) rows, k = min(most, S - 1).
    """
    stations = len(anomaly)
    count = min(most, stations - 1)
    if count == 0:
        return np.zeros((stations, 0), np.intp)
    ahead = max(1, min(_AHEAD, anomaly.shape[1] // 4))
    together, told = np.zeros((stations, stations)), np.zeros((stations, stations))
    for begin in range(0, anomaly.shape[1] - ahead, _AT_ONCE):
        seen = anomaly[:, begin : begin + _AT_ONCE + ahead].astype(np.float64)
        now, change = np.nan_to_num(seen[:, :-ahead]), np.nan_to_num(seen[:, ahead:] - seen[:, :-ahead])
        together += now @ now.T
        told += change @ now.T
    return np.array([_forward(together, told[row], row, count) for row in range(stations)], np.intp)


def _forward(together: npt.NDArray[np.float64], told: Vector, own: int, count: int) -> list[int]:
    """Forward selection by a growing Cholesky factor: `left` is each station's variance not explained yet."""
    whole = np.maximum(np.diag(together), 1e-9)
    left, told, factor, chosen = whole.copy(), told.copy(), np.zeros((0, len(told))), [own]
    while True:
        newest = chosen[-1]
        root = np.sqrt(max(left[newest], 1e-9))
        row = (together[newest] - factor[:, newest] @ factor) / root
        told -= row * (told[newest] / root)
        left -= row**2
        factor = np.vstack([factor, row])
        if len(chosen) > count:
            return chosen[1:]
        gain = np.where(left > _SAME * whole, told**2 / np.maximum(left, 1e-9), 0.0)
        gain[chosen] = -1.0
        chosen.append(int(np.argmax(gain)))
