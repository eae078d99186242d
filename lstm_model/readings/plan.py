"""What becomes of a batch of readings: new, corrected or unchanged, flagged, and what it does to flags around it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

import numpy as np
import pandas as pd
import pyarrow.dataset as ds
from deltalake import DeltaTable

from lstm_model.readings.fleet import Fleet
from lstm_model.readings.quality import FAIL, SUSPECT, QualityControl, count_by_check
from lstm_model.readings.table import KEY, READINGS_SCHEMA, covariates_kept, covariates_of, micros, scan

_MOST_SPANS = 50


@dataclass(frozen=True)
class UpsertCounts:
    """What became of a batch of readings: every row is exactly one of the three."""

    new: int = 0
    corrected: int = 0
    unchanged: int = 0

    def __add__(self, other: UpsertCounts) -> UpsertCounts:
        return UpsertCounts(self.new + other.new, self.corrected + other.corrected, self.unchanged + other.unchanged)


@dataclass(frozen=True)
class FlagCounts:
    """Readings written by a commit that are not good: by station as (suspect, failed), and by the check."""

    by_station: dict[str, tuple[int, int]] = field(default_factory=dict)
    by_check: dict[str, int] = field(default_factory=dict)

    def __add__(self, other: FlagCounts) -> FlagCounts:
        stations = sorted({*self.by_station, *other.by_station})
        pairs = {s: zip(self.by_station.get(s, (0, 0)), other.by_station.get(s, (0, 0)), strict=True) for s in stations}
        by_station = {station: (sum(suspect), sum(failed)) for station, (suspect, failed) in pairs.items()}
        return FlagCounts(by_station, dict(Counter(self.by_check) + Counter(other.by_check)))


@dataclass(frozen=True)
class Upsert:
    """A batch that is kept: what became of its rows, and what quality control found in what was written."""

    counts: UpsertCounts = UpsertCounts()
    flags: FlagCounts = FlagCounts()


@dataclass(frozen=True)
class Plan:
    """What becomes of a batch, the rows to write for it, and whether the table has a row with the key of any."""

    outcome: Upsert
    rows: pd.DataFrame
    overwrites: bool


def plan(
    kept: DeltaTable | None, batch: pd.DataFrame, quality: QualityControl | None, came_at: pd.Series | None
) -> Plan:
    """What becomes of a batch; see `ReadingsStore.upsert`."""
    unsaid = [column for column in covariates_of(batch) if batch[column].isna().all()]
    batch = batch.drop(columns=unsaid)
    known = _known(kept, batch)
    if known.empty:
        news = _news(kept, batch, quality)
        if news is not None:
            return news
    counts, winners, overwrites = _compare(kept, known, batch, came_at)
    if quality is None or winners.empty:
        return Plan(Upsert(counts), winners, overwrites)
    judged = _judged(kept, winners, quality)
    assert judged is not None, "of every key one row has won"
    return Plan(Upsert(counts, judged.outcome.flags), judged.rows, overwrites or judged.overwrites)


def _news(kept: DeltaTable | None, batch: pd.DataFrame, quality: QualityControl | None) -> Plan | None:
    """The plan for a batch of which nothing is kept; None where it repeats itself, and must be looked at row by row."""
    if quality is None:
        return None if Fleet.of(batch).repeats.any() else Plan(Upsert(UpsertCounts(new=len(batch))), batch, False)
    judged = _judged(kept, batch, quality)
    if judged is None:
        return None
    return replace(judged, outcome=replace(judged.outcome, counts=UpsertCounts(new=len(batch))))


def _known(kept: DeltaTable | None, batch: pd.DataFrame) -> pd.DataFrame:
    """What is kept of the batch's months between its first and last time."""
    times = batch["observed_at"]
    here = ds.field("month").isin(batch["month"].unique().tolist())
    here &= (ds.field("observed_at") >= micros(times.min())) & (ds.field("observed_at") <= micros(times.max()))
    columns = [*KEY, "ingested_at", "temperature_c", *covariates_kept(kept)]
    return scan(kept, here, columns, batch["station_id"].unique().tolist())


def _compare(
    kept: DeltaTable | None, known: pd.DataFrame, batch: pd.DataFrame, came_at: pd.Series | None
) -> tuple[UpsertCounts, pd.DataFrame, bool]:
    """What becomes of each row as if rows arrived one by one, the rows to write, and whether any of them is kept.

    What a row leaves unsaid of a covariate stands: it is as the row before said, within the batch or as kept.
    """
    known_columns = ["temperature_c", *covariates_kept(kept)]
    measured = [*known_columns, *(column for column in covariates_of(batch) if column not in known_columns)]
    batch = batch.reindex(columns=[*READINGS_SCHEMA.names, *measured[1:]])
    known = known.rename(columns={column: f"kept {column}" for column in ("ingested_at", *known_columns)})
    rows = batch.reset_index(drop=True).merge(known, on=KEY, how="left", validate="many_to_one")
    too_old = later = pd.Series(False, rows.index)
    if came_at is not None:
        came = came_at.reset_index(drop=True)
        too_old, later = rows["kept ingested_at"] > came, rows["kept ingested_at"] < came
    outdated, rows = int(too_old.sum()), rows[~too_old].reset_index(drop=True)
    later = later[~too_old].reset_index(drop=True)  # says the same again: what came in between must not undo it

    there, repeated = rows["kept temperature_c"].notna(), rows.duplicated(KEY)
    group = rows.groupby(KEY, sort=False).ngroup()
    same, same_as_kept = pd.Series(True, rows.index), pd.Series(True, rows.index)
    for column in measured:
        kept_value = rows[f"kept {column}"] if column in known_columns else pd.Series(float("nan"), rows.index)
        kept_value, said = kept_value.astype("float32"), rows[column].astype("float32")
        stands = said.where(said.notna() | repeated, kept_value).groupby(group).ffill()
        before = stands.groupby(group).shift().where(repeated, kept_value)
        same &= (stands == before) | (stands.isna() & before.isna())
        same_as_kept &= (stands == kept_value) | (stands.isna() & kept_value.isna())
        rows[column] = stands
    new = ~there & ~repeated
    counts = UpsertCounts(int(new.sum()), int((~new & ~same).sum()), int((~new & same).sum()) + outdated)
    last = ~rows.duplicated(KEY, keep="last")
    wanted = last & (later | ~(there & same_as_kept))
    return counts, rows.loc[wanted, list(batch.columns)], bool(there[wanted].any())


