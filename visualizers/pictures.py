"""Images on a sheet: one heat map for several, in rows from the top left, with room for words below each.

Unlike a mosaic (`figures`) its tiles are not units of a layer, so there is nothing to select, and brightness always
runs from 0 to 1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray
from plotly.graph_objects import Figure

from ..backends.base import Array
from .colours import Scale
from .figures import HIDDEN_AXIS, NARROW_PANEL, PANEL_WIDTH, arrange, columns_for, figure, note_below

BRIGHTNESS = Scale(0.0, 1.0)


@dataclass(frozen=True)
class Sheet:
    """Where images of one size lie.

    Attributes:
        images: how many.
        height: of each, in pixels.
        width: of each, in pixels.
        room: empty rows below each image.
    """

    images: int
    height: int
    width: int
    room: int = 0

    @cached_property
    def columns(self) -> int:
        """Images in a row."""
        return columns_for(self.images, self.height + self.room, self.width)

    @cached_property
    def gap(self) -> int:
        """Empty pixels between images."""
        return ceil(self.columns * self.width / NARROW_PANEL)

    @cached_property
    def corners(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Column and row of every image's first pixel on the sheet, each `(images,)`."""
        rows, columns = np.divmod(np.arange(self.images, dtype=np.float32), self.columns)
        return columns * (self.width + self.gap), rows * (self.height + self.room + self.gap)

    def figure(
        self, images: Array, *, revision: str, note: str, traces: Sequence[Mapping[str, Any]] = (), **layout: Any
    ) -> Figure:
        """The images as a figure.

        Args:
            images: `(images, height, width)` in [0, 1], as many as the sheet has places or fewer.
            revision: while it stays the same, zoom survives a redraw.
            note: words below.
            traces: what lies on top.
            layout: more of Plotly's layout.
        """
        tiles = np.full((self.images, self.height + self.room, self.width), np.nan, np.float32)
        tiles[: len(images), : self.height] = images
        pixels = arrange(tiles, self.columns, self.gap)
        legend = BRIGHTNESS.legend("brightness", note=note)
        rows = ceil(self.images / self.columns)
        square = int(np.clip(PANEL_WIDTH * pixels.shape[0] / pixels.shape[1], 132, min(380, 260 * rows)))
        heatmap = {
            "type": "heatmap",
            "z": pixels,
            "zmin": BRIGHTNESS.low,
            "zmax": BRIGHTNESS.high,
            "colorscale": BRIGHTNESS.colorscale,
            "showscale": False,
            "hoverinfo": "skip" if traces else "z",
        }
        return figure(
            [heatmap, *traces],
            height=40 + square,
            meta={"legend": legend.parts},
            revision=revision,
            margin={"l": 4, "r": 4, "t": 4, "b": 40},
            xaxis={
                **HIDDEN_AXIS,
                "range": [-0.5, pixels.shape[1] - 0.5],
                "constrain": "domain",
                "title": note_below(legend.text),
            },
            yaxis={
                **HIDDEN_AXIS,
                "range": [pixels.shape[0] - 0.5, -0.5],
                "constrain": "domain",
                "constraintoward": "top",
                "scaleanchor": "x",
            },
            **layout,
        )
