"""What needs a person, as far as the tables of the report show it themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import pandas as pd

from lstm_model.monitoring import Finding as Watched
from lstm_model.monitoring.finding import CHAMPION, FLEET
from lstm_model.report.data import Finding, ReportData
from lstm_model.report.words import clock, degrees, named_few, percent

LIKELY, POSSIBLE = 0.5, 0.2
_STALE = pd.Timedelta("26h")
_ABOUT_ABSENCE, _NO_STATIONS = ("silent", "late"), (FLEET, CHAMPION)


def from_monitoring(watched: Iterable[Watched]) -> list[Finding]:
    """What monitoring raised, as findings of a report; stations that are silent and data that stay away are urgent."""
    return [
        Finding(
            f"{one.rule.capitalize()}: {one.sentence}.",
            urgent=one.rule in _ABOUT_ABSENCE,
            stations=() if one.subject in _NO_STATIONS else (one.subject,),
            about_absence=one.rule in _ABOUT_ABSENCE,
        )
        for one in watched
        if one.raised
    ]


def own_findings(data: ReportData, others: Sequence[Finding]) -> ReportData:
    """The same report with everything that needs a person, what is urgent first.

    Args:
        data: all that is known but for its findings.
        others: what others found.
    """
    found = [*_limits(data), *others, *_forecast(data)]
    if not any(finding.about_absence for finding in others):
        found += _late(data)
    return replace(data, findings=tuple(sorted(found, key=lambda finding: not finding.urgent)))


def worst_chance(rows: pd.DataFrame, side: str) -> pd.Series | None:
    """The row of a station's forecast in which passing a limit is likeliest; None where it has no such limit.

    Args:
        rows: of one station.
        side: above or below.
    """
    if f"p_{side}" not in rows or f"limit_{side}_c" not in rows:
        return None
    known = rows[rows[f"p_{side}"].notna() & rows[f"limit_{side}_c"].notna()]
    return None if known.empty else known.loc[known[f"p_{side}"].idxmax()]


def _limits(data: ReportData) -> Iterator[Finding]:
    """Stations that may pass a limit, the likeliest first."""
    if "p_above" not in data.issue and "p_below" not in data.issue:
        return
    found = []
    for station, rows in data.issue.groupby("station_id"):
        for side in ("above", "below"):
            row = worst_chance(rows, side)
            if row is not None and row[f"p_{side}"] >= POSSIBLE:
                chance = float(row[f"p_{side}"])
                how, limit = "probably" if chance >= LIKELY else "perhaps", degrees(row[f"limit_{side}_c"])
                text = (
                    f"{data.name(str(station))} will {how} be {side} its limit of {limit} °C: "
                    f"{percent(chance)} for {clock(row['valid_at'], data.zone)}."
                )
                found.append((chance, Finding(text, "See its chart below.", chance >= LIKELY, (str(station),))))
    yield from (finding for _, finding in sorted(found, key=lambda pair: -pair[0]))


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


def _late(data: ReportData) -> Iterator[Finding]:
    """Stations whose readings stay away."""
    if data.health.empty:
        return
    late = data.health[data.health["late"].astype(bool)]
    if len(late):
        stations = [str(name) for name in late["station_id"]]
        newest = late["newest"].max()
        since = "" if pd.isna(newest) else f"; the newest reading is of {clock(newest, data.zone)}"
        yield Finding(
            f"No usable reading of late from {named_few([data.name(name) for name in stations])}{since}.",
            "Look whether the sensor, its battery or its connection is down.",
            urgent=True,
            stations=tuple(stations),
        )
