"""Keeping part of a data set out, class by class."""

from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from .base import Dataset

Data = TypeVar("Data", bound=Dataset)


def split(dataset: Data, share: float, seed: int = 0) -> tuple[Data, Data]:
    """A data set to learn from and one kept out, with the same share of every class; the same for the same seed.

    A class keeps at least one image to learn from, so one with a single image is never kept out.

    Args:
        dataset: what to split; it is left as it is.
        share: of each class to keep out, in [0, 1).
        seed: which images.

    Returns:
        Both in the data set's own order; either may be empty.

    Raises:
        ValueError: the share is outside [0, 1).
    """
    if not 0 <= share < 1:
        raise ValueError(f"The share kept out must be from 0 to below 1. Received: {share}")
    random = np.random.default_rng(seed)
    kept = np.zeros(len(dataset), bool)
    for label in range(len(dataset.classes)):
        positions = dataset.indices_of(label)
        count = min(round(share * len(positions)), len(positions) - 1)
        if count > 0:
            kept[random.permutation(positions)[:count]] = True
    return _part(dataset, ~kept, share, seed, "learnt from"), _part(dataset, kept, share, seed, "kept out")


def _part(dataset: Data, chosen: NDArray[np.bool_], share: float, seed: int, words: str) -> Data:
    return replace(
        dataset,
        images=dataset.images[chosen],
        labels=dataset.labels[chosen],
        checksum=f"{dataset.checksum} {words} {share:g} {seed}",
    )
