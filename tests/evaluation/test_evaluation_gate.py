"""The gate's truth table: one row a rule."""

from dataclasses import replace

import pytest

from lstm_model.evaluation import Evidence, decide
from lstm_model.settings import GateSettings

NAN = float("nan")
SETTINGS = GateSettings()  # margin 2 %, refresh 7 days, window 14 days, 24 origins, 5 %
CRPS = {
    "challenger": 1.0,
    "champion": 1.0,
    "persistence": 2.0,
    "climatology": 1.8,
    "ridge": 1.05,
    "damped_anomaly": 1.1,
}
CONFIDENCE = {"champion": 0.5, "ridge": 0.3, "damped_anomaly": 0.2, "persistence": 0.0, "climatology": 0.0}
EQUAL = Evidence(
    crps=CRPS,
    confidence_worse=CONFIDENCE,
    origins=56,
    truth_share=0.95,
    challenger_finite=True,
    data_age_hours=2.0,
    has_champion=True,
    champion_age_days=3.0,
    coverage_80={"challenger": 0.78, "champion": 0.78, "damped_anomaly": 0.7},
    coverage_low=0.7,
    coverage_high=0.86,
    level_jump=0.9,
    champion_verified_crps=0.9,
)


def crps(**scores):
    return {"crps": CRPS | scores}


def confidence(**confidences):
    return {"confidence_worse": CONFIDENCE | confidences}


def covering(challenger, low, high, **others):
    covered = {"challenger": challenger, "champion": 0.78, "damped_anomaly": 0.7} | others
    return {"coverage_80": covered, "coverage_low": low, "coverage_high": high}


def without(values, name):
    return {key: value for key, value in values.items() if key != name}


@pytest.mark.parametrize(
    ("change", "rule", "promote"),
    [
        # unfit to be judged
        ({"challenger_finite": False}, "not_finite", False),
        ({"origins": 23}, "too_few_origins", False),
        ({"origins": 24}, "equal", False),
        ({"truth_share": 0.49}, "truth_missing", False),
        ({"truth_share": NAN}, "truth_missing", False),
        ({"data_age_hours": 169.0}, "data_too_old", False),
        ({"data_age_hours": NAN}, "data_too_old", False),
        ({"crps": without(CRPS, "challenger")}, "no_metric", False),
        ({"crps": without(CRPS, "persistence")}, "no_metric", False),
        ({"crps": without(CRPS, "climatology")}, "no_metric", False),
        ({"crps": without(CRPS, "ridge")}, "no_metric", False),
        ({"crps": without(CRPS, "damped_anomaly")}, "no_metric", False),
        (crps(challenger=NAN), "no_metric", False),
        (crps(persistence=NAN), "no_metric", False),
        (crps(ridge=float("inf")), "no_metric", False),
        # a window that cannot be trusted
        ({"level_jump": 1.34}, "level_jumped", False),
        ({"level_jump": 1.33}, "equal", False),
        ({"level_jump": NAN}, "equal", False),  # too little history to tell
        ({"level_jump": 2.0, "has_champion": False}, "level_jumped", False),
        ({"champion_verified_crps": 0.33}, "champion_lost", False),
        ({"champion_verified_crps": 0.34}, "equal", False),
        ({"champion_verified_crps": NAN}, "equal", False),  # nothing verified yet
        (crps(challenger=0.2) | confidence(champion=0.0) | {"level_jump": 2.0}, "level_jumped", False),
        (crps(challenger=0.2) | confidence(champion=0.0) | {"champion_verified_crps": 0.3}, "champion_lost", False),
        # intervals that do not hold what they promise
        (covering(0.6, 0.5, 0.74), "miscalibrated", False),
        (covering(0.6, 0.5, 0.74) | confidence(champion=0.04), "miscalibrated", False),
        (covering(0.95, 0.86, 0.99), "miscalibrated", False),
        (covering(0.6, 0.5, 0.76), "equal", False),  # chance could do that
        (covering(0.6, 0.5, 0.74, champion=0.55), "equal", False),  # the champion's are worse
        (
            covering(0.6, 0.5, 0.74)
            | {"has_champion": False, "coverage_80": {"challenger": 0.6, "damped_anomaly": 0.7}},
            "miscalibrated",
            False,
        ),
        (
            covering(0.6, 0.5, 0.74)
            | {"has_champion": False, "coverage_80": {"challenger": 0.6, "damped_anomaly": 0.5}},
            "no_champion",
            True,
        ),
        (covering(0.6, NAN, NAN), "equal", False),  # too few days to tell
        # against the baselines
        (crps(challenger=2.0, climatology=2.5), "worse_than_persistence", False),
        (crps(challenger=1.8), "worse_than_climatology", False),
        (confidence(ridge=0.96), "veto_of_ridge", False),
        (confidence(damped_anomaly=0.96), "veto_of_damped_anomaly", False),
        (confidence(ridge=NAN), "no_metric", False),
        (confidence(damped_anomaly=NAN), "no_metric", False),
        ({"confidence_worse": without(CONFIDENCE, "ridge")}, "no_metric", False),
        (confidence(ridge=0.94, damped_anomaly=0.94), "equal", False),  # better, but not surely so
        # without a champion to defend
        ({"has_champion": False, "champion_age_days": None}, "no_champion", True),
        ({"has_champion": False, **confidence(ridge=0.96)}, "veto_of_ridge", False),
        ({"champion_fault": "its weights are gone"}, "champion_unusable", True),
        ({"champion_fault": "its weights are gone", **crps(challenger=2.5)}, "worse_than_persistence", False),
        # against the champion
        ({"crps": without(CRPS, "champion")}, "no_metric", False),
        (crps(champion=NAN), "no_metric", False),
        (confidence(champion=NAN), "no_metric", False),
        ({"confidence_worse": without(CONFIDENCE, "champion")}, "no_metric", False),
        ({"champion_age_days": None}, "no_metric", False),
        ({"champion_age_days": NAN}, "no_metric", False),
        (crps(challenger=1.021), "worse_by_margin", False),
        (crps(challenger=1.019) | {"champion_age_days": 30.0}, "refresh", True),
        (confidence(champion=0.96) | {"champion_age_days": 30.0}, "significantly_worse", False),
        (confidence(champion=0.04), "significantly_better", True),
        (crps(challenger=1.021) | confidence(champion=0.04), "worse_by_margin", False),
        ({"champion_age_days": 7.0}, "refresh", True),
        ({"champion_age_days": 6.9}, "equal", False),
        ({}, "equal", False),
    ],
)
def test_the_first_rule_that_applies_decides(change, rule, promote):
    decision = decide(replace(EQUAL, **change), SETTINGS)
    assert (decision.rule, decision.promote) == (rule, promote)


