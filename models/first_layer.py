"""A network's first weights, and what they answer to one image, computed without any framework.

For watching a training: neither framework has to be started to see the filters of a snapshot form.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from .architecture import Activation, Architecture, BatchNorm, Conv2D, Dense, Layer, Pair

Array = NDArray[np.float32]
Named = Mapping[str, Mapping[str, Array]]
PASSED_ON = ("input", "flatten", "dropout")
FUNCTIONS: Mapping[str, Callable[[Array], Array]] = {
    "relu": lambda values: np.maximum(values, 0),
    "tanh": np.tanh,
    "sigmoid": lambda values: np.float32(1) / (np.float32(1) + np.exp(-values)),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class FirstLayer:
    """The first layer that has weights of its own.

    Attributes:
        layer: its description.
        filters: `(units, height, width)`, the weights of each unit as it lies on the image, the mean over its channels.
        answers: `(height, width, units)` of a convolution or `(units,)` of a dense layer, after the normalisation and
            the activation that follow it.
    """

    layer: Layer
    filters: Array
    answers: Array


def first_layer(architecture: Architecture, weights: Named, image: Array) -> FirstLayer | None:
    """What the first weights look like and what they answer.

    Args:
        architecture: the network.
        weights: layer name → canonical weight name → array.
        image: `(height, width, channels)` in [0, 1], the network's input.

    Returns:
        None where the first layer with weights is neither a convolution nor dense, or does not read the image itself.
    """
    layers = architecture.layers
    place = next((index for index, layer in enumerate(layers) if isinstance(layer, Conv2D | Dense)), None)
    if place is None or any(layer.kind not in PASSED_ON for layer in layers[:place]):
        return None
    layer = layers[place]
    kernel, bias = weights[layer.name]["kernel"], weights[layer.name]["bias"]
    if isinstance(layer, Conv2D):
        filters, found = kernel.mean(axis=2).transpose(2, 0, 1), _convolved(image, kernel, layer) + bias
    else:
        filters = kernel.reshape(*image.shape, -1).mean(axis=2).transpose(2, 0, 1)
        found = image.reshape(-1) @ kernel + bias
    for follower in layers[place + 1 :]:
        if not isinstance(follower, BatchNorm | Activation):
            break
        found = _followed(found, follower, weights)
    return FirstLayer(layer=layer, filters=_as_array(filters), answers=_as_array(found))


def _convolved(image: Array, kernel: Array, layer: Conv2D) -> Array:
    """Cross-correlation of `(height, width, in)` with `(height, width, in, out)`, without the bias."""
    if layer.padding == "same":
        sides = zip(image.shape[:2], layer.window, layer.strides, strict=True)
        image = np.pad(image, [*(_margins(*side) for side in sides), (0, 0)])
    windows = sliding_window_view(image, layer.window, (0, 1))[:: layer.strides[0], :: layer.strides[1]]
    return np.asarray(np.einsum("yxcij,ijco->yxo", windows, kernel, optimize=True), np.float32)


def _margins(size: int, window: int, stride: int) -> Pair:
    """Zeros before and after one axis; the odd one goes after."""
    missing = max((ceil(size / stride) - 1) * stride + window - size, 0)
    return missing // 2, missing - missing // 2


def _followed(values: Array, layer: BatchNorm | Activation, weights: Named) -> Array:
    if isinstance(layer, BatchNorm):
        own = weights[layer.name]
        scaled = (values - own["mean"]) / np.sqrt(own["variance"] + np.float32(layer.epsilon))
        return np.asarray(scaled * own["gamma"] + own["beta"], np.float32)
    if layer.function == "softmax":
        powers = np.exp(values - values.max(axis=-1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float32)
    function = FUNCTIONS.get(layer.function)
    return np.asarray(function(values), np.float32) if function else values


def _as_array(values: Array) -> Array:
    return np.ascontiguousarray(values, np.float32)
