"""`nightcast up` as a person sees it: both pages in a real browser."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from support import Person

pytestmark = pytest.mark.services

_PATIENT_MS = 60_000


@dataclass
class Up:
    person: Person
    prefect: str
    mlflow: str


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A workspace after its first night, with both servers running."""
    person = Person(tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("workspace"))
    prefect, mlflow = free_port(), free_port()
    (person.workspace / "nightcast.toml").write_text(
        f"[server]\nprefect_port = {prefect}\nmlflow_port = {mlflow}\n[model]\nmax_epochs = 2\n"
    )
    person.lives_a_night()
    command = [str(Path(sys.executable).with_name("nightcast")), "up"]
    with subprocess.Popen(
        command, env=person.environment(), cwd=person.workspace, stdout=subprocess.PIPE, text=True
    ) as it:
        assert it.stdout is not None
        said = []
        for line in it.stdout:
            said.append(line)
            if "Ctrl-C" in line:
                break
        assert "Ctrl-C" in "".join(said), "".join(said)
        yield Up(person, f"http://127.0.0.1:{prefect}", f"http://127.0.0.1:{mlflow}")
        it.send_signal(signal.SIGINT)
        assert it.wait(40) == 0
    for address in (prefect, mlflow):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", address)) != 0, "a server outlived `up`"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=quiet)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    yield page
    page.close()


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
