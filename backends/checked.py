"""What every backend shares: checks, slices and messages, so that a framework only has to compute.

A backend from outside the package may build upon `CheckedModel` too; it fills in five methods that receive nothing but
valid arguments, and two more, `_own` and `_backward_guided`, for what a model may lack.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from math import prod
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ..models.layers import LayerInfo
from .base import (
    Array,
    BackendError,
    Capability,
    Edit,
    Model,
    Optimiser,
    State,
    Step,
    Target,
    Weights,
    check_images,
    read_only,
)
from .stored import fingerprint, fitting
from .undisturbed import undisturbed

Scales = Mapping[str, Array]
"""Layer name → `(units,)`, what each unit's output is multiplied by."""

BUDGET = 256 * 2**20
"""Bytes of activations one pass may keep alive; more images than fit are passed through in slices."""
MOST_IMAGES = 64
"""Of one slice: what so many leave behind stays near the processor, and each then costs less than one of hundreds."""
BACKWARD = 2
"""The way back keeps all activations alive and makes as much again, so that half as many images are a slice."""


class CheckedModel(Model):
    """A model that checks what it is asked before the framework is."""

    def __init__(
        self,
        *,
        name: str,
        backend: str,
        layers: Sequence[LayerInfo],
        classes: Sequence[str] | None = None,
        lacks: Iterable[Capability] = (),
    ) -> None:
        self.name = name
        self.backend = backend
        self.layers = tuple(layers)
        self._infos = {info.name: info for info in self.layers}
        height, width, channels = self.layers[0].output_shape
        self.input_shape = (height, width, channels)
        self.classes = _class_names(name, self.layers[-1], classes)
        self._logits = _logits_layer(self.layers)
        lacking = {*lacks, *([] if self._logits else [Capability.LOGITS, Capability.FIT])}
        if type(self)._own is CheckedModel._own:
            lacking.add(Capability.OTHER_WEIGHTS)
        self._relus = frozenset(info.name for info in self.layers if _is_relu(info))
        guides = self._relus and type(self)._backward_guided is not CheckedModel._backward_guided
        if not guides or Capability.GRADIENTS in lacking:
            lacking.add(Capability.GUIDED)
        self.capabilities = frozenset(Capability) - lacking
        self._everything = tuple(self._infos)
        values = sum(prod(info.output_shape) for info in self.layers)
        self.at_once = max(1, min(MOST_IMAGES, BUDGET // (4 * values)))
        self._version: str | None = None
        self._stored: dict[str, Mapping[str, Array]] = {}
        self._given_state: State = {}
        self._tell_state: Callable[[], State] = dict

    @abstractmethod
    def _forward(self, images: Array, layers: Sequence[str], scales: Scales) -> dict[str, Array]:
        """Activations of the named layers, in that order, read-only."""

    @abstractmethod
    def _backward(
        self, images: Array, target: str, direction: Array, layers: Sequence[str], scales: Scales
    ) -> dict[str, Array]:
        """Gradients of `sum(target's activation × direction)` in the named layers' activations; 0 where none flows."""

    def _backward_guided(
        self, images: Array, target: str, direction: Array, layers: Sequence[str], scales: Scales
    ) -> dict[str, Array]:
        """As `_backward`, but the layers in `_relus` let only positive gradients through; may be left out."""
        raise NotImplementedError

    @abstractmethod
    def _read(self, layer: str) -> Mapping[str, Array]:
        """A copy of the layer's weights, canonical."""

    @abstractmethod
    def _write(self, weights: Weights) -> None:
        """Replaces the weights, all of them known to fit."""

    @abstractmethod
    def _steps(
        self, batches: Iterator[tuple[float, Array, NDArray[np.int64]]], optimiser: Optimiser, logits: str
    ) -> Iterator[Step]:
        """One training step for each learning rate, images and labels.

        A backend that can go on where another training stopped begins with `_given_state`, unless it is empty, and lets
        `_tell_state` tell what its optimiser has gathered.
        """

    def _own(self, weights: Weights) -> None:
        """Gives this shallow copy of a model weights of its own, all known to fit; a backend may leave it out."""
        raise NotImplementedError

    @property
    def version(self) -> str:
        if self._version is None:
            self._version = fingerprint(self.layers, {info.name: self.weights(info.name) for info in self.layers})
        return self._version

    def trace(
        self, images: Array, layers: Sequence[str] | None = None, edits: Sequence[Edit] = ()
    ) -> Mapping[str, Array]:
        images = check_images(images, self.input_shape)
        names = self._ordered(layers)
        scales = self._scales(edits) if edits else {}
        if not len(images):
            return self._nothing(names)
        if len(images) <= self.at_once:
            return MappingProxyType(self._passed(images, names, scales))
        return _joined(names, self._each(lambda part: self._passed(part, names, scales), self._slices(images)))

    def logits(self, images: Array, edits: Sequence[Edit] = ()) -> Array:
        name = self._logits_name()
        return self.trace(images, [name], edits)[name]

    def weights(self, layer: str) -> Mapping[str, Array]:
        info = self.layer(layer)
        if layer not in self._stored:
            with undisturbed:
                read = self._read(layer) if info.weight_shapes else {}
            self._stored[layer] = MappingProxyType({name: read_only(array) for name, array in read.items()})
        return self._stored[layer]

    def load(self, weights: Weights) -> None:
        given = fitting(self.name, self.layers, weights)
        with undisturbed:
            self._write(given)
            self._changed()

    def with_weights(self, weights: Weights, name: str = "") -> Model:
        if Capability.OTHER_WEIGHTS not in self.capabilities:
            return super().with_weights(weights, name)
        given = fitting(self.name, self.layers, weights)
        sibling = copy(self)
        sibling.name = name or self.name
        sibling._changed()
        sibling._tell_state = dict
        with undisturbed:
            sibling._own(given)
        return sibling

    def gradients(
        self,
        images: Array,
        target: int | Target,
        of: Sequence[str],
        edits: Sequence[Edit] = (),
        guided: bool = False,
    ) -> Mapping[str, Array]:
        images = check_images(images, self.input_shape)
        backward = self._guided_backward() if guided else self._backward
        names = self._ordered(of)
        scales = self._scales(edits)
        layer, direction = self._direction(target)
        if not len(images):
            return self._nothing(names)

        def work(part: Array) -> dict[str, Array]:
            with undisturbed:
                return backward(part, layer, np.broadcast_to(direction, (len(part), *direction.shape)), names, scales)

        return _joined(names, self._each(work, self._slices(images, BACKWARD)))

    def fit(
        self,
        batches: Iterable[tuple[Array, NDArray[np.int64]]],
        learning_rates: Iterable[float],
        optimiser: Optimiser,
        state: State | None = None,
    ) -> Iterator[Step]:
        logits = self._logits_name()
        if Capability.FIT not in self.capabilities:
            raise BackendError(
                f"{self.name} cannot be trained here: its layers in training are others than in inference."
            )
        self._given_state, self._tell_state = state or {}, dict
        for step in self._steps(self._paired(batches, learning_rates), optimiser, logits):
            self._changed()
            yield step

    def optimiser_state(self) -> State:
        return self._tell_state()

    def layer(self, name: str) -> LayerInfo:
        return self._infos[name] if name in self._infos else super().layer(name)

    def _passed(self, images: Array, layers: Sequence[str], scales: Scales) -> dict[str, Array]:
        with undisturbed:
            return self._forward(images, layers, scales)

    def _changed(self) -> None:
        self._version = None
        self._stored = {}

    def _slices(self, images: Array, share: int = 1) -> list[Array]:
        size = max(1, self.at_once // share)
        return [images[start : start + size] for start in range(0, len(images), size)]

    def _each(self, work: Callable[[Array], dict[str, Array]], slices: Sequence[Array]) -> list[dict[str, Array]]:
        """The work done on every slice, in their order."""
        return [work(part) for part in slices]

    def _nothing(self, names: Sequence[str]) -> Mapping[str, Array]:
        """What no images give."""
        return {name: read_only(np.zeros((0, *self._infos[name].output_shape))) for name in names}

    def _ordered(self, names: Sequence[str] | None) -> tuple[str, ...]:
        if names is None:
            return self._everything
        wanted = {self.layer(name).name for name in names}
        return tuple(name for name in self._everything if name in wanted)

    def _guided_backward(self) -> Callable[..., dict[str, Array]]:
        if Capability.GUIDED not in self.capabilities:
            reason = "its backend does not offer them" if self._relus else "it has no relu layers to guide them"
            raise BackendError(f"{self.name} has no guided gradients: {reason}; ask for plain ones.")
        return self._backward_guided

    def _logits_name(self) -> str:
        if self._logits is None:
            raise BackendError(f"{self.name} does not end in a softmax, so it has no logits to show or to train.")
        return self._logits

    def _unit(self, layer: str, unit: int) -> LayerInfo:
        info = self.layer(layer)
        if not 0 <= unit < info.units:
            raise BackendError(f"Layer {layer!r} has units 0 to {info.units - 1}. Received: unit={unit}")
        return info

    def _scales(self, edits: Sequence[Edit]) -> Scales:
        scales: dict[str, Array] = {}
        for edit in edits:
            info = self._unit(edit.layer, edit.unit)
            scales.setdefault(edit.layer, np.ones(info.units, np.float32))[edit.unit] *= edit.scale
        return scales

    def _direction(self, target: int | Target) -> tuple[str, Array]:
        """The target's layer, and what its activation is multiplied by to give the target."""
        if not isinstance(target, Target):
            if not 0 <= target < len(self.classes):
                raise BackendError(f"{self.name} has classes 0 to {len(self.classes) - 1}. Received: target={target}")
            target = Target(self._logits_name(), int(target))
        info = self._unit(target.layer, target.unit)
        direction = np.zeros(info.output_shape, np.float32)
        if target.position is None:
            direction[..., target.unit] = 1 / prod(info.output_shape[:-1])
        else:
            direction[(*_position(info, target.position), target.unit)] = 1
        return target.layer, direction

    def _paired(
        self, batches: Iterable[tuple[Array, NDArray[np.int64]]], learning_rates: Iterable[float]
    ) -> Iterator[tuple[float, Array, NDArray[np.int64]]]:
        for rate, (images, labels) in zip(learning_rates, batches, strict=False):
            images = check_images(images, self.input_shape)
            labels = np.asarray(labels, dtype=np.int64)
            if labels.shape != images.shape[:1]:
                raise BackendError(
                    f"Expected one label for each of {len(images)} images. Received: shape={labels.shape}"
                )
            if labels.size and not 0 <= labels.min() <= labels.max() < len(self.classes):
                raise BackendError(
                    f"{self.name} has classes 0 to {len(self.classes) - 1}. "
                    f"Received: labels from {labels.min()} to {labels.max()}"
                )
            yield float(rate), images, labels


def _is_relu(info: LayerInfo) -> bool:
    return info.kind == "activation" and info.settings.get("function") == "relu"


def _joined(names: Sequence[str], parts: Sequence[Mapping[str, Array]]) -> Mapping[str, Array]:
    if len(parts) == 1:
        return MappingProxyType(dict(parts[0]))
    return MappingProxyType({name: read_only(np.concatenate([part[name] for part in parts])) for name in names})


def _position(info: LayerInfo, position: tuple[int, int]) -> tuple[int, int]:
    if not info.is_spatial:
        raise BackendError(f"Layer {info.name!r} has no positions, only units. Received: position={position}")
    row, column = position
    height, width = info.output_shape[:2]
    if not (0 <= row < height and 0 <= column < width):
        raise BackendError(
            f"Layer {info.name!r} has positions up to {(height - 1, width - 1)}. Received: position={position}"
        )
    return row, column


def _class_names(title: str, final: LayerInfo, classes: Sequence[str] | None) -> tuple[str, ...]:
    if len(final.output_shape) != 1 or final.units < 2:
        raise BackendError(
            f"{title} should end in one number for each class. Received: {final.output_shape} from layer {final.name!r}"
        )
    names = tuple(map(str, range(final.units))) if classes is None else tuple(classes)
    if len(names) != final.units:
        raise BackendError(f"{title} tells {final.units} classes apart. Received: {len(names)} class names")
    return names


def ends_in_probabilities(model: CheckedModel) -> bool:
    """Whether the last layer gives them already: it says so, or its numbers for an image look like it."""
    final = model.layers[-1]
    if final.kind == "activation" and final.settings.get("function") in {"softmax", "sigmoid"}:
        return True
    images = np.random.default_rng(0).random((2, *model.input_shape), dtype=np.float32)
    rows = model.probabilities(images)
    return bool(rows.min() >= 0 and np.allclose(rows.sum(-1), 1, atol=1e-4))


def _logits_layer(layers: Sequence[LayerInfo]) -> str | None:
    final = layers[-1]
    return final.inputs[0] if final.kind == "activation" and final.settings.get("function") == "softmax" else None
