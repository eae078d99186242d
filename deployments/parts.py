"""The parts of `nightcast up`: a child process each, with its log, its health and its deaths."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO

from flows.processes import end_groups, groups_below
from flows.turns import answers

_LOG_BYTES, _LOG_FILES = 5_000_000, 3
_DEATHS, _WITHIN_SECONDS = 5, 600.0
PULSE_SECONDS = 10.0
_STOP_SECONDS = 20.0  # the deployments end a night that is under way, and say so to the server
_LAST_WORDS_SECONDS = 1.0
_RAISED = re.compile(r"^[\w.]+(Error|Exception): ")
_TROUBLE = re.compile(r"\b(WARNING|ERROR|CRITICAL)\b(?!.*Traceback)")
_FLOW_RUN = re.compile(
    r"Flow run '[^']+' - (Beginning flow run|Finished in state)|[Cc]rashed|[Cc]ancel|nightcast\.toml decides"
)
_DURATION = re.compile(r"\[ *\d+ms\]")
_NO_NEWS_SECONDS = 60.0
_TIME = re.compile(r"^(\d{4}[-/]\d\d[-/]\d\d )?\d\d:\d\d:\d\d(\.\d+)? *\|? *")


@dataclass
class Deaths:
    """How often a part may die: five times in ten minutes is too often, and every time it rests twice as long."""

    at: deque[float] = field(default_factory=deque)

    def one_more(self, now: float) -> float | None:
        """Count a death; returns the seconds to rest before the next start, None to give up."""
        self.at.append(now)
        while self.at[0] < now - _WITHIN_SECONDS:
            self.at.popleft()
        return None if len(self.at) >= _DEATHS else 2.0 ** (len(self.at) - 1)


def worth_telling(line: str) -> str | None:
    """What of a line of a part's log a person wants to see: trouble, how flow runs fare, what was overruled."""
    text = _TIME.sub("", line.strip())
    if _FLOW_RUN.search(text):
        return text.split("| ", 1)[-1]
    return re.sub(r" +\| ", " ", text, count=1) if _TROUBLE.search(text) or _RAISED.search(text) else None


@dataclass
class Repetitions:
    """Trouble that was told a minute ago is no news: a server whose database is away says the same again and again."""

    at: dict[str, float] = field(default_factory=dict)

    def is_one(self, news: str, now: float) -> bool:
        """Whether that was told just now; how a flow run fares never is."""
        if _FLOW_RUN.search(news):
            return False
        said = _DURATION.sub("", news)
        self.at = {text: when for text, when in self.at.items() if now - when < _NO_NEWS_SECONDS}
        if said in self.at:
            return True
        self.at[said] = now
        return False


def reason_in(lines: Iterable[str]) -> str:
    """Why a program ended, as far as its last lines say."""
    said = [line for line in lines if line]
    raised = [line for line in said if _RAISED.search(line)]
    return f"its reason: {raised[-1]}" if raised else f"its last words: {said[-1]}" if said else "it said nothing"


def rotating_log(file: Path) -> logging.Logger:
    """A log that is cut into files of bounded size and number; it speaks nowhere else."""
    handler = RotatingFileHandler(file, maxBytes=_LOG_BYTES, backupCount=_LOG_FILES - 1, encoding="utf-8")
    logger = logging.getLogger(f"nightcast up {file}")
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.INFO)
    return logger


class Undertaker:
    """A small process that outlives us if we are killed, and ends the parts then."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("undertaker.py")
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-I", "-S", str(script)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True, text=True,
        )  # fmt: skip
        assert self._process.stdin is not None
        self._ear: IO[str] = self._process.stdin

    def tell(self, word: str) -> None:
        """`+123`: such a process group began, `-123`: it is over."""
        with suppress(OSError, ValueError):  # it was killed; what it would have ended, the next `up` finds
            self._ear.write(f"{word}\n")
            self._ear.flush()

    def dismiss(self) -> None:
        """Let it go; what it still knows of, it ends."""
        with suppress(OSError):
            self._ear.close()
        self._process.wait()


class Pulse:
    """How many questions a server has left unanswered; asked by a thread, so that one that hangs keeps nobody waiting.

    Questions are counted and not seconds: while we ourselves are stopped, nobody is asked anything.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self.unanswered = 0

    def begin(self) -> None:
        """Ask from now on, for as long as we live."""
        threading.Thread(target=self._feel, name=f"pulse of {self._address}", daemon=True).start()

    def restart(self) -> None:
        """It starts anew, and has time to answer."""
        self.unanswered = 0

    def ask(self) -> None:
        """Ask once. Our own trouble, such as too many open files, is not the server's, and no reason to fall."""
        with suppress(Exception):
            self.unanswered = 0 if answers(self._address, seconds=PULSE_SECONDS) else self.unanswered + 1

    def _feel(self) -> None:
        while True:
            asked = time.monotonic()
            self.ask()
            time.sleep(max(0.0, asked + PULSE_SECONDS - time.monotonic()))


class Part:
    """A child process, leader of its own group: started, listened to, and ended with whatever it started."""

    def __init__(
        self, name: str, command: list[str], log: Path, say: Callable[[str], None], undertaker: Undertaker
    ) -> None:
        self.name, self.command, self.log = name, command, log
        self.environment: dict[str, str] = {}
        self.deaths = Deaths()
        self.started_at = 0.0
        self._say, self._undertaker = say, undertaker
        self._logger = rotating_log(log)
        self._last_words: deque[str] = deque(maxlen=200)
        self._process: subprocess.Popen[str] | None = None
        self._listener: threading.Thread | None = None

    def start(self) -> None:
        """Start it; its output goes to the log, and what is worth it to the terminal."""
        self.started_at = time.time()
        self._last_words.clear()
        self._process = subprocess.Popen(  # noqa: S603
            self.command, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True, text=True, encoding="utf-8", errors="replace",
        )  # fmt: skip
        self._undertaker.tell(f"+{self._process.pid}")
        self._logger.info("—— %s starts, %s", self.name, time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime()))
        assert self._process.stdout is not None
        self._listener = threading.Thread(target=self._listen, args=(self._process.stdout,), daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        """Of the process, which is the number of its group too; 0 before it began."""
        return 0 if self._process is None else self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def end(self) -> str:
        """How it died, in words."""
        code = None if self._process is None else self._process.returncode
        if code is not None and self._listener is not None:
            self._listener.join(_LAST_WORDS_SECONDS)  # longer only if a child of it still holds the pipe
        how = "was stopped" if code is None else f"was killed by signal {-code}" if code < 0 else f"ended with {code}"
        return f"{how}; {reason_in(self._last_words)}" if code is not None and code > 0 else how

    def stop(self) -> None:
        """End it with all its descendants, also those that a dead one left behind."""
        if self._process is None:
            return
        groups = {self.pid} | (groups_below(self.pid) if self.alive else set()) - {os.getpgrp()}
        end_groups(groups, _STOP_SECONDS if self.alive else 0.0)
        self._process.wait()
        self._undertaker.tell(f"-{self.pid}")

    def _listen(self, output: IO[str]) -> None:
        told, repetitions = "", Repetitions()
        with output:
            for line in output:
                text = line.rstrip()
                self._logger.info("%s", text)
                self._last_words.append(text.strip())
                news = worth_telling(text)
                if news is not None and news != told and not repetitions.is_one(news, time.monotonic()):
                    self._say(f"{self.name}: {news}")
                    told = news