def _judged(kept: DeltaTable | None, winners: pd.DataFrame, quality: QualityControl) -> Plan | None:
    """The winners with their flags and every kept reading whose flag they change; None where a key is there twice."""
    spans = _spans(winners["observed_at"], 4 * quality.reach)
    stations = quality.affected_by(set(winners["station_id"].unique()))
    around = _around(kept, spans, 2 * quality.reach, quality.needed_for(stations))
    fleet = Fleet.of(pd.concat([rows[[*KEY, "temperature_c"]] for rows in (around, winners)], ignore_index=True))
    if (fleet.repeats & (fleet.rows >= len(around))).any():
        return None
    fleet = fleet.only(~fleet.repeats)  # of what is kept and what came, the latter
    assessment = quality.assess(fleet)
    before = np.concatenate([around["flag"].to_numpy(np.int8), np.zeros(len(winners), np.int8)])  # of what came, none
    within = np.zeros(len(fleet.rows), bool)
    for first, last in spans:
        begin, end = ((edge.value // 1000) for edge in (first - quality.reach, last + quality.reach))
        within |= (fleet.micros >= begin) & (fleet.micros <= end)
    within &= np.array([name in stations for name in fleet.stations])[fleet.codes]
    written = within & (before[fleet.rows] != assessment.flags)
    flags, chosen = np.empty(len(before), np.int8), np.zeros(len(before), bool)
    flags[fleet.rows] = assessment.flags
    chosen[fleet.rows[written]] = True
    result, changed = winners.assign(flag=flags[len(around) :]), chosen[: len(around)]
    if changed.any():
        others = around[changed].assign(flag=flags[: len(around)][changed])
        result = pd.concat([others, result], ignore_index=True)
    found = counted(result, count_by_check(assessment.found, written))
    return Plan(Upsert(flags=found), result, bool(changed.any()))


def reassessed(
    kept: DeltaTable, months: Sequence[str], quality: QualityControl, unlearned: bool
) -> tuple[pd.DataFrame, Counter[str]]:
    """Key and flag of those readings of some months whose flag changes, and how many each check found of them."""
    begin = pd.Timestamp(f"{months[0]}-01T00:00Z")
    end = pd.Timestamp(f"{months[-1]}-01T00:00Z") + pd.offsets.MonthBegin()
    near = (ds.field("observed_at") >= micros(begin - quality.reach)) & (
        ds.field("observed_at") < micros(end + quality.reach)
    )
    rows = scan(kept, near, ["month", *KEY, "temperature_c", "flag"])
    fleet = Fleet.of(rows)
    before = rows["flag"].to_numpy()[fleet.rows]
    assessment = quality.assess(fleet, before if unlearned else None)
    within = (fleet.micros >= begin.value // 1000) & (fleet.micros < end.value // 1000)
    changed = within & (assessment.flags != before)
    result = rows.take(fleet.rows[changed]).assign(flag=assessment.flags[changed])
    return result, count_by_check(assessment.found, changed)


def counted(rows: pd.DataFrame, by_check: Counter[str]) -> FlagCounts:
    """The doubtful ones of some readings, by station, beside how many each check found."""
    doubtful = rows[rows["flag"] >= SUSPECT]
    suspect, failed = (doubtful[doubtful["flag"] == flag].groupby("station_id").size() for flag in (SUSPECT, FAIL))
    by_station = {
        str(station): (int(suspect.get(station, 0)), int(failed.get(station, 0)))
        for station in sorted(doubtful["station_id"].unique())
    }
    return FlagCounts(by_station, dict(by_check))


def _spans(times: pd.Series, apart: pd.Timedelta) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """The few spans that hold all of these times; one where there would be too many."""
    moments = times.drop_duplicates().sort_values(ignore_index=True)
    begins = moments[moments.diff().isna() | (moments.diff() > apart)].index
    if len(begins) > _MOST_SPANS:
        return [(moments.iloc[0], moments.iloc[-1])]
    ends = [*(begins[1:] - 1), len(moments) - 1]
    return [(moments[first], moments[last]) for first, last in zip(begins, ends, strict=True)]


def _around(
    kept: DeltaTable | None,
    spans: Iterable[tuple[pd.Timestamp, pd.Timestamp]],
    margin: pd.Timedelta,
    stations: set[str],
) -> pd.DataFrame:
    """Kept readings of these stations within the spans and a margin on both sides."""
    parts = []
    for first, last in spans:
        begin, end = first - margin, last + margin
        months = pd.period_range(begin.tz_localize(None), end.tz_localize(None), freq="M").strftime("%Y-%m")
        month = ds.field("month").isin(months.tolist())
        time = (ds.field("observed_at") >= micros(begin)) & (ds.field("observed_at") <= micros(end))
        parts.append(month & time)
    return scan(kept, reduce(lambda one, other: one | other, parts), stations=sorted(stations))
