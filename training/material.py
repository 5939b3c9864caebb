"""What the bundled networks learn from, and what is kept out of it."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..datasets.base import DIGITS, Dataset, DatasetError
from ..datasets.digits import load_digits
from ..datasets.mnist import find_mnist, load_mnist
from ..datasets.own import OwnDataset, load_own
from ..datasets.pendigits import find_pendigits, load_pendigits
from ..drawing.fit import fit_images
from ..evaluation.pens import by_writer, drawn
from ..evaluation.sets import class_places
from ..models.architecture import Architecture
from ..models.drafts import architecture_of
from ..models.editing import begun, with_classes
from .config import SOURCES, DataChoice, RunConfig, RunError

log = logging.getLogger(__name__)

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
        RunError: there is no such data, or the network has other classes.
    """
    found, choice = _source(config.data, config.network), config.data
    # Another part of chance than the split's: which share is taken must not decide what is kept out.
    return found.split(1 - choice.share, config.recipe.seed + SHARE_SEED)[0] if choice.share < 1 else found


def _source(choice: DataChoice, network: Architecture) -> Material:
    folder = Path(choice.folder) if choice.folder else None
    if choice.source == "mnist+pens":
        _check_classes(DIGITS, network)
        return material(folder, network.input_shape)
    if choice.source == "mnist":
        mnist = find_mnist(folder, ("train",))
        if mnist is None:
            raise DatasetError(
                "Training needs the MNIST training images; name the folder that holds them with --data, or fetch them "
                f"with `layerscope download`. Received: {folder or 'no folder'}"
            )
        return _of_dataset(load_mnist(mnist, "train"), network)
    if choice.source == "digits":
        return _of_dataset(load_digits(), network)
    own = own_images(choice, network)
    for note in own.notes:
        log.info("%s", note)
    return _of_dataset(own, network)


def own_images(choice: DataChoice, network: Architecture) -> OwnDataset:
    """The user's own images, at the size of a network's.

    Raises:
        DatasetError: they are damaged.
        RunError: there are none.
    """
    path, (height, width, channels) = Path(choice.source), network.input_shape
    if not (path.suffix or path.exists()):
        raise RunError(f"There is no such folder or file, nor images called so: {', '.join(SOURCES)}. Received: {path}")
    return load_own(
        path,
        size=(height, width),
        colour=channels == 3,
        invert=choice.invert,
        skip_unreadable=choice.skip_unreadable,
    )


def for_classes(network: Architecture, classes: Sequence[str]) -> Architecture:
    """The network, if it can learn to tell these classes apart; else one made of it that can."""
    known = class_places(classes, network.classes) is not None
    return network if known else architecture_of(with_classes(begun(network), classes))


def _of_dataset(dataset: Dataset, network: Architecture) -> Material:
    places = _check_classes(dataset.classes, network)
    images = _as_bytes(dataset.images, network.input_shape)
    return Material(images=images, labels=places[dataset.labels], checksums={dataset.name: dataset.checksum})


def _check_classes(classes: tuple[str, ...], network: Architecture) -> NDArray[np.int64]:
    """Where among the network's classes each of the data's is: by name, else one by one where there are as many.

    Raises:
        RunError: neither is possible.
    """
    places = class_places(classes, network.classes)
    if places is not None:
        return places
    raise RunError(
        f"{network.title} tells the {len(network.classes)} classes {_listed(network.classes)} apart, and the data has "
        f"others; choose a network with those. Received: {len(classes)} classes, {_listed(classes)}"
    )


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:12]) + (", …" if len(names) > 12 else "")


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
