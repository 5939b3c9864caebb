"""Weights as they are stored: whether they belong to a network, and a short text that tells two sets of them apart.

Likewise what an optimiser has gathered.
"""

from collections.abc import Sequence
from hashlib import sha256

import numpy as np

from ..models.layers import LayerInfo
from .base import Array, BackendError, State, Weights


def fitting(title: str, layers: Sequence[LayerInfo], weights: Weights) -> dict[str, dict[str, Array]]:
    """The weights as float32, once every one of them is known to belong to these layers.

    Raises:
        BackendError: a layer or weight is missing, surplus or of another shape.
    """
    wanted = {(info.name, weight): shape for info in layers for weight, shape in info.weight_shapes.items()}
    given = {(layer, weight): np.shape(array) for layer, named in weights.items() for weight, array in named.items()}
    for layer, weight in [*wanted, *given]:
        expected, received = wanted.get((layer, weight)), given.get((layer, weight))
        if expected != received:
            raise BackendError(
                f"These weights do not fit {title}: {weight!r} of layer {layer!r} should "
                f"{f'have shape {expected}' if expected else 'not be there'}. "
                f"Received: {f'shape={received}' if received else 'nothing'}"
            )
    return {
        layer: {name: np.asarray(array, np.float32) for name, array in named.items()}
        for layer, named in weights.items()
    }


def gathered(state: State, name: str, shape: Sequence[int]) -> Array:
    """One array of an optimiser's state.

    Raises:
        BackendError: it is not there, or of another shape.
    """
    found = state.get(name)
    if found is None or found.shape != tuple(shape):
        raise BackendError(
            f"This state of an optimiser does not fit: {name!r} should have shape {tuple(shape)}. "
            f"Received: {'nothing' if found is None else f'shape={found.shape}'}"
        )
    return np.asarray(found, np.float32)


def fingerprint(layers: Sequence[LayerInfo], weights: Weights) -> str:
    """Twelve hexadecimal digits, equal for equal layers and weights, whichever backend holds them."""
    digest = sha256()
    for info in layers:
        settings = sorted((name, str(value)) for name, value in info.settings.items())
        digest.update(repr((info.name, info.kind, info.inputs, info.output_shape, settings)).encode())
        for name in sorted(weights[info.name]):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(weights[info.name][name]).data)
    return digest.hexdigest()[:12]
