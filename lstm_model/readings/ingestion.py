"""Taking readings in: every row of every source ends as new, corrected, unchanged or quarantined."""

from __future__ import annotations

import glob
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import pandas as pd

from lstm_model.errors import SettingsError, SourceError
from lstm_model.readings.files import matching, reread
from lstm_model.readings.normalize import Normalized, normalize
from lstm_model.readings.pulls import Pull
from lstm_model.readings.quarantine import QUARANTINE_SCHEMA, Quarantine
from lstm_model.readings.review import begin, current_quality, review
from lstm_model.readings.sources import RawRows, Source, SourceContext, open_source
from lstm_model.readings.stations import Stations
from lstm_model.readings.store import FlagCounts, ReadingsStore, Upsert, UpsertCounts
from lstm_model.readings.tables import raws_of
from lstm_model.readings.taken import TakenFiles
from lstm_model.settings import SourceSettings
from lstm_model.workspace import Workspace

log = logging.getLogger("nightcast.ingest")

_ROWS_AT_ONCE = 2_000_000
"""A source's rows are kept in loads of about so many, so that memory does not grow with its history."""


@dataclass(frozen=True)
class SourceReport:
    """What one source brought. `rows_in == new + corrected + unchanged + quarantined`, always.

    reasons: why rows were quarantined. nulled: covariate values left out because they made no sense, by column.
    flags: doubtful readings among those written, by station and by check. trouble: what could not be read at all.
    """

    source: str
    rows_in: int
    counts: UpsertCounts
    quarantined: int
    reasons: dict[str, int] = field(default_factory=dict)
    nulled: dict[str, int] = field(default_factory=dict)
    flags: FlagCounts = field(default_factory=FlagCounts)
    trouble: SourceError | SettingsError | None = None

    def __add__(self, other: SourceReport) -> SourceReport:
        """What the same source brought in two parts."""
        return SourceReport(
            self.source,
            self.rows_in + other.rows_in,
            self.counts + other.counts,
            self.quarantined + other.quarantined,
            dict(Counter(self.reasons) + Counter(other.reasons)),
            dict(Counter(self.nulled) + Counter(other.nulled)),
            self.flags + other.flags,
            self.trouble or other.trouble,
        )


@dataclass(frozen=True)
class IngestReport:
    """What all sources brought, and the version of the readings table afterwards.

    reviewed: flags that changed because limits were learnt anew or the owner changed them.
    """

    sources: list[SourceReport] = field(default_factory=list)
    readings_version: int | None = None
    reviewed: FlagCounts = field(default_factory=FlagCounts)

    def __add__(self, other: IngestReport) -> IngestReport:
        """What two ingests brought, one after the other."""
        return IngestReport([*self.sources, *other.sources], other.readings_version, self.reviewed + other.reviewed)

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

    @property
    def nulled(self) -> dict[str, int]:
        """Covariate values left out, by column."""
        return dict(sum((Counter(source.nulled) for source in self.sources), Counter()))

    @property
    def flags(self) -> FlagCounts:
        """Doubtful readings among those written."""
        return sum((source.flags for source in self.sources), self.reviewed)


@dataclass(frozen=True)
class _Batch:
    """What of a batch waits to be kept; how its rows came is forgotten, but for those that go into quarantine.

    came_at: of every reading, NaT for news; None where all are. came_first: when the first row came. healed: rows that
    lay in quarantine. nulled: covariate values left out.
    """

    readings: pd.DataFrame
    quarantined: pd.DataFrame
    came_at: pd.Series | None
    came_first: pd.Timestamp
    healed: pd.DataFrame
    nulled: Counter[str]


