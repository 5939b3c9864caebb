"""Labelled images to measure a model on, by what a user calls them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..datasets.base import DIGITS, Dataset, DatasetError
from ..datasets.digits import load_digits
from ..datasets.mnist import Split, find_mnist, load_mnist
from ..datasets.own import load_own
from ..datasets.own_content import Part, listed
from ..datasets.pendigits import find_pendigits, load_pendigits
from .pens import by_writer, drawn
from .predictions import Progress

MNIST_TEST = "MNIST test images"
MNIST_TRAIN = "MNIST training images"
PEN_STROKES = "Pen strokes of writers not trained on"
DIGITS_TITLE = "Bundled digits"

SETS: Mapping[str, str] = {"test": MNIST_TEST, "train": MNIST_TRAIN, "pens": PEN_STROKES, "digits": DIGITS_TITLE}
"""Name → title of the sets that need no path; anything else is the path of a user's own."""

Shape = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class Labelled:
    """Images with what they really are, in the model's own classes.

    Attributes:
        name: one of `SETS`, or the path of the user's own.
        title: what the page calls them.
        images: uint8 `(n, height, width, channels)`, of any size.
        labels: `(n,)`, positions in the model's classes.
        checksum: changes whenever images or labels change.
        notes: what is odd about them, a sentence each.
    """

    name: str
    title: str
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    checksum: str
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)


def there(data: Path | None) -> list[str]:
    """The names of the sets whose files are there; the bundled digits always are."""
    found: list[tuple[str, object]] = [
        ("test", find_mnist(data, ("test",))),
        ("pens", find_pendigits(data)),
        ("digits", True),
        ("train", find_mnist(data, ("train",))),
    ]
    return [name for name, file in found if file]


def is_own(path: Path) -> bool:
    """Whether a path is that of a user's own images rather than of a folder that holds MNIST or pen digits.

    An empty folder, or none, is neither: what is missing there is said where the images are looked for.
    """
    if not path.is_dir():
        return path.suffix.casefold() in (".npz", ".json")
    known = [path, path / "mnist", path / "pendigits"]
    if any(
        file.name.startswith(("t10k-", "train-", "pendigits-"))
        for each in known
        if each.is_dir()
        for file in each.iterdir()
    ):
        return False
    return any(each.is_dir() and not each.name.startswith(".") for each in path.iterdir())


def labelled(
    name: str,
    data: Path | None,
    input_shape: Shape,
    classes: Sequence[str],
    *,
    part: Part = "test",
    progress: Progress = lambda done, total: None,
) -> Labelled:
    """The images of a set, for a model.

    Args:
        name: one of `SETS`, or the path of the user's own: a folder with a folder of pictures for each class, a `.npz`
            file of arrays, or a `.json` file of pixels and labels, see `datasets.own.load_own`.
        data: the folder of data; `LAYERSCOPE_DATA` and the user's cache are looked into as well.
        input_shape: `(height, width, channels)` of the model: pen strokes are drawn, and pictures read, at that size.
        classes: of the model.
        part: of a user's own data that is in parts.
        progress: told how many pictures have been read.

    Raises:
        DatasetError: they are not there, are damaged, have no labels, or have other classes than the model.
    """
    if name == "pens":
        return _pens(data, input_shape, classes)
    dataset, notes = _dataset(name, data, input_shape, part, progress)
    places = class_places(dataset.classes, classes)
    if places is None:
        raise DatasetError(
            f"{dataset.title} has other classes than the model, which knows {_named(classes)}. "
            f"Received: {_named(dataset.classes)}"
        )
    if not set(dataset.classes) <= set(classes):
        notes = (*notes, f"Classes were taken in order: {_named(dataset.classes)} stand for {_named(classes)}.")
    title = SETS.get(name, dataset.title) if dataset.source.startswith("MNIST") else dataset.title
    labels = places[dataset.labels]
    return Labelled(
        name=name, title=title, images=dataset.images, labels=labels, checksum=dataset.checksum, notes=notes
    )


def class_places(classes: Sequence[str], wanted: Sequence[str]) -> NDArray[np.int64] | None:
    """Where among the wanted classes each of the classes is: by name, else one by one where there are as many.

    Returns:
        `(classes,)`, or None where neither is possible.
    """
    if set(classes) <= set(wanted):
        positions = {name: place for place, name in enumerate(wanted)}
        return np.array([positions[name] for name in classes], np.int64)
    return np.arange(len(classes)) if len(classes) == len(wanted) else None


def evaluation_sets(
    data: Path | None, input_shape: Shape, classes: Sequence[str] = DIGITS
) -> dict[str, Callable[[], Labelled]]:
    """What to measure a model on by itself, as far as the data is there: by title, what reads it.

    The MNIST test images, and the pen strokes of the writers held out, drawn and prepared as the page does it.

    Args:
        data: the folder of data; `LAYERSCOPE_DATA` and the user's cache are looked into as well.
        input_shape: `(height, width, channels)` of the model.
        classes: of the model.

    Raises:
        DatasetError: neither is there.
    """
    names = [name for name in there(data) if name in ("test", "pens")]
    if not names:
        raise DatasetError(
            "There are no test images to measure with; name a folder that holds mnist/ or pendigits/ with --data or "
            f"LAYERSCOPE_DATA. Received: {data}"
        )

    def reading(name: str) -> Callable[[], Labelled]:
        return lambda: labelled(name, data, input_shape, classes)

    return {SETS[name]: reading(name) for name in names}


def _dataset(
    name: str, data: Path | None, input_shape: Shape, part: Part, progress: Progress
) -> tuple[Dataset, tuple[str, ...]]:
    """The images as they are stored, and notes on them."""
    if name == "digits":
        return load_digits(), ()
    if name in SETS:
        split: Split = "train" if name == "train" else "test"
        folder = find_mnist(data, (split,))
        if folder is None:
            raise DatasetError(
                f"There are no {SETS[name]}; name the folder that holds them with --data, or fetch them with "
                f"`layerscope download`. Received: {data or 'no folder'}"
            )
        return load_mnist(folder, split), ()
    height, width, channels = input_shape
    own = load_own(
        Path(name), size=(height, width), colour=channels == 3, part=part, fewest_classes=1, progress=progress
    )
    return own, own.notes


def _pens(data: Path | None, input_shape: Shape, classes: Sequence[str]) -> Labelled:
    file = find_pendigits(data)
    if file is None:
        raise DatasetError(
            f"There are no pen strokes; name the folder that holds pendigits/ with --data. Received: {data}"
        )
    places = class_places(DIGITS, classes)
    if places is None:
        raise DatasetError(
            f"The pen strokes are digits, and the model knows other classes. Received: {_named(classes)}"
        )
    images, labels = drawn(by_writer(load_pendigits(file))[1], input_shape)
    if not len(labels):
        raise DatasetError(f"{file} must hold digits of the writers nobody trains on. Received: none")
    images.flags.writeable = False
    checksum = f"sha256:{sha256(images.tobytes() + labels.tobytes()).hexdigest()}"
    return Labelled(name="pens", title=PEN_STROKES, images=images, labels=places[labels], checksum=checksum)


def _named(classes: Sequence[str]) -> str:
    return f"{len(classes):,} classes, {listed(list(classes))}"
