"""How far apart two networks' activations lie, layer by layer; arrays and names only, whoever computed them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .alignment import Pair

Array = NDArray[np.float32]

TOLERANCE = 1e-4
"""Relative difference up to which two layers count as the same: rounding in float32, added up over a deep network."""

PASSING = frozenset({"input", "dropout", "flatten"})
"""Kinds that change no number in inference: a network without them computes the same."""


@dataclass(frozen=True)
class Gap:
    """How far two arrays of one shape lie apart.

    Attributes:
        largest: the largest absolute difference over the largest magnitude in either; NaN where one of them is.
        mean: the mean absolute difference over that magnitude.
    """

    largest: float
    mean: float


@dataclass
class Tally:
    """Adds up how far two arrays lie apart that come in slices, all of one layer."""

    apart: float = 0.0
    total: float = 0.0
    magnitude: float = 0.0
    count: int = 0

    def add(self, one: Array, two: Array) -> None:
        """Takes two arrays of one shape in."""
        with np.errstate(invalid="ignore"):
            difference = np.abs(one - two)
        if difference.size:
            self.apart = float(np.maximum(self.apart, difference.max()))  # unlike Python's, it keeps a NaN
            self.magnitude = max(self.magnitude, float(np.abs(one).max()), float(np.abs(two).max()))
            self.total += float(difference.sum(dtype=np.float64))
            self.count += difference.size

    @property
    def gap(self) -> Gap:
        """All of it so far."""
        if self.apart == 0:
            return Gap(0.0, 0.0)
        magnitude = self.magnitude or 1.0  # that of nothing but NaN is unknown
        return Gap(self.apart / magnitude, self.total / self.count / magnitude)


def gap(one: Array, two: Array) -> Gap:
    """How far two arrays of one shape lie apart."""
    tally = Tally()
    tally.add(one, two)
    return tally.gap


@dataclass(frozen=True)
class Compared:
    """A layer of the first network against its counterpart.

    Attributes:
        pair: both of them.
        gap: how far they lie apart; None where there is nothing to compare.
    """

    pair: Pair
    gap: Gap | None = None

    @property
    def name(self) -> str:
        """Of the layer in the first network."""
        return self.pair.first.name

    @property
    def shapes_differ(self) -> bool:
        """Whether the counterpart gives an array of another shape."""
        return self.pair.second is not None and self.pair.second.output_shape != self.pair.first.output_shape

    @property
    def left_out(self) -> bool:
        """Whether the second network lacks a layer that changes numbers."""
        first = self.pair.first
        linear = first.kind == "activation" and first.settings.get("function") == "linear"
        return self.pair.second is None and first.kind not in PASSING and not linear

    def reordered(self, tolerance: float = TOLERANCE) -> bool:
        """Whether it is a flatten whose values differ, which is no fault where only their order is another."""
        return self.pair.first.kind == "flatten" and self.gap is not None and not self.agrees(tolerance)

    def agrees(self, tolerance: float = TOLERANCE) -> bool:
        """Whether both give the same; NaN agrees with nothing."""
        return self.gap is not None and self.gap.largest <= tolerance


@dataclass
class Comparison:
    """Compares two networks' activations of the same images, slice by slice."""

    pairs: Sequence[Pair]
    tallies: dict[str, Tally] = field(default_factory=dict)

    def add(self, one: Mapping[str, Array], two: Mapping[str, Array]) -> None:
        """Takes the activations of one slice in: layer name → array, of either network."""
        for first, second in _comparable(self.pairs):
            self.tallies.setdefault(first, Tally()).add(one[first], two[second])

    @property
    def rows(self) -> tuple[Compared, ...]:
        """One for each layer of the first network, in its order."""
        return tuple(
            Compared(pair, self.tallies[pair.first.name].gap if pair.first.name in self.tallies else None)
            for pair in self.pairs
        )


def compared(pairs: Sequence[Pair], one: Mapping[str, Array], two: Mapping[str, Array]) -> tuple[Compared, ...]:
    """As `Comparison`, all at once."""
    comparison = Comparison(pairs)
    comparison.add(one, two)
    return comparison.rows


def first_apart(rows: Iterable[Compared], tolerance: float = TOLERANCE) -> Compared | None:
    """The first layer in which the networks differ; None where all that can be compared agrees.

    A layer that the second network lacks is the first one where the next that both have differs. Where that agrees
    nevertheless, the second network does the same by other layers. Likewise a flatten may give its values in another
    order, if what reads them has its weights in that order, too.
    """
    suspect: Compared | None = None
    for row in rows:
        if row.agrees(tolerance):
            suspect = None
        elif row.left_out or row.reordered(tolerance):
            suspect = suspect or row
        elif row.gap is not None or row.shapes_differ:
            return suspect or row
    return suspect


def _comparable(pairs: Sequence[Pair]) -> list[tuple[str, str]]:
    return [
        (pair.first.name, pair.second.name)
        for pair in pairs
        if pair.second is not None and pair.second.output_shape == pair.first.output_shape
    ]
