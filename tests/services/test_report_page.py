"""The report in a browser: nothing is asked for, nothing runs over, dark where the reader's device is dark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from made_reports import NOW, issue_of, report_of, with_limits
from playwright.sync_api import Browser, Page

from lstm_model.report import Finding, render
from lstm_model.report.palette import DARK, LIGHT

pytestmark = pytest.mark.services

NAMES = (
    "walk-in cooler at the far end of hall 2, upper shelf",
    "Kühlraum_mit_einem_Namen_ohne_jede_Lücke_darin",
    "roof",
)
# Text that is cut: outside of the window, or wider than what holds it. Inside what scrolls by itself it may.
_RUNS_OVER = """() => [...document.querySelectorAll('main *, header *, footer *')].filter(element => {
  if (element.closest('.scroll') || element.closest('details:not([open])')) return false;
  const box = element.getBoundingClientRect();
  return box.width && (box.right > innerWidth + 0.5 || box.left < -0.5);
}).map(element => element.outerHTML.slice(0, 120))"""
# Two words of one drawing that lie on each other.
_OVERLAPS = """() => [...document.querySelectorAll('main svg[role=img]')].flatMap(drawing => {
  const words = [...drawing.querySelectorAll('text')].map(one => [one.textContent, one.getBoundingClientRect()]);
  return words.flatMap(([text, a], place) => words.slice(place + 1).filter(([, b]) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3).map(([other]) => `${text} | ${other}`));
})"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    issue = with_limits(issue_of(NAMES, NOW.floor("h")), NAMES[0], 11.0, 0.7)
    told = report_of(NAMES, issue=issue, findings=(Finding("The night's step “train” failed.", "Look.", urgent=True),))
    page = tmp_path_factory.mktemp("page") / "report.html"
    page.write_text(render(told), encoding="utf-8")
    return page


@pytest.fixture(scope="module")
def young(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of stations of which nothing is known but a forecast."""
    nothing = pd.DataFrame(columns=["station_id", "observed_at", "temperature_c"])
    page = tmp_path_factory.mktemp("page") / "report.html"
    page.write_text(render(report_of(NAMES, recent=nothing, yesterday=pd.DataFrame(), days=0)), encoding="utf-8")
    return page


@contextmanager
def opened(browser: Browser, file: Path, **device: Any) -> Iterator[tuple[Page, list[str]]]:
    """The page from the disk, and everything that was asked for or went wrong."""
    context = browser.new_context(**device)
    page, happened = context.new_page(), []
    page.on("request", lambda request: happened.append(request.url))
    page.on("console", lambda message: happened.append(message.text))
    page.on("pageerror", lambda error: happened.append(str(error)))
    page.goto(file.as_uri())
    yield page, happened
    context.close()


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_runs_over_nothing_overlaps_and_nobody_is_asked(browser: Browser, file: Path, width: int) -> None:
    with opened(browser, file, viewport={"width": width, "height": 844}) as (page, happened):
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(_RUNS_OVER) == []
        assert page.evaluate(_OVERLAPS) == []
        sizes = "Array.from(document.querySelectorAll('svg text'), one => parseFloat(getComputedStyle(one).fontSize))"
        smallest = min(page.evaluate(sizes))
        assert smallest >= 12
        for folded in page.locator("details").all():
            folded.locator("summary").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert happened == [file.as_uri()]


def test_a_forecast_without_a_past_lies_within_its_card(browser: Browser, young: Path) -> None:
    with opened(browser, young, viewport={"width": 390, "height": 844}) as (page, _):
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.evaluate(_RUNS_OVER) == []
        assert page.evaluate(_OVERLAPS) == []


@pytest.mark.parametrize(("scheme", "colours"), [("light", LIGHT), ("dark", DARK)])
def test_it_is_as_light_or_dark_as_the_reader_s_device(
    browser: Browser, file: Path, scheme: str, colours: dict[str, str]
) -> None:
    wanted = {
        name: f"rgb({', '.join(str(int(colours[name][at : at + 2], 16)) for at in (1, 3, 5))})" for name in colours
    }
    with opened(browser, file, viewport={"width": 390, "height": 844}, color_scheme=scheme) as (page, _):
        styled = "([css, what]) => getComputedStyle(document.querySelector(css))[what]"
        assert page.evaluate(styled, ["body", "backgroundColor"]) == wanted["page"]
        assert page.evaluate(styled, ["body", "color"]) == wanted["ink"]
        assert page.evaluate(styled, ["path.forecast", "stroke"]) == wanted["forecast"]
        assert page.evaluate(styled, [".band80", "fill"]) == wanted["band80"]


def test_a_screen_reader_hears_every_chart(browser: Browser, file: Path) -> None:
    with opened(browser, file, viewport={"width": 1280, "height": 900}) as (page, _):
        heard = page.locator("main").aria_snapshot()
        assert len(re.findall(r"- .?img ", heard)) >= 10
        assert "Forecast for roof. Newest reading" in heard
