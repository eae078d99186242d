"""Readings from files: a folder, a glob or any fsspec URL; CSV, JSON lines or Parquet; plain or gzipped."""

from __future__ import annotations

import glob
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import fsspec
import pandas as pd

from lstm_model.errors import SettingsError, SourceError
from lstm_model.readings.layout import FROM_FILE_NAME, Layout, recognise, station_in, understand
from lstm_model.readings.sources import RawRows, SourceContext
from lstm_model.readings.stations import Stations
from lstm_model.readings.tables import Cells, cells_of_raw, raws_of, read_cells, unpack
from lstm_model.readings.taken import Known, TakenFile, known_as
from lstm_model.settings import SourceSettings

log = logging.getLogger("nightcast.ingest")

_NOT_FINISHED = (".tmp", ".part", ".partial", ".crdownload", "~")
_MOST_TOLD = 3
_HOW_READ = {"layout", "station", "time", "temperature", "unit", "time_format", "timezone", "decimal", "delimiter",
             "covariates"}  # fmt: skip
_READER = 1
"""Raised by one when files are understood differently, so that those taken in before are read again."""


class FilesSource:
    """The files of one source. Those taken in before are known by their content and not read again."""

    def __init__(self, name: str, settings: SourceSettings, context: SourceContext) -> None:
        if not settings.path:
            raise SettingsError(f'source.{name}: a files source needs a path, for example path = "inbox/*.csv".')
        self.name = name
        self._settings = settings
        self._context = context
        self._path = settings.path
        self._read_as = _digest(settings, context.stations)
        self._read: list[TakenFile] = []
        self._contents: set[tuple[str, str]] = set()
        self._told: set[str] = set()

    def read(self, since: pd.Timestamp | None, until: pd.Timestamp) -> Iterator[RawRows]:
        """Yield the rows of every matching file that are not known yet, in the files' order of name.

        Raises:
            SourceError, SettingsError: files that cannot be read or understood, after all the others.
        """
        known = Known() if self._context.named_by_hand else self._context.taken.known(self.name, self._read_as)
        waiting = self._context.waiting(self.name)
        troubles: list[SourceError | SettingsError] = []
        skipped, self._read, self._contents, self._told = 0, [], set(known.contents), set()
        for file in self._files():
            try:
                news = self._news(file, known, waiting)
            except (SourceError, SettingsError) as error:
                troubles.append(error)
                continue
            skipped += not news
            while news:  # held by nobody once they are understood
                yield news.pop(0)
        if skipped:
            log.info("%s: %d of its files were taken in before", self.name, skipped)
        if troubles:
            more = f" And {len(troubles) - _MOST_TOLD} more files." if len(troubles) > _MOST_TOLD else ""
            raise type(troubles[0])(" ".join(map(str, troubles[:_MOST_TOLD])) + more)

    def _news(self, file: _File, known: Known, waiting: Mapping[tuple[str, str], pd.Timestamp]) -> list[RawRows]:
        """The rows of a file that are not known yet; none where its content is."""
        stamp = file.stamp  # before the content, so that what is appended meanwhile makes a new one
        if stamp in known.stamps:
            return []
        content = unpack(file.content(), file.shown)
        taken, called = TakenFile.of(content, stamp, file.shown), station_in(file.shown)
        if (station := known_as(self._contents, taken.content, called)) is not None:
            self._read.append(replace(taken, called=station))  # under another name or date
            return []
        cells, layout = table_of(content, self._settings, self.name, file.shown)
        if (words := f"{cells.description}; {layout.in_words()}") not in self._told:
            self._told.add(words)
            log.info("%s: %s: %s", self.name, file.shown, words)
        rows = understand(cells, layout, self._context.stations, file.shown, self.name)
        called = called if layout.station == FROM_FILE_NAME else ""
        self._contents.add((taken.content, called))
        self._read.append(replace(taken, called=called, guesses=json.dumps(layout.guesses())))
        if (came := known.first_taken.get((taken.content, called))) is not None:
            rows = replace(rows, came_at=pd.Series(came, index=rows.position.index))
        if not (lines := known.lines_known(content, called)):
            return [rows]
        log.info("%s: %s has grown; its first %d lines were taken in before", self.name, file.shown, lines)
        before = _lines(rows.position) <= lines
        return [rows.only(~before), *_second_look(rows.only(before), waiting)]

    def confirm(self, taken_at: pd.Timestamp) -> None:
        """Remember what was read."""
        self._context.taken.note(self.name, self._read_as, self._read, taken_at)

    def _files(self) -> Iterator[_File]:
        """Every matching file, in the order of their names."""
        if "://" in self._path:
            yield from _remote_files(self._path, self.name)
            return
        home = self._context.workspace.home
        files = matching(self._path, home)
        place = home / Path(self._path).expanduser()
        if not files and not glob.has_magic(self._path) and not place.is_dir():
            raise SourceError(f"source {self.name!r}: no file at {place}. Mend `path`, or put the file there.")
        if not files:
            log.warning("%s: no file matches %s", self.name, place)
        local = fsspec.filesystem("file")
        for file in files:
            yield _File(local, str(file), shown_as(file, home))


