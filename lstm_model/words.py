"""Words that sentences of every part of the project share."""

from __future__ import annotations


def count(number: int, noun: str) -> str:
    """A number and what it counts.

    >>> count(1, "day"), count(1200, "station")
    ('1 day', '1,200 stations')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
