"""Every error that nightcast raises on purpose.

NightcastError              one line: what was found, where, what was expected, what to do next
├── SettingsError           nightcast.toml, the environment or an argument says something impossible
├── SourceError             a source cannot be read at all (single bad rows are quarantined, not raised)
├── HistoryTooShort         not enough readings yet for what was asked; time heals it
├── ModelUnavailable        a registered model is missing, broken, or knows the future of this night
└── NightFailed             at least one step of a night failed; the forecast went out regardless
"""

import errno
from typing import Any

_FULL = ("No space left on device", "database or disk is full", "Disk quota exceeded")
"""How systems and libraries say it; most wrap the error that has a number in one that has none."""


class NightcastError(Exception):
    """Base of all errors whose message is meant for the person in front of the screen.

    sources: those that an ingest could not read, where it failed for them.
    """

    sources: tuple[str, ...] = ()


class SettingsError(NightcastError):
    """Wrong configuration or usage. The command line exits with 2."""


class SourceError(NightcastError):
    """A source could not be read. The command line exits with 2."""


class HistoryTooShort(NightcastError):
    """There are not enough readings yet. A normal outcome on young fleets, not a failure."""


class ModelUnavailable(NightcastError):
    """A model version cannot serve: files missing, load failed, or trained on later readings."""


class NightFailed(NightcastError):
    """A night ended with at least one failed step, in `night.failed`; every other step was done all the same."""

    def __init__(self, night: Any) -> None:
        self.night = night
        super().__init__("; ".join(f"{step} failed: {reason}" for step, reason in night.failed.items()))


def first_line(error: Exception) -> str:
    """What an error of any library says, in one line."""
    return (str(error) or type(error).__name__).splitlines()[0]


def in_a_sentence(error: Exception) -> str | None:
    """What an error says to the person in front of the screen; None where nobody foresaw it.

    Whatever writes can find the disk full: no library has a class of its own for that.
    """
    if isinstance(error, NightcastError):
        return str(error)
    numbered = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if numbered or any(told in str(error) for told in _FULL):
        return (
            f"the disk is full ({first_line(error)}); make room, then run it again: what was cut off is finished first"
        )
    return None


def in_words(error: Exception) -> str:
    """The same of any error; where nobody foresaw it, its class and what it says."""
    return in_a_sentence(error) or f"{type(error).__name__}: {error}"
