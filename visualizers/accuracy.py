"""How often the network is right, class by class, as it is and with the units that are muted or scaled."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from plotly.graph_objects import Figure

from ..backends.base import Edit
from .colours import BLUE, FAINT, ORANGE
from .contract import Frame, Need, Subject, visualizer
from .controls import Help, Range
from .figures import figure, note_below
from .portions import portions

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class AccuracySettings:
    images: Annotated[int, Range(100, 10000, 100), Help("How many labelled images to measure on.")] = 2000


@visualizer(title="Accuracy", needs={Need.DATASET}, at_rest=True)
def accuracy(subject: Subject, settings: AccuracySettings) -> Iterator[Frame]:
    """How often the network is right about images with known answers, and what muting a unit does to that.

    Blue bars are the network as it is. Mute or double a unit above: orange bars show the network with your change, and
    follow it. A class whose bar falls needs that unit; if nothing falls, the other units can do without it. One unit
    rarely carries a class alone (Morcos et al. 2018, "On the importance of single directions for generalization").

    The accuracy of a class is the share of its images that get the highest probability for it, in [0, 1].
    """
    dataset = subject.dataset
    if dataset is None:
        raise LookupError("There are no labelled images.")
    classes = len(subject.model.classes)
    if dataset.labels.max() >= classes:
        raise ValueError(f"{dataset.title} have other classes than {subject.model.name}. Received: {classes} classes")
    chosen = np.random.default_rng(0).permutation(len(dataset))[: settings.images]
    plain = np.zeros((classes, 2), np.int64)
    edited = plain.copy()
    for portion in portions(subject.model, dataset, chosen):
        labels = dataset.labels[portion.indices]
        plain += _counts(subject, portion.images, labels, ())
        if subject.edits:
            edited += _counts(subject, portion.images, labels, subject.edits)
        yield Frame(_bars(subject, plain, edited) if portion.shown else None, portion.share)


def _counts(subject: Subject, images: Any, labels: NDArray[np.int64], edits: Sequence[Edit]) -> Counts:
    """`(classes, 2)`: how many images of each class there are, and how many of them got it."""
    answers = subject.model.probabilities(images, edits).argmax(axis=1)
    classes = len(subject.model.classes)
    right = np.bincount(labels[answers == labels], minlength=classes)
    return np.stack([np.bincount(labels, minlength=classes), right], axis=1)


def _bars(subject: Subject, plain: Counts, edited: Counts) -> Figure:
    series = [_series("as it is", BLUE, plain)]
    if subject.edits:
        series.append(_series("with your change", ORANGE, edited))
    classes = list(subject.model.classes)
    return figure(
        series,
        height=220,
        margin={"l": 40, "r": 8, "t": 8, "b": 56},
        barmode="group",
        bargap=0.2,
        xaxis={"tickvals": list(range(len(classes))), "ticktext": classes, "title": note_below(_note(plain, edited))},
        yaxis={"range": [0, 1.02], "tickformat": ".0%", "gridcolor": FAINT, "fixedrange": True},
    )


def _series(name: str, colour: str, counts: Counts) -> dict[str, Any]:
    shares = counts[:, 1] / np.maximum(counts[:, 0], 1)
    return {
        "type": "bar",
        "name": name,
        "x": np.arange(len(shares), dtype=np.int16),
        "y": shares.astype(np.float32),
        "marker": {"color": colour},
        "hovertemplate": f"{name}: %{{y:.1%}}<extra></extra>",
    }


def _note(plain: Counts, edited: Counts) -> str:
    total = plain[:, 0].sum()
    words = f"{plain[:, 1].sum() / total:.2%} of {total:,} images right"
    return f"{words}<br>{edited[:, 1].sum() / total:.2%} with your change" if edited.any() else words
