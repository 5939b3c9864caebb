"""Follows a user's own PyTorch network from operation to operation, on a copy of it."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, cast

import torch
from torch import Tensor, nn

from ..models.layers import LayerInfo, Shape
from .base import BackendError, Capability
from .checked import ends_in_probabilities
from .operations import Operation, describe, free_name
from .pytorch_calls import Applied, Call, calls_of
from .pytorch_flatten import flattens_to_reorder, reorder_readers
from .pytorch_kinds import kind_of
from .pytorch_layers import FUNCTIONS, Flattening, Function, canonical, device, training_twin
from .pytorch_model import PyTorchModel
from .pytorch_shape import image_shape

SAMPLES = 2
"""Images in the pass that measures shapes: a result with as many rows is a layer's."""


def follow(source: Any, name: str, classes: Sequence[str] | None) -> PyTorchModel:
    """Opens a module that `torch.fx` can trace; it is copied, so later changes do not show.

    Raises:
        BackendError: it cannot be followed; the message says why.
    """
    if not isinstance(source, nn.Module):
        raise BackendError(f"PyTorch opens a torch.nn.Module. Received: {type(source).__name__}")
    followed = _Followed(name or type(source).__name__, source)
    model = followed.model(classes)
    if ends_in_probabilities(model):
        return model
    followed.end_in_softmax()
    return followed.model(classes)


class _Followed:
    """The operations of a copy of the network, in inference and in training, and what is known of each layer."""

    def __init__(self, title: str, source: nn.Module) -> None:
        self.title = title
        network = _copied(title, source)
        shape = image_shape(title, network)
        calls = calls_of(title, network)
        results, changing = _results(title, calls, shape)
        self.infos, self.owners = _described(title, calls, results)
        self.operations = _operations(calls, changing)
        self.training = self._twins(network, changing)
        for flatten in flattens_to_reorder(self.operations, self.infos):
            reorder_readers(flatten, self.operations, self.infos)
            instead = Operation(flatten, Flattening(), self.infos[flatten].inputs)
            self.operations, self.training = (
                [instead if each.name == flatten else each for each in operations]
                for operations in (self.operations, self.training)
            )

    def end_in_softmax(self) -> None:
        """Adds the layer that turns logits into probabilities."""
        last = self.operations[-1].name
        name = free_name("softmax", self.infos)
        shape = self.infos[last].output_shape
        self.infos[name] = describe(name, "activation", (last,), shape, {}, {"function": "softmax"})
        self.operations.append(Operation(name, Function(FUNCTIONS["softmax"]), (last,)))

    def model(self, classes: Sequence[str] | None) -> PyTorchModel:
        """The network as followed so far."""
        lacks = [] if self.training else [Capability.FIT]
        layers = list(self.infos.values())
        return PyTorchModel(
            self.operations,
            self.training,
            layers,
            network=nn.ModuleList(cast(nn.Module, operation.call) for operation in self.operations),
            owners=self.owners,
            name=self.title,
            classes=classes,
            lacks=lacks,
            channels_last=False,
        )

    def _twins(self, network: nn.Module, changing: set[str]) -> list[Operation]:
        """The operations in training mode; none when the network does other things then."""
        twins = calls_of(self.title, training_twin(network))
        names = [operation.name for operation in self.operations]
        return _operations(twins, changing) if [call.operation.name for call in twins] == names else []


def _copied(title: str, source: nn.Module) -> nn.Module:
    try:
        network = deepcopy(source).float().to(device()).eval()
    except Exception as error:
        raise BackendError(f"{title} cannot be copied: {error}") from error
    for module in network.modules():
        if getattr(module, "inplace", False):
            module.inplace = False  # type: ignore[assignment]
    return network


def _operations(calls: Sequence[Call], changing: set[str]) -> list[Operation]:
    for call in calls:
        if call.operation.name in changing:
            call.operation.call.clones = True  # type: ignore[attr-defined]
    return [call.operation for call in calls]


def _results(title: str, calls: Sequence[Call], shape: tuple[int, int, int]) -> tuple[dict[str, Any], set[str]]:
    """What each call gives for sample images, and which calls change what they are called on.

    Raises:
        BackendError: a call changes what a later one reads, so that it cannot be shown as it was.
    """
    height, width, channels = shape
    values: dict[str, Any] = {calls[0].operation.name: torch.rand(SAMPLES, channels, height, width, device=device())}
    changing = set()
    for place, call in enumerate(calls[1:], start=1):
        operation = call.operation
        before = {name: value._version for name, value in values.items() if isinstance(value, Tensor)}
        with torch.no_grad():
            values[operation.name] = operation.call(*[values[name] for name in operation.inputs])
        changed = [name for name, version in before.items() if values[name]._version != version]
        if any(name in later.operation.inputs for name in changed for later in calls[place + 1 :]):
            raise BackendError(
                f"In {title}, {operation.name!r} changes the result of {changed[-1]!r} before something else reads "
                "it; write it without changing it in place."
            )
        if changed and isinstance(operation.call, Applied):
            changing.add(operation.name)
    return values, changing


def _described(
    title: str, calls: Sequence[Call], results: dict[str, Any]
) -> tuple[dict[str, LayerInfo], dict[str, nn.Module]]:
    """What is known of each call that gives one result for each image, and which module holds such a layer's weights.

    A module that gives several results, as attention does, leaves its weights to the layer that picks one of them.
    """
    infos: dict[str, LayerInfo] = {}
    owners: dict[str, nn.Module] = {}
    sources: dict[str, tuple[str, ...]] = {}
    loose: dict[str, nn.Module] = {}
    for call in calls:
        operation, result = call.operation, results[call.operation.name]
        name, module = operation.name, cast(nn.Module, operation.call)
        reads = tuple(dict.fromkeys(source for each in operation.inputs for source in sources[each]))
        if not (_is_activation(result) and (reads or not infos)):
            sources[name], loose[name] = reads, module
            continue
        sources[name] = (name,)
        owner = next((loose.pop(each) for each in operation.inputs if each in loose and not canonical(module)), module)
        owned = {} if any(owner is each for each in owners.values()) else canonical(owner)
        if owned:
            owners[name] = owner
        tensors = [results[each] for each in operation.inputs if isinstance(results[each], Tensor)]
        kind, settings = kind_of(call.target, call.args, call.kwargs, tensors, result) if infos else ("input", {})
        shapes = {weight: tuple(tensor.shape) for weight, tensor in owned.items()}
        infos[name] = describe(name, kind, reads, _shape(result), shapes, settings)
    if calls[-1].operation.name not in infos:
        raise BackendError(f"{title} should end in one row of numbers for each image.")
    for module in loose.values():
        module.requires_grad_(False)
    return infos, owners


def _is_activation(result: Any) -> bool:
    return isinstance(result, Tensor) and result.ndim > 1 and len(result) == SAMPLES and result.is_floating_point()


def _shape(result: Tensor) -> Shape:
    """Without batch axis, channels last."""
    return tuple((result.permute(0, 2, 3, 1) if result.ndim == 4 else result).shape[1:])
