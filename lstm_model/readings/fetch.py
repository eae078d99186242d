"""A patient GET: a server that stumbles costs time, one that says something else is told apart in words."""

from __future__ import annotations

import json
import logging
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from lstm_model.errors import SourceError
from lstm_model.loopback import is_loopback

log = logging.getLogger("nightcast.ingest")

_TRY_AGAIN = {408, 425, 429, 500, 502, 503, 504, 507, 509, 520, 521, 522, 523, 524, 529}
_MOST_REDIRECTS = 5
_MOST_BYTES = 2**28


@dataclass(frozen=True)
class Patience:
    """How long a request may take and how often it is tried.

    timeout_seconds: for a request as a whole, from connecting to the last byte.
    retries: further tries after the first.
    first_wait_seconds: the longest wait before the first retry; doubled for each further one.
    longest_wait_seconds: no wait is longer, whatever the server asks for.
    sleep, chance: how time passes between two tries, and what share (0 … 1) of a wait is waited.
    """

    timeout_seconds: float = 60.0
    retries: int = 5
    first_wait_seconds: float = 1.0
    longest_wait_seconds: float = 120.0
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.SystemRandom().random

    def wait_before(self, retry: int, asked: float | None) -> float:
        """Seconds until a retry, the first being 0: what the server asked for, else a share of ever more (full jitter).

        >>> Patience(chance=lambda: 0.5).wait_before(3, None), Patience().wait_before(0, 3600.0)
        (4.0, 120.0)
        """
        if asked is not None:
            return min(max(asked, 0.0), self.longest_wait_seconds)
        return self.chance() * min(self.first_wait_seconds * 2**retry, self.longest_wait_seconds)


class _Stumbled(Exception):
    """A try that failed and may do better later. `wait`: seconds that the server asked for."""

    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.wait = wait


def get_json(
    url: str,
    params: Mapping[str, str],
    headers: Mapping[str, str],
    patience: Patience,
    where: str,
    hide: Callable[[str], str] = str,
) -> Any:
    """What a server answers, as JSON.

    Args:
        url: with or without a query of its own.
        params: added to the query.
        headers: of the request.
        patience: how long and how often.
        where: source and address as they may be shown.
        hide: takes secrets out of what the server says.

    Raises:
        SourceError: it answers something else, or nothing after every retry.
    """
    for retry in range(patience.retries + 1):
        try:
            content = _get(url, params, headers, patience.timeout_seconds, where, hide)
            try:
                return json.loads(content)
            except (ValueError, RecursionError) as error:
                raise _Stumbled(f"no JSON, or not all of it: {_beginning(content, hide)}") from error
        except _Stumbled as stumbled:
            if retry == patience.retries:
                tries = f"{retry + 1} tries" if retry else "1 try"
                raise SourceError(hide(f"{where}: {stumbled} ({tries}). The next ingest goes on from here.")) from None
            wait = patience.wait_before(retry, stumbled.wait)
            log.info("%s", hide(f"{where}: {stumbled}; trying again in {wait:.1f} s"))
            patience.sleep(wait)
    raise AssertionError("unreachable")


def _get(
    url: str,
    params: Mapping[str, str],
    headers: Mapping[str, str],
    seconds: float,
    where: str,
    hide: Callable[[str], str],
) -> bytes:
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells whole addresses, and keys with them
    asked = httpx.URL(url).copy_merge_params(dict(params))
    for _ in range(_MOST_REDIRECTS):
        with _answer(asked, headers, seconds) as response:
            if response.has_redirect_location:
                asked = _same_server(asked, response, where)
                continue
            content = bytearray()
            for part in response.iter_bytes():
                content += part
                if len(content) > _MOST_BYTES:
                    raise SourceError(f"{where}: answers more than {_MOST_BYTES >> 20} MiB. Ask for fewer days a page.")
            if response.status_code in _TRY_AGAIN:
                raise _Stumbled(f"answered {response.status_code}{_reason(content, hide)}", _asked_to_wait(response))
            if response.status_code != httpx.codes.OK:
                refused = f"{where}: answered {response.status_code}{_reason(content, hide)}"
                raise SourceError(hide(f"{refused.rstrip('.')}. Mend the source's settings."))
            return bytes(content)
    raise SourceError(f"{where}: redirects in circles.")


