"""All layers in a table, with what each costs."""

from collections.abc import Sequence

from plotly.graph_objects import Figure

from ..models.layers import LayerInfo
from .architecture_graph import BAND
from .colours import CLEAR, FAINT
from .contract import NoSettings, Subject, visualizer
from .figures import figure
from .words import kind_words, shape_words

HEADINGS = ("Layer", "Output", "Parameters", "Multiply-adds")
WIDTHS = (32, 22, 22, 24)
ROW, HEADER = 43, 28


@visualizer(title="Layer table", follows_pen=False, wide=True)
def layer_table(subject: Subject, settings: NoSettings) -> Figure:
    """Where the network keeps what it has learned, and where it spends its time.

    Parameters are the stored numbers, moving statistics included; multiply-adds are the multiplications with an
    addition that one image costs; below each stands its share of the whole. The two rarely sit in the same layer: a
    convolution uses few numbers again and again at every place, a dense layer uses each of its many numbers once.

    Output shapes are (height, width, channels) or (units,), for one image.
    """
    layers = subject.model.layers
    chosen = None if subject.layer is None else subject.layer.name
    marked = [BAND if layer.name == chosen else CLEAR for layer in layers] + [CLEAR]
    look = {"line": {"color": FAINT}, "align": "left"}
    header = {"values": [f"<b>{heading}</b>" for heading in HEADINGS], "fill": {"color": CLEAR}, "height": HEADER}
    cells = {"values": _columns(layers), "fill": {"color": [marked]}, "height": ROW}
    return figure(
        [{"type": "table", "columnwidth": list(WIDTHS), "header": {**header, **look}, "cells": {**cells, **look}}],
        height=HEADER + (len(layers) + 1) * ROW + 20,
    )


def _columns(layers: Sequence[LayerInfo]) -> list[list[str]]:
    return [
        [_two_lines(f"<b>{layer.name}</b>", kind_words(layer)) for layer in layers] + ["<b>all layers</b>"],
        [shape_words(layer.output_shape) for layer in layers] + [""],
        _counted([layer.parameters for layer in layers]),
        _counted([layer.multiply_adds for layer in layers]),
    ]


def _counted(numbers: Sequence[int]) -> list[str]:
    """Each number with its share of the total below it, and the total."""
    total = sum(numbers)
    cells = [_two_lines(f"{number:,}", f"{100 * number / total:.1f} %") if number else "" for number in numbers]
    return [*cells, f"<b>{total:,}</b>"]


def _two_lines(above: str, below: str) -> str:
    return f"{above}<br><span style='font-size:10px'>{below}</span>"
