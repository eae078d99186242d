"""The command line: a flow with a terminal around it. Heavy imports wait until a command needs them."""

from __future__ import annotations

import errno
import sys

from rich.console import Console

# isort: off
from flows.commands import night, readings, results, models, operation  # noqa: F401 - in the order of `--help`

# isort: on
from flows.commands.terminal import FAILED, WRONG_USAGE, app, screen
from lstm_model.errors import NightcastError, SettingsError, SourceError, first_line

__all__ = ["app", "main", "screen"]


def main() -> None:
    """Run a command; whatever goes wrong on purpose is one line on standard error."""
    try:
        app()
    except NightcastError as error:
        _say(str(error))
        sys.exit(WRONG_USAGE if isinstance(error, SettingsError | SourceError) else FAILED)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _say(
            f"the disk is full ({first_line(error)}); make room, then run it again: what was cut off is finished first"
        )
        sys.exit(FAILED)


def _say(told: str) -> None:
    Console(stderr=True, soft_wrap=True).print(f"nightcast: {told}", style="red", markup=False, highlight=False)
