"""The trial of a challenger: newest days that no model has learnt from, and what everybody says about them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lstm_model.errors import HistoryTooShort, SettingsError
from lstm_model.evaluation.backtest import Backtest, run_backtest
from lstm_model.evaluation.bands import ratio_band
from lstm_model.evaluation.baselines import fit_baselines
from lstm_model.evaluation.gate import CHALLENGER, CHAMPION, Evidence
from lstm_model.evaluation.trust import level_jump
from lstm_model.network import Forecaster
from lstm_model.panel import Panel, build_panel
from lstm_model.readings import as_frequency, cadence, living
from lstm_model.settings import ModelSettings, Settings

_MOST_STEPS_APART = 2
"""Readings further apart than this leave more than half of the truth unknown, and the gate would refuse for ever."""


@dataclass(frozen=True)
class Window:
    """The gate's window: what may be learnt from ends one horizon before it.

    panel: everything known, window included; newest: the newest reading.
    """

    panel: Panel
    train_until: pd.Timestamp
    origins: pd.DatetimeIndex
    newest: pd.Timestamp

    @property
    def days(self) -> int:
        """Its length, from its first origin to its end."""
        return round((self.panel.times[-1] - self.origins[0]) / pd.Timedelta("1D"))

    @property
    def past(self) -> Panel:
        """What may be learnt from."""
        return self.panel.until(self.train_until)


@dataclass(frozen=True)
class Champion:
    """Who is to be beaten: a forecaster, or why it cannot be judged; and the time since it was trained or put back.

    verified_crps: how the forecasts that it issued did once their truth came, °C; NaN while that is not known.
    """

    forecaster: Forecaster | None
    age: pd.Timedelta
    fault: str | None = None
    verified_crps: float = math.nan


def living_panel(readings: pd.DataFrame, settings: ModelSettings, now: pd.Timestamp) -> Panel:
    """What is known of every living station, ending at the origin: the last whole step before `now`.

    Raises:
        HistoryTooShort: no station has a reading of the last 30 days.
    """
    origin = now.floor(settings.step)
    readings = living(readings[readings["observed_at"] <= origin], now)
    stations = tuple(sorted(readings["station_id"].unique()))
    if not stations:
        raise HistoryTooShort("no station has a reading of the last 30 days; there is nothing to forecast from")
    return build_panel(readings, settings.step, end=origin, stations=stations)


def gate_window(readings: pd.DataFrame, settings: Settings, now: pd.Timestamp) -> Window:
    """Cut the newest days off for judging; stations that fell silent a month ago are neither learnt nor judged.

    Raises:
        HistoryTooShort: less than `min_days` of history is left to learn from; says when it will be enough.
        SettingsError: the fleet speaks so seldom that most steps of the grid have no truth to judge by.
    """
    step, gate = settings.model.step, settings.gate
    readings = living(readings, now)
    opens = now.floor(step) - pd.Timedelta(days=gate.window_days)
    train_until = opens - settings.model.horizon_time
    needed = pd.Timedelta(days=settings.model.min_days)
    first = readings["observed_at"].min() if len(readings) else None
    if first is None or train_until - first < needed:
        begins = None if first is None else first + needed + (now.floor(step) - train_until)
        have = 0 if first is None else (now - first) / pd.Timedelta("1D")
        want = (needed + (now.floor(step) - train_until)) / pd.Timedelta("1D")
        raise HistoryTooShort(
            f"{have:.0f} days of readings are too few to train on: {want:.0f} are needed "
            f"({settings.model.min_days} to learn from, {want - settings.model.min_days:.0f} to judge on)"
            + ("" if begins is None else f"; training begins on {begins.ceil('1D'):%Y-%m-%d}")
        )
    apart = cadence(readings[readings["observed_at"] > opens])
    if apart is not None and apart > _MOST_STEPS_APART * step:
        raise SettingsError(
            f"the fleet speaks every {as_frequency(apart)}, and forecasts are made in steps of "
            f'{settings.model.frequency}: write frequency = "{as_frequency(apart)}" under [model] in nightcast.toml'
        )
    panel = build_panel(readings, step, end=now)
    last = now.floor(step) - settings.model.horizon_time
    origins = pd.date_range(opens, last, freq=settings.origin_spacing)
    return Window(panel, train_until, origins, pd.Timestamp(readings["observed_at"].max()))


def backtest_in_window(window: Window, forecasters: dict[str, Forecaster], horizon: int) -> Backtest:
    """Forecasters beside every baseline and the challenger's own ridge, on the window's origins."""
    methods = fit_baselines(window.past, horizon) | {"ridge": forecasters[CHALLENGER].ridge()} | forecasters
    return run_backtest(methods, window.panel, window.panel.index_of(window.origins), horizon)


def hold_trial(
    window: Window, challenger: Forecaster, champion: Champion | None, now: pd.Timestamp, horizon: int
) -> tuple[Evidence, Backtest]:
    """Both models and the baselines on the gate's window: all that the gate decides by."""
    forecasters, fault = {CHALLENGER: challenger}, champion.fault if champion else None
    if champion is not None and champion.forecaster is not None:
        forecasters[CHAMPION] = champion.forecaster
    backtest = backtest_in_window(window, forecasters, horizon)
    if CHAMPION in forecasters and not np.isfinite(backtest.forecasts[CHAMPION]).any():
        fault = "its forecasts are not finite"
        backtest = backtest.without(CHAMPION)
    low, high = _coverage_band(backtest)
    foreseeable = np.isfinite(backtest.forecasts["ridge"]).all(axis=-1)
    summary = backtest.summary()
    evidence = Evidence(
        crps={str(method): float(value) for method, value in summary["crps"].items()},
        confidence_worse={
            other: backtest.confidence_worse(CHALLENGER, other) for other in backtest.forecasts if other != CHALLENGER
        },
        origins=int(backtest.common.any(axis=(0, 2)).sum()),
        truth_share=backtest.truth_share,
        challenger_finite=bool(np.isfinite(backtest.forecasts[CHALLENGER][foreseeable]).all()),
        data_age_hours=(now - window.newest) / pd.Timedelta("1h"),
        has_champion=champion is not None,
        champion_fault=fault,
        champion_age_days=None if champion is None else champion.age / pd.Timedelta("1D"),
        coverage_80={str(method): float(value) for method, value in summary["coverage_80"].items()},
        coverage_low=low,
        coverage_high=high,
        level_jump=level_jump(window.panel, window.days),
        champion_verified_crps=math.nan if champion is None else champion.verified_crps,
    )
    return evidence, backtest


def _coverage_band(backtest: Backtest) -> tuple[float, float]:
    """90 % band of the challenger's coverage, NaN under twelve days of origins."""
    inside, cases = backtest.covered(CHALLENGER)
    days = pd.DataFrame({"inside": inside, "cases": cases}, index=backtest.origins.floor("1D")).groupby(level=0).sum()
    return ratio_band(days["inside"].to_numpy(float), days["cases"].to_numpy(float))
