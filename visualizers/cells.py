"""Small tables of numbers as coloured cells, side by side: a patch, its kernel, their product."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from plotly.graph_objects import Figure

from ..backends.base import Array
from .colours import Scale
from .figures import HIDDEN_AXIS, PANEL_WIDTH, figure, note_below

CELL = 34
"""Pixels of a cell where there is room for it."""
LINE = 15
"""Pixels of a line of text."""
SIDE = 0.6
"""Room left and right, in cells: a word may be wider than the table below it."""
MOST_NUMBERED = 5
"""Cells of more rows or columns than this are too small for numbers."""


@dataclass(frozen=True)
class Table:
    """One table of cells.

    Attributes:
        values: `(height, width)`; NaN leaves a cell empty.
        left: column of its first cell in the figure.
        scale: its colours.
        numbered: whether the numbers are written into the cells.
        empty: what is written into an empty cell inside `written`.
        written: `(height, width)`, False where nothing is written, as between two tiles; None writes everywhere.
    """

    values: Array
    left: float
    scale: Scale
    numbered: bool = True
    empty: str = ""
    written: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Word:
    """A word at a place of the figure, in cells from the top left corner."""

    text: str
    column: float
    row: float
    size: int = 11


def cells(
    tables: Sequence[Table],
    *,
    words: Sequence[Word] = (),
    lines: Sequence[str] = (),
    ring: tuple[int, int] | None = None,
    revision: str = "",
) -> Figure:
    """Tables side by side, with words between them and lines of text below.

    Args:
        tables: from left to right, all from row 0 on.
        words: above, between and in the gaps of the tables; row −1 is above all of them.
        lines: below; empty ones keep their room, so that the figure's size stays while its words change.
        ring: `(row, column)` of a cell of the first table to ring.
        revision: while it stays the same, zoom survives a redraw.
    """
    height = max(table.values.shape[0] for table in tables)
    width = max(table.left + table.values.shape[1] for table in tables)
    size = min(CELL, PANEL_WIDTH / (width + 2 * SIDE))
    above = 0.9 if any(word.row < 0 for word in words) else 0.1
    below = LINE * len(lines) + 8
    return figure(
        [*map(_heatmap, tables), *_numbers(tables, int(np.clip(size / 3.2, 7, 10)))],
        height=round(below + 8 + size * (height + above + 0.1)),
        revision=revision,
        margin={"l": 4, "r": 4, "t": 4, "b": below},
        annotations=[_annotation(word) for word in words],
        shapes=[] if ring is None else outlines(ring[1], ring[1], ring[0], ring[0]),
        xaxis={
            **HIDDEN_AXIS,
            "range": [-0.5 - SIDE, width - 0.5 + SIDE],
            "constrain": "domain",
            "title": note_below("<br>".join(lines)),
        },
        yaxis={
            **HIDDEN_AXIS,
            "range": [height - 0.4, -0.5 - above],
            "constrain": "domain",
            "constraintoward": "top",
            "scaleanchor": "x",
        },
    )


def outlines(left: int, right: int, top: int, bottom: int) -> list[dict[str, Any]]:
    """Shapes around the cells from left to right and top to bottom, all included: dark under bright, so that they show
    on every colour."""
    box = {"type": "rect", "x0": left - 0.5, "x1": right + 0.5, "y0": top - 0.5, "y1": bottom + 0.5}
    return [{**box, "line": {"color": colour, "width": thick}} for colour, thick in (("#111111", 5), ("#ffb000", 3))]


def readable_dark(values: Array, scale: Scale) -> NDArray[np.bool_]:
    """Where black text is read better than white on the colours of these values; any form.

    WCAG 2.2, "relative luminance": both contrast equally at 0.179.
    """
    channels = np.array([[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in scale.colours]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    luminance = linear @ (0.2126, 0.7152, 0.0722)
    stops = np.linspace(scale.low, scale.high, len(luminance))
    dark: NDArray[np.bool_] = np.interp(values, stops, luminance) > 0.179
    return dark


def cell_text(value: float, narrow: bool = False) -> str:
    """A number in about four characters, with a true minus sign: `0.25`, `−1.40`, `130`; narrow ones are `.25`."""
    size = abs(value)
    if value == 0 or size >= 10_000:
        return f"{value:.0e}".replace("e+0", "e").replace("-", "−") if value else "0"
    decimals = 2 if size < (1 if narrow else 10) else 1 if size < 100 else 0
    text = f"{value:.{decimals}f}".replace("-0.00", "0.00").replace("-", "−")
    return text.replace("0.", ".", 1) if narrow and size < 1 else text


def _heatmap(table: Table) -> dict[str, Any]:
    return {
        "type": "heatmap",
        "z": table.values.astype(np.float32),
        "x0": table.left,
        "dx": 1,
        "y0": 0,
        "dy": 1,
        "zmin": table.scale.low,
        "zmax": table.scale.high,
        "colorscale": table.scale.colorscale,
        "showscale": False,
        "hoverinfo": "none",
        "xgap": 1,
        "ygap": 1,
    }


def _numbers(tables: Sequence[Table], size: int) -> list[dict[str, Any]]:
    """Up to three traces: black numbers on bright cells, white ones on dark cells, the page's colour where empty."""
    inks: dict[str, list[tuple[float, int, str]]] = {"#000": [], "#fff": [], "": []}
    for table in tables:
        if not table.numbered:
            continue
        dark = readable_dark(table.values, table.scale)
        for (row, column), value in np.ndenumerate(table.values):
            if table.written is not None and not table.written[row, column]:
                continue
            ink = "" if np.isnan(value) else "#000" if dark[row, column] else "#fff"
            text = table.empty if np.isnan(value) else cell_text(float(value), table.values.shape[1] > 2)
            inks[ink].append((table.left + column, row, text))
    return [_written(ink, entries, size) for ink, entries in inks.items() if entries]


def _written(ink: str, entries: Sequence[tuple[float, int, str]], size: int) -> dict[str, Any]:
    """The page gives every text its own colour, which only a span inside it overrides."""
    return {
        "type": "scatter",
        "mode": "text",
        "x": np.array([column for column, _, _ in entries], np.float32),
        "y": np.array([row for _, row, _ in entries], np.int16),
        "text": [text for _, _, text in entries],
        "texttemplate": f'<span style="color:{ink}">%{{text}}</span>' if ink else "%{text}",
        "textfont": {"size": size},
        "hoverinfo": "skip",
    }


def _annotation(word: Word) -> dict[str, Any]:
    return {
        "text": word.text,
        "x": word.column,
        "y": word.row,
        "showarrow": False,
        "font": {"size": word.size},
    }
