"""Limits that are expected to be passed: who hears of it, and how it is told."""

from __future__ import annotations

import logging

import pandas as pd

from flows.events import Event, of_limits
from lstm_model.forecasts import ForecastStore
from lstm_model.forecasts.limits import Expected, chance_in_words, limits_of
from lstm_model.workspace import Workspace

log = logging.getLogger("nightcast.forecast")

LIMIT_HEADINGS = ("station", "limit °C", "highest chance", "when (UTC)")


def news_of_limits(workspace: Workspace, issue: pd.DataFrame) -> list[Event]:
    """The event that limits are expected to be passed, if the issue before did not say so already.

    That is the newest one from an earlier origin, and it counts as far as it speaks of times still ahead, and of the
    same limit. So an issue that is made again from the same origin tells the same again, whether or not it was killed
    the first time; and one from an origin that a later issue has overtaken tells nothing.
    """
    try:
        probability = workspace.settings.notify.limit_probability
        expected = [one for one in limits_of(issue, probability) if one.first_at is not None]
        if not expected:
            return []
        issued_at = issue["issued_at"].iloc[0]
        store = ForecastStore(workspace.forecasts, workspace.scores, workspace.latest)
        if store.newest_issue()["issued_at"].iloc[0] > issued_at:
            return []
        told = {_name(one) for one in limits_of(store.issue_before(issued_at), probability) if one.first_at is not None}
        news = [one for one in expected if _name(one) not in told]
        return of_limits(news, len(expected) - len(news), issued_at, probability)
    except Exception as error:  # the forecast is out; that nobody hears of its limits must not undo it
        log.warning("cannot see which limits are expected to be passed: %s", error)
        return []


def limits_table(forecast: pd.DataFrame) -> list[tuple[str, ...]]:
    """Rows of text under `LIMIT_HEADINGS`, the limit most likely to be passed first; none where there is no limit."""
    return [
        (one.station, f"{one.side} {one.limit_c:g}", chance_in_words(one.peak), f"{one.peak_at:%a %d %H:%M}")
        for one in limits_of(forecast)
    ]


def _name(one: Expected) -> tuple[str, str, float]:
    return one.station, one.side, one.limit_c
