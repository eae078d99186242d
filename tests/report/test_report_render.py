"""The page: sound HTML that asks nobody, says its charts in words, and says so where something is missing."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from made_reports import NOW, issue_of, report_of, with_limits

from lstm_model.monitoring import Finding as Watched
from lstm_model.report import Finding, Judged, ReportData, from_monitoring, render, state_in_words
from lstm_model.report.charted import charted
from lstm_model.report.data import HEALTH
from lstm_model.report.fan import extremes
from lstm_model.report.findings import own_findings
from lstm_model.report.markup import Html, join, tag
from lstm_model.report.skill_charts import _verdict

_VOID = {"meta", "link"}
NO_READINGS = pd.DataFrame(columns=["station_id", "observed_at", "temperature_c"])


class Reader(HTMLParser):
    """What a browser would make of the page: every element with its attributes, and all of the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((name, dict(attributes)))
        if name not in _VOID:
            self.open.append(name)

    def handle_endtag(self, name: str) -> None:
        assert self.open.pop() == name

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data if "text" not in self.open else f" {data} "

    def attributes(self, wanted: str) -> list[str]:
        return [value or "" for _, told in self.elements for name, value in told.items() if name == wanted]


def test_the_page_asks_nobody_and_runs_nothing() -> None:
    page = render(report_of())
    read = Reader(page)
    assert not {"script", "img", "iframe", "object", "embed"} & {name for name, _ in read.elements}
    links = [*read.attributes("href"), *read.attributes("src"), *read.attributes("action")]
    assert {link[:1] for link in links} - {"#"} == {"d"}  # its icon, which is empty: data:,
    assert not re.search(r"https?://|url\(|@import|//[a-z]", page)
    assert not [name for _, told in read.elements for name in told if name.startswith("on")]


def test_ids_are_there_once_and_links_lead_to_them() -> None:
    read = Reader(render(report_of()))
    ids = read.attributes("id")
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in read.attributes("href") if link.startswith("#")} <= set(ids)


def test_every_chart_says_its_message_with_numbers() -> None:
    drawings = [told for name, told in Reader(render(report_of())).elements if name == "svg"]
    charts = [told for told in drawings if told.get("aria-hidden") != "true"]
    assert len(charts) >= 3 + 3 + 1 + 3 + 2 + 1 + 3  # stations, yesterday, errors, skills, chances, champions, days
    for told in charts:
        assert told["role"] == "img"
        assert re.search(r"\d", told["aria-label"] or ""), told
    assert any("lowest" in (told["aria-label"] or "") and "°C" in (told["aria-label"] or "") for told in charts)


def test_no_name_becomes_markup() -> None:
    evil = '<script>alert("1")</script>'
    told = report_of(
        (evil, "roof"), names={"roof": evil}, fleet=evil, quarantine={evil: 1}, findings=(Finding(evil, evil),)
    )
    page = render(told)
    assert "<script" not in page
    read = Reader(page)
    assert evil in read.text
    assert any(evil in label for label in read.attributes("aria-label"))


def test_markup_escapes_all_that_is_none() -> None:
    assert tag("a", "<b>", Html("<i></i>"), None, href='"><x') == '<a href="&quot;&gt;&lt;x">&lt;b&gt;<i></i></a>'
    assert join(1, " & ", Html("<br>")) == "1 &amp; <br>"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"issue": pd.DataFrame(), "yesterday": pd.DataFrame()}, "None of 3 stations has a forecast yet"),
        ({"yesterday": pd.DataFrame()}, "Yesterday's forecast has not met its truth yet"),
        ({"days": 0}, "From the second night on, this tells how good the forecasts were"),
        ({"days": 5}, "too few days yet"),
        ({"changes": (), "judged": ()}, "No model has become champion yet"),
        ({"judged": None}, "MLflow's database cannot be read"),
        ({"health": pd.DataFrame(columns=HEALTH)}, "There are no readings of the last 30 days"),
        ({"recent": NO_READINGS}, "All 3 stations"),
        ({"issue": issue_of(("roof",), NOW.floor("h"))}, "1 of 3 stations have a forecast"),
        ({"issue": issue_of(("roof",), NOW - pd.Timedelta("3D"))}, "The newest forecast is 72 hours old"),
        (
            {"issue": issue_of(("roof",), NOW.floor("h")).assign(method="persistence", model_version="", run_id="")},
            "Forecast by a simple rule: as it is now.",
        ),
    ],
)
def test_what_is_missing_is_said(changes: dict, says: str) -> None:
    assert says in Reader(render(report_of(**changes))).text


def test_an_empty_workspace_has_a_page() -> None:
    nothing = ReportData(fleet="new", now=NOW, written_at=NOW, zone="UTC", step=pd.Timedelta("1h"))
    read = Reader(render(nothing))
    assert "There are no readings yet, and so no forecast." in read.text
    assert "Wed 20 Mar 2024, 02:15 UTC" in read.text
    assert "nan" not in read.text.lower().split()


