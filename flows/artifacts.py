"""Artifacts on the dashboard. One that cannot be left costs a warning, never the run that wanted to leave it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, cast
from uuid import UUID

from prefect.artifacts import create_markdown_artifact, create_progress_artifact, update_progress_artifact

from flows.words import epochs_in_words
from lstm_model.settings import ModelSettings

if TYPE_CHECKING:
    from lstm_model.network.training import Epoch

log = logging.getLogger("nightcast.dashboard")

_SECONDS_BETWEEN_UPDATES = 1.0


def leave_page(key: str, draw: Callable[[], str], description: str) -> None:
    """Leave a page of markdown with this run of the flow.

    Args:
        key: of the artifact; pages of all runs under one key are a timeline.
        draw: makes the markdown.
        description: its heading on the timeline.
    """
    try:
        create_markdown_artifact(draw(), key=key, description=description)
    except Exception as error:  # the work is done; that its page is missing must not undo it
        log.warning("the page %r is missing on the dashboard: %s", key, error, exc_info=True)


class TrainingProgress:
    """How far a training is, while it lasts; called after every epoch of every network."""

    def __init__(self, settings: ModelSettings) -> None:
        self._settings = settings
        self._network = 0
        self._best: Epoch | None = None
        self._artifact: UUID | None = None
        self._told_at = float("-inf")
        self._broken = False

    def __call__(self, epoch: Epoch) -> None:
        """Note an epoch; the dashboard hears of it once a second at most."""
        if epoch.epoch == 1:
            self._network, self._best = self._network + 1, None
        if self._best is None or epoch.validation_loss < self._best.validation_loss:
            self._best = epoch
        if time.monotonic() - self._told_at >= _SECONDS_BETWEEN_UPDATES:
            networks, most = self._settings.ensemble, self._settings.max_epochs
            done = (self._network - 1 + epoch.epoch / most) / networks
            self._tell(100 * done, epochs_in_words(epoch, self._best, most, self._network, networks))

    def finish(self, sentence: str) -> None:
        """Training is over; it may have stopped early."""
        if self._artifact is not None:
            self._tell(100.0, sentence)

    def _tell(self, percent: float, sentence: str) -> None:
        if self._broken:
            return
        try:
            if self._artifact is None:
                made = create_progress_artifact(percent, key="training-progress", description=sentence)
                self._artifact = cast(UUID, made)  # a coroutine it would be only in async code
            else:
                update_progress_artifact(self._artifact, percent, description=sentence)
        except Exception as error:  # whoever watches sees less, and the training goes on
            self._broken = True
            log.warning("progress is missing on the dashboard: %s", error)
        self._told_at = time.monotonic()
