"""What the bundled networks learn from, and what is kept out of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..datasets.base import Dataset, DatasetError
from ..datasets.digits import load_digits
from ..datasets.mnist import find_mnist, load_mnist
from ..datasets.pendigits import find_pendigits, load_pendigits
from ..drawing.fit import fit_images
from .config import RunConfig, RunError
from .pens import by_writer, drawn

BRUSHES_TO_TRAIN_WITH = ((0.05, 0.08, 0.11), (0.1, 0.14, 0.07))
"""Every digit is drawn once for each of these rows, with the row's widths in turn."""

SHARE_SEED = 1_000_003


@dataclass(frozen=True, eq=False)
class Material:
    """What a network learns from.

    Attributes:
        images: uint8 `(n, height, width, channels)`.
        labels: `(n,)`.
        checksums: of the files it came from, by what they are.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    checksums: Mapping[str, str]

    def split(self, share: float, seed: int) -> tuple["Material", "Material"]:
        """A random part of the images to learn from, and the given share of them kept out."""
        order = np.random.default_rng(seed).permutation(len(self.images))
        kept_out = round(share * len(self.images))
        if not kept_out:
            return self, self._part(order[:0])  # not a copy, which takes as much memory again
        return self._part(order[kept_out:]), self._part(order[:kept_out])

    def _part(self, chosen: NDArray[np.intp]) -> "Material":
        return replace(self, images=self.images[chosen], labels=self.labels[chosen])


def training_data(config: RunConfig) -> Material:
    """The images that a run learns from, at its network's size; the share of them that it asks for.

    Raises:
        DatasetError: they are missing or damaged.
        RunError: there is no such data, or the network has too few classes for it.
    """
    network, choice = config.network, config.data
    found = _source(choice.source, Path(choice.folder) if choice.folder else None, network.input_shape)
    if len(found.labels) and found.labels.max() >= len(network.classes):
        raise RunError(
            f"{network.title} tells {len(network.classes)} classes apart, and the data has more. "
            f"Received: label {found.labels.max()}"
        )
    # Another part of chance than the split's: which share is taken must not decide what is kept out.
    return found.split(1 - choice.share, config.recipe.seed + SHARE_SEED)[0] if choice.share < 1 else found


def _source(source: str, folder: Path | None, input_shape: tuple[int, int, int]) -> Material:
    if source == "mnist+pens":
        return material(folder, input_shape)
    if source == "mnist":
        mnist = find_mnist(folder, ("train",))
        if mnist is None:
            raise DatasetError(
                "Training needs the MNIST training images; name the folder that holds them with --data, or fetch them "
                f"with `layerscope download`. Received: {folder or 'no folder'}"
            )
        return _of_dataset(load_mnist(mnist, "train"), input_shape)
    if source == "digits":
        return _of_dataset(load_digits(), input_shape)
    raise RunError(f"There is no data {source!r}; there are mnist, mnist+pens and digits.")


def _of_dataset(dataset: Dataset, input_shape: tuple[int, int, int]) -> Material:
    images = _as_bytes(dataset.images, input_shape)
    return Material(images=images, labels=dataset.labels, checksums={dataset.name: dataset.checksum})


def material(data: Path | None, input_shape: tuple[int, int, int]) -> Material:
    """MNIST's training images, and the writing of all pen writers who are not held out, drawn with pens of many widths.

    Raises:
        DatasetError: either is missing or damaged.
    """
    folder, file = find_mnist(data, ("train",)), find_pendigits(data)
    if folder is None or file is None:
        missing = "the MNIST training images" if folder is None else "the pen digits"
        raise DatasetError(f"Training needs {missing}; name the folder that holds them with --data. Received: {data}")
    mnist = load_mnist(folder, "train")
    written = by_writer(load_pendigits(file))[0]
    pens = [drawn(written, input_shape, brushes) for brushes in BRUSHES_TO_TRAIN_WITH]
    return Material(
        images=np.concatenate([_as_bytes(mnist.images, input_shape), *(images for images, _ in pens)]),
        labels=np.concatenate([mnist.labels, *(labels for _, labels in pens)]),
        checksums={"mnist": mnist.checksum, "pendigits": f"sha256:{sha256(file.read_bytes()).hexdigest()}"},
    )


def _as_bytes(images: NDArray[np.uint8], input_shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """The images at a network's size, still as bytes: as floats, those of the largest would take 2 GB."""
    resized = np.empty((len(images), *input_shape), np.uint8)
    for start in range(0, len(images), 1000):
        part = slice(start, start + 1000)
        resized[part] = np.rint(fit_images(images[part], input_shape) * 255)
    return resized
