"""What a person sees while flows run: a spinner that tells the newest news, or plain lines where nobody watches."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.status import Status


class _News(logging.Handler):
    """Log records as lines above a spinner; chatter only moves the spinner's text."""

    def __init__(self, screen: Console, status: Status | None) -> None:
        super().__init__()
        self._screen, self._status = screen, status

    def emit(self, record: logging.LogRecord) -> None:
        topic = record.name.removeprefix("nightcast.")
        text = record.getMessage()
        if self._status is not None:
            self._status.update(escape(f"{topic}: {text}"))
        if record.levelno >= logging.INFO:
            style = "yellow" if record.levelno >= logging.WARNING else "dim"
            self._screen.print(f"{topic:>8}  {text}", style=style, highlight=False, markup=False, soft_wrap=True)
            if record.exc_info and record.exc_info[1] is not None:
                formatted = logging.Formatter().formatException(record.exc_info)
                self._screen.print(formatted, style="dim", highlight=False, markup=False)


@contextmanager
def progress(screen: Console, *, quiet: bool = False) -> Iterator[None]:
    """Show nightcast's log while the block runs; nothing when quiet."""
    logger = logging.getLogger("nightcast")
    if quiet:
        handler: logging.Handler = logging.NullHandler()
        logger.addHandler(handler)
        try:
            yield
        finally:
            logger.removeHandler(handler)
        return
    status = screen.status("starting …") if screen.is_terminal else None
    handler = _News(screen, status)
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if status else logging.INFO)
    if status:
        status.start()
    try:
        yield
    finally:
        if status:
            status.stop()
        logger.removeHandler(handler)
