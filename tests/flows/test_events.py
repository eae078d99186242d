"""Every event: when there is one, what it says, and what it carries."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from support import NOW, fleet_readings, store_of

from flows.events import NAMES, Event, of_crash, of_late, of_night, of_promotion, of_rollback
from flows.killed import GONE
from flows.late import late_readings
from flows.night import Night
from lstm_model.evaluation import Decision
from lstm_model.registry import Entry, Promotion, promote_challenger
from lstm_model.workspace import Workspace

HOUR = pd.Timedelta("1h")


def entry(before: str | None) -> Entry:
    return Entry(NOW, NOW, "ada@attic", "rollback", before, "3", "by_hand", "it froze")


def only(events: list[Event]) -> Event:
    (event,) = events
    json.dumps(dict(event.payload), allow_nan=False)
    return event


def promotion(rule: str, **told: Any) -> Promotion:
    fields: dict[str, Any] = {"challenger": "5", "champion_before": "4", "champion": "4", "summary": None} | told
    return Promotion(Decision(rule == "refresh", rule, "of its CRPS"), **fields)


def test_a_promotion_says_which_version_after_which_and_why() -> None:
    event = only(of_promotion(promotion("refresh", champion="5"), NOW, "ada@attic"))
    assert event.name == "nightcast.champion.promoted"
    assert event.resource["prefect.resource.id"] == "nightcast.model.nightcast"
    assert event.payload == {
        "version": "5", "from": "4", "rule": "refresh", "why": "of its CRPS", "who": "ada@attic",
        "as_of": "2024-03-20T00:00:00+00:00",
    }  # fmt: skip
    assert event.sentence.startswith("Version 5 is champion now, after version 4: of its CRPS.")


@pytest.mark.parametrize(("who", "forecast"), [("nightly", "coming"), ("ada@attic", "due")])
def test_a_promotion_by_hand_has_a_forecast_due_and_a_night_s_own_has_not(who: str, forecast: str) -> None:
    assert only(of_promotion(promotion("refresh"), NOW, who)).resource["nightcast.forecast"] == forecast


def test_what_the_gate_did_not_judge_is_no_event() -> None:
    assert of_promotion(promotion("no_challenger", challenger=None), NOW, "nightly") == []
    assert of_promotion(promotion("already_champion"), NOW, "nightly") == []


def test_the_gate_of_a_real_night_refuses_and_says_why(equal: Workspace) -> None:
    as_good = only(of_promotion(promote_challenger(equal, NOW), NOW, "nightly"))
    assert (as_good.name, as_good.payload["rule"], as_good.routine) == ("nightcast.gate.refused", "equal", True)
    later = NOW + pd.Timedelta("5D")
    refused = only(of_promotion(promote_challenger(equal, later), later, "nightly"))
    assert (refused.payload["version"], refused.payload["champion"]) == ("2", "1")
    assert (refused.payload["rule"], refused.routine) == ("too_few_origins", False)
    assert refused.sentence == (
        "Version 2 was not promoted: only 12 origins to judge on, 24 are needed; version 1 stays champion. "
        "`nightcast models` lists the scores, the page `gate` on the dashboard shows the evidence."
    )


def test_a_rollback_demotes_one_version_and_promotes_another() -> None:
    demoted, promoted = of_rollback(entry(before="4"))
    assert (demoted.name, demoted.payload["version"], demoted.payload["to"]) == (NAMES["demoted"], "4", "3")
    assert demoted.sentence == (
        "Version 4 is champion no more: ada@attic put version 3 back (it froze). "
        "A second `nightcast rollback` undoes it."
    )
    assert (promoted.name, promoted.payload["version"], promoted.payload["rule"]) == (NAMES["promoted"], "3", "by_hand")
    assert promoted.resource["nightcast.forecast"] == "due"
    assert only(of_rollback(entry(before=None))).kind == "promoted"


def test_a_night_that_failed_names_every_step() -> None:
    night = Night(NOW, plays_sample=False, failed={"ingest": "no file at gone.csv.", "train": "it burst"})
    event = only(of_night(night))
    assert (event.name, event.payload["failed"]) == ("nightcast.night.failed", night.failed)
    assert event.sentence.startswith(
        "The night of 2024-03-20: ingest failed: no file at gone.csv.; train failed: it burst. No forecast went out."
    )
    assert of_night(Night(NOW, plays_sample=False)) == []


def test_a_killed_night_is_told_by_others() -> None:
    event = of_crash("nightly 2024-03-20", GONE)
    assert event.resource["prefect.resource.id"] == "nightcast.night.2024-03-20"
    assert event.payload["failed"] == {"nightly": GONE}
    assert event.sentence.startswith("nightly 2024-03-20 was killed: no process lives this run any more: ")


def newest(**hours_ago: float) -> pd.Series:
    return pd.Series({station: NOW - hours * HOUR for station, hours in hours_ago.items()}, dtype="datetime64[us, UTC]")


def test_stations_are_late_beyond_the_hours_allowed_and_not_at_them() -> None:
    assert of_late(newest(attic=6, cellar=0), NOW, 6) == []
    event = only(of_late(newest(attic=7, cellar=0, roof=30), NOW, 6))
    assert event.payload["late"] == {"roof": "2024-03-18T18:00:00+00:00", "attic": "2024-03-19T17:00:00+00:00"}
    assert event.sentence.startswith(
        "2 of 3 stations have no usable reading of late: roof (since 2024-03-18 18:00 UTC), attic"
    )
    many = only(of_late(newest(**{f"roof{n}": 7 + n for n in range(8)}, cellar=0), NOW, 6))
    assert "and 3 more; 6 h are allowed" in many.sentence


def test_a_whole_fleet_that_is_late_is_told_as_one() -> None:
    event = only(of_late(newest(attic=31, cellar=40), NOW, 24))
    assert event.sentence.startswith(
        "The newest usable reading is of 2024-03-18 17:00 UTC, 31 h before the night; 24 h"
    )
    nothing = only(of_late(newest(), NOW, 24))
    assert nothing.payload["newest"] is None and "for a month" in nothing.sentence


def test_readings_of_the_store_are_late_by_the_night_that_looks(trained: Workspace) -> None:
    assert late_readings(trained, NOW + 24 * HOUR) == []
    assert only(late_readings(trained, NOW + 25 * HOUR)).payload["stations"] == 3
    assert only(late_readings(trained, NOW + pd.Timedelta("31D"))).payload["stations"] == 0  # gone, not late


def test_doubtful_readings_are_none(make_workspace: Any) -> None:
    workspace = make_workspace()
    readings = fleet_readings(days=3, stations=1)
    readings.loc[readings["observed_at"] > NOW - 30 * HOUR, "flag"] = 4
    store_of(workspace).upsert(readings)
    assert "29 h before" not in only(late_readings(workspace, NOW)).sentence
    assert "30 h before" in only(late_readings(workspace, NOW)).sentence


def test_the_sample_is_never_late(make_workspace: Any) -> None:
    assert late_readings(make_workspace(""), NOW) == []


def test_readings_that_cannot_be_read_fail_no_night(trained: Workspace, caplog: pytest.LogCaptureFixture) -> None:
    for file in trained.readings.rglob("*.parquet"):
        file.write_bytes(b"no parquet")
    assert late_readings(trained, NOW) == []
    assert "cannot see whether readings are late" in caplog.text
