"""Readings in the order they arrived, so that a night lived again sees what it could have seen and no more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import pandas as pd

from lstm_model.readings import RawRows, ReadingsStore, SampleSource, Source
from lstm_model.readings.quality import ANY_FLAG

_HISTORY_DAYS = 30
"""A batch with readings of so many days is a load of history: it says nothing of when its readings arrived."""
_A_NIGHT_TAKES = pd.Timedelta(minutes=10)
"""What a night takes in itself is stamped a little later than the night, and was there for it all the same."""


class Arriving(Protocol):
    """Readings that arrive in their time."""

    def sources(self, since: pd.Timestamp | None, until: pd.Timestamp | None) -> list[Source]:
        """What arrived after `since` and not after `until` (ever, when None), by the source that brought it."""
        ...

    def digest(self, until: pd.Timestamp) -> str:
        """What tells these readings from others, as far as they arrived by then."""
        ...


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
        days = rows["observed_at"].dt.floor("1D").groupby([rows["source"], rows["ingested_at"]])
        loaded = days.transform("nunique") >= _HISTORY_DAYS
        came = (rows["ingested_at"] - _A_NIGHT_TAKES).where(~loaded, rows["observed_at"])
        arrived = came.where(came > rows["observed_at"], rows["observed_at"])
        return cls(rows.drop(columns="ingested_at").assign(arrived_at=arrived))

    def sources(self, since: pd.Timestamp | None, until: pd.Timestamp | None) -> list[Source]:
        """What arrived after `since` and not after `until` (ever, when None), by the source that brought it."""
        arrived = self.rows if until is None else self.rows[self.rows["arrived_at"] <= until]
        if since is not None:
            arrived = arrived[arrived["arrived_at"] > since]
        return [_Batch(str(name), rows) for name, rows in arrived.groupby("source")]

    def digest(self, until: pd.Timestamp) -> str:
        """What tells these readings from others, as far as they arrived by then."""
        arrived = self.rows[self.rows["arrived_at"] <= until]
        return f"{int(pd.util.hash_pandas_object(arrived, index=False).sum()):016x}"


class SampleArrivals:
    """The embedded sample, every reading of which arrives when it is observed."""

    def sources(self, since: pd.Timestamp | None, until: pd.Timestamp | None) -> list[Source]:
        """The sample itself, which reveals what was observed by the night and is not kept yet."""
        return [SampleSource("sample")]

    def digest(self, until: pd.Timestamp) -> str:
        """There is only one sample."""
        return "sample"


class _Batch:
    """Readings on their way into another store."""

    def __init__(self, name: str, rows: pd.DataFrame) -> None:
        self.name, self._rows = name, rows

    def read(self, since: pd.Timestamp | None, until: pd.Timestamp) -> Iterator[RawRows]:
        """All of them that were observed by then."""
        rows = self._rows[self._rows["observed_at"] <= until].drop(columns=["source", "arrived_at"])
        nothing = pd.Series("", index=rows.index)
        yield RawRows(rows, rows.astype("str"), nothing, nothing)

    def confirm(self, taken_at: pd.Timestamp) -> None:
        """Nothing to remember."""
