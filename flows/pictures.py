"""Charts inside an artifact's markdown."""

from __future__ import annotations

import base64
import io

from matplotlib.figure import Figure
from PIL import Image

_DOTS_PER_INCH = 100
_COLOURS = 64  # with a palette a chart is a quarter as large, and all of it lies in Prefect's database


def picture(figure: Figure, says: str) -> str:
    """A chart as part of the text, so that it shows from disk alone, years from now.

    Args:
        figure: drawn about as wide as a column of text.
        says: what it shows, for whoever cannot see it.
    """
    drawn, small = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=_DOTS_PER_INCH)
    # The octree keeps the colour of a thin line, where the usual median cut turns it grey.
    few = Image.open(drawn).convert("RGB").quantize(_COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    few.save(small, "png", optimize=True)
    return f"![{says}](data:image/png;base64,{base64.b64encode(small.getvalue()).decode()})"