class Ingestion:
    """The parts that taking in needs, opened once: store, quarantine, stations, limits of quality control."""

    def __init__(self, workspace: Workspace, clock: pd.Timestamp) -> None:
        self.workspace = workspace
        self.clock = clock
        self.store = ReadingsStore(workspace.readings)
        self.quarantine = Quarantine(workspace.quarantine)
        self.stations = Stations.read(workspace.home)
        taken = TakenFiles(workspace.taken, self.store)
        # Read once a source: what is quarantined meanwhile is no row that waits.
        self.context = SourceContext(workspace, self.stations, taken, cache(self.quarantine.waiting))
        self.quality = current_quality(workspace, self.stations)
        self._judged_by: set[str] = set()

    def open(self, name: str, settings: SourceSettings) -> Source:
        """A source of this workspace."""
        return open_source(name, settings, self.context)

    def take_in(self, source: Source, now: pd.Timestamp, ingested_at: pd.Timestamp) -> SourceReport:
        """Take in all that a source offers.

        Load after load: quarantine first, then readings; then what remembers that they came. Killed anywhere, the
        next run reads the same rows again and finishes. What was read before a source broke is taken in all the same.
        """
        report = SourceReport(source.name, 0, UpsertCounts(), 0)
        load, rows_in_load, trouble = list[_Batch](), 0, None
        pull, since = Pull(self.workspace.state, source.name), self.store.watermark(source.name)
        if not getattr(source, "in_order", False):
            since = pull.begin(since)
        reader = source.read(since, now)
        while True:
            try:
                rows = next(reader, None)
            except (SourceError, SettingsError) as error:
                rows, trouble = None, error
            ended = rows is None
            if rows is not None:
                load.append(self._understood(rows, source.name, ingested_at))
                rows_in_load += len(rows.position)
                rows = None  # as they came they are large, and no longer needed
            if load and (ended or rows_in_load >= _ROWS_AT_ONCE):
                report += self._keep(source.name, load)
                load, rows_in_load = [], 0
            if ended:
                break
        source.confirm(ingested_at)
        if trouble is None:
            pull.end()
        return replace(report, trouble=trouble)

    def _understood(self, rows: RawRows, name: str, ingested_at: pd.Timestamp) -> _Batch:
        batch = self._normalize(rows, name, ingested_at)
        return _Batch(
            readings=batch.readings,
            quarantined=batch.quarantined.iloc[:0] if rows.second_look else batch.quarantined,
            came_at=None if rows.came_at is None else _came_at(rows, batch.readings),
            came_first=_came_first(rows, self.clock),
            healed=self._healed(name, rows, batch),
            nulled=rows.nulled_counts(),
        )

    def _keep(self, name: str, load: list[_Batch]) -> SourceReport:
        """Keep what a source brought: a load at once, so that what a later file corrects is not seen wrong."""
        # What is understood anew goes first, in the order it came: it must not undo what came after it.
        load = sorted(load, key=lambda batch: batch.came_first)
        readings = pd.concat([batch.readings for batch in load], ignore_index=True)
        came_at = None
        if any(batch.came_at is not None for batch in load):
            parts = [_never(each.readings.index) if each.came_at is None else each.came_at for each in load]
            came_at = pd.concat(parts, ignore_index=True)
        rejected = pd.concat([batch.quarantined for batch in load], ignore_index=True)
        self.quarantine.keep(rejected)
        self.quality = current_quality(self.workspace, self.stations)  # another run may have learnt meanwhile
        begin(self.workspace, self.store, self.quality)
        self._judged_by.add(self.quality.digest)
        upsert = self.store.upsert(readings, self.quality, came_at=came_at)
        self.quarantine.release(pd.concat([batch.healed for batch in load], ignore_index=True))
        nulled = sum((batch.nulled for batch in load), Counter())
        return _report(name, len(readings) + len(rejected), upsert, rejected, nulled)

    def _healed(self, name: str, rows: RawRows, batch: Normalized) -> pd.DataFrame:
        """Rows that lay in quarantine and are readings now: later rows or a mended setting made sense of them."""
        waiting = self.context.waiting(name)
        if not waiting:
            return QUARANTINE_SCHEMA.empty_table().to_pandas()
        position = rows.position.loc[batch.readings.index]
        position = position[position.isin({position for position, _ in waiting})]
        healed = pd.DataFrame({"position": position, "raw": raws_of(rows.raw.loc[position.index])}, dtype="str")
        healed = healed.assign(source=name)
        return healed[[key in waiting for key in zip(healed["position"], healed["raw"], strict=True)]]

    def retry(self, name: str, settings: SourceSettings) -> SourceReport:
        """Take quarantined rows of a source in again, as its settings say by now; file after file."""
        total, guesses = SourceReport(name, 0, UpsertCounts(), 0), self.context.taken.guesses(name)
        for file, rows in self.quarantine.by_file(name):
            try:
                again = reread(file, rows, settings, self.stations, guesses.get(file, {}))
            except SettingsError as error:
                total += replace(_report(name, len(rows), Upsert(), rows, Counter()), trouble=error)
                continue
            batch = self._normalize(again, name, self.clock)
            readings, still = batch.readings, batch.quarantined
            self.quality = current_quality(self.workspace, self.stations)
            self._judged_by.add(self.quality.digest)
            upsert = self.store.upsert(readings, self.quality, came_at=_came_at(again, readings))
            self.quarantine.release(rows.loc[readings.index])
            self.quarantine.amend(rows.loc[still.index].assign(reason=still["reason"]))
            total += _report(name, len(readings) + len(still), upsert, still, again.nulled_counts())
        return total

    def finish(self, reports: list[SourceReport]) -> IngestReport:
        """Judge anew what new limits ask for, once everything is in."""
        several = len(self._judged_by) > 1  # another run learnt meanwhile: some readings obey older limits
        used = "" if several else self.quality.digest
        reviewed = review(self.workspace, self.store, self.stations, used)
        return IngestReport(reports, self.store.version, reviewed)

    def _normalize(self, rows: RawRows, name: str, ingested_at: pd.Timestamp) -> Normalized:
        return normalize(rows, name, self.clock, ingested_at, self.workspace.settings.quality)


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
        SourceError: a source cannot be read; what all the others brought is kept. `sources` names those that cannot.
        SettingsError: so it is with settings, or the stations file is wrong.
    """
    known = workspace.settings.sources
    unknown = [name for name in names or [] if name not in known]
    if unknown:
        raise SourceError(f"no file and no source is called {unknown[0]!r}; configured: {', '.join(known)}.")
    work = Ingestion(workspace, clock)

    def take_in(name: str) -> SourceReport:
        stamp = now if known[name].type == "sample" else clock
        return work.take_in(work.open(name, known[name]), now, stamp)

    return _each(list(names or known), take_in, work)


def ingest_from(workspace: Workspace, sources: list[Source], now: pd.Timestamp) -> IngestReport:
    """Take in what these sources offer at `now`, which is taken to be the wall clock's time as well.

    Raises:
        SourceError, SettingsError: a source cannot be read; what all the others brought is kept.
    """
    work, offered = Ingestion(workspace, now), {source.name: source for source in sources}
    return _each(list(offered), lambda name: work.take_in(offered[name], now, now), work)


def ingest_file(workspace: Workspace, file: Path, clock: pd.Timestamp, source: str | None = None) -> IngestReport:
    """Take in one file named by hand, as `source_of` says it is to be read."""
    work = Ingestion(workspace, clock)
    work.context = replace(work.context, named_by_hand=True)
    name, settings = source_of(workspace, file, source)
    return _each([name], lambda name: work.take_in(work.open(name, settings), clock, clock), work)


def retry_quarantine(workspace: Workspace, clock: pd.Timestamp, names: list[str] | None = None) -> IngestReport:
    """Take quarantined rows in again after what was wrong with them was mended.

    What was ingested after a row stands; the row then counts as unchanged.

    Raises:
        SettingsError, SourceError: the rows of a source cannot be understood at all; the others are done.
    """
    work = Ingestion(workspace, clock)
    waiting = sorted(work.quarantine.rows()["source"].unique())
    known = workspace.settings.sources
    for name in names or []:
        if name not in waiting:
            raise SourceError(
                f"no row of a source {name!r} lies in quarantine; waiting: {', '.join(waiting) or 'none'}."
            )

    def retry(name: str) -> SourceReport:
        return work.retry(name, known.get(name, SourceSettings()))

    # Only files can be read in another way; what another source brought lies there until its owner mends it.
    files = [name for name in names or waiting if known.get(name, SourceSettings()).type == "files"]
    return _each(files, retry, work)


def source_of(workspace: Workspace, file: Path, source: str | None = None) -> tuple[str, SourceSettings]:
    """How a file named by hand is to be read: like `source`, like the one source whose path it lies in, else guessed.

    Raises:
        SourceError: there is no such source.
    """
    known, here = workspace.settings.source, {"type": "files", "path": glob.escape(str(file.resolve()))}
    if source is not None:
        if source not in known:
            raise SourceError(f"no source is called {source!r}; configured: {', '.join(known) or 'none'}.")
        return source, known[source].model_copy(update=here)
    for name, settings in known.items():
        local = settings.type == "files" and settings.path and "://" not in settings.path
        if local and file.resolve() in [each.resolve() for each in matching(str(settings.path), workspace.home)]:
            return name, settings.model_copy(update=here)
    name = file.name if file.stem in known else file.stem  # no source's own, for it is not read as that one's
    return name, SourceSettings(path=here["path"])


def _each(names: list[str], do: Callable[[str], SourceReport], work: Ingestion) -> IngestReport:
    """Every source in turn; one that is broken does not starve the others."""
    reports, troubles = [], {}
    for name in names:
        try:
            report = do(name)
        except (SourceError, SettingsError) as error:
            report = SourceReport(name, 0, UpsertCounts(), 0, trouble=error)
        except Exception as error:  # whatever a source holds, the others are taken in, and the step fails visibly
            log.debug("%s broke", name, exc_info=True)
            trouble = SourceError(f"source {name!r}: {type(error).__name__}: {error}")
            report = SourceReport(name, 0, UpsertCounts(), 0, trouble=trouble)
        reports.append(report)
        if report.trouble is not None:
            log.error("%s: %s", name, report.trouble)
            troubles[name] = report.trouble
        log.info(
            "%s: %d rows in = %d new + %d corrected + %d unchanged + %d quarantined",
            name, report.rows_in, report.counts.new, report.counts.corrected, report.counts.unchanged,
            report.quarantined,
        )  # fmt: skip
    finished = work.finish(reports)
    if troubles:
        failure = type(next(iter(troubles.values())))(" ".join(map(str, troubles.values())))
        failure.sources = tuple(troubles)
        raise failure
    return finished


def _report(name: str, rows_in: int, upsert: Upsert, rejected: pd.DataFrame, nulled: Counter[str]) -> SourceReport:
    reasons = Counter(rejected["reason"])
    return SourceReport(name, rows_in, upsert.counts, len(rejected), dict(reasons), dict(nulled), upsert.flags)


def _came_at(rows: RawRows, readings: pd.DataFrame) -> pd.Series:
    """When readings came that are understood anew; NaT for news."""
    if rows.came_at is None:
        return _never(readings.index)
    return rows.came_at.loc[readings.index].astype("datetime64[us, UTC]")


def _never(index: pd.Index) -> pd.Series:
    return pd.Series(pd.NaT, index=index, dtype="datetime64[us, UTC]")


def _came_first(rows: RawRows, clock: pd.Timestamp) -> pd.Timestamp:
    """When the first row of a batch came: now, if it is news."""
    return clock if rows.came_at is None else rows.came_at.fillna(clock).min()
