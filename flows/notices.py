"""Telling people, by webhook and mail, as `[notify]` says: from this process, whether or not Prefect is there."""

from __future__ import annotations

import json
import logging
import smtplib
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from functools import partial
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import httpx

from flows.events import Event
from flows.outbox import BUSY, Message, Outbox
from lstm_model.errors import NightcastError, SettingsError, first_line
from lstm_model.loopback import is_loopback
from lstm_model.secrets import Secrets
from lstm_model.settings import NotifySettings

log = logging.getLogger("nightcast.notify")

PATIENCE_SECONDS = 5.0
"""So long at most somebody waits for the receivers."""

_ANSWER_SECONDS = 30.0
"""So long at most a receiver takes to answer; nobody waits for it by then, but it is not told the same again."""

_LATE = timedelta(minutes=10)
_NOT_THIS_ONE = (400, 413, 415, 422)
"""Answers of a web server to what a message says, and not to who sends it where."""

_PORTS = {"smtp": 587, "smtps": 465}


_CONNECT_SECONDS = 4.0
"""Less than somebody waits, so that who is away is known for it."""

_MOST_IN_A_ROW = 3
"""A receiver that got so many messages in a row and did not take them is down."""


class _NotThisOne(NightcastError):
    """A receiver that takes other messages does not take this one."""


class _NotNow(NightcastError):
    """A receiver that got a message could not take it: for what is in it, or because it is in trouble itself."""


_REACHED = (
    _NotNow, httpx.ReadTimeout, httpx.ReadError, httpx.WriteTimeout, httpx.WriteError, httpx.RemoteProtocolError,
)  # fmt: skip


def ways(settings: NotifySettings) -> list[str]:
    """By which ways people are told."""
    return [way for way, address in (("webhook", settings.webhook), ("mail", settings.smtp)) if address is not None]


def wanted(settings: NotifySettings, event: Event) -> bool:
    """Whether it is of those events that people want to hear of."""
    return event.kind in settings.on and not event.routine


def messages_of(settings: NotifySettings, event: Event, at: datetime) -> list[Message]:
    """What is to be told of an event, a message for every way.

    Args:
        settings: who is to be told.
        event: what happened.
        at: when, UTC.
    """
    return [
        Message(uuid4().hex, way, at, event.name, event.title, event.sentence, dict(event.payload))
        for way in ways(settings)
    ]


def send(
    settings: NotifySettings,
    messages: Sequence[Message],
    now: datetime,
    workspace: str,
    environment: Mapping[str, str],
    outbox: Outbox | None = None,
    seconds: float = PATIENCE_SECONDS,
) -> list[tuple[Message, str]]:
    """Send messages to all receivers at once, to each in their order, and wait no longer than told.

    A receiver that is away, or takes nothing from us, is not asked again; one that does not take a message for what it
    says gets the next. So does one that got a message and failed, or did not answer, unless it does so again and again;
    that message waits behind the others from then on, for nobody knows whether it is to blame.

    Args:
        settings: who, and how.
        messages: what to send, by whatever way they are for; those for a way that `settings` does not know are not.
        now: the time of day, UTC; what happened long before says so.
        workspace: what people call this one.
        environment: what `${NAME}` stands for.
        outbox: where they wait: each is sent if it still does, while nobody else sends by its way, and forgotten once
            it was taken, even when nobody here waits for that any more. None: they wait nowhere.
        seconds: how long to wait.

    Returns:
        The messages that were not taken, each with what kept it in a line; no secret is in that.
    """
    secrets = Secrets("notify", environment)
    by: dict[str, Callable[[Message], None]] = {
        "webhook": lambda message: _post(settings, secrets, workspace, message, now),
        "mail": lambda message: _mail(settings, secrets, _letter(settings, workspace, message, now)),
    }
    until = time.monotonic() + seconds
    sendings = [
        _Sending(way, [one for one in messages if one.way == way], by[way], outbox, secrets, until)
        for way in ways(settings)
    ]
    return [fault for sending in sendings for fault in sending.faults()]


