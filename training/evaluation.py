"""How good a model is: on images nobody trained on, and on what to measure it.

scikit-learn is imported when something is evaluated, not before: it takes a second that `--help` does not have.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from ..backends.base import Array, Model
from ..datasets.base import DatasetError
from ..datasets.mnist import find_mnist, load_mnist
from ..datasets.pendigits import find_pendigits, load_pendigits
from ..drawing.fit import fit_images
from .pens import by_writer, drawn

MNIST_TEST = "MNIST test images"
PEN_STROKES = "Pen strokes of writers not trained on"

Images = tuple[Array, NDArray[np.int64]]
"""Images `(n, height, width, channels)` in [0, 1] and their labels `(n,)`."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What was measured on a set of images.

    Attributes:
        accuracy: share of the images that the model is right about, in [0, 1].
        loss: mean cross-entropy in nats.
        per_class: class name → share of that class's images that the model is right about; classes without images are
            left out.
        count: how many images there were.
        seconds: how long the model took for all of them.
    """

    accuracy: float
    loss: float
    per_class: dict[str, float]
    count: int
    seconds: float


def evaluate(model: Model, images: Array, labels: NDArray[np.int64], batch: int = 500) -> Evaluation:
    """Measures a model.

    Args:
        model: any opened model.
        images: `(n, *model.input_shape)` in [0, 1].
        labels: `(n,)`, positions in `model.classes`.
        batch: images in one forward pass.

    Raises:
        ValueError: there are no images, labels are not one for each image, or a label is not one of the classes.
    """
    from sklearn.metrics import accuracy_score, log_loss, recall_score

    _check(images, labels, model)
    started = perf_counter()
    parts = [model.probabilities(images[start : start + batch]) for start in range(0, len(images), batch)]
    seconds = perf_counter() - started
    probabilities = np.concatenate(parts).astype(np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    predicted = probabilities.argmax(axis=1)
    present = np.unique(labels)
    recalls = recall_score(labels, predicted, labels=present, average=None)
    return Evaluation(
        accuracy=float(accuracy_score(labels, predicted)),
        loss=float(log_loss(labels, probabilities, labels=range(len(model.classes)))),
        per_class={model.classes[index]: float(recall) for index, recall in zip(present, recalls, strict=True)},
        count=len(labels),
        seconds=seconds,
    )


def evaluation_sets(data: Path | None, input_shape: tuple[int, int, int]) -> dict[str, Images]:
    """What to measure a network of that input on, as far as the data is there, by title.

    The MNIST test images, brought to the input's size, and the pen strokes of the writers held out, drawn and prepared
    as the page does it.

    Args:
        data: the folder of data; `LAYERSCOPE_DATA` and the user's cache are looked into as well.
        input_shape: `(height, width, channels)` of the network.

    Raises:
        DatasetError: neither is there, or what is there is damaged.
    """
    sets = dict(_found(data, input_shape))
    if not sets:
        raise DatasetError(
            "There are no test images to measure with; name a folder that holds mnist/ or pendigits/ with --data or "
            f"LAYERSCOPE_DATA. Received: {data}"
        )
    return sets


def _found(data: Path | None, input_shape: tuple[int, int, int]) -> Iterable[tuple[str, Images]]:
    if folder := find_mnist(data, ("test",)):
        test = load_mnist(folder, "test")
        yield MNIST_TEST, (fit_images(test.images, input_shape), test.labels)
    if file := find_pendigits(data):
        images, labels = drawn(by_writer(load_pendigits(file))[1], input_shape)
        if len(labels):
            yield PEN_STROKES, (fit_images(images, input_shape), labels)


def _check(images: Array, labels: NDArray[np.int64], model: Model) -> None:
    if not len(images) or labels.shape != (len(images),):
        raise ValueError(
            f"Measuring takes at least one image and one label for each. Received: {len(images)} images, labels of "
            f"shape {labels.shape}"
        )
    if labels.min() < 0 or labels.max() >= len(model.classes):
        raise ValueError(
            f"Labels are positions in the {len(model.classes)} classes of {model.name!r}. "
            f"Received: labels from {labels.min()} to {labels.max()}"
        )
