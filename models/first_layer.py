"""A network's first weights as they lie on the image: the filters that one can watch form while it is trained."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .architecture import Activation, Architecture, BatchNorm, Conv2D, Dense, Layer

Array = NDArray[np.float32]
Named = Mapping[str, Mapping[str, Array]]
PASSED_ON = ("input", "flatten", "dropout")


@dataclass(frozen=True, kw_only=True, eq=False)
class FirstLayer:
    """The first layer that has weights of its own.

    Attributes:
        layer: its description.
        last: name of the last layer that still belongs to it: the normalisation and the activation that follow it.
        filters: `(units, height, width)`, the weights of each unit as it lies on the image, the mean over its channels.
    """

    layer: Layer
    last: str
    filters: Array


def first_layer(architecture: Architecture, weights: Named) -> FirstLayer | None:
    """What the first weights look like.

    Args:
        architecture: the network.
        weights: layer name → canonical weight name → array.

    Returns:
        None where the first layer with weights is neither a convolution nor dense, or does not read the image itself.
    """
    layers = architecture.layers
    place = next((index for index, layer in enumerate(layers) if isinstance(layer, Conv2D | Dense)), None)
    if place is None or any(layer.kind not in PASSED_ON for layer in layers[:place]):
        return None
    layer, last = layers[place], layers[place]
    for follower in layers[place + 1 :]:
        if not isinstance(follower, BatchNorm | Activation) or follower.inputs != (last.name,):
            break
        last = follower
    kernel = weights[layer.name]["kernel"]
    lying = kernel if isinstance(layer, Conv2D) else kernel.reshape(*architecture.input_shape, -1)
    filters = np.ascontiguousarray(lying.mean(axis=2).transpose(2, 0, 1), np.float32)
    return FirstLayer(layer=layer, last=last.name, filters=filters)
