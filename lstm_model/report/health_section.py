"""Whether readings come, and whether they can be trusted."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from lstm_model.report.data import ReportData
from lstm_model.report.markup import Html, join, tag
from lstm_model.report.tables import table
from lstm_model.report.words import ago, moment, percent
from lstm_model.words import count

_MOST = 40


def health(data: ReportData) -> list[Html]:
    """A sentence, a row a station with its last fortnight, and what lies in quarantine."""
    rows = data.health
    if rows.empty:
        return [tag("article", tag("p", "There are no readings of the last 30 days."), class_="card wide")]
    worst = rows.sort_values(["late", "share", "station_id"], ascending=[False, True, True], kind="stable")
    told = [
        (
            data.name(str(row["station_id"])), _newest(data, row["newest"], bool(row["late"])),
            join(_fortnight(row["days"], data.name(str(row["station_id"]))), " ", percent(row["share"])),
            _doubts(row),
        )
        for row in worst.head(_MOST).to_dict(orient="records")
    ]  # fmt: skip
    parts = [
        tag("p", sentence(data)),
        table(("station", "newest reading", "last 14 days", "doubtful"), told, words_from=0),
    ]
    if (more := len(rows) - _MOST) > 0:
        parts.append(
            tag(
                "p",
                f"These are the {_MOST} least complete stations; {more:,} more are as these or better.",
                class_="note",
            )
        )
    parts.append(tag("p", _in_quarantine(data), class_="note"))
    return [tag("article", *parts, class_="card wide")]


def sentence(data: ReportData) -> str:
    """How the readings are, on the whole."""
    rows = data.health
    late = int(rows["late"].astype(bool).sum())
    doubtful = int(rows["suspect"].sum() + rows["failed"].sum())
    newest = rows["newest"].max()
    return (
        f"{count(len(rows), 'station')} sent readings within 30 days, the newest {moment(newest, data.zone)}. "
        f"{f'{late:,} of them are late' if late else 'None is late'}. In the last 14 days "
        f"{percent(float(rows['share'].mean()))} of the steps have a usable reading, and "
        f"{count(doubtful, 'reading')} {'is' if doubtful == 1 else 'are'} doubtful."
    )


def _newest(data: ReportData, newest: pd.Timestamp, late: bool) -> Html:
    if pd.isna(newest):
        return tag("b", "none usable", class_="bad")
    told = ago(data.now - newest)
    return tag("b", f"{told}, late", class_="bad") if late else join(told)


def _doubts(row: dict[str, float]) -> str:
    parts = [f"{int(row[name]):,} {name}" for name in ("suspect", "failed") if row[name]]
    return ", ".join(parts) or "none"


def _fortnight(days: Sequence[float], station: str) -> Html:
    """A little bar a day, as high as the day is whole."""
    bars = [
        tag("rect", x=6 * place, y=f"{16 - 16 * share:.1f}", width=5, height=f"{16 * share:.1f}")
        for place, share in enumerate(days)
        if share > 0
    ]
    base = tag("rect", x=0, y=16, width=6 * len(days) - 1, height=1, class_="base")
    whole = sum(share > 0.999 for share in days)
    says = f"{station}: {whole} of the last {len(days)} days are whole"
    return tag("svg", *bars, base, class_="spark", width=6 * len(days), height=17, role="img", aria_label=says)


def _in_quarantine(data: ReportData) -> str:
    if not data.quarantine:
        return "No row lies in quarantine."
    reasons = "; ".join(f"{number:,} × {reason}" for reason, number in list(data.quarantine.items())[:3])
    return f"{count(sum(data.quarantine.values()), 'row')} could not be understood and lie in quarantine: {reasons}."
