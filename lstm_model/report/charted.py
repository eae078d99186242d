"""Which stations have a chart of their own."""

from __future__ import annotations

from lstm_model.report.data import ReportData

MOST_FOR_ALL, MOST_CHARTS = 100, 60
"""Of a fleet up to the first, every station has its chart; of a larger one, so many that deserve a look."""


def charted(data: ReportData) -> list[str]:
    """The stations that have a chart: all of a small fleet by name; of a large one those that deserve a look.

    These are, in this order: those that something is the matter with, those that may pass a limit, those that the
    trained model does not serve, and those that were forecast worst yesterday.
    """
    if data.issue.empty:
        return []
    first = data.issue.drop_duplicates("station_id").set_index("station_id")
    stations = [str(name) for name in first.index]
    named = {name for finding in data.findings for name in finding.stations}
    if len(stations) <= MOST_FOR_ALL:
        return sorted(stations, key=lambda name: (name not in named, name))
    chances = likeliest(data)
    errors = data.yesterday["error_c"].abs().groupby(data.yesterday["station_id"]).mean() if len(data.yesterday) else {}
    other = first["method"] != "champion"
    order = sorted(
        stations,
        key=lambda name: (
            name not in named,
            -round(chances.get(name, 0.0), 2),
            not other[name],
            -errors.get(name, 0.0),
            name,
        ),
    )
    return order[:MOST_CHARTS]


def likeliest(data: ReportData) -> dict[str, float]:
    """How likely each station passes a limit at its worst time that is still to come; those alone that have one."""
    chances: dict[str, float] = {}
    for one in data.limits:
        chances.setdefault(one.station, one.peak)
    return chances
