"""What a source is: something that yields rows, each understood as far as it could be, beside how it came."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pandas as pd

from lstm_model.errors import SettingsError
from lstm_model.settings import SourceSettings


@dataclass(frozen=True)
class RawRows:
    """A batch from a source, on one index.

    understood: station_id (str), observed_at (UTC), temperature_c (float), each missing where it made no sense.
    raw: the same rows as they came, for the quarantine.
    position: where each row stands, such as `inbox/cellar.csv:17`.
    fault: why a row cannot be used whatever was understood of it; empty where nothing speaks against it.
    """

    understood: pd.DataFrame
    raw: pd.DataFrame
    position: pd.Series
    fault: pd.Series


class Source(Protocol):
    """Anything that readings come from."""

    name: str

    def read(self, since: pd.Timestamp | None, until: pd.Timestamp) -> Iterator[RawRows]:
        """Yield rows that may be new after `since` (the newest reading kept from this source) up to `until`.

        Yielding rows again is harmless: the store counts them as unchanged.

        Raises:
            SourceError: the source as a whole cannot be read.
        """
        ...


def open_source(name: str, settings: SourceSettings, home: Path) -> Source:
    """The source that `[source.NAME]` describes."""
    from lstm_model.readings.files import FilesSource
    from lstm_model.readings.sample import SampleSource

    if settings.type == "sample":
        return SampleSource(name)
    if settings.path is None:
        raise SettingsError(f'source.{name}: a files source needs a path, for example path = "inbox/*.csv".')
    return FilesSource(name, settings, home)


def to_celsius(values: pd.Series, unit: str) -> pd.Series:
    """Temperatures in °C from °C, °F or K; what is no number becomes NaN."""
    numbers = pd.to_numeric(values, errors="coerce").astype("float64")
    if unit == "F":
        return (numbers - 32.0) * (5.0 / 9.0)
    if unit == "K":
        return numbers - 273.15
    return numbers
