"""One model on one set of labelled images, measured from beginning to end."""

from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from ..backends.base import Model
from .metrics import Answers, Metrics, answers_of, check_labels, joined, metrics_of
from .predictions import BATCH, Images, Progress, predictions


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What was measured on a set of images.

    Attributes:
        answers: to every image, in their order.
        metrics: what they come to.
        seconds: how long all of it took.
    """

    answers: Answers
    metrics: Metrics
    seconds: float


def evaluate(
    model: Model, images: Images, labels: NDArray[np.integer], batch: int = BATCH, progress: Progress | None = None
) -> Evaluation:
    """Measures a model.

    Args:
        model: any opened model.
        images: `(n, height, width, channels)` of any size, bytes or floats in [0, 1].
        labels: `(n,)`, positions in `model.classes`.
        batch: images at a time.
        progress: told after every batch.

    Raises:
        ValueError: there are no images, labels are not one for each image, a label is not one of the classes, or the
            model answers with no numbers.
    """
    import sklearn.metrics  # noqa: F401 - takes a second once, which is no part of what this model takes

    started, parts, done = perf_counter(), [], 0
    for part in answers(model, images, labels, batch):
        parts.append(part)
        done += len(part)
        if progress:
            progress(done, len(images))
    whole = joined(parts)
    return Evaluation(whole, metrics_of(whole, model.classes), perf_counter() - started)


def answers(model: Model, images: Images, labels: NDArray[np.integer], batch: int = BATCH) -> Iterator[Answers]:
    """The answers to one batch of images after the other; arguments and errors are those of `evaluate`."""
    labels = np.asarray(labels, np.int64)
    check_labels(len(images), labels, len(model.classes))
    done = 0
    for part in predictions(model, images, batch):
        yield answers_of(part, labels[done : done + len(part)], model.classes)
        done += len(part)
