"""How good forecasts were: by how far ahead they looked, and whether their chances were honest."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lstm_model.report.data import ReportData
from lstm_model.report.markup import Html, tag
from lstm_model.report.svg import Plot, nice_ticks
from lstm_model.report.tables import numbers, table
from lstm_model.report.words import BASELINES, degrees, percent, signed_percent

_CSS = {"persistence": "persistence", "climatology": "climatology", "damped_anomaly": "damped"}
_LEVELS = [0.0, 0.25, 0.5, 0.75, 1.0]


def errors_by_lead(data: ReportData) -> Html:
    """Mean absolute error by lead, beside the three simple rules'."""
    rows = data.by_lead
    first, last = rows.iloc[0], rows.iloc[-1]
    told = ["mae", "mae_low", "mae_high", *(f"{name}_mae" for name in BASELINES)]
    top = 1.12 * float(np.nanmax(rows[told].to_numpy(np.float64)))
    says = (
        f"Mean error by hours ahead. Ours grows from {degrees(first['mae'])} °C up to {_span(first)} to "
        f"{degrees(last['mae'])} °C at {_span(last)}; there, "
        + ", ".join(f"{words} is off by {degrees(last[f'{name}_mae'])}" for name, words in BASELINES.items())
    )
    plot = _by_lead(rows, (0.0, top), says, 240)
    plot.y_ticks((tick, f"{tick:g}°") for tick in nice_ticks(0.0, top))
    middle = _middle(rows)
    plot.area(middle, _of(rows, "mae_low"), _of(rows, "mae_high"), "band80")
    for name, css in _CSS.items():
        plot.line(middle, _of(rows, f"{name}_mae"), css)
    plot.line(middle, _of(rows, "mae"), "forecast")
    plot.dots(middle, _of(rows, "mae"), "forecast-dot")
    keys = [tag("li", tag("i", class_="key-line forecast"), "our forecasts, and what chance leaves open (90 %)")]
    keys += [tag("li", tag("i", class_=f"key-line {css}"), BASELINES[name]) for name, css in _CSS.items()]
    headings = ("hours ahead", "forecasts", "ours", *("as now", "as usual", "fades"))
    cells = (
        (
            _span(row), f"{row['n']:,}", _banded(row, "mae", degrees),
            *(degrees(row[f"{name}_mae"], 2) for name in BASELINES),
        )
        for row in rows.to_dict(orient="records")
    )  # fmt: skip
    return tag(
        "article", tag("h3", "How many degrees off, by how far ahead"), tag("ul", *keys, class_="legend"), plot.html(),
        tag("p", "hours ahead", class_="axis"), numbers("Numbers: mean absolute error, °C", table(headings, cells)),
        class_="card wide",
    )  # fmt: skip


def skill_against(data: ReportData, baseline: str) -> Html:
    """How much smaller our errors were than those of one simple rule, by lead, with its band."""
    rows, name = data.by_lead, f"skill_{baseline}"
    every = data.by_lead[[f"skill_{other}{end}" for other in BASELINES for end in ("", "_low", "_high")]]
    low, high = min(float(np.nanmin(every)), 0.0) - 0.05, max(float(np.nanmax(every)), 0.0) + 0.08
    best, worst = rows.loc[rows[name].idxmax()], rows.loc[rows[name].idxmin()]
    says = (
        f"Compared with {BASELINES[baseline]}: our errors are smaller by {percent(best[name])} at best "
        f"({_span(best)} ahead) and by {signed_percent(worst[name])} at worst ({_span(worst)} ahead)"
    )
    plot = _by_lead(rows, (low, high), says, 190)
    plot.y_ticks((tick, signed_percent(tick).replace(" ", "")) for tick in nice_ticks(low, high))
    plot.rule(y=0.0, css="even")
    middle = _middle(rows)
    plot.area(middle, _of(rows, f"{name}_low"), _of(rows, f"{name}_high"), "band80")
    plot.line(middle, _of(rows, name), "forecast")
    plot.dots(middle, _of(rows, name), "forecast-dot")
    cells = ((_span(row), _banded(row, name, signed_percent)) for row in rows.to_dict(orient="records"))
    folded = table(("hours ahead", "errors smaller by"), cells)
    return tag(
        "article", tag("h3", "Better than ", BASELINES[baseline], "?"), tag("p", _verdict(rows, name), class_="note"),
        plot.html(), tag("p", "hours ahead", class_="axis"),
        numbers(f"Numbers: skill against {baseline.replace('_', ' ')}", folded), class_="card",
    )  # fmt: skip


