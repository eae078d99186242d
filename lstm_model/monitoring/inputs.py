"""Rules over what came in: an unusual level, stations that fell silent, data that stay away."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstm_model.monitoring.finding import FLEET, Finding, finding, stand
from lstm_model.monitoring.spells import means_by_night
from lstm_model.panel import build_panel
from lstm_model.readings.store import FORGET_AFTER
from lstm_model.readings.usual import Usual, values_of
from lstm_model.settings import DriftRule, LateRule, MonitorSettings, SilentRule

COLUMNS = ("ingested_at",)
"""What is read of the readings table beyond key and temperature."""
_A_NIGHT_TAKES = pd.Timedelta(minutes=10)
"""What a night takes in itself is stamped a little later than the night, and was there for it all the same."""
_DAY = pd.Timedelta("1D")
_NEVER = np.iinfo(np.int64).min

Array = npt.NDArray[np.float64]


def days_needed(settings: MonitorSettings) -> int:
    """So many days of readings are looked at, last night's verdict included."""
    nights = max(settings.silent.nights, settings.late.nights) + 1
    return max(FORGET_AFTER // _DAY + nights, settings.drift.days + settings.drift.nights + 1)


def input_findings(
    readings: pd.DataFrame, now: pd.Timestamp, usual: Mapping[str, Usual], step: pd.Timedelta, settings: MonitorSettings
) -> list[Finding]:
    """What the readings say.

    Args:
        readings: usable ones of the last `days_needed` days, with `ingested_at`; nothing observed after `now`.
        now: the night.
        usual: what is usual at each station.
        step: the grid's step.
        settings: limits and hysteresis.
    """
    if readings.empty:
        return []
    return [*_drift(readings, now, usual, step, settings.drift), *_absent(readings, now, settings)]


# ── level ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _drift(
    readings: pd.DataFrame, now: pd.Timestamp, usual: Mapping[str, Usual], step: pd.Timedelta, rule: DriftRule
) -> list[Finding]:
    """How far the fleet lies from what is usual; nothing before the seasons are known, which would be told as drift."""
    known = {name: its for name, its in usual.items() if its.knows_seasons}
    since = now - (rule.days + rule.nights) * _DAY
    recent = readings[(readings["observed_at"] > since) & readings["station_id"].isin(list(known))]
    if recent.empty:
        return []
    stations = tuple(sorted(recent["station_id"].unique()))
    panel = build_panel(
        recent[["station_id", "observed_at", "temperature_c"]], step, start=since + step, end=now, stations=stations
    )
    spreads = np.array([known[name].spread_c for name in stations])
    off = (panel.temperature_c - values_of([known[name] for name in stations], panel.times)) / spreads[:, None]
    seen = np.isfinite(off)
    day = ((now - panel.times) // _DAY).to_numpy(np.int64)
    days = rule.days + rule.nights + 1
    sums, counts = (
        np.bincount(day, each.sum(axis=0), days).astype(np.float64) for each in (np.where(seen, off, 0.0), seen)
    )
    levels = means_by_night(sums, counts, rule.days, rule.nights + 1)
    breaches = list(np.abs(levels) > rule.limit)
    stood, value = stand(breaches, breaches[1:], rule.breached, rule.nights), float(levels[0])
    told = f"over the last {rule.days} days the fleet lay {value:+.1f} usual spreads from what is usual in this season"
    return [
        finding(
            "drift", FLEET, value, rule.limit, rule.nights, stood,
            well=told,
            alarm=f"{told}, and {rule.limit:g} is the most: look whether the readings are true (units, a source that "
            "changed), for models have not learnt from such; `nightcast check SOURCE` shows how they are understood",
        )
    ]  # fmt: skip


# ── what is missing ────────────────────────────────────────────────────────────────────────────────────────────


def _absent(readings: pd.DataFrame, now: pd.Timestamp, settings: MonitorSettings) -> list[Finding]:
    silent, late = settings.silent, settings.late
    names, ages = _ages(readings, now, max(silent.nights, late.nights) + 1)
    fleet = np.fmin.reduce(ages, axis=1)  # (N,) hours since anything came
    return [_late(fleet, late, now), *_silent(names, ages, fleet, silent)]


def _ages(readings: pd.DataFrame, now: pd.Timestamp, nights: int) -> tuple[list[str], Array]:
    """Hours since every station's newest reading, as each night knew it: (N, S), tonight first.

    NaN where a night knew of none within a month: the station is not there yet, or gone.
    """
    codes, names = pd.factorize(readings["station_id"], sort=True)
    observed, came = (pd.DatetimeIndex(readings[name]).as_unit("us").asi8 for name in ("observed_at", "ingested_at"))
    ages = np.full((nights, len(names)), np.nan)
    for night in range(nights):
        micros = (now - night * _DAY).value // 1000
        known = (observed <= micros) & (came <= micros + _A_NIGHT_TAKES.value // 1000)
        newest = np.full(len(names), _NEVER)
        np.maximum.at(newest, codes[known], observed[known])
        age = np.where(newest == _NEVER, np.nan, (micros - newest) / 3.6e9)
        ages[night] = np.where(age <= FORGET_AFTER / pd.Timedelta("1h"), age, np.nan)
    return [str(name) for name in names], ages


def _late(fleet: Array, rule: LateRule, now: pd.Timestamp) -> Finding:
    breaches = list(fleet > rule.limit)
    stood, value = stand(breaches, breaches[1:], rule.breached, rule.nights), float(fleet[0])
    told = f"the newest usable reading came {value:.0f} h before the night"
    return finding(
        "late", FLEET, value, rule.limit, rule.nights, stood,
        well=told,
        alarm=f"{told}, and {rule.limit:g} h are allowed: every source has stopped; `nightcast check SOURCE` shows "
        "what one would bring now",
    )  # fmt: skip


def _silent(names: list[str], ages: Array, fleet: Array, rule: SilentRule) -> list[Finding]:
    """Stations that are silent while others speak, and those that speak again; how many, as a word on the fleet."""
    quiet = (ages > rule.limit) & ~(fleet > rule.limit)[:, None]  # (N, S)
    found = []
    for row in np.flatnonzero(quiet[: rule.nights + 1].any(axis=0)):
        breaches = list(quiet[:, row])
        stood, value = stand(breaches, breaches[1:], rule.breached, rule.nights), float(ages[0, row])
        if not stood.raised and not stood.raised_before:
            continue
        found.append(
            finding(
                "silent", names[row], value, rule.limit, rule.nights, stood,
                well=f"{names[row]} speaks again" if value <= rule.limit else f"{names[row]} is taken to be gone",
                alarm=f"{names[row]} has had no usable reading for {value:.0f} h while others have: see whether it "
                "has power and a connection; `nightcast quarantine` and its flags tell whether its rows were refused",
            )
        )  # fmt: skip
    return found
