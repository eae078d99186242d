"""Rolling back: tried first, used by the next forecast, and not undone by the next night."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file, save_file
from support import NOW, fleet_readings, store_of, with_pressure

from lstm_model.errors import ModelUnavailable, NightcastError, SettingsError
from lstm_model.forecasts import issue_forecast
from lstm_model.network import Forecaster
from lstm_model.network.saved import CHECKSUM, DESCRIPTION_FILE
from lstm_model.registry import (
    MODEL,
    Entry,
    PromotionLog,
    find_version,
    open_tracking,
    promote_challenger,
    rehearse_promotion,
    roll_back,
    train_candidate,
)
from lstm_model.workspace import Workspace

LATER = NOW + pd.Timedelta("7D")
AT = LATER + pd.Timedelta("8h")


def back(workspace: Workspace, to: str | None = None, why: str = "") -> Entry:
    return roll_back(workspace, LATER, at=AT, who="somebody@home", to=to, why=why)


def aliases(workspace: Workspace) -> dict[str, str]:
    registered = open_tracking(workspace).get_registered_model(MODEL)
    return {alias: str(version) for alias, version in registered.aliases.items()}


def files_in(home: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}


def damage(workspace: Workspace, version: str) -> None:
    """Weights that load and forecast nothing but NaN."""

    source = Path(open_tracking(workspace).get_model_version_download_uri(MODEL, version).removeprefix("file://"))
    (weights,) = source.rglob("weights.safetensors")
    arrays = {
        name: np.full_like(array, np.nan) if name == "offsets" else array for name, array in load_file(weights).items()
    }
    save_file(arrays, weights)
    description = weights.with_name(DESCRIPTION_FILE)
    told = json.loads(description.read_text())
    del told[CHECKSUM]  # or the damage would be found at loading
    description.write_text(json.dumps(told))
    assert Forecaster.load(weights.parent)


def test_a_promotion_is_in_the_log_with_its_evidence(promoted: Workspace) -> None:
    first, second = PromotionLog(promoted).entries()
    assert (first.action, first.before, first.champion, first.rule) == ("promote", None, "1", "no_champion")
    assert (second.before, second.champion, second.as_of, second.at) == ("1", "2", LATER, LATER)
    assert second.evidence is not None
    assert {"challenger", "champion", "persistence"} <= set(second.evidence["crps"])
    version = find_version(open_tracking(promoted), "champion")
    assert version is not None
    assert version.reason == second.why


def test_a_refusal_is_not_in_the_log(equal: Workspace) -> None:
    assert not promote_challenger(equal, NOW).decision.promote
    assert len(PromotionLog(equal).entries()) == 1


def test_the_next_forecast_uses_the_version_rolled_back_to_and_a_second_rollback_undoes_it(
    promoted: Workspace,
) -> None:
    assert issue_forecast(promoted, LATER, AT).forecast["model_version"].unique().tolist() == ["2"]
    entry = back(promoted, why="too warm in the cellar")
    assert aliases(promoted) == {"champion": "1", "previous": "2"}
    assert issue_forecast(promoted, LATER, AT).forecast["model_version"].unique().tolist() == ["1"]
    assert PromotionLog(promoted).last() == entry
    assert (entry.at, entry.as_of, entry.who, entry.action) == (AT, LATER, "somebody@home", "rollback")
    assert (entry.before, entry.champion, entry.why) == ("2", "1", "too warm in the cellar")
    back(promoted)
    assert aliases(promoted) == {"champion": "2", "previous": "1"}


def test_the_next_night_with_an_equal_challenger_keeps_the_one_put_back(promoted: Workspace) -> None:
    back(promoted)
    night = LATER + pd.Timedelta("1D")
    store_of(promoted).upsert(with_pressure(fleet_readings(days=1, end=night, seed=6)))
    train_candidate(promoted, night)
    promotion = promote_challenger(promoted, night)
    assert promotion.decision.rule == "equal"
    assert aliases(promoted) == {"champion": "1", "previous": "2", "challenger": "3"}
    assert promotion.evidence is not None
    assert promotion.evidence.champion_age_days == 1


def test_a_night_before_the_rollback_lived_again_leaves_it_alone(promoted: Workspace) -> None:
    back(promoted)
    before = LATER - pd.Timedelta("1D")
    train_candidate(promoted, before)
    promotion = promote_challenger(promoted, before)
    assert promotion.decision.rule == "past_night"
    assert "the champion was put back on 2024-03-27" in promotion.decision.reason


def test_a_demoted_version_loses_the_alias_challenger(promoted: Workspace) -> None:
    open_tracking(promoted).set_registered_model_alias(MODEL, "challenger", "2")
    back(promoted, "1")
    assert aliases(promoted) == {"champion": "1", "previous": "2"}
    assert promote_challenger(promoted, LATER).decision.rule == "no_challenger"


def test_a_challenger_that_is_put_in_by_hand_is_no_longer_challenger(challenged: Workspace) -> None:
    back(challenged, "2")
    assert aliases(challenged) == {"champion": "2", "previous": "1"}


def test_without_a_champion_nobody_stands_by(promoted: Workspace) -> None:
    open_tracking(promoted).delete_registered_model_alias(MODEL, "champion")
    assert back(promoted).before is None
    assert aliases(promoted) == {"champion": "1"}


@pytest.mark.parametrize(
    ("to", "kind", "complaint"),
    [
        ("9", SettingsError, "there is no version '9'; complete: 2, 1"),
        ("first", SettingsError, "there is no version 'first'; complete: 2, 1"),
        ("3", SettingsError, "version 3 is incomplete, its training was cut off; complete: 2, 1"),
        ("2", SettingsError, "version 2 is the champion already; `nightcast models` lists the others"),
        (None, NightcastError, "there is no previous champion; name a version: nightcast rollback --to VERSION"),
    ],
)
def test_what_cannot_be_rolled_back_to_is_said_in_a_line(
    promoted: Workspace, to: str | None, kind: type[Exception], complaint: str
) -> None:
    client = open_tracking(promoted)
    client.create_model_version(MODEL, "nowhere", tags={"lived_at": NOW.isoformat()})
    client.delete_registered_model_alias(MODEL, "previous")
    with pytest.raises(NightcastError) as refusal:
        back(promoted, to)
    assert type(refusal.value) is kind
    assert str(refusal.value) == complaint
    assert aliases(promoted) == {"champion": "2"}
    assert len(PromotionLog(promoted).entries()) == 2


def test_a_version_that_does_not_load_or_forecast_is_refused_and_nothing_moves(promoted: Workspace) -> None:
    damage(promoted, "1")
    before = aliases(promoted)
    with pytest.raises(ModelUnavailable, match="version 1 has no finite forecast for roof 0, roof 1, roof 2"):
        back(promoted)
    for weights in promoted.mlruns.rglob("weights.safetensors"):
        weights.unlink()
    with pytest.raises(ModelUnavailable, match="the model cannot be loaded"):
        back(promoted)
    assert aliases(promoted) == before
    assert len(PromotionLog(promoted).entries()) == 2


def test_a_version_comes_back_while_the_whole_fleet_is_silent(promoted: Workspace) -> None:
    assert roll_back(promoted, LATER + pd.Timedelta("9D"), at=AT, who="somebody@home").champion == "1"
    with pytest.raises(ModelUnavailable, match="no station spoke within 30 days"):
        roll_back(promoted, LATER + pd.Timedelta("31D"), at=AT, who="somebody@home")
    assert aliases(promoted) == {"champion": "1", "previous": "2"}


def test_what_has_no_forecast_is_refused_while_the_whole_fleet_is_silent_too(promoted: Workspace) -> None:
    damage(promoted, "1")
    with pytest.raises(ModelUnavailable, match="version 1 has no finite forecast for roof 0, roof 1, roof 2"):
        roll_back(promoted, LATER + pd.Timedelta("9D"), at=AT, who="somebody@home")


def test_a_challenger_that_has_no_forecast_from_the_newest_readings_is_refused_in_words(
    challenged: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mute(workspace: Workspace, version: object, now: object) -> None:
        raise ModelUnavailable("version 2 has no finite forecast for roof 1")

    monkeypatch.setattr("lstm_model.registry.promotion.try_forecast", mute)
    promotion = promote_challenger(challenged, LATER)
    assert (promotion.decision.promote, promotion.decision.rule) == (False, "challenger_unusable")
    refused = find_version(open_tracking(challenged), "challenger")
    assert refused is not None
    assert refused.reason == "the challenger cannot serve (version 2 has no finite forecast for roof 1)"
    assert aliases(challenged) == {"champion": "1", "challenger": "2"}


def test_a_rehearsal_decides_as_the_promotion_does_and_leaves_every_byte(challenged: Workspace) -> None:
    open_tracking(challenged)  # a copy, whose addresses are rewritten on opening
    before = files_in(challenged.home)
    rehearsed = rehearse_promotion(challenged, LATER)
    assert files_in(challenged.home) == before
    assert rehearsed.decision == promote_challenger(challenged, LATER).decision
    assert rehearsed.decision.promote


def test_training_completes_a_version_only_when_its_run_is_finished(
    trained: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PowerCut(Exception):
        pass

    def cut(*_: object) -> None:
        raise PowerCut

    monkeypatch.setattr("lstm_model.registry.candidate._complete", cut)
    with pytest.raises(PowerCut):
        train_candidate(trained, NOW)
    client = open_tracking(trained)
    version = client.get_model_version(MODEL, "2")
    run = client.get_run(version.run_id)
    assert run.info.status == "FINISHED"
    assert "complete" not in version.tags
    assert "complete" not in run.data.tags
    assert aliases(trained) == {"champion": "1"}
