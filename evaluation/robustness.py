"""How accuracy falls as images are disturbed more and more: one model, any disturbances, with the images it fails on.

Images are taken in rounds, each over all strengths. So all curves are there after the first round, and every further
round narrows their intervals; whoever has seen enough stops asking.
"""

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from heapq import nlargest
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from ..backends.base import Array, Model
from ..datasets.base import Dataset
from ..datasets.own_content import listed
from ..drawing.fit import fit_images
from .disturbances import BY_NAME, DISTURBANCES, Disturbance, rounded

ROUND = 200
"""Images of one round, and so of one look at one strength: a stop takes effect after that many at the latest."""
FIRST_ROUND = 50
WORST = 24
"""Mistakes remembered for each point."""
ALIKE = 0.02
"""Difference of accuracies that is not worth a sentence."""
CONFIDENCE = 1.96
"""Standard deviations of a 95 % interval."""


@dataclass(frozen=True, order=True)
class Mistake:
    """An image that a model takes for something else; they are ordered by confidence.

    Attributes:
        confidence: probability of the wrong class, in [0, 1].
        index: position in the data set.
        number: position in the order in which images are measured, which decides what chance does to it.
        label: the true class, as a position in the data set's classes.
        predicted: the wrong one, as a position in the model's classes.
    """

    confidence: float
    index: int
    number: int
    label: int
    predicted: int


