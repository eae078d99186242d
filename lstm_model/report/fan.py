"""What comes, as a fan: the last days' readings, the median ahead, and how far off it may be."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import cast

import numpy as np
import pandas as pd

from lstm_model.forecasts.limits import limits_of
from lstm_model.report.data import ReportData
from lstm_model.report.markup import Html, join, tag
from lstm_model.report.svg import Plot, nice_ticks
from lstm_model.report.tables import numbers, table
from lstm_model.report.times import hour, hours, time_ticks
from lstm_model.report.words import METHODS, chance, clock, degrees, limit, percent

BANDS = {"band90": ("q05", "q95"), "band80": ("q10", "q90"), "band50": ("q25", "q75")}
_ROOM = 0.2  # above and below, for the words at the highest and the lowest
_LEAST_SPAN_C = 1.0
_NEAR_READINGS = 0.17  # so close behind the newest reading, words begin there, lest they lie on the readings
_MOST_ROWS = 17
_FAR_LIMIT = 1.0  # a limit further away than the whole span is told in words alone
_LITTLE_PAST = 0.4  # of the width, and there is no room for words on it
_DAY_HOURS, _FEW_STEPS = 24.0, 6


def legend(truth: str = "readings") -> Html:
    """What the colours mean, once for all fans."""
    keys = [
        ("key-line truth", truth), ("key-line forecast", "most likely"), ("key-box band50", "5 times in 10 within"),
        ("key-box band80", "8 in 10"), ("key-box band90", "9 in 10"),
    ]  # fmt: skip
    return tag("ul", *(tag("li", tag("i", class_=css), words) for css, words in keys), class_="legend")


def extremes(ahead: pd.DataFrame) -> tuple[pd.Series, pd.Series] | None:
    """The coldest and the warmest row of a station's coming day, by the median.

    Args:
        ahead: of one station, what is still to come, ordered by lead.

    Returns:
        None where nothing is still to come.
    """
    if ahead.empty:
        return None
    median = coming_day(ahead)["temperature_c"].to_numpy()
    return ahead.iloc[int(median.argmin())], ahead.iloc[int(median.argmax())]


def coming_day(ahead: pd.DataFrame) -> pd.DataFrame:
    """The first rows of what is still to come of a station, 24 hours of them; all where steps are long."""
    leads = ahead["lead_hours"].to_numpy()
    near = np.flatnonzero(leads < leads[:1].sum() + _DAY_HOURS)
    return ahead.iloc[: len(near)] if len(near) >= _FEW_STEPS else ahead


def station_fan(data: ReportData, station: str, rows: pd.DataFrame, anchor: str) -> Html:
    """The card of a station: its fan, its low and high, its chances to pass a limit, and its numbers."""
    ahead = data.still_ahead(rows)
    marks = extremes(ahead)
    past = data.recent[data.recent["station_id"] == station]
    chart = fan(data, rows, past, says=_says(data, station, rows, past, marks), marks=marks or (), height=230)
    method = str(rows["method"].iloc[0])
    told = None if method == "champion" else tag("p", f"Forecast by {METHODS.get(method, method)}.", class_="note")
    facts = tag("p", f"{_all_past(data, rows)}.", class_="note")
    if marks is not None:
        low, high = marks
        facts = tag("dl", *_fact(data, "Low", low), *_fact(data, "High", high), class_="facts")
    return tag(
        "article", tag("h3", data.name(station)), facts, *_chances(data, ahead), told, chart,
        numbers(f"Numbers of {data.name(station)}", _table(data, rows)), class_="card", id=anchor,
    )  # fmt: skip


def yesterday_fan(data: ReportData, station: str, rows: pd.DataFrame) -> Html:
    """The card of a station whose forecast met its truth."""
    past = data.recent[data.recent["station_id"] == station]
    begin = rows["issued_at"].iloc[0] - (rows["valid_at"].max() - rows["issued_at"].iloc[0])
    off, within = rows["error_c"].abs().mean(), rows["covered_80"].mean()
    worst = rows.loc[rows["error_c"].abs().idxmax()]
    side = "too warm" if worst["error_c"] > 0 else "too cold"
    told = (
        f"Off by {degrees(off)} °C on average, {percent(within)} of what came within the 80 % band; "
        f"worst {clock(worst['valid_at'], data.zone, data.now)}, {degrees(abs(worst['error_c']))} °C {side}"
    )
    says = f"{data.name(station)}: forecast and what came. {told}"
    chart = fan(data, rows, past[past["observed_at"] > begin], says=says, height=190)
    return tag(
        "article", tag("h3", data.name(station)), tag("p", f"{told}.", class_="note"), chart,
        numbers(f"Numbers of {data.name(station)}, with what came", _table(data, rows)), class_="card",
    )  # fmt: skip


def fan(
    data: ReportData,
    rows: pd.DataFrame,
    past: pd.DataFrame,
    *,
    says: str,
    marks: Sequence[pd.Series] = (),
    height: int,
) -> Html:
    """Readings and a forecast of one station, up to the forecast's end; now is marked where it is later than the issue.

    Args:
        data: whose zone and now it is drawn for.
        rows: of the forecast, ordered by lead.
        past: readings: observed_at, temperature_c, ordered by time.
        says: the message, for whoever cannot see it.
        marks: the coldest and the warmest row, to be named in the drawing.
        height: in pixels.
    """
    issued_at, last = pd.Timestamp(rows["issued_at"].iloc[0]), pd.Timestamp(rows["valid_at"].max())
    past = past[past["observed_at"] <= last]
    first = min(past["observed_at"].min(), issued_at) if len(past) else issued_at
    bottom, top = _span(rows, past)
    plot = Plot((hour(first), hour(last)), (bottom, top), says, height)
    plot.y_ticks((tick, degrees(tick, 0 if tick == round(tick) else 1) + "°") for tick in nice_ticks(bottom, top))
    plot.x_ticks(time_ticks(first, last, data.zone))
    ahead = hours(rows["valid_at"])
    told = {name: rows[name].to_numpy(np.float64) for name in ("temperature_c", *chain(*BANDS.values()))}
    for css, (low, high) in BANDS.items():
        plot.area(ahead, told[low], told[high], css)
    for edge in BANDS["band80"]:
        plot.line(ahead, told[edge], "edge")
    plot.line(ahead, told["temperature_c"], "forecast")
    plot.line(*_with_gaps(past), "truth")
    plot.rule(x=hour(issued_at), css="now")
    if issued_at - first > _LITTLE_PAST * (last - first):
        plot.text(hour(issued_at), top, "forecast from here ▸", "hint", up=-12, right=-5, anchor="end")
    if rows["valid_at"].iloc[0] < data.now < last:
        plot.rule(x=hour(data.now), css="now later")
        plot.text(hour(data.now), bottom, "now", "hint", up=6, right=4, anchor="start")
    _draw_limits(plot, rows, hour(first), (bottom, top))
    for row, up in zip(marks, (-17, 10), strict=False):
        value, at = float(row["temperature_c"]), hour(row["valid_at"])
        plot.dots(np.array([at]), np.array([value]), "mark", radius=3.5)
        words = f"{degrees(value)}° {clock(row['valid_at'], data.zone, data.now)}"
        if at - hour(issued_at) < _NEAR_READINGS * (hour(last) - hour(first)):
            plot.text(hour(issued_at), value, words, "mark", up=up, right=4, anchor="start")
        else:
            plot.text(at, value, words, "mark", up=up)
    return plot.html()


def _span(rows: pd.DataFrame, past: pd.DataFrame) -> tuple[float, float]:
    """The ends of the vertical axis: all that is drawn, with room for words, and a limit that is near."""
    values = np.concatenate([rows["q05"], rows["q95"], rows["temperature_c"], past["temperature_c"]]).astype(np.float64)
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    span = max(high - low, _LEAST_SPAN_C)
    limits = [place for _, place in _limits(rows) if low - _FAR_LIMIT * span < place < high + _FAR_LIMIT * span]
    low, high = min([low, *limits]), max([high, *limits])
    room = _ROOM * max(high - low, _LEAST_SPAN_C)
    return low - room, high + room


def _limits(rows: pd.DataFrame) -> list[tuple[str, float]]:
    return sorted((one.side, one.limit_c) for one in limits_of(rows))


def _draw_limits(plot: Plot, rows: pd.DataFrame, left: float, ends: tuple[float, float]) -> None:
    for side, place in _limits(rows):
        if ends[0] < place < ends[1]:
            plot.rule(y=place, css="limit")
            words = f"limit {limit(place)} °C"
            plot.text(left, place, words, "limit", up=5 if side == "above" else -14, right=4, anchor="start")


def _with_gaps(past: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Readings as a line that breaks where one is missing: longer without one than three times as usual."""
    times, values = hours(past["observed_at"]), past["temperature_c"].to_numpy(np.float64)
    between = np.diff(times)
    holes = np.flatnonzero(between > 3 * np.median(between)) + 1 if len(between) else np.empty(0, int)
    return np.insert(times, holes, np.nan), np.insert(values, holes, np.nan)