@contextmanager
def _answer(url: httpx.URL, headers: Mapping[str, str], seconds: float) -> Iterator[httpx.Response]:
    """The beginning of an answer; all of it must have come within the seconds."""
    at_home = is_loopback(url.host)  # no proxy reaches this machine's own servers
    around_proxies = {"http://": None, "https://": None} if at_home else None
    deadline = _Deadline(seconds)
    try:
        with (
            deadline,
            httpx.Client(timeout=seconds, follow_redirects=False, mounts=around_proxies) as client,
            client.stream("GET", url, headers=dict(headers), extensions={"trace": deadline.watch}) as response,
        ):
            yield response
            if deadline.passed:
                raise httpx.ReadTimeout("all bytes came, too late")
    except httpx.TransportError as error:
        if deadline.passed or isinstance(error, httpx.TimeoutException):
            raise _Stumbled(f"no whole answer within {seconds:g} s") from None
        raise _Stumbled(f"{str(error) or type(error).__name__}") from None
    except httpx.DecodingError as error:
        raise _Stumbled(f"the answer is damaged: {error}") from None


class _Deadline:
    """Hangs up when time is over. A server that sends a byte now and then never runs into a read timeout."""

    def __init__(self, seconds: float) -> None:
        self.passed = False
        self._line: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._hang_up)
        self._timer.daemon = True

    def __enter__(self) -> _Deadline:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def watch(self, event: str, told: Mapping[str, Any]) -> None:
        """Notice the connection once it stands; each layer of it has a socket of its own."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._line = told["return_value"].get_extra_info("socket")
            if self.passed:
                self._hang_up()

    def _hang_up(self) -> None:
        self.passed = True
        if self._line is not None:
            with suppress(OSError):  # it has ended by itself
                socket.socket.shutdown(self._line, socket.SHUT_RDWR)


def _same_server(asked: httpx.URL, response: httpx.Response, where: str) -> httpx.URL:
    """Where a server sends us on, as long as that is itself: nobody else is told what the settings hold."""
    try:
        target = asked.join(response.headers["location"])
    except httpx.InvalidURL:
        raise SourceError(f"{where}: redirects to what is no address.") from None
    more_secure = (asked.scheme, target.scheme) == ("http", "https") and asked.port is target.port is None
    if target.host != asked.host or not (more_secure or (target.scheme, target.port) == (asked.scheme, asked.port)):
        other = f"{target.scheme}://{target.netloc.decode()}"
        raise SourceError(f"{where}: redirects to {other}, which is not followed. If that is right, name it in `url`.")
    return target


def _asked_to_wait(response: httpx.Response) -> float | None:
    """Seconds of a Retry-After; a date is read against the server's own clock."""
    said = response.headers.get("retry-after", "").strip()
    if said.isdecimal():
        return float(said)
    try:
        return (parsedate_to_datetime(said) - parsedate_to_datetime(response.headers["date"])).total_seconds()
    except (KeyError, ValueError, TypeError):
        return None


def _reason(content: bytes | bytearray, hide: Callable[[str], str]) -> str:
    """What a server says of its refusal, where it says it in JSON."""
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        return ""
    said = (told.get(key) for key in ("reason", "message", "error", "detail")) if isinstance(told, dict) else ()
    return next((f": {hide(' '.join(text.split()))[:200]}" for text in said if isinstance(text, str)), "")


def _beginning(content: bytes, hide: Callable[[str], str]) -> str:
    """The beginning of an answer for people."""
    text = hide(" ".join(content[:1000].decode("utf-8", "replace").split()))
    return repr(text[:40]) if text else "nothing at all"
