"""The command line: a flow with a terminal around it. Heavy imports wait until a command needs them."""

from __future__ import annotations

import sys

from rich.console import Console

# isort: off
from flows.commands import night, readings, results, models, operation  # noqa: F401 - in the order of `--help`

# isort: on
from flows.commands.terminal import FAILED, WRONG_USAGE, app, screen
from lstm_model.errors import SettingsError, SourceError, in_a_sentence

__all__ = ["app", "main", "screen"]


def main() -> None:
    """Run a command; whatever goes wrong in a way that was foreseen is one line on standard error."""
    try:
        app()
    except Exception as error:
        if (told := in_a_sentence(error)) is None:
            raise
        Console(stderr=True, soft_wrap=True).print(f"nightcast: {told}", style="red", markup=False, highlight=False)
        sys.exit(WRONG_USAGE if isinstance(error, SettingsError | SourceError) else FAILED)
