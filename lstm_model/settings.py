"""Every setting, its default and its bounds. Where the values come from is `lstm_model.workspace`'s part."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

QUANTILES = (0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95)
MEDIAN = QUANTILES.index(0.50)
ANCHOR_STEPS = 72
_STEP = re.compile(r"[1-9]\d*(min|h|D)")


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"{name!r} is no known time zone; write for example 'Europe/Berlin' or 'UTC'") from None
    return name


def _readable_cron(text: str) -> str:
    if not text.strip():
        return ""  # never
    from cronsim import CronSim, CronSimError  # here, because a packaged model carries this file but not cronsim

    try:
        CronSim(text, datetime(2024, 1, 1, tzinfo=UTC))
    except CronSimError:
        raise ValueError(f"{text!r} is no cron expression; write for example '15 2 * * *', or '' for never") from None
    return text


def _names(told: Any) -> Any:
    return told.replace(",", " ").split() if isinstance(told, str) else told


def _bare_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.-]+", text):
        raise ValueError(f"{text!r} is no name or IPv4 address; write for example 'sensors.lan', without port or '*'")
    return text.lower()


def _prefect_address(text: str) -> str:
    if re.match(r"https?://", _server_address(text)) and not text.rstrip("/").endswith("/api"):
        raise ValueError("lacks the path at its end; write for example 'http://prefect.lan:4200/api'")
    return text


def _server_address(text: str) -> str:
    if text and not re.match(r"postgresql://.|https?://[^/?#]*[^/?#@]", text):
        raise ValueError(
            "names neither a database nor a server; write for example 'postgresql://me:${DATABASE_PASSWORD}@db/name', "
            "without a driver, or 'http://…'"
        )
    return text


Zone = Annotated[str, AfterValidator(_known_zone)]
Cron = Annotated[str, AfterValidator(_readable_cron)]
HostName = Annotated[str, AfterValidator(_bare_name)]
Unit = Literal["C", "F", "K"]


class Section(BaseModel):
    """A table of nightcast.toml: frozen once read, and no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CovariateSettings(Section):
    """One line of `[source.NAME.covariates]`: where a covariate comes from and in what unit."""

    column: str | None = Field(None, description="their column")
    unit: str | None = Field(None, description="their unit; ours when absent")
    speed: str | None = Field(None, description="column with the wind's speed, for a wind component")
    direction: str | None = Field(None, description="column with the direction the wind comes from, degrees")

    @model_validator(mode="after")
    def _one_way(self) -> CovariateSettings:
        by_wind = self.speed is not None and self.direction is not None
        if (self.column is not None) == by_wind or (self.speed is None) != (self.direction is None):
            raise ValueError('name either a column, or speed and direction: { column = "slp", unit = "hPa" }')
        return self