@pytest.mark.parametrize(
    ("change", "settings", "rule"),
    [
        (crps(challenger=1.05) | {"champion_age_days": 9.0}, {"margin": 0.1}, "refresh"),
        ({}, {"refresh_days": 3}, "refresh"),
        ({}, {"min_origins": 57}, "too_few_origins"),
        ({"data_age_hours": 40.0}, {"window_days": 3}, "data_too_old"),
        (confidence(champion=0.2), {"significance": 0.3}, "significantly_better"),
    ],
)
def test_the_settings_move_the_thresholds(change, settings, rule):
    evidence = replace(EQUAL, **change)
    assert decide(evidence, SETTINGS).rule != rule
    assert decide(evidence, GateSettings(**settings)).rule == rule


def test_the_reason_says_the_numbers():
    reason = decide(replace(EQUAL, **crps(challenger=1.021)), SETTINGS).reason
    assert reason == "CRPS 1.021 °C against the champion's 1.000: worse by 2.1%, 2% is allowed"


def test_an_untrusted_window_is_called_so():
    jumped = decide(replace(EQUAL, level_jump=2.04), SETTINGS).reason
    lost = decide(replace(EQUAL, champion_verified_crps=0.25), SETTINGS).reason
    assert jumped.startswith("the window cannot be trusted: the fleet's level moved 2.0 times as far of late")
    assert lost.startswith("the window cannot be trusted: the champion's CRPS there is 1.000 °C, 4.0 times what")


@pytest.mark.parametrize(("days", "said"), [(0.4, "0 days"), (1.6, "1 day"), (6.9, "6 days"), (7.0, "7 days")])
def test_the_reason_counts_the_whole_days_of_the_champion(days, said):
    assert f"{said} old" in decide(replace(EQUAL, champion_age_days=days), SETTINGS).reason


def test_the_reason_names_the_champions_fault():
    evidence = replace(EQUAL, champion_fault="its weights are gone")
    assert "the champion cannot serve (its weights are gone)" in decide(evidence, SETTINGS).reason
