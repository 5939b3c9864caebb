"""Data set images in portions that one call of a backend answers within about a tenth of a second."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from ..backends.base import Array, Model
from ..datasets.base import Dataset
from ..drawing.fit import fit_images

MOST_WORK = 1_000_000_000
"""Multiply-adds of a portion."""
BYTES = 128 * 2**20
"""Activations of one portion, all layers together."""
IMAGES_A_FIGURE, PORTIONS_A_FIGURE = 2048, 16
"""Figures cost more than a small portion, so there is one only every so often."""


@dataclass(frozen=True)
class Portion:
    """Some images of a data set, and how far they bring the work.

    Attributes:
        indices: their positions in the data set, `(n,)`.
        images: as the model takes them, `(n, height, width, channels)` in [0, 1].
        seen: images so far, with these.
        share: of all images that are wanted, in [0, 1].
        shown: whether it is time for a figure; always so with the first and the last portion.
    """

    indices: NDArray[np.intp]
    images: Array
    seen: int
    share: float
    shown: bool


def portions(model: Model, dataset: Dataset, indices: NDArray[np.intp]) -> Iterator[Portion]:
    """The images at these positions of a data set, as many at once as suit the model."""
    size = portion_size(model)
    every = size * max(1, min(PORTIONS_A_FIGURE, IMAGES_A_FIGURE // size))
    for start in range(0, len(indices), size):
        some = indices[start : start + size]
        seen = start + len(some)
        images = fit_images(dataset.images[some], model.input_shape)
        yield Portion(some, images, seen, seen / len(indices), start % every == 0 or seen == len(indices))


def portion_size(model: Model) -> int:
    """Images in a portion."""
    work = sum(layer.multiply_adds for layer in model.layers)
    values = sum(prod(layer.output_shape) for layer in model.layers)
    return max(1, min(model.at_once, MOST_WORK // max(1, work), BYTES // (4 * values)))


def spread(count: int, wanted: int) -> NDArray[np.intp]:
    """Up to `wanted` positions, evenly spread over a data set of `count` images."""
    kept = min(count, wanted)
    return np.arange(kept, dtype=np.intp) * count // max(1, kept)
