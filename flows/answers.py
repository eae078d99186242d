"""Asking a person at a terminal whether the challenger may become champion."""

from __future__ import annotations

import sys

import typer
from rich.console import Console

from flows.summary import print_judgement
from flows.words import question_in_words
from lstm_model.errors import SettingsError
from lstm_model.registry import Promotion

LATER = "later"
"""The answer that lets a version wait without anybody waiting for it."""


def given_answer(approve: str | None, reject: str | None, why: str | None) -> tuple[str | None, str | None]:
    """The version and the answer that options of a command gave; None and None where they gave none.

    Raises:
        SettingsError: both, or a reason of nothing.
    """
    if approve is not None and reject is not None:
        raise SettingsError("--approve and --reject say opposite things; write one of them")
    if approve is None and reject is None:
        if why is not None:
            raise SettingsError("--why is the reason of an answer; write --approve VERSION or --reject VERSION as well")
        return None, None
    return (approve, "yes") if approve is not None else (reject, "no")


def somebody_is_there(screen: Console) -> bool:
    """Whether a person sits at this terminal."""
    return sys.stdin.isatty() and screen.is_terminal


def ask_here(screen: Console, asked: Promotion) -> tuple[str, str]:
    """Show the evidence, and ask for yes or no and the reason."""
    print_judgement(screen, asked)
    screen.print(question_in_words(asked), highlight=False, markup=False)
    approved = typer.confirm(f"Promote version {asked.challenger}?")
    return ("yes" if approved else "no"), typer.prompt("Why", default="", show_default=False)
