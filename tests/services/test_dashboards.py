"""`nightcast up` as a person sees it: both pages in a real browser."""

from __future__ import annotations

import time

import httpx
import pytest
from playwright.sync_api import Page, expect
from servers import Up

pytestmark = pytest.mark.services

_PATIENT_MS = 60_000


def test_mlflow_shows_the_champion_and_why(up: Up, page: Page) -> None:
    page.goto(f"{up.mlflow}/#/models/nightcast")
    expect(page.get_by_text("champion").first).to_be_visible(timeout=_PATIENT_MS)
    page.goto(f"{up.mlflow}/#/models/nightcast/versions/1")
    expect(page.get_by_text("there is no champion yet").first).to_be_visible(timeout=_PATIENT_MS)


def test_mlflow_shows_the_run_with_its_charts(up: Up, page: Page) -> None:
    page.goto(f"{up.mlflow}/#/experiments/1/runs")
    page.get_by_text("train 2013-11-30").first.click(timeout=_PATIENT_MS)
    page.get_by_role("tab", name="Artifacts").click(timeout=_PATIENT_MS)
    page.get_by_text("charts").first.click(timeout=_PATIENT_MS)
    page.get_by_text("forecast.png").first.click(timeout=_PATIENT_MS)
    expect(page.locator("img[src^='blob:']").first).to_be_visible(timeout=_PATIENT_MS)


def test_the_dashboard_shows_the_night_that_was_lived_without_it(up: Up, page: Page) -> None:
    page.goto(f"{up.prefect}/v2/runs")
    expect(page.get_by_text("nightly 2013-11-30").first).to_be_visible(timeout=_PATIENT_MS)
    page.goto(f"{up.prefect}/v2/artifacts/key/night")
    expect(page.get_by_text("The night of 2013-11-30").first).to_be_visible(timeout=_PATIENT_MS)


def test_quick_run_lives_the_next_night(up: Up, page: Page) -> None:
    page.goto(f"{up.prefect}/v2/deployments")
    page.locator("a[href*='/deployments/deployment/']", has_text="nightly").first.click(timeout=_PATIENT_MS)
    page.get_by_role("button", name="Run", exact=True).click(timeout=_PATIENT_MS)
    page.get_by_role("menuitem", name="Quick run").click(timeout=_PATIENT_MS)
    wanted = {"flow_runs": {"name": {"like_": "nightly 2013-12-01"}}}
    deadline, state = time.monotonic() + 150, None
    while time.monotonic() < deadline and state not in ("COMPLETED", "FAILED", "CRASHED"):
        time.sleep(2)
        runs = httpx.post(f"{up.prefect}/api/flow_runs/filter", json=wanted, trust_env=False).json()
        state = runs[0]["state_type"] if runs else None
    assert state == "COMPLETED"
    issued = (up.person.workspace / "predictions" / "latest.csv").read_text().splitlines()[1]
    assert issued.startswith("2013-12-01,EWR")
