"""The workspace: one folder that holds settings, readings, models and forecasts, and can be moved or copied."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from lstm_model.errors import SettingsError
from lstm_model.secrets import masked
from lstm_model.settings import ModelSettings, Settings

SETTINGS_FILE = "nightcast.toml"
ENVIRONMENT_PREFIX = "NIGHTCAST_"
THIS_RUN = "this run"


@dataclass(frozen=True)
class Workspace:
    """Where everything lives, and what it was told to do.

    Every path is derived from `home`, so that nothing inside remembers where the folder used to be.
    """

    home: Path
    settings: Settings
    origins: Mapping[str, str]
    """Where each setting that is not a default came from, by dotted name."""

    @classmethod
    def find(cls, home: Path | None = None, environment: Mapping[str, str] | None = None) -> Workspace:
        """Open the workspace: `home`, else `NIGHTCAST_HOME`, else the nearest folder above with a nightcast.toml.

        Raises:
            SettingsError: nightcast.toml or a `NIGHTCAST_…` variable holds something impossible.
        """
        environment = os.environ if environment is None else environment
        if home is None:
            named = environment.get("NIGHTCAST_HOME")
            here = Path.cwd()
            home = (
                Path(named)
                if named
                else next((folder for folder in (here, *here.parents) if (folder / SETTINGS_FILE).is_file()), here)
            )
        home = home.expanduser().resolve()
        settings, origins = _load(home / SETTINGS_FILE, environment)
        return cls(home, settings, origins)

    def with_model(self, **changes: Any) -> Workspace:
        """The same with other `[model]` settings, for one run; what is None stays as it is.

        Raises:
            SettingsError: a value is impossible.
        """
        changes = {name: value for name, value in changes.items() if value is not None}
        try:
            model = ModelSettings.model_validate(self.settings.model.model_dump() | changes)
        except ValidationError as error:
            first = error.errors()[0]
            name, message = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
            raise SettingsError(
                f"{name} = {first['input']!r}: {message}; leave it empty for {SETTINGS_FILE}'s"
            ) from None
        settings = self.settings.model_copy(update={"model": model})
        return replace(
            self, settings=settings, origins={**self.origins, **{f"model.{name}": THIS_RUN for name in changes}}
        )

    @cached_property
    def readings(self) -> Path:
        """Delta table of every reading."""
        return self.home / "data" / "readings"

    @cached_property
    def quarantine(self) -> Path:
        """Delta table of rows that could not become readings."""
        return self.home / "data" / "quarantine"

    @cached_property
    def taken(self) -> Path:
        """Delta table of the files that readings were taken from."""
        return self.home / "data" / "files"

    @cached_property
    def usual(self) -> Path:
        """What quality control has learnt of each station."""
        return self.home / "data" / "usual.json"

    @cached_property
    def forecasts(self) -> Path:
        """Delta table of every issued forecast."""
        return self.home / "predictions" / "forecasts"

    @cached_property
    def latest(self) -> Path:
        """The newest issue as CSV."""
        return self.home / "predictions" / "latest.csv"

    @cached_property
    def report(self) -> Path:
        """The page that people read in the morning."""
        return self.home / "predictions" / "report.html"

    @cached_property
    def scores(self) -> Path:
        """Delta table of verified forecasts."""
        return self.home / "predictions" / "scores"

    @cached_property
    def mlruns(self) -> Path:
        """Folder of MLflow's database and artifacts."""
        return self.home / "mlruns"

    @cached_property
    def state(self) -> Path:
        """Folder of nightcast's own bookkeeping and Prefect's database."""
        return self.home / ".nightcast"


def _load(file: Path, environment: Mapping[str, str]) -> tuple[Settings, dict[str, str]]:
    values: dict[str, Any] = {}
    if file.is_file():
        try:
            values = tomllib.loads(file.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"{file}: not valid TOML: {error}. Mend that line, then run again.") from None
    origins = dict.fromkeys(_leaves(values), SETTINGS_FILE)
    for variable, text in environment.items():
        *sections, key = variable.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
        if variable.startswith(ENVIRONMENT_PREFIX) and sections:  # NIGHTCAST_MODEL__HORIZON=24
            table = values
            for section in sections:
                table = table.setdefault(section, {})
                if not isinstance(table, dict):
                    raise SettingsError(f"{file}: {section} must be a table, found {table!r}.")
            table[key] = text
            origins[".".join([*sections, key])] = variable
    try:
        return Settings.model_validate(values), origins
    except ValidationError as error:
        raise SettingsError(_explain(file, error, origins)) from None


def _leaves(values: Mapping[str, Any], prefix: str = "") -> list[str]:
    names: list[str] = []
    for key, value in values.items():
        names += _leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else [f"{prefix}{key}"]
    return names


def _explain(file: Path, error: ValidationError, origins: Mapping[str, str]) -> str:
    """The first thing wrong, in one line that names the key, the value found and the way out."""
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    name = ".".join(path)
    inside = [origin for key, origin in origins.items() if key == name or key.startswith(f"{name}.")]
    where = inside[0] if inside else SETTINGS_FILE
    where = str(file) if where == SETTINGS_FILE else where
    if first["type"] == "extra_forbidden":
        known = _names_at(path[:-1])
        close = difflib.get_close_matches(path[-1], known, n=1)
        hint = f"Did you mean {close[0]!r}?" if close else f"Known here: {', '.join(sorted(known))}."
        return f"{where}: unknown setting {name!r}. {hint}"
    message = first["msg"].removeprefix("Value error, ")
    if not path:
        return f"{file}: {message}."
    found = "" if isinstance(first["input"], dict) else f" = {masked(path[-1], first['input'])!r}"
    return f"{where}: {name}{found}: {message}. `nightcast config` lists every setting."


def _names_at(path: list[str]) -> list[str]:
    """The settings that may stand in the table at `path`."""
    model: Any = Settings
    for part in path:
        if isinstance(model, type) and issubclass(model, BaseModel):
            annotation = model.model_fields[part].annotation
            model = annotation
        else:  # dict[str, Section]: any name leads to the section
            model = model.__args__[1]
        if get_origin(model) is Annotated:
            model = get_args(model)[0]
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []
