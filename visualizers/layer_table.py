"""All layers in a table, with what each costs."""

from collections.abc import Sequence
from typing import Any

from plotly.graph_objects import Figure

from ..models.layers import LayerInfo
from .architecture_graph import BAND
from .colours import CLEAR, FAINT
from .contract import NoSettings, Subject, visualizer
from .figures import figure
from .words import kind_words, shape_words

HEADINGS = ("Layer", "Kind", "Output", "Parameters", "Share", "Multiply-adds", "Share")
WIDTHS = (15, 19, 12, 13, 9, 15, 9)
ROW = 26


@visualizer(title="Layer table", follows_pen=False)
def layer_table(subject: Subject, settings: NoSettings) -> Figure:
    """Where the network keeps what it has learned, and where it spends its time.

    Parameters are the stored numbers, moving statistics included; multiply-adds are the multiplications with an
    addition that one image costs. The two rarely sit in the same layer: a convolution uses few numbers again and again
    at every place, a dense layer uses each of its many numbers once.

    Output shapes are (height, width, channels) or (units,), for one image.
    """
    layers = subject.model.layers
    chosen = "" if subject.layer is None else subject.layer.name
    right = ["left", "left", "left", "right", "right", "right", "right"]
    marked = [BAND if layer.name == chosen else CLEAR for layer in layers] + [CLEAR]
    look = {"line": {"color": FAINT}, "align": right, "height": ROW}
    return figure(
        [
            {
                "type": "table",
                "columnwidth": list(WIDTHS),
                "header": {"values": [f"<b>{heading}</b>" for heading in HEADINGS], "fill": {"color": CLEAR}, **look},
                "cells": {"values": _columns(layers), "fill": {"color": [marked]}, **look},
            }
        ],
        height=(len(layers) + 2) * ROW + 12,
    )


def _columns(layers: Sequence[LayerInfo]) -> list[list[str]]:
    parameters = [layer.parameters for layer in layers]
    costs = [layer.multiply_adds for layer in layers]
    return [
        [layer.name for layer in layers] + ["<b>all layers</b>"],
        [kind_words(layer) for layer in layers] + [""],
        [shape_words(layer.output_shape) for layer in layers] + [""],
        *_counted(parameters),
        *_counted(costs),
    ]


def _counted(numbers: Sequence[int]) -> tuple[list[str], list[str]]:
    """Numbers with their total, and the share of each."""
    total = sum(numbers)
    shares = [f"{100 * number / total:.1f} %" if number else "" for number in numbers]
    return [f"{number:,}" if number else "" for number in numbers] + [f"<b>{total:,}</b>"], [*shares, _whole(total)]


def _whole(total: int) -> Any:
    return "100 %" if total else ""
