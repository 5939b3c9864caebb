"""Batches for a training: images in a random order, changed at random, made ready while the step before still runs."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from .augmentation import augmented
from .recipes import Recipe

Batch = tuple[NDArray[np.float32], NDArray[np.int64]]

AHEAD = 4
"""Batches made ready before they are asked for."""


def epochs_of_batches(images: NDArray[np.uint8], labels: NDArray[np.int64], recipe: Recipe) -> Iterator[Batch]:
    """All batches of a training, epoch after epoch.

    Args:
        images: uint8 `(n, height, width, channels)`.
        labels: `(n,)`.
        recipe: epochs, size of a batch, augmentation and seed; the same seed gives the same batches.

    Returns:
        Pairs of float32 images `(batch, height, width, channels)` in [0, 1] and labels `(batch,)`.
    """
    random = np.random.default_rng(recipe.seed)
    size = min(recipe.batch or len(images), len(images))
    for _ in range(recipe.epochs):
        order = random.permutation(len(images))
        for start in range(0, recipe.steps_per_epoch(len(images)) * size, size):
            chosen = order[start : start + size]
            batch = images[chosen].astype(np.float32) / np.float32(255)
            yield (augmented(batch, recipe.augmentation, random) if recipe.augmentation else batch), labels[chosen]


def ahead(batches: Iterator[Batch], depth: int = AHEAD) -> Iterator[Batch]:
    """The same batches in the same order, the next few made in a thread of their own while one is used.

    An error in making a batch is raised where that batch is asked for.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as maker:
        # One worker: the batches, and the random numbers in them, come in order.
        waiting = [maker.submit(next, batches, None) for _ in range(depth)]
        while (batch := waiting.pop(0).result()) is not None:
            waiting.append(maker.submit(next, batches, None))
            yield batch
