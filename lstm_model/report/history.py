"""Who was champion when, and why."""

from __future__ import annotations

import pandas as pd

from lstm_model.registry import Entry
from lstm_model.report.data import Judged, ReportData
from lstm_model.report.markup import Html, join, prose, tag
from lstm_model.report.svg import Plot
from lstm_model.report.tables import table
from lstm_model.report.times import hour, time_ticks
from lstm_model.report.words import day

_SHOWN = pd.Timedelta("60D")
_MOST_CHANGES = 12
_ROOM_FOR_WORDS = 0.09
_ACTIONS = {"rollback": "Put back: ", "demote": "Demoted: "}


def champions(data: ReportData) -> list[Html]:
    """A line of reigns, the changes with their reasons, and what the gate made of the newest versions."""
    if not data.changes:
        why = "No model has become champion yet: it takes some weeks of readings to learn from and to be judged on."
        return [tag("article", tag("p", why), class_="card wide")]
    changes = list(reversed(data.changes))[:_MOST_CHANGES]
    told = [
        (day(change.as_of, data.zone, data.now), f"{change.before or '–'} ─► {change.champion or '–'}", _why(change))
        for change in changes
    ]
    parts = [
        tag("h3", "Which version forecast when"), _reigns(data), tag("h3", "Every change, and why"),
        table(("night", "version", "why"), told, words_from=2),
    ]  # fmt: skip
    if (more := len(data.changes) - _MOST_CHANGES) > 0:
        parts.append(tag("p", prose(f"and {more} older changes; `nightcast models --log` lists all."), class_="note"))
    return [tag("article", *parts, class_="card wide"), _judgements(data)]


def _reigns(data: ReportData) -> Html:
    """A bar a reign."""
    begin = max(data.changes[0].as_of, data.now - _SHOWN)
    end = max(data.now, begin + pd.Timedelta("1D"))
    ends = [*(change.as_of for change in data.changes[1:]), end]
    plot = Plot((hour(begin), hour(end)), (0.0, 1.0), _says(data), 64)
    plot.x_ticks(time_ticks(begin, end, data.zone, most=5))
    shade = 0
    for change, until in zip(data.changes, ends, strict=True):
        if until <= begin or until <= change.as_of or not change.champion:
            continue
        left, right = max(change.as_of, begin), until
        shade = 1 - shade
        css = "reign back" if change.action in _ACTIONS else f"reign {'odd' if shade else 'even'}"
        plot.bar((hour(left), hour(right)), (0.12, 0.88), css)
        if (right - left) / (end - begin) > _ROOM_FOR_WORDS:
            middle = left + (right - left) / 2
            plot.text(hour(middle), 0.5, f"v{change.champion}", "reign", up=-4, anchor="middle")
    return plot.html()


def _says(data: ReportData) -> str:
    last = data.changes[-1]
    who = f"Version {last.champion} is champion" if last.champion else "Nobody is champion"
    first, since = (day(change.as_of, data.zone, data.now) for change in (data.changes[0], last))
    return f"{who} since the night of {since}; the champion changed {len(data.changes)} times since {first}"


def _why(change: Entry) -> Html:
    who = "" if change.who == "nightly" else f" (by {change.who})"
    return join(_ACTIONS.get(change.action, ""), change.why, who)


def _judgements(data: ReportData) -> Html:
    """What the gate made of the newest versions."""
    if data.judged is None:
        return tag(
            "article",
            tag("p", "MLflow's database cannot be read, so that versions cannot be told."),
            class_="card wide",
        )
    told = [
        (
            day(version.night, data.zone, data.now),
            _version(version),
            join(tag("b", _decision(version)), ". ", version.reason),
        )
        for version in data.judged
    ]
    return tag(
        "article", tag("h3", "What the gate said to the newest models"),
        tag("p", "Every night trains a model. It serves only if it has earned it; ★ is champion now.", class_="note"),
        table(("night", "version", "decision"), told, words_from=2), class_="card wide",
    )  # fmt: skip


def _version(version: Judged) -> str:
    return f"{version.version} ★" if version.champion else version.version


def _decision(version: Judged) -> str:
    return version.decision.capitalize()
