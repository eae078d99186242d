"""How likely a limit is passed: from a forecast's quantiles to the probability of a temperature beyond it, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstm_model.network.forecaster import QUANTILE_COLUMNS
from lstm_model.readings.stations import Station
from lstm_model.settings import QUANTILES

SIDES = ("above", "below")
LIMIT_COLUMNS = ("limit_above_c", "p_above", "limit_below_c", "p_below")
PROBABILITY_COLUMNS = ("p_above", "p_below")
_LEVELS = np.array(QUANTILES)
_LEAST_SCALE_C = 0.01
"""Sensors tell no less; it also stands where the outermost quantiles coincide."""
_LEAST = 1e-4
"""Seven quantiles cannot tell a chance of one in ten thousand from a smaller one."""

UNWATCHED = "no limit is watched"
"""How it is told that the stations file, which has the limits, makes no sense."""

Array = npt.NDArray[np.floating]


def probability_below(quantiles: Array, limit: Array) -> npt.NDArray[np.float64]:
    """How likely the temperature is below a limit.

    The distribution is linear from quantile to quantile; a limit on a quantile has its level, one on several that
    coincide the middle of theirs. Beyond the outermost its tails are exponential and begin with the density that is
    there: with every further q95 − q90, the chance of more falls to 1 / e. `benchmarks/limits.py` says how this and
    other tails do on real readings.

    Args:
        quantiles: (..., 7) °C, at `QUANTILES`, rising.
        limit: (...) °C.

    Returns:
        (...) never below 0.0001 nor above 0.9999; NaN where anything is missing.

    >>> quantiles = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])
    >>> probability_below(quantiles, np.array([3.5, 7.0, 8.0])).round(3).tolist()
    [0.375, 0.95, 0.982]
    """
    shape = np.broadcast_shapes(np.shape(quantiles)[:-1], np.shape(limit))
    quantiles = np.broadcast_to(np.asarray(quantiles, np.float64), (*shape, len(_LEVELS)))
    limit = np.broadcast_to(np.asarray(limit, np.float64), shape)
    under = (quantiles < limit[..., None]).sum(axis=-1)
    upto = (quantiles <= limit[..., None]).sum(axis=-1)
    less = _tail(quantiles[..., 0] - limit, quantiles[..., 1] - quantiles[..., 0])
    more = _tail(limit - quantiles[..., -1], quantiles[..., -1] - quantiles[..., -2])
    below = np.select([upto == 0, under == len(_LEVELS)], [less, 1.0 - more], _within(quantiles, limit, under, upto))
    known = np.isfinite(quantiles).all(axis=-1) & np.isfinite(limit)
    return np.where(known, np.clip(below, _LEAST, 1.0 - _LEAST), np.nan)


def probability_above(quantiles: Array, limit: Array) -> npt.NDArray[np.float64]:
    """How likely the temperature is above a limit: what `probability_below` leaves."""
    return 1.0 - probability_below(quantiles, limit)


def with_limits(forecast: pd.DataFrame, stations: Mapping[str, Station]) -> pd.DataFrame:
    """A forecast with the limits of its stations, and how likely each is passed at every lead.

    Args:
        forecast: rows with station_id and the quantiles.
        stations: what the stations file says, by id.

    Returns:
        the rows and `LIMIT_COLUMNS`, float32; NaN where a station has no such limit.
    """
    quantiles = forecast[QUANTILE_COLUMNS].to_numpy(np.float64)
    added: dict[str, pd.Series | Array] = {}
    for side, probability in zip(SIDES, (probability_above, probability_below), strict=True):
        told = {name: getattr(station, f"limit_{side}_c") for name, station in stations.items()}
        limits = {name: np.float32(limit) for name, limit in told.items() if limit is not None}
        limit = forecast["station_id"].map(limits).astype(np.float32)
        added |= {f"limit_{side}_c": limit, f"p_{side}": probability(quantiles, limit).astype(np.float32)}
    return forecast.assign(**added)


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


def chance_in_words(probability: float) -> str:
    """A probability in per cent; neither 0 nor 100 of them, which no forecast can promise."""
    return "<1%" if probability <= 0.005 else ">99%" if probability >= 0.995 else f"{probability:.0%}"


def _within(
    quantiles: Array, limit: Array, under: npt.NDArray[np.intp], upto: npt.NDArray[np.intp]
) -> npt.NDArray[np.float64]:
    """The level of a limit between the outermost quantiles, of which `under` are below it, and `upto` not above."""
    before, after = np.clip(under - 1, 0, None), np.clip(under, None, len(_LEVELS) - 1)
    start, end = (np.take_along_axis(quantiles, which[..., None], axis=-1)[..., 0] for which in (before, after))
    rise = (limit - start) / np.where(end > start, end - start, 1.0)
    between = _LEVELS[before] + rise * (_LEVELS[after] - _LEVELS[before])
    on_some = (_LEVELS[after] + _LEVELS[np.clip(upto - 1, 0, None)]) / 2
    return np.where(upto > under, on_some, between)


def _tail(distance: Array, scale: Array) -> npt.NDArray[np.float64]:
    """The chance of what lies so far beyond the outermost quantile, which is `scale` from its neighbour."""
    return (1.0 - _LEVELS[-1]) * np.exp(-np.maximum(distance, 0.0) / np.maximum(scale, _LEAST_SCALE_C))


def _as_written(limit: float) -> float:
    """A limit as its owner wrote it: 8.1, where the table keeps the nearest single."""
    return float(str(np.float32(limit)))
