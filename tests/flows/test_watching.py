"""Monitoring in a night: events for what is new, a sentence for the summary, and never a failed night."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from support import NOW
from typer.testing import CliRunner

from flows.commands import app
from flows.events import of_demotion, of_findings
from flows.findings import findings_page, watch_as_data, watch_in_words
from flows.monitor import watch_over
from flows.watch import Watch
from lstm_model.evaluation import NO_BETTER, Judgement
from lstm_model.monitoring import Finding
from lstm_model.registry import Demotion, Entry
from lstm_model.workspace import Workspace

RAISED = Finding("skill", "champion", -0.4, -0.2, 3, 4, True, True, False, "the champion loses", "7")
CLEARED = replace(RAISED, value=math.nan, raised=False, newly_raised=False, newly_cleared=True, sentence="it is well")
JUDGED = Judgement(True, False, "worse_than_damped_anomaly", "significantly worse (confidence 0.99)")
ENTRY = Entry(NOW, NOW, "nightly", "demote", "7", None, JUDGED.rule, JUDGED.reason, {})


def test_what_is_new_is_told_once_and_what_lasts_is_not() -> None:
    lasts = replace(RAISED, newly_raised=False)
    raised, cleared = of_findings([RAISED, lasts, CLEARED], NOW)
    assert (raised.name, cleared.name) == ("nightcast.monitor.raised", "nightcast.monitor.cleared")
    assert raised.sentence == "Skill: the champion loses."
    assert raised.resource["prefect.resource.id"] == "nightcast.monitor.skill"
    assert json.loads(json.dumps(dict(raised.payload), allow_nan=False)) == {
        "rule": "skill", "subject": "champion", "version": "7", "value": -0.4, "limit": -0.2, "breached": 3,
        "nights": 4, "as_of": "2024-03-20T00:00:00+00:00",
    }  # fmt: skip
    assert cleared.payload["value"] is None


def test_late_readings_are_not_told_twice() -> None:
    assert of_findings([replace(RAISED, rule="silent", subject="roof"), replace(RAISED, rule="late")], NOW) == []


def test_a_demotion_says_who_serves_and_how_to_undo_it() -> None:
    (gone,) = of_demotion(Demotion(JUDGED, "7", ENTRY))
    assert gone.name == "nightcast.champion.demoted"
    assert gone.payload["to"] is None
    assert gone.sentence.endswith(
        "baselines forecast until a challenger passes the gate. `nightcast rollback --to 7` brings it back."
    )
    gone, came = of_demotion(Demotion(JUDGED, "7", replace(ENTRY, champion="6")))
    assert "version 6, its predecessor, serves again" in gone.sentence
    assert came.payload["version"] == "6"
    assert came.resource["nightcast.forecast"] == "coming"
    assert of_demotion(Demotion(JUDGED, "7")) == of_demotion(None) == []


def test_the_summary_says_what_needs_a_person() -> None:
    assert watch_in_words(Watch()) == "nothing that needs a person"
    watch = Watch((RAISED,), Demotion(JUDGED, "7", ENTRY))
    demoted = "version 7 was demoted, nobody took its place: significantly worse (confidence 0.99)"
    assert watch_in_words(watch) == demoted, "and not what to do about it"
    assert f"| skill | champion | -40% | -20% | 3 of 4 | {demoted} |" in findings_page(watch)
    assert "| ---: | --- |\n" in findings_page(watch), "sentences begin at the left"
    assert watch_in_words(Watch((RAISED,))) == "skill: the champion loses"
    assert "| skill | champion | -40% | -20% | 3 of 4 | the champion loses |" in findings_page(Watch((RAISED,)))
    assert json.loads(json.dumps(watch_as_data(watch), allow_nan=False))["demoted"] == {"from": "7", "to": None}
    stays = Demotion(Judgement(False, False, "level_jumped", "nobody is demoted: it jumped"), "7")
    assert "version 7 stays champion: nobody is demoted: it jumped" in watch_in_words(Watch((RAISED,), stays))
    gone = Demotion(Judgement(False, False, "not_champion", "version 7 is not champion any more"), "7")
    assert watch_in_words(Watch((RAISED,), gone)).endswith(
        "nobody was put on trial: version 7 is not champion any more"
    )


def test_a_champion_that_holds_its_own_is_no_news_and_one_that_begins_to_lose_is() -> None:
    holds = Demotion(Judgement(False, False, NO_BETTER, "its predecessor is not significantly better"), "7")
    assert watch_in_words(Watch((), holds)) == "nothing that needs a person"
    assert "version 7 stays champion: its predecessor is not significantly better" in findings_page(Watch((), holds))
    loses = Demotion(Judgement(False, False, "worse_than_previous", "1 of 3 nights in a row"), "7")
    assert watch_in_words(Watch((), loses)) == "version 7 stays champion: 1 of 3 nights in a row"


def test_a_night_that_demotes_announces_the_demotion_and_not_what_to_do_about_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    other = replace(RAISED, rule="drift", subject="fleet", version=None, sentence="it is another climate")
    monkeypatch.setattr("flows.monitor.monitor", lambda *_: (RAISED, other))
    monkeypatch.setattr("flows.monitor.leave_page", lambda *_: None)
    monkeypatch.setattr("flows.monitor.announce", lambda _, *events: told.extend(event.sentence for event in events))
    outcome = Demotion(JUDGED, "7", ENTRY)
    monkeypatch.setattr("flows.monitor._on_trial", lambda *_: outcome)
    watch = watch_over(Workspace.find(tmp_path, {}), NOW)
    assert watch.findings == (RAISED, other)
    assert [sentence.partition(":")[0] for sentence in told] == ["Drift", "Version 7 is champion no more"]
    told.clear()
    monkeypatch.setattr("flows.monitor._on_trial", lambda *_: None)
    watch_over(Workspace.find(tmp_path, {}), NOW)
    assert told[0] == "Skill: the champion loses."


def test_a_monitoring_that_fails_is_a_warning_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    table = tmp_path / "data" / "readings" / "_delta_log"
    table.mkdir(parents=True)
    (table / "00000000000000000000.json").write_text("not a table")
    monkeypatch.setattr("flows.monitor.leave_page", lambda *_: None)
    watch = watch_over(Workspace.find(tmp_path, {}), NOW)
    assert watch.findings == () and len(watch.faults) == 1
    assert "failed, and the night goes on" in watch_in_words(watch)
    assert "monitoring failed, the night goes on" in caplog.text


def test_monitor_at_the_terminal(trained: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTCAST_HOME", str(trained.home))
    told = ["monitor", "--as-of", NOW.isoformat()]
    rows = json.loads(CliRunner().invoke(app, [*told, "--json"]).output)
    assert {(row["rule"], row["subject"]) for row in rows} >= {("late", "fleet")}
    assert not any(row["raised"] for row in rows)
    assert "late" in CliRunner().invoke(app, told).output
    monkeypatch.setenv("NIGHTCAST_HOME", str(trained.home / "nowhere"))
    assert CliRunner().invoke(app, ["monitor"]).output.startswith("nothing to watch yet")