def promises(data: ReportData) -> Html:
    """How often truth lay within each interval, beside how often it should have."""
    rows = data.coverage
    told = "; ".join(
        f"within the {percent(row['level'])} band lay {percent(row['observed'])}" for row in rows.to_dict("records")
    )
    plot = Plot((0.0, 1.0), (0.6, 3.6), f"Promised and kept: {told}", 190)
    plot.x_ticks((share, percent(share)) for share in _LEVELS)
    for place, row in zip((3, 2, 1), rows.to_dict("records"), strict=True):
        plot.bar((0.0, row["observed"]), (place - 0.3, place + 0.2), f"band{100 * row['level']:.0f}")
        plot.slope((row["level"], place - 0.36), (row["level"], place + 0.26), "promise")
        if np.isfinite(row["low"]):
            plot.slope((row["low"], place - 0.05), (row["high"], place - 0.05), "error")
        words = f"{percent(row['level'])} promised, {percent(row['observed'])} kept"
        plot.text(0.0, place + 0.26, words, up=4, anchor="start")
    cells = ((percent(row["level"]), _banded(row, "observed", percent, "")) for row in rows.to_dict("records"))
    return tag(
        "article", tag("h3", "Does it keep what it promises?"), tag("p", _honesty(rows), class_="note"),
        tag("ul", tag("li", tag("i", class_="key-box band80"), "came true"),
            tag("li", tag("i", class_="key-tick"), "as promised"),
            tag("li", tag("i", class_="key-line error"), "what chance leaves open (90 %)"), class_="legend"),
        plot.html(), tag("p", "of what came lay within the band", class_="axis"),
        numbers("Numbers: coverage", table(("band", "of what came lay within"), cells)), class_="card",
    )  # fmt: skip


def reliability(data: ReportData) -> Html:
    """How often truth lay below each quantile: on the diagonal where chances are honest."""
    rows = data.calibration
    told = ", ".join(f"{percent(row['observed'])} for {percent(row['level'])}" for row in rows.to_dict("records"))
    says = f"Reliability: how often it came colder than the forecast said for each chance: {told}"
    cells = ((percent(row["level"]), _banded(row, "observed", percent, "")) for row in rows.to_dict("records"))
    return _diagram(
        "Are its chances honest?",
        "Where the forecast gave 10 % to “colder than this”, it should come colder 1 time in 10. On the dashed line "
        "chances are honest; above it, it came colder than said, below it warmer.",
        says,
        rows.rename(columns={"level": "promised"}),
        "chance given for “colder than this” ─► how often it came colder",
        numbers("Numbers: reliability", table(("chance given", "came colder"), cells)),
    )


def limit_reliability(data: ReportData) -> list[Html]:
    """The same of the chances to pass a limit; nothing where no station has one that was verified."""
    rows = data.limit_calibration
    if rows is None or rows.empty:
        return []
    told = ", ".join(f"{percent(row['observed'])} for {percent(row['forecast'])}" for row in rows.to_dict("records"))
    cells = (
        (percent(row["forecast"]), percent(row["observed"]), f"{row['n']:,}", f"{row['days']:,}")
        for row in rows.to_dict(orient="records")
    )
    diagram = _diagram(
        "When it warns of a limit, how often is it passed?",
        "On the dashed line a chance of 30 % comes true 3 times in 10. A chance given on few days tells little.",
        f"Limits: how often they were passed for each chance: {told}",
        rows[["forecast", "observed"]].rename(columns={"forecast": "promised"}),
        "chance given ─► how often the limit was passed",
        numbers("Numbers: limits", table(("chance given", "was passed", "forecasts", "days"), cells)),
    )
    return [diagram]


