"""Between nights the report follows the forecast; a night writes it once, by itself."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support import NOW, SMALL, copied, fleet_readings, store_of

from flows import nightly
from flows.clock import mark_lived
from flows.events import NIGHTLY
from flows.forecast import forecast_flow
from flows.night import Night
from flows.reporting import leave_report, renew_report
from lstm_model.forecasts import Issue
from lstm_model.registry import Entry, PromotionLog, open_tracking
from lstm_model.workspace import Workspace

HOUR = pd.Timedelta("1h")
Forecast = Callable[..., Issue]


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten days of a fleet, and MLflow's database, which takes seconds to make."""
    folder = tmp_path_factory.mktemp("untrained")
    (folder / "nightcast.toml").write_text(SMALL)
    workspace = Workspace.find(folder, {})
    store_of(workspace).upsert(fleet_readings(days=10))
    open_tracking(workspace)
    return folder


@pytest.fixture
def home(untrained: Path, tmp_path: Path) -> Workspace:
    return copied(untrained, tmp_path / "home")


@pytest.fixture
def forecast(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> Forecast:
    """The flow's body, which leaves no page, for no dashboard is there."""
    monkeypatch.setenv("NIGHTCAST_HOME", str(home.home))
    monkeypatch.setattr("flows.forecast.leave_page", lambda *_: None)
    return lambda at, **parameters: inspect.unwrap(forecast_flow.fn)(as_of=at.isoformat(), **parameters)


def page(home: Workspace) -> str:
    return home.report.read_text(encoding="utf-8")


def test_a_forecast_between_nights_writes_the_report_anew(home: Workspace, forecast: Forecast) -> None:
    forecast(NOW - 6 * HOUR)
    assert "Tue 19 Mar 2024, 18:00 UTC" in page(home)
    forecast(NOW)
    assert "Wed 20 Mar 2024, 00:00 UTC" in page(home)


def test_a_night_s_own_forecast_leaves_the_report_to_the_night(home: Workspace, forecast: Forecast) -> None:
    forecast(NOW, who=NIGHTLY)
    assert not home.report.exists()


def test_a_forecast_that_a_later_one_has_overtaken_leaves_the_report(home: Workspace, forecast: Forecast) -> None:
    forecast(NOW)
    before = page(home)
    forecast(NOW - 6 * HOUR)
    assert page(home) == before


def test_a_report_that_cannot_be_written_costs_no_forecast(
    home: Workspace, forecast: Forecast, caplog: pytest.LogCaptureFixture
) -> None:
    home.report.mkdir(parents=True)  # in its place lies a folder
    with caplog.at_level(logging.WARNING, "nightcast.report"):
        assert len(forecast(NOW).forecast) == 3 * 12
    assert "there is no new report" in caplog.text


def test_it_goes_on_telling_what_the_night_told(home: Workspace, forecast: Forecast) -> None:
    """Why a step failed, who was demoted, until the champion changes again; and what the new forecast lacked."""
    night, log = NOW - 6 * HOUR, PromotionLog(home)
    mark_lived(home, night, {"train": "it burst"})
    demotion = Entry(night, night, NIGHTLY, "demote", "7", "6", "skill", "verified skill -40%")
    log.append(demotion)
    issue = forecast(NOW)
    log.append(Entry(night, night, NIGHTLY, "promote", "6", "8", "refresh", "fresh beats stale"))
    renew_report(home, issue, NOW)
    told = page(home)
    assert "The night's step “train” failed: it burst." in told
    assert "Version 7 was demoted, version 6 took its place: verified skill -40%." in told
    log.append(replace(demotion, action="rollback", before="6", champion="7"))
    renew_report(home, replace(issue, faults=("champion (version 7) cannot serve: it is gone",)), NOW)
    assert "was demoted, " not in page(home)
    assert "The forecast went out, but champion (version 7) cannot serve: it is gone." in page(home)


def test_a_night_that_ends_after_a_later_forecast_speaks_of_that(
    home: Workspace, forecast: Forecast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.reporting.leave_page", lambda *_: None)
    forecast(NOW - 6 * HOUR, who=NIGHTLY)
    forecast(NOW)
    leave_report(home, Night(NOW - 6 * HOUR, False))
    assert "Wed 20 Mar 2024, 00:00 UTC" in page(home)


def test_another_night_s_demotion_is_no_news(home: Workspace, forecast: Forecast) -> None:
    night = NOW - 30 * HOUR
    PromotionLog(home).append(Entry(night, night, NIGHTLY, "demote", "7", "6", "skill", "verified skill -40%"))
    mark_lived(home, NOW - 6 * HOUR, {})
    forecast(NOW)
    assert "was demoted, " not in page(home)


def test_a_night_says_who_it_is_to_the_steps_that_would_tell_or_report_themselves(
    home: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, tuple[Any, ...]] = {}
    monkeypatch.setattr(nightly, "lived", lambda step: lambda *given: asked.update({step.name: given}))
    monkeypatch.setattr(nightly, "watch_over", lambda *_: None)
    monkeypatch.setattr(nightly, "announce", lambda *_: None)
    nightly._live(home, Night(NOW, False))
    moment = NOW.isoformat()
    assert asked["ingest"] == asked["forecast"] == (moment, None, NIGHTLY)
    for name, step in (("ingest", nightly.ingest_flow), ("forecast", nightly.forecast_flow)):
        assert list(inspect.signature(step.fn).parameters).index("who") == 2, name
