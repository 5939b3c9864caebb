"""What a model answers to many images, a batch at a time, so that memory stays bounded however many there are."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from ..backends.base import Array, Model
from ..drawing.fit import fit_images

BATCH = 1000
"""Images that are brought to the input's size, and asked about, together."""

Progress = Callable[[int, int], None]
"""Called with images done and images in all; what it raises ends the work."""
Images = NDArray[np.uint8] | NDArray[np.floating]
"""`(n, height, width, channels)`, bytes in 0…255 or floats in [0, 1], of any size: see `drawing.fit`."""


def predictions(model: Model, images: Images, batch: int = BATCH) -> Iterator[Array]:
    """The probabilities of one batch of images after the other.

    Args:
        model: any opened model.
        images: of any size; each batch is brought to the model's input just before it is needed.
        batch: images at a time.

    Yields:
        `(n, classes)` for the next batch; whoever stops asking stops the work.
    """
    for start in range(0, len(images), batch):
        yield model.probabilities(fit_images(images[start : start + batch], model.input_shape))


def predict(model: Model, images: Images, batch: int = BATCH, progress: Progress | None = None) -> Array:
    """The probabilities of all images.

    Args:
        model: any opened model.
        images: of any size.
        batch: images at a time.
        progress: told after every batch.

    Returns:
        `(n, classes)`, each row summing to 1.
    """
    found = np.empty((len(images), len(model.classes)), np.float32)
    done = 0
    for part in predictions(model, images, batch):
        found[done : done + len(part)] = part
        done += len(part)
        if progress:
            progress(done, len(images))
    return found
