"""Batches for a training: images in a random order, changed at random, made ready while the step before still runs."""

import json
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .augmentation import augmented
from .recipes import Recipe

Batch = tuple[NDArray[np.float32], NDArray[np.int64]]
Item = TypeVar("Item")

AHEAD = 4
"""Batches made ready before they are asked for."""


@dataclass(frozen=True)
class Position:
    """Where a training is among its batches, so that it can go on there.

    Attributes:
        step: how many batches have been used.
        epoch_random: the state of chance at the beginning of the epoch.
        random: the state of chance after the last batch.
    """

    step: int
    epoch_random: Mapping[str, Any]
    random: Mapping[str, Any]

    def to_json(self) -> str:
        """As JSON text that `from_json` reads back."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Position":
        """Reads a position."""
        return cls(**json.loads(text))


def epochs_of_batches(images: NDArray[np.uint8], labels: NDArray[np.int64], recipe: Recipe) -> Iterator[Batch]:
    """All batches of a training, epoch after epoch.

    Args:
        images: uint8 `(n, height, width, channels)`.
        labels: `(n,)`.
        recipe: epochs, size of a batch, augmentation and seed; the same seed gives the same batches.

    Returns:
        Pairs of float32 images `(batch, height, width, channels)` in [0, 1] and labels `(batch,)`.
    """
    return (batch for batch, _ in positioned_batches(images, labels, recipe))


def positioned_batches(
    images: NDArray[np.uint8], labels: NDArray[np.int64], recipe: Recipe, begin: Position | None = None
) -> Iterator[tuple[Batch, Position]]:
    """As `epochs_of_batches`, each batch with the position after it; from `begin` on, just as they would have come."""
    random = np.random.default_rng(recipe.seed)
    size, steps = min(recipe.batch or len(images), len(images)), recipe.steps_per_epoch(len(images))
    done = begin.step if begin else 0
    # At the end of an epoch the next one's order has not been drawn yet.
    within = done % steps > 0
    if begin:
        random.bit_generator.state = begin.epoch_random if within else begin.random
    while done < recipe.epochs * steps:
        epoch_random = random.bit_generator.state
        order = random.permutation(len(images))
        if begin and within:
            random.bit_generator.state, within = begin.random, False
        for start in range(done % steps * size, steps * size, size):
            chosen = order[start : start + size]
            batch = images[chosen].astype(np.float32) / np.float32(255)
            batch = augmented(batch, recipe.augmentation, random) if recipe.augmentation else batch
            done += 1
            yield (batch, labels[chosen]), Position(done, epoch_random, random.bit_generator.state)


def ahead(batches: Iterator[Item], depth: int = AHEAD) -> Generator[Item, None, None]:
    """The same batches in the same order, the next few made in a thread of their own while one is used.

    An error in making a batch is raised where that batch is asked for.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as maker:
        # One worker: the batches, and the random numbers in them, come in order.
        waiting = [maker.submit(next, batches, None) for _ in range(depth)]
        while (batch := waiting.pop(0).result()) is not None:
            waiting.append(maker.submit(next, batches, None))
            yield batch
