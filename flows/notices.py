"""Telling people, by webhook and mail, as `[notify]` says: from this process, whether or not Prefect is there."""

from __future__ import annotations

import json
import logging
import smtplib
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx

from flows.events import Event
from lstm_model.errors import NightcastError, SettingsError, first_line
from lstm_model.loopback import is_loopback
from lstm_model.secrets import Secrets
from lstm_model.settings import NotifySettings

PATIENCE_SECONDS = 5.0
_PORTS = {"smtp": 587, "smtps": 465}


def notify(
    settings: NotifySettings, event: Event, at: datetime, workspace: str, environment: Mapping[str, str]
) -> list[str]:
    """Send an event, as `send` does, if it is of those that people want to hear of."""
    if event.kind not in settings.on or event.routine:
        return []
    return send(settings, event, at, workspace, environment)


def send(
    settings: NotifySettings, event: Event, at: datetime, workspace: str, environment: Mapping[str, str]
) -> list[str]:
    """Send an event to all receivers at once, whatever they want to hear of, in five seconds at most.

    Args:
        settings: who, and how.
        event: what happened.
        at: when it is told.
        workspace: what people call this one.
        environment: what `${NAME}` stands for.

    Returns:
        What kept the event from a receiver, a line each; no secret is in them.
    """
    secrets = Secrets("notify", environment)
    told = {
        "event": event.name,
        "text": event.sentence,
        "at": at.isoformat(),
        "workspace": workspace,
        "payload": dict(event.payload),
    }
    ways: dict[str, Callable[[], None]] = {}
    if settings.webhook is not None:
        ways["webhook"] = lambda: _post(settings, secrets, told)
    if settings.smtp is not None:
        ways["mail"] = lambda: _mail(settings, secrets, _letter(settings, event, at, told))
    sendings = [_Sending(way, do, secrets) for way, do in ways.items()]
    deadline = time.monotonic() + PATIENCE_SECONDS
    return [fault for sending in sendings if (fault := sending.fault_by(deadline)) is not None]


class _Sending:
    """A message on its way, in a thread that nobody has to wait for."""

    def __init__(self, way: str, send: Callable[[], None], secrets: Secrets) -> None:
        self._way, self._send, self._secrets = way, send, secrets
        self._fault: str | None = None
        self._thread = threading.Thread(target=self._try, name=f"{way} of nightcast", daemon=True)
        self._thread.start()

    def fault_by(self, deadline: float) -> str | None:
        """Why it has not arrived by then, or None."""
        self._thread.join(max(0.0, deadline - time.monotonic()))
        if self._thread.is_alive():
            return f"{self._way}: not sent within {PATIENCE_SECONDS:g} s"
        return self._fault

    def _try(self) -> None:
        try:
            self._send()
        except Exception as error:  # whatever a stranger's server does costs a message, and nothing else
            self._fault = f"{self._way}: {self._secrets.hide(first_line(error))}"


def _post(settings: NotifySettings, secrets: Secrets, told: Mapping[str, Any]) -> None:
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells whole addresses, and keys with them
    assert settings.webhook is not None
    url = httpx.URL(secrets.reveal("the webhook's address", settings.webhook))
    with httpx.Client(timeout=PATIENCE_SECONDS, trust_env=not is_loopback(url.host)) as client:
        answer = client.post(url, json=told)
    if not answer.is_success:
        raise NightcastError(f"{url.host} answered {answer.status_code}")


def _letter(settings: NotifySettings, event: Event, at: datetime, told: Mapping[str, Any]) -> EmailMessage:
    letter = EmailMessage()
    letter["Subject"] = f"nightcast, {told['workspace']}: {event.title}"
    letter["From"] = settings.sender or settings.to[0]
    letter["To"] = ", ".join(settings.to)
    letter["Date"] = format_datetime(at)
    letter["Message-ID"] = make_msgid(domain="nightcast.invalid")
    payload = json.dumps({"event": event.name, **told["payload"]}, indent=2, ensure_ascii=False)
    letter.set_content(f"{event.sentence}\n\n{payload}\n")
    return letter


def _mail(settings: NotifySettings, secrets: Secrets, letter: EmailMessage) -> None:
    """Hand a letter to the mail server, encrypted wherever it can.

    Raises:
        SettingsError: `smtp` holds a secret, is no server, or would send the password for all to read.
    """
    text = settings.smtp or ""
    secrets.refuse_plain("smtp", text)
    parts = urlsplit(secrets.reveal("smtp", text) if text.startswith("${") else text)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise SettingsError("smtp is no mail server; write for example smtp://me:${MAIL_PASSWORD}@mail.example.org:587")
    user, password = (secrets.reveal("smtp", unquote(part or "")) for part in (parts.username, parts.password))
    encrypted, known = parts.scheme == "smtps", ssl.create_default_context()  # a server that is who it says it is
    kind = partial(smtplib.SMTP_SSL, context=known) if encrypted else smtplib.SMTP
    with kind(parts.hostname, parts.port or _PORTS[parts.scheme], timeout=PATIENCE_SECONDS) as server:
        server.ehlo_or_helo_if_needed()
        if not encrypted and server.has_extn("starttls"):
            server.starttls(context=known)
            encrypted = True
        if password:
            if not encrypted and not is_loopback(parts.hostname):
                raise SettingsError(f"{parts.hostname} takes no encryption; the password is not sent for all to read")
            server.login(user, password)
        server.send_message(letter)
