"""From a position in a layer's output to the pixel of the image in the middle of what it sees."""

from collections.abc import Sequence

from ..backends.base import Model
from ..models.layers import LayerInfo


def middle_pixel(model: Model, layer: str, position: tuple[float, float]) -> tuple[float, float]:
    """`(row, column)` in the image for `(row, column)` in a layer with height and width; the centre of pixel 0 is 0.

    Windows, strides and padding are followed back along each layer's first input. What is not known of a layer is
    taken to spread its positions evenly over its input.
    """
    info, place = model.layer(layer), position
    while info.inputs:
        source = model.layer(info.inputs[0])
        place = (_before(info, source, 0, place[0]), _before(info, source, 1, place[1]))
        info = source
    return place


def _before(info: LayerInfo, source: LayerInfo, axis: int, place: float) -> float:
    taken, given = source.output_shape[axis], info.output_shape[axis]
    if "window" not in info.settings:
        return (place + 0.5) * taken / given - 0.5
    window, stride = _reach(info, axis), int(info.settings["strides"][axis])
    padded = _padded(info.settings["padding"], axis, (given - 1) * stride + window - taken)
    return place * stride + (window - 1) / 2 - padded


def _reach(info: LayerInfo, axis: int) -> int:
    """Pixels from one end of the window to the other."""
    apart: Sequence[int] = info.settings.get("dilation", (1, 1))
    return int((info.settings["window"][axis] - 1) * apart[axis] + 1)


def _padded(padding: object, axis: int, missing: int) -> int:
    """Rows or columns of padding before the first one; the odd one of `same` goes to the end."""
    if padding == "same":
        return max(0, missing) // 2
    return int(padding[axis]) if isinstance(padding, list | tuple) else 0
