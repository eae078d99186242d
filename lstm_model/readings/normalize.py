"""From raw rows to readings, and the reasons why some could not become one."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lstm_model.readings.sources import RawRows

COLDEST_C, HOTTEST_C = -100.0, 100.0
"""What a thermometer in the open can have read; outside lies a wrong unit or a broken sensor."""

FUTURE_TOLERANCE = pd.Timedelta("1h")
"""Clocks of sensors run ahead a little; further ahead the time is impossible."""

EARLIEST = pd.Timestamp("1700-01-01", tz="UTC")

NOT_EVALUATED = 2
"""QARTOD flag of a reading that no check has looked at yet (1 good, 2 not evaluated, 3 suspect, 4 fail)."""


def normalize(
    rows: RawRows, source: str, clock: pd.Timestamp, ingested_at: pd.Timestamp
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split a batch into readings and quarantine, losing nothing.

    Args:
        rows: the batch as its source understood it.
        source: name of the source, kept beside every row.
        clock: the wall clock, against which a time lies in the future.
        ingested_at: the time stamped onto every row.

    Returns:
        readings with the columns of the readings table, and quarantined rows with those of the quarantine.
    """
    frame = rows.understood
    temperature = frame["temperature_c"]
    reason = np.select(
        [
            rows.fault != "",
            frame["station_id"].isna(),
            frame["observed_at"].isna(),
            frame["observed_at"] > clock + FUTURE_TOLERANCE,
            frame["observed_at"] < EARLIEST,
            ~np.isfinite(temperature),
            (temperature < COLDEST_C) | (temperature > HOTTEST_C),
        ],
        [
            rows.fault,
            "station missing",
            "time missing, unreadable, or in an hour that a clock change repeats or skips",
            "time lies in the future",
            "time lies before 1700",
            "temperature missing or not a number",
            f"temperature outside {COLDEST_C:g}…{HOTTEST_C:g} °C",
        ],
        default="",
    )
    good = reason == ""
    observed_at = frame.loc[good, "observed_at"].astype("datetime64[us, UTC]")
    readings = pd.DataFrame(
        {
            "month": observed_at.dt.strftime("%Y-%m"),
            "station_id": frame.loc[good, "station_id"].astype(str),
            "observed_at": observed_at,
            "temperature_c": temperature[good].astype("float32"),
            "flag": np.int8(NOT_EVALUATED),
            "source": source,
            "ingested_at": ingested_at.as_unit("us"),
        }
    )
    quarantined = pd.DataFrame(
        {
            "raw": [row.to_json(date_format="iso", force_ascii=False) for _, row in rows.raw[~good].iterrows()],
            "reason": reason[~good],
            "source": source,
            "position": rows.position[~good],
            "ingested_at": ingested_at.as_unit("us"),
        }
    )
    return readings, quarantined
