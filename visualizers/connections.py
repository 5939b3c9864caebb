"""Which units of one layer speak to which units of the next, and how loudly, for one image."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..backends.base import Array, Model, read_only
from ..models.layers import LayerInfo

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Bridge:
    """A layer with weights, seen as connections between two columns of units.

    Attributes:
        layer: the layer whose kernel weighs the connections.
        source: name of the layer whose activation it reads.
        target: name of the layer where its units are shown, after activation function and pooling.
        offset: number of its first unit there; not 0 only behind a concatenation.
    """

    layer: LayerInfo
    source: str
    target: str
    offset: int = 0


def bridges_of(model: Model) -> tuple[Bridge, ...]:
    """All bridges of a network, in the order of its layers."""
    weighted = [layer for layer in model.layers if "kernel" in layer.weight_shapes]
    shown = {_read_by(model, layer) for layer in weighted} | {model.layers[-1].name}
    found = []
    for layer in weighted:
        found += [Bridge(layer, _read_by(model, layer), *end) for end in _shown_at(model, layer, 0, shown)]
    return tuple(found)


def strength(activation: Array) -> Array:
    """One number for each unit, `(units,)`: the mean over height and width where there are any."""
    return activation.mean(axis=(0, 1)) if activation.ndim == 3 else activation


def contributions(
    layer: LayerInfo, kernel: Array, activation: Array, sources: Indices, targets: Indices
) -> Array | None:
    """What source units add to target units before the activation function, summed over all positions.

    Args:
        layer: the convolution or dense layer.
        kernel: `(height, width, in, out)` or `(in, out)`.
        activation: what it reads, `(height, width, channels)` or `(units,)`.
        sources: channels of the activation.
        targets: units of the layer.

    Returns:
        `(sources, targets)`; None where the kernel does not read this activation channel by channel.
    """
    channels = activation.shape[-1]
    if kernel.ndim == 4 and activation.ndim == 3 and kernel.shape[2] == channels:
        seen = _seen_by_kernel(layer, kernel.shape[:2], activation[..., sources])
        return read_only(np.einsum("hwi,hwio->io", seen, kernel[:, :, sources][..., targets]))
    if kernel.ndim == 2 and kernel.shape[0] == activation.size:
        flat = activation.reshape(-1, channels)[:, sources]
        weights = kernel[:, targets].reshape(-1, channels, len(targets))[:, sources]
        return read_only(np.einsum("pi,pio->io", flat, weights))
    return None


def _seen_by_kernel(layer: LayerInfo, window: Sequence[int], activation: Array) -> Array:
    """The sum of all inputs that each place of the kernel meets as it moves, `(height, width, channels)`."""
    strides = layer.settings.get("strides", (1, 1))
    pads = [_padding(*sizes) for sizes in zip(activation.shape, layer.output_shape, window, strides, strict=False)]
    padded = np.pad(activation, (*pads, (0, 0))) if any(map(any, pads)) else activation
    rows, columns = (int(taken * stride) for taken, stride in zip(layer.output_shape, strides, strict=False))
    return np.array(
        [
            [padded[y : y + rows : strides[0], x : x + columns : strides[1]].sum(axis=(0, 1)) for x in range(window[1])]
            for y in range(window[0])
        ],
        dtype=np.float32,
    )


def _padding(size: int, output: int, window: int, stride: int) -> tuple[int, int]:
    """Zeros before and after one axis; the odd one goes behind. None with `valid` padding."""
    total = max((output - 1) * stride + window - size, 0)
    return total // 2, total - total // 2


def _read_by(model: Model, layer: LayerInfo) -> str:
    """The layer whose activation it reads, before flatten and dropout, which change no value."""
    read = model.layer(layer.inputs[0])
    while read.kind in ("flatten", "dropout") and read.inputs:
        read = model.layer(read.inputs[0])
    return read.name


def _shown_at(model: Model, layer: LayerInfo, offset: int, shown: set[str]) -> list[tuple[str, int]]:
    """The columns that the units of a layer reach one to one, with the number of its first unit there."""
    if layer.name in shown:
        return [(layer.name, offset)]
    ends = []
    for reader in model.layers:
        if layer.name in reader.inputs and "kernel" not in reader.weight_shapes:
            if reader.kind == "concatenate":
                before = reader.inputs[: reader.inputs.index(layer.name)]
                ends += _shown_at(model, reader, offset + sum(model.layer(name).units for name in before), shown)
            elif reader.units == layer.units:
                ends += _shown_at(model, reader, offset, shown)
    return ends
