"""Events on their way out, to Prefect's server and to people. Whatever happens to them there, the run goes on."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx

from flows.access import access, login
from flows.events import Event
from flows.notices import PATIENCE_SECONDS, messages_of, send, wanted
from flows.outbox import Message, Outbox
from flows.turns import live_api
from lstm_model.errors import NightcastError, first_line
from lstm_model.servers import elsewhere
from lstm_model.workspace import Workspace

log = logging.getLogger("nightcast.notify")

_SECONDS = 5.0


def announce(workspace: Workspace, *events: Event, in_flow: bool = True) -> None:
    """Emit events, and tell people of those that `[notify]` names; what goes wrong is a warning.

    What cannot be told now waits, and is told before anything that is announced later.

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
    settings, at = workspace.settings.notify, datetime.now(UTC)
    messages = [message for event in events if wanted(settings, event) for message in messages_of(settings, event, at)]
    if messages:
        _tell(workspace, messages)


def bring_what_waits(workspace: Workspace) -> None:
    """Try again to tell people what they could not be told before; what goes wrong is a warning."""
    try:
        left = _deliver(workspace) if Outbox(workspace.state).file.exists() else []
    except Exception as error:  # who waits for news can wait another hour; whoever brings them has other work to do
        log.warning("messages wait, and cannot be brought: %s", first_line(error))
        return
    for fault in dict.fromkeys(fault for _, fault in left):
        times = [message.at for message, why in left if why == fault]
        log.warning("%d messages wait, the first since %s UTC: %s", len(times), f"{min(times):%Y-%m-%d %H:%M}", fault)


def _tell(workspace: Workspace, messages: Sequence[Message]) -> None:
    """Tell people by whatever way still works: on a full disk nothing can wait, but much can be told."""
    waits = "; it waits, and the next ingest or message tries again"
    try:
        try:
            Outbox(workspace.state).put(messages)
        except (OSError, ValueError, TypeError) as error:
            waits = f"; nor can it wait: {first_line(error)}"
            left = _send(workspace, messages, None)
        else:
            left = _deliver(workspace)
    except NightcastError as error:
        left = [(message, str(error)) for message in messages]
    except Exception as error:
        left = [(message, f"{type(error).__name__}: {first_line(error)}") for message in messages]
    ours = {message.id for message in messages}
    for message, fault in left:
        if message.id in ours:
            log.warning("nobody was told of %s: %s%s", message.event, fault, waits)


def _deliver(workspace: Workspace) -> list[tuple[Message, str]]:
    """Send what waits, in its order; what cannot be sent is returned, and why."""
    outbox = Outbox(workspace.state)
    outbox.drop_old(datetime.now(UTC))
    return _send(workspace, outbox.waiting(), outbox)


def _send(workspace: Workspace, messages: Sequence[Message], outbox: Outbox | None) -> list[tuple[Message, str]]:
    settings, name = workspace.settings.notify, workspace.home.name
    return send(settings, messages, datetime.now(UTC), name, os.environ, outbox, PATIENCE_SECONDS)


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
