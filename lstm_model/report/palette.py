"""Colours for light and for dark, chosen so that contrast is enough and no two lines depend on hue alone.

The forecast is blue and what came is orange, the pair that every kind of colour blindness leaves apart; baselines
differ by their dashes as well. `tests/report/test_report_colours.py` computes all of it.
"""

from __future__ import annotations

LIGHT = {
    "page": "#f4f6f8",
    "card": "#ffffff",
    "ink": "#16202b",
    "quiet": "#505c69",
    "rule": "#dbe1e7",
    "link": "#0b57a4",
    "forecast": "#0a3f80",
    "band90": "#dceaf8",
    "band80": "#b7d3ef",
    "band50": "#86b4e2",
    "edge": "#3d7fc4",
    "truth": "#b8480b",
    "persistence": "#5d6672",
    "climatology": "#14775a",
    "damped": "#7d44a8",
    "limit": "#b3122f",
    "good": "#14694e",
    "bad": "#b3122f",
    "urgent": "#fdeceb",
    "calm": "#e9f5ef",
}
DARK = {
    "page": "#0f1419",
    "card": "#182029",
    "ink": "#e9edf2",
    "quiet": "#a9b4c0",
    "rule": "#33404d",
    "link": "#8cc4ff",
    "forecast": "#d5e9ff",
    "band90": "#1d3953",
    "band80": "#265079",
    "band50": "#336ca6",
    "edge": "#5b9bdc",
    "truth": "#ffab6b",
    "persistence": "#a9b4c0",
    "climatology": "#5fcfa4",
    "damped": "#cda4f2",
    "limit": "#ff8f98",
    "good": "#6fd3ab",
    "bad": "#ff9aa2",
    "urgent": "#3a1f24",
    "calm": "#173227",
}


def variables(colours: dict[str, str]) -> str:
    """The colours as CSS variables."""
    return "".join(f"--{name}:{colour};" for name, colour in colours.items())
