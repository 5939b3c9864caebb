"""Convolutions whose weights lie in memory as oneDNN wants them, so that a pass need not bring them there first.

For one image, that costs as much as the convolution itself. The packed copy is made when it is first asked for, and
again after the weights have changed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..models.layers import LayerInfo
from .operations import Operation
from .pytorch_layers import Convolution

LARGE = 500_000
"""Multiply-adds from which a convolution gains more than the call of a packed one costs."""


def with_packed(
    operations: Sequence[Operation], owners: Mapping[str, nn.Module], infos: Mapping[str, LayerInfo]
) -> tuple[Operation, ...]:
    """The operations for one image, with large convolutions packed; the very same where PyTorch cannot pack."""
    if not (torch._C._has_mkldnn and hasattr(torch.ops.mkldnn, "_reorder_convolution_weight")):
        return tuple(operations)
    packed = {
        operation.name: _packed(owner, infos[operation.inputs[0]].output_shape)
        for operation in operations
        if (owner := owners.get(operation.name)) is not None
        and infos[operation.name].multiply_adds >= LARGE
        and operation.inputs[0] in infos
        and _can_be_packed(owner)
    }
    return tuple(replace(each, call=packed.get(each.name, each.call)) for each in operations)


def _can_be_packed(module: nn.Module) -> bool:
    """Plain convolutions on the processor, ours or PyTorch's own."""
    return (
        type(module) in (Convolution, nn.Conv2d)
        and module.weight.device.type == "cpu"
        and module.weight.dtype == torch.float32
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
    )


@torch.no_grad()
def _packed(module: Any, shape: Sequence[int]) -> Callable[[Tensor], Tensor]:
    """What the convolution computes of one input `(1, channels, height, width)`; `shape` has its channels last."""
    around = module.around if getattr(module, "uneven", False) else None
    height, width, channels = shape
    if around:
        height, width = height + around[2] + around[3], width + around[0] + around[1]
    how = list(module.padding), list(module.stride), list(module.dilation), module.groups
    weight = torch.ops.mkldnn._reorder_convolution_weight(module.weight, *how, [1, channels, height, width])
    bias, convolve = module.bias, torch.ops.mkldnn._convolution_pointwise

    def call(values: Tensor) -> Tensor:
        given = functional.pad(values, around) if around else values
        result: Tensor = convolve(given, weight, bias, *how, "none", [], "")
        return result

    return call
