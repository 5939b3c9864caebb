"""The units of a layer that has no height and width."""

from dataclasses import dataclass
from typing import Annotated, Literal

from plotly.graph_objects import Figure

from ..backends.base import Model
from ..models.layers import LayerInfo
from .contract import Need, Subject, is_flat, visualizer
from .controls import Help, Range
from .figures import MOST_VALUES, bars, mosaic
from .words import joined, part

FEW = 128
MOST_BARS = 1024


@dataclass(frozen=True)
class DenseOutputSettings:
    shape: Annotated[
        Literal["automatic", "bars", "image"],
        Help(f"Automatic: bars up to {FEW} units, else an image of one pixel each."),
    ] = "automatic"
    columns: Annotated[int, Range(0, 128), Help("Pixels in a row of the image; 0 chooses.")] = 0


@visualizer(title="Dense outputs", needs={Need.IMAGE, Need.LAYER}, applies_to=is_flat)
def dense_outputs(subject: Subject, settings: DenseOutputSettings) -> Figure:
    """How strongly each unit of this layer answers to your image: one bar, or one pixel, for each unit.

    Draw different digits and watch which units go together: a trained layer answers to the same digit with about the
    same units, however it is written. After a relu many units are exactly zero; the layer before it still shows how
    far below zero they were.

    The activation has shape (units,).
    """
    values, layer = subject.activation, subject.chosen
    if settings.shape == "image" or (settings.shape == "automatic" and layer.units > FEW):
        shown = values[:MOST_VALUES]
        note = part(len(shown), layer.units)
        columns = settings.columns or image_width(subject.model, layer)
        tiles = shown[:, None, None]
        return mosaic(tiles, layer=layer.name, columns=columns, gap=0, unit=subject.unit, note=note)
    shown = values[:MOST_BARS]
    note = joined("activation of each unit", part(len(shown), layer.units))
    labels = subject.model.classes if stands_for_classes(subject.model, layer.name) else None
    return bars(shown, layer=layer.name, labels=labels, highlight=subject.unit, note=note)


def image_width(model: Model, layer: LayerInfo) -> int:
    """Pixels in a row of the one-channel image that a layer flattens; 0 for any other layer."""
    shape = model.layer(layer.inputs[0]).output_shape if layer.kind == "flatten" else ()
    return shape[1] if len(shape) == 3 and shape[2] == 1 else 0


def stands_for_classes(model: Model, name: str) -> bool:
    """Whether the units of this layer are the classes: the last layer, or what enters its activation function."""
    last = model.layers[-1]
    return name == last.name or (last.kind == "activation" and last.inputs == (name,))