def _fact(data: ReportData, name: str, row: pd.Series) -> tuple[Html, Html]:
    told = join(
        tag("b", f"{degrees(row['temperature_c'])} °C"), " ", clock(row["valid_at"], data.zone, data.now), " ",
        tag("small", f"8 in 10: {degrees(row['q10'])} … {degrees(row['q90'])}"),
    )  # fmt: skip
    return tag("dt", name), tag("dd", told)


def _all_past(data: ReportData, rows: pd.DataFrame) -> str:
    return f"All of this forecast is past: it ends {clock(rows['valid_at'].max(), data.zone, data.now)}"


def _chances(data: ReportData, ahead: pd.DataFrame) -> list[Html]:
    """How likely each limit is passed at the time at which it is likeliest; to pass it at any time is no less so."""
    return [
        tag(
            "p", f"Chance to be {one.side} {limit(one.limit_c)} °C: highest for "
            f"{clock(one.peak_at, data.zone, data.now)}, ", tag("b", f"{chance(one.peak)} at that one time"), ".",
            class_="note",
        )
        for one in limits_of(ahead)
    ]  # fmt: skip


def _says(
    data: ReportData, station: str, rows: pd.DataFrame, past: pd.DataFrame, marks: tuple[pd.Series, pd.Series] | None
) -> str:
    newest = f"Newest reading {degrees(past['temperature_c'].iloc[-1])} °C. " if len(past) else ""
    if marks is None:
        return f"Forecast for {data.name(station)}. {newest}{_all_past(data, rows)}."
    told = (
        f"{name} {degrees(row['temperature_c'])} °C {clock(row['valid_at'], data.zone, data.now)}, with 8 in 10 "
        f"between {degrees(row['q10'])} and {degrees(row['q90'])} °C"
        for name, row in zip(("lowest", "highest"), marks, strict=True)
    )
    return f"Forecast for {data.name(station)}. {newest}Ahead: {'; '.join(told)}."


def _table(data: ReportData, rows: pd.DataFrame) -> Html:
    """The forecast in numbers, thinned to some twenty rows; with what came, where that is known."""
    thin = cast("pd.DataFrame", rows.iloc[:: max(1, -(-len(rows) // _MOST_ROWS))])
    sides, met = [side for side, _ in _limits(rows)], ["observed_c"] if "observed_c" in rows else []
    headings = ["time", *(["came"] if met else []), "most likely", "8 in 10", "9 in 10"]
    told = [
        [
            clock(row["valid_at"], data.zone, data.now), *(degrees(row[name]) for name in met),
            degrees(row["temperature_c"]), f"{degrees(row['q10'])} … {degrees(row['q90'])}",
            f"{degrees(row['q05'])} … {degrees(row['q95'])}", *(chance(row[f"p_{side}"]) for side in sides),
        ]
        for row in thin.to_dict(orient="records")
    ]  # fmt: skip
    return table([*headings, *(f"{side} limit" for side in sides)], told)