@dataclass(frozen=True)
class Point:
    """What is known by now of a model at one strength of one disturbance.

    Attributes:
        disturbance: its name.
        strength: in its unit.
        count: images measured.
        right: how many of them the model was right about.
        worst: its most confident mistakes, the most confident first.
    """

    disturbance: str
    strength: float
    count: int = 0
    right: int = 0
    worst: tuple[Mistake, ...] = ()

    @property
    def accuracy(self) -> float:
        """Share of the images that the model was right about, in [0, 1]; 0 before any was measured."""
        return self.right / self.count if self.count else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Where the accuracy on ever more such images lies with 95 % confidence (Wilson 1927, the score interval)."""
        return wilson(self.right, self.count)


Points = Mapping[tuple[str, float], Point]
"""Disturbance and strength → what is known of it."""


class UnlikeError(ValueError):
    """A model cannot be measured on a data set; the message is one sentence for the user."""


@dataclass(frozen=True, eq=False)
class Material:
    """The images that a sweep measures on, always in the same order, so that fewer are the beginning of more.

    Attributes:
        dataset: where they are from.
        order: positions in the data set, `(count,)`.
        seed: of the order, and of what chance does to each image.
    """

    dataset: Dataset
    order: NDArray[np.int64]
    seed: int

    @classmethod
    def of(cls, dataset: Dataset, count: int, seed: int = 0) -> "Material":
        """So many images of a data set, drawn by chance, since many data sets begin with the easy ones."""
        order = np.random.default_rng(seed).permutation(len(dataset))[:count]
        return cls(dataset, order.astype(np.int64), seed)

    def __len__(self) -> int:
        return len(self.order)

    def disturbed(self, disturbance: Disturbance, strength: float, numbers: range) -> Array:
        """Images of these numbers at a strength, `(n, height, width, channels)` in 256 greys of [0, 1]."""
        images = self.dataset.floats(self.order[numbers.start : numbers.stop])
        if strength == disturbance.neutral:
            return images
        return rounded(disturbance.apply(images, strength, self.seed, numbers.start))


def sweep(
    model: Model,
    material: Material,
    disturbances: Sequence[Disturbance] = DISTURBANCES,
    points: MutableMapping[tuple[str, float], Point] | None = None,
) -> Iterator[Point]:
    """Measures a model at every strength of disturbances.

    Args:
        model: any opened model that knows the data set's classes.
        material: the images.
        disturbances: which, each with its strengths.
        points: filled while the sweep goes on. What is there already, from an earlier sweep of the same model and
            material or from one that goes on at the same time, is not measured again.

    Yields:
        A point each time that more is known of it; a later one replaces an earlier one of the same strength. The
        undisturbed images are measured once for all.

    Raises:
        UnlikeError: the model does not know a class of the data set.
    """
    classes = positions_in(model, material.dataset)
    points = {} if points is None else points
    for numbers in rounds(len(material)):
        clean: Point | None = None
        for disturbance in disturbances:
            for strength in disturbance.strengths:
                before = points.get((disturbance.name, strength), Point(disturbance.name, strength))
                if before.count >= numbers.stop:
                    clean = before if strength == disturbance.neutral else clean
                    continue
                if strength == disturbance.neutral and clean is not None and clean.count >= numbers.stop:
                    point = replace(clean, disturbance=disturbance.name, strength=strength)
                else:
                    todo = range(before.count, numbers.stop)
                    point = _measured(model, material, classes, disturbance, before, todo)
                clean = point if strength == disturbance.neutral else clean
                points[disturbance.name, strength] = point
                yield point


def share_of(points: Points, count: int, disturbances: Sequence[Disturbance]) -> float:
    """How much of a sweep of so many images is done, in [0, 1]."""
    wanted = [(each.name, strength) for each in disturbances for strength in each.strengths]
    done = sum(min(points[key].count, count) for key in wanted if key in points)
    return done / (count * len(wanted)) if wanted and count else 1.0


def curve(points: Points, disturbance: str) -> list[Point]:
    """The points of one disturbance that are known, by rising strength."""
    found = (points.get((disturbance, strength)) for strength in BY_NAME[disturbance].strengths)
    return [point for point in found if point and point.count]


def in_words(disturbance: Disturbance, known: Mapping[str, Points]) -> str:
    """What the curves of one or several models say, in one sentence: where they lie furthest apart.

    Args:
        disturbance: whose curves.
        known: name of a model → what is known of it.

    Returns:
        The sentence; empty as long as there is no strength at which all were measured.
    """
    curves = {name: {each.strength: each for each in curve(points, disturbance.name)} for name, points in known.items()}
    common = [each for each in disturbance.strengths if curves and all(each in found for found in curves.values())]
    if not common:
        return ""

    def shares(strength: float) -> list[float]:
        return [found[strength].accuracy for found in curves.values()]

    where = max(common, key=lambda each: (round(max(shares(each)) - min(shares(each)), 2), -min(shares(each))))
    right = dict(zip(curves, shares(where), strict=True))
    if len(right) > 1 and max(right.values()) - min(right.values()) < ALIKE:
        who = "both" if len(right) == 2 else "all"
        return f"{disturbance.said(where)}, {who} are right about {_percent(min(right.values()))} of the images."
    first, *others = right
    rest = "".join(f"; {name} about {_percent(right[name])}" for name in others)
    return f"{disturbance.said(where)}: {first} is right about {_percent(right[first])} of the images{rest}."


def rounds(count: int) -> list[range]:
    """Numbers of the images of each round; the first is a small one, so that curves are there soon."""
    ends = [min(FIRST_ROUND, count), *range(ROUND, count, ROUND), count]
    starts = [0, *ends]
    return [range(start, end) for start, end in zip(starts, ends, strict=False) if end > start]


def wilson(right: int, count: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927, "Probable Inference"); [0, 1] where nothing was measured."""
    if not count:
        return 0.0, 1.0
    share, square = right / count, CONFIDENCE**2 / count
    middle = (share + square / 2) / (1 + square)
    reach = CONFIDENCE * sqrt(share * (1 - share) / count + square / (4 * count)) / (1 + square)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def positions_in(model: Model, dataset: Dataset) -> NDArray[np.int64]:
    """For each class of a data set, its position among the model's classes, by name; −1 where it has no images.

    Raises:
        UnlikeError: the model does not know a class that occurs.
    """
    known = {name: position for position, name in enumerate(model.classes)}
    occurring = set(np.unique(dataset.labels).tolist())
    foreign = [name for label, name in enumerate(dataset.classes) if label in occurring and name not in known]
    if foreign:
        raise UnlikeError(
            f"{model.name} can only be measured on classes that it knows: {listed(model.classes)}. "
            f"Received: {listed(foreign)}"
        )
    return np.array([known.get(name, -1) for name in dataset.classes], np.int64)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _measured(
    model: Model,
    material: Material,
    classes: NDArray[np.int64],
    disturbance: Disturbance,
    before: Point,
    numbers: range,
) -> Point:
    """A point with more images."""
    right, found = before.right, list(before.worst)
    for start in range(numbers.start, numbers.stop, ROUND):
        part = range(start, min(start + ROUND, numbers.stop))
        images = fit_images(material.disturbed(disturbance, before.strength, part), model.input_shape)
        probabilities = _probabilities(model, images)
        indices = material.order[part.start : part.stop]
        labels = material.dataset.labels[indices]
        predicted = probabilities.argmax(axis=1)
        wrong = np.flatnonzero(predicted != classes[labels])
        right += len(images) - len(wrong)
        found += [
            Mistake(
                float(probabilities[place, predicted[place]]),
                int(indices[place]), part.start + int(place), int(labels[place]), int(predicted[place]),
            )
            for place in wrong
        ]  # fmt: skip
    return replace(before, count=numbers.stop, right=right, worst=tuple(nlargest(WORST, found)))


def _probabilities(model: Model, images: Array) -> Array:
    """`(n, classes)`, in calls of the size that suits the model, so that a stop need not wait long."""
    size = max(1, model.at_once)
    parts = [model.probabilities(images[start : start + size]) for start in range(0, len(images), size)]
    whole: Array = np.concatenate(parts)
    return whole
