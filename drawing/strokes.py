"""Pen strokes as the page's canvas shows them: black ink on white paper, round caps and joins, smooth edges."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from .ink import SIZE

Strokes = Sequence[NDArray[np.floating]]
"""One array `(points, 2)` per stroke; x to the right, y down, in the unit square of the paper."""

BRUSH = 0.1
"""Width of the page's brush as it comes, as a share of the paper's side.

Pen digits drawn with it come out of the preparation with MNIST's thickness (2.5 pixels in the median), amount of ink
and share of full and of half-grey pixels.
"""
FINER = 4
"""Drawn so many times larger, then reduced: that gives 17 levels of grey along an edge."""


def render_strokes(
    strokes: Strokes, brush: float = BRUSH, size: int = SIZE, margin: float = 0.15
) -> NDArray[np.float32]:
    """Strokes brought to the size of a usual drawing, then drawn.

    Args:
        strokes: see `Strokes`; any unit of length will do.
        brush: width of the pen as a share of the paper's side.
        size: pixels along each side.
        margin: share of the side left free at each edge.

    Returns:
        float32 `(size, size)` in [0, 1]; 0 is ink and 1 is paper.
    """
    return draw_strokes(place_strokes(strokes, margin), brush, size)


def place_strokes(strokes: Strokes, margin: float = 0.15) -> list[NDArray[np.floating]]:
    """Strokes moved and scaled, keeping their aspect, to fill the middle of the unit square up to a margin."""
    points = [points for points in strokes if len(points)]
    if not points:
        return []
    everything = np.concatenate(points)
    low, high = everything.min(axis=0), everything.max(axis=0)
    longest = float((high - low).max())
    scale = (1 - 2 * margin) / longest if longest > 0 else 1.0
    return [(stroke - (low + high) / 2) * scale + 0.5 for stroke in points]


def draw_strokes(strokes: Strokes, brush: float = BRUSH, size: int = SIZE) -> NDArray[np.float32]:
    """Strokes drawn where they are, as an HTML canvas does it with `lineCap` and `lineJoin` set to round.

    Returns:
        float32 `(size, size)` in [0, 1]; 0 is ink and 1 is paper.
    """
    fine = size * FINER
    picture = Image.new("L", (fine, fine), 255)
    pen = ImageDraw.Draw(picture)
    width = max(brush * fine, 1.0)
    reach = (width - 1) / 2
    for stroke in strokes:
        # Pillow counts from the middle of a pixel, the canvas from its corner.
        points = [tuple(point) for point in (np.asarray(stroke, np.float64) * fine - 0.5).tolist()]
        if len(points) > 1:
            pen.line(points, fill=0, width=round(width))
        for x, y in points:
            pen.ellipse((x - reach, y - reach, x + reach, y + reach), fill=0)
    return np.asarray(picture.reduce(FINER), np.float32) / np.float32(255)
