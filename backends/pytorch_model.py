"""One opened PyTorch network."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ..models.layers import LayerInfo
from .base import Array, Capability, Edit, Optimiser, Step, Target, Weights, check_images
from .checked import CheckedModel, Scales
from .operations import Operation, go_on, replaced, run
from .pytorch_cores import SMALL, one_core
from .pytorch_guided import guided_relu
from .pytorch_layers import canonical, device
from .pytorch_single import for_one_image
from .pytorch_training import named_parameters, optimiser_for, take_chance, take_state, told_chance, told_state
from .undisturbed import undisturbed

CHANNELS_LAST = (0, 2, 3, 1)
"""PyTorch's axes in the order in which they are handed out."""
FEW_IMAGES = 16
"""Of a small network, one core alone does so few more quickly than two cores hundreds, for each of them."""


class PyTorchModel(CheckedModel):
    """Calls its operations one after the other; the modules among them are never switched to another mode."""

    def __init__(
        self,
        operations: Sequence[Operation],
        training: Sequence[Operation],
        layers: Sequence[LayerInfo],
        *,
        network: nn.Module,
        owners: Mapping[str, nn.Module],
        name: str,
        classes: Sequence[str] | None = None,
        lacks: Iterable[Capability] = (),
        channels_last: bool = True,
    ) -> None:
        """Takes over operations, and others in training mode that use the same weights, all of them in `network`.

        `owners` are the modules that hold each layer's weights.
        `channels_last` is how images lie in memory: the fastest, but a user's `view` may need the usual way.
        """
        super().__init__(name=name, backend="pytorch", layers=layers, classes=classes, lacks=lacks)
        self._device = device()
        self._channels_last = channels_last
        self._operations = tuple(operations)
        self._training = tuple(training)
        self._network = network
        self._owners = dict(owners)
        self._work = sum(info.multiply_adds for info in self.layers)
        self._convolves = any(info.is_spatial and "kernel" in info.weight_shapes for info in self.layers)
        if self._convolves and self._device.type == "cpu":
            self.at_once = min(self.at_once, max(FEW_IMAGES, (SMALL - 1) // max(1, self._work)))
        self._position = {operation.name: place for place, operation in enumerate(operations)}
        self._for_one: tuple[Operation, ...] | None = None
        self._changes = 0

    def _forward(self, images: Array, layers: Sequence[str], scales: Scales) -> dict[str, Array]:
        with self._cores(len(images)), torch.inference_mode():
            operations = self._single() if len(images) == 1 else self._operations
            values = self._run(operations, self._given(images), layers, scales)
            return _handed_out(values, layers)

    def _backward(
        self, images: Array, target: str, direction: Array, layers: Sequence[str], scales: Scales
    ) -> dict[str, Array]:
        return self._backward_through(self._operations, images, target, direction, layers, scales)[1]

    def _backward_guided(
        self, images: Array, target: str, direction: Array, layers: Sequence[str], scales: Scales
    ) -> dict[str, Array]:
        operations = replaced(self._operations, self._relus, guided_relu)
        return self._backward_through(operations, images, target, direction, layers, scales)[1]

    def _backward_through(
        self,
        operations: Sequence[Operation],
        images: Array,
        target: str,
        direction: Array,
        layers: Sequence[str],
        scales: Scales,
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Activations and gradients. What lies before a single layer needs no graph: no gradient goes there."""
        places = [self._position[name] for name in layers]
        end = self._position[target]
        begin = places[0] if len(places) == 1 and places[0] <= end else 0
        end = max([end, *places])
        factors = self._factors(scales)
        with self._cores(len(images)):
            with torch.no_grad():
                values = run(operations[: begin + 1], self._given(images), factors)
            values[operations[begin].name] = values[operations[begin].name].detach().requires_grad_()
            with torch.enable_grad():
                go_on(operations[begin + 1 : end + 1], values, factors, alias=lambda value: value.view_as(value))
                found = torch.autograd.grad(
                    values[target], [values[name] for name in layers], self._given(direction), materialize_grads=True
                )
            activations = {name: values[name].detach() for name in layers}
            gradients = {name: each.detach() for name, each in zip(layers, found, strict=True)}
            return _handed_out(activations, layers), _handed_out(gradients, layers)

    def activation_and_gradient(
        self, images: Array, target: int | Target, layer: str, edits: Sequence[Edit] = ()
    ) -> tuple[Array, Array]:
        if len(images) != 1:
            return super().activation_and_gradient(images, target, layer, edits)
        images, name = check_images(images, self.input_shape), self.layer(layer).name
        end, direction = self._direction(target)
        with undisturbed:
            found = self._backward_through(self._operations, images, end, direction[None], [name], self._scales(edits))
        return found[0][name], found[1][name]

    def _each(self, work: Callable[[Array], dict[str, Array]], slices: Sequence[Array]) -> list[dict[str, Array]]:
        """Slices that take one core each are worked on side by side."""
        if len(slices) > 1 and self._device.type == "cpu" and self._cores(len(slices[0])) is one_core:
            with undisturbed:
                return list(_workers().map(work, slices))
        return super()._each(work, slices)

    def _single(self) -> tuple[Operation, ...]:
        """The operations for one image. Two threads may both make them; those of old weights are not kept."""
        operations = self._for_one
        if operations is None:
            changes = self._changes
            operations = for_one_image(self._operations, self._owners, self._infos)
            if changes == self._changes:
                self._for_one = operations
        return operations

    def _changed(self) -> None:
        super()._changed()
        self._changes += 1
        self._for_one = None

    def _run(
        self,
        operations: Sequence[Operation],
        images: Tensor,
        layers: Sequence[str],
        scales: Scales,
    ) -> dict[str, Any]:
        """Results by name, as far as the named layers need."""
        if layers is not self._everything:
            operations = operations[: 1 + max((self._position[name] for name in layers), default=0)]
        return run(operations, images, self._factors(scales))

    def _cores(self, images: int) -> AbstractContextManager[object]:
        return one_core if self._convolves and images * self._work < SMALL else nullcontext()

    def _given(self, array: Array) -> Tensor:
        """A tensor in PyTorch's order of axes that shares no memory with the array."""
        if array.ndim != 4:
            own = np.array(array)
        elif self._channels_last:
            own = np.array(array).transpose(0, 3, 1, 2)
        else:
            own = np.array(array.transpose(0, 3, 1, 2), order="C")
        tensor = torch.from_numpy(own)
        return tensor if self._device.type == "cpu" else tensor.to(self._device)

    def _factors(self, scales: Scales) -> dict[str, Tensor]:
        factors = {}
        for name, scale in scales.items():
            factor = torch.from_numpy(scale).to(self._device)
            factors[name] = factor[:, None, None] if len(self._infos[name].output_shape) == 3 else factor
        return factors

    def _read(self, layer: str) -> Mapping[str, Array]:
        return {name: view.detach().cpu().numpy().copy() for name, view in canonical(self._owners[layer]).items()}

    def _write(self, weights: Weights) -> None:
        with one_core, torch.no_grad():
            for layer, named in weights.items():
                views = canonical(self._owners[layer]) if named else {}
                for name, view in views.items():
                    view.copy_(torch.from_numpy(np.array(named[name])))

    def _own(self, weights: Weights) -> None:
        """One deep copy of all, so that what shares weights still shares them."""
        shared = self._operations, self._training, self._network, self._owners
        with one_core:
            self._operations, self._training, self._network, self._owners = deepcopy(shared)
        self._write(weights)

    def _steps(
        self, batches: Iterator[tuple[float, Array, NDArray[np.int64]]], optimiser: Optimiser, logits: str
    ) -> Iterator[Step]:
        weights = [weight for weight in self._network.parameters() if weight.requires_grad]
        updates = optimiser_for(optimiser, weights)
        named = named_parameters(weights, self._owners)
        if self._given_state:
            take_state(updates, optimiser, named, self._given_state)
            take_chance(self._device, self._given_state)
        self._tell_state = lambda: {**told_state(updates, optimiser, named), **told_chance(self._device)}
        for rate, images, labels in batches:
            yield self._step(updates, rate, optimiser, images, labels, logits)

    @torch.enable_grad()
    def _step(
        self,
        updates: torch.optim.Optimizer,
        rate: float,
        optimiser: Optimiser,
        images: Array,
        labels: NDArray[np.int64],
        logits: str,
    ) -> Step:
        wanted = torch.from_numpy(labels).to(self._device)
        guesses = run(self._training[: self._position[logits] + 1], self._given(images), {})[logits]
        loss = functional.cross_entropy(guesses, wanted, label_smoothing=optimiser.label_smoothing)
        group = updates.param_groups[0]
        try:
            torch.autograd.backward(loss)
            group["lr"] = rate
            if optimiser.weight_decay:
                with torch.no_grad():
                    torch._foreach_mul_(group["params"], 1 - rate * optimiser.weight_decay)
            updates.step()
        finally:
            updates.zero_grad()
        with torch.no_grad():
            accuracy = (guesses.argmax(1) == wanted).float().mean()
            measured = torch.stack([loss.detach(), accuracy]).tolist()
        return Step(*measured)


@cache
def _workers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="slices")


def _handed_out(values: Mapping[str, Tensor], layers: Sequence[str]) -> dict[str, Array]:
    """Channels last; views where memory allows. One loop for all layers: a call for each would be felt."""
    arrays = {}
    for name in layers:
        tensor = values[name]
        array: Array = tensor.cpu().numpy() if tensor.is_cuda else tensor.numpy()
        if array.ndim == 4:
            array = array.transpose(CHANNELS_LAST)
        array.setflags(write=False)
        arrays[name] = array
    return arrays
