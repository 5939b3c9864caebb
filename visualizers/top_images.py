"""Which images of a data set excite a unit most, and where."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from plotly.graph_objects import Figure

from ..backends.base import Array
from ..datasets.base import Dataset
from ..drawing.fit import fit_images
from .colours import VERMILLION
from .contract import Frame, Need, Subject, visualizer
from .controls import Help, Range
from .pictures import Sheet
from .portions import portions
from .receptive import middle_pixel
from .words import joined, part, short

Reduction = Literal["largest", "mean"]
ROOM = 8
"""Rows of words below an image of 28 pixels."""
FEW_COLUMNS = 6
"""In so few columns there is room for the value beside the class."""


@dataclass(frozen=True)
class TopImagesSettings:
    images: Annotated[int, Range(1, 64), Help("How many to show.")] = 16
    by: Annotated[
        Reduction, Help("What counts in a layer with height and width: the largest value anywhere, or the mean.")
    ] = "largest"


@dataclass(frozen=True)
class Ranking:
    """The best images so far, best first; of equal ones the first in the data set.

    Attributes:
        indices: `(n,)` positions in the data set.
        values: `(n,)` what they were ranked by.
        places: `(n,)` the number of the position with the largest value, counted row by row.
    """

    indices: NDArray[np.intp]
    values: Array
    places: NDArray[np.intp]

    def with_more(self, other: "Ranking", kept: int) -> "Ranking":
        """The best of both, where the other's images come later in the data set."""
        values = np.concatenate([self.values, other.values])
        best = np.argsort(-values, kind="stable")[:kept]
        return Ranking(
            np.concatenate([self.indices, other.indices])[best],
            values[best],
            np.concatenate([self.places, other.places])[best],
        )


@visualizer(title="Top images", needs={Need.LAYER, Need.UNIT, Need.DATASET})
def top_images(subject: Subject, settings: TopImagesSettings) -> Iterator[Frame]:
    """Which of thousands of digits the chosen unit answers to most strongly, and with a square: to which place in them.

    Look for what the marked places have in common: this is what the unit has learned to find. If they show nothing in
    common, the unit serves more than one purpose. Units of the last layers mostly pick images of one class; one that
    picks another class now and then shows you which digits the network confuses.

    Below each image stand its class and its value, the best first. The value is the largest or the mean of the unit's
    activation (height, width), or the activation itself where the layer is flat. The square marks the middle of what
    the strongest position sees. Shown in this manner by Zeiler and Fergus 2014, "Visualizing and Understanding
    Convolutional Networks".
    """
    assert subject.dataset is not None
    dataset, shown = subject.dataset, np.zeros(0, np.intp)
    best = Ranking(np.zeros(0, np.intp), np.zeros(0, np.float32), np.zeros(0, np.intp))
    for portion in portions(subject.model, dataset, np.arange(len(dataset), dtype=np.intp)):
        best = best.with_more(ranked(subject, portion.indices, portion.images, settings.by), settings.images)
        news = portion.shown and not np.array_equal(best.indices, shown)
        drawn = _drawn(subject, settings, dataset, best, portion.seen) if news or portion.share == 1 else None
        shown = shown if drawn is None else best.indices
        yield Frame(drawn, portion.share)


def ranked(subject: Subject, indices: NDArray[np.intp], images: Array, by: Reduction) -> Ranking:
    """All of these images `(n, height, width, channels)` with their values and places, in their own order."""
    layer = subject.chosen.name
    activation = subject.model.trace(images, [layer], subject.edits)[layer][..., subject.unit]
    flat = activation.reshape(len(images), -1)
    places = flat.argmax(axis=1)
    values = flat.mean(axis=1) if by == "mean" else flat[np.arange(len(flat)), places]
    return Ranking(indices, values, places)


def _drawn(subject: Subject, settings: TopImagesSettings, dataset: Dataset, best: Ranking, seen: int) -> Figure:
    height, width, _ = subject.model.input_shape
    images = fit_images(dataset.images[best.indices], subject.model.input_shape).mean(axis=3)
    count = min(settings.images, len(dataset))
    sheet = Sheet(count, height, width, room=-(-ROOM * height // 28))
    words = settings.by if subject.chosen.is_spatial else ""
    looked_at = part(seen, len(dataset), "images") or f"all {seen:,} images"
    marks = [_marks(subject, sheet, best)] if subject.chosen.is_spatial else []
    return sheet.figure(
        images,
        revision=f"{subject.chosen.name} {subject.unit} {count}",
        note=joined(f"{subject.chosen.name}, unit {subject.unit}", words, looked_at),
        traces=[_captions(sheet, dataset, best), *marks],
    )


def _captions(sheet: Sheet, dataset: Dataset, best: Ranking) -> dict[str, Any]:
    """Class and value below each image."""
    lefts, tops = (each[: len(best.indices)] for each in sheet.corners)
    names = [dataset.classes[label] for label in dataset.labels[best.indices]]
    values = [short(float(value)) for value in best.values]
    told = [f"<b>{name}</b> {value}" for name, value in zip(names, values, strict=True)]
    return {
        "type": "scatter",
        "mode": "text",
        "x": lefts + np.float32((sheet.width - 1) / 2),
        "y": tops + np.float32(sheet.height + (sheet.room - 1) / 2),
        "text": told if sheet.columns <= FEW_COLUMNS else [f"<b>{name}</b>" for name in names],
        "textfont": {"size": 9},
        "hovertext": [
            f"image {index}<br>class {name}<br>value {value}"
            for index, name, value in zip(best.indices.tolist(), names, values, strict=True)
        ],
        "hoverinfo": "text",
    }


def _marks(subject: Subject, sheet: Sheet, best: Ranking) -> dict[str, Any]:
    """A square where the value is largest."""
    columns = subject.chosen.output_shape[1]
    positions = [divmod(place, columns) for place in best.places.tolist()]
    pixels = np.array([middle_pixel(subject.model, subject.chosen.name, each) for each in positions], np.float32)
    lefts, tops = (each[: len(best.indices)] for each in sheet.corners)
    pixels = np.clip(pixels, 0, [sheet.height - 1, sheet.width - 1])
    return {
        "type": "scatter",
        "mode": "markers",
        "x": (lefts + pixels[:, 1]).astype(np.float32),
        "y": (tops + pixels[:, 0]).astype(np.float32),
        "marker": {"symbol": "square-open", "size": 9, "color": VERMILLION, "line": {"width": 2}},
        "hovertext": [f"row {row}, column {column} of the layer" for row, column in positions],
        "hoverinfo": "text",
    }
