"""A small way to draw: what is plotted stretches with the page, and its text and its strokes do not.

Places are shares of the drawing area. Paths lie in an inner picture that is stretched to it; text, dots and rules are
placed by per cent. So a chart is as readable on a phone as on a wall, and needs neither scripts nor two versions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from lstm_model.report.markup import Html, tag

_UNITS = 1000
_NEAR_THE_EDGE = 0.16

Array = npt.NDArray[np.float64]
Anchor = Literal["start", "middle", "end"]


class Plot:
    """A drawing area with axes of its own, filled piece by piece.

    Args:
        x: left and right end of the horizontal axis.
        y: lower and upper end of the vertical one.
        says: the main message in words and numbers, for whoever cannot see it.
        height: in pixels; the width is the page's.
    """

    def __init__(self, x: tuple[float, float], y: tuple[float, float], says: str, height: int = 220) -> None:
        self._x, self._y, self._says, self._height = x, y, says, height
        self._under: list[Html] = []
        self._paths: list[Html] = []
        self._over: list[Html] = []

    def area(self, xs: Array, low: Array, high: Array, css: str) -> None:
        """What lies between two lines."""
        for part in _known_parts(xs, low, high):
            outline = _path(
                np.concatenate([self._across(xs[part]), self._across(xs[part])[::-1]]),
                np.concatenate([self._down(low[part]), self._down(high[part])[::-1]]),
            )
            self._paths.append(tag("path", d=f"{outline}z", class_=css))

    def line(self, xs: Array, ys: Array, css: str) -> None:
        """A line, broken where a value is not known; a value that stands alone is a short dash."""
        told = ""
        for part in _known_parts(xs, ys):
            told += _path(self._across(xs[part]), self._down(ys[part]))
        if told:
            self._paths.append(tag("path", d=told, class_=f"line {css}"))

    def dots(self, xs: Array, ys: Array, css: str, radius: float = 2.5) -> None:
        """A dot a value."""
        for x, y in zip(xs, ys, strict=True):
            if np.isfinite(x) and np.isfinite(y):
                where = {"cx": self._percent_x(float(x)), "cy": self._percent_y(float(y))}
                self._over.append(tag("circle", r=f"{radius:g}", class_=css, **where))

    def whisker(self, x: float, low: float, high: float, css: str) -> None:
        """An upright stroke from `low` to `high`; none where either is not known."""
        if np.isfinite(low) and np.isfinite(high):
            self._over.append(self._stroke(x, x, low, high, css))

    def bar(self, x: tuple[float, float], y: tuple[float, float], css: str) -> None:
        """A filled rectangle."""
        (left, right), (low, high) = x, y
        width, height = self._share_x(right) - self._share_x(left), self._share_y(low) - self._share_y(high)
        self._under.append(
            tag(
                "rect", x=self._percent_x(left), y=self._percent_y(high), width=_percent(width),
                height=_percent(height), class_=css,
            )
        )  # fmt: skip

    def rule(self, *, x: float | None = None, y: float | None = None, css: str = "grid") -> None:
        """A line across the whole area at one place of an axis."""
        if x is not None:
            self._under.append(self._stroke(x, x, *self._y, css))
        if y is not None:
            self._under.append(self._stroke(*self._x, y, y, css))

    def slope(self, first: tuple[float, float], last: tuple[float, float], css: str) -> None:
        """A straight line from one place to another."""
        self._under.append(self._stroke(first[0], last[0], first[1], last[1], css))

    def text(
        self,
        x: float,
        y: float,
        words: str,
        css: str = "",
        *,
        up: float = 0,
        right: float = 0,
        anchor: Anchor | None = None,
    ) -> None:
        """Words at a place, moved by so many pixels; near an edge they turn inwards unless told otherwise."""
        share = self._share_x(x)
        inwards: Anchor = "start" if share < _NEAR_THE_EDGE else "end" if share > 1 - _NEAR_THE_EDGE else "middle"
        self._over.append(
            tag(
                "text", words, x=_percent(share), y=self._percent_y(y), dx=f"{right:g}" if right else None,
                dy=f"{-up:g}" if up else None, text_anchor=anchor or inwards, class_=css or None,
            )
        )  # fmt: skip

    def x_ticks(self, ticks: Iterable[tuple[float, str]], *, ruled: bool = True) -> None:
        """Words below the area, each with a line across it."""
        for place, words in ticks:
            if ruled:
                self.rule(x=place)
            self.text(place, self._y[0], words, "tick", up=-17, anchor="middle")

    def y_ticks(self, ticks: Iterable[tuple[float, str]]) -> None:
        """Words left of the area, each with a line across it."""
        for place, words in ticks:
            self.rule(y=place)
            self.text(self._x[0], place, words, "tick", up=-4, right=-7, anchor="end")

    def html(self) -> Html:
        """The whole drawing."""
        inner = tag(
            "svg", *self._paths, viewBox=f"0 0 {_UNITS} {_UNITS}", preserveAspectRatio="none", width="100%",
            height="100%", aria_hidden="true",
        )  # fmt: skip
        drawn = tag("svg", *self._under, inner, *self._over, role="img", aria_label=self._says)
        return tag("div", drawn, class_="plot", style=f"height:{self._height}px")

    def _stroke(self, left: float, right: float, low: float, high: float, css: str) -> Html:
        return tag(
            "line", x1=self._percent_x(left), x2=self._percent_x(right), y1=self._percent_y(low),
            y2=self._percent_y(high), class_=css,
        )  # fmt: skip

    def _share_x(self, x: float) -> float:
        return (x - self._x[0]) / (self._x[1] - self._x[0])

    def _share_y(self, y: float) -> float:
        return (self._y[1] - y) / (self._y[1] - self._y[0])

    def _percent_x(self, x: float) -> str:
        return _percent(self._share_x(x))

    def _percent_y(self, y: float) -> str:
        return _percent(self._share_y(y))

    def _across(self, xs: Array) -> Array:
        return (xs - self._x[0]) / (self._x[1] - self._x[0]) * _UNITS

    def _down(self, ys: Array) -> Array:
        return (self._y[1] - ys) / (self._y[1] - self._y[0]) * _UNITS


def nice_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers between two others, so many at most.

    >>> nice_ticks(-3.2, 11.0)
    [0.0, 5.0, 10.0]
    """
    span = max(high - low, 1e-9)
    magnitude = 10.0 ** np.floor(np.log10(span / most))
    step = next(size * magnitude for size in (1, 2, 5, 10, 20) if span / (size * magnitude) <= most)
    first = np.ceil(low / step - 1e-9) * step
    return [round(float(value), 6) + 0.0 for value in np.arange(first, high + step * 1e-6, step)]


def _percent(share: float) -> str:
    return f"{100 * share:.2f}".rstrip("0").rstrip(".") + "%"


def _known_parts(*values: Array) -> Sequence[slice]:
    """The stretches in which every one of these is a number."""
    known = np.concatenate([[False], np.all(np.isfinite(np.vstack(values)), axis=0), [False]])
    edges = np.flatnonzero(known[1:] != known[:-1])
    return [slice(int(begin), int(end)) for begin, end in edges.reshape(-1, 2)]


def _path(across: Array, down: Array) -> str:
    """A path in whole units, each step told as the difference from the one before: half as long."""
    places = np.rint(np.column_stack([across, down])).astype(int)
    steps = np.diff(places, axis=0) if len(places) > 1 else np.array([[2, 0]])
    told = " ".join(f"{x} {y}" if y >= 0 else f"{x}{y}" for x, y in steps)
    return f"M{places[0][0]} {places[0][1]}l{told}"
