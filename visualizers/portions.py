"""Data set images in portions that one call of a backend answers within about a tenth of a second."""

from collections.abc import Iterator
from math import prod

import numpy as np
from numpy.typing import NDArray

from ..backends.base import Array, Model
from ..datasets.base import Dataset
from ..drawing.fit import fit_images

FEWEST_IMAGES, MOST_IMAGES = 16, 256
QUICK, MOST_WORK = 48_000_000, 1_000_000_000
"""Multiply-adds of a portion: what one core does without waiting for others, which is the quickest beside a busy page,
and what is never exceeded."""
BYTES = 128 * 2**20
"""Activations of one portion, all layers together."""
PORTIONS_A_FIGURE = 16
"""Figures cost more than a small portion, so there is one only every so often."""


def portions(model: Model, dataset: Dataset, indices: NDArray[np.intp]) -> Iterator[tuple[NDArray[np.intp], Array]]:
    """The images at these positions of a data set, as the model takes them.

    Yields:
        Positions `(n,)` and images `(n, height, width, channels)` in [0, 1].
    """
    size = portion_size(model)
    for start in range(0, len(indices), size):
        some = indices[start : start + size]
        yield some, fit_images(dataset.images[some], model.input_shape)


def portion_size(model: Model) -> int:
    """Images in a portion."""
    work = sum(layer.multiply_adds for layer in model.layers)
    values = sum(prod(layer.output_shape) for layer in model.layers)
    wanted = min(MOST_IMAGES, max(FEWEST_IMAGES, QUICK // max(1, work)))
    return max(1, min(wanted, MOST_WORK // max(1, work), BYTES // (4 * values)))


def spread(count: int, wanted: int) -> NDArray[np.intp]:
    """Up to `wanted` positions, evenly spread over a data set of `count` images."""
    kept = min(count, wanted)
    return np.arange(kept, dtype=np.intp) * count // max(1, kept)
