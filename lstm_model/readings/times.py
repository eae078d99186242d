"""Times as people write them, understood as UTC; what has no one meaning is told apart, never shifted."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lstm_model.errors import SettingsError

UNREADABLE = "time missing or unreadable"
SKIPPED = "time lies in the hour that a clock change skips"
REPEATED = "time lies in the hour that a clock change repeats, and the rows around it do not say which of the two"

_CARRIES_ZONE = r"[T ]\d{1,2}.*(?:Z|UTC|GMT|[+-]\d{1,2}(?::?\d{2})?)$"
_ON_A_WALL = r"\d{4}(?:-\d{1,2}-\d{1,2}|\d{4})(?:[T ][\d:.]+)?"  # a whole date at least: pandas reads "today" too
_DAY_FIRST = r"^(?P<one>\d{1,2})(?P<separator>[./-])(?P<two>\d{1,2})[./-]\d{4}(?P<clock>.*)$"
_CLOCK = re.compile(
    r"(?P<lead>\D*)\d{1,2}:\d{2}(?P<seconds>:\d{2})?(?P<fraction>\.\d+)?"
    r"(?P<half>\s*[AP]M)?(?P<zone>\s*(?:Z|[+-]\d{2}:?\d{2}))?",
    re.IGNORECASE,
)
_EPOCHS = {10: "s", 13: "ms", 16: "us", 19: "ns"}
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_EPOCH_LIMIT_S = 100_000 * 86_400  # nearly as far as nanoseconds reach
_COMPACT = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_NEAR = pd.Timedelta("1D")


@dataclass(frozen=True)
class LocalTimes:
    """Times as they were read: those that carry a zone as UTC, the others as a clock on a wall showed them."""

    utc: pd.Series
    local: pd.Series


def guess_format(texts: pd.Series, where: str) -> str:
    """How the times of a column are written: iso, epoch_s…epoch_ns, or a strptime pattern.

    Raises:
        SettingsError: day and month cannot be told apart.
    """
    sample = texts[texts != ""].drop_duplicates()
    numeric = sample[sample.str.fullmatch(r"-?\d+(?:\.\d+)?")]
    if len(numeric) > len(sample) / 2:
        whole = numeric.str.extract(r"(\d+)")[0]
        length = int(whole.str.len().mode().iloc[0])
        if length in _COMPACT and whole[whole.str.len() == length].iloc[0][:2] in ("19", "20"):
            return _COMPACT[length]
        return f"epoch_{_EPOCHS.get(length, 's')}"
    found = sample.str.extract(_DAY_FIRST).dropna()
    if len(found) <= len(sample) / 2:
        return "iso"
    separator = str(found["separator"].iloc[0])
    one, two = (found[part].astype(int) for part in ("one", "two"))
    day_first, month_first = (
        sample[found.index[(one > 12) & (two <= 12)]],
        sample[found.index[(two > 12) & (one <= 12)]],
    )
    if len(day_first) and len(month_first):
        trouble = f"{day_first.iloc[0]!r} puts the day first, {month_first.iloc[0]!r} the month"
    elif len(day_first) == len(month_first) == 0 and separator != ".":
        trouble = f"{sample[found.index[0]]!r} may put the day or the month first"
    else:
        date = "%m{0}%d{0}%Y" if len(month_first) else "%d{0}%m{0}%Y"
        return date.format(separator) + found["clock"].head(1000).map(_clock_format).mode().iloc[0]
    raise SettingsError(
        f"{where}: {trouble}. Say which: "
        f'time_format = "%d{separator}%m{separator}%Y %H:%M" or "%m{separator}%d{separator}%Y %H:%M".'
    )


def _clock_format(text: str) -> str:
    """The pattern of what follows a date: ` 14:05`, `T14:05:30`, `, 2:05:30 PM`, ` 14:05+01:00`."""
    found = _CLOCK.fullmatch(text)
    if found is None:
        return " %H:%M" if text.strip() else ""
    hour, half = ("%I", " %p") if found["half"] else ("%H", "")
    seconds = (":%S" if found["seconds"] else "") + (".%f" if found["fraction"] else "")
    return f"{found['lead']}{hour}:%M{seconds}{half}{'%z' if found['zone'] else ''}"


def check_format(time_format: str, name: str) -> None:
    """Refuse what is no format of times.

    Raises:
        SettingsError: says what would be one.
    """
    if time_format in ("iso", *(f"epoch_{unit}" for unit in _PER_SECOND)) or _is_pattern(time_format):
        return
    raise SettingsError(
        f"source.{name}: time_format = {time_format!r} is no format of times; "
        "write iso, epoch_s, epoch_ms or a pattern such as %d.%m.%Y %H:%M."
    )


def _is_pattern(text: str) -> bool:
    try:
        pd.to_datetime("a time", format=text, errors="coerce")
    except ValueError:
        return False
    return "%" in text


def read_times(column: pd.Series, time_format: str) -> LocalTimes:
    """Understand a column of times.

    Args:
        column: text, or times that a Parquet file brought.
        time_format: iso, epoch_s…epoch_ns, or a strptime pattern.
    """
    nothing = pd.Series(pd.NaT, index=column.index, dtype="datetime64[us]")
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return LocalTimes(column.dt.tz_convert("UTC").dt.as_unit("us"), nothing)
    if pd.api.types.is_datetime64_any_dtype(column):
        return LocalTimes(nothing.dt.tz_localize("UTC"), column.dt.as_unit("us"))
    codes, different = pd.factorize(column.astype("str"), use_na_sentinel=False)
    if 2 * len(different) > len(codes):
        return _read_texts(column.astype("str").str.strip(), time_format)
    read = _read_texts(pd.Series(different, dtype="str").str.strip(), time_format)
    utc, local = (times.take(codes).set_axis(column.index) for times in (read.utc, read.local))
    return LocalTimes(utc, local)


def _read_texts(texts: pd.Series, time_format: str) -> LocalTimes:
    nothing = pd.Series(pd.NaT, index=texts.index, dtype="datetime64[us]")
    never = nothing.dt.tz_localize("UTC")
    if time_format.startswith("epoch_"):
        numbers = pd.to_numeric(texts, errors="coerce")
        unit = time_format.removeprefix("epoch_")
        within = numbers.abs() < _EPOCH_LIMIT_S * _PER_SECOND[unit]
        utc = pd.to_datetime(numbers.where(within), unit=unit, utc=True, errors="coerce")
        return LocalTimes(utc.dt.round("us").dt.as_unit("us"), nothing)
    if time_format != "iso":
        seen = pd.to_datetime(texts, format=time_format, errors="coerce", utc="%z" in time_format.lower())
        if seen.dt.tz is not None:
            return LocalTimes(seen.dt.as_unit("us"), nothing)
        return LocalTimes(never, seen.dt.as_unit("us"))
    texts = texts.str.upper().str.replace("/", "-", regex=False).str.replace(",", ".", regex=False)
    zoned = texts.str.contains(_CARRIES_ZONE, regex=True)
    utc = never.copy()
    named = texts[zoned].str.replace(r"\s*(?:UTC|GMT)$", "Z", regex=True)
    utc[zoned] = pd.to_datetime(named, utc=True, format="ISO8601", errors="coerce").dt.as_unit("us")
    local = nothing.copy()
    plain = texts.str.fullmatch(_ON_A_WALL) & ~zoned
    local[plain] = pd.to_datetime(texts[plain], format="ISO8601", errors="coerce").dt.as_unit("us")
    return LocalTimes(utc, local)


def localize(times: LocalTimes, zones: pd.Series, stations: pd.Series) -> tuple[pd.Series, pd.Series]:
    """UTC from local times.

    The hour that a clock change repeats is resolved where a station's rows run through that day in order, oldest or
    newest first, and step back once, within that hour, with no row missing there: on one side of the step is summer,
    on the other winter. Else it has no time, and neither has an hour that is skipped.

    Args:
        times: from `read_times`.
        zones: each row's zone, missing where none is known.
        stations: each row's station, whose rows are looked at together in their order.

    Returns:
        observed_at in UTC, and why it is missing, empty where it is not.
    """
    utc = times.utc.copy()
    fault = pd.Series("", index=utc.index)
    usable = times.local.dt.year.between(2, 9998)  # a zone's rules end where the calendar does
    for zone in zones[usable].dropna().unique():
        rows = usable & (zones == zone)
        local = times.local[rows]
        summer, winter = (
            local.dt.tz_localize(zone, ambiguous=np.full(len(local), first), nonexistent="NaT").dt.tz_convert("UTC")
            for first in (True, False)
        )
        fault[local.index[summer.isna()]] = SKIPPED
        repeated = summer.notna() & (summer != winter)
        chosen = summer.mask(repeated)
        if repeated.any():
            chosen = _resolve(local, summer, winter, repeated, stations[rows])
        fault[local.index[repeated & chosen.isna()]] = REPEATED
        utc[rows] = chosen
    fault[utc.isna() & (fault == "")] = UNREADABLE
    return utc, fault


def _resolve(
    local: pd.Series, summer: pd.Series, winter: pd.Series, repeated: pd.Series, stations: pd.Series
) -> pd.Series:
    chosen = summer.mask(repeated)
    for _, own in local[stations.isin(stations[repeated])].groupby(stations, sort=False):
        twice = own[repeated[own.index]]
        for _, window in twice.groupby(twice.dt.to_period("M"), sort=False):
            near = own[(own - window.iloc[0]).abs() <= _NEAR]
            forwards, backwards = (_second_pass(sign * near.diff(), repeated[near.index]) for sign in (1, -1))
            at = forwards or backwards
            if not at or None not in (forwards, backwards):
                continue  # in no order, or in too few rows to say which order
            sides = near.index[:at], near.index[at:]
            early, late = (side.intersection(window.index) for side in (sides if forwards else sides[::-1]))
            if winter[late].min() - summer[early].max() >= 2 * near.diff().abs().median():
                continue  # rows are missing there; it may be one pass alone, of which a row came twice
            chosen[early] = summer[early]
            chosen[late] = winter[late]
    return chosen


def _second_pass(steps: pd.Series, repeated: pd.Series) -> int | None:
    """At which row the order passes the repeated hour again: 0 where it never steps back, None where it is no order.

    Every row of that day must lie in order but for this one step, or the order means nothing; and both rows of the
    step must lie in that hour, or it was another clock that stepped.
    """
    back = np.flatnonzero(steps.iloc[1:] <= pd.Timedelta(0)) + 1
    if len(back) == 0:
        return 0
    return int(back[0]) if len(back) == 1 and repeated.iloc[back[0] - 1 : back[0] + 1].all() else None


def check_zones(times: LocalTimes, zones: pd.Series, texts: pd.Series, lines: pd.Series, where: str, name: str) -> None:
    """Refuse times whose zone nobody knows.

    Raises:
        SettingsError: names the first such line and the way out.
    """
    lost = times.local.notna() & zones.isna()
    if lost.any():
        row = lost.idxmax()
        raise SettingsError(
            f"{where}:{lines[row]}: the time {str(texts[row])!r} names no zone. "
            f'Say which: [source.{name}] timezone = "UTC" (or "Europe/Berlin", …) in nightcast.toml.'
        )
