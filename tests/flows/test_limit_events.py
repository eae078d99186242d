"""Who hears when that a limit is expected to be passed, and where else it is told."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from support import NOW

from flows.events import Event
from flows.limits import limits_table, news_of_limits
from flows.pages import forecast_page
from flows.summary import print_forecast
from flows.words import issue_as_data
from lstm_model.errors import SettingsError
from lstm_model.forecasts import ForecastStore, Issue
from lstm_model.forecasts.limits import limits_of, with_limits
from lstm_model.network.forecaster import forecast_frame
from lstm_model.readings.stations import Station
from lstm_model.settings import NotifySettings, ServerSettings
from lstm_model.workspace import Workspace

HOUR = pd.Timedelta("1h")
LIMITS = {
    "cellar": Station(station_id="cellar", limit_above_c=8.1),
    "glass": Station(station_id="glass", limit_above_c=35, limit_below_c=5),
}
SPREAD = np.array([-1.645, -1.282, -0.674, 0, 0.674, 1.282, 1.645])
Issued = Callable[..., pd.DataFrame]


@pytest.fixture
def home(make_workspace: Callable[..., Workspace]) -> Workspace:
    return make_workspace()


@pytest.fixture
def issued(home: Workspace) -> Issued:
    """Keep an issue; its medians for the next hours, the last one staying, spread by 1 °C."""

    def issue(hours: float = 0, limits: dict[str, Station] = LIMITS, **medians: list[float]) -> pd.DataFrame:
        at, told = NOW + hours * HOUR, {"cellar": [5.0], "glass": [20.0], "attic": [50.0]} | medians
        full = np.array([values + values[-1:] * (12 - len(values)) for values in told.values()])
        rows = forecast_frame(tuple(told), at, HOUR, (full[:, :, None] + SPREAD).astype(np.float32)).assign(
            issue_date=f"{at:%Y-%m-%d}", method="champion", model_version="7", run_id="", readings_version=0,
            created_at=at.as_unit("us"),
        )  # fmt: skip
        rows = with_limits(rows, limits)
        ForecastStore(home.forecasts, home.scores, home.latest).keep(rows)
        return rows

    return issue


def only(events: list[Event]) -> Event:
    (event,) = events
    json.dumps(dict(event.payload), allow_nan=False)
    return event


def test_a_limit_that_is_expected_to_be_passed_is_told_with_when_and_how_probably(
    home: Workspace, issued: Issued
) -> None:
    assert news_of_limits(home, issued(-6)) == []
    event = only(news_of_limits(home, issued(cellar=[5, 8.1, 9, 8, 5], glass=[20, 20, 4.9, 20])))
    assert (event.name, event.kind in NotifySettings().on, event.routine) == ("nightcast.limit.expected", True, False)
    assert event.payload == {
        "issued_at": "2024-03-20T00:00:00+00:00", "limit_probability": 0.5, "standing": 0,
        "expected": [
            {"station": "cellar", "side": "above", "limit_c": 8.1, "probability": 0.8058,
             "at": "2024-03-20T03:00:00+00:00", "first_at": "2024-03-20T02:00:00+00:00"},
            {"station": "glass", "side": "below", "limit_c": 5.0, "probability": 0.5371,
             "at": "2024-03-20T03:00:00+00:00", "first_at": "2024-03-20T03:00:00+00:00"},
        ],
    }  # fmt: skip
    assert event.sentence.startswith(
        "The forecast of 2024-03-20 00:00 UTC expects limits to be passed: cellar above 8.1 °C with 81% for "
        "2024-03-20 03:00 UTC, from 2024-03-20 02:00 on; glass below 5 °C with 54% for 2024-03-20 03:00 UTC. "
        "`predictions/latest.csv` has"
    )


def test_a_warning_that_stands_is_not_told_again_and_one_that_is_back_is(home: Workspace, issued: Issued) -> None:
    only(news_of_limits(home, issued(0, cellar=[9.0])))
    assert news_of_limits(home, issued(6, cellar=[9.0])) == []
    more = only(news_of_limits(home, issued(12, cellar=[9.0], glass=[40.0])))
    assert [one["station"] for one in more.payload["expected"]] == ["glass"]
    assert more.payload["standing"] == 1 and "Told before and still expected: 1 more." in more.sentence
    assert news_of_limits(home, issued(18)) == []
    only(news_of_limits(home, issued(24, cellar=[9.0])))


def test_an_issue_made_again_tells_what_it_told(home: Workspace, issued: Issued) -> None:
    """Whoever was killed between forecast and message is done again, and must not take its own rows for told."""
    issued(-6)
    first = only(news_of_limits(home, issued(cellar=[9.0])))
    assert only(news_of_limits(home, issued(cellar=[9.0]))) == first
    assert news_of_limits(home, issued(6, cellar=[9.0])) == []
    assert news_of_limits(home, issued(6, cellar=[9.0])) == []


def test_a_warning_of_what_has_passed_by_now_does_not_hush_the_next(home: Workspace, issued: Issued) -> None:
    only(news_of_limits(home, issued(0, cellar=[9.0, 9.0, 5.0])))
    only(news_of_limits(home, issued(6, cellar=[5.0, 9.0])))


def test_the_other_side_and_another_limit_are_told_by_themselves(home: Workspace, issued: Issued) -> None:
    only(news_of_limits(home, issued(0, glass=[40.0])))
    below = only(news_of_limits(home, issued(6, glass=[40.0, 3.0] * 6)))
    assert [one["side"] for one in below.payload["expected"]] == ["below"]
    higher = LIMITS | {"glass": Station(station_id="glass", limit_above_c=36, limit_below_c=5)}
    again = only(news_of_limits(home, issued(12, higher, glass=[40.0, 3.0] * 6)))
    assert [(one["side"], one["limit_c"]) for one in again.payload["expected"]] == [("above", 36.0)]


def test_a_forecast_that_was_overtaken_tells_nothing(home: Workspace, issued: Issued) -> None:
    issued(6)
    assert news_of_limits(home, issued(0, cellar=[9.0])) == []


def test_the_probability_that_is_told_is_a_setting(make_workspace: Callable[..., Workspace]) -> None:
    def told(toml: str) -> list[Event]:
        home = make_workspace(f"[notify]\nlimit_probability = {toml}\n")
        rows = forecast_frame(("cellar",), NOW, HOUR, np.array([[SPREAD + 7.5]], np.float32))
        rows = rows.assign(issue_date="2024-03-20", method="champion", model_version="", run_id="", readings_version=0)
        rows = with_limits(rows.assign(created_at=NOW.as_unit("us")), LIMITS)
        ForecastStore(home.forecasts, home.scores, home.latest).keep(rows)
        return news_of_limits(home, rows)

    assert told("0.5") == [] and len(told("0.2")) == 1 and told("1") == []
    for beyond in ("0", "1.1"):
        with pytest.raises(SettingsError, match="limit_probability"):
            told(beyond)


def test_forecasts_that_cannot_be_read_cost_the_message_alone(
    home: Workspace, issued: Issued, caplog: pytest.LogCaptureFixture
) -> None:
    issued(-6)
    rows = issued(cellar=[9.0])
    for file in home.forecasts.rglob("*.parquet"):
        file.write_bytes(b"no parquet")
    assert news_of_limits(home, rows) == []
    assert "cannot see which limits are expected to be passed" in caplog.text


def test_where_there_are_limits_page_screen_and_json_tell_the_highest_chance(issued: Issued) -> None:
    issue = Issue(issued(cellar=[5, 9, 5]), {"champion": 3}, ())
    assert limits_table(issue.forecast) == [
        ("cellar", "above 8.1", "81%", "Wed 20 02:00"),
        ("glass", "above 35", "<1%", "Wed 20 01:00"),
        ("glass", "below 5", "<1%", "Wed 20 01:00"),
    ]
    readings = pd.DataFrame({"station_id": ["cellar"], "observed_at": [NOW], "temperature_c": [5.0]})
    page = forecast_page(issue, readings, ServerSettings())
    assert "| cellar | above 8.1 | 81% | Wed 20 02:00 |" in page
    screen = Console(width=120)
    with screen.capture() as printed:
        print_forecast(screen, issue)
    assert "above 8.1" in printed.get()
    told = issue_as_data(issue)["limits"]
    assert told[0] == {
        "station": "cellar", "side": "above", "limit_c": 8.1, "probability": 0.8058, "at": "2024-03-20T02:00:00+00:00",
    }  # fmt: skip


def test_where_there_is_no_limit_nothing_is_said_of_them(issued: Issued) -> None:
    issue = Issue(issued(limits={}), {"champion": 3}, ())
    assert limits_of(issue.forecast) == limits_of(issue.forecast.drop(columns="p_above")) == []
    readings = pd.DataFrame({"station_id": ["cellar"], "observed_at": [NOW], "temperature_c": [5.0]})
    assert "imits" not in forecast_page(issue, readings, ServerSettings())
    screen = Console(width=120)
    with screen.capture() as printed:
        print_forecast(screen, issue)
    assert "imits" not in printed.get()
