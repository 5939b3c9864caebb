"""One scale for the figures of a row, so that the same colour and the same height mean the same number in each."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...visualizers.colours import Scale
from ...visualizers.figures import value_axis
from ...visualizers.overlays import OUTLINE
from ...visualizers.words import short

Figure = dict[str, Any]


def on_one_scale(figures: Sequence[Figure]) -> list[Figure]:
    """The figures with a common scale where they are mosaics, attributions or upright bars; others as they are.

    None of the figures given is changed.
    """
    if len(figures) < 2:
        return list(figures)
    if all(_is(figure, "heatmap") and "tiles" in figure["layout"].get("meta", {}) for figure in figures):
        return _heatmaps(figures)
    if all(_is(figure, "heatmap") and "overlay" in figure["layout"].get("meta", {}) for figure in figures):
        return _overlays(figures)
    if all(_is(figure, "bar") and "range" in figure["layout"].get("yaxis", {}) for figure in figures):
        return _bars(figures)
    return list(figures)


def _is(figure: Figure, kind: str) -> bool:
    return (
        len(figure["data"]) == 1 and figure["data"][0]["type"] == kind and figure["data"][0].get("orientation") != "h"
    )


def _heatmaps(figures: Sequence[Figure]) -> list[Figure]:
    if any("scales" in figure["layout"]["meta"]["tiles"] for figure in figures):
        return list(figures)  # every tile has a scale of its own
    ends = [(figure["data"][0]["zmin"], figure["data"][0]["zmax"]) for figure in figures]
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    scale = Scale(-max(-low, high), max(-low, high)) if low < 0 else Scale(0.0, high)
    return [_with_scale(figure, scale) for figure in figures]


def _with_scale(figure: Figure, scale: Scale) -> Figure:
    meta = figure["layout"]["meta"]
    legend = {
        **meta.get("legend", {}), "low": short(scale.low), "high": short(scale.high), "colours": list(scale.colours),
    }  # fmt: skip
    trace = {**figure["data"][0], "zmin": scale.low, "zmax": scale.high, "colorscale": scale.colorscale}
    return {**figure, "data": [trace], "layout": {**figure["layout"], "meta": {**meta, "legend": legend}}}


def _overlays(figures: Sequence[Figure]) -> list[Figure]:
    """Attributions over an image, whose strongest value has the strongest colour: that of all of them."""
    largest = max(figure["layout"]["meta"]["overlay"] for figure in figures)
    return [_fainter(figure, largest) for figure in figures]


def _fainter(figure: Figure, largest: float) -> Figure:
    meta = figure["layout"]["meta"]
    share, cells = meta["overlay"] / (largest or 1.0), figure["data"][0]["z"]
    faint = np.where(cells == OUTLINE, OUTLINE, np.rint(share * cells)).astype(cells.dtype)
    low = meta["legend"]["low"] if meta["legend"]["low"] == "0" else short(-largest)
    meta = {**meta, "overlay": largest, "legend": {**meta["legend"], "low": low, "high": short(largest)}}
    return {**figure, "data": [{**figure["data"][0], "z": faint}], "layout": {**figure["layout"], "meta": meta}}


def _bars(figures: Sequence[Figure]) -> list[Figure]:
    values = [np.asarray(figure["data"][0]["y"]) for figure in figures]
    axis = value_axis(float(min(each.min() for each in values)), float(max(each.max() for each in values)))
    return [
        {**figure, "layout": {**figure["layout"], "yaxis": {**figure["layout"]["yaxis"], **axis}}} for figure in figures
    ]
