"""What each kind of layer computes, in NumPy.

Every rule takes the layer, its inputs `(n, height, width, channels)` or `(n, units)`, and its canonical weights.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce

import numpy as np
from layerscope.backends.base import Array
from layerscope.models.layers import LayerInfo

Rule = Callable[[LayerInfo, Sequence[Array], Mapping[str, Array]], Array]


def seen(layer: LayerInfo, values: Array, fill: float = 0.0) -> list[Array]:
    """What a layer's moving window sees, `(n, rows, columns, channels)` for each place in the window.

    Args:
        layer: a convolution or a pooling.
        values: its input, `(n, height, width, channels)`.
        fill: what lies around the input; of an odd padding the larger half lies at the bottom and right.
    """
    rows, columns = layer.output_shape[:2]
    (height, width), (down, right) = layer.settings["window"], layer.settings["strides"]
    last = (rows - 1) * down + height, (columns - 1) * right + width
    lacking = [max(0, needed - size) for needed, size in zip(last, values.shape[1:3], strict=True)]
    padding = [(0, 0), *[(total // 2, total - total // 2) for total in lacking], (0, 0)]
    padded = np.pad(values, padding, constant_values=fill)
    return [
        padded[:, row : row + (rows - 1) * down + 1 : down, column : column + (columns - 1) * right + 1 : right]
        for row in range(height)
        for column in range(width)
    ]


def convolution(layer: LayerInfo, inputs: Sequence[Array], weights: Mapping[str, Array]) -> Array:
    """All places of the window side by side, so that one product of matrices does the rest."""
    kernel = weights["kernel"]
    beside = np.concatenate(seen(layer, inputs[0]), axis=-1)
    return beside @ kernel.reshape(-1, kernel.shape[-1]) + weights["bias"]


def mean_pooling(layer: LayerInfo, inputs: Sequence[Array], weights: Mapping[str, Array]) -> Array:
    """The mean of what lies inside the input; padding is not counted."""
    inside = np.ones((1, *inputs[0].shape[1:3], 1), np.float32)
    means: Array = reduce(np.add, seen(layer, inputs[0])) / reduce(np.add, seen(layer, inside))
    return means


def normalisation(layer: LayerInfo, inputs: Sequence[Array], weights: Mapping[str, Array]) -> Array:
    """Batch normalisation with the stored statistics (Ioffe and Szegedy 2015, algorithm 2)."""
    scale = weights["gamma"] / np.sqrt(weights["variance"] + np.float32(layer.settings["epsilon"]))
    normal: Array = (inputs[0] - weights["mean"]) * scale + weights["beta"]
    return normal


def softmax(values: Array) -> Array:
    """Along the last axis; the largest value is taken off first, so that no power overflows."""
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    shares: Array = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def sigmoid(values: Array) -> Array:
    """By way of tanh, which overflows nowhere."""
    between: Array = np.divide(1 + np.tanh(values / 2), 2, dtype=np.float32)
    return between


FUNCTIONS: Mapping[str, Callable[[Array], Array]] = {
    "relu": lambda values: np.maximum(values, 0),
    "softmax": softmax,
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "linear": lambda values: values,
}

RULES: Mapping[str, Rule] = {
    "conv2d": convolution,
    "maxpool2d": lambda layer, inputs, weights: reduce(np.maximum, seen(layer, inputs[0], -np.inf)),
    "averagepool2d": mean_pooling,
    "globalaveragepool2d": lambda layer, inputs, weights: inputs[0].mean(axis=(1, 2)),
    "batchnorm": normalisation,
    "activation": lambda layer, inputs, weights: FUNCTIONS[layer.settings["function"]](inputs[0]),
    "dropout": lambda layer, inputs, weights: inputs[0],
    "flatten": lambda layer, inputs, weights: inputs[0].reshape(len(inputs[0]), -1),
    "dense": lambda layer, inputs, weights: inputs[0] @ weights["kernel"] + weights["bias"],
    "add": lambda layer, inputs, weights: reduce(np.add, inputs),
    "concatenate": lambda layer, inputs, weights: np.concatenate(inputs, axis=-1),
}
"""Kind of layer → its rule; the input has none."""
