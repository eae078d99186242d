"""Time as a horizontal axis."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

_SIZES = ("1h", "3h", "6h", "12h", "1D", "2D", "4D", "7D", "14D", "28D", "91D", "182D", "364D")
_DAY, _NAMED = pd.Timedelta("1D"), pd.Timedelta("4D")


def hours(times: pd.Series | pd.DatetimeIndex) -> npt.NDArray[np.float64]:
    """Times as hours since 1970."""
    return pd.DatetimeIndex(times).as_unit("s").asi8 / 3600.0


def hour(time: pd.Timestamp) -> float:
    """One time as hours since 1970."""
    return float(time.timestamp()) / 3600.0


def time_ticks(first: pd.Timestamp, last: pd.Timestamp, zone: str, most: int = 6) -> list[tuple[float, str]]:
    """Places and words along a span of time: local midnights, or round hours where the span is short.

    A midnight that the clocks skip lies where they go on; of one that comes twice, the first counts.

    >>> begin = pd.Timestamp("2024-03-01T18:00Z")
    >>> [words for _, words in time_ticks(begin, begin + pd.Timedelta("2D"), "UTC", most=3)]
    ['Sat 2', 'Sun 3']
    """
    start, end = (time.tz_convert(zone).tz_localize(None) for time in (first, last))
    step = next((size for size in map(pd.Timedelta, _SIZES) if (end - start) / size <= most), pd.Timedelta(_SIZES[-1]))
    clocks = pd.date_range(start.normalize(), end, freq=step)
    places = clocks.tz_localize(zone, nonexistent="shift_forward", ambiguous=np.ones(len(clocks), bool))
    shown = (places >= first) & (places <= last) & ~places.duplicated()
    return [(hour(place), _words(clock, step)) for place, clock in zip(places[shown], clocks[shown], strict=True)]


def _words(clock: pd.Timestamp, step: pd.Timedelta) -> str:
    if step < _DAY and (clock.hour, clock.minute) != (0, 0):
        return f"{clock:%H:%M}"
    return f"{clock:%a %-d}" if step < _NAMED else f"{clock:%-d %b}"
