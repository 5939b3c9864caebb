"""Which images a layer answers to most alike: what the network itself takes for similar."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from ..backends.base import Array, Model
from ..drawing.fit import fit_images
from .predictions import BATCH, Images

BUDGET = 64 * 2**20
"""Bytes of one layer's activations that are held at a time."""


@dataclass(frozen=True, eq=False)
class Nearest:
    """The images found so far.

    Attributes:
        indices: `(k,)`, which images, the nearest first; of those equally near, the first ones.
        distances: `(k,)`, Euclidean distances of the activations.
        done: how many images have been looked at.
    """

    indices: NDArray[np.int64]
    distances: Array
    done: int


def nearest(
    model: Model, layer: str, image: Images, images: Images, k: int = 12, leave_out: int | None = None
) -> Iterator[Nearest]:
    """Looks for the images whose activations of a layer are nearest to those of one image.

    Only the best so far are kept, so that memory stays bounded however many images there are.

    Args:
        model: any opened model.
        layer: name of the layer to compare; that of the input compares pixels.
        image: `(height, width, channels)`, of any size.
        images: `(n, height, width, channels)` to look among, of any size.
        k: how many to find.
        leave_out: an image not to find, such as the one that is compared.

    Yields:
        The best so far, after every batch.

    Raises:
        UnknownLayer: the model has no such layer.
    """
    size = max(1, min(BATCH, BUDGET // (4 * prod(model.layer(layer).output_shape))))
    own = _activations(model, layer, image[None])[0]
    indices, distances = np.empty(0, np.int64), np.empty(0, np.float32)
    for start in range(0, len(images), size):
        part = images[start : start + size]
        found = np.sqrt(np.square(_activations(model, layer, part) - own).sum(axis=1))
        if leave_out is not None and start <= leave_out < start + len(part):
            found[leave_out - start] = np.inf
        indices = np.concatenate((indices, np.arange(start, start + len(part))))
        distances = np.concatenate((distances, found))
        best = np.argsort(distances, kind="stable")[:k]
        best = best[np.isfinite(distances[best])]
        indices, distances = indices[best], distances[best]
        yield Nearest(indices, distances, start + len(part))


def _activations(model: Model, layer: str, images: Images) -> Array:
    """`(n, values)` of a layer."""
    fitted = fit_images(images, model.input_shape)
    return model.trace(fitted, [layer])[layer].reshape(len(images), -1)
