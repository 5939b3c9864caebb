"""The shared parts of figures: one heat map for all tiles of a layer, bars for its units, and clicks back to units.

Figures are built from plain dictionaries without Plotly's validation and without its default template, because the
page draws all of them anew at every stroke; the tests validate them instead. Backgrounds are transparent and text has
no colour of its own, so that the page's light and dark schemes apply.

`layout.meta` tells the page what lies under the pointer:

* `{"tiles": {"layer", "columns", "height", "width", "gap", "units", "quantity"}}`, with `"scales"` (one number for each
  unit, to multiply a drawn value by) when every tile has a scale of its own;
* `{"bars": {"layer"}}`, where the number of the bar is the unit;
* `{"legend": {"low", "high", "words", "colours"}}`, the colour scale of a mosaic, which also stands below it as text.

Other points carry `customdata`: `[layer]` or `[layer, unit]`.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from math import ceil, log
from typing import Any

import numpy as np
from plotly.graph_objects import Figure

from ..backends.base import Array
from .colours import BLUE, CLEAR, FAINT, VERMILLION, Legend, Scale, extent, scale_of
from .words import short

MOST_VALUES = 2**19
"""More numbers than this in one figure (2 MB) make the page slow; views show fewer units then, and say so."""
ASPECT = 1.5
"""Width by height of a panel's figure, which mosaics are arranged for."""

PANEL_WIDTH, NARROW_PANEL = 440, 240
HIDDEN_AXIS: Mapping[str, Any] = {
    "showgrid": False,
    "zeroline": False,
    "showline": False,
    "showticklabels": False,
    "ticks": "",
}


def figure(
    traces: Sequence[Mapping[str, Any]],
    *,
    height: int,
    meta: Mapping[str, Any] | None = None,
    revision: str = "",
    **layout: Any,
) -> Figure:
    """A figure in the manner of the page.

    Args:
        traces: Plotly traces as dictionaries; arrays stay NumPy, and leave as they are.
        height: in pixels; the width is the panel's.
        meta: what the page is told about points (see the module).
        revision: while it stays the same, zoom survives a redraw.
        layout: more of Plotly's layout, e.g. `xaxis`, `shapes`, `margin`.
    """
    base = {
        "template": {},  # none at all would be filled with Plotly's default, eight kilobytes for every figure
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "font": {"family": "inherit", "size": 11},
        "margin": {"l": 4, "r": 4, "t": 4, "b": 4},
        "showlegend": False,
        "height": height,
        "uirevision": revision or "fixed",
        "meta": dict(meta or {}),
    }
    return PlainFigure([dict(trace) for trace in traces], {**base, **layout})


class PlainFigure(Figure):  # type: ignore[misc]
    """A Plotly figure that stays the plain data it was made of until somebody looks into it or changes it.

    The page needs nothing but the data, fifteen times for every stroke, and to build Plotly's objects and to take them
    apart again costs more than all the rest.
    """

    def __init__(self, data: list[dict[str, Any]], layout: dict[str, Any]) -> None:
        object.__setattr__(self, "_plain", {"data": data, "layout": layout})

    @property
    def plain(self) -> dict[str, Any]:
        """`data` and `layout`, arrays as NumPy; nothing of it is to be changed."""
        found: dict[str, Any] = self._plain or self.to_dict()
        return found

    def __getattr__(self, name: str) -> Any:
        """Called for what Plotly's class would have by now: time to build it."""
        made = self.__dict__.get("_plain")
        if made is None or name.startswith("__"):
            raise AttributeError(name)
        object.__setattr__(self, "_plain", None)
        super().__init__(made["data"], made["layout"], _validate=False)
        return getattr(self, name)


def mosaic(
    tiles: Array,
    *,
    layer: str,
    quantity: str = "activation",
    columns: int = 0,
    gap: int | None = None,
    shared_scale: bool = True,
    unit: int | None = None,
    note: str = "",
    equal_aspect: bool = True,
    signed: bool = False,
) -> Figure:
    """All tiles of a layer in one heat map, in rows from the top left.

    Args:
        tiles: `(units, height, width)`, any range.
        layer: the layer's name, for clicks.
        quantity: what the numbers are, `activation` or `weight`.
        columns: tiles in a row; 0 chooses, so that the whole comes near the shape of a panel.
        gap: empty pixels between tiles; None chooses as many as a small panel still shows.
        shared_scale: one colour scale for all tiles; otherwise each is divided by its own largest magnitude.
        unit: the unit to ring.
        note: words to add below.
        equal_aspect: whether pixels are square.
        signed: whether zero is the middle of the scale even where no value lies below it.
    """
    units, height, width = tiles.shape
    columns = min(columns, units) or columns_for(units, height, width)
    gap = ceil(columns * width / NARROW_PANEL) if gap is None else gap
    scales = None if shared_scale else _largest(tiles)
    shown = tiles if scales is None else tiles / scales[:, None, None]
    pixels = arrange(shown, columns, gap)
    scale = scale_of(shown, signed)
    tile = {"layer": layer, "columns": columns, "height": height, "width": width, "gap": gap, "units": units}
    legend = scale.legend(quantity, note=note) if shared_scale else _own_scales(scale, quantity, note)
    edge = 3 * pixels.shape[1] / PANEL_WIDTH  # room for the ring of an outer tile
    below = 40 if note else 24
    return figure(
        [_heatmap(pixels, scale)],
        height=below + (_height(pixels.shape, ceil(units / columns)) if equal_aspect else 320),
        meta={
            "tiles": {**tile, "quantity": quantity} | ({} if scales is None else {"scales": scales.tolist()}),
            "legend": legend.parts,
        },
        revision=f"{layer} {quantity} {columns} {pixels.shape}",
        margin={"l": 4, "r": 4, "t": 4, "b": below},
        xaxis={
            **HIDDEN_AXIS,
            "range": [-0.5 - edge, pixels.shape[1] - 0.5 + edge],
            "constrain": "domain",
            "title": note_below(legend.text),
        },
        yaxis={
            **HIDDEN_AXIS,
            "range": [pixels.shape[0] - 0.5 + edge, -0.5 - edge],
            "constrain": "domain",
            "constraintoward": "top",
            **({"scaleanchor": "x"} if equal_aspect else {}),
        },
        shapes=_ring(unit, columns, height + gap, width + gap, gap) if unit is not None and unit < units else [],
    )


