"""From raw rows to readings, and the reasons why some could not become one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstm_model.readings.columns import constant, month_of
from lstm_model.readings.quality import NOT_EVALUATED
from lstm_model.readings.sources import RawRows
from lstm_model.readings.tables import raws_of
from lstm_model.readings.times import UNREADABLE
from lstm_model.settings import QualitySettings

COLDEST_C, HOTTEST_C = -100.0, 100.0
"""What a thermometer can have read at all; outside lies a wrong unit or a broken sensor."""


@dataclass(frozen=True)
class Normalized:
    """A batch, split without loss; both parts keep their rows' index."""

    readings: pd.DataFrame
    quarantined: pd.DataFrame


def normalize(
    rows: RawRows,
    source: str,
    clock: pd.Timestamp,
    ingested_at: pd.Timestamp,
    limits: QualitySettings | None = None,
) -> Normalized:
    """Split a batch into readings and quarantine, losing nothing.

    Args:
        rows: the batch as its source understood it.
        source: name of the source, kept beside every row.
        clock: the wall clock, against which a time lies in the future.
        ingested_at: the time stamped onto every row that is news; others keep the time they came.
        limits: how far ahead and how old a time may be.

    Returns:
        readings with the columns of the readings table, and quarantined rows with those of the quarantine.
    """
    frame = rows.understood
    reason = _reasons(rows, clock, limits or QualitySettings())
    good = reason == ""
    came_at = pd.Series(ingested_at, index=frame.index) if rows.came_at is None else rows.came_at.fillna(ingested_at)
    came_at = came_at.astype("datetime64[us, UTC]")
    kept, raw, position, came = frame, rows.raw.iloc[:0], rows.position.iloc[:0], came_at
    if not good.all():
        kept, raw, position, came = frame[good], rows.raw[~good], rows.position[~good], came_at[good]
    observed_at = kept["observed_at"].astype("datetime64[us, UTC]")
    readings = pd.DataFrame(
        {
            "month": month_of(observed_at),
            "station_id": kept["station_id"].astype("str"),
            "observed_at": observed_at,
            "temperature_c": kept["temperature_c"].astype("float32"),
            "flag": np.int8(NOT_EVALUATED),
            "source": constant(source, kept.index),
            "ingested_at": came,
        }
    )
    covariates = frame.columns.difference(["station_id", "observed_at", "temperature_c"], sort=False)
    quarantined = pd.DataFrame(
        {
            "raw": raws_of(raw),
            "reason": pd.Series(reason[~good], index=raw.index, dtype="str"),
            "source": source,
            "position": position,
            "ingested_at": came_at[~good],
        }
    )
    return Normalized(readings.assign(**kept[covariates].astype("float32")), quarantined)


def _reasons(rows: RawRows, clock: pd.Timestamp, limits: QualitySettings) -> npt.NDArray[np.object_]:
    """Why each row cannot become a reading, empty where it can."""
    frame = rows.understood
    temperature = frame["temperature_c"]
    earliest = pd.Timestamp(limits.earliest)
    tests = {
        "": rows.fault != "",
        "station missing": frame["station_id"].isna(),
        UNREADABLE: frame["observed_at"].isna(),
        "time lies in the future": frame["observed_at"] > clock + pd.Timedelta(minutes=limits.future_minutes),
        f"time lies before {earliest:%Y-%m-%d} (quality.earliest)": frame["observed_at"] < earliest,
        "temperature missing or not a number": ~np.isfinite(temperature),
        f"temperature outside {COLDEST_C:g}…{HOTTEST_C:g} °C": (temperature < COLDEST_C) | (temperature > HOTTEST_C),
    }
    reasons = np.full(len(frame), "", object)
    for reason, bad in reversed(tests.items()):  # the first that fits is told
        rejected = bad.to_numpy(bool)
        if rejected.any():
            reasons[rejected] = reason or rows.fault[rejected]
    return reasons
