"""Why a layer may answer otherwise in one network than in its counterpart: what differs in settings and weights."""

from collections.abc import Iterator, Sequence
from math import isclose, prod

import numpy as np

from ..backends.base import Array, Capability, Model
from ..models.agreement import gap
from ..models.alignment import Pair
from ..models.layers import LayerInfo, Shape

SAME_WEIGHTS = 1e-6
"""Relative difference up to which weights count as the same; a port copies them to the last digit."""
MOST_EXTRA = 4
"""Layers that only one of them has, which are named."""
UNTOLD = frozenset({"momentum", "rate", "filters", "units"})
"""Settings that change nothing in inference, or that a shape says already."""


def causes(pair: Pair, first: Model, second: Model, extra: Sequence[LayerInfo] = ()) -> tuple[str, ...]:
    """What may be the reason that a layer differs, most telling first, each in one sentence.

    Args:
        pair: the layer and its counterpart.
        first: the network of the layer.
        second: the network of the counterpart.
        extra: layers that only the second network has, between this counterpart and the one before it.
    """
    if pair.second is None:
        return (f"{second.name} has no such layer; what reads it gets the numbers from before it.",)
    found = [*_shapes(pair.first, pair.second), *_weights(pair.first, pair.second, first, second)]
    found += [*_settings(pair.first, pair.second), *_extra(extra, first, second)]
    return tuple(found) or (_nothing_told(pair.first, _readable(first, second)),)


def _shapes(first: LayerInfo, second: LayerInfo) -> Iterator[str]:
    if first.output_shape != second.output_shape:
        one, two = ("×".join(map(str, layer.output_shape)) for layer in (first, second))
        yield f"It gives {one} numbers in one and {two} in the other."


def _extra(extra: Sequence[LayerInfo], first: Model, second: Model) -> Iterator[str]:
    if extra:
        names = [layer.name for layer in extra[:MOST_EXTRA]] + ["and more"] * (len(extra) > MOST_EXTRA)
        yield f"Before it {second.name} has what {first.name} lacks: {', '.join(names)}."


def _settings(first: LayerInfo, second: LayerInfo) -> Iterator[str]:
    for name in sorted(first.settings.keys() & second.settings.keys() - UNTOLD):
        one, two = first.settings[name], second.settings[name]
        numbers = isinstance(one, float) and isinstance(two, float)
        if not (isclose(one, two, rel_tol=1e-6) if numbers else _plain(one) == _plain(two)):
            yield f"Its {name} is {_plain(one)} in one and {_plain(two)} in the other."


def _plain(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _weights(layer: LayerInfo, other: LayerInfo, first: Model, second: Model) -> Iterator[str]:
    if not _readable(first, second):
        return
    ours, theirs = first.weights(layer.name), second.weights(other.name)
    for name in ours.keys() & theirs.keys():
        one, two = ours[name], theirs[name]
        if one.shape != two.shape:
            yield f"Its {name} has the shape {one.shape} in one and {two.shape} in the other."
        elif not (found := gap(one, two)).largest <= SAME_WEIGHTS:
            known = next((words for words, changed in _changes(name, one, layer, first) if _same(changed, two)), None)
            yield known or f"Its {name} is another, by up to {found.largest:.2g} of its largest value."
    for name in ours.keys() ^ theirs.keys():
        yield f"Only one of them has a {name}."


def _same(one: Array, two: Array) -> bool:
    return one.shape == two.shape and gap(one, two).largest <= SAME_WEIGHTS


def _changes(name: str, values: Array, layer: LayerInfo, model: Model) -> Iterator[tuple[str, Array]]:
    """Mistakes that are made when weights are carried from one framework to another, and what they make of these."""
    if name != "kernel":
        return
    if values.ndim == 4:
        yield "Its kernel is transposed: rows and columns are exchanged.", values.swapaxes(0, 1)
        yield "Its kernel is turned by half a turn: one convolves, the other correlates.", values[::-1, ::-1]
        yield "Its kernel has inputs and outputs exchanged.", values.swapaxes(2, 3)
        return
    if values.shape[0] == values.shape[1]:
        yield "Its kernel is transposed: inputs and outputs are exchanged.", values.T
    shape = _flattened(layer, model)
    if shape and prod(shape) == len(values):
        words = (
            "Its kernel reads the flattened picture in another order: one has the channels last (height, width, "
            "channel), the other first (channel, height, width)."
        )
        last_to_first = np.arange(prod(shape)).reshape(shape).transpose(2, 0, 1).ravel()
        yield words, values[last_to_first]
        yield words, values[np.argsort(last_to_first)]


def _flattened(layer: LayerInfo, model: Model) -> Shape | None:
    """The shape of the picture that was flattened for this layer; None where none was."""
    while layer.inputs and not layer.is_spatial:
        layer = model.layer(layer.inputs[0])
    return layer.output_shape if layer.is_spatial else None


def _readable(first: Model, second: Model) -> bool:
    return Capability.WEIGHTS in first.capabilities & second.capabilities


def _nothing_told(layer: LayerInfo, readable: bool) -> str:
    if layer.weight_shapes and not readable:
        return "Its settings are the same; whether its weights are cannot be seen."
    even = any(size % 2 == 0 for size in layer.settings.get("window", ()))
    if even and layer.settings.get("padding") == "same":
        return (
            "Its weights and settings are the same. With an even window, padding lies unevenly around the picture: see "
            "that both put the odd row and column at the bottom and the right."
        )
    return "Its weights and settings are the same, so the arithmetic itself differs."
