"""How complete and how trustworthy each station's readings were of late."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lstm_model.readings import ReadingsStore
from lstm_model.readings.quality import ANY_FLAG, FAIL, SUSPECT
from lstm_model.readings.store import FORGET_AFTER, USABLE_FLAGS
from lstm_model.report.data import HEALTH

DAYS = 14

_DAY = pd.Timedelta("1D")


def station_health(
    store: ReadingsStore, now: pd.Timestamp, step: pd.Timedelta, late_after: pd.Timedelta | None
) -> pd.DataFrame:
    """Every station that spoke within the last 30 days.

    Args:
        store: of the readings.
        now: nothing observed later counts.
        step: of the grid; a day that lacks no step of it is whole.
        late_after: a station whose newest usable reading is older is late; none is when None.

    Returns:
        station_id · newest, of its usable readings (NaT without any) · late · share, of the steps of the last 14 days
        that have a usable reading · suspect, failed, how many readings of those days · days, the same share day by
        day, the oldest first. Ordered by station.
    """
    readings = store.read(now, since=now - FORGET_AFTER, flags=ANY_FLAG, columns=["flag"], ordered=False)
    if readings.empty:
        return pd.DataFrame(columns=HEALTH)
    codes, stations = pd.factorize(readings["station_id"], sort=True)
    age = (now - readings["observed_at"]) // _DAY
    flag, usable = readings["flag"].to_numpy(), readings["flag"].isin(USABLE_FLAGS).to_numpy()
    lately = (age < DAYS).to_numpy()

    newest = readings["observed_at"][usable].groupby(codes[usable]).max().reindex(range(len(stations)))
    counts = {
        name: np.bincount(codes[lately & (flag == value)], minlength=len(stations))
        for name, value in (("suspect", SUSPECT), ("failed", FAIL))
    }
    days = _whole(codes, age, readings["observed_at"].dt.ceil(step), usable & lately, len(stations), step)
    late = np.zeros(len(stations), bool) if late_after is None else ~(newest > now - late_after).to_numpy()
    told = {"station_id": stations, "newest": newest, "late": late, "share": days.mean(axis=1), **counts}
    return pd.DataFrame(told).assign(days=list(days))[HEALTH]


def _whole(
    codes: np.ndarray, age: pd.Series, cells: pd.Series, wanted: np.ndarray, stations: int, step: pd.Timedelta
) -> np.ndarray:
    """(stations, 14) the share of a day's steps that have a usable reading, the oldest day first."""
    seen = pd.DataFrame({"code": codes, "age": age, "cell": cells})[wanted].drop_duplicates(["code", "cell"])
    days = np.zeros((stations, DAYS))
    np.add.at(days, (seen["code"].to_numpy(), DAYS - 1 - seen["age"].to_numpy(int)), 1.0)
    return np.minimum(days * (step / _DAY), 1.0)
