"""What the bundled networks learn from, and what is kept out of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..datasets.base import DatasetError
from ..datasets.mnist import find_mnist, load_mnist
from ..datasets.pendigits import find_pendigits, load_pendigits
from ..drawing.fit import fit_images
from .pens import by_writer, drawn

BRUSHES_TO_TRAIN_WITH = ((0.05, 0.08, 0.11), (0.1, 0.14, 0.07))
"""Every digit is drawn once for each of these rows, with the row's widths in turn."""


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
        return self._part(order[kept_out:]), self._part(order[:kept_out])

    def _part(self, chosen: NDArray[np.intp]) -> "Material":
        return replace(self, images=self.images[chosen], labels=self.labels[chosen])


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
