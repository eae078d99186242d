"""Facts about a workspace that need no flow: status, versions, settings."""

from __future__ import annotations

import os
from datetime import date
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from lstm_model.secrets import masked
from lstm_model.servers import elsewhere
from lstm_model.settings import SourceSettings
from lstm_model.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

_WAITS = "awaiting approval"  # as `lstm_model.registry.AWAITING`, which takes seconds to import


def workspace_status(workspace: Workspace) -> dict[str, Any]:
    """Where the workspace stands."""
    from flows.clock import lived_nights
    from lstm_model.forecasts import ForecastStore
    from lstm_model.readings import Quarantine, ReadingsStore

    nights = lived_nights(workspace)
    readings = ReadingsStore(workspace.readings)
    versions = versions_as_data(workspace)
    champion = next((row for row in versions if "champion" in row["aliases"]), None)
    newest = ForecastStore(workspace.forecasts, workspace.scores, workspace.latest).newest_issue()
    facts: dict[str, Any] = {
        "workspace": str(workspace.home),
        "nights_lived": len(nights),
        "last_night": nights[-1].as_of.isoformat() if nights else None,
        "last_night_failed_steps": ", ".join(nights[-1].failed) or "none" if nights else None,
        "readings_version": readings.version,
        **readings.overview(),
        "quarantined": len(Quarantine(workspace.quarantine)),
        "versions": len(versions),
        "champion": None if champion is None else f"version {champion['version']}, trained {champion['night']}",
        "awaiting_approval": _who_waits(versions),
        "newest_forecast": None if newest.empty else newest["issued_at"].iloc[0].isoformat(),
        **_what_is_up(workspace),
    }
    return facts


def _who_waits(versions: list[dict[str, Any]]) -> str:
    """The version that waits for a person's yes or no, and the command that gives it."""
    waiting = next((row["version"] for row in versions if row["decision"] == _WAITS), None)
    return "none" if waiting is None else f"version {waiting}; `nightcast promote` asks for your answer"


def _what_is_up(workspace: Workspace) -> dict[str, Any]:
    """Addresses, parts and the next times of `nightcast up`, or of servers that run elsewhere."""
    import httpx

    from flows.access import access
    from flows.due import next_runs
    from flows.processes import command_of
    from flows.turns import live_tenant

    server, tenant = workspace.settings.server, live_tenant(workspace)
    facts: dict[str, Any] = {}
    if tenant is not None:
        facts |= {"dashboard": tenant.dashboard or "on its way up", "mlflow_ui": tenant.mlflow or "on its way up"}
        facts["parts"] = ", ".join(
            f"{name} (process {pid})" if command_of(pid) else f"{name} (down)" for name, pid in tenant.parts.items()
        )
    elif (api := elsewhere(server, "prefect")) is not None:
        facts["dashboard"] = api.removesuffix("/api")
    else:
        facts["dashboard"] = "not running; `nightcast up` starts it"
    if (ui := elsewhere(server, "mlflow")) is not None:
        facts["mlflow_ui"] = ui
    api = tenant.prefect_api if tenant is not None else elsewhere(server, "prefect")
    if api is None:
        return facts
    os.environ.update(access(server))
    try:
        return facts | {f"next_{due.deployment}": due.in_words() for due in next_runs(api)}
    except httpx.HTTPError:
        return facts | {"dashboard": f"{facts['dashboard']} does not answer"}


def quarantine_as_data(workspace: Workspace) -> list[dict[str, Any]]:
    """Why rows lie in quarantine: how many for each source and reason, the commonest first, with an example."""
    from lstm_model.readings import Quarantine

    rows = Quarantine(workspace.quarantine).rows()
    groups = [(len(group), str(source), str(reason), group.iloc[0]) for (source, reason), group in
              rows.groupby(["source", "reason"], sort=True)]  # fmt: skip
    return [
        {"rows": count, "source": source, "reason": reason, "position": first["position"], "raw": first["raw"]}
        for count, source, reason, first in sorted(groups, key=lambda group: -group[0])
    ]


def versions_as_data(workspace: Workspace) -> list[dict[str, Any]]:
    """Every registered version, the newest first; none before the first night, and no database made for it."""
    from lstm_model.registry import has_tracking, list_versions, open_tracking

    if not has_tracking(workspace):
        return []

    return [
        {
            "version": version.version,
            "aliases": list(version.aliases),
            "run_id": version.run_id,
            "created_at": version.created_at.isoformat(),
            "night": f"{version.lived_at:%Y-%m-%d}",
            "decision": version.decision,
            "reason": version.reason,
            "mae": version.mae,
            "crps": version.crps,
            "skill": version.skill,
            "verified_mae": None if version.verified is None else version.verified.mae,
            "verified_crps": None if version.verified is None else version.verified.crps,
            "verified_n": 0 if version.verified is None else version.verified.n,
        }
        for version in list_versions(open_tracking(workspace))
    ]


def days_since(night: str, now: pd.Timestamp) -> str:
    """How old what was made in a night is by now, such as 3 d."""
    return f"{(now.date() - date.fromisoformat(night)).days} d"


def promotions_as_data(workspace: Workspace) -> list[dict[str, Any]]:
    """Every change of champion, the newest first."""
    from lstm_model.registry import PromotionLog

    return [entry.as_dict() for entry in reversed(PromotionLog(workspace).entries())]


def settings_with_origins(workspace: Workspace) -> list[dict[str, Any]]:
    """Every setting that means something here, with its value, origin and meaning; secrets are masked."""
    rows: list[dict[str, Any]] = []

    def walk(section: BaseModel, prefix: str) -> None:
        for name, field in type(section).model_fields.items():
            if isinstance(section, SourceSettings) and not section.takes(name):
                continue
            value = masked(name, getattr(section, name))
            if isinstance(value, BaseModel):
                walk(value, f"{prefix}{name}.")
            elif isinstance(value, dict) and all(isinstance(part, BaseModel) for part in value.values()):
                for key, part in value.items():
                    walk(part, f"{prefix}{name}.{key}.")
            else:
                said = (origin for key, origin in workspace.origins.items() if f"{key}.".startswith(f"{prefix}{name}."))
                origin = next(said, "default")
                rows.append(
                    {"setting": f"{prefix}{name}", "value": value, "from": origin, "meaning": field.description or ""}
                )

    walk(workspace.settings, "")
    return rows
