"""Which part of the image a position of a layer can see."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from plotly.graph_objects import Figure

from ..backends.base import Model
from ..models.layers import LayerInfo
from .cells import outlines
from .contract import Need, NoSettings, Subject, visualizer
from .figures import MOST_VALUES, mosaic
from .windows import WINDOWED, Position, axes_of, place_words, position_of
from .words import joined, part, shape_words

Span = tuple[int, int]
EVERYWHERE = frozenset({"flatten", "globalaveragepool2d"})
"""Kinds that read all positions of their input."""
IN_PLACE = frozenset({"activation", "batchnorm", "dropout", "add", "concatenate", "dense"})
"""Kinds that read no other position of their inputs than their own."""


@dataclass(frozen=True)
class Field:
    """What a value of a layer sees of another one, at last of the image.

    Attributes:
        seen: `(height, width)`, True where a change can change the value.
        rows: first and last row that the windows cover, padding included, so possibly outside.
        columns: likewise.
    """

    seen: NDArray[np.bool_]
    rows: Span
    columns: Span

    @property
    def box(self) -> tuple[Span, Span]:
        """First and last row, first and last column that are seen."""
        rows, columns = (np.flatnonzero(self.seen.any(axis=axis)) for axis in (1, 0))
        return (int(rows[0]), int(rows[-1])), (int(columns[0]), int(columns[-1]))

    def joined(self, other: "Field | None") -> "Field":
        """What is seen through this branch or the other."""
        if other is None:
            return self
        return Field(self.seen | other.seen, _hull(self.rows, other.rows), _hull(self.columns, other.columns))


@visualizer(title="Receptive field", needs={Need.IMAGE, Need.LAYER})
def receptive_field(subject: Subject, settings: NoSettings) -> Figure:
    """The part of your image that one position of this layer can see; nothing outside the frame can change it.

    Deeper layers see more: every convolution and every pooling widens the view, strides most of all, and after a dense
    layer each unit sees everything. Click another pixel of a feature map and watch the frame move. At the border a part
    of the frame would lie outside the image, where there is only padding: "5×5 of 7×7 pixels" are left then.

    Computed exactly from kernels, strides and padding of all layers between, along all branches; the tiles are the
    channels of the image, (height, width) each. Araujo, Norris and Sim 2019, "Computing Receptive Fields of
    Convolutional Neural Networks".
    """
    position, image = position_of(subject), subject.image
    field = field_of(subject.model, subject.chosen, position)
    height, width, channels = image.shape
    shown = min(channels, max(1, MOST_VALUES // (height * width)))
    where = "" if position is None else place_words(subject, position)[-1]
    drawn = mosaic(
        image.transpose(2, 0, 1)[:shown],
        layer=subject.model.layers[0].name,
        quantity="pixel",
        note=joined(size_words(field), where, part(shown, channels, "channels")),
    )
    tiles = drawn.layout.meta["tiles"]
    drawn.update_layout(
        shapes=[shape for tile in range(shown) for shape in _frame(field, *_corner(tile, tiles))], overwrite=True
    )
    return drawn


def field_of(model: Model, layer: LayerInfo, position: Position | None) -> Field:
    """What a position of a layer sees of the image; for a layer without positions, what all its units together see.

    Raises:
        LookupError: on the way lies a layer that reads its input in a way that is not known.
    """
    fields: dict[str, Field] = {layer.name: _start(layer, position)}
    for each in reversed(model.layers):
        field = fields.get(each.name)
        for name in each.inputs if field else ():
            assert field is not None
            fields[name] = _through(each, model.layer(name), field).joined(fields.get(name))
    return fields[model.layers[0].name]


def size_words(field: Field) -> str:
    """`sees 5×7 pixels`; `5×7 of 9×7` where the border cuts it; and how many, where the windows leave some out."""
    (top, bottom), (left, right) = field.box
    size = (bottom - top + 1, right - left + 1)
    whole = (field.rows[1] - field.rows[0] + 1, field.columns[1] - field.columns[0] + 1)
    words = f"sees {shape_words(size)}" + ("" if size == whole else f" of {shape_words(whole)}") + " pixels"
    seen = int(field.seen.sum())
    return words if seen == size[0] * size[1] else f"{words}, only {seen:,} of them"


def _start(layer: LayerInfo, position: Position | None) -> Field:
    if position is None:
        height, width = layer.output_shape[:2] if layer.is_spatial else (1, 1)
        return Field(np.ones((height, width), np.bool_), (0, height - 1), (0, width - 1))
    seen = np.zeros(layer.output_shape[:2], np.bool_)
    seen[position] = True
    return Field(seen, (position[0], position[0]), (position[1], position[1]))


def _through(layer: LayerInfo, source: LayerInfo, field: Field) -> Field:
    """What is seen of a layer's source through the part of the layer that is seen."""
    if not source.is_spatial or (layer.kind in EVERYWHERE and not layer.is_spatial):
        return _start(source, None)
    if layer.kind in WINDOWED:
        rows, columns = axes_of(layer, source.output_shape)
        seen = (rows.reach() @ field.seen.astype(np.float32) @ columns.reach().T) > 0
        return Field(seen, rows.span(*field.rows), columns.span(*field.columns))
    if layer.kind in IN_PLACE and layer.output_shape[:2] == source.output_shape[:2]:
        return field
    raise LookupError(
        f"What one position of {layer.name} ({layer.kind}) reads of {source.name} is not known, "
        "so neither is what it sees of the image."
    )


def _hull(one: Span, other: Span) -> Span:
    return min(one[0], other[0]), max(one[1], other[1])


def _corner(tile: int, tiles: dict[str, int]) -> tuple[int, int]:
    """`(row, column)` of a tile's first pixel in the mosaic."""
    row, column = divmod(tile, tiles["columns"])
    return row * (tiles["height"] + tiles["gap"]), column * (tiles["width"] + tiles["gap"])


def _frame(field: Field, top: int, left: int) -> list[dict[str, Any]]:
    rows, columns = field.box
    return outlines(left + columns[0], left + columns[1], top + rows[0], top + rows[1])
