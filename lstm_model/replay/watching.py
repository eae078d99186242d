"""What monitoring would have said on a past night, from what the gate's policy had forecast until then."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lstm_model.evaluation import Judgement
from lstm_model.monitoring import Finding, doubt_of, findings_of, why_no_trial
from lstm_model.monitoring.inputs import COLUMNS as INPUT_COLUMNS
from lstm_model.monitoring.inputs import days_needed as days_of_readings
from lstm_model.monitoring.verified import COMPARED, Reign
from lstm_model.monitoring.verified import days_needed as days_of_scores
from lstm_model.panel import Panel, build_panel
from lstm_model.readings import ReadingsStore
from lstm_model.readings.usual import Usual, UsualFile
from lstm_model.replay.night import GATE, Lived, Night, key_of, night_of
from lstm_model.settings import Settings

_CASE = ["station_id", "lead_hours"]


def scores_of(nights: Iterable[pd.DataFrame], truth: Panel, policy: str = GATE) -> pd.DataFrame:
    """Scores, as the table of scores has them, of what a policy forecast.

    Args:
        nights: what every policy and every baseline forecast, a table a night.
        truth: what is known by now.
        policy: which.
    """
    parts = [_scores_of_night(night, truth, policy) for night in nights]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _scores_of_night(night: pd.DataFrame, truth: Panel, policy: str) -> pd.DataFrame:
    row = pd.Index(truth.stations).get_indexer(night["station_id"])
    column = truth.times.as_unit("us").get_indexer(pd.DatetimeIndex(night["valid_at"]))
    observed = np.where((row >= 0) & (column >= 0), truth.temperature_c[row, column], np.nan).astype(np.float64)
    night = night.assign(observed_c=observed, error_c=night["temperature_c"].to_numpy(np.float64) - observed)
    night = night[np.isfinite(observed)]
    mine = night[night["policy"] == policy].set_index(_CASE)
    errors = {
        f"{name}_error_c": night[night["policy"] == name].set_index(_CASE)["error_c"].reindex(mine.index)
        for name in COMPARED
    }
    covered = (mine["q10"] <= mine["observed_c"]) & (mine["observed_c"] <= mine["q90"])
    return mine.assign(covered_80=covered, **errors).reset_index()


class Watching:
    """Monitoring of past nights; keeps what was usual, as each week had learnt it."""

    def __init__(self, folder: Path, store: ReadingsStore, settings: Settings) -> None:
        self._nights, self._usual, self._store, self._settings = folder / "nights", folder / "usual", store, settings

    def keep_usual(self, file: Path) -> None:
        """Keep what quality control has learnt by now: a later night learns more than this one may know."""
        learned = UsualFile.read(file).learned_until
        if learned is not None and not (kept := self._usual / f"{key_of(learned)}.json").is_file():
            self._usual.mkdir(exist_ok=True)
            shutil.copy2(file, kept)

    def look(
        self, night: pd.Timestamp, version: int | None, readings: pd.DataFrame, lived: Sequence[Lived]
    ) -> tuple[Finding, ...]:
        """What would have been found on a night, given how the nights before it were lived.

        Args:
            night: which.
            version: of the readings that it sees.
            readings: those, some of them at least.
            lived: the nights before it, in order.
        """
        rules, step = self._settings.monitor, self._settings.model.step
        first = night - pd.Timedelta(days=days_of_scores(rules)) - self._settings.model.horizon_time
        files = [self._nights / f"{key_of(one.night)}.parquet" for one in lived if one.night >= first]
        recent = self._store.read(
            night, version=version, since=night - pd.Timedelta(days=days_of_readings(rules)), columns=INPUT_COLUMNS
        )
        columns = ["station_id", "observed_at", "temperature_c"]
        truth = build_panel(readings.loc[readings["observed_at"] > first, columns], step, start=first, end=night)
        scores = scores_of(map(pd.read_parquet, files), truth)
        reigns = _reign(lived, step), _reign(lived[:-1], step)
        return findings_of(scores, recent, night, reigns, self._usual_on(night), self._settings)

    def _usual_on(self, night: pd.Timestamp) -> dict[str, Usual]:
        known = [file for file in sorted(self._usual.glob("*.json")) if night_of(file.stem) <= night]
        return UsualFile.read(known[-1]).usual if known else {}


def trial_of(then: Night, findings: Sequence[Finding], lived: Sequence[Lived], settings: Settings) -> Judgement | None:
    """What came of the champion's trial on a past night; None where none was held.

    Args:
        then: the night.
        findings: what monitoring found on it.
        lived: the nights before it, in order.
        settings: of the workspace.
    """
    if not lived or lived[-1].standing.champion is None:
        return None
    doubtful = doubt_of(findings) is not None
    if (fault := why_no_trial(findings)) is not None:
        return Judgement(False, False, "drift", fault) if doubtful else None
    return then.retry(lived[-1].standing, _reign(lived, settings.model.step).since, doubtful=doubtful)


def _reign(lived: Sequence[Lived], step: pd.Timedelta) -> Reign:
    """Who was champion once these nights were lived, and since when."""
    champion = lived[-1].standing.champion if lived else None
    since = None
    for one in reversed(lived):
        if one.standing.champion != champion:
            break
        since = one.night.floor(step)
    return Reign(champion, since if champion is not None else None)
