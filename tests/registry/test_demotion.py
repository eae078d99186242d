"""A champion whose weights decayed: verified, raised, put on trial, demoted, and brought back by hand alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow import MlflowClient
from support import NOW, fleet_readings, store_of, with_pressure

from benchmarks.decay import perturb
from lstm_model.forecasts import issue_forecast, verify_forecasts
from lstm_model.monitoring import monitor
from lstm_model.monitoring.monitor import _reigns
from lstm_model.registry import (
    MODEL,
    Demotion,
    Doubt,
    Entry,
    PromotionLog,
    demote_champion,
    open_tracking,
    promote_challenger,
    roll_back,
    train_candidate,
)
from lstm_model.registry.succession import change_champion, finish_promotion
from lstm_model.workspace import Workspace

LATER = NOW + pd.Timedelta("7D")
AT = LATER + pd.Timedelta("3min")


def decay(workspace: Workspace, version: str, strength: float = 10) -> None:
    """Noise, usually much, on every weight that the anchor and the network learnt."""
    source = Path(open_tracking(workspace).get_model_version_download_uri(MODEL, version).removeprefix("file://"))
    (weights,) = source.rglob("weights.safetensors")
    perturb(weights.parent, weights.parent, strength)


def aliases(workspace: Workspace) -> dict[str, str]:
    registered = open_tracking(workspace).get_registered_model(MODEL)
    return {alias: str(version) for alias, version in registered.aliases.items()}


def demote(workspace: Workspace, now: pd.Timestamp = LATER, champion: str = "2") -> Demotion:
    return demote_champion(workspace, now, at=AT, who="nightly", doubt=Doubt(champion, "it verified badly"))


def meet(workspace: Workspace, now: pd.Timestamp) -> Demotion:
    """On a night on which nothing is said against the champion."""
    return demote_champion(workspace, now, at=AT, who="nightly")


def bring_days(workspace: Workspace, days: int) -> list[pd.Timestamp]:
    """Readings of so many days more; the nights from LATER on."""
    news = with_pressure(fleet_readings(days=days, end=LATER + pd.Timedelta(days=days), seed=6))
    store_of(workspace).upsert(news.assign(ingested_at=news["observed_at"]))
    return [LATER + pd.Timedelta(days=day) for day in range(days)]


def test_a_decayed_champion_is_raised_within_three_nights_and_makes_room_for_its_predecessor(
    promoted: Workspace,
) -> None:
    decay(promoted, "2")
    nights, raised = bring_days(promoted, 4), []
    for night in nights:
        verify_forecasts(promoted, night)
        raised += [any(one.rule == "skill" and one.raised for one in monitor(promoted, night))]
        assert issue_forecast(promoted, night, night).methods == {"champion": 3}
    assert raised == [False, False, False, True]
    outcome = demote(promoted, nights[-1])
    assert outcome.entry is not None
    assert (outcome.entry.action, outcome.entry.before, outcome.entry.champion) == ("demote", "2", "1")
    assert outcome.entry.why.startswith("it verified badly; CRPS ")
    assert aliases(promoted) == {"champion": "1"}
    assert issue_forecast(promoted, nights[-1], nights[-1]).forecast["model_version"].unique().tolist() == ["1"]
    assert not any(one.rule == "skill" and one.raised for one in monitor(promoted, nights[-1] + pd.Timedelta("1D")))
    version = open_tracking(promoted).get_model_version(MODEL, "2")
    assert version.tags["decision"] == "demoted"

    train_candidate(promoted, nights[-1])  # whoever comes next, it is not the one that was demoted
    promote_challenger(promoted, nights[-1])
    assert "2" not in aliases(promoted).values()


def test_without_a_fit_predecessor_the_forecast_steps_down_and_a_rollback_undoes_it(promoted: Workspace) -> None:
    for version in ("1", "2"):
        decay(promoted, version)
    outcome = demote(promoted)
    assert outcome.entry is not None
    assert (outcome.entry.before, outcome.entry.champion) == ("2", None)
    assert aliases(promoted) == {}
    assert issue_forecast(promoted, LATER, LATER).methods == {"damped_anomaly": 3}
    assert [entry.action for entry in PromotionLog(promoted).entries()] == ["promote", "promote", "demote"]

    back = roll_back(promoted, LATER, at=AT, who="ada@attic")
    assert (back.before, back.champion) == (None, "2")
    assert aliases(promoted) == {"champion": "2"}


def test_a_champion_that_only_its_predecessor_beats_goes_on_the_third_night(promoted: Workspace) -> None:
    decay(promoted, "2", strength=3)
    first, second, third = bring_days(promoted, 4)[1:]
    for night, nights in ((first, "1 of 3"), (second, "2 of 3")):
        outcome = meet(promoted, night)
        assert outcome.entry is None
        assert outcome.judgement.rule == "worse_than_previous"
        assert outcome.judgement.reason.endswith(f"{nights} nights in a row")
        assert aliases(promoted) == {"champion": "2", "previous": "1"}
    outcome = meet(promoted, third)
    assert outcome.entry is not None
    assert (outcome.entry.rule, outcome.entry.before, outcome.entry.champion) == ("worse_than_previous", "2", "1")
    assert outcome.entry.why.startswith("CRPS ")
    assert aliases(promoted) == {"champion": "1"}
    assert meet(promoted, third + pd.Timedelta("1D")).judgement.reason == "it has no predecessor to meet"


def test_who_was_put_back_by_hand_meets_its_predecessor_on_newer_days_alone(promoted: Workspace) -> None:
    decay(promoted, "2", strength=3)
    nights = bring_days(promoted, 13)
    assert meet(promoted, nights[3]).entry is not None
    roll_back(promoted, nights[3], at=AT, who="ada@attic")
    roll_back(promoted, nights[3], at=AT, who="ada@attic", to="1")
    roll_back(promoted, nights[3], at=AT, who="ada@attic", to="2")
    assert aliases(promoted) == {"champion": "2", "previous": "1"}
    window = promoted.settings.gate.window_days
    early, late = meet(promoted, nights[3 + window - 1]), meet(promoted, nights[3 + window + 1])
    assert (early.entry, early.judgement.reason) == (None, "it is too early to meet its predecessor")
    assert late.judgement.rule == "worse_than_previous", "the gate's window lies behind it by now"
    assert late.judgement.reason.endswith("1 of 3 nights in a row"), "and no night before that counts"


def test_whose_alias_somebody_moved_meets_nobody(promoted: Workspace) -> None:
    decay(promoted, "2", strength=3)
    nights, entries = bring_days(promoted, 5), PromotionLog(promoted)
    entry = entries.entries()[0]
    assert (entry.before, entry.champion) == (None, "1")
    (promoted.mlruns / "promotions.jsonl").unlink()
    entries.append(entry)
    open_tracking(promoted).set_registered_model_tag(MODEL, "last_promotion", entry.name)
    assert meet(promoted, nights[4]).judgement.reason == "it is too early to meet its predecessor"
    assert aliases(promoted) == {"champion": "2", "previous": "1"}


def test_where_people_decide_nobody_goes_and_they_are_told(promoted: Workspace) -> None:
    decay(promoted, "2", strength=3)
    night = bring_days(promoted, 4)[3]
    file = promoted.home / "nightcast.toml"
    file.write_text(f"{file.read_text()}\n[monitor]\ndemote = false\n")
    outcome = meet(Workspace.find(promoted.home, {}), night)
    assert (outcome.entry, outcome.judgement.rule) == (None, "worse_than_previous")
    assert outcome.judgement.reason.endswith("3 of 3 nights in a row")
    assert aliases(promoted) == {"champion": "2", "previous": "1"}


def test_where_nobody_can_be_judged_nobody_goes(promoted: Workspace) -> None:
    outcome = meet(promoted, LATER + pd.Timedelta("60D"))
    assert outcome.judgement.rule == "no_window"
    assert outcome.judgement.reason.startswith("nobody can be judged: ")
    assert aliases(promoted) == {"champion": "2", "previous": "1"}


def test_a_champion_that_is_as_good_as_its_predecessor_stays(promoted: Workspace) -> None:
    before = aliases(promoted)
    outcome = demote(promoted)
    assert outcome.entry is None
    assert outcome.judgement.rule == "not_proven"
    assert aliases(promoted) == before


@pytest.mark.parametrize(
    ("now", "champion", "rule"),
    [(LATER, "1", "not_champion"), (LATER - pd.Timedelta("1D"), "2", "past_night")],
    ids=["another one is champion", "a night lived again"],
)
def test_nobody_else_is_demoted(promoted: Workspace, now: pd.Timestamp, champion: str, rule: str) -> None:
    assert demote(promoted, now, champion).judgement.rule == rule
    assert aliases(promoted) == {"champion": "2", "previous": "1"}


@pytest.mark.parametrize("to", ["1", None])
def test_a_night_before_the_demotion_lived_again_moves_nothing(promoted: Workspace, to: str | None) -> None:
    client, after = open_tracking(promoted), LATER + pd.Timedelta("1D")
    entry = Entry(AT, after, "nightly", "demote", "2", to, "worse_than_previous", "it verified badly", {})
    change_champion(client, PromotionLog(promoted), entry)
    client.set_registered_model_alias(MODEL, "challenger", "2")
    before = aliases(promoted)
    promotion = promote_challenger(promoted, LATER)
    assert promotion.decision.rule == "past_night"
    assert promotion.decision.reason.startswith("the champion was changed on 2024-03-28, after the night being lived")
    if to is not None:
        assert demote(promoted, LATER, to).judgement.rule == "past_night"
    assert aliases(promoted) == before


@pytest.mark.parametrize("late", [-5, 0, 5])
def test_who_was_champion_last_night_does_not_hang_on_seconds(promoted: Workspace, late: int) -> None:
    tonight, last = _reigns(promoted, LATER + pd.Timedelta("1D") + pd.Timedelta(seconds=late))
    assert (tonight.champion, last.champion) == ("2", "1")  # it took over in the night of LATER, once that had watched
    tonight, last = _reigns(promoted, LATER + pd.Timedelta("2D") + pd.Timedelta(seconds=late))
    assert tonight == last


class PowerCut(Exception):
    pass


@pytest.mark.parametrize(
    ("to", "write"),
    [(None, "set_model_version_tag"), ("1", "delete_registered_model_alias"), (None, "set_registered_model_tag")],
)
def test_cut_off_half_way_the_next_one_finishes_what_the_log_says(
    promoted: Workspace, monkeypatch: pytest.MonkeyPatch, to: str | None, write: str
) -> None:
    entry = Entry(AT, LATER, "nightly", "demote", "2", to, "worse_than_previous", "it verified badly", {})

    def cut(*_: Any, **__: Any) -> None:
        raise PowerCut

    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, write, cut)
        with pytest.raises(PowerCut):
            change_champion(open_tracking(promoted), PromotionLog(promoted), entry)
    outcome = demote(promoted)
    assert outcome.entry == entry, "it was finished in silence"
    assert (outcome.judgement.rule, outcome.judgement.to_predecessor) == (entry.rule, to is not None)
    assert aliases(promoted) == ({"champion": "1"} if to else {})
    finish_promotion(promoted)
    assert [one.action for one in PromotionLog(promoted).entries()] == ["promote", "promote", "demote"]
    assert open_tracking(promoted).get_model_version(MODEL, "2").tags["decision"] == "demoted"
