"""What taking a file or a source in would do, doing nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from lstm_model.errors import SourceError
from lstm_model.readings.cadence import as_frequency, cadence
from lstm_model.readings.files import shown_as, table_of
from lstm_model.readings.ingestion import Ingestion, source_of
from lstm_model.readings.layout import understand
from lstm_model.readings.normalize import normalize
from lstm_model.readings.sources import RawRows
from lstm_model.readings.store import FlagCounts, UpsertCounts
from lstm_model.readings.tables import unpack
from lstm_model.workspace import Workspace


@dataclass(frozen=True)
class FileCheck:
    """A file, or the first rows that a source would bring, as they were understood.

    understood_as: format and columns in words. toml: of a file, the settings that say so. rows: as they would be
    stored. every: how often its stations speak, as `model.frequency` is written; None where it cannot be told.
    """

    source: str
    understood_as: str
    toml: str
    rows: pd.DataFrame
    rows_in: int
    counts: UpsertCounts
    quarantined: pd.DataFrame
    nulled: dict[str, int] = field(default_factory=dict)
    flags: FlagCounts = field(default_factory=FlagCounts)
    every: str | None = None


def check_file(workspace: Workspace, file: Path, clock: pd.Timestamp, source: str | None = None) -> FileCheck:
    """Read a file as `ingest FILE` would, and keep nothing.

    Raises:
        SourceError: the file cannot be read.
        SettingsError: its columns or times cannot be understood; says what to write into nightcast.toml.
    """
    work = Ingestion(workspace, clock)
    name, settings = source_of(workspace, file, source)
    where = shown_as(file.resolve(), workspace.home)
    try:
        content = unpack(file.read_bytes(), where)
    except OSError as error:
        raise SourceError(f"{file}: cannot be read: {error}") from None
    cells, layout = table_of(content, settings, name, where)
    raw = understand(cells, layout, work.stations, where, name)
    return _checked(work, name, raw, layout.as_toml(name, where, cells.delimiter))


def check_source(workspace: Workspace, name: str, clock: pd.Timestamp) -> FileCheck:
    """Read the first rows that `ingest NAME` would take in, and keep nothing.

    Raises:
        SourceError: it cannot be read, or has nothing new.
        SettingsError: its columns or times cannot be understood.
    """
    work = Ingestion(workspace, clock)
    source = work.open(name, workspace.settings.sources[name])
    offered = source.read(work.store.watermark(name), clock)
    raw = next((rows for rows in offered if len(rows.understood)), None)
    if raw is None:
        raise SourceError(f"source {name!r} offers no row that may be new.")
    return _checked(work, name, raw, "")


def _checked(work: Ingestion, name: str, raw: RawRows, toml: str) -> FileCheck:
    batch = normalize(raw, name, work.clock, work.clock, work.workspace.settings.quality)
    upsert, written = work.store.preview(batch.readings, work.quality)
    step = cadence(batch.readings)
    every = None if step is None else as_frequency(step)
    if toml and step is not None and step != work.workspace.settings.model.step:
        toml += f'\n[model]\nfrequency = "{every}"\n'
    return FileCheck(
        source=name,
        understood_as=raw.understood_as,
        toml=toml,
        rows=written.sort_values(["observed_at", "station_id"], kind="stable") if len(written) else batch.readings,
        rows_in=len(batch.readings) + len(batch.quarantined),
        counts=upsert.counts,
        quarantined=batch.quarantined,
        nulled=dict(raw.nulled_counts()),
        flags=upsert.flags,
        every=every,
    )