def test_values_that_are_none_leave_a_hole_and_no_nan() -> None:
    told = report_of()
    recent = told.recent.copy()
    recent.loc[::5, "temperature_c"] = np.nan
    page = render(report_of(recent=recent, usual_mae_c=float("nan")))
    assert not re.search(r"\bnan\b", page, re.IGNORECASE)
    assert "usually" not in Reader(page).text


def test_the_state_is_a_plain_sentence() -> None:
    assert state_in_words(report_of()) == (
        "All 3 stations have a forecast; yesterday's was off by 1.2 °C on average, usually it is 2.2."
    )


def test_times_are_the_reader_s() -> None:
    text = Reader(render(report_of())).text
    assert "Wed 20 Mar 2024, 03:15 (Europe/Berlin; 02:15 UTC)" in text
    fan = text.split("At a glance")[1]
    assert "Thu 15:00" in fan or "Wed 15:00" in fan  # 14 UTC, the warmest hour
    assert "Lows and highs are those of the coming 24 hours." in text  # the charts show two days


def test_a_limit_is_drawn_told_and_needs_a_person() -> None:
    issue = with_limits(issue_of(("roof", "walk-in 2"), NOW.floor("h")), "walk-in 2", 11.0, 0.7)
    told = report_of(("roof", "walk-in 2"), issue=issue)
    text = Reader(render(told)).text
    assert "walk-in 2 will probably be above its limit of 11 °C: 70 % for Fri 03:00. See its chart below." in text
    assert "Chance to be above 11 °C: highest for Fri 03:00, 70 % at that one time." in text
    assert " limit 11 °C " in text
    assert told.findings[0].urgent
    calm = with_limits(issue, "walk-in 2", 11.0, 0.1)
    assert report_of(("roof", "walk-in 2"), issue=calm).findings == ()


def test_a_limit_is_told_as_it_is_written_and_no_chance_as_certain() -> None:
    issue = with_limits(issue_of(("roof",), NOW.floor("h")), "roof", 8.25, 0.9999)
    text = Reader(render(report_of(("roof",), issue=issue))).text
    assert "above its limit of 8.25 °C: >99 % for" in text
    assert "<1 %" in Reader(render(report_of(("roof",), issue=with_limits(issue, "roof", 8.25, 0.002)))).text
    for certain in ("100 % for", "100 % at", "0 % at"):
        assert f" {certain}" not in text


def test_what_counts_as_expected_is_a_setting() -> None:
    issue = with_limits(issue_of(("roof",), NOW.floor("h")), "roof", 11.0, 0.7)
    (told,) = report_of(("roof",), issue=issue, limit_probability=0.9).findings
    assert (told.urgent, "will perhaps" in told.text) == (False, True)
    rare = with_limits(issue, "roof", 11.0, 0.1)
    (told,) = report_of(("roof",), issue=rare, limit_probability=0.05).findings
    assert (told.urgent, "will perhaps" in told.text) == (True, True)


def test_what_is_past_is_not_told_as_still_to_come() -> None:
    old = NOW.floor("h") - pd.Timedelta("24h")
    issue = with_limits(issue_of(("roof",), old), "roof", 11.0, 0.7)
    issue["p_above"] = issue["p_above"].to_numpy()[::-1]  # likeliest at once, which is a day ago
    told = report_of(("roof",), issue=issue)
    assert "will perhaps be above its limit of 11 °C: 35 % for Wed 04:00" in told.findings[0].text
    low, high = extremes(told.ahead) or pytest.fail("there is a day ahead")
    assert min(low["valid_at"], high["valid_at"]) > NOW
    assert "highest for Wed 04:00, 35 % at that one time" in Reader(render(told)).text
    all_past = with_limits(issue_of(("roof", "cellar"), NOW - pd.Timedelta("10D")), "roof", 11.0, 0.7)
    told = report_of(("roof", "cellar"), issue=all_past)
    assert [finding.text for finding in told.findings] == ["The newest forecast is 240 hours old."]
    assert "All of this forecast is past: it ends Tue 12 Mar, 03:15." in Reader(render(told)).text


def test_an_old_forecast_s_readings_stay_within_its_chart() -> None:
    told = report_of(("roof",), issue=issue_of(("roof",), NOW.floor("h") - pd.Timedelta("60h")))
    (line,) = re.findall(
        r'd="M(\d+) \d+l([^"]*)" class="line truth"', render(told).split("What comes</h2>")[1].split("</section>")[0]
    )
    places = [int(number) for number in re.findall(r"-?\d+", line[1])]
    assert 0 < int(line[0]) + sum(places[::2]) <= 1000


def test_who_awaits_an_answer_needs_a_person() -> None:
    (told,) = report_of(judged=(Judged("9", NOW, "awaiting approval", "it is better", False),)).findings
    assert told.urgent
    assert told.text == "Version 9 awaits your yes or no: it is better."
    assert "`nightcast promote --approve 9 --why TEXT`, or --reject" in told.remedy


