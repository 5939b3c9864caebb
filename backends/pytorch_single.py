"""Convolutions of one image, as quickly as oneDNN can: their weights, or the image, lie in memory as it wants them.

For one image, bringing weights into that order costs as much as the convolution itself. So large convolutions keep a
packed copy of theirs, made when it is first asked for, and again after the weights have changed. A grey image is
quicker to convolve by 3×3 in PyTorch's usual order, even though the result then has to be put in the order of the
layers after it.
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

Call = Callable[[Tensor], Tensor]


def for_one_image(
    operations: Sequence[Operation], owners: Mapping[str, nn.Module], infos: Mapping[str, LayerInfo]
) -> tuple[Operation, ...]:
    """The operations with every convolution in its quickest way; the very same where PyTorch has no oneDNN."""
    if not (torch._C._has_mkldnn and hasattr(torch.ops.mkldnn, "_reorder_convolution_weight")):
        return tuple(operations)
    return tuple(_quickest(operation, owners.get(operation.name), infos) for operation in operations)


def _quickest(operation: Operation, owner: Any, infos: Mapping[str, LayerInfo]) -> Operation:
    if owner is None or not _is_plain(owner) or operation.inputs[0] not in infos:
        return operation
    if infos[operation.name].multiply_adds >= LARGE:
        return replace(operation, call=_packed(owner, infos[operation.inputs[0]].output_shape))
    if owner.in_channels == 1 and owner.kernel_size == (3, 3) and not getattr(owner, "uneven", False):
        return replace(operation, call=_of_grey(owner))
    return operation


def _is_plain(module: nn.Module) -> bool:
    """Convolutions on the processor, ours or PyTorch's own."""
    return (
        type(module) in (Convolution, nn.Conv2d)
        and module.weight.device.type == "cpu"
        and module.weight.dtype == torch.float32
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
    )


@torch.no_grad()
def _packed(module: Any, shape: Sequence[int]) -> Call:
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


@torch.no_grad()
def _of_grey(module: Any) -> Call:
    """What the convolution computes of one grey image `(1, 1, height, width)`, whichever way that lies in memory."""
    weight, bias = module.weight.contiguous(memory_format=torch.contiguous_format), module.bias
    weight = weight.as_strided(weight.shape, (9, 9, 3, 1))  # one channel lies both ways, and PyTorch would choose ours
    how = module.stride, module.padding, module.dilation

    def call(values: Tensor) -> Tensor:
        height, width = values.shape[2:]
        grey = values.contiguous().as_strided(values.shape, (height * width, height * width, width, 1))
        return torch.conv2d(grey, weight, bias, *how).contiguous(memory_format=torch.channels_last)

    return call
