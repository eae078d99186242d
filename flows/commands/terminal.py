"""What every command shares: the application, the screen, exit codes, and flows with their progress on it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console

from lstm_model.errors import NightcastError
from lstm_model.workspace import Workspace

DONE, FAILED, WRONG_USAGE, REFUSED = 0, 1, 2, 3

app = typer.Typer(
    name="nightcast",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="Every night, a fleet of temperature sensors gets a freshly trained LSTM that has earned its place, "
    "and a forecast that always goes out.",
    pretty_exceptions_enable=False,
)
screen = Console()

AsOf = Annotated[
    str | None,
    typer.Option("--as-of", metavar="TIME", help="Live at this time, such as 2013-12-20T23:00Z; see nothing later."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of text.")]
Like = Annotated[
    str | None,
    typer.Option("--as", metavar="SOURCE", help="Read files as this source's settings say, instead of guessing."),
]


@contextmanager
def flows_ready(
    command: str,
    as_of: str | None = None,
    as_json: bool = False,
    check: Callable[[Workspace], None] = lambda workspace: None,
) -> Iterator[Workspace]:
    """A workspace ready to run flows in, with their progress on the screen; wrong input fails before they start.

    `command` is who we are to those who wait for us; `check` is asked before and while we wait for others.
    """
    from flows.progress import progress
    from flows.runtime import forgetting_after, start_engine

    workspace = Workspace.find()
    os.environ.update(forgetting_after(workspace.settings.server.history_days))
    if as_of is not None:
        from flows.clock import parse_time

        parse_time(as_of)

    def tell(line: str) -> None:
        Console(stderr=True, soft_wrap=True).print(line, style="dim", markup=False, highlight=False)

    with progress(screen, quiet=as_json):
        start_engine(workspace, f"nightcast {command}", tell, lambda: check(workspace))
        from flows.steps import loss_in_words

        with loss_in_words(workspace):
            yield workspace


def print_json(data: Any) -> None:
    """The same for machines, on standard output."""
    print(json.dumps(data, indent=2, default=str))


def done(outcome: Any) -> Any:
    """The outcome, unless the step was skipped: then it was not done, and the command says so."""
    from flows.night import Skipped

    if isinstance(outcome, Skipped):
        raise NightcastError(outcome.reason)
    return outcome
