"""Limits that are expected to be passed: who hears of it, and how it is told."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from flows.events import Event, of_limits
from lstm_model.forecasts import ForecastStore
from lstm_model.forecasts.limits import LIMIT_COLUMNS, SIDES
from lstm_model.workspace import Workspace

log = logging.getLogger("nightcast.forecast")

LIMIT_HEADINGS = ("station", "limit °C", "highest chance", "when")


@dataclass(frozen=True)
class Expected:
    """One station's limit, and how likely a forecast finds it that it is passed.

    side: above or below. peak: the highest probability over all leads, at `peak_at`. first_at: the first time for which
    it reaches the probability that is told, None where none does.
    """

    station: str
    side: str
    limit_c: float
    peak: float
    peak_at: pd.Timestamp
    first_at: pd.Timestamp | None

    def __str__(self) -> str:
        since = f", from {self.first_at:%Y-%m-%d %H:%M} on" if self.first_at not in (None, self.peak_at) else ""
        when = f"for {self.peak_at:%Y-%m-%d %H:%M} UTC{since}"
        return f"{self.station} {self.side} {self.limit_c:g} °C with {chance_in_words(self.peak)} {when}"

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        first = {} if self.first_at is None else {"first_at": self.first_at.isoformat()}
        told = {"station": self.station, "side": self.side, "limit_c": self.limit_c}
        return told | {"probability": round(self.peak, 4), "at": self.peak_at.isoformat()} | first


def limits_of(forecast: pd.DataFrame, probability: float = 1.0) -> list[Expected]:
    """Every limit that a forecast knows of, the one most likely to be passed first.

    Args:
        forecast: rows of one issue, with or without `LIMIT_COLUMNS`.
        probability: from which on passing it is expected; of 1, none is.
    """
    found = []
    for side in SIDES if set(LIMIT_COLUMNS) <= set(forecast.columns) else ():
        limited = forecast[forecast[f"p_{side}"].notna()].sort_values("valid_at")
        for station, rows in limited.groupby("station_id"):
            chance = rows[f"p_{side}"].to_numpy(np.float64)
            reached, peak = rows.loc[chance >= probability, "valid_at"], int(chance.argmax())
            found.append(
                Expected(
                    str(station), side, _as_written(rows[f"limit_{side}_c"].iloc[0]), float(chance[peak]),
                    rows["valid_at"].iloc[peak], reached.iloc[0] if len(reached) else None,
                )
            )  # fmt: skip
    return sorted(found, key=lambda one: (-one.peak, one.station, one.side))


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


def chance_in_words(probability: float) -> str:
    """A probability in per cent; neither 0 nor 100 of them, which no forecast can promise."""
    return "<1%" if probability < 0.005 else ">99%" if probability >= 0.995 else f"{probability:.0%}"


def limits_table(forecast: pd.DataFrame) -> list[tuple[str, ...]]:
    """Rows of text under `LIMIT_HEADINGS`, the limit most likely to be passed first; none where there is no limit."""
    return [
        (one.station, f"{one.side} {one.limit_c:g}", chance_in_words(one.peak), f"{one.peak_at:%a %d %HZ}")
        for one in limits_of(forecast)
    ]


def _name(one: Expected) -> tuple[str, str, float]:
    return one.station, one.side, one.limit_c


def _as_written(limit: float) -> float:
    """A limit as its owner wrote it: 8.1, where the table keeps the nearest single."""
    return float(str(np.float32(limit)))
