"""Taking readings in: every row of every source ends as new, corrected, unchanged or quarantined."""

from __future__ import annotations

import glob
import logging
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from lstm_model.errors import SettingsError, SourceError
from lstm_model.readings.normalize import normalize
from lstm_model.readings.sources import Source, open_source
from lstm_model.readings.store import ReadingsStore, UpsertCounts
from lstm_model.settings import SourceSettings
from lstm_model.workspace import Workspace

log = logging.getLogger("nightcast.ingest")


@dataclass(frozen=True)
class SourceReport:
    """What one source brought. `rows_in == new + corrected + unchanged + quarantined`, always."""

    source: str
    rows_in: int
    counts: UpsertCounts
    quarantined: int
    reasons: dict[str, int]


@dataclass(frozen=True)
class IngestReport:
    """What all sources brought, and the version of the readings table afterwards."""

    sources: list[SourceReport] = field(default_factory=list)
    readings_version: int | None = None

    @property
    def rows_in(self) -> int:
        """Rows over all sources."""
        return sum(source.rows_in for source in self.sources)

    @property
    def counts(self) -> UpsertCounts:
        """New, corrected and unchanged rows over all sources."""
        return sum((source.counts for source in self.sources), UpsertCounts())

    @property
    def quarantined(self) -> int:
        """Quarantined rows over all sources."""
        return sum(source.quarantined for source in self.sources)

    @property
    def reasons(self) -> dict[str, int]:
        """Why rows were quarantined, and how many for each reason."""
        return dict(sum((Counter(source.reasons) for source in self.sources), Counter()))


def ingest(
    workspace: Workspace, now: pd.Timestamp, clock: pd.Timestamp, names: list[str] | None = None
) -> IngestReport:
    """Take in what the sources hold.

    Args:
        workspace: where the readings are kept.
        now: the night being lived; the sample reveals nothing observed later.
        clock: the wall clock, against which a time lies in the future.
        names: only these sources; all of them when None.

    Raises:
        SourceError: a source cannot be read; what all the others brought is kept.
    """
    known = workspace.settings.sources
    unknown = [name for name in names or [] if name not in known]
    if unknown:
        raise SourceError(f"no file and no source is called {unknown[0]!r}; configured: {', '.join(known)}.")
    store = ReadingsStore(workspace.readings, workspace.quarantine)
    reports, troubles = [], []
    for name in names or known:
        played_back = known[name].type == "sample"
        try:
            source = open_source(name, known[name], workspace.home)
            reports.append(_take_in(store, source, now, clock, ingested_at=now if played_back else clock))
        except (SourceError, SettingsError) as error:
            log.error("%s: %s", name, error)
            troubles.append(error)
    if troubles:
        raise type(troubles[0])(" ".join(map(str, troubles)))
    return IngestReport(reports, store.version)


def ingest_file(workspace: Workspace, file: Path, clock: pd.Timestamp) -> IngestReport:
    """Take in one file named by hand, its columns guessed."""
    settings = SourceSettings(type="files", path=glob.escape(str(file.resolve())))
    store = ReadingsStore(workspace.readings, workspace.quarantine)
    source = open_source(file.stem, settings, workspace.home)
    return IngestReport([_take_in(store, source, clock, clock, ingested_at=clock)], store.version)


def _take_in(
    store: ReadingsStore, source: Source, now: pd.Timestamp, clock: pd.Timestamp, ingested_at: pd.Timestamp
) -> SourceReport:
    batches = [
        normalize(rows, source.name, clock, ingested_at) for rows in source.read(store.watermark(source.name), now)
    ]
    if not batches:
        return SourceReport(source.name, 0, UpsertCounts(), 0, {})
    readings = pd.concat([kept for kept, _ in batches], ignore_index=True)
    rejected = pd.concat([bad for _, bad in batches], ignore_index=True)
    store.quarantine(rejected)  # first, so that a kill in between loses no row: the next run reads it again
    counts = store.upsert(readings)  # at once: what a later file corrects is never seen wrong
    rows_in, quarantined = len(readings) + len(rejected), len(rejected)
    reasons = Counter(rejected["reason"])
    log.info(
        "%s: %d rows in = %d new + %d corrected + %d unchanged + %d quarantined",
        source.name, rows_in, counts.new, counts.corrected, counts.unchanged, quarantined,
    )  # fmt: skip
    return SourceReport(source.name, rows_in, counts, quarantined, dict(reasons))
