"""The report as one page of HTML that needs nothing but itself: no network, no script, no font of its own."""

from __future__ import annotations

from collections.abc import Iterable

from lstm_model.report.data import Finding, ReportData
from lstm_model.report.forecast_section import tonight, yesterday
from lstm_model.report.health_section import health
from lstm_model.report.history import champions
from lstm_model.report.markup import Html, prose, tag
from lstm_model.report.skill_charts import errors_by_lead, limit_reliability, promises, reliability, skill_against
from lstm_model.report.style import CSS
from lstm_model.report.tables import plain
from lstm_model.report.words import BASELINES, degrees, moment
from lstm_model.words import count

# Whatever a station is called, this page fetches nothing and runs nothing.
_ASK_NOBODY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_HARD = 1.5  # so many times its usual error, and a day was hard
_SECTIONS = {
    "needs": "What needs a person",
    "tonight": "What comes",
    "yesterday": "How yesterday's forecast did",
    "skill": "How good it is",
    "honesty": "How sure it is",
    "champions": "Which model, and why",
    "health": "Data health",
}


def render(data: ReportData) -> str:
    """The page, as text."""
    parts = {
        "needs": _needs(data),
        "tonight": tonight(data),
        "yesterday": yesterday(data),
        "skill": _skill(data),
        "honesty": _honesty(data),
        "champions": [tag("div", *champions(data), class_="cards")],
        "health": [tag("div", *health(data), class_="cards")],
    }
    sections = (tag("section", tag("h2", _SECTIONS[name], id=name), *inside) for name, inside in parts.items())
    head = tag(
        "head", tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=_ASK_NOBODY), tag("link", rel="icon", href="data:,"),
        tag("title", f"Temperatures ahead: {data.fleet}"), tag("style", Html(CSS)),
    )  # fmt: skip
    body = tag("body", _header(data), tag("main", *sections), _footer(data))
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def state_in_words(data: ReportData) -> str:
    """Where things stand, in a sentence."""
    served = data.issue["station_id"].nunique() if len(data.issue) else 0
    everybody = max(served, len(data.health))
    if not everybody:
        return "There are no readings yet, and so no forecast."
    if not served:
        told = f"None of {count(everybody, 'station')} has a forecast yet"
    elif served < everybody:
        told = f"{served:,} of {everybody:,} stations have a forecast"
    else:
        told = "The only station has a forecast" if served == 1 else f"All {served:,} stations have a forecast"
    if data.yesterday.empty:
        return f"{told}. How good it is will be known once its time has come."
    off = float(data.yesterday["error_c"].abs().mean())
    usually = f", usually it is {degrees(data.usual_mae_c)}" if data.usual_mae_c == data.usual_mae_c else ""
    hard = ": a day that was hard to forecast" if off > _HARD * data.usual_mae_c else ""
    return f"{told}; yesterday's was off by {degrees(off)} °C on average{usually}{hard}."


def _header(data: ReportData) -> Html:
    utc = "" if data.zone in ("UTC", "Etc/UTC") else f" ({data.zone}; {data.now:%H:%M} UTC)"
    zone = " UTC" if not utc else ""
    links = (tag("a", words, href=f"#{name}") for name, words in _SECTIONS.items())
    played = None
    if data.plays_sample:
        played = tag(
            "p", "This is 2013 played back: the sample that nightcast brings, New York's airports.", class_="note"
        )
    return tag(
        "header", tag("h1", f"Temperatures ahead: {data.fleet}"),
        tag("p", f"{moment(data.now, data.zone)}{zone}{utc}", class_="when"), played,
        tag("p", state_in_words(data), class_="state"), tag("nav", *links, aria_label="On this page"),
    )  # fmt: skip


def _needs(data: ReportData) -> list[Html]:
    if not data.findings:
        return [
            tag("ul", tag("li", tag("b", "✓ Nothing."), " Everything runs by itself.", class_="calm"), class_="needs")
        ]
    return [tag("ul", *map(_finding, data.findings), class_="needs")]


def _finding(finding: Finding) -> Html:
    word = "! Look today." if finding.urgent else "When there is time."
    return tag(
        "li",
        tag("b", word),
        " ",
        prose(f"{finding.text} {finding.remedy}".strip()),
        class_="urgent" if finding.urgent else None,
    )


def _skill(data: ReportData) -> list[Html]:
    if data.by_lead.empty:
        return [plain("Nothing is verified yet. From the second night on, this tells how good the forecasts were.")]
    lead = f"{data.scored:,} forecasts of the last {data.days} days that have met their truth."
    if data.by_lead["mae_low"].isna().any():
        lead += " Where a line has no shaded band, there are too few days yet to tell what chance leaves open."
    cards = [skill_against(data, name) for name in BASELINES if data.by_lead[f"skill_{name}"].notna().any()]
    return [tag("p", lead, class_="lead"), tag("div", errors_by_lead(data), class_="cards gap"),
            tag("div", *cards, class_="cards three")]  # fmt: skip


def _honesty(data: ReportData) -> list[Html]:
    if data.coverage.empty:
        return [plain("Nothing is verified yet. From the second night on, this tells how honest the bands were.")]
    cards = [promises(data), reliability(data), *limit_reliability(data)]
    return [tag("div", *cards, class_="cards")]


def _footer(data: ReportData) -> Html:
    lines = [f"Written {data.written_at:%Y-%m-%d %H:%M} UTC by nightcast, code {_short(data.code)}."]
    if len(data.issue):
        rows = data.issue.drop_duplicates(["model_version", "run_id"])
        models = [f"version {row.model_version} (run {row.run_id})" for row in rows.itertuples() if row.model_version]
        readings = data.issue["readings_version"].dropna().unique()
        lines.append(
            f"Forecast issued {data.issued_at:%Y-%m-%d %H:%M} UTC by {_listed(models) or 'baselines alone'}, from "
            f"version {_listed(str(int(number)) for number in readings) or 'unknown'} of the readings."
        )
    lines.append("Every lead and quantile is in predictions/latest.csv.")
    return tag("footer", *(tag("p", line) for line in lines))


def _short(code: str) -> str:
    """A commit as people name it, with what says that it was changed."""
    commit, plus, changes = code.partition("+")
    return f"{commit[:12]}{plus}{changes}"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)
