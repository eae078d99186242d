"""When a champion goes: the truth table of its trial."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from lstm_model.evaluation import NO_BETTER, Champion, Evidence, Judgement, Title, retrial, try_champion
from lstm_model.evaluation.retrial import judge_champion, judge_meetings
from lstm_model.settings import GateSettings, Settings

SETTINGS = GateSettings()
CRPS = {
    "challenger": 1.0,
    "champion": 1.5,
    "ridge": 1.0,
    "damped_anomaly": 1.2,
    "climatology": 1.8,
    "persistence": 2.0,
}
WORSE = {"champion": 0.5, "ridge": 0.5, "damped_anomaly": 0.1, "climatology": 0.0, "persistence": 0.0}
LOSES, HOLDS = {"damped_anomaly": 0.995, "climatology": 0.5, "persistence": 0.1}, {"damped_anomaly": 0.98}
TRIAL = Evidence(
    crps=CRPS,
    confidence_worse=WORSE,
    origins=48,
    truth_share=0.95,
    challenger_finite=True,
    data_age_hours=2.0,
    has_champion=True,
    champion_age_days=1.0,
    coverage_80={"challenger": 0.8, "champion": 0.8},
)


def confident(**told: float) -> Evidence:
    return replace(TRIAL, confidence_worse=WORSE | told)


@pytest.mark.parametrize(
    ("evidence", "worse_than", "demote", "to_predecessor", "rule"),
    [
        # its predecessor alone is better: that is for the meeting to say
        (confident(champion=0.005), HOLDS, False, False, "not_proven"),
        (TRIAL, LOSES, True, True, "worse_than_damped_anomaly"),
        # its predecessor is beaten by the same baseline, or by persistence outright: nobody is left
        (confident(damped_anomaly=0.99), LOSES, True, False, "worse_than_damped_anomaly"),
        (replace(TRIAL, crps=CRPS | {"challenger": 2.1}), LOSES, True, False, "worse_than_damped_anomaly"),
        # a window that cannot be trusted demotes nobody, however bad the champion looks in it
        (replace(TRIAL, level_jump=1.5), LOSES, False, False, "level_jumped"),
        (replace(TRIAL, champion_verified_crps=0.4), LOSES, False, False, "champion_lost"),
        (replace(TRIAL, origins=10), LOSES, False, False, "too_few_origins"),
        (replace(TRIAL, truth_share=0.3), LOSES, False, False, "truth_missing"),
        (TRIAL, {}, False, False, "not_proven"),
    ],
)
def test_only_what_is_proven_demotes(
    evidence: Evidence, worse_than: dict[str, float], demote: bool, to_predecessor: bool, rule: str
) -> None:
    found = judge_champion(evidence, "champion", worse_than, SETTINGS, 0.01)
    assert (found.demote, found.to_predecessor, found.rule) == (demote, to_predecessor, rule)
    assert found.reason


def test_without_predecessor_a_baseline_alone_decides() -> None:
    alone = replace(TRIAL, crps={**CRPS, "challenger": 1.5}, has_champion=False)
    assert judge_champion(alone, "challenger", LOSES, SETTINGS, 0.01).demote
    assert not judge_champion(alone, "challenger", LOSES, SETTINGS, 0.01).to_predecessor
    assert not judge_champion(alone, "challenger", HOLDS, SETTINGS, 0.01).demote


def test_the_worst_that_beats_it_is_not_named_but_the_best() -> None:
    found = judge_champion(TRIAL, "champion", {"damped_anomaly": 0.992, "persistence": 0.999}, SETTINGS, 0.01)
    assert found.rule == "worse_than_damped_anomaly"
    assert "CRPS 1.500 °C against damped anomaly's 1.200: significantly worse (confidence 0.99)" in found.reason


BETTER, EQUAL = confident(champion=0.02), confident(champion=0.3)


@pytest.mark.parametrize(
    ("met", "demote", "rule", "told"),
    [
        ([BETTER] * 3, True, "worse_than_previous", "significantly worse (confidence 0.98), 3 of 3 nights in a row"),
        ([BETTER] * 2, False, "worse_than_previous", "2 of 3 nights in a row"),
        # only nights in a row count, and tonight is one of them
        ([BETTER, EQUAL, BETTER], False, "worse_than_previous", "1 of 3 nights in a row"),
        ([EQUAL, BETTER, BETTER], False, "predecessor_no_better", "not significantly better (confidence 0.70)"),
        ([replace(BETTER, level_jump=1.5)] * 3, False, "predecessor_no_better", "the window cannot be trusted"),
        ([replace(BETTER, crps=CRPS | {"challenger": 2.1})] * 3, False, "predecessor_no_better", "would not have it"),
        (
            [replace(TRIAL, confidence_worse={})] * 3,
            False,
            "predecessor_no_better",
            "cannot be compared with its predecessor: ",
        ),
    ],
)
def test_only_a_predecessor_that_wins_night_after_night_comes_back(
    met: list[Evidence], demote: bool, rule: str, told: str
) -> None:
    found = judge_meetings(met, 3, SETTINGS)
    assert (found.demote, found.to_predecessor, found.rule) == (demote, demote, rule)
    assert told in found.reason


@pytest.mark.parametrize(
    ("met", "tried", "doubtful", "told"),
    [
        ("loses", "not_proven", True, "worse_than_previous"),  # it has begun to lose, and a person is to hear of that
        ("loses", "goes", True, "worse_than_damped_anomaly"),
        ("holds", "not_proven", True, "not_proven"),
        ("goes", "not_proven", True, "worse_than_previous"),
        ("holds", "goes", False, "predecessor_no_better"),  # nobody doubts it, so that no baseline is asked
    ],
)
def test_a_doubted_champion_is_told_what_matters_most(
    monkeypatch: pytest.MonkeyPatch, met: str, tried: str, doubtful: bool, told: str
) -> None:
    judgements = {
        "loses": Judgement(False, False, "worse_than_previous", "1 of 3"),
        "goes": Judgement(True, True, "worse_than_previous", "3 of 3"),
        "holds": Judgement(False, False, NO_BETTER, "no better"),
    }
    baselines = {
        "goes": Judgement(True, False, "worse_than_damped_anomaly", "proven"),
        "not_proven": Judgement(False, False, "not_proven", "nothing"),
    }
    monkeypatch.setattr(retrial, "_meet_predecessor", lambda *_: (judgements[met], TRIAL))
    monkeypatch.setattr(retrial, "_retry_champion", lambda *_: (baselines[tried], TRIAL))
    night = pd.Timestamp("2024-03-20", tz="UTC")
    model: Any = object()
    title = Title(Champion(model, pd.Timedelta("9D")), model, night - pd.Timedelta("3D"))
    nothing: Any = None
    judgement, _ = try_champion(nothing, nothing, title, night, Settings(), doubtful=doubtful)
    assert judgement.rule == told


@pytest.mark.parametrize(
    ("before", "meets"), [("0h", False), ("12h", False), ("23h", True), ("9D", True), ("-1D", False)]
)
def test_a_champion_meets_nobody_in_the_night_in_which_it_came(before: str, meets: bool) -> None:
    night = pd.Timestamp("2024-03-20", tz="UTC")
    model: Any = object()
    champion = Champion(model, pd.Timedelta("9D"))
    assert Title(champion, model, night - pd.Timedelta(before)).meets_on(night) is meets
    assert not Title(champion, None, night - pd.Timedelta(before)).meets_on(night)
    assert not Title(champion, model, None).meets_on(night)
