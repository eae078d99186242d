"""Registered versions: finding, describing and loading them."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from lstm_model.errors import ModelUnavailable
from lstm_model.evaluation import Champion
from lstm_model.network import Forecaster
from lstm_model.registry.shared import outlasting
from lstm_model.registry.tracking import MODEL, PAGE, every_page, has_database, open_tracking
from lstm_model.settings import ModelSettings
from lstm_model.workspace import Workspace

ALIASES = ("champion", "challenger", "previous")
FORECASTER_ARTIFACT = "forecaster"
_DAYS_TO_TELL = 14
"""Forecasts verified over fewer days have met one spell of weather, and say little of the next."""


@dataclass(frozen=True)
class Verified:
    """How the forecasts that a version issued did: over `n` cases, and on how many days since its training."""

    mae: float
    crps: float
    n: int
    days: int

    def as_tags(self) -> dict[str, str]:
        """As they stand on the version; the number of cases last, so that it vouches for the others."""
        tags = {"mae": f"{self.mae:.6f}", "crps": f"{self.crps:.6f}", "days": str(self.days), "n": str(self.n)}
        return {f"verified_{name}": text for name, text in tags.items()}

    @classmethod
    def from_tags(cls, tags: Mapping[str, str]) -> Verified | None:
        """What the tags tell, or None where nothing is verified yet."""
        if "verified_n" not in tags:
            return None
        mae, crps, n, days = (tags[f"verified_{name}"] for name in ("mae", "crps", "n", "days"))
        return cls(float(mae), float(crps), int(n), int(days))


@dataclass(frozen=True)
class Version:
    """A registered version, as its tags tell it. `lived_at` is the night that trained it."""

    version: str
    run_id: str
    aliases: tuple[str, ...]
    created_at: pd.Timestamp
    lived_at: pd.Timestamp
    trained_until: pd.Timestamp
    decision: str
    reason: str
    mae: float
    crps: float
    skill: float
    verified: Verified | None


def list_versions(client: MlflowClient) -> list[Version]:
    """Every complete version, the newest first. What a killed run left behind is not among them."""
    registered = client.get_registered_model(MODEL)
    aliases: dict[str, list[str]] = {}
    for alias, version in sorted(registered.aliases.items()):
        aliases.setdefault(str(version), []).append(alias)
    complete = [version for version in registered_versions(client) if version.tags.get("complete") == "true"]
    described = [_describe(version, tuple(aliases.get(str(version.version), ()))) for version in complete]
    return sorted(described, key=lambda version: int(version.version), reverse=True)


def registered_versions(client: MlflowClient) -> list[ModelVersion]:
    """Every registered version, incomplete ones as well, the oldest first."""
    search = client.search_model_versions
    found = every_page(lambda token: search(f"name = '{MODEL}'", max_results=PAGE, page_token=token))
    return sorted(found, key=lambda version: int(version.version))


def find_version(client: MlflowClient, alias: str) -> Version | None:
    """The complete version an alias points to, or None."""
    return next((version for version in list_versions(client) if alias in version.aliases), None)


@outlasting
def standing_versions(workspace: Workspace) -> dict[str, Version | None]:
    """The versions that may serve, the better first: champion and previous, or None where there is none."""
    versions = list_versions(open_tracking(workspace))
    return {
        alias: next((version for version in versions if alias in version.aliases), None)
        for alias in ("champion", "previous")
    }


def load_forecaster(version: Version, known_at: pd.Timestamp | None = None) -> Forecaster:
    """Load a version's forecaster.

    Args:
        version: which.
        known_at: the night being lived; a model trained later is refused, it knows that night's future.

    Raises:
        ModelUnavailable: its files are missing or damaged, or it was trained after `known_at`.
    """
    if known_at is not None and version.lived_at > known_at:
        raise ModelUnavailable(f"version {version.version} was trained later, on {version.lived_at:%Y-%m-%d}")
    with saved_forecaster(version.version) as folder:
        return Forecaster.load(folder)


@contextmanager
def saved_forecaster(version: str) -> Iterator[Path]:
    """Folder of a version's weights and their description; a copy of a server's goes when the block ends.

    Raises:
        ModelUnavailable: its files are missing.
    """
    scratch = None if has_database(mlflow.get_tracking_uri()) else tempfile.mkdtemp(prefix="nightcast-")
    try:
        try:
            fetch = outlasting(mlflow.artifacts.download_artifacts)
            folder = fetch(f"models:/{MODEL}/{version}", dst_path=scratch)
        except (MlflowException, OSError) as error:
            raise ModelUnavailable(f"version {version}: its files are not to be had: {error}") from error
        yield Path(folder) / "artifacts" / FORECASTER_ARTIFACT
    finally:
        if scratch is not None:
            shutil.rmtree(scratch)


def verified_crps(version: Version) -> float:
    """CRPS of the forecasts that a version issued, °C; NaN while they are of too few days."""
    told = version.verified
    return math.nan if told is None or told.days < _DAYS_TO_TELL else told.crps


def as_champion(
    load: Callable[[], Forecaster],
    age: pd.Timedelta,
    settings: ModelSettings,
    stations: tuple[str, ...],
    verified_crps: float = math.nan,
) -> Champion:
    """A model that holds the title, ready to be judged, or why it is not."""
    try:
        forecaster = load()
        check_same_task(forecaster, settings, stations)
    except ModelUnavailable as error:
        return Champion(None, age, str(error))
    return Champion(forecaster, age, verified_crps=verified_crps)


def check_same_task(model: Forecaster, settings: ModelSettings, stations: tuple[str, ...]) -> None:
    """Refuse a model of another cadence, horizon or fleet: it cannot forecast what is asked for now.

    Raises:
        ModelUnavailable: says in what it differs.
    """
    if not set(stations) & set(model.fitted.scaling.stations):
        raise ModelUnavailable("it knows none of these stations")
    theirs, ours = model.settings, settings
    if (theirs.step, theirs.horizon) != (ours.step, ours.horizon):
        raise ModelUnavailable(
            f"it forecasts {theirs.horizon} × {theirs.frequency}, now {ours.horizon} × {ours.frequency} are asked for"
        )


def _describe(version: ModelVersion, aliases: tuple[str, ...]) -> Version:
    tags = version.tags
    return Version(
        version=str(version.version),
        run_id=version.run_id,
        aliases=aliases,
        created_at=pd.Timestamp(version.creation_timestamp, unit="ms", tz="UTC"),
        lived_at=pd.Timestamp(tags["lived_at"]),
        trained_until=pd.Timestamp(tags["trained_until"]),
        decision=tags.get("decision", "not judged yet"),
        reason=tags.get("reason", ""),
        mae=float(tags["mae"]),
        crps=float(tags["crps"]),
        skill=float(tags["skill"]),
        verified=Verified.from_tags(tags),
    )