def bars(
    values: Array,
    *,
    layer: str,
    labels: Sequence[str] | None = None,
    highlight: int | None = None,
    note: str = "",
    height: int = 220,
) -> Figure:
    """Units of a flat layer as bars.

    Args:
        values: `(units,)`, any range.
        layer: the layer's name, for clicks.
        labels: names of the units; their numbers when None.
        highlight: the selected unit.
        note: words below.
        height: in pixels.
    """
    named = {"tickvals": list(range(len(labels))), "ticktext": list(labels)} if labels else {}
    return figure(
        [
            {
                "type": "bar",
                "x": np.arange(len(values), dtype=np.int16),
                "y": values,
                "marker": {"color": BLUE, "line": {"width": 0}},
                "hovertemplate": "unit %{x}: %{y:.3g}<extra></extra>",
            }
        ],
        height=height,
        meta={"bars": {"layer": layer}},
        revision=f"{layer} {len(values)}",
        margin={"l": 44, "r": 8, "t": 8, "b": 40},
        bargap=0.15,
        xaxis={
            "showgrid": False,
            "zeroline": False,
            "range": [-0.6, len(values) - 0.4],
            "title": note_below(note),
            **named,
        },
        yaxis=value_axis(*extent(values)),
        shapes=unit_band(highlight, len(values)),
    )


def note_below(words: str) -> dict[str, Any]:
    """An axis title for a remark under the figure."""
    return {"text": words, "standoff": 4, "font": {"size": 11}}


def value_axis(low: float, high: float) -> dict[str, Any]:
    """An axis that holds zero and both values with a little room, and names just these; 0 to 1 when all are zero."""
    low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        high = 1.0
    room = 0.05 * (high - low)
    far = [end for end in (low, high) if abs(end) > 2 * room]
    ticks = sorted({0.0, *far})
    return {
        "gridcolor": FAINT,
        "zerolinecolor": FAINT,
        "range": [low - room if low < 0 else 0.0, high + room],
        "tickvals": ticks,
        "ticktext": [short(tick) for tick in ticks],
    }


def arrange(tiles: Array, columns: int, gap: int) -> Array:
    """Tiles `(units, height, width)` as one picture, NaN between and after them."""
    units, height, width = tiles.shape
    rows = ceil(units / columns)
    grid = np.full((rows * columns, height + gap, width + gap), np.nan, dtype=np.float32)
    grid[:units, :height, :width] = tiles
    by_row = grid.reshape(rows, columns, height + gap, width + gap).swapaxes(1, 2)
    picture: Array = by_row.reshape(rows * (height + gap), columns * (width + gap))
    return np.ascontiguousarray(picture[: -gap or None, : -gap or None])


@cache
def columns_for(units: int, height: int, width: int) -> int:
    """Tiles in a row, so that the whole comes near `ASPECT` and the last row is nearly full."""

    def fault(columns: int) -> float:
        rows = ceil(units / columns)
        aspect = columns * (width + 1) / (rows * (height + 1))
        return abs(log(aspect / ASPECT)) + 2 * (1 - units / (rows * columns))

    return min(range(1, units + 1), key=fault)


def _height(picture: tuple[int, ...], rows: int) -> int:
    """Pixels of a mosaic in a panel of usual width; one row of tiles needs no more than 180."""
    return int(np.clip(PANEL_WIDTH * picture[0] / picture[1], 132, min(380, 180 * rows)))


def _largest(tiles: Array) -> Array:
    largest: Array = np.abs(tiles).max(axis=(1, 2))
    return np.where((largest > 0) & np.isfinite(largest), largest, np.float32(1))


def _own_scales(scale: Scale, quantity: str, note: str) -> Legend:
    low = "−largest" if scale.signed else "0"
    return scale.legend(f"{quantity} of each unit", low=low, high="largest", note=note)


def _heatmap(pixels: Array, scale: Scale) -> dict[str, Any]:
    return {
        "type": "heatmap",
        "z": pixels,
        "zmin": scale.low,
        "zmax": scale.high,
        "colorscale": scale.colorscale,
        "showscale": False,
        "hoverinfo": "none",
    }


def _ring(unit: int, columns: int, height: int, width: int, gap: int) -> list[dict[str, Any]]:
    """Two outlines, dark under bright, so that the ring shows on every colour."""
    row, column = divmod(unit, columns)
    left, top = column * width - 0.5, row * height - 0.5
    box = {"type": "rect", "x0": left, "x1": left + width - gap, "y0": top, "y1": top + height - gap}
    return [{**box, "line": {"color": colour, "width": thick}} for colour, thick in (("#111111", 5), ("#ffb000", 3))]


def unit_band(unit: int | None, units: int) -> list[dict[str, Any]]:
    """A frame around the selected unit's bar, as shapes; none where that unit is not among them."""
    if unit is None or unit >= units:
        return []
    band = {"type": "rect", "yref": "paper", "y0": 0, "y1": 1, "line": {"width": 2, "color": VERMILLION}}
    return [{**band, "x0": unit - 0.5, "x1": unit + 0.5}]
