"""A person in the loop, in a real browser: yes, no and silence, and each time the forecast was out before."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from playwright.sync_api import Page, expect
from receivers import Webhook, webhook
from served import FINAL, Served, served
from servers import free_port
from support import SMALL

from flows.inspection import promotions_as_data, versions_as_data
from lstm_model.workspace import Workspace

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

LAST = pd.Timestamp.now("UTC").floor("1h")
PORT = free_port()
PATIENT_MS = 60_000
SHORT, LONG = 20 / 3600, 4.0  # hours


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A fleet whose readings end now; every challenger that is as good as the champion is the gate's yes."""
    with served(tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("workspace")) as it:
        it.bring_fleet(LAST)
        set_hours(it, LONG)
        it.start_serving()
        yield it


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with webhook(PORT) as server:
        yield server


def set_hours(it: Served, hours: float) -> None:
    nothing = "\n".join(f'{name} = ""' for name in ("ingest", "nightly", "forecast", "verify", "maintenance"))
    gate = f'refresh_days = 0\nmargin = 0.5\nsignificance = 0.001\napproval = "human"\napproval_hours = {hours}\n'
    tell = f'[notify]\nwebhook = "http://127.0.0.1:{PORT}/"\n'
    small = SMALL.replace("max_epochs = 2", "max_epochs = 0")
    (it.person.workspace / "nightcast.toml").write_text("\n".join([small + gate, "[schedule]", nothing, tell]))


def paused_night(it: Served) -> dict[str, Any]:
    """A night that asks; its forecast is out before anybody was asked."""
    latest = it.person.workspace / "predictions" / "latest.csv"
    latest.unlink(missing_ok=True)
    run = it.quick_run("nightly", as_of=LAST.isoformat())
    it.wait_for(run, "PAUSED", *FINAL, seconds=240)
    found = it.run(run)
    assert found["state_type"] == "PAUSED", found["state"]["message"]
    assert latest.is_file(), "the forecast was not out when the question was put"
    assert latest.stat().st_mtime < pd.Timestamp(found["state"]["timestamp"]).timestamp()
    return found


def answer(it: Served, page: Page, run: dict[str, Any], why: str, *, yes: bool, picture: str = "") -> None:
    """Answer in the dashboard as a person does, who tries again where the server was too busy to take it."""
    for _ in range(3):
        _fill_in(page, f"http://127.0.0.1:{it.port}/v2/runs/flow-run/{run['id']}", why, yes=yes)
        if picture:
            page.screenshot(path=picture)
        page.get_by_role("dialog").get_by_role("button", name="Resume").click()
        for _ in range(20):
            if it.run(run["id"])["state_type"] != "PAUSED":
                return
            page.wait_for_timeout(1000)
    raise AssertionError("the dashboard did not take the answer")


def _fill_in(page: Page, address: str, why: str, *, yes: bool) -> None:
    page.goto(address)
    page.get_by_role("button", name="Open menu").first.click(timeout=PATIENT_MS)
    page.get_by_role("menuitem", name="Resume").click(timeout=PATIENT_MS)
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Without an answer by")).to_be_visible(timeout=PATIENT_MS)
    if yes:
        dialog.get_by_role("switch").click()
    dialog.locator("textarea").nth(0).fill(why)
    dialog.locator("textarea").nth(1).fill("Ada")


def champion(it: Served) -> str | None:
    return next((one["version"] for one in versions(it) if "champion" in one["aliases"]), None)


def versions(it: Served) -> list[dict[str, Any]]:
    """What `nightcast models` lists, the newest first."""
    return versions_as_data(Workspace.find(it.person.workspace, {}))


def log_of(it: Served) -> list[dict[str, Any]]:
    """What `nightcast models --log` lists, the newest first."""
    return promotions_as_data(Workspace.find(it.person.workspace, {}))


def by_event(it: Served) -> list[dict[str, Any]]:
    """Runs of the deployment `forecast`; a night's own forecasts are none."""
    return it.runs(deployment_id={"any_": [it.deployment("forecast")["id"]]})


def test_yes_promotes_and_forecasts_anew_once(serving: Served, page: Page, hook: Webhook) -> None:
    run = paused_night(serving)
    latest = serving.person.workspace / "predictions" / "latest.csv"
    assert "damped_anomaly" in latest.read_text(), "the first night has no champion before somebody said yes"
    serving.until(lambda: "approval.wanted" in hook.kinds, 30)
    (wanted,) = [told for told in hook.got if told["event"] == "nightcast.approval.wanted"]
    assert wanted["payload"]["link"].endswith(f"/runs/flow-run/{run['id']}") and wanted["payload"]["version"] == "1"
    answer(serving, page, run, "it knows the frost", yes=True, picture=os.environ.get("APPROVAL_PICTURE", ""))
    assert serving.ended(run["id"], 180) == "COMPLETED"
    told = serving.run(run["id"])["state"]["message"]
    assert told.startswith("promote: version 1 promoted: "), told
    (entry,) = log_of(serving)
    assert (entry["who"], entry["to"]) == ("Ada", "1") and entry["why"].endswith(
        "; Ada approved it: it knows the frost"
    )
    assert "champion" in latest.read_text().splitlines()[1]
    (event,) = serving.until(lambda: serving.events("nightcast.champion.promoted"), 60)
    assert event["resource"]["nightcast.forecast"] == "coming"
    assert by_event(serving) == [], "the night's own fresh forecast is the only one"
    mine = serving.runs(name={"like_": "forecast "})
    assert len(mine) == 2, [one["name"] for one in mine]


