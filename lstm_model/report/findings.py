"""What needs a person, as far as the tables of the report show it themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import pandas as pd

from lstm_model.forecasts.limits import Expected
from lstm_model.monitoring import Finding as Watched
from lstm_model.monitoring.finding import CHAMPION, FLEET
from lstm_model.registry import AWAITING
from lstm_model.report.charted import charted
from lstm_model.report.data import Finding, ReportData
from lstm_model.report.words import chance, clock, limit, named_few
from lstm_model.words import count

MOST = 10
"""So many findings of a kind are told one by one."""
_PROBABLY, _PERHAPS = 0.5, 0.2
_STALE = pd.Timedelta("26h")
_ABOUT_ABSENCE, _NO_STATIONS = ("silent", "late"), (FLEET, CHAMPION)
_SEE_CHART, _SEE_TABLE = "See its chart below.", "“At a glance” has every station's chance."


def from_monitoring(watched: Iterable[Watched]) -> list[Finding]:
    """What monitoring raised, as findings of a report; stations that are silent and data that stay away are urgent.

    Several silent stations are one finding, those that fell silent last first.
    """
    raised = [one for one in watched if one.raised]
    silent = sorted((one for one in raised if one.rule == "silent"), key=lambda one: (one.value, one.subject))
    told = [_watched(one) for one in raised if one.rule != "silent" or len(silent) == 1]
    if len(silent) < 2:
        return told
    stations = tuple(one.subject for one in silent)
    text = (
        f"Silent: {count(len(silent), 'station')}, {named_few(stations)}, have had no usable reading for "
        f"{silent[0].value:.0f} to {silent[-1].value:.0f} h while others have."
    )
    remedy = "See whether they have power and a connection; `nightcast monitor` tells of each."
    return [*told, Finding(text, remedy, urgent=True, stations=stations, about_absence=True)]


def _watched(one: Watched) -> Finding:
    return Finding(
        f"{one.rule.capitalize()}: {one.sentence}.",
        urgent=one.rule in _ABOUT_ABSENCE,
        stations=() if one.subject in _NO_STATIONS else (one.subject,),
        about_absence=one.rule in _ABOUT_ABSENCE,
    )


def own_findings(data: ReportData, others: Sequence[Finding]) -> ReportData:
    """The same report with everything that needs a person, what is urgent first.

    Args:
        data: all that is known but for its findings.
        others: what others found.
    """
    found = [*_limits(data), *_approval(data), *others, *_forecast(data), *_late(data, others)]
    told = replace(data, findings=tuple(sorted(found, key=lambda finding: not finding.urgent)))
    shown = set(charted(told))
    return replace(told, findings=tuple(_where_to_see(finding, shown) for finding in told.findings))


def _where_to_see(finding: Finding, shown: set[str]) -> Finding:
    """The same; what has no chart is not looked for in one."""
    missing = finding.remedy == _SEE_CHART and not set(finding.stations) <= shown
    return replace(finding, remedy=_SEE_TABLE) if missing else finding


def _limits(data: ReportData) -> Iterator[Finding]:
    """Stations that may yet pass a limit, the likeliest first, and how many more there are."""
    perhaps = min(_PERHAPS, data.limit_probability)
    expected = [one for one in data.limits if one.peak >= perhaps]
    yield from (_limit(data, one) for one in expected[:MOST])
    if more := expected[MOST:]:
        which = "another limit" if len(more) == 1 else f"{len(more):,} more limits"
        urgent, stations = more[0].peak >= data.limit_probability, tuple(dict.fromkeys(one.station for one in more))
        text = f"And {which} may be passed, with a chance of {chance(more[0].peak)} or less."
        yield Finding(text, _SEE_TABLE, urgent, stations)


def _limit(data: ReportData, one: Expected) -> Finding:
    likely = one.peak >= data.limit_probability
    how = "probably" if likely and one.peak >= _PROBABLY else "perhaps"
    text = (
        f"{data.name(one.station)} will {how} be {one.side} its limit of {limit(one.limit_c)} °C: "
        f"{chance(one.peak)} for {clock(one.peak_at, data.zone, data.now)}."
    )
    return Finding(text, _SEE_CHART, likely, (one.station,))


def _approval(data: ReportData) -> Iterator[Finding]:
    """Versions that wait for somebody's yes or no."""
    for one in data.judged or ():
        if one.decision == AWAITING:
            remedy = f"Answer on the Prefect dashboard, or type `nightcast promote --approve {one.version} --why TEXT`"
            text = f"Version {one.version} awaits your yes or no: {one.reason}."
            yield Finding(text, f"{remedy}, or --reject.", urgent=True)


def _forecast(data: ReportData) -> Iterator[Finding]:
    """No forecast, an old one, or stations that it leaves out."""
    if data.issued_at is None:
        if len(data.health):
            yield Finding("No forecast has gone out yet.", "Run `nightcast run`.", urgent=True)
        return
    age = data.now - data.issued_at
    if age > _STALE + data.step:
        yield Finding(
            f"The newest forecast is {age / pd.Timedelta('1h'):.0f} hours old.",
            "Run `nightcast run`; `nightcast doctor` says what keeps the nights from running.",
            urgent=True,
        )
    served = set(data.issue["station_id"])
    if left := [station for station in data.health["station_id"] if station not in served]:
        yield Finding(
            f"{named_few([data.name(name) for name in left])} got no forecast, though there are readings.",
            "See their newest readings under “Data health”.",
            stations=tuple(left),
        )


def _late(data: ReportData, others: Sequence[Finding]) -> Iterator[Finding]:
    """Stations whose readings stay away, but for those of which others say so."""
    said = [finding for finding in others if finding.about_absence]
    if data.health.empty or any(not finding.stations for finding in said):
        return
    named = {station for finding in said for station in finding.stations}
    late = data.health[data.health["late"].astype(bool) & ~data.health["station_id"].isin(named)]
    if len(late):
        stations = [str(name) for name in late["station_id"]]
        newest = late["newest"].max()
        since = "" if pd.isna(newest) else f"; the newest reading is of {clock(newest, data.zone, data.now)}"
        yield Finding(
            f"No usable reading of late from {named_few([data.name(name) for name in stations])}{since}.",
            "Look whether the sensor, its battery or its connection is down.",
            urgent=True,
            stations=tuple(stations),
        )
