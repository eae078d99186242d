"""Numbers and times as people read them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from lstm_model.forecasts.limits import chance_in_words
from lstm_model.words import count

METHODS = {
    "champion": "the trained model",
    "previous": "the model before the current one",
    "damped_anomaly": "a simple rule: today's difference from what is usual, fading",
    "climatology": "a simple rule: what is usual at this time of the year and the day",
    "persistence": "a simple rule: as it is now",
}
BASELINES = {
    "persistence": "“it stays as it is now”",
    "climatology": "“as usual for the season and hour”",
    "damped_anomaly": "“today's difference from usual fades”",
}
UNKNOWN = "–"
_MOST = 4
_CLEAR = pd.Timedelta("300D")
_A_WEEK = pd.Timedelta("6D")


def degrees(value: float, places: int = 1) -> str:
    """A temperature without its unit; a minus that is one.

    >>> degrees(-3.04)
    '−3.0'
    """
    if pd.isna(value):
        return UNKNOWN
    told = f"{value:.{places}f}"
    return told.replace("-", "−") if float(told) else told.lstrip("-")


def percent(share: float) -> str:
    """A share of one as whole per cent."""
    return UNKNOWN if pd.isna(share) else f"{100 * share:.0f} %".replace("-", "−")


def signed_percent(share: float) -> str:
    """The same with its sign."""
    told = f"{100 * share:+.0f} %".replace("-", "−")
    return UNKNOWN if pd.isna(share) else "0 %" if told[1:] == "0 %" else told


def chance(probability: float) -> str:
    """A chance that was forecast, in per cent, and neither 0 nor 100 of them.

    >>> chance(0.7), chance(0.9999)
    ('70 %', '>99 %')
    """
    return UNKNOWN if pd.isna(probability) else chance_in_words(probability).replace("%", " %")


def limit(value: float) -> str:
    """A limit as its owner wrote it, without its unit.

    >>> limit(8.25), limit(-40.0)
    ('8.25', '−40')
    """
    return f"{value:g}".replace("-", "−")


def clock(time: pd.Timestamp, zone: str, now: pd.Timestamp) -> str:
    """Day of the week and time, where the reader lives: Mon 07:00; with its date where that is not clear."""
    if pd.isna(time):
        return UNKNOWN
    away = abs(time - now)
    date = "" if away < _A_WEEK else " %-d %b," if away < _CLEAR else " %-d %b %Y,"
    return f"{time.tz_convert(zone):%a{date} %H:%M}"


def moment(time: pd.Timestamp, zone: str) -> str:
    """A whole date with its time."""
    return UNKNOWN if pd.isna(time) else f"{time.tz_convert(zone):%a %-d %b %Y, %H:%M}"


def day(time: pd.Timestamp, zone: str, now: pd.Timestamp) -> str:
    """A date; its year where that is not clear."""
    if pd.isna(time):
        return UNKNOWN
    return f"{time.tz_convert(zone):{'%-d %b' if now - time < _CLEAR else '%-d %b %Y'}}"


def ago(span: pd.Timedelta) -> str:
    """How long something has been.

    >>> ago(pd.Timedelta("50h")), ago(pd.Timedelta("90min")), ago(pd.Timedelta("5min"))
    ('2 days ago', '2 hours ago', '5 minutes ago')
    """
    if span < pd.Timedelta("1min"):
        return "just now"
    for unit, name in ((pd.Timedelta("1D"), "day"), (pd.Timedelta("1h"), "hour")):
        if span >= (1.5 if name == "hour" else 2) * unit:
            return f"{count(round(span / unit), name)} ago"
    return f"{count(round(span / pd.Timedelta('1min')), 'minute')} ago"


def named_few(names: Sequence[str], most: int = _MOST) -> str:
    """Names as in a sentence, the first few of many.

    >>> named_few(["a", "b", "c"]), named_few(["a", "b", "c", "d"], most=2)
    ('a, b and c', 'a, b and 2 more')
    """
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most:,} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else ""
