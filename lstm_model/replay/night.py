"""One past night lived again: a fresh challenger, its trial, and what every policy would have forecast."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd

from lstm_model.errors import HistoryTooShort, in_words
from lstm_model.evaluation import (
    Champion,
    Evidence,
    Judgement,
    Title,
    decide,
    fit_baselines,
    from_its_end,
    gate_window,
    hold_trial,
    living_panel,
    try_champion,
)
from lstm_model.forecasts.issue import LAST_RUNGS, Rung, climb_down, finite, rows_of, serve
from lstm_model.monitoring import Finding
from lstm_model.network import Forecaster
from lstm_model.network.forecaster import forecast_frame
from lstm_model.panel import Panel
from lstm_model.panel.grid import FloatArray
from lstm_model.readings import ReadingsStore
from lstm_model.registry import as_champion
from lstm_model.settings import QUANTILES, Settings

log = logging.getLogger("nightcast.replay")

GATE, ALWAYS, NEVER = "gate", "always_promote", "never_retrain"
POLICIES = (GATE, ALWAYS, NEVER)
RIDGE = "ridge"
_KEY = "%Y-%m-%dT%H%M"


@dataclass(frozen=True)
class Standing:
    """Who serves after a night, each model called by the night that trained it; None while there is nobody.

    champion, previous: the gate's; newest: the last one trained; first: the first one trained.
    """

    champion: str | None = None
    previous: str | None = None
    newest: str | None = None
    first: str | None = None

    def after(self, tonight: str, promoted: bool) -> Standing:
        """Who serves once tonight's challenger was judged."""
        after = replace(self, newest=tonight, first=self.first or tonight)
        if promoted:
            after = replace(after, champion=tonight, previous=self.champion or self.previous)
        return after

    def demoted(self, *, to_predecessor: bool) -> Standing:
        """Who serves once the champion was demoted, who then stands by nowhere."""
        return replace(self, champion=self.previous if to_predecessor else None, previous=None)


@dataclass(frozen=True)
class Verdict:
    """What a trial ended in: the gate's decision, and who serves after it."""

    promoted: bool
    rule: str
    reason: str
    standing: Standing


@dataclass(frozen=True)
class Lived:
    """A night that was lived again.

    rule, reason: the gate's decision, or why there was no trial. seconds: what each step cost.
    findings: what monitoring had raised, or just cleared. trial: what came of the champion's, where it held one;
    demoted: whether it went.
    """

    night: pd.Timestamp
    readings_version: int | None
    promoted: bool
    rule: str
    reason: str
    standing: Standing
    seconds: dict[str, float] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    trial: str | None = None
    demoted: bool = False


@dataclass(frozen=True)
class Trained:
    """What a night's training brought; a fault, where it brought no model."""

    seconds: float
    fault: str | None = None


def key_of(night: pd.Timestamp) -> str:
    """A night as it names files."""
    return f"{night:{_KEY}}"


def night_of(key: str) -> pd.Timestamp:
    """The night that a file is named by."""
    return pd.to_datetime(key, format=_KEY, utc=True)


def train_night(readings: Path, version: int | None, night: pd.Timestamp, settings: Settings, models: Path) -> Trained:
    """Train the night's challenger on one version of the readings, and keep it in the folder `models`.

    Runs in a process of its own. Killed half-way, it leaves nothing that could be taken for a model.
    """
    began = time.perf_counter()
    kept, scratch = models / key_of(night), models / f"{key_of(night)}.{os.getpid()}.tmp"
    try:
        window = gate_window(seen_by(ReadingsStore(readings), version, night), settings, night)
        Forecaster(settings.model).fit_panel(window.past).save(scratch)
    except Exception as error:  # as on a real night: the training failed, and the champion stays
        return Trained(time.perf_counter() - began, in_words(error))
    shutil.rmtree(kept, ignore_errors=True)
    scratch.rename(kept)
    return Trained(time.perf_counter() - began)


def seen_by(store: ReadingsStore, version: int | None, night: pd.Timestamp) -> pd.DataFrame:
    """The readings that a night saw: one version of the table, or nothing where there was no table yet."""
    seen = store.read(night, version=version, covariates=True)
    return seen.iloc[:0] if version is None else seen