def matching(path: str, home: Path) -> list[Path]:
    """The local files that a source's `path` means: a file, a folder's files or a glob's, in the order of names."""
    place = Path(path).expanduser()
    whole = home / place
    if whole.is_dir():
        pattern = glob.escape(str(whole)) + "/*"
    elif whole.is_file():
        pattern = glob.escape(str(whole))
    else:
        pattern = str(place) if place.is_absolute() else f"{glob.escape(str(home))}/{place}"
    found = sorted(Path(name) for name in glob.glob(pattern, recursive=True))
    return [file for file in found if file.is_file() and not file.name.endswith(_NOT_FINISHED)]


def shown_as(file: Path, home: Path) -> str:
    """A file as it stands beside its rows: relative to the workspace, so that the folder can be moved."""
    return (file.relative_to(home) if file.is_relative_to(home) else file).as_posix()


def table_of(content: bytes, settings: SourceSettings, name: str, where: str) -> tuple[Cells, Layout]:
    """A file's content as a table, and what its columns mean."""
    cells = read_cells(content, where, settings.delimiter)
    return cells, recognise(cells, settings, name, where)


def reread(
    file: str, group: pd.DataFrame, settings: SourceSettings, stations: Stations, guessed: Mapping[str, Any]
) -> RawRows:
    """Understand quarantined rows of one file anew, as the settings say by now.

    What the settings leave open is as it was guessed from the whole file: bad rows alone are bad to guess from.

    Args:
        file: as it stands beside the rows.
        group: its rows in the quarantine, of one source.
        settings: of that source.
        stations: what their owner says of them.
        guessed: what was guessed of the file when it was taken in, as settings.

    Returns:
        A batch on the index of `group`; a row that holds nothing any more is missing.

    Raises:
        SettingsError: the rows cannot be understood.
    """
    name = str(group["source"].iloc[0])
    lines = _lines(group["position"]).sort_values(kind="stable")
    if settings.layout or settings.station or settings.temperature:
        guessed = {key: said for key, said in guessed.items() if key not in ("layout", "station", "temperature")}
    told = settings.model_copy(update={key: said for key, said in guessed.items() if getattr(settings, key) is None})
    cells = cells_of_raw(group.loc[lines.index, "raw"].tolist(), lines.tolist())
    rows = understand(cells, recognise(cells, told, name, file), stations, file, name)
    rows = rows.on(lines.index[_lines(rows.position) - 1])
    return replace(rows, came_at=group["ingested_at"].reindex(rows.position.index))


def _second_look(rows: RawRows, waiting: Mapping[tuple[str, str], pd.Timestamp]) -> list[RawRows]:
    """Those of these rows that lie in quarantine: what came after them may make sense of them."""
    rows = rows.only(rows.position.isin({position for position, _ in waiting}))
    if rows.position.empty:
        return []
    keys = zip(rows.position, raws_of(rows.raw), strict=True)
    came_at = pd.to_datetime(pd.Series([waiting.get(key) for key in keys], index=rows.position.index), utc=True)
    return [replace(rows, came_at=came_at, second_look=True).only(came_at.notna())]


def _lines(position: pd.Series) -> pd.Series:
    return position.str.extract(r"(\d+)$", expand=False).astype("int64")


@dataclass(frozen=True)
class _File:
    """A file on some file system. `shown`: how people know it."""

    system: fsspec.AbstractFileSystem
    path: str
    shown: str

    @property
    def stamp(self) -> str:
        """Changes whenever the file does, by what its file system says of it: size, time of change, tag."""
        return str(self.system.ukey(self.path))

    def content(self) -> bytes:
        """All of it."""
        try:
            return bytes(self.system.cat_file(self.path))
        except OSError as error:
            raise SourceError(f"{self.shown}: cannot be read: {error}") from None


def _remote_files(url: str, name: str) -> Iterator[_File]:
    try:
        system, path = fsspec.url_to_fs(url)
        if glob.has_magic(path):
            found = system.glob(path)
        elif system.isdir(path):
            found = [entry["name"] for entry in system.ls(path) if entry["type"] == "file"]
        else:
            found = [path]
        if not glob.has_magic(path) and not (found and all(system.exists(each) for each in found[:1])):
            raise SourceError(f"source {name!r}: no file at {url}. Mend `path`, or put the file there.")
    except (ImportError, ValueError) as error:  # a protocol that nobody installed, or that there is not
        raise SettingsError(f"source.{name}: path = {url!r}: {error}") from None
    except OSError as error:
        raise SourceError(f"source {name!r}: {url} cannot be listed: {error}") from None
    for each in sorted(found):
        if not each.endswith(_NOT_FINISHED):
            yield _File(system, each, system.unstrip_protocol(each))


def _digest(settings: SourceSettings, stations: Stations) -> str:
    """Names the way in which files are understood: read in another way they are news again."""
    told = settings.model_dump(mode="json", include=_HOW_READ)
    known = {key: [station.timezone, station.unit] for key, station in stations.known.items()}
    known = {key: said for key, said in known.items() if any(said)}
    return sha256(json.dumps([_READER, told, known], sort_keys=True).encode()).hexdigest()[:16]
