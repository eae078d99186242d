"""A workspace whose dashboards run, a browser to look at them, and a database server."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from postgres import Postgres, running_postgres
from servers import Up
from support import Person

from flows.processes import command_of


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """An empty workspace with ports of its own; nothing runs yet, nothing was lived."""
    at_home = Up(Person(tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("workspace")))
    at_home.write_settings()
    yield at_home
    pid = at_home.tenant().get("pid")
    if pid is not None and command_of(pid):  # a test that failed left it, stopped perhaps
        for sign in (signal.SIGCONT, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.kill(pid, sign)


@pytest.fixture(scope="module")
def up(home: Up) -> Iterator[Up]:
    """A workspace after its first night, with both servers and the deployments running."""
    home.person.lives_a_night()
    with home.running():
        yield home


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


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of one file's own: what a file makes there, another may name alike."""
    with running_postgres() as running:
        yield running
