"""How a layer makes one number of the numbers it reads: what every view of a single value is drawn from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from ..backends.base import Array, Model
from ..models.layers import LayerInfo
from .contract import Condition, Subject
from .filters import kernel_of
from .windows import Position, axes_of, position_of
from .workings import FUNCTIONS, Applied, Convolved, Gathered, Mask, Normalised, Pooled, Term, Weighed, Work


@dataclass(frozen=True)
class Explained:
    """One value of a layer, and how it came about.

    Attributes:
        layer: the layer.
        unit: its unit.
        position: `(row, column)`; None where it has no height and width.
        work: the arithmetic.
        factor: what edits multiply the unit's output by; 1 without any.
        activation: what the network itself gives.
    """

    layer: LayerInfo
    unit: int
    position: Position | None
    work: Work
    factor: float
    activation: float

    @property
    def value(self) -> float:
        """The result of the arithmetic, edits included; equals the activation up to rounding."""
        return self.work.total * self.factor


@dataclass(frozen=True)
class _Place:
    """One value of one layer, with everything its arithmetic may read."""

    model: Model
    activations: Mapping[str, Array]
    image: Array
    layer: LayerInfo
    unit: int
    position: Position | None
    aim: float | None  # what the arithmetic should give before edits; None when an edit mutes it

    @property
    def source(self) -> str:
        return self.layer.inputs[0]

    @property
    def read(self) -> Array:
        """The activation that it reads."""
        return self.activations[self.source]

    @property
    def units(self) -> Array:
        """All units of the source at the position, `(units,)`."""
        found = self.read if self.position is None else self.read[self.position]
        if found.ndim != 1:
            raise LookupError(f"{self.layer.name} reads {self.source} in an order that is not known.")
        return found

    def weight(self, name: str, default: float) -> float:
        """One of the unit's weights; the default where the layer has none of that name."""
        if name not in self.layer.weight_shapes:
            return default
        weights = self.model.weights(self.layer.name)
        if name not in weights:
            raise LookupError(f"{self.model.name} does not hand out the weights of {self.layer.name}.")
        return float(weights[name][self.unit])


def explained(subject: Subject) -> Explained:
    """How the selected value of the selected layer comes about.

    Raises:
        LookupError: nothing is selected, the model keeps its weights to itself, or the layer does more than its
            description says.
    """
    layer, unit = subject.chosen, subject.unit
    if unit is None or not 0 <= unit < layer.units:
        raise LookupError(f"Layer {layer.name!r} has units 0 to {layer.units - 1}. Received: unit={unit}")
    if layer.kind not in _RULES:
        raise LookupError(f"The arithmetic of {layer.name} ({layer.kind}) is not known.")
    position = position_of(subject)
    factor = prod(edit.scale for edit in subject.edits if (edit.layer, edit.unit) == (layer.name, unit))
    activation = float(subject.activation[unit] if position is None else subject.activation[(*position, unit)])
    place = _Place(
        subject.model,
        subject.activations,
        subject.image,
        layer,
        unit,
        position,
        activation / factor if factor else None,
    )
    found = Explained(layer, unit, position, _RULES[layer.kind](place), factor, activation)
    room = 1e-4 * float(np.abs(subject.activation).max())
    if np.isfinite(room) and not np.isclose(found.value, activation, rtol=1e-3, atol=room):
        raise LookupError(
            f"{layer.name} does more than a plain {layer.kind}, so its arithmetic cannot be shown: "
            f"that would give {found.value:.4g} instead of {activation:.4g}."
        )
    return found


def _convolved(place: _Place) -> Convolved:
    kernel = kernel_of(place.model, place.layer)[..., place.unit]
    group = place.unit // (place.layer.units // int(place.layer.settings.get("groups", 1)))
    channels = group * kernel.shape[2] + np.arange(kernel.shape[2])
    patch, inside = _window(place, channels)
    return Convolved(place.source, patch, inside, kernel, channels, place.weight("bias", 0.0))