def _diagram(title: str, note: str, says: str, rows: pd.DataFrame, axis: str, folded: Html) -> Html:
    """Given chances across, what came of them upwards."""
    plot = Plot((0.0, 1.0), (0.0, 1.0), says, 280)
    plot.y_ticks((share, percent(share).replace(" ", "")) for share in _LEVELS)
    plot.x_ticks((share, percent(share)) for share in _LEVELS)
    plot.slope((0.0, 0.0), (1.0, 1.0), "even")
    for row in rows.to_dict("records"):
        if {"low", "high"} <= set(row):
            plot.whisker(row["promised"], row["low"], row["high"], "error")
    promised, observed = _of(rows, "promised"), _of(rows, "observed")
    plot.line(promised, observed, "forecast")
    plot.dots(promised, observed, "forecast-dot", 4)
    drawn = (tag("p", note, class_="note"), plot.html(), tag("p", axis, class_="axis"), folded)
    return tag("article", tag("h3", title), *drawn, class_="card")


def _by_lead(rows: pd.DataFrame, y: tuple[float, float], says: str, height: int) -> Plot:
    last = float(rows["to_h"].max())
    plot = Plot((0.0, last), y, says, height)
    step = next(size for size in (1, 2, 3, 6, 12, 24, 48, 96, 168, 1e9) if last / size <= 5)
    plot.x_ticks((place, f"{place:g} h") for place in np.arange(0.0, last + 1e-9, step))
    return plot


def _middle(rows: pd.DataFrame) -> np.ndarray:
    return ((rows["from_h"] + rows["to_h"]) / 2).to_numpy(np.float64)


def _of(rows: pd.DataFrame, name: str) -> np.ndarray:
    return rows[name].to_numpy(np.float64)


def _span(row: pd.Series | dict[str, float]) -> str:
    first, last = float(row["from_h"]), float(row["to_h"])
    return f"{last:g} h" if first == last else f"{first:g}–{last:g} h"


def _banded(row: dict[str, float], name: str, say: object, stem: str | None = None) -> str:
    """A value with its band, where there is one."""
    assert callable(say)
    low, high = (row["low"], row["high"]) if stem is not None else (row[f"{name}_low"], row[f"{name}_high"])
    return str(say(row[name])) if np.isnan(low) else f"{say(row[name])} ({say(low)} … {say(high)})"


def _verdict(rows: pd.DataFrame, name: str) -> str:
    """What the band allows to say."""
    known = rows[rows[f"{name}_low"].notna()]
    if known.empty:
        return f"{signed_percent(float(rows[name].mean()))} on the whole; too few days yet to tell it from chance."
    better, worse = int((known[f"{name}_low"] > 0).sum()), int((known[f"{name}_high"] < 0).sum())
    if better == len(known):
        which = "" if len(known) == len(rows) else " that can be told"
        return f"Yes, at every lead{which}, and by more than chance."
    if better or worse:
        parts = [f"better by more than chance at {better} of {len(known)} spans"] if better else []
        parts += [f"worse at {worse}"] if worse else []
        return f"{' and '.join(parts)}; else the difference may be chance.".capitalize()
    return "The difference may be chance at every lead."


def _honesty(rows: pd.DataFrame) -> str:
    """The 80 % interval in a sentence."""
    row = rows.loc[(rows["level"] - 0.8).abs().idxmin()]
    said = f"What came should lie within the 80 % band 8 times in 10; it did {10 * row['observed']:.1f} times"
    if np.isnan(row["low"]):
        return f"{said}. Too few days yet to tell more."
    if row["high"] < row["level"]:
        return f"{said}: its bands are too narrow, take them as somewhat wider."
    if row["low"] > row["level"]:
        return f"{said}: its bands are wider than they need be."
    return f"{said}: as good as promised, within what chance leaves open."
