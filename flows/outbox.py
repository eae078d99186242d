"""Messages on their way to people: each waits in one small file until whoever it is for has taken it.

A message is kept before it is sent and forgotten once it was taken, so a kill in between sends it twice, never not at
all. The file is replaced whole, by one process at a time. Where a message goes, nightcast.toml says when it is sent.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lstm_model.errors import NightcastError
from lstm_model.whole import write_text_whole

log = logging.getLogger("nightcast.notify")

KEPT_DAYS = 3
MOST = 1_000
"""So many wait at most; the first in the line go first."""

BUSY = "it is still being told something else"
"""What keeps a message from a receiver while somebody else sends to it."""

_EDIT_SECONDS = 5.0


@dataclass(frozen=True)
class Message:
    """What one receiver is to be told.

    id: the same however often it is sent.
    way: `webhook` or `mail`.
    at: when it was first told, UTC.
    event: what happened, by its name on Prefect's server.
    title: a few words, for the subject of a mail.
    text: the sentence for people.
    payload: the same for machines, fit for JSON.
    """

    id: str
    way: str
    at: datetime
    event: str
    title: str
    text: str
    payload: Mapping[str, Any]


class Outbox:
    """The messages of a workspace that nobody has taken yet, in the order in which they are to be sent.

    file: `.nightcast/outbox.jsonl`, a line a message; gone where nothing waits.
    """

    def __init__(self, state: Path) -> None:
        self.file = state / "outbox.jsonl"
        self._editing = state / "outbox.lock"

    def peek(self) -> list[Message]:
        """What waits, in its order, changing nothing.

        Raises:
            NightcastError: the file is damaged.
        """
        try:
            return [_message(line) for line in self.file.read_text(encoding="utf-8").splitlines()]
        except FileNotFoundError:
            return []
        except (ValueError, TypeError, KeyError) as error:
            raise NightcastError(f"{self.file}: no message can be read from it ({error})") from None

    def waiting(self) -> list[Message]:
        """What waits, in its order; a damaged file is set aside, with a warning."""
        with self._held():
            return self._read()

    def put(self, messages: Sequence[Message]) -> None:
        """Let messages wait behind those that do already.

        Raises:
            OSError: they cannot be written.
            TypeError, ValueError: a payload is not fit for JSON.
        """
        self._edit(lambda waiting: _newest([*waiting, *messages]))

    def forget(self, message: Message) -> None:
        """It was taken."""
        self._edit(lambda waiting: [one for one in waiting if one.id != message.id])

    def put_behind(self, message: Message) -> None:
        """Let it wait behind all others, if it still waits."""
        self._edit(lambda waiting: sorted(waiting, key=lambda one: one.id == message.id))

    def drop_old(self, now: datetime) -> None:
        """Give up on what nobody has taken for `KEPT_DAYS`, with a warning."""
        since = now - timedelta(days=KEPT_DAYS)

        def young(waiting: list[Message]) -> list[Message]:
            if old := [one for one in waiting if one.at < since]:
                log.warning("nobody is ever told of %s: nobody took it for %d days", _in_words(old), KEPT_DAYS)
            return [one for one in waiting if one.at >= since]

        self._edit(young)

    @contextmanager
    def turn(self, way: str, seconds: float) -> Iterator[None]:
        """Be the only one who sends by a way while the block runs, so that nothing is sent twice.

        Raises:
            NightcastError: somebody else has been sending by it for so long.
        """
        self.file.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.file.with_name(f"outbox-{way}.lock"))
        try:
            lock.acquire(timeout=seconds)
        except Timeout:
            raise NightcastError(BUSY) from None
        try:
            yield
        finally:
            lock.release()

    def _edit(self, change: Callable[[list[Message]], list[Message]]) -> None:
        with self._held():
            before = self._read()
            after = change(before)
            if not after:
                self.file.unlink(missing_ok=True)
            elif after != before:
                write_text_whole(self.file, "".join(f"{_line(one)}\n" for one in after))

    @contextmanager
    def _held(self) -> Iterator[None]:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self._editing, timeout=_EDIT_SECONDS):
            yield

    def _read(self) -> list[Message]:
        try:
            return self.peek()
        except NightcastError as error:
            aside = self.file.with_name(f"outbox-damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.jsonl")
            self.file.replace(aside)
            log.warning("%s; it is set aside as %s, and what waited there is not told", error, aside.name)
            return []


def _newest(waiting: list[Message]) -> list[Message]:
    if gone := waiting[:-MOST]:
        log.warning("nobody is ever told of %s: more than %s messages wait", _in_words(gone), f"{MOST:,}")
    return waiting[-MOST:]


def _in_words(messages: Sequence[Message]) -> str:
    """Which messages, in a line."""
    first = f"{messages[0].event} of {messages[0].at:%Y-%m-%d %H:%M} UTC ({messages[0].way})"
    return first if len(messages) == 1 else f"{first} and {len(messages) - 1:,} more"


def _line(message: Message) -> str:
    return json.dumps(asdict(message) | {"at": message.at.isoformat()}, allow_nan=False)


def _message(line: str) -> Message:
    said = json.loads(line)
    message = Message(**said | {"at": datetime.fromisoformat(said["at"])})
    if message.at.tzinfo is None:
        raise ValueError(f"{said['at']} names no zone")
    return message