class _Sending:
    """Messages on their way to one receiver, in a thread that nobody has to wait for."""

    def __init__(
        self,
        way: str,
        messages: Sequence[Message],
        send: Callable[[Message], None],
        outbox: Outbox | None,
        secrets: Secrets,
        until: float,
    ) -> None:
        self._way, self._messages, self._send, self._outbox = way, messages, send, outbox
        self._secrets, self._until = secrets, until
        self._gone: set[str] = set()
        self._under_way: Message | None = None
        self._refused: dict[str, str] = {}
        self._fault = f"{way}: {BUSY}"
        self._thread = threading.Thread(target=self._run, name=f"{way} of nightcast", daemon=True)
        self._thread.start()

    def faults(self) -> list[tuple[Message, str]]:
        """What has not been taken in time, and why."""
        self._thread.join(max(0.0, self._until - time.monotonic()))
        if (late := self._under_way) is not None:  # this process may end before it is answered, and the next one too
            self._put_behind(late)
        return [(one, self._refused.get(one.id, self._fault)) for one in self._messages if one.id not in self._gone]

    def _run(self) -> None:
        """Send, and hold the turn till the end: whoever comes after us must not send what is on its way."""
        if self._outbox is None:
            self._send_all()
            return
        try:
            with self._outbox.turn(self._way, max(0.0, self._until - time.monotonic())):
                waiting = {one.id for one in self._outbox.waiting()}
                self._gone |= {one.id for one in self._messages} - waiting  # whose turn was before ours, told them
                self._send_all()
        except Exception as error:
            self._fault = self._in_words(error)

    def _send_all(self) -> None:
        self._fault, in_a_row = f"{self._way}: no answer in time", 0
        for message in self._messages:
            if message.id in self._gone:
                continue
            if time.monotonic() > self._until:
                self._fault = f"{self._way}: there was no time for more"
                return
            error = self._attempt(message)
            if error is None:
                in_a_row = 0
                continue
            self._refused[message.id] = self._in_words(error)
            in_a_row += isinstance(error, _REACHED)
            if in_a_row == _MOST_IN_A_ROW or not _lets_others_pass(error):
                self._fault = self._refused[message.id]
                return

    def _attempt(self, message: Message) -> Exception | None:
        """Send one; what kept it from being taken."""
        self._under_way = message
        try:
            self._send(message)
        except Exception as error:  # whatever a stranger's server does costs messages, and nothing else
            if isinstance(error, _REACHED):
                self._put_behind(message)
            return error
        finally:
            self._under_way = None
        self._gone.add(message.id)
        self._forget(message)
        return None

    def _put_behind(self, message: Message) -> None:
        if self._outbox is not None:
            with suppress(OSError):  # then it is the first again
                self._outbox.put_behind(message)

    def _forget(self, message: Message) -> None:
        try:
            if self._outbox is not None:
                self._outbox.forget(message)
        except OSError as error:
            log.warning("%s was told, and will be once more: %s", message.event, first_line(error))

    def _in_words(self, error: Exception) -> str:
        return f"{self._way}: {self._secrets.hide(first_line(error))}"


def _lets_others_pass(error: Exception) -> bool:
    """Whether a receiver may still take the next message."""
    if isinstance(error, OSError):  # nobody is there, or no friend; a wrong certificate is a ValueError as well
        return False
    return isinstance(error, (_NotThisOne, *_REACHED, ValueError, TypeError))  # or what it says cannot be sent


def _post(settings: NotifySettings, secrets: Secrets, workspace: str, message: Message, now: datetime) -> None:
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells whole addresses, and keys with them
    assert settings.webhook is not None
    url = httpx.URL(secrets.reveal("the webhook's address", settings.webhook))
    told = {
        "event": message.event,
        "text": _text(message, now),
        "at": message.at.isoformat(),
        "workspace": workspace,
        "payload": dict(message.payload),
    }
    named, timeout = {"Idempotency-Key": message.id}, httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS)
    with (
        httpx.Client(timeout=timeout, trust_env=not is_loopback(url.host)) as client,
        client.stream("POST", url, json=told, headers=named) as answer,
    ):
        pass  # what else it says may have no end
    said = f"{url.host} answered {answer.status_code}"
    if answer.status_code in _NOT_THIS_ONE:
        raise _NotThisOne(said)
    if answer.is_server_error:
        raise _NotNow(said)
    if not answer.is_success:
        raise NightcastError(said)


def _text(message: Message, now: datetime) -> str:
    """The sentence; of news that are old, with when they were new, for chat services show nothing else."""
    if now - message.at < _LATE:
        return message.text
    return f"Late news, of {message.at:%Y-%m-%d %H:%M} UTC: {message.text}"


def _letter(settings: NotifySettings, workspace: str, message: Message, now: datetime) -> EmailMessage:
    letter = EmailMessage()
    letter["Subject"] = f"nightcast, {workspace}: {message.title}"
    letter["From"] = settings.sender or settings.to[0]
    letter["To"] = ", ".join(settings.to)
    letter["Date"] = format_datetime(message.at)
    letter["Message-ID"] = f"<{message.id}@nightcast.invalid>"  # the same again tells mail programs that they have it
    payload = json.dumps({"event": message.event, **message.payload}, indent=2, ensure_ascii=False)
    letter.set_content(f"{_text(message, now)}\n\n{payload}\n")
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
    dial = partial(smtplib.SMTP_SSL, context=known) if encrypted else smtplib.SMTP
    with dial(parts.hostname, parts.port or _PORTS[parts.scheme], timeout=_ANSWER_SECONDS) as server:
        server.ehlo_or_helo_if_needed()
        if not encrypted and server.has_extn("starttls"):
            server.starttls(context=known)
            encrypted = True
        if password:
            if not encrypted and not is_loopback(parts.hostname):
                raise SettingsError(f"{parts.hostname} takes no encryption; the password is not sent for all to read")
            server.login(user, password)
        try:
            server.send_message(letter)
        except smtplib.SMTPDataError as error:
            kind = _NotThisOne if error.smtp_code >= 500 else _NotNow  # 5xx: never
            raise kind(str(error)) from None
        except smtplib.SMTPServerDisconnected as error:
            raise _NotNow(str(error)) from None
