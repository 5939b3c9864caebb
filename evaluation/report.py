"""Metrics as tables, JSON and CSV: the command line and the page say the same numbers in the same words."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .calibration import Floats
from .metrics import ClassMetrics, Metrics


@dataclass(frozen=True)
class Quantity:
    """One number of the whole set.

    Attributes:
        name: its key in JSON and CSV.
        title: what people call it.
        help: what it says, for whoever has never heard of it.
        is_share: whether it lies in [0, 1] and is read as a percentage.
    """

    name: str
    title: str
    help: str
    is_share: bool = True

    def of(self, metrics: Metrics) -> float:
        """The number itself."""
        return float(getattr(metrics, self.name))

    def words(self, metrics: Metrics) -> str:
        """The number as people read it."""
        return percent(self.of(metrics)) if self.is_share else f"{self.of(metrics):.4f}"


QUANTITIES = (
    Quantity("accuracy", "Accuracy", "Of all images, how many it called by their right name."),
    Quantity("top_two", "Top 2", "How many had their right name among its two best guesses."),
    Quantity(
        "loss",
        "Loss",
        "Cross-entropy: small where it was sure and right, large where it was sure and wrong; this is what training "
        "makes smaller.",
        is_share=False,
    ),
    Quantity(
        "precision",
        "Precision",
        "Of all images it called a 7, how many were one; the mean over all classes, not only 7.",
    ),
    Quantity("recall", "Recall", "Of all images that were a 7, how many it called one; the mean over all classes."),
    Quantity("f1", "F1", "Precision and recall in one number: high only where both are; the mean over all classes."),
    Quantity(
        "calibration_error",
        "Calibration error",
        "How far it is from being as sure as it is right: 0 % if of its answers with 90 % confidence 90 % are right.",
    ),
)


def percent(share: float) -> str:
    """`98.70%`."""
    return f"{share:.2%}"


def class_words(found: ClassMetrics) -> dict[str, str]:
    """Precision, recall and F1 of a class as people read them: a dash where there was nothing to measure."""
    return {
        "precision": percent(found.precision) if found.called else "–",
        "recall": percent(found.recall) if found.count else "–",
        "f1": percent(found.f1) if found.count or found.called else "–",
    }


def as_json(metrics: Metrics) -> dict[str, Any]:
    """Everything that was measured, as plain data; what there is no number for, as in an empty bin, is None."""
    reliability, thresholds = metrics.reliability, metrics.thresholds
    return {
        "images": metrics.count,
        **{quantity.name: quantity.of(metrics) for quantity in QUANTITIES},
        "classes": [
            {
                "class": each.name,
                "precision": each.precision,
                "recall": each.recall,
                "f1": each.f1,
                "images": each.count,
                "called": each.called,
            }
            for each in metrics.per_class
        ],
        "confusion": metrics.confusion.tolist(),
        "reliability": {
            "edges": reliability.edges.tolist(),
            "right": reliability.right.tolist(),
            "wrong": reliability.wrong.tolist(),
            "confidence": _known(reliability.confidence),
        },
        "thresholds": {
            "threshold": thresholds.threshold.tolist(),
            "kept": thresholds.kept.tolist(),
            "accuracy": _known(thresholds.accuracy),
        },
    }


def as_csv(measured: Mapping[str, Metrics]) -> str:
    """A line for each set as a whole, with an empty class, and one for each of its classes.

    Args:
        measured: title of a set → what was measured on it.
    """
    text = io.StringIO()
    names = [quantity.name for quantity in QUANTITIES]
    writer = csv.DictWriter(text, ["set", "class", "images", "called", *names], lineterminator="\n")
    writer.writeheader()
    for title, metrics in measured.items():
        whole = {quantity.name: quantity.of(metrics) for quantity in QUANTITIES}
        writer.writerow({"set": title, "class": "", "images": metrics.count, "called": metrics.count, **whole})
        for each in metrics.per_class:
            scores = {"precision": each.precision, "recall": each.recall, "f1": each.f1}
            writer.writerow({"set": title, "class": each.name, "images": each.count, "called": each.called, **scores})
    return text.getvalue()


def _known(values: Floats) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]