def test_a_silent_station_does_not_hide_those_that_have_just_gone_quiet() -> None:
    health = report_of().health
    health["late"], health["newest"] = health["station_id"] != "cellar", NOW - pd.Timedelta("9D")
    silent = Finding("Silent: roof.", urgent=True, stations=("roof",), about_absence=True)
    told = report_of(health=health, findings=(silent,)).findings
    assert [finding.text for finding in told] == [
        "Silent: roof.",
        "No usable reading of late from walk-in 2; the newest reading is of Mon 11 Mar, 03:15.",
    ]
    fleet = Finding("Late: all.", urgent=True, about_absence=True)
    assert report_of(health=health, findings=(fleet,)).findings == (fleet,)


def test_what_needs_a_person_has_an_end_in_a_fleet_of_a_thousand() -> None:
    names = tuple(f"s{number:04d}" for number in range(1000))
    issue = issue_of(names, NOW.floor("h"), leads=6).assign(
        limit_above_c=5.0, limit_below_c=np.nan, p_above=0.3, p_below=np.nan
    )
    silent = [
        Watched("silent", name, 30.0 + place, 24.0, 2, 3, True, True, False, "look")
        for place, name in enumerate(reversed(names))
    ]
    bare = ReportData("hall", NOW, NOW, "UTC", pd.Timedelta("1h"), issue=issue)
    told = own_findings(bare, from_monitoring(silent)).findings
    assert len(told) == 12
    assert told[0].text == (
        "Silent: 1,000 stations, s0999, s0998, s0997, s0996 and 996 more, have had no usable reading for 30 to 1029 h "
        "while others have."
    )
    assert told[-1].text == "And 990 more limits may be passed, with a chance of 30 % or less."


def test_a_chart_is_promised_only_where_there_is_one() -> None:
    names = tuple(f"s{number:03d}" for number in range(101))
    issue = issue_of(names, NOW.floor("h"), leads=2).assign(
        limit_above_c=5.0, limit_below_c=np.nan, p_above=0.7, p_below=np.nan
    )
    bare = ReportData("hall", NOW, NOW, "UTC", pd.Timedelta("1h"), issue=issue)
    assert {finding.remedy for finding in own_findings(bare, []).findings[:10]} == {"See its chart below."}
    issue.loc[issue["station_id"] > "s040", "method"] = "climatology"  # these have the charts now
    told = own_findings(bare, []).findings
    assert all(finding.remedy.startswith("“At a glance”") for finding in told)


def test_what_is_urgent_comes_first_and_its_station_too() -> None:
    later, now = Finding("a", stations=("roof",)), Finding("b", urgent=True, stations=("walk-in 2",))
    told = report_of(findings=(later, now))
    assert [finding.text for finding in told.findings] == ["b", "a"]
    assert charted(told) == ["roof", "walk-in 2", "cellar"]
    assert Reader(render(told)).text.index("Look today.") < Reader(render(told)).text.index("When there is time.")
    assert "Nothing." in Reader(render(report_of())).text


def test_late_stations_are_named() -> None:
    health = report_of().health
    health.loc[health["station_id"] == "roof", "late"] = True
    assert "No usable reading of late from roof" in Reader(render(report_of(health=health))).text


def test_a_large_fleet_has_charts_of_those_that_deserve_a_look() -> None:
    names = tuple(f"s{number:03d}" for number in range(101))
    issue = issue_of(names, NOW.floor("h"), leads=6)
    issue.loc[issue["station_id"] == "s090", "method"] = "climatology"
    yesterday = report_of(("s100", "s099")).yesterday
    yesterday.loc[yesterday["station_id"] == "s099", "error_c"] = 3.0
    told = report_of(
        names, days=0, issue=issue, yesterday=yesterday, recent=NO_READINGS,
        findings=(Finding("look", stations=("s077",)),),
    )  # fmt: skip
    assert charted(told)[:4] == ["s077", "s090", "s099", "s100"]
    read = Reader(render(told))
    assert sum(anchor.startswith("station-") for anchor in read.attributes("id")) == 60
    assert "Of 101 stations, 60 have a chart" in read.text
    assert "All 101 stations at a glance" in read.text


def test_a_verdict_speaks_of_the_leads_that_can_be_told() -> None:
    rows = pd.DataFrame({"skill_climatology": [0.3, 0.2], "skill_climatology_low": [0.1, 0.1]})
    rows["skill_climatology_high"] = 0.5
    assert _verdict(rows, "skill_climatology") == "Yes, at every lead, and by more than chance."
    rows.loc[1, ["skill_climatology_low", "skill_climatology_high"]] = np.nan
    assert _verdict(rows, "skill_climatology") == "Yes, at every lead that can be told, and by more than chance."


def test_yesterday_s_charts_have_their_numbers_beside_what_came() -> None:
    text = Reader(render(report_of(("roof",)))).text
    assert "Numbers of roof, with what came" in text
    assert "timecamemost likely8 in 109 in 10" in text
