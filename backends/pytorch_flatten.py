"""Lets a flatten in a user's network give height, width, channel, and reorders the weights that read it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from ..models.layers import LayerInfo
from .operations import Operation

ORDERLESS = {"relu", "sigmoid", "tanh", "gelu", "silu"}
"""Activation functions that treat every number alike, wherever it stands."""


def flattens_to_reorder(operations: Sequence[Operation], infos: Mapping[str, LayerInfo]) -> list[str]:
    """Names of flattens whose order nothing depends on but weights that can be reordered."""
    return [
        operation.name
        for operation in operations
        if operation.name in infos
        and infos[operation.name].kind == "flatten"
        and len(infos[infos[operation.name].inputs[0]].output_shape) == 3
        and _readers(operation.name, operations, infos) is not None
    ]


def reorder_readers(flatten: str, operations: Sequence[Operation], infos: Mapping[str, LayerInfo]) -> None:
    """Reorders the weights that read a flatten from channel, height, width to height, width, channel."""
    height, width, channels = infos[infos[flatten].inputs[0]].output_shape
    order = torch.arange(height * width * channels).reshape(channels, height, width).permute(1, 2, 0).flatten()
    with torch.no_grad():
        for module in _readers(flatten, operations, infos) or []:
            for tensor in _ordered_tensors(module):
                tensor.copy_(tensor[..., order.to(tensor.device)])


def _readers(name: str, operations: Sequence[Operation], infos: Mapping[str, LayerInfo]) -> list[nn.Module] | None:
    """Modules with weights for each of the flatten's numbers; None when something else depends on their order."""
    found: list[nn.Module] = []
    for operation in operations:
        if name not in operation.inputs:
            continue
        module: Any = operation.call
        info = infos.get(operation.name)
        if info is None or sum(each.call is module for each in operations) > 1:
            return None
        if type(module) in (nn.Linear, nn.BatchNorm1d):
            found.append(module)
        elif not (info.kind == "dropout" or info.settings.get("function") in ORDERLESS):
            return None
        if type(module) is not nn.Linear:
            further = _readers(operation.name, operations, infos)
            if further is None:
                return None
            found += further
    return found or None


def _ordered_tensors(module: nn.Module) -> Iterator[torch.Tensor]:
    if isinstance(module, nn.Linear):
        yield module.weight
    elif isinstance(module, nn.BatchNorm1d):
        yield from (t for t in (module.weight, module.bias, module.running_mean, module.running_var) if t is not None)
