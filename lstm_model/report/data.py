"""What a report tells, gathered before anything is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from lstm_model.forecasts.limits import Expected, limits_of
from lstm_model.registry import Entry

HEALTH = ["station_id", "newest", "late", "share", "suspect", "failed", "days"]


@dataclass(frozen=True)
class Finding:
    """Something that needs a person.

    text: what is the matter, with its numbers.
    remedy: what to do about it.
    urgent: whether it should be looked at today.
    stations: which stations it is about; none where it is about all of them.
    about_absence: it says that readings stay away, which the report then need not say itself.
    """

    text: str
    remedy: str = ""
    urgent: bool = False
    stations: tuple[str, ...] = ()
    about_absence: bool = False


@dataclass(frozen=True)
class Judged:
    """A version that a night trained, and what the gate made of it."""

    version: str
    night: pd.Timestamp
    decision: str
    reason: str
    champion: bool


@dataclass(frozen=True)
class ReportData:
    """Everything that the page shows. Times are UTC, temperatures °C; tables may be empty, numbers NaN.

    fleet: what the page is called by; names: of stations that have one beside their id.
    now: the time it speaks of; written_at: when it was written, by the clock; zone: that times are shown in.
    step: of the forecasts' grid.
    limit_probability: from which on a limit is expected to be passed.
    findings: what needs a person.
    issue: the newest issue, as in the forecasts table.
    recent: usable readings of the last days: station_id, observed_at, temperature_c.
    yesterday: the issue that was newest a day ago, where its truth has come: its forecasts with observed_c, error_c,
        covered_80.
    usual_mae_c: of forecasts as far ahead as yesterday's, over the last `days` days.
    days, scored: how many days the verified scores below are of, and how many forecasts.
    by_lead: `verified_skill` by spans of leads, with `from_h`, `to_h` and the baselines' MAE.
    calibration: level, observed, low, high: how often truth lay below each quantile; coverage: the same of intervals.
    limit_calibration: of chances to pass a limit: forecast, observed, n, days; None where no station has a limit.
    changes: the promotion log, the oldest first; judged: versions, the newest first; None where MLflow cannot be read.
    health: a row a station: station_id, newest, late, share, suspect, failed, days (a share a day, the oldest first).
    quarantine: rows by reason.
    code: the commit that wrote the page.
    """

    fleet: str
    now: pd.Timestamp
    written_at: pd.Timestamp
    zone: str
    step: pd.Timedelta
    limit_probability: float = 0.5
    plays_sample: bool = False
    names: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    issue: pd.DataFrame = field(default_factory=pd.DataFrame)
    recent: pd.DataFrame = field(default_factory=pd.DataFrame)
    yesterday: pd.DataFrame = field(default_factory=pd.DataFrame)
    usual_mae_c: float = float("nan")
    days: int = 30
    scored: int = 0
    by_lead: pd.DataFrame = field(default_factory=pd.DataFrame)
    calibration: pd.DataFrame = field(default_factory=pd.DataFrame)
    coverage: pd.DataFrame = field(default_factory=pd.DataFrame)
    limit_calibration: pd.DataFrame | None = None
    changes: tuple[Entry, ...] = ()
    judged: tuple[Judged, ...] | None = ()
    health: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=HEALTH))
    quarantine: Mapping[str, int] = field(default_factory=dict)
    code: str = "unknown"

    @property
    def issued_at(self) -> pd.Timestamp | None:
        """When the newest forecast was issued."""
        return None if self.issue.empty else pd.Timestamp(self.issue["issued_at"].iloc[0])

    @property
    def ahead(self) -> pd.DataFrame:
        """What the newest forecast says of the time that is still to come."""
        return self.still_ahead(self.issue)

    @cached_property
    def limits(self) -> list[Expected]:
        """Every limit that may be passed in the time that is still to come, the likeliest first."""
        return limits_of(self.ahead)

    def still_ahead(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Those of a forecast's rows that are of a later time than now; none of an old forecast's."""
        return rows if rows.empty else rows[rows["valid_at"] > self.now]

    @property
    def champion(self) -> str | None:
        """The version that is champion, by the promotion log."""
        return self.changes[-1].champion if self.changes else None

    def name(self, station: str) -> str:
        """What a station is called, with its id where that is another."""
        called = self.names.get(station)
        return f"{called} ({station})" if called and called != station else station
