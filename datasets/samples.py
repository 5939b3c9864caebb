"""The images one can choose from: MNIST where it is found, else the bundled digits."""

from pathlib import Path

import numpy as np

from .base import Dataset, DatasetError
from .digits import load_digits
from .mnist import find_mnist, load_mnist


def samples(data: Path | None = None) -> Dataset:
    """MNIST test images from `data`, `LAYERSCOPE_DATA` or the user's cache; the bundled digits where there are none.

    Raises:
        DatasetError: MNIST files are there, but damaged.
    """
    folder = find_mnist(data, splits=("test",))
    return load_mnist(folder, "test") if folder else load_digits()


def samples_or_digits(data: Path | None = None) -> tuple[Dataset, str | None]:
    """As `samples`, but with the bundled digits for damaged MNIST files, and the sentence that says what is wrong."""
    try:
        return samples(data), None
    except DatasetError as error:
        return load_digits(), str(error)


def choose(dataset: Dataset, digit: int, index: int | None = None, rng: np.random.Generator | None = None) -> int:
    """The position in the data set of image number `index` of one digit, or of any of them where none is given.

    Args:
        dataset: where to choose from.
        digit: position of the class in `dataset.classes`.
        index: counted from 0 within the digit.
        rng: source of chance; a fresh one if not given.

    Raises:
        DatasetError: there is no such digit, or it has fewer images; the message says how many there are.
    """
    if not 0 <= digit < len(dataset.classes):
        raise DatasetError(f"{dataset.title} has the classes {', '.join(dataset.classes)}. Received: number {digit}")
    positions = dataset.indices_of(digit)
    if not len(positions):
        raise DatasetError(f"{dataset.title} has no image of {dataset.classes[digit]}; choose another digit.")
    if index is None:
        return int((rng or np.random.default_rng()).choice(positions))
    if not 0 <= index < len(positions):
        raise DatasetError(
            f"{dataset.title} has {len(positions)} images of {dataset.classes[digit]}, numbered from 0 to "
            f"{len(positions) - 1}. Received: {index}"
        )
    return int(positions[index])
