"""Readings in the order they arrived, so that a night lived again sees what it could have seen and no more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from lstm_model.readings import RawRows, ReadingsStore, SampleSource, Source
from lstm_model.readings.quality import ANY_FLAG

_HISTORY = pd.Timedelta(days=30)
"""A batch that spans more than this is a load of history: it says nothing about when its readings arrived."""


@dataclass(frozen=True)
class Arrivals:
    """Readings as a workspace keeps them, with the time each is taken to have arrived.

    rows: station_id, observed_at, temperature_c, source, covariates, arrived_at.
    """

    rows: pd.DataFrame

    @classmethod
    def of(cls, store: ReadingsStore) -> Arrivals:
        """Everything in the store, whatever its flag: the night that lives again judges it anew.

        A reading arrived when it was ingested; one that came with a load of history, when it was observed. Of a
        corrected reading only the correction is known, from when that came.
        """
        everything = pd.Timestamp.max.tz_localize("UTC").floor("1s")
        rows = store.read(everything, flags=ANY_FLAG, columns=["source", "ingested_at"], covariates=True)
        observed = rows["observed_at"].groupby([rows["source"], rows["ingested_at"]])
        loaded = observed.transform("max") - observed.transform("min") > _HISTORY
        arrived = rows[["observed_at", "ingested_at"]].max(axis=1).where(~loaded, rows["observed_at"])
        return cls(rows.drop(columns="ingested_at").assign(arrived_at=arrived))

    def sources(self, since: pd.Timestamp | None, until: pd.Timestamp) -> list[Source]:
        """What arrived after `since` and not after `until`, by the source that brought it."""
        arrived = self.rows[self.rows["arrived_at"] <= until]
        if since is not None:
            arrived = arrived[arrived["arrived_at"] > since]
        return [_Batch(str(name), rows) for name, rows in arrived.groupby("source")]

    @property
    def last(self) -> pd.Timestamp | None:
        """When the last reading arrived, or None."""
        return None if self.rows.empty else self.rows["arrived_at"].max()


class SampleArrivals:
    """The embedded sample, every reading of which arrives when it is observed."""

    def sources(self, since: pd.Timestamp | None, until: pd.Timestamp) -> list[Source]:
        """The sample itself, which reveals what was observed by the night and is not kept yet."""
        return [SampleSource("sample")]


class _Batch:
    """Readings on their way into another store."""

    def __init__(self, name: str, rows: pd.DataFrame) -> None:
        self.name, self._rows = name, rows

    def read(self, since: pd.Timestamp | None, until: pd.Timestamp) -> Iterator[RawRows]:
        """All of them."""
        rows = self._rows.drop(columns=["source", "arrived_at"])
        nothing = pd.Series("", index=rows.index)
        yield RawRows(rows, rows.astype("str"), nothing, nothing)

    def confirm(self, taken_at: pd.Timestamp) -> None:
        """Nothing to remember."""