def test_no_does_not_promote(serving: Served, page: Page, hook: Webhook) -> None:
    run = paused_night(serving)
    answer(serving, page, run, "it froze last week", yes=False)
    assert serving.ended(run["id"], 120) == "COMPLETED"
    assert "not promoted: Ada did not approve it: it froze last week" in serving.run(run["id"])["state"]["message"]
    assert (champion(serving), len(log_of(serving))) == ("1", 1)
    assert hook.kinds[-1] == "gate.refused" and hook.got[-1]["payload"]["rule"] == "not_approved"


def test_silence_is_a_no(serving: Served, hook: Webhook) -> None:
    set_hours(serving, SHORT)
    run = paused_night(serving)
    assert serving.ended(run["id"], 120) == "COMPLETED", "nobody answered, and the night is none the worse"
    assert "not promoted: nobody had approved it by " in serving.run(run["id"])["state"]["message"]
    assert (champion(serving), len(log_of(serving))) == ("1", 1)
    set_hours(serving, LONG)


def test_while_one_night_waits_another_lives_and_closes_its_question(serving: Served) -> None:
    standing = champion(serving)
    first = paused_night(serving)
    second = paused_night(serving)
    assert serving.ended(first["id"], 60) == "COMPLETED", "its challenger has been replaced"
    assert "it was challenger no more before anybody approved it" in serving.run(first["id"])["state"]["message"]
    os.kill(serving.process_of(second["id"]), signal.SIGKILL)
    assert serving.ended(second["id"], 60) == "CRASHED"
    assert not serving.events("nightcast.night.failed"), "it was lived before it asked"
    assert champion(serving) == standing


def test_what_was_killed_while_it_waited_can_still_be_answered(serving: Served) -> None:
    waiting = versions(serving)[0]
    assert waiting["decision"] == "awaiting approval"
    told = {"version": waiting["version"], "answer": "yes", "why": "seen", "who": "Ada", "as_of": LAST.isoformat()}
    run = serving.quick_run("promote", **told)
    assert serving.ended(run, 120) == "COMPLETED", serving.run(run)["state"]["message"]
    assert champion(serving) == waiting["version"]
    assert log_of(serving)[0]["why"].endswith("; Ada approved it: seen")
    (due,) = serving.until(lambda: by_event(serving), 60)
    assert serving.ended(due["id"]) == "COMPLETED"


def test_runner_and_night_killed_while_it_waits_and_a_promote_by_hand_asks_again(serving: Served, page: Page) -> None:
    run = paused_night(serving)
    serving.kill("serving")
    assert "is Crashed: no process lives it" in serving.start_serving()
    assert serving.run(run["id"])["state_type"] == "CRASHED"
    asks = serving.quick_run("promote", as_of=LAST.isoformat())
    serving.wait_for(asks, "PAUSED", seconds=120)
    assert serving.stop_serving() == 0  # `up` is stopped: silence
    assert serving.run(asks)["state_type"] == "CANCELLED"
    serving.start_serving()
    again = serving.quick_run("promote", as_of=LAST.isoformat())
    serving.wait_for(again, "PAUSED", seconds=120)
    before = len(by_event(serving))
    answer(serving, page, serving.run(again), "by hand", yes=True)
    assert serving.ended(again, 120) == "COMPLETED"
    assert serving.run(again)["state"]["message"].startswith("version ")
    (due,) = serving.until(lambda: by_event(serving)[before:], 60)
    assert serving.ended(due["id"]) == "COMPLETED"


def test_a_night_that_waits_outlives_its_server(serving: Served) -> None:
    run = paused_night(serving)
    serving.kill("server")
    time.sleep(12)
    serving.start_server()
    said = {"run_input": {"approve": True, "why": "after all", "who": "Ada"}}  # what the form sends
    assert serving.ask("POST", f"/flow_runs/{run['id']}/resume", said)["status"] == "ACCEPT"
    assert serving.ended(run["id"], 180) == "COMPLETED"
    assert log_of(serving)[0]["why"].endswith("; Ada approved it: after all")


def test_an_answer_given_elsewhere_ends_the_night_that_waits_and_is_told_once(serving: Served, hook: Webhook) -> None:
    run = paused_night(serving)
    waiting = versions(serving)[0]["version"]
    told = {"version": waiting, "answer": "yes", "why": "seen", "who": "Ada", "as_of": LAST.isoformat()}
    assert serving.ended(serving.quick_run("promote", **told), 120) == "COMPLETED"
    assert serving.ended(run["id"], 120) == "COMPLETED"
    assert f"version {waiting} promoted: " in serving.run(run["id"])["state"]["message"]
    assert (champion(serving), log_of(serving)[0]["who"]) == (waiting, "Ada")
    heard = [told["event"] for told in hook.got if told["payload"].get("version") == waiting]  # others waited till now
    assert "nightcast.approval.wanted" in heard and "nightcast.gate.refused" not in heard
    told_of = [event["payload"]["version"] for event in serving.events("nightcast.champion.promoted")]
    assert told_of.count(waiting) == 1
