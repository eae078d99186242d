"""Events on their way out, to Prefect's server and to people. Whatever happens to them there, the run goes on."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx

from flows.access import access, login
from flows.events import Event
from flows.notices import notify
from flows.turns import live_api
from lstm_model.servers import elsewhere
from lstm_model.workspace import Workspace

log = logging.getLogger("nightcast.notify")

_SECONDS = 5.0


def announce(workspace: Workspace, *events: Event, in_flow: bool = True) -> None:
    """Emit events, and tell people of those that `[notify]` names; what goes wrong is a warning.

    Args:
        workspace: where they happened.
        events: what happened.
        in_flow: False for a command without a flow, which knows no server but one that runs elsewhere, or
            a running `nightcast up`'s.
    """
    for event in events:
        try:
            if in_flow:
                _emit(event)
            elif (api := elsewhere(workspace.settings.server, "prefect") or live_api(workspace)) is not None:
                os.environ.update(access(workspace.settings.server))
                _post(api, event)
        except Exception as error:  # the work is done; that nobody hears of it must not undo it
            log.warning("Prefect's server does not hear of %s: %s", event.name, error)
        try:
            faults = notify(workspace.settings.notify, event, datetime.now(UTC), workspace.home.name, os.environ)
        except Exception as error:
            faults = [f"{type(error).__name__}: {error}"]
        for fault in faults:
            log.warning("nobody was told of %s: %s", event.name, fault)


def _emit(event: Event) -> None:
    """Hand an event to Prefect, which adds the run that it belongs to and sends it while we go on."""
    from prefect.events import emit_event

    emit_event(event.name, dict(event.resource), payload=_payload(event))


def _post(api: str, event: Event) -> None:
    """Send an event without Prefect, which takes seconds to import."""
    told = {
        "id": str(uuid4()),
        "occurred": datetime.now(UTC).isoformat(),
        "event": event.name,
        "resource": dict(event.resource),
        "payload": _payload(event),
    }
    answer = httpx.post(f"{api}/events", json=[told], timeout=_SECONDS, trust_env=False, auth=login())
    answer.raise_for_status()


def _payload(event: Event) -> dict[str, Any]:
    return {"text": event.sentence, **event.payload}
