"""Pages and tables in markdown, as Prefect's dashboard shows them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], *, numbers_from: int = 1, numbers_to: int | None = None
) -> str:
    """A table; columns from `numbers_from` on, up to `numbers_to`, are aligned to the right."""
    numbers = range(len(headings))[numbers_from:numbers_to]
    rule = ["---:" if column in numbers else "---" for column in range(len(headings))]
    told = [[_cell(text) for text in row] for row in (headings, *rows)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (told[0], rule, *told[1:]))


def page(parts: Iterable[str]) -> str:
    """Parts one below the other."""
    return "\n\n".join(parts) + "\n"


def _cell(text: str) -> str:
    """What a station is called must neither end its cell nor become markup."""
    return "".join(f"\\{sign}" if sign in "\\|*_`[]<>" else sign for sign in " ".join(text.split()))
