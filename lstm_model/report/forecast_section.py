"""What comes, and how the forecast of yesterday did."""

from __future__ import annotations

from functools import partial

import pandas as pd

from lstm_model.report.charted import charted, likeliest
from lstm_model.report.data import ReportData
from lstm_model.report.fan import coming_day, extremes, legend, station_fan, yesterday_fan
from lstm_model.report.markup import Html, join, tag
from lstm_model.report.tables import plain, table
from lstm_model.report.words import METHODS, UNKNOWN, chance, clock, degrees, moment, percent

_MOST_YESTERDAY = 3
_MOST_ROWS = 20


def tonight(data: ReportData) -> list[Html]:
    """What comes: a sentence, a table of lows and highs, and the stations' fans."""
    if data.issued_at is None:
        return [plain("No forecast has gone out yet. `nightcast run` makes the first one.")]
    stations = charted(data)
    by_station = dict(list(data.issue.groupby("station_id", sort=True)))
    anchors = {station: f"station-{number}" for number, station in enumerate(stations, start=1)}
    last = data.issue["valid_at"].max()
    methods = data.issue.drop_duplicates("station_id")["method"].value_counts()
    by = "; ".join(f"{number:,} by {METHODS.get(str(method), method)}" for method, number in methods.items())
    lead = f"Issued {moment(data.issued_at, data.zone)}, up to {moment(last, data.zone)}: {by}."
    lead += _lows_of(data, by_station)
    parts = [tag("p", lead, class_="lead")]
    if len(by_station) > len(stations):
        parts.append(tag("p", _rule(len(by_station), len(stations)), class_="note"))
    if len(by_station) > 1:
        parts.append(_glance(data, by_station, anchors))
    cards = (station_fan(data, station, by_station[station], anchors[station]) for station in stations)
    return [*parts, legend(), tag("div", *cards, class_="cards")]


def _lows_of(data: ReportData, by_station: dict[str, pd.DataFrame]) -> str:
    """What lows and highs are of, where that is less than the charts show."""
    ahead = data.still_ahead(next(iter(by_station.values())))
    return " Lows and highs are those of the coming 24 hours." if len(coming_day(ahead)) < len(ahead) else ""


def _rule(everybody: int, shown: int) -> str:
    return (
        f"Of {everybody:,} stations, {shown} have a chart: first those that something is the matter with, then those "
        "that may pass a limit, those that the trained model does not serve, and those that were forecast worst "
        "yesterday. The table has all of them."
    )


def _glance(data: ReportData, by_station: dict[str, pd.DataFrame], anchors: dict[str, str]) -> Html:
    """A row a station: the low and the high of the coming day; folded where it is long."""
    chances, rows = likeliest(data), []
    for station, told in by_station.items():
        found = extremes(data.still_ahead(told))
        name = tag("a", data.name(station), href=f"#{anchors[station]}") if station in anchors else data.name(station)
        row = [name, *(map(partial(_extreme, data), found) if found else (UNKNOWN, UNKNOWN))]
        rows.append([*row, chance(chances.get(station, float("nan")))] if chances else row)
    headings = ("station", "low", "high", *(("limit",) if chances else ()))
    inside = table(headings, rows)
    if len(rows) <= _MOST_ROWS:
        return tag("article", tag("h3", "At a glance"), inside, class_="card glance")
    folded = tag("details", tag("summary", f"All {len(rows):,} stations at a glance"), inside)
    return tag("article", folded, class_="card glance")


def _extreme(data: ReportData, row: pd.Series) -> Html:
    return join(tag("b", f"{degrees(row['temperature_c'])} °C"), f" {clock(row['valid_at'], data.zone, data.now)}")


def yesterday(data: ReportData) -> list[Html]:
    """How the forecast of a day ago did: a sentence, the worst stations' fans with what came, a table."""
    rows = data.yesterday
    if rows.empty:
        return [plain("Yesterday's forecast has not met its truth yet: there was none, or its readings are not in.")]
    errors = rows["error_c"].abs().groupby(rows["station_id"]).mean().sort_values(ascending=False, kind="stable")
    off, within = degrees(rows["error_c"].abs().mean()), percent(rows["covered_80"].astype(float).mean())
    lead = (
        f"The forecast of {moment(rows['issued_at'].iloc[0], data.zone)} was off by {off} °C on average over its first "
        f"{rows['lead_hours'].max():.0f} hours; {within} of what came lay within its 80 % band."
    )
    worst = [str(name) for name in errors.index[:_MOST_YESTERDAY]]
    by_station = dict(list(rows.groupby("station_id")))
    cards = [yesterday_fan(data, station, by_station[station]) for station in worst]
    parts = [tag("p", lead, class_="lead"), legend("what came")]
    if len(errors) > len(worst):
        which = f"These are the {len(worst)} stations that were forecast worst, of {len(errors):,}."
        parts.append(tag("p", which, class_="note"))
    told = [
        (
            data.name(str(station)), degrees(error), degrees(by_station[station]["error_c"].mean()),
            percent(float(by_station[station]["covered_80"].mean())),
        )
        for station, error in errors.head(_MOST_ROWS).items()
    ]  # fmt: skip
    headings = ("station", "off by, °C", "too warm by, °C", "within 80 % band")
    summary = "Numbers of every station" if len(errors) <= _MOST_ROWS else f"Numbers of the {_MOST_ROWS} worst stations"
    folded = tag("details", tag("summary", summary), table(headings, told))
    return [*parts, tag("div", *cards, class_="cards"), folded]
