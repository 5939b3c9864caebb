"""Layerscope without any framework: described networks in plain NumPy."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from layerscope.backends.base import (
    Array,
    Backend,
    BackendError,
    Capability,
    Model,
    Optimiser,
    Step,
    Weights,
    read_only,
)
from layerscope.backends.checked import CheckedModel, Scales
from layerscope.models.architecture import Architecture
from layerscope.models.weights import initial_weights
from numpy.typing import NDArray

from .arithmetic import RULES

Batches = Iterable[tuple[Array, NDArray[np.int64]]]


class NumPyModel(CheckedModel):
    """A described network. It has no gradients, and so cannot be trained; both are said in its capabilities.

    Every pass works on the weights that were there when it began, so that threads need no lock.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(
            name=architecture.name,
            backend=NumPyBackend.name,
            layers=architecture.infos,
            classes=architecture.classes,
            lacks=[Capability.GRADIENTS, Capability.FIT],
        )
        self._weights: Weights = {}

    def fit(self, batches: Batches, learning_rates: Iterable[float], optimiser: Optimiser) -> Iterator[Step]:
        self._refuse("cannot be trained")

    def _forward(self, images: Array, layers: Sequence[str], scales: Scales) -> dict[str, Array]:
        weights, values = self._weights, dict[str, Array]()
        last = self._everything.index(layers[-1]) if layers else -1
        for info in self.layers[: last + 1]:
            inputs = [values[name] for name in info.inputs]
            value = RULES[info.kind](info, inputs, weights.get(info.name, {})) if inputs else images
            values[info.name] = value * scales[info.name] if info.name in scales else value
        return {name: read_only(values[name]) for name in layers}

    def _read(self, layer: str) -> Mapping[str, Array]:
        return {name: array.copy() for name, array in self._weights[layer].items()}

    def _write(self, weights: Weights) -> None:
        self._weights = {
            layer: {name: array.copy() for name, array in named.items()} for layer, named in weights.items()
        }

    def _own(self, weights: Weights) -> None:
        self._write(weights)

    def _backward(
        self, images: Array, target: str, direction: Array, layers: Sequence[str], scales: Scales
    ) -> dict[str, Array]:
        self._refuse("has no gradients")

    def _steps(
        self, batches: Iterator[tuple[float, Array, NDArray[np.int64]]], optimiser: Optimiser, logits: str
    ) -> Iterator[Step]:
        self._refuse("cannot be trained")

    def _refuse(self, what: str) -> NoReturn:
        raise BackendError(f"{self.name} {what} in NumPy; open it in PyTorch or Keras.")


class NumPyBackend(Backend):
    """NumPy, which is always there."""

    name = "numpy"
    title = "NumPy"
    extra = ""

    @property
    def missing(self) -> str | None:
        return None

    def start(self) -> None:
        """There is nothing to start."""

    def build(self, architecture: Architecture, weights: Weights | None = None, seed: int = 0) -> Model:
        model = NumPyModel(architecture)
        model.load(initial_weights(architecture, seed) if weights is None else weights)
        return model

    def open(self, source: Any, name: str = "", classes: Sequence[str] | None = None) -> Model:
        raise BackendError(
            "NumPy has no networks of its own; open a bundled one, or a .safetensors file of Layerscope. "
            f"Received: {type(source).__name__}"
        )

    def reads(self, path: Path) -> bool:
        return False