def _window(place: _Place, channels: NDArray[np.intp]) -> tuple[Array, Mask]:
    """What lies under the window, `(height, width, channels)`, and where that is not padding."""
    assert place.position is not None
    axes = axes_of(place.layer, place.read.shape)
    rows, columns = (axis.read(index) for axis, index in zip(axes, place.position, strict=True))
    inside = ((rows >= 0) & (rows < axes[0].size))[:, None] & ((columns >= 0) & (columns < axes[1].size))
    values = place.read[rows.clip(0, axes[0].size - 1)[:, None], columns.clip(0, axes[1].size - 1)][..., channels]
    return np.where(inside[..., None], values, np.float32(0)), inside


def _weighed(place: _Place) -> Weighed:
    kernel, inputs = kernel_of(place.model, place.layer), place.units
    if kernel.shape[:-1] != inputs.shape:
        raise LookupError(f"{place.layer.name} reads {place.source} in an order that is not known.")
    return Weighed(place.source, inputs, kernel[:, place.unit], place.weight("bias", 0.0))


def _largest(place: _Place) -> Pooled:
    window, inside = _window(place, np.array([place.unit]))
    return Pooled(place.source, window[..., 0], inside, inside, "largest")


def _mean(place: _Place) -> Pooled:
    """Padding does not count; but PyTorch can be told to count it, which only the result betrays."""
    window, inside = _window(place, np.array([place.unit]))
    ways = [Pooled(place.source, window[..., 0], inside, counted, "mean") for counted in (inside, inside | True)]
    return ways[0] if place.aim is None else min(ways, key=lambda way: abs(way.total - (place.aim or 0.0)))


def _mean_of_all(place: _Place) -> Pooled:
    window = place.read[..., place.unit]
    everywhere = np.ones(window.shape, np.bool_)
    return Pooled(place.source, window, everywhere, everywhere, "mean")


def _normalised(place: _Place) -> Normalised:
    mean, variance = place.weight("mean", 0.0), place.weight("variance", 1.0)
    epsilon = float(place.layer.settings.get("epsilon", 0.0))
    gamma, beta = place.weight("gamma", 1.0), place.weight("beta", 0.0)
    return Normalised(place.source, float(place.units[place.unit]), mean, variance, epsilon, gamma, beta)


def _applied(place: _Place) -> Applied:
    function = str(place.layer.settings.get("function"))
    if function not in FUNCTIONS:
        raise LookupError(f"The function {function} of {place.layer.name} is not among {', '.join(FUNCTIONS)}.")
    return Applied(place.source, function, place.units, place.unit)


def _term(place: _Place, layer: str, unit: int, position: Position | None) -> Term:
    values = place.activations[layer]
    return Term(layer, unit, position, float(values[unit] if position is None else values[(*position, unit)]))


def _from_image(place: _Place) -> Gathered:
    assert place.position is not None
    value = float(place.image[(*place.position, place.unit)])
    return Gathered((Term(place.layer.name, place.unit, place.position, value),))


def _unchanged(place: _Place) -> Gathered:
    return Gathered((_term(place, place.source, place.unit, place.position),))


def _flattened(place: _Place) -> Gathered:
    if place.read.ndim == 1:
        return _unchanged(place)
    row, column, unit = map(int, np.unravel_index(place.unit, place.read.shape))
    return Gathered((_term(place, place.source, unit, (row, column)),))


def _added(place: _Place) -> Gathered:
    if any(place.activations[name].shape != place.layer.output_shape for name in place.layer.inputs):
        raise LookupError(f"{place.layer.name} adds inputs of different shapes, which is not shown.")
    return Gathered(tuple(_term(place, name, place.unit, place.position) for name in place.layer.inputs))


def _joined(place: _Place) -> Gathered:
    unit = place.unit
    for name in place.layer.inputs:
        units = place.activations[name].shape[-1]
        if unit < units:
            return Gathered((_term(place, name, unit, place.position),))
        unit -= units
    raise LookupError(f"{place.layer.name} joins its inputs in an order that is not known.")


_RULES: Mapping[str, Callable[[_Place], Work]] = {
    "input": _from_image,
    "conv2d": _convolved,
    "dense": _weighed,
    "maxpool2d": _largest,
    "averagepool2d": _mean,
    "globalaveragepool2d": _mean_of_all,
    "batchnorm": _normalised,
    "activation": _applied,
    "dropout": _unchanged,
    "flatten": _flattened,
    "add": _added,
    "concatenate": _joined,
}

is_known = Condition(lambda layer: layer.kind in _RULES, "a layer of a kind whose arithmetic is known")
