"""Markup from plain values: whatever is not markup already is escaped, so that no name can become any."""

from __future__ import annotations

from html import escape


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


_VOID = {"meta", "link"}


def tag(name: str, /, *inside: object, **attributes: object) -> Html:
    """An element.

    Args:
        name: of the element.
        inside: its children; None is left out, `Html` taken as it is, and all else escaped.
        attributes: `class_` stands for class and `aria_label` for aria-label; None is left out.

    >>> tag("td", "1 < 2", class_="low")
    '<td class="low">1 &lt; 2</td>'
    """
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Html(f"<{name}{told}>")
    return Html(f"<{name}{told}>{join(*inside)}</{name}>")


def join(*parts: object) -> Html:
    """Parts one after the other; what is no markup is escaped."""
    told = (part if isinstance(part, Html) else escape(str(part), quote=False) for part in parts if part is not None)
    return Html("".join(told))


def prose(text: str) -> Html:
    """A sentence; what stands in it between backticks is code.

    >>> prose("type `nightcast run`")
    'type <code>nightcast run</code>'
    """
    parts = text.split("`")
    if len(parts) % 2 == 0:  # one without its fellow, in a station's name perhaps
        return join(text)
    return join(*(tag("code", part) if place % 2 else part for place, part in enumerate(parts)))