def _their_column(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


Covariate = Annotated[CovariateSettings, BeforeValidator(_their_column)]
_COVARIATE_NAME = r"[a-z][a-z0-9_]*"
_NOT_COVARIATES = {"month", "station_id", "observed_at", "temperature_c", "flag", "source", "ingested_at"}
_COLUMNS = ("layout", "station", "time", "time_format", "decimal")
_ASKED = ("url", "start", "overlap_hours", "timeout_seconds")
_MEANING = ("temperature", "unit", "timezone", "covariates")
_TAKEN_BY: dict[str, set[str]] = {  # any other type may take any setting
    "files": {"path", "delimiter", *_COLUMNS, *_MEANING},
    "sample": set(),
    "http": {"params", "headers", "stations", "days_per_page", "retries", "time_format", *_ASKED, *_MEANING},
    "sql": {"query", *_ASKED, *_COLUMNS, *_MEANING},
}


class SourceSettings(Section):
    """One `[source.NAME]`: where readings come from and how their columns are called."""

    type: str = Field("files", description="files | http | sql | sample | a type that an installed package brings")
    path: str | None = Field(None, description="file, folder, glob or fsspec URL; relative to the workspace")
    layout: Literal["long", "wide"] | None = Field(
        None, description="long: a row a reading; wide: a column a station; guessed when absent"
    )
    station: str | None = Field(
        None, description="column that names the station, or {file} for the file's name; guessed when absent"
    )
    time: str | list[str] | None = Field(
        None, description="column with the time of observation, or a date and a time column; guessed when absent"
    )
    temperature: str | None = Field(None, description="column with the temperature; guessed when absent")
    unit: Unit | None = Field(
        None, description="unit of the temperature; guessed from the column's name when absent, else C"
    )
    time_format: str | None = Field(
        None, description="iso | epoch_s | epoch_ms | a strptime pattern such as %d.%m.%Y %H:%M; guessed when absent"
    )
    timezone: Zone | None = Field(None, description="zone of times that carry none, for example Europe/Berlin")
    decimal: Literal[".", ","] | None = Field(None, description="decimal sign; guessed when absent")
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = Field(
        None, description="what separates the columns of a CSV file; guessed when absent"
    )
    covariates: dict[str, Covariate] = Field(
        default_factory=dict, description="what else a station measures: our column = theirs"
    )
    url: str | None = Field(None, description="http, sql: address; ${NAME} stands for the environment's variable NAME")
    params: dict[str, str | int | float | list[str | int | float]] = Field(
        default_factory=dict, description="http: parameters of the query; lists are joined by commas"
    )
    headers: dict[str, str] = Field(default_factory=dict, description="http: headers of every request")
    stations: list[str] = Field(
        default_factory=list, description="http: the locations' names, in the order they are asked for"
    )
    query: str | None = Field(None, description="sql: what to read; :since is the time from which rows may be new")
    start: date | None = Field(
        None, description="http, sql: first day to ask for; when absent a year ago for http, everything for sql"
    )
    overlap_hours: Annotated[float, Field(ge=0)] = Field(
        48.0, description="http, sql: read this far back from the newest reading, for late and corrected rows"
    )
    days_per_page: Annotated[int, Field(ge=1)] = Field(90, description="http: days to ask for at once")
    timeout_seconds: Annotated[float, Field(gt=0)] = Field(
        60.0, description="http: the longest a request may take as a whole; sql: to connect"
    )
    retries: Annotated[int, Field(ge=0, le=20)] = Field(5, description="http: further tries of a request that failed")
    options: dict[str, Any] = Field(default_factory=dict, description="further settings of a type from a package")

    def takes(self, name: str) -> bool:
        """Whether a setting means anything to this type of source."""
        return name == "type" or name in _TAKEN_BY.get(self.type, {name})

    @model_validator(mode="after")
    def _of_its_type(self) -> SourceSettings:
        strange = [name for name in type(self).model_fields if name in self.model_fields_set and not self.takes(name)]
        if strange:
            meant = [kind for kind, taken in _TAKEN_BY.items() if strange[0] in taken]
            known = ", ".join(name for name in type(self).model_fields if name in _TAKEN_BY[self.type])
            owners = f"{' and '.join(meant)} sources" if meant else "types that packages bring"
            raise ValueError(
                f"{strange[0]!r} belongs to {owners}, this one is "
                f"type = {self.type!r}; known here: {known or 'nothing else'}"
            )
        return self

    @field_validator("covariates")
    @classmethod
    def _named_like_columns(cls, covariates: dict[str, CovariateSettings]) -> dict[str, CovariateSettings]:
        for name in covariates:
            if not re.fullmatch(_COVARIATE_NAME, name) or name in _NOT_COVARIATES:
                raise ValueError(f"{name!r} cannot name a covariate; write for example pressure_hpa or door_open")
        return covariates


class QualitySettings(Section):
    """`[quality]`: when a reading is doubtful. `data/stations.csv` can say otherwise for a station."""

    valid_min_c: float = Field(-90.0, description="a colder reading fails (gross range)")
    valid_max_c: float = Field(60.0, description="a hotter reading fails (gross range)")
    spike_c: Annotated[float, Field(gt=0)] = Field(
        6.0, description="a reading this far off both its neighbours is suspect; at twice that it fails"
    )
    rate_c_per_hour: Annotated[float, Field(gt=0)] = Field(15.0, description="a faster change is suspect")
    flat_hours: Annotated[float, Field(ge=0)] = Field(
        18.0, description="readings that hold still this long are suspect, at twice that they fail; 0: never"
    )
    learned_spreads: Annotated[float, Field(gt=0)] = Field(
        6.0, description="usual spreads off a station's own climatology, or its neighbours', to be suspect"
    )
    learn: bool = Field(True, description="learn each station's climatology and neighbours once there is history")
    future_minutes: Annotated[float, Field(ge=0)] = Field(
        60.0, description="readings further ahead of the clock are quarantined"
    )
    earliest: datetime = Field(
        datetime(1980, 1, 1, tzinfo=UTC),
        description="readings observed before are quarantined: a clock that lost its time",
    )

    @model_validator(mode="after")
    def _a_range(self) -> QualitySettings:
        if self.valid_min_c >= self.valid_max_c:
            raise ValueError(f"valid_min_c = {self.valid_min_c:g} is not below valid_max_c = {self.valid_max_c:g}")
        return self

    @field_validator("earliest")
    @classmethod
    def _in_utc(cls, earliest: datetime) -> datetime:
        return earliest.replace(tzinfo=UTC) if earliest.tzinfo is None else earliest.astimezone(UTC)


class ModelSettings(Section):
    """`[model]`: what the network sees, how far it looks ahead, and how it is trained."""

    frequency: str = Field("1h", description="step of the regular grid, for example 1h, 30min or 1D")
    horizon: Annotated[int, Field(ge=1, le=1000)] = Field(
        48, description="steps ahead; by default two days of them, and seven at least"
    )
    context: Annotated[int, Field(ge=2, le=5000)] = Field(
        168, description="steps of past the network sees; by default a week of them, and 28 at least"
    )
    anchor_steps: Annotated[int, Field(ge=1, le=5000)] = Field(
        ANCHOR_STEPS, description="steps of a station's own past that the anchor weighs one by one, within the context"
    )
    level_penalty: Annotated[float, Field(ge=1)] = Field(
        1.0,
        description="how much less than all else the anchor believes that a station's level returns to what is usual; "
        "1: alike, as in weather; 10000: levels move for good",
    )
    hidden_size: Annotated[int, Field(ge=1, le=2048)] = Field(64, description="width of the LSTM's state")
    ensemble: Annotated[int, Field(ge=1, le=32)] = Field(1, description="networks whose quantiles are averaged")
    neighbours: Annotated[int, Field(ge=0, le=64)] = Field(6, description="other stations each station sees")
    max_epochs: Annotated[int, Field(ge=0, le=10_000)] = Field(
        40, description="passes over the history at most; 0 leaves the closed-form anchor as it is"
    )
    half_life_days: Annotated[float, Field(ge=0)] = Field(
        0.0, description="readings this old teach half as much as the newest; 0: all teach alike"
    )
    min_days: Annotated[int, Field(ge=1)] = Field(
        30,
        description="days of history before the gate's window that training needs at least; by default as long as "
        "240 steps where these take longer",
    )
    threads: Annotated[int, Field(ge=1, le=256)] = Field(1, description="CPU threads; part of a model's lineage")
    device: Literal["cpu", "cuda", "mps"] = Field(
        "cpu", description="what trains; forecasting needs no more than a CPU"
    )
    seed: Annotated[int, Field(ge=0)] = Field(0, description="seed of every random choice")

    @model_validator(mode="before")
    @classmethod
    def _follow_the_cadence(cls, told: Any) -> Any:
        """What is not told suits the step: two days of hours are too many days."""
        if not isinstance(told, dict) or not _STEP.fullmatch(str(told.get("frequency", ""))):
            return told
        per_day = pd.Timedelta("1D") / pd.Timedelta(told["frequency"])
        suited = {
            "horizon": min(max(math.ceil(2 * per_day), 7), 1000),
            "context": min(max(math.ceil(7 * per_day), 28), 5000),
            "min_days": max(30, math.ceil(240 / per_day)),
        }
        return suited | told

    @field_validator("frequency")
    @classmethod
    def _fixed_step(cls, text: str) -> str:
        if not _STEP.fullmatch(text):
            raise ValueError(f"{text!r} is no fixed step; write for example '1h', '30min' or '1D'")
        if pd.Timedelta("1D") % pd.Timedelta(text):
            raise ValueError(f"a day is no whole number of steps of {text!r}; write for example '1h', '30min' or '1D'")
        return text

    @property
    def step(self) -> pd.Timedelta:
        """The grid's step."""
        return pd.Timedelta(self.frequency)

    @property
    def horizon_time(self) -> pd.Timedelta:
        """The longest lead time."""
        return self.horizon * self.step


class GateSettings(Section):
    """`[gate]`: what a challenger must show to become champion."""

    approval: Literal["auto", "human"] = Field(
        "auto", description="auto: the evidence decides; human: and then a person, without whose yes nothing moves"
    )
    approval_hours: Annotated[float, Field(gt=0, lt=24)] = Field(
        4.0, description="hours that a night waits for that person; no answer is a no, and a day has the next night"
    )
    margin: Annotated[float, Field(ge=0, lt=1)] = Field(0.02, description="a challenger worse by more is refused")
    refresh_days: Annotated[int, Field(ge=0)] = Field(7, description="an equal challenger replaces a champion this old")
    window_days: Annotated[int, Field(ge=3)] = Field(
        14, description="newest days kept back to judge on; by default room for 30 origins where these take longer"
    )
    origin_hours: Annotated[int, Field(ge=1)] = Field(6, description="hours between judged forecast origins")
    min_origins: Annotated[int, Field(ge=2)] = Field(24, description="fewer judged origins than this: no promotion")
    significance: Annotated[float, Field(gt=0, lt=0.5)] = Field(0.05, description="level of the paired tests")


class RuleSettings(Section):
    """What every rule of `[monitor]` has: raised if tonight and `breached` of the last `nights` were beyond `limit`."""

    limit: float
    breached: Annotated[int, Field(ge=1)]
    nights: Annotated[int, Field(ge=1, le=60)]

    @model_validator(mode="after")
    def _can_be_raised(self) -> RuleSettings:
        if self.breached > self.nights:
            raise ValueError(f"breached = {self.breached} of nights = {self.nights} is never reached; widen `nights`")
        return self


_BREACHED, _NIGHTS = "nights that must breach, tonight among them", "of the last so many"
_DAYS = "each night looks at the scores of so many days"


class SkillRule(RuleSettings):
    """`[monitor.skill]`: the champion's verified error beside the best baseline's, as a share of what that errs."""

    limit: Annotated[float, Field(gt=-5, lt=1)] = Field(
        -0.2, description="skill below which a night breaches: 0 is as good as the best baseline"
    )
    breached: Annotated[int, Field(ge=1)] = Field(3, description=_BREACHED)
    nights: Annotated[int, Field(ge=1, le=60)] = Field(4, description=_NIGHTS)
    days: Annotated[int, Field(ge=1, le=60)] = Field(7, description=_DAYS)


class CalibrationRule(RuleSettings):
    """`[monitor.calibration]`: the share of truth inside the 80 % interval, of everything that was issued."""

    limit: Annotated[float, Field(gt=0, lt=0.8)] = Field(0.15, description="further from 80 % breaches")
    breached: Annotated[int, Field(ge=1)] = Field(3, description=_BREACHED)
    nights: Annotated[int, Field(ge=1, le=60)] = Field(4, description=_NIGHTS)
    days: Annotated[int, Field(ge=1, le=60)] = Field(14, description=_DAYS)


class DriftRule(RuleSettings):
    """`[monitor.drift]`: how far the fleet's readings lie from what is usual at that hour and season."""

    limit: Annotated[float, Field(gt=0)] = Field(2.0, description="so many usual spreads off breaches")
    breached: Annotated[int, Field(ge=1)] = Field(2, description=_BREACHED)
    nights: Annotated[int, Field(ge=1, le=60)] = Field(3, description=_NIGHTS)
    days: Annotated[int, Field(ge=1, le=60)] = Field(5, description="each night looks at the readings of so many days")


class SilentRule(RuleSettings):
    """`[monitor.silent]`: a station without a usable reading while others have some."""

    limit: Annotated[float, Field(gt=0)] = Field(
        24.0, description="hours; a station's newest reading older than this breaches; by default notify.late_hours"
    )
    breached: Annotated[int, Field(ge=1)] = Field(2, description=_BREACHED)
    nights: Annotated[int, Field(ge=1, le=60)] = Field(3, description=_NIGHTS)


class LateRule(RuleSettings):
    """`[monitor.late]`: no station has a usable reading of late."""

    limit: Annotated[float, Field(gt=0)] = Field(
        24.0, description="hours; the fleet's newest reading older than this breaches; by default notify.late_hours"
    )
    breached: Annotated[int, Field(ge=1)] = Field(2, description=_BREACHED)
    nights: Annotated[int, Field(ge=1, le=60)] = Field(3, description=_NIGHTS)


class MonitorSettings(Section):
    """`[monitor]`: what is watched every night, and whether a champion that loses is demoted."""

    demote: bool = Field(True, description="demote a champion that loses; false: only tell")
    predecessor_nights: Annotated[int, Field(ge=1, le=14)] = Field(
        3, description="nights in a row on which the gate must find the predecessor significantly better"
    )
    significance: Annotated[float, Field(gt=0, lt=0.5)] = Field(
        0.01, description="level of the trial against baselines; stricter than the gate's, for it comes again and again"
    )
    skill: SkillRule = SkillRule()
    calibration: CalibrationRule = CalibrationRule()
    drift: DriftRule = DriftRule()
    silent: SilentRule = SilentRule()
    late: LateRule = LateRule()


class ScheduleSettings(Section):
    """`[schedule]`: when the deployments run, as cron expressions read in `timezone`; an empty one: not by itself."""

    timezone: Zone = Field("UTC", description="zone the cron expressions are read in")
    ingest: Cron = Field("5 * * * *", description="cron of taking in readings")
    nightly: Cron = Field("15 2 * * *", description="cron of the whole night")
    forecast: Cron = Field("0 */6 * * *", description="cron of a fresh forecast from the standing champion")
    verify: Cron = Field("30 * * * *", description="cron of scoring issued forecasts")
    maintenance: Cron = Field("30 3 * * 0", description="cron of keeping the workspace small")


def _place(url: str) -> str:
    """A URL without who asks and how."""
    return url.partition("://")[2].rpartition("@")[2].partition("?")[0]


class ServerSettings(Section):
    """`[server]`: where the two dashboards listen, and where both servers keep what they know."""

    host: str = Field("127.0.0.1", description="address both dashboards bind to; any other needs auth")
    auth: str = Field("", description="login that both dashboards ask for: ${NAME}, which stands for user:password")
    allowed_hosts: Annotated[tuple[HostName, ...], BeforeValidator(_names)] = Field(
        (), description="names, besides host, that a browser may know them by; in the environment, separated by commas"
    )
    prefect_port: Annotated[int, Field(ge=1, le=65535)] = Field(4200, description="port of the Prefect dashboard")
    mlflow_port: Annotated[int, Field(ge=1, le=65535)] = Field(5000, description="port of the MLflow UI")
    history_days: Annotated[int, Field(ge=1)] = Field(
        90, description="days that flow runs stay on the Prefect dashboard, with their logs and artifacts"
    )
    prefect: Annotated[str, AfterValidator(_prefect_address)] = Field(
        "",
        description="Prefect's database, postgresql://user:${NAME}@host/name, or a Prefect server that runs elsewhere, "
        "http://host:4200/api; empty: in the workspace",
    )
    mlflow: Annotated[str, AfterValidator(_server_address)] = Field(
        "",
        description="MLflow's database, postgresql://user:${NAME}@host/name, or an MLflow server that runs elsewhere, "
        "http://host:5000; empty: in the workspace",
    )

    @model_validator(mode="after")
    def _a_database_each(self) -> ServerSettings:
        if self.prefect.startswith("postgresql://") and _place(self.prefect) == _place(self.mlflow):
            raise ValueError("prefect and mlflow name one database, where their tables collide; give each its own")
        return self


Trouble = Literal[
    "failed", "ingest", "refused", "late", "demoted", "raised", "limit", "approval", "promoted", "cleared"
]  # fmt: skip


class NotifySettings(Section):
    """`[notify]`: who hears of trouble, and of which; nobody unless an address is given."""

    webhook: str | None = Field(
        None, description="address that JSON is posted to; ${NAME} stands for the environment's variable NAME"
    )
    smtp: str | None = Field(
        None, description="mail server, smtp://user:${NAME}@host:587, or smtps:// where all of it is encrypted"
    )
    to: list[str] = Field(default_factory=list, description="addresses that mail goes to")
    sender: str | None = Field(None, description="address that mail comes from; the first of `to` when absent")
    on: list[Trouble] = Field(
        ["failed", "ingest", "refused", "late", "demoted", "raised", "limit", "approval"],
        description="what is told: these, and promoted or cleared if you like",
    )
    late_hours: Annotated[float, Field(gt=0)] = Field(
        24.0,
        description="a station without a newer reading at night is late; by default two steps where these are more",
    )
    limit_probability: Annotated[float, Field(gt=0, le=1)] = Field(
        0.5, description="a station's limit is expected to be passed from this probability on; 1: never told"
    )

    @field_validator("webhook")
    @classmethod
    def _an_address(cls, text: str | None) -> str | None:
        if text is not None and not re.match(r"https?://[^/]|\$\{", text):
            raise ValueError("is no web address; write for example 'https://hooks.example.org/${HOOK}'")
        return text

    @model_validator(mode="after")
    def _from_here_to_there(self) -> NotifySettings:
        if self.smtp is not None and not re.match(r"smtps?://[^/]|\$\{", self.smtp):
            raise ValueError(
                "smtp is no mail server; write for example 'smtp://me:${MAIL_PASSWORD}@mail.example.org:587'"
            )
        if bool(self.smtp) != bool(self.to):
            raise ValueError("mail needs both: `smtp`, the server that takes it, and `to`, who gets it")
        return self


class EngineSettings(Section):
    """`[engine]`: what the work runs on."""

    kind: Literal["local"] = Field("local", description="local: this machine")


class Settings(Section):
    """Everything nightcast.toml can say. Without any `[source.*]` the embedded sample plays."""

    source: dict[str, SourceSettings] = Field(default_factory=dict)
    quality: QualitySettings = QualitySettings()
    model: ModelSettings = ModelSettings()
    gate: GateSettings = GateSettings()
    monitor: MonitorSettings = MonitorSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    server: ServerSettings = ServerSettings()
    notify: NotifySettings = NotifySettings()
    engine: EngineSettings = EngineSettings()

    @model_validator(mode="after")
    def _room_to_judge_in(self) -> Settings:
        if "window_days" not in self.gate.model_fields_set:
            needed = math.ceil((self.model.horizon_time + 30 * self.origin_spacing) / pd.Timedelta("1D"))
            if needed > self.gate.window_days and self.model.step >= pd.Timedelta(hours=self.gate.origin_hours):
                wide = self.gate.model_copy(update={"window_days": needed})
                object.__setattr__(self, "gate", wide)  # frozen for everybody else
        return self

    @model_validator(mode="after")
    def _late_by_the_cadence(self) -> Settings:
        two_steps = 2 * self.model.step / pd.Timedelta("1h")
        if "late_hours" not in self.notify.model_fields_set and two_steps > self.notify.late_hours:
            object.__setattr__(self, "notify", self.notify.model_copy(update={"late_hours": two_steps}))
        rules = {"silent": self.monitor.silent, "late": self.monitor.late}
        by_hours = {
            name: rule.model_copy(update={"limit": self.notify.late_hours})
            for name, rule in rules.items()
            if "limit" not in rule.model_fields_set
        }
        object.__setattr__(self, "monitor", self.monitor.model_copy(update=by_hours))
        return self

    @model_validator(mode="after")
    def _enough_to_judge_on(self) -> Settings:
        held = int((pd.Timedelta(days=self.gate.window_days) - self.model.horizon_time) / self.origin_spacing) + 1
        if held < self.gate.min_origins:
            raise ValueError(
                f"gate.window_days = {self.gate.window_days} holds {max(held, 0)} forecast origins at a horizon of "
                f"{self.model.horizon} × {self.model.frequency}, gate.min_origins is {self.gate.min_origins}; "
                "widen the window, shorten model.horizon or ask for fewer origins"
            )
        return self

    @property
    def origin_spacing(self) -> pd.Timedelta:
        """Time between judged origins: `gate.origin_hours` in whole steps."""
        return -(-pd.Timedelta(hours=self.gate.origin_hours) // self.model.step) * self.model.step

    @property
    def sources(self) -> dict[str, SourceSettings]:
        """The configured sources by name, or the embedded sample."""
        return self.source or {"sample": SourceSettings(type="sample")}

    @property
    def plays_sample(self) -> bool:
        """True where nothing but the embedded sample feeds this workspace, so that time is played back."""
        return all(source.type == "sample" for source in self.sources.values())
