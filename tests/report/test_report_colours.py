"""Colours: contrast enough in light and in dark, and no two lines that only the colour-blind would mix up."""

from __future__ import annotations

import re

import numpy as np
import pytest

from lstm_model.report.palette import DARK, LIGHT
from lstm_model.report.style import CSS

# Viénot, Brettel, Mollon 1999, on linear RGB.
_SEEN_BY = {
    "everybody": np.eye(3),
    "protanopes": np.array([[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]]),
    "deuteranopes": np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]]),
}
_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(colour: str) -> np.ndarray:
    parts = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """WCAG 2.1's contrast ratio."""
    light, dark = sorted((float(linear(colour) @ _TO_XYZ[1]) for colour in (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def difference(one: str, other: str, seen_by: str) -> float:
    """How far apart two colours look (CIE 1976)."""
    labs = []
    for colour in (one, other):
        xyz = _TO_XYZ @ np.clip(_SEEN_BY[seen_by] @ linear(colour), 0, 1) / np.array([0.9505, 1.0, 1.089])
        x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
        labs.append(np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)]))
    return float(np.linalg.norm(labs[0] - labs[1]))


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_words_and_lines_have_contrast_enough(scheme: dict[str, str]) -> None:
    for ground in ("page", "card"):
        for words in ("ink", "quiet", "link", "limit", "bad", "good", "truth"):
            assert contrast(scheme[words], scheme[ground]) >= 4.5, (words, ground)
    for words, ground in (("bad", "urgent"), ("ink", "urgent"), ("good", "calm"), ("ink", "calm")):
        assert contrast(scheme[words], scheme[ground]) >= 4.5, (words, ground)
    for line in ("forecast", "truth", "edge", "persistence", "climatology", "damped", "limit"):
        assert contrast(scheme[line], scheme["card"]) >= 3, line
    for band in ("band50", "band80", "band90"):
        assert contrast(scheme["forecast"], scheme[band]) >= 3, band
        assert contrast(scheme["ink"], scheme[band]) >= 4.5, band  # a version's name in its reign


@pytest.mark.parametrize("seen_by", _SEEN_BY)
@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_lines_differ_for_the_colour_blind_or_by_their_dashes(scheme: dict[str, str], seen_by: str) -> None:
    assert difference(scheme["forecast"], scheme["truth"], seen_by) > 40
    assert difference(scheme["truth"], scheme["band50"], seen_by) > 40
    dashes = {
        name: re.search(rf"path\.{name}{{[^}}]*stroke-dasharray:([^;}}]*)", CSS)
        for name in ("forecast", "persistence", "climatology", "damped")
    }
    patterns = [found and found.group(1) for found in dashes.values()]
    assert len(set(patterns)) == len(patterns)


def test_dark_is_what_the_reader_s_device_asks_for() -> None:
    assert f"--page:{LIGHT['page']}" in CSS
    assert f"--page:{DARK['page']}" in CSS.split("@media(prefers-color-scheme:dark)")[1]
    assert LIGHT.keys() == DARK.keys()
    assert set(re.findall(r"var\(--([a-z0-9]+)\)", CSS)) == LIGHT.keys()
