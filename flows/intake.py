"""The page that taking readings in leaves on the dashboard; it needs neither torch nor MLflow."""

from __future__ import annotations

from flows.markdown import page, table
from flows.words import rows_in_words
from lstm_model.readings import IngestReport

_MOST_STATIONS = 40


def ingest_page(report: IngestReport) -> str:
    """The balance of every source, what quality control doubts, and why rows lie in quarantine."""
    balances = [
        (
            source.source,
            *(
                f"{count:,}"
                for count in (
                    source.rows_in, source.counts.new, source.counts.corrected, source.counts.unchanged,
                    source.quarantined,
                )
            ),
        )
        for source in report.sources
    ]  # fmt: skip
    parts = [
        f"**{rows_in_words(report)}**",
        "## Rows in = new + corrected + unchanged + quarantined",
        table(("source", "rows in", "new", "corrected", "unchanged", "quarantined"), balances),
    ]
    if report.flags.by_station:
        parts += ["## Doubtful readings by station", _flags_by_station(report)]
        checks = sorted(report.flags.by_check.items(), key=lambda entry: (-entry[1], entry[0]))
        parts += ["## … and by check", table(("check", "readings"), [(name, f"{n:,}") for name, n in checks])]
    if report.reasons:
        reasons = [(reason, f"{count:,}") for reason, count in report.reasons.items()]
        parts += ["## In quarantine", table(("reason", "rows"), reasons)]
        parts.append("`nightcast quarantine` shows an example of each.")
    if report.nulled:
        columns = [(name, f"{count:,}") for name, count in report.nulled.items()]
        parts += ["## Left out of covariates as implausible", table(("column", "values"), columns)]
    return page(parts)


def _flags_by_station(report: IngestReport) -> str:
    worst = sorted(report.flags.by_station.items(), key=lambda entry: (-entry[1][1], -entry[1][0], entry[0]))
    rows = [(name, f"{suspect:,}", f"{failed:,}") for name, (suspect, failed) in worst[:_MOST_STATIONS]]
    more = f"\n\nand {len(worst) - _MOST_STATIONS} more stations" if len(worst) > _MOST_STATIONS else ""
    return table(("station", "suspect", "failed"), rows) + more
