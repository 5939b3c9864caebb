"""Two images in one layer: where the network's answer to them differs."""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from plotly.graph_objects import Figure

from ..backends.base import Array
from .colours import BLUE, ORANGE, extent
from .contract import Need, Subject, any_layer, visualizer
from .controls import Help, Range
from .dense_outputs import FEW, image_width, stands_for_classes
from .figures import MOST_VALUES, figure, mosaic, note_below, unit_band, value_axis
from .words import joined, part


@dataclass(frozen=True)
class CompareImagesSettings:
    columns: Annotated[int, Range(0, 32), Help("Tiles in a row; 0 chooses.")] = 0


@visualizer(title="Two images", needs={Need.IMAGE, Need.LAYER, Need.SECOND_IMAGE}, applies_to=any_layer)
def compare_images(subject: Subject, settings: CompareImagesSettings) -> Figure:
    """What this layer makes of the difference between your drawing and a second image that you kept beside it.

    Red is where a unit answers more strongly to your drawing, blue where it answers more strongly to the second image,
    and grey where both are the same to it. All tiles share one scale, so a pale tile is a unit that does not tell the
    two apart. Keep a 1, draw a 7, and look for the layer from which on the two come apart; then draw the same digit
    twice, and look for the layer that forgets how it was written.

    A layer with height and width shows (activation of the drawing − activation of the second image), one tile of height
    × width for each unit; a flat layer shows the two activations of each unit side by side, and beyond 128 units
    their difference as one pixel for each.
    """
    if subject.second_image is None:
        raise LookupError("There is no second image.")
    layer = subject.chosen
    one, two = subject.activation, subject.second_image.activations[layer.name]
    if not layer.is_spatial and layer.units <= FEW:
        return _pairs(subject, one, two)
    tiles = (one - two).transpose(2, 0, 1) if layer.is_spatial else (one - two)[:, None, None]
    shown = min(layer.units, max(1, MOST_VALUES // (tiles.shape[1] * tiles.shape[2])))
    return mosaic(
        tiles[:shown],
        layer=layer.name,
        quantity="difference",
        columns=settings.columns or (0 if layer.is_spatial else image_width(subject.model, layer)),
        gap=None if layer.is_spatial else 0,
        unit=subject.unit,
        note=joined("red: more in the drawing", part(shown, layer.units)),
        signed=True,
    )


def _pairs(subject: Subject, one: Array, two: Array) -> Figure:
    """Two bars for each unit, the drawing's first."""
    labels = subject.model.classes if stands_for_classes(subject.model, subject.chosen.name) else None
    named = {"tickvals": list(range(len(labels))), "ticktext": list(labels)} if labels else {}
    ends = [extent(values) for values in (one, two)]
    words = f'<span style="color:{BLUE}">█</span> drawing <span style="color:{ORANGE}">█</span> second image'
    return figure(
        [_series("drawing", BLUE, one), _series("second image", ORANGE, two)],
        height=220,
        meta={"bars": {"layer": subject.chosen.name}},
        revision=f"{subject.chosen.name} {len(one)} compared",
        margin={"l": 44, "r": 8, "t": 8, "b": 40},
        barmode="group",
        bargap=0.2,
        xaxis={
            "showgrid": False,
            "zeroline": False,
            "range": [-0.6, len(one) - 0.4],
            "title": note_below(words),
            **named,
        },
        yaxis=value_axis(min(low for low, _ in ends), max(high for _, high in ends)),
        shapes=unit_band(subject.unit, len(one)),
    )


def _series(name: str, colour: str, values: Array) -> dict[str, Any]:
    return {
        "type": "bar",
        "name": name,
        "x": np.arange(len(values), dtype=np.int16),
        "y": values,
        "marker": {"color": colour, "line": {"width": 0}},
        "hovertemplate": f"{name}, unit %{{x}}: %{{y:.3g}}<extra></extra>",
    }
