"""`nightcast report`, and the report that a night leaves."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console
from support import NOW
from typer.testing import CliRunner

from flows.clock import mark_lived
from flows.commands import app
from flows.night import Night
from flows.nightly import _ask
from flows.reporting import _findings, leave_report, report_page
from flows.summary import print_night
from flows.watch import Watch
from lstm_model.evaluation import Decision, Judgement
from lstm_model.forecasts import Issue
from lstm_model.monitoring import Finding as Watched
from lstm_model.registry import Demotion, Entry, Promotion, attach_report, find_version, open_tracking
from lstm_model.report import Finding, ReportData
from lstm_model.settings import ServerSettings
from lstm_model.workspace import Workspace


def test_the_command_writes_the_page_and_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTCAST_HOME", str(tmp_path))
    mark_lived(Workspace.find(tmp_path, {}), NOW, {"train": "it burst"})
    answer = CliRunner().invoke(app, ["report"])
    assert answer.exit_code == 0, answer.output
    assert answer.output.strip() == str(tmp_path / "predictions" / "report.html")
    page = (tmp_path / "predictions" / "report.html").read_text(encoding="utf-8")
    assert "The night's step “train” failed: it burst." in page
    other = CliRunner().invoke(app, ["report", "--out", str(tmp_path / "today.html"), "--as-of", "2024-03-20T00:00Z"])
    assert other.exit_code == 0
    assert "Wed 20 Mar 2024, 00:00 UTC" in (tmp_path / "today.html").read_text(encoding="utf-8")


def test_what_a_forecast_had_to_do_without_needs_a_person() -> None:
    faults = ("there is no previous", "no limit is watched: so", "champion (version 7) cannot serve: it is gone")
    night = Night(NOW, False, forecast=Issue(pd.DataFrame(), {}, faults))
    assert [finding.text for finding in _findings(night)] == [
        "The forecast went out, but champion (version 7) cannot serve: it is gone."
    ]
    many = tuple(f"s{number} has a limit and no forecast" for number in range(1000))
    told = _findings(Night(NOW, False, forecast=Issue(pd.DataFrame(), {}, many)))
    assert len(told) == 11 and told[-1].text.startswith("And 990 more")


def test_nobody_is_advised_to_bring_a_demoted_champion_back() -> None:
    doubt = Watched("skill", "champion", -0.4, -0.2, 3, 4, True, True, False, "`nightcast rollback` helps", "7")
    judged = Judgement(True, False, "worse_than_damped_anomaly", "significantly worse")
    entry = Entry(NOW, NOW, "nightly", "demote", "7", "6", judged.rule, judged.reason)
    for demotion, says in (
        (None, "Skill: `nightcast rollback` helps."),
        (Demotion(judged, "7"), "Skill: `nightcast rollback` helps."),
        (
            Demotion(judged, "7", entry),
            "Version 7 was demoted, version 6 took its place: significantly worse.",
        ),
    ):
        (told,) = _findings(Night(NOW, False, monitor=Watch((doubt,), demotion)))
        assert told.text == says


@pytest.mark.parametrize("approved", [True, False])
def test_once_somebody_has_answered_the_report_asks_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, approved: bool
) -> None:
    asked = Promotion(Decision(False, "awaiting_approval", "better"), "5", "4", "4", None)
    answered = replace(asked, decision=Decision(approved, "refresh" if approved else "not_approved", "so"))
    reported: list[tuple[Promotion | None, pd.Timestamp | None]] = []
    monkeypatch.setattr("flows.nightly.leave_page", lambda *_: None)
    monkeypatch.setattr("flows.nightly.lived", lambda _: lambda *_: None)
    monkeypatch.setattr("flows.nightly.leave_report", lambda _, night, now: reported.append((night.promote, now)))
    night = Night(NOW, False, promote=asked)
    for answer in (answered, asked):  # who could not be asked goes on waiting, and the page says so already
        monkeypatch.setattr("flows.nightly.ask_for_approval", lambda *_, told=answer: told)
        _ask(Workspace.find(tmp_path, {}), night, asked, "2024-03-20T06:00Z")
    assert reported == [(answered, NOW + pd.Timedelta("6h"))]


def test_a_report_that_cannot_be_written_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    workspace = Workspace.find(tmp_path, {})
    workspace.report.mkdir(parents=True)  # in its place lies a folder
    with caplog.at_level(logging.WARNING, "nightcast.report"):
        leave_report(workspace, Night(NOW, False))
    assert "there is no new report" in caplog.text


def test_a_report_lies_with_its_run_or_the_champion_s(trained: Workspace) -> None:
    client = open_tracking(trained)
    champion = find_version(client, "champion")
    assert champion is not None
    shown_at = f"experiments/1/runs/{champion.run_id}/artifacts/report.html"
    assert attach_report(trained, "<p>one</p>", None) == shown_at
    assert attach_report(trained, "<p>two</p>", champion.run_id) == shown_at
    (file,) = (trained.mlruns / "artifacts").rglob("report.html")
    assert file.read_text() == "<p>two</p>"
    assert file.parent.parent.name == champion.run_id


def test_without_mlflow_a_report_lies_nowhere_and_makes_no_database(tmp_path: Path) -> None:
    workspace = Workspace.find(tmp_path, {})
    assert attach_report(workspace, "<p></p>", None) is None
    assert not workspace.mlruns.exists()


def test_the_dashboard_s_page_says_what_needs_a_person_and_leads_to_the_rest() -> None:
    data = ReportData("cellar", NOW, NOW, "UTC", pd.Timedelta("1h"), findings=(Finding("a|<b>", "look"),))
    page = report_page(data, "experiments/1/runs/abc", ServerSettings(mlflow_port=5999))
    assert r"| a\|\<b\> | look |" in page
    assert "[the report in MLflow](http://127.0.0.1:5999/#/experiments/1/runs/abc)" in page
    assert "Nothing." in report_page(ReportData("cellar", NOW, NOW, "UTC", pd.Timedelta("1h")), None, ServerSettings())


def test_the_night_s_summary_leads_to_its_report(tmp_path: Path) -> None:
    workspace, screen = Workspace.find(tmp_path, {}), Console(width=120)
    with screen.capture() as printed:
        print_night(screen, Night(NOW, False), workspace)
    assert "report.html" not in printed.get()  # there is none
    workspace.report.parent.mkdir()
    workspace.report.write_text("")
    with screen.capture() as printed:
        print_night(screen, Night(NOW, False), workspace)
    assert "the report, a page for people        predictions/report.html" in printed.get()
