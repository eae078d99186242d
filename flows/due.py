"""What the schedules have in store, as the running Prefect server says it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from flows.access import login

TAG = "nightcast"
"""Every deployment of ours carries it."""
_SECONDS = 10.0
_PAGE = 200


@dataclass(frozen=True)
class Due:
    """When a deployment's schedule fires next; None while the server has not planned it, or it is paused."""

    deployment: str
    at: datetime | None
    zone: str

    def in_words(self) -> str:
        """UTC, and the schedule's own zone where that is another."""
        if self.at is None:
            return "not planned"
        utc, there = self.at.astimezone(UTC), self.at.astimezone(ZoneInfo(self.zone))
        if self.zone in ("UTC", "Etc/UTC"):
            return f"{utc:%a %Y-%m-%d %H:%M} UTC"
        day = "" if there.date() == utc.date() else f"{there:%a %Y-%m-%d} "
        return f"{utc:%a %Y-%m-%d %H:%M} UTC ({day}{there:%H:%M} {self.zone})"


def next_runs(api: str) -> list[Due]:
    """For every scheduled deployment, the next run that the server has planned; the soonest first.

    Raises:
        httpx.HTTPError: the server does not answer.
    """
    scheduled = [found for found in deployments(api) if found["schedules"]]
    now = datetime.now(UTC)
    found = []
    for deployment in scheduled:
        schedule = deployment["schedules"][0]["schedule"]
        wanted = {
            "deployments": {"id": {"any_": [deployment["id"]]}},
            "flow_runs": {
                "state": {"name": {"any_": ["Scheduled"]}},
                "expected_start_time": {"after_": now.isoformat()},
            },
            "sort": "EXPECTED_START_TIME_ASC",
            "limit": 1,
        }
        runs = _post(f"{api}/flow_runs/filter", wanted)
        at = datetime.fromisoformat(runs[0]["expected_start_time"]) if runs else None
        found.append(Due(deployment["name"], at, schedule.get("timezone") or "UTC"))
    last = datetime.max.replace(tzinfo=UTC)
    return sorted(found, key=lambda due: (due.at or last, due.deployment))


def deployments(api: str) -> list[dict[str, Any]]:
    """Every deployment of ours that the server knows; on one that others share, they have more.

    Raises:
        httpx.HTTPError: the server does not answer.
    """
    return _post(f"{api}/deployments/filter", {"deployments": {"tags": {"all_": [TAG]}}, "limit": _PAGE})


def _post(url: str, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    answer = httpx.post(url, json=wanted, timeout=_SECONDS, trust_env=False, auth=login())
    answer.raise_for_status()
    found: list[dict[str, Any]] = answer.json()
    return found
