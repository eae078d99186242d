"""Events on a real server: a promotion by hand starts one forecast, a night's own none, and trouble is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from receivers import Webhook, webhook
from served import Served, served
from servers import free_port
from support import SMALL

pytestmark = pytest.mark.services

LATE = pd.Timestamp.now("UTC").ceil("1h") + pd.Timedelta("1h")  # after all that the tests do at the wall clock's time
LAST = LATE - pd.Timedelta("5D")
PORT = free_port()


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A fleet that fell silent days ago; everything is to be told to a receiver that is not there yet."""
    with served(tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("workspace")) as it:
        it.bring_fleet(LAST)
        write_settings(it)
        it.start_serving()
        yield it


@pytest.fixture(scope="module")
def first_night(serving: Served) -> dict[str, Any]:
    """A night at the time of the newest reading: its promotion is the first."""
    return lived(serving, "nightly", as_of=LAST.isoformat())


def write_settings(it: Served, *more: str) -> None:
    kinds = '"failed", "ingest", "refused", "late", "demoted", "promoted"'
    nothing = "\n".join(f'{name} = ""' for name in ("ingest", "nightly", "forecast", "verify", "maintenance"))
    tell = f'[notify]\nwebhook = "http://127.0.0.1:{PORT}/"\non = [{kinds}]\n'
    text = "\n".join([SMALL + "refresh_days = 0", "[schedule]", nothing, tell, *more])
    (it.person.workspace / "nightcast.toml").write_text(text)


def lived(it: Served, deployment: str, **parameters: str) -> dict[str, Any]:
    """A run of a deployment, once it has ended."""
    run = it.quick_run(deployment, **parameters)
    it.ended(run, 240)
    return it.run(run)


def forecasts(it: Served) -> list[dict[str, Any]]:
    """Runs of the deployment `forecast`; a night's own forecast is none."""
    return it.runs(deployment_id={"any_": [it.deployment("forecast")["id"]]})


def promotions(it: Served) -> list[tuple[str, str]]:
    """Versions that were promoted so far, and whether a forecast was due."""
    events = it.events("nightcast.champion.promoted")
    return [(event["payload"]["version"], event["resource"]["nightcast.forecast"]) for event in events]


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with webhook(PORT) as server:
        yield server


def test_a_night_is_normal_while_nobody_takes_what_it_tells(serving: Served, first_night: dict[str, Any]) -> None:
    assert first_night["state_type"] == "COMPLETED", first_night["state"]
    serving.until(lambda: promotions(serving) == [("1", "coming")], 30)
    told = serving.ask("POST", "/logs/filter", {"logs": {"level": {"ge_": 30}}})
    assert any("nobody was told of nightcast.champion.promoted: webhook: " in line["message"] for line in told)


def test_a_promotion_by_hand_starts_one_forecast_and_a_night_s_own_none(
    serving: Served, first_night: dict[str, Any], hook: Webhook
) -> None:
    assert lived(serving, "train", as_of=LAST.isoformat())["state_type"] == "COMPLETED"
    promoted = lived(serving, "promote", as_of=LAST.isoformat())
    assert promoted["state"]["message"].startswith("version 2 promoted"), promoted["state"]
    serving.until(lambda: promotions(serving) == [("1", "coming"), ("2", "due")], 30)
    (forecast,) = serving.until(lambda: forecasts(serving), 60)
    assert forecast["parameters"]["promoted"] == "2"
    assert serving.ended(forecast["id"]) == "COMPLETED"
    assert serving.run(forecast["id"])["name"].endswith("(promoted 2)")
    assert [run["id"] for run in forecasts(serving)] == [forecast["id"]]
    assert hook.kinds == ["champion.promoted", "champion.promoted"]
    assert [told["payload"]["version"] for told in hook.got] == ["1", "2"]  # the first one waited until now


def test_a_rollback_demotes_and_starts_one_more(serving: Served, first_night: dict[str, Any], hook: Webhook) -> None:
    before = len(forecasts(serving))
    back = lived(serving, "rollback", to="1", why="a trial")
    assert back["state_type"] == "COMPLETED", back["state"]
    serving.until(lambda: len(forecasts(serving)) > before, 60)
    assert [run["parameters"]["promoted"] for run in forecasts(serving)[before:]] == ["1"]
    (demoted,) = serving.until(lambda: serving.events("nightcast.champion.demoted"), 30)  # kept some seconds later
    assert (demoted["payload"]["version"], demoted["payload"]["to"], demoted["payload"]["why"]) == ("2", "1", "a trial")
    assert hook.kinds == ["champion.demoted", "champion.promoted"]


def test_late_readings_a_refusal_and_a_failure_are_told(
    serving: Served, first_night: dict[str, Any], hook: Webhook
) -> None:
    write_settings(serving, '[source.gone]\npath = "gone.csv"\n')
    night = lived(serving, "nightly", as_of=LATE.isoformat())
    assert night["state_type"] == "FAILED"
    assert hook.kinds == ["readings.late", "gate.refused", "night.failed"]
    late, refused, failed = (message["payload"] for message in hook.got)
    assert late["newest"] == LAST.isoformat() and len(late["late"]) == 3
    assert refused["rule"] == "too_few_origins" and refused["champion"] == "1"
    assert "gone.csv" in failed["failed"]["ingest"]
    for name, told in zip(hook.kinds, hook.got, strict=True):
        (event,) = serving.until(lambda name=name: serving.events(f"nightcast.{name}"), 30)  # type: ignore[misc]
        assert event["payload"] == {"text": told["text"], **told["payload"]}


def test_an_ingest_that_begins_to_fail_is_told_once(
    serving: Served, first_night: dict[str, Any], hook: Webhook
) -> None:
    write_settings(serving)
    assert lived(serving, "ingest")["state_type"] == "COMPLETED"
    write_settings(serving, '[source.gone]\npath = "gone.csv"\n')
    for _ in range(2):
        assert lived(serving, "ingest")["state_type"] == "FAILED"
    assert hook.kinds == ["ingest.failed"]
    assert hook.got[0]["payload"]["sources"] == ["gone"]
    (event,) = serving.until(lambda: serving.events("nightcast.ingest.failed"), 30)
    assert event["payload"] == {"text": hook.got[0]["text"], **hook.got[0]["payload"]}
