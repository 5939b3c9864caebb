"""What any layer of a described network answers to one image, computed with NumPy alone.

For watching a training: neither framework has to be started to see the feature maps of a snapshot form. It is written
for one image at a time and little memory; a backend is many times faster for many.
"""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .architecture import Architecture, Layer, Pair

Array = NDArray[np.float32]
Named = Mapping[str, Array]
Weights = Mapping[str, Named]


def answer(architecture: Architecture, weights: Weights, image: Array, layer: str) -> Array:
    """What a layer gives for one image.

    Args:
        architecture: the network.
        weights: layer name → canonical weight name → array.
        image: `(height, width, channels)` in [0, 1], the network's input.
        layer: name of the layer.

    Returns:
        `(height, width, channels)` or `(units,)`.
    """
    values: dict[str, Array] = {}
    for each in needed(architecture, layer):
        taken = [values[name] for name in each.inputs] or [image]
        values[each.name] = np.asarray(RULES[each.kind](each, taken, weights.get(each.name, {})), np.float32)
    return values[layer]


def work(architecture: Architecture, layer: str) -> int:
    """Numbers that have to be computed for one answer of a layer, multiplications with an addition included."""
    names = {each.name for each in needed(architecture, layer)}
    return sum(info.multiply_adds + prod(info.output_shape) for info in architecture.infos if info.name in names)


def needed(architecture: Architecture, layer: str) -> tuple[Layer, ...]:
    """The layers that an answer depends on, in the network's order, the layer itself among them."""
    wanted = {layer}
    for each in reversed(architecture.layers):
        if each.name in wanted:
            wanted.update(each.inputs)
    return tuple(each for each in architecture.layers if each.name in wanted)


def _windows(layer: Any, values: Array, fill: float) -> list[tuple[Pair, Array]]:
    """What lies under each place of the window, wherever the window stands: `(rows, columns, channels)` for each."""
    padded = np.pad(values, [*layer.around(values.shape), (0, 0)], constant_values=fill)
    rows, columns = layer.positions([values.shape])
    down, right = layer.strides
    return [
        ((y, x), padded[y : y + down * rows : down, x : x + right * columns : right])
        for y in range(layer.window[0])
        for x in range(layer.window[1])
    ]


def _conv2d(layer: Any, taken: Sequence[Array], weights: Named) -> Any:
    kernel = weights["kernel"]
    # One place of the window after the other: all at once would take as many times the memory.
    return sum(values @ kernel[place] for place, values in _windows(layer, taken[0], 0.0)) + weights["bias"]


def _maxpool(layer: Any, taken: Sequence[Array], weights: Named) -> Any:
    return np.maximum.reduce([values for _, values in _windows(layer, taken[0], -np.inf)])


def _averagepool(layer: Any, taken: Sequence[Array], weights: Named) -> Any:
    inside = _windows(layer, np.ones_like(taken[0]), 0.0)
    found = _windows(layer, taken[0], 0.0)
    return sum(values for _, values in found) / sum(counted for _, counted in inside)


def _batchnorm(layer: Any, taken: Sequence[Array], weights: Named) -> Any:
    scaled = (taken[0] - weights["mean"]) / np.sqrt(weights["variance"] + np.float32(layer.epsilon))
    return scaled * weights["gamma"] + weights["beta"]


def _softmax(values: Array) -> Any:
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


FUNCTIONS: Mapping[str, Callable[[Array], Any]] = {
    "relu": lambda values: np.maximum(values, 0),
    "tanh": np.tanh,
    "sigmoid": lambda values: (1 + np.tanh(values / 2)) / 2,  # the same, and never too large a power
    "softmax": _softmax,
    "linear": lambda values: values,
}

RULES: Mapping[str, Callable[[Any, Sequence[Array], Named], Any]] = {
    "input": lambda layer, taken, weights: taken[0],
    "conv2d": _conv2d,
    "maxpool2d": _maxpool,
    "averagepool2d": _averagepool,
    "globalaveragepool2d": lambda layer, taken, weights: taken[0].mean(axis=(0, 1)),
    "batchnorm": _batchnorm,
    "activation": lambda layer, taken, weights: FUNCTIONS[layer.function](taken[0]),
    "dropout": lambda layer, taken, weights: taken[0],
    "flatten": lambda layer, taken, weights: taken[0].reshape(-1),
    "dense": lambda layer, taken, weights: taken[0] @ weights["kernel"] + weights["bias"],
    "add": lambda layer, taken, weights: sum(taken),
    "concatenate": lambda layer, taken, weights: np.concatenate(taken, axis=-1),
}
"""Kind of layer → what it makes of the answers of the layers it reads."""
