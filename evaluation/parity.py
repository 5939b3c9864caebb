"""Whether two networks compute the same, layer by layer: a network in two frameworks, or a port of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..backends.base import Array, Model
from ..models.agreement import TOLERANCE, Compared, Comparison, first_apart
from ..models.alignment import Pair, aligned
from ..models.layers import LayerInfo
from .causes import causes

Trace = Mapping[str, Array]

MOST_NAMED = 20
"""Positions of images that are listed one by one."""


class ParityError(Exception):
    """Two networks that cannot be compared; the message says why."""


@dataclass(frozen=True, kw_only=True)
class LayerParity:
    """One layer of the first network against its counterpart.

    Attributes:
        name: in the first network.
        counterpart: its name in the second; empty where it has none.
        kind: what the layer is.
        largest: the largest difference of any value over the largest magnitude of the layer; None where there is
            nothing to compare, NaN where one of them gives no number.
        mean: the mean difference over that magnitude.
        verdict: `same`, `differs first`, `differs`, `other shape`, `other order` for a flatten that is read in that
            order, `missing` for the layer whose lack makes the difference, or `only here` for another without a
            counterpart.
    """

    name: str
    counterpart: str
    kind: str
    largest: float | None
    mean: float | None
    verdict: str


@dataclass(frozen=True, kw_only=True)
class Parity:
    """What the comparison came to.

    Attributes:
        first: the first network and its framework, in words.
        second: the second one.
        tolerance: relative difference up to which two layers count as the same.
        images: how many were compared.
        layers: one for each layer of the first network, in its order.
        only_second: layers that only the second network has.
        diverges: the first layer that differs; None where none does.
        causes: what may be the reason, in sentences.
        disagreements: images whose predicted class differs; None where the networks tell other numbers of classes.
        examples: positions of the first of these images.
    """

    first: str
    second: str
    tolerance: float
    images: int
    layers: tuple[LayerParity, ...]
    only_second: tuple[str, ...]
    diverges: str | None
    causes: tuple[str, ...]
    disagreements: int | None
    examples: tuple[int, ...]

    @property
    def passed(self) -> bool:
        """Whether every layer that can be compared is the same, and there is one."""
        return self.diverges is None and any(layer.verdict == "same" for layer in self.layers[1:])

    @property
    def conclusion(self) -> str:
        """PASS or FAIL, and the sentence that says why."""
        if self.diverges:
            return f"FAIL: {self.diverges} is the first layer that differs. {' '.join(self.causes)}"
        measured = [layer for layer in self.layers if layer.verdict == "same"]
        if not self.passed:
            return "FAIL: no layer beyond the input can be compared."
        most = max(measured, key=lambda layer: layer.largest or 0.0)
        return (
            f"PASS: {len(measured)} of {len(self.layers)} layers agree within {self.tolerance:g}; "
            f"most apart is {most.name}, by {most.largest:.1e}."
        )

    @property
    def data(self) -> dict[str, Any]:
        """All of it for JSON, where what is no number is a word."""
        layers = [
            {**asdict(layer), "largest": _json(layer.largest), "mean": _json(layer.mean)} for layer in self.layers
        ]
        return {**asdict(self), "layers": layers, "passed": self.passed, "conclusion": self.conclusion}


def parity(first: Model, second: Model, images: Array, tolerance: float = TOLERANCE) -> Parity:
    """Compares every layer of two networks on the same images, in slices, so that memory stays bounded.

    Args:
        first: the network that is held to be right.
        second: the same network elsewhere.
        images: `(n, *input_shape)` in [0, 1], at least one.
        tolerance: relative difference up to which two layers count as the same.

    Raises:
        ParityError: the networks take different images, or there are none.
    """
    _check(first, second, len(images), tolerance)
    size = min(first.at_once, second.at_once)
    slices = (images[start : start + size] for start in range(0, len(images), size))
    return parity_of(first, second, ((first.trace(part), second.trace(part)) for part in slices), tolerance)


def parity_of(
    first: Model, second: Model, traces: Iterable[tuple[Trace, Trace]], tolerance: float = TOLERANCE
) -> Parity:
    """As `parity`, of traces that are there already; those of each slice together."""
    pairs = aligned(first.layers, second.layers)
    comparison, images, apart = Comparison(pairs), 0, []
    for one, two in traces:
        comparison.add(one, two)
        apart += [images + place for place in _disagreeing(first, second, one, two)]
        images += len(one[first.layers[0].name])
    return _told(first, second, comparison.rows, tolerance, images, apart)


def _check(first: Model, second: Model, images: int, tolerance: float) -> None:
    if first.input_shape != second.input_shape:
        raise ParityError(
            f"Two networks are compared on the same images, but {first.name} takes {first.input_shape} and "
            f"{second.name} takes {second.input_shape}."
        )
    if not images or not tolerance > 0:
        raise ParityError(
            f"A comparison takes at least one image and a tolerance above 0. "
            f"Received: {images} images, tolerance {tolerance}"
        )


def _disagreeing(first: Model, second: Model, one: Trace, two: Trace) -> list[int]:
    if len(first.classes) != len(second.classes):
        return []
    answers = one[first.layers[-1].name].argmax(1), two[second.layers[-1].name].argmax(1)
    return [int(place) for place in np.flatnonzero(answers[0] != answers[1])]


def _told(
    first: Model, second: Model, rows: Sequence[Compared], tolerance: float, images: int, apart: Sequence[int]
) -> Parity:
    found = first_apart(rows, tolerance)
    matched = {row.pair.second.name for row in rows if row.pair.second}
    return Parity(
        first=f"{first.name} in {first.backend}",
        second=f"{second.name} in {second.backend}",
        tolerance=tolerance,
        images=images,
        layers=tuple(map(_layer, rows, _verdicts(rows, found, tolerance))),
        only_second=tuple(layer.name for layer in second.layers if layer.name not in matched),
        diverges=found.name if found else None,
        causes=causes(found.pair, first, second, _before(found.pair, rows, second)) if found else (),
        disagreements=len(apart) if len(first.classes) == len(second.classes) else None,
        examples=tuple(apart[:MOST_NAMED]),
    )


def _layer(row: Compared, verdict: str) -> LayerParity:
    second = row.pair.second
    return LayerParity(
        name=row.name,
        counterpart=second.name if second else "",
        kind=row.pair.first.kind,
        largest=row.gap.largest if row.gap else None,
        mean=row.gap.mean if row.gap else None,
        verdict=verdict,
    )


def _verdicts(rows: Sequence[Compared], first: Compared | None, tolerance: float) -> Iterator[str]:
    after = False
    for row in rows:
        after = after or row is first
        if row.pair.second is None:
            yield "missing" if row is first else "only here"
        elif row.shapes_differ:
            yield "other shape"
        elif row is first:
            yield "differs first"
        elif row.agrees(tolerance):
            yield "same"
        else:
            yield "differs" if after else "other order"


def _before(pair: Pair, rows: Sequence[Compared], second: Model) -> list[LayerInfo]:
    """The layers that only the second network has, right before this counterpart."""
    names = [layer.name for layer in second.layers]
    matched = {row.pair.second.name for row in rows if row.pair.second}
    found: list[LayerInfo] = []
    if pair.second:
        for layer in reversed(second.layers[: names.index(pair.second.name)]):
            if layer.name in matched:
                break
            found.insert(0, layer)
    return found


def _json(value: float | None) -> float | str | None:
    return value if value is None or np.isfinite(value) else str(value)
