"""Where the window of a convolution or a pooling lies on its input, counted exactly, and which position is meant."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models.layers import LayerInfo, Shape
from .contract import Subject
from .words import joined

Position = tuple[int, int]
WINDOWED = frozenset({"conv2d", "maxpool2d", "averagepool2d"})


@dataclass(frozen=True)
class Axis:
    """One axis of a layer that moves a window over its input.

    Attributes:
        size: of the input.
        outputs: positions of the window.
        window: values that it reads at each of them.
        stride: from one position to the next.
        dilation: from one value read to the next.
        before: rows or columns of padding before the first one; with `same` padding the odd one goes behind.
    """

    size: int
    outputs: int
    window: int
    stride: int
    dilation: int
    before: int

    def read(self, position: int) -> NDArray[np.intp]:
        """The indices read at a position, `(window,)`; below 0 and from `size` on lies padding."""
        return position * self.stride - self.before + self.dilation * np.arange(self.window)

    def span(self, first: int, last: int) -> tuple[int, int]:
        """First and last index read at the positions from first to last, padding included."""
        return int(self.read(first)[0]), int(self.read(last)[-1])

    def reach(self) -> NDArray[np.float32]:
        """`(size, outputs)`: 1 where the position reads the index, else 0."""
        matrix = np.zeros((self.size, self.outputs), np.float32)
        for position in range(self.outputs):
            read = self.read(position)
            matrix[read[(read >= 0) & (read < self.size)], position] = 1
        return matrix


def axes_of(layer: LayerInfo, source: Shape) -> tuple[Axis, Axis]:
    """Rows and columns of a convolution or a pooling that reads an input of shape `(height, width, channels)`.

    Raises:
        LookupError: the layer does not say how it moves its window.
    """
    settings = layer.settings
    window = settings.get("window") or layer.weight_shapes.get("kernel", ())[:2]
    if len(window) != 2 or len(source) != 3 or not layer.is_spatial:
        raise LookupError(f"{layer.name} moves no window over height and width that could be shown.")
    strides, dilation = settings.get("strides", (1, 1)), settings.get("dilation", (1, 1))
    rows, columns = (
        _axis(layer, settings.get("padding", "valid"), axis, source[axis], window[axis], strides[axis], dilation[axis])
        for axis in (0, 1)
    )
    return rows, columns


def _axis(layer: LayerInfo, padding: Any, axis: int, size: int, window: int, stride: int, dilation: int) -> Axis:
    outputs = layer.output_shape[axis]
    if padding == "same":
        before = max((outputs - 1) * stride + dilation * (window - 1) + 1 - size, 0) // 2
    elif padding == "valid":
        before = 0
    elif isinstance(padding, tuple | list):
        before = int(padding[axis])
    else:
        raise LookupError(f"Layer {layer.name!r} pads its input in a way that is not known. Received: {padding!r}")
    return Axis(size, outputs, int(window), int(stride), int(dilation), before)


def position_of(subject: Subject) -> Position | None:
    """The selected position; where none is, the one of the largest activation of the unit, or of all units.

    None for a layer without height and width.

    Raises:
        LookupError: the layer has no such position.
    """
    layer = subject.chosen
    if not layer.is_spatial:
        return None
    if subject.position is None:
        maps = subject.activation
        seen = maps.max(axis=2) if subject.unit is None else maps[..., subject.unit]
        best, columns = int(seen.argmax()), int(seen.shape[1])
        return divmod(best, columns)
    rows, columns = layer.output_shape[:2]
    row, column = subject.position
    if not (0 <= row < rows and 0 <= column < columns):
        raise LookupError(
            f"Layer {layer.name!r} has rows 0 to {rows - 1} and columns 0 to {columns - 1}. "
            f"Received: position={subject.position}"
        )
    return row, column


def place_words(subject: Subject, position: Position | None) -> tuple[str, ...]:
    """`conv1 · unit 3`, and on a line of its own the position, and why there when nobody chose it."""
    name = joined(subject.chosen.name, "" if subject.unit is None else f"unit {subject.unit}")
    if position is None:
        return (name,)
    words = f"row {position[0]}, column {position[1]}"
    return name, words if subject.position is not None else f"{words} (its largest value)"
