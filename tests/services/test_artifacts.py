"""What runs leave on the dashboard, how they end, and what its forms make of parameters."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from filelock import FileLock
from playwright.sync_api import Page, expect
from servers import Up, until

from flows.one_night import note_night

pytestmark = pytest.mark.services

_PATIENT_MS = 60_000
_FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
_AFTER_A_NIGHT = {  # key of the artifact: what its page says after the first night
    "ingest": "23,956 rows in = 23,955 new + 0 corrected + 0 unchanged + 1 quarantined",
    "monitoring": "nothing that needs a person",
    "training": "On the gate's window",
    "gate": "there is no champion yet",
    "forecast": "The next 24 hours",
    "night": "The night of 2013-11-30 23:00 UTC",
}
_WITH_PICTURE = ("training", "forecast", "verification")


def ask(up: Up, path: str, **wanted: Any) -> Any:
    """The answer of Prefect's API to a filter."""
    answer = httpx.post(f"{up.prefect}/api/{path}", json=wanted, trust_env=False, timeout=30.0)
    answer.raise_for_status()
    return answer.json()


def artifact(up: Up, key: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = ask(up, "artifacts/filter", artifacts={"key": {"any_": [key]}}, sort="CREATED_DESC")
    assert found, f"no artifact has the key {key}"
    return found[0]


def custom_run(up: Up, page: Page, deployment: str, **fields: str) -> None:
    """Start a run as a person does: open the form, fill in what is to be changed, submit."""
    page.goto(f"{up.prefect}/v2/deployments")
    page.locator("a[href*='/deployments/deployment/']", has_text=deployment).first.click(timeout=_PATIENT_MS)
    page.get_by_role("button", name="Run", exact=True).click(timeout=_PATIENT_MS)
    page.get_by_role("menuitem", name="Custom run").click(timeout=_PATIENT_MS)
    for name, value in fields.items():
        page.get_by_label(name).first.fill(value, timeout=_PATIENT_MS)
    before = asked_for(up, deployment)
    for _ in range(3):  # a database that is busy just then refuses with a notice, and a person submits again
        page.get_by_role("button", name="Submit").click()
        with contextlib.suppress(AssertionError):
            until(lambda: asked_for(up, deployment) != before, seconds=20)
            return
    raise AssertionError(f"no run of {deployment} was made")


def asked_for(up: Up, deployment: str) -> set[str]:
    """Runs of a deployment that no schedule asked for."""
    runs = ask(up, "flow_runs/filter", deployments={"name": {"any_": [deployment]}})
    return {run["id"] for run in runs if not run["auto_scheduled"]}


def ended(up: Up, name: str) -> dict[str, Any]:
    """The newest run of that name, once it has ended."""
    deadline, runs = time.monotonic() + 150, []
    while time.monotonic() < deadline:
        runs = ask(up, "flow_runs/filter", flow_runs={"name": {"any_": [name]}}, sort="START_TIME_DESC")
        if runs and runs[0]["state_type"] in _FINAL:
            return dict(runs[0])
        time.sleep(1)
    raise AssertionError(f"no run {name!r} has ended: {[run['state'] for run in runs]}")


def logs_of(up: Up, run: dict[str, Any]) -> list[dict[str, Any]]:
    """The log tab of a run, once its last line is there: they arrive in batches, and what follows it comes with it."""
    deadline, lines = time.monotonic() + 30, []
    while time.monotonic() < deadline:
        lines = ask(up, "logs/filter", logs={"flow_run_id": {"any_": [run["id"]]}})
        if any(line["message"].startswith("Finished in state") for line in lines):
            break
        time.sleep(1)
    time.sleep(3)
    return list(ask(up, "logs/filter", logs={"flow_run_id": {"any_": [run["id"]]}}))


def test_a_night_leaves_a_page_of_every_step_and_they_show(up: Up, page: Page) -> None:
    for key, says in _AFTER_A_NIGHT.items():
        page.goto(f"{up.prefect}/v2/artifacts/artifact/{artifact(up, key)['id']}")
        expect(page.get_by_text(says).first).to_be_visible(timeout=_PATIENT_MS)
        expect(page.locator("table").first).to_be_visible(timeout=_PATIENT_MS)
        if key in _WITH_PICTURE:
            picture = page.locator("img[src^='data:image/png']").first
            expect(picture).to_be_visible(timeout=_PATIENT_MS)
            assert picture.evaluate("image => image.naturalWidth") > 600, f"the picture of {key} does not show"
    assert artifact(up, "training-progress")["data"] == 100


def test_links_of_a_page_lead_to_the_run_and_the_version(up: Up, page: Page) -> None:
    page.goto(f"{up.prefect}/v2/artifacts/artifact/{artifact(up, 'training')['id']}")
    page.get_by_role("link", name="the run in MLflow").click(timeout=_PATIENT_MS)
    expect(page.get_by_text("train 2013-11-30").first).to_be_visible(timeout=_PATIENT_MS)
    page.goto(f"{up.prefect}/v2/artifacts/artifact/{artifact(up, 'gate')['id']}")
    page.get_by_role("link", name="version 1").first.click(timeout=_PATIENT_MS)
    expect(page.get_by_text("there is no champion yet").first).to_be_visible(timeout=_PATIENT_MS)


def test_the_report_is_told_on_one_dashboard_and_shown_on_the_other(up: Up, page: Page) -> None:
    page.goto(f"{up.prefect}/v2/artifacts/artifact/{artifact(up, 'report')['id']}")
    expect(page.get_by_text("All 3 stations have a forecast").first).to_be_visible(timeout=_PATIENT_MS)
    page.get_by_role("link", name="the report in MLflow").click(timeout=_PATIENT_MS)
    shown = page.frame_locator("iframe[src^=blob]")
    expect(shown.get_by_role("heading", name="What comes")).to_be_visible(timeout=_PATIENT_MS)
    expect(shown.get_by_role("img", name="Forecast for JFK")).to_be_visible(timeout=_PATIENT_MS)


def test_every_parameter_is_documented_and_one_field_of_the_form(up: Up) -> None:
    for deployment in ask(up, "deployments/filter"):
        for name, field in deployment["parameter_openapi_schema"]["properties"].items():
            where = f"{deployment['name']}: {name}"
            assert field.get("description"), f"{where} is not documented"
            assert field.get("type") in ("string", "integer", "number", "boolean"), f"{where} is no flat scalar"


def test_a_custom_run_trains_with_a_changed_parameter_and_records_it(up: Up, page: Page) -> None:
    custom_run(up, page, "train", max_epochs="1", seed="7")
    run = ended(up, "train 2013-11-30 (max_epochs 1, seed 7)")
    assert run["state_type"] == "COMPLETED", run["state"]
    assert run["state"]["message"].startswith("version 2 in "), run["state"]
    with sqlite3.connect(f"file:{up.person.workspace}/mlruns/mlflow.db?mode=ro", uri=True) as database:
        told = database.execute(
            "select value from model_version_tags where key = 'settings' and version = 2"
        ).fetchone()
    settings = json.loads(told[0])
    assert (settings["max_epochs"], settings["seed"]) == (1, 7)
    assert "| max\\_epochs | 1 | 40 | this run |" in artifact(up, "training")["data"]
    assert "nightcast.train" in {line["name"] for line in logs_of(up, run)}
    again = up.person.types("reproduce", "2")
    assert again.returncode == 0, again.stdout + again.stderr


@pytest.mark.parametrize(
    ("deployment", "field", "value", "name", "sentence"),
    [
        ("forecast", "as_of", "gestern", "forecast gestern", "'gestern' is no time; write for example"),
        ("train", "max_epochs", "-3", "train 2013-11-30 (max_epochs -3)", "max_epochs = -3: Input should be greater"),
    ],
)
def test_a_wrong_value_gets_a_sentence(
    up: Up, page: Page, deployment: str, field: str, value: str, name: str, sentence: str
) -> None:
    custom_run(up, page, deployment, **{field: value})
    run = ended(up, name)
    assert run["state_type"] == "FAILED", run["state"]
    assert run["state"]["message"].startswith(sentence)
    lines = logs_of(up, run)
    assert [line["message"] for line in lines if line["level"] >= 40] == [run["state"]["message"]]
    assert not any("Traceback" in line["message"] for line in lines)
    page.goto(f"{up.prefect}/v2/runs/flow-run/{run['id']}")
    expect(page.get_by_text(sentence).first).to_be_visible(timeout=_PATIENT_MS)


def test_verified_forecasts_leave_their_errors_and_skill_by_lead(up: Up, page: Page) -> None:
    custom_run(up, page, "nightly")
    run = ended(up, "nightly 2013-12-01")
    assert run["state_type"] == "COMPLETED", run["state"]
    page.goto(f"{up.prefect}/v2/artifacts/artifact/{artifact(up, 'verification')['id']}")
    expect(page.get_by_text("By lead time").first).to_be_visible(timeout=_PATIENT_MS)
    expect(page.locator("img[src^='data:image/png']").first).to_be_visible(timeout=_PATIENT_MS)
    for station in ("EWR", "JFK", "LGA"):
        expect(page.get_by_role("cell", name=station).first).to_be_visible(timeout=_PATIENT_MS)


def test_a_rollback_at_the_terminal_starts_a_forecast(up: Up) -> None:
    answer = up.person.types("rollback", "--to", "2")
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == ""
    until(lambda: ask(up, "flow_runs/filter", flow_runs={"name": {"like_": "(promoted 2)"}}), seconds=60)
    assert ended(up, "forecast 2013-12-01 (promoted 2)")["state_type"] == "COMPLETED"


def test_a_night_that_comes_due_while_one_runs_is_skipped(up: Up, page: Page) -> None:
    state = up.person.workspace / ".nightcast"
    with FileLock(state / "night.lock"):
        note_night(state, datetime(2013, 12, 4, 23, tzinfo=UTC), datetime(2013, 12, 5, 2, 15, tzinfo=UTC))
        custom_run(up, page, "nightly", as_of="2013-12-05T23:00Z")
        run = ended(up, "nightly 2013-12-05")
        typed = up.person.types("run")
    assert (run["state_type"], run["state"]["name"]) == ("COMPLETED", "Skipped")
    under_way = "another night is under way in this workspace (2013-12-04, since 2013-12-05 02:15 UTC); "
    assert run["state"]["message"].startswith(under_way)
    assert typed.returncode == 1
    assert typed.stderr == f"nightcast: {run['state']['message']}\n"
