"""What speaks for and against, as one heat map over an image whose outline stays to be seen.

One heat map alone, so that the page can paint it under the moving pen. Each pixel of the image becomes a square of
cells; the outline takes the lowest colour, the attribution the 255 above, zero in their middle. Cells are whole bytes:
finer shades than these no screen shows.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from plotly.graph_objects import Figure

from ..backends.base import Array
from ..drawing.resample import resized
from .colours import BLUE_RED, Legend
from .figures import HIDDEN_AXIS, PANEL_WIDTH, figure, note_below
from .words import short

MOST_CELLS = 192
"""Along each side, for the outline's sake; an image with more pixels keeps one cell for each."""
OUTLINE, HIGHEST = -128, 127
OUTLINE_COLOUR = "#1a1a1a"


def overlay(attribution: Array, image: Array, *, words: str, note: str, signed: bool = True) -> Figure:
    """An attribution over its image: red speaks for, blue against, grey is neutral, the line is the image's outline.

    Args:
        attribution: `(height, width)`, any range; its largest magnitude gets the strongest colour.
        image: `(height, width, channels)` in [0, 1].
        words: what the numbers are.
        note: a remark for the line below.
        signed: whether there can be values below zero, for the legend.
    """
    attribution = np.where(np.isfinite(attribution), attribution, np.float32(0))
    cells = cells_of(attribution, image)
    largest = float(np.abs(attribution).max())
    legend = Legend(
        short(-largest) if signed else "0",
        short(largest),
        words,
        note,
        BLUE_RED if signed else BLUE_RED[len(BLUE_RED) // 2 :],
    )
    height, width = cells.shape
    return figure(
        [
            {
                "type": "heatmap",
                "z": cells,
                "zmin": OUTLINE,
                "zmax": HIGHEST,
                "colorscale": COLOURSCALE,
                "showscale": False,
                "hoverinfo": "none",
            }
        ],
        height=40 + int(np.clip(PANEL_WIDTH * height / width, 132, 380)),
        meta={"legend": legend.parts, "overlay": largest},
        revision=f"overlay {height}×{width}",
        margin={"l": 4, "r": 4, "t": 4, "b": 40},
        xaxis={**HIDDEN_AXIS, "range": [-0.5, width - 0.5], "constrain": "domain", "title": note_below(legend.text)},
        yaxis={
            **HIDDEN_AXIS,
            "range": [height - 0.5, -0.5],
            "constrain": "domain",
            "constraintoward": "top",
            "scaleanchor": "x",
        },
    )


def cells_of(attribution: Array, image: Array) -> NDArray[np.int8]:
    """The heat map's numbers, `(height × k, width × k)`: −127 to 127 for the attribution, −128 on the outline."""
    k = max(1, min(4, MOST_CELLS // max(attribution.shape)))
    largest = np.abs(attribution).max() or np.float32(1)
    levels = np.rint(HIGHEST * attribution / largest).astype(np.int8)
    cells: NDArray[np.int8] = levels.repeat(k, axis=0).repeat(k, axis=1)
    cells[_outline(image.mean(axis=2), k)] = OUTLINE
    return cells


def _outline(brightness: Array, k: int) -> NDArray[np.bool_]:
    """Cells of the bright half that touch the dark half."""
    height, width = brightness.shape
    bright = resized(brightness, k * height, k * width) > (brightness.min() + brightness.max()) / 2
    padded = np.pad(bright, 1, mode="edge")
    inside = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    edge: NDArray[np.bool_] = bright & ~inside
    return edge


def _colourscale() -> list[list[Any]]:
    """256 colours: the outline's for the lowest number, then blue through grey to red."""
    first, count = 1 / (HIGHEST - OUTLINE), len(BLUE_RED) - 1
    edge = 0.8 * first  # a table of 256 colours, taken in the middle of each, would miss an edge at the half
    below = [[0.0, OUTLINE_COLOUR], [edge, OUTLINE_COLOUR], [edge, BLUE_RED[0]]]
    return below + [[first + (1 - first) * index / count, colour] for index, colour in enumerate(BLUE_RED)]


COLOURSCALE = _colourscale()
