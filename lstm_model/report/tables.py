"""Tables: what a chart shows in numbers, and what is better told in rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lstm_model.report.markup import Html, prose, tag


def table(headings: Sequence[object], rows: Iterable[Sequence[object]], *, words_from: int | None = None) -> Html:
    """A table: names first, then numbers, aligned to the right; or short words, and long ones from `words_from` on."""

    def css(column: int) -> str | None:
        if words_from is None:
            return "n" if column else None
        return "k" if column < words_from else None

    head = tag("tr", *(tag("th", words, class_=css(column), scope="col") for column, words in enumerate(headings)))
    body = (tag("tr", *(tag("td", cell, class_=css(column)) for column, cell in enumerate(row))) for row in rows)
    return tag("div", tag("table", tag("thead", head), tag("tbody", *body)), class_="scroll")


def numbers(says: str, inside: Html) -> Html:
    """The numbers of a chart, folded away."""
    return tag("details", tag("summary", says), inside)


def plain(words: str) -> Html:
    """A card with a sentence, where there is nothing to draw."""
    return tag("article", tag("p", prose(words)), class_="card")
