"""What a source is: something that yields rows, each understood as far as it could be, beside how it came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from typing import Any, Protocol

import pandas as pd

from lstm_model.errors import SettingsError
from lstm_model.readings.stations import Stations
from lstm_model.readings.taken import TakenFiles
from lstm_model.settings import SourceSettings
from lstm_model.workspace import Workspace

ENTRY_POINTS = "nightcast.sources"
"""Group under which an installed package offers a type of source: a callable like `SourceFactory`."""


@dataclass(frozen=True)
class RawRows:
    """A batch from a source, on one index.

    understood: station_id (str), observed_at (UTC), temperature_c (float), each missing where it made no sense;
        further float columns are covariates, named with their unit.
    raw: the same rows as they came, for the quarantine.
    position: where each row stands, such as `inbox/cellar.csv:17`.
    fault: why a row cannot be used whatever was understood of it; empty where nothing speaks against it.
    nulled: columns named like covariates, true where a value made no sense and was left out; may be missing.
    came_at: when a row came first, where it was taken in before and is only understood anew; NaT for news. Readings
        that came after it stand.
    second_look: the rows lie in quarantine already; those that still make no sense are not counted again.
    understood_as: what their columns were taken to mean, for people.
    """

    understood: pd.DataFrame
    raw: pd.DataFrame
    position: pd.Series
    fault: pd.Series
    nulled: pd.DataFrame | None = None
    came_at: pd.Series | None = None
    second_look: bool = False
    understood_as: str = ""

    def only(self, wanted: pd.Series) -> RawRows:
        """The rows for which `wanted` is true."""
        return self._each(lambda part: part[wanted])

    def on(self, index: pd.Index) -> RawRows:
        """The same rows on another index."""
        return self._each(lambda part: part.set_axis(index))

    def _each(self, change: Callable[[Any], Any]) -> RawRows:
        parts = {name: part for name, part in vars(self).items() if isinstance(part, pd.Series | pd.DataFrame)}
        return replace(self, **{name: change(part) for name, part in parts.items()})

    def nulled_counts(self) -> Counter[str]:
        """How many values of each covariate were left out."""
        if self.nulled is None:
            return Counter()
        return Counter({str(name): int(lost.sum()) for name, lost in self.nulled.items() if lost.any()})


def together(batches: list[RawRows]) -> RawRows:
    """Batches of the same columns as one."""
    first, parts = batches[0], {}
    for name, part in vars(first).items():
        if isinstance(part, pd.Series | pd.DataFrame):
            parts[name] = pd.concat([getattr(each, name) for each in batches], ignore_index=True)
    return replace(first, **parts)


class Source(Protocol):
    """Anything that readings come from.

    One whose rows come in order of time may say `in_order = True`: a pull that broke then goes on where it broke. Of
    any other, it begins anew where it had begun.
    """

    name: str

    def read(self, since: pd.Timestamp | None, until: pd.Timestamp) -> Iterator[RawRows]:
        """Yield rows that may be new after `since` (the newest reading kept from this source) up to `until`.

        Yielding rows again is harmless: the store counts them as unchanged.

        Raises:
            SourceError: the source as a whole cannot be read.
        """
        ...

    def confirm(self, taken_at: pd.Timestamp) -> None:
        """All that was read is safely kept; the source may remember not to offer it again."""
        ...


@dataclass(frozen=True)
class SourceContext:
    """What a source may look at besides its own settings.

    taken: files that were taken in before.
    waiting: when the quarantined rows of a source came, by their position and raw text.
    named_by_hand: the source was asked for by name of a file; it is read even if it was taken in before.
    """

    workspace: Workspace
    stations: Stations
    taken: TakenFiles
    waiting: Callable[[str], Mapping[tuple[str, str], pd.Timestamp]]
    named_by_hand: bool = False


SourceFactory = Callable[[str, SourceSettings, SourceContext], Source]


def open_source(name: str, settings: SourceSettings, context: SourceContext) -> Source:
    """The source that `[source.NAME]` describes.

    Raises:
        SettingsError: no such type of source, or a setting that it needs is missing.
    """
    from lstm_model.readings.files import FilesSource
    from lstm_model.readings.http import HttpSource
    from lstm_model.readings.sample import SampleSource
    from lstm_model.readings.sql import SqlSource

    built_in: dict[str, SourceFactory] = {
        "files": FilesSource,
        "http": HttpSource,
        "sql": SqlSource,
        "sample": lambda name, settings, context: SampleSource(name),
    }
    if settings.type in built_in:
        return built_in[settings.type](name, settings, context)
    brought = entry_points(group=ENTRY_POINTS)
    if settings.type not in brought.names:
        known = ", ".join([*built_in, *sorted(brought.names)])
        raise SettingsError(f"source.{name}: there is no type {settings.type!r}; known: {known}.")
    factory: SourceFactory = brought[settings.type].load()
    return factory(name, settings, context)
