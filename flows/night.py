"""The report of one night: each step's outcome, its seconds, and why it did not happen if it did not."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import pandas as pd

from lstm_model.errors import in_a_sentence, in_words

if TYPE_CHECKING:
    from flows.watch import Watch
    from lstm_model.forecasts import Issue, Verification
    from lstm_model.readings import IngestReport
    from lstm_model.registry import Candidate, Promotion

log = logging.getLogger("nightcast.night")

Outcome = TypeVar("Outcome")


@dataclass(frozen=True)
class Skipped:
    """A step that could not be done yet, for a reason that time heals."""

    reason: str


@dataclass
class Night:
    """What a night did."""

    as_of: pd.Timestamp
    plays_sample: bool
    ingest: IngestReport | None = None
    verify: Verification | None = None
    monitor: Watch | None = None
    train: Candidate | None = None
    promote: Promotion | None = None
    forecast: Issue | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def live(self, step: str, do: Callable[[], Outcome | Skipped]) -> Outcome | None:
        """Do one step. An error fails the step and lets the night go on; too little history skips it."""
        began = time.perf_counter()
        try:
            outcome = do()
        except Exception as error:  # the night must reach the forecast; the step is reported as failed
            self.failed[step] = in_words(error)
            log.error("%s failed: %s", step, self.failed[step], exc_info=in_a_sentence(error) is None)
            return None
        finally:
            self.seconds[step] = time.perf_counter() - began
        if isinstance(outcome, Skipped):
            self.skipped[step] = outcome.reason
            log.info("%s skipped: %s", step, outcome.reason)
            return None
        log.info("%s done in %.1f s", step, self.seconds[step])
        return outcome
