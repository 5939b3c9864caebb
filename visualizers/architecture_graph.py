"""The network as a graph of layers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from plotly.graph_objects import Figure

from ..models.layers import LayerInfo
from .colours import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILLION
from .contract import Subject, visualizer
from .controls import Help
from .figures import HIDDEN_AXIS, figure
from .lanes import Lanes, lanes_of
from .words import kind_words, shape_words

# Colour and shape both tell the kind, so that neither eye is needed for the other.
LOOKS = {
    "input": (GREY, "circle"),
    "conv2d": (BLUE, "square"),
    "maxpool2d": (GREEN, "triangle-down"),
    "averagepool2d": (GREEN, "triangle-down"),
    "globalaveragepool2d": (GREEN, "triangle-down"),
    "dense": (ORANGE, "diamond"),
    "add": (PURPLE, "cross"),
    "concatenate": (PURPLE, "cross"),
}
ROW, COLUMN = 24, 0.45
WIDTH, OUTPUT_AT = 6.0, 4.15
BAND = "rgba(213,94,0,0.16)"


@dataclass(frozen=True)
class GraphSettings:
    direction: Annotated[Literal["down", "across"], Help("Which way the image travels.")] = "down"


@visualizer(title="Architecture", follows_pen=False, wide=True)
def architecture_graph(subject: Subject, settings: GraphSettings) -> Figure:
    """The way of your image through the network, layer by layer; click a layer to select it everywhere.

    Squares are convolutions, triangles pool, diamonds are dense layers, crosses join branches, small dots only reshape
    or switch values. Watch the shape: height and width shrink while the number of channels grows, until one row of
    units is left. Most parameters usually sit in the first dense layer.

    Shapes are (height, width, channels) or (units,), for one image.
    """
    lanes = lanes_of(subject.model.layers)
    chosen = None if subject.layer is None else lanes.places.get(subject.layer.name)
    return (_down if settings.direction == "down" else _across)(subject.model.layers, lanes, chosen)


def _down(layers: Sequence[LayerInfo], lanes: Lanes, chosen: tuple[int, int] | None) -> Figure:
    names = [_name(layer) for layer in layers]
    shapes = [shape_words(layer.output_shape) for layer in layers]
    counts = [f"{layer.parameters:,}" if layer.parameters else "" for layer in layers]
    beside = COLUMN * (lanes.width - 1) + 0.25
    columns = [
        _labels(["<i>layer</i>", *names], beside, "right"),
        _labels(["<i>output</i>", *shapes], OUTPUT_AT, "center"),
        _labels(["<i>parameters</i>", *counts], WIDTH - 0.08, "left"),
    ]
    return figure(
        [_lines(lanes, across=False), _nodes(layers, lanes, across=False), *columns],
        height=ROW * (len(layers) + 1) + 8,
        revision="down",
        hovermode="y",
        xaxis={**HIDDEN_AXIS, "range": [-0.3, WIDTH], "fixedrange": True},
        yaxis={**HIDDEN_AXIS, "range": [len(layers) - 0.4, -1.5], "fixedrange": True},
        shapes=[_band("y", chosen[1])] if chosen else [],
    )


def _across(layers: Sequence[LayerInfo], lanes: Lanes, chosen: tuple[int, int] | None) -> Figure:
    texts = [f"<b>{layer.name}</b>  {_brief(layer)}" for layer in layers]
    return figure(
        [_lines(lanes, across=True), _nodes(layers, lanes, across=True)],
        height=60 + 34 * lanes.width + 6 * max(map(len, texts)),
        revision="across",
        hovermode="x",
        margin={"l": 4, "r": 4, "t": 4, "b": 4},
        xaxis={
            **HIDDEN_AXIS,
            "range": [-0.6, len(layers) - 0.4],
            "fixedrange": True,
            "showticklabels": True,
            "tickangle": 90,
            "tickvals": list(range(len(layers))),
            "automargin": True,
            "ticktext": texts,
        },
        yaxis={**HIDDEN_AXIS, "range": [lanes.width - 0.4, -0.6], "fixedrange": True},
        shapes=[_band("x", chosen[1])] if chosen else [],
    )


def _nodes(layers: Sequence[LayerInfo], lanes: Lanes, *, across: bool) -> dict[str, Any]:
    looks = [LOOKS.get(layer.kind, (GREY, "circle")) for layer in layers]
    return {
        "type": "scatter",
        "mode": "markers",
        **_axes([lanes.places[layer.name] for layer in layers], across=across),
        "marker": {
            "color": [colour for colour, _ in looks],
            "symbol": [symbol for _, symbol in looks],
            "size": [15 if layer.kind in LOOKS else 9 for layer in layers],
            "line": {"width": 0},
            "opacity": 1,
        },
        "customdata": [[layer.name] for layer in layers],
        "hoverinfo": "none",
    }


def _labels(texts: Sequence[str], x: float, side: str) -> dict[str, Any]:
    """A column of text, one line for the heading and one for each row."""
    return {
        "type": "scatter",
        "mode": "text",
        "x": np.full(len(texts), x, dtype=np.float32),
        "y": np.arange(-1, len(texts) - 1, dtype=np.int16),
        "text": list(texts),
        "textposition": f"middle {side}",
        "hoverinfo": "skip",
        "cliponaxis": False,
    }


def _lines(lanes: Lanes, *, across: bool) -> dict[str, Any]:
    """All connections as one line, broken by NaN."""
    points = [point for path in lanes.paths for point in (*path, (np.nan, np.nan))]
    return {
        "type": "scatter",
        "mode": "lines",
        **_axes(points, across=across),
        "line": {"color": GREY, "width": 2},
        "hoverinfo": "skip",
    }


def _axes(points: Sequence[tuple[float, float]], *, across: bool) -> dict[str, Any]:
    lanes, rows = np.array(points, dtype=np.float32).reshape(-1, 2).T
    return {"x": rows, "y": lanes} if across else {"x": lanes * np.float32(COLUMN), "y": rows}


def _band(axis: str, row: int) -> dict[str, Any]:
    """A bright band across the drawing behind the selected layer."""
    other = "x" if axis == "y" else "y"
    return {
        "type": "rect",
        "layer": "below",
        f"{other}ref": "paper",
        f"{other}0": 0,
        f"{other}1": 1,
        f"{axis}0": row - 0.5,
        f"{axis}1": row + 0.5,
        "fillcolor": BAND,
        "line": {"width": 1, "color": VERMILLION},
    }


def _name(layer: LayerInfo) -> str:
    kind = kind_words(layer)
    return f"<b>{layer.name}</b>" + (f"  {kind}" if kind != layer.name else "")


def _brief(layer: LayerInfo) -> str:
    return f"{kind_words(layer)}, {shape_words(layer.output_shape)}"