class Night:
    """A past night: what was known then, under which settings, and where the models lie."""

    def __init__(self, readings: pd.DataFrame, night: pd.Timestamp, settings: Settings, models: Path) -> None:
        self._readings, self._night, self._settings = readings, night, settings
        self._load = cache(lambda key: Forecaster.load(models / key))

    def judge(self, before: Standing) -> Verdict:
        """Hold the trial of tonight's challenger, and decide."""
        decision = decide(self.trial(before.champion), self._settings.gate)
        after = before.after(key_of(self._night), decision.promote)
        return Verdict(decision.promote, decision.rule, decision.reason, after)

    def trial(self, standing: str | None) -> Evidence:
        """Tonight's challenger beside the champion, called by its night, and the baselines."""
        challenger = self._load(key_of(self._night))
        window, champion = gate_window(self._readings, self._settings, self._night), None
        if standing is not None:
            age = self._night - night_of(standing)
            champion = as_champion(partial(self._load, standing), age, self._settings.model, window.panel.stations)
        evidence, _ = hold_trial(window, challenger, champion, self._night, self._settings.model.horizon)
        return evidence

    def retry(self, standing: Standing, came: pd.Timestamp | None, *, doubtful: bool) -> Judgement:
        """Put the champion on trial: it meets its predecessor and, if it is doubted, the baselines.

        Args:
            standing: who serves.
            came: the night in which the champion came; None where nobody knows.
            doubtful: it verified badly.
        """
        if standing.champion is None:
            return Judgement(False, False, "no_champion", "there is no champion")
        try:
            return self._retry(standing.champion, standing.previous, came, doubtful=doubtful)
        except HistoryTooShort as fault:
            return Judgement(False, False, "no_window", f"nobody can be judged: {fault}")

    def _retry(self, champion: str, previous: str | None, came: pd.Timestamp | None, *, doubtful: bool) -> Judgement:
        window = gate_window(self._readings, self._settings, self._night)

        def ready(key: str) -> Champion:
            age = self._night - night_of(key)
            return as_champion(partial(self._load, key), age, self._settings.model, window.panel.stations)

        title = Title(ready(champion), None if previous is None else ready(previous).forecaster, came)
        judgement, _ = try_champion(window, self._readings, title, self._night, self._settings, doubtful=doubtful)
        return judgement

    def forecasts(self, standing: Standing) -> pd.DataFrame:
        """What every policy, every baseline and the newest ridge alone say tonight.

        Returns:
            columns of a forecast and `policy`; stations that a lone baseline cannot serve are left out, all of them
        where none has spoken for a month.
        """
        settings = self._settings.model
        try:
            panel = living_panel(self._readings, settings, self._night)
        except HistoryTooShort as reason:
            log.warning("no forecast on %s: %s", f"{self._night:%Y-%m-%d}", reason)
            return _nothing()
        baselines = {
            name: from_its_end(fitted, panel) for name, fitted in fit_baselines(panel, settings.horizon).items()
        }
        serving = {
            GATE: {"champion": standing.champion, "previous": standing.previous},
            ALWAYS: {"champion": standing.newest},
            NEVER: {"champion": standing.first},
        }
        parts = []
        for policy, models in serving.items():
            rows, faults = climb_down(panel, self._ladder(models, panel, baselines), settings.horizon)
            parts.append(rows.assign(policy=policy))
            for fault in faults:
                log.warning("%s: %s", policy.replace("_", " "), fault)
        if standing.newest is not None:
            baselines[RIDGE] = from_its_end(self._load(standing.newest).ridge(), panel)
        parts += [
            rows_of(panel, quantiles, finite(quantiles)).assign(policy=name, method=name)
            for name, quantiles in baselines.items()
        ]
        return pd.concat(parts, ignore_index=True)

    def _ladder(
        self, models: dict[str, str | None], panel: Panel, baselines: dict[str, FloatArray]
    ) -> Iterator[Rung | str]:
        for alias, key in models.items():
            if key is not None:
                yield serve(alias, key, "", partial(self._load, key), panel, self._settings.model)
        for baseline in LAST_RUNGS:
            yield Rung(baseline.name, "", "", baselines[baseline.name])


def _nothing() -> pd.DataFrame:
    """No forecast, in the columns of one."""
    none = np.empty((0, 1, len(QUANTILES)), np.float32)
    rows = forecast_frame((), pd.Timestamp(0, tz="UTC"), pd.Timedelta("1h"), none)
    return rows.assign(policy="", method="")


def no_trial(before: Standing, fault: str) -> Verdict:
    """A night without a challenger leaves everybody in place."""
    return Verdict(False, "no_challenger", fault, before)
