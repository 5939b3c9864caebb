"""What can be said of a model's answers to labelled images; scikit-learn computes whatever it has.

scikit-learn is imported when something is measured, not before: it takes a second that `--help` does not have.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..backends.base import Array
from .calibration import (
    HISTOGRAM_BINS,
    RELIABILITY_BINS,
    Bins,
    Thresholds,
    binned,
    by_threshold,
    expected_calibration_error,
)

Labels = NDArray[np.int64]

AT_ONCE = 2**21
"""Probabilities that are looked at together: scikit-learn makes several copies of them as it goes."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What is kept of a model's probabilities: enough for every metric, and small however many classes there are.

    Attributes:
        labels: `(n,)`, the true class of each image.
        predicted: `(n,)`, the most probable class.
        confidence: float32 `(n,)`, its probability.
        top_two: of how many images the true class is among the two most probable ones.
        loss: the cross-entropy in nats, summed over all images.
    """

    labels: Labels
    predicted: Labels
    confidence: Array
    top_two: int
    loss: float

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """`(n,)`, whether the model is right."""
        right: NDArray[np.bool_] = self.labels == self.predicted
        return right

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class ClassMetrics:
    """How well one class is told from the others.

    Attributes:
        name: of the class.
        precision: of the images called so, the share that are; 0 where none is called so.
        recall: of the images of this class, the share called so; 0 where there are none.
        f1: harmonic mean of both.
        count: images of this class.
        called: images that the model called so.
    """

    name: str
    precision: float
    recall: float
    f1: float
    count: int
    called: int


@dataclass(frozen=True, eq=False)
class Metrics:
    """How good a model is on a set of images.

    Attributes:
        count: images.
        accuracy: share that the model is right about, in [0, 1].
        top_two: share whose true class is among the two most probable ones.
        loss: mean cross-entropy in nats.
        precision: mean over the classes that occur among labels or answers; `recall` and `f1` likewise.
        per_class: every class, in the model's order.
        confusion: `(classes, classes)`, how many images of the row's class were called the column's.
        reliability: answers by confidence, for the calibration error.
        histogram: answers by confidence, in more bins.
        thresholds: accuracy among the more confident answers.
    """

    count: int
    accuracy: float
    top_two: float
    loss: float
    precision: float
    recall: float
    f1: float
    per_class: tuple[ClassMetrics, ...]
    confusion: Labels
    reliability: Bins
    histogram: Bins
    thresholds: Thresholds

    @property
    def calibration_error(self) -> float:
        """The expected calibration error, in [0, 1]."""
        return expected_calibration_error(self.reliability)


def measure(probabilities: Array, labels: NDArray[np.integer], classes: Sequence[str]) -> Metrics:
    """All metrics of a model's answers.

    Args:
        probabilities: `(n, classes)`, each row summing to 1.
        labels: `(n,)`, positions in `classes`.
        classes: names of the classes.

    Raises:
        ValueError: there are no images, shapes do not fit, a label is not one of the classes, or a probability is no
            number; the message is one sentence.
    """
    return metrics_of(answers_of(probabilities, labels, classes), classes)


def answers_of(probabilities: Array, labels: NDArray[np.integer], classes: Sequence[str]) -> Answers:
    """What is kept of probabilities; arguments and errors are those of `measure`."""
    known: Labels = np.asarray(labels, np.int64)
    check_labels(len(probabilities), known, len(classes))
    if probabilities.shape[1:] != (len(classes),):
        raise ValueError(f"Expected probabilities (n, {len(classes)}). Received: shape={probabilities.shape}")
    if not np.isfinite(probabilities).all():
        raise ValueError(
            f"The model answers {_unfinite(probabilities)} of {len(labels):,} images with no numbers (NaN)."
        )
    step = max(1, AT_ONCE // len(classes))
    sums = [_sums(probabilities[at : at + step], known[at : at + step]) for at in range(0, len(known), step)]
    predicted = probabilities.argmax(axis=1)
    confidence = np.take_along_axis(probabilities, predicted[:, None], axis=1)[:, 0]
    return Answers(known, predicted, confidence, sum(hits for hits, _ in sums), sum(loss for _, loss in sums))


def joined(parts: Sequence[Answers]) -> Answers:
    """The answers of several batches as those of one."""
    return Answers(
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.predicted for part in parts]),
        np.concatenate([part.confidence for part in parts]),
        sum(part.top_two for part in parts),
        sum(part.loss for part in parts),
    )


def metrics_of(answers: Answers, classes: Sequence[str]) -> Metrics:
    """All metrics of answers that were kept; errors are those of `measure`."""
    from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

    count, every = len(answers), range(len(classes))
    check_labels(count, answers.labels, len(classes))
    confusion = confusion_matrix(answers.labels, answers.predicted, labels=every)
    given = answers.labels, answers.predicted
    scores = precision_recall_fscore_support(*given, labels=every, average=None, zero_division=0)
    macro = precision_recall_fscore_support(*given, average="macro", zero_division=0)
    return Metrics(
        count=count,
        accuracy=float(accuracy_score(*given)),
        top_two=answers.top_two / count,
        loss=answers.loss / count,
        precision=float(macro[0]),
        recall=float(macro[1]),
        f1=float(macro[2]),
        per_class=tuple(
            ClassMetrics(name, float(precision), float(recall), float(f1), int(own), int(called))
            for name, precision, recall, f1, own, called in zip(classes, *scores, confusion.sum(axis=0), strict=True)
        ),
        confusion=confusion,
        reliability=binned(answers.confidence, answers.right, RELIABILITY_BINS),
        histogram=binned(answers.confidence, answers.right, HISTOGRAM_BINS),
        thresholds=by_threshold(answers.confidence, answers.right),
    )


def check_labels(images: int, labels: NDArray[np.integer], classes: int) -> None:
    """Refuses what cannot be measured.

    Raises:
        ValueError: there are no images, labels are not one for each image, or a label is not one of the classes.
    """
    if not images or labels.shape != (images,):
        raise ValueError(
            f"Measuring takes at least one image and one label for each. Received: {images} images, labels of shape "
            f"{labels.shape}"
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"Labels are positions among {classes} classes, from 0 to {classes - 1}. "
            f"Received: labels from {labels.min()} to {labels.max()}"
        )


def _sums(probabilities: Array, labels: Labels) -> tuple[int, float]:
    """How often the true class is among the first two, and the loss, of some images together."""
    from sklearn.metrics import log_loss, top_k_accuracy_score

    rows = probabilities.astype(np.float64)
    rows /= rows.sum(axis=1, keepdims=True)
    every = np.arange(rows.shape[1])
    loss = float(log_loss(labels, rows, labels=every, normalize=False))
    if len(every) <= 2:  # The first two are all; scikit-learn asks for other arrays then.
        return len(labels), loss
    return int(top_k_accuracy_score(labels, rows, k=2, labels=every, normalize=False)), loss


def _unfinite(probabilities: Array) -> str:
    return f"{int((~np.isfinite(probabilities).all(axis=1)).sum()):,}"
