"""A description's layers as PyTorch modules, and how any module's weights look in canonical layout."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..models.architecture import (
    Activation,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Layer,
    MaxPool2D,
    Windowed,
)
from ..models.layers import Shape

FUNCTIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "softmax": lambda values: torch.softmax(values, -1),
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "linear": lambda values: values,
}


def module_for(layer: Layer, shapes: Sequence[Shape]) -> nn.Module:
    """The module that computes a layer, for the shapes of its inputs (channels last, without batch axis).

    Its values keep PyTorch's own order of axes, `(n, channels, height, width)`.
    """
    return _MODULES[layer.kind](layer, shapes)


def device() -> torch.device:
    """Where PyTorch computes: on a GPU when there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def training_twin(module: nn.Module) -> nn.Module:
    """Another module in training mode around the very same weights, so that no mode is ever switched."""
    shared = {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}
    return deepcopy(module, shared).train()


def inference(module: nn.Module) -> Callable[..., Tensor]:
    """What the module computes in inference, without a module's surroundings, which cost as much as a small layer."""
    if isinstance(module, nn.Dropout):
        return FUNCTIONS["linear"]
    if isinstance(module, Function):
        return module.function
    if isinstance(module, nn.Linear):
        return partial(_linear, module.weight, module.bias)
    if isinstance(module, Convolution) and not module.uneven:
        return partial(_convolved, module.weight, module.bias, module.stride, module.padding)
    return module.forward


def _linear(weight: Tensor, bias: Tensor, values: Tensor) -> Tensor:
    return functional.linear(values, weight, bias)


def _convolved(weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, values: Tensor) -> Tensor:
    return torch.conv2d(values, weight, bias, stride, padding)


def canonical(module: Any) -> dict[str, Tensor]:
    """Canonical weight name → a view of the module's own tensor in canonical layout; writing to it changes it."""
    if isinstance(module, nn.Conv2d):
        named = {"kernel": module.weight.permute(2, 3, 1, 0), "bias": module.bias}
    elif isinstance(module, nn.Linear):
        named = {"kernel": module.weight.T, "bias": module.bias}
    elif isinstance(module, nn.modules.batchnorm._BatchNorm):
        named = {
            "gamma": module.weight,
            "beta": module.bias,
            "mean": cast(Tensor, module.running_mean),
            "variance": cast(Tensor, module.running_var),
        }
    else:
        named = dict(module.named_parameters())
    return {name: tensor for name, tensor in named.items() if tensor is not None}


class Convolution(nn.Conv2d):
    """Puts the odd row or column of `same` padding at the bottom and right."""

    def __init__(self, layer: Conv2D, shapes: Sequence[Shape]) -> None:
        channels = layer.spatial(shapes[0])[2]
        self.around = _around(layer, shapes[0])
        even = _symmetric(self.around)
        super().__init__(channels, layer.filters, layer.window, layer.strides, even or 0)
        self.uneven = even is None
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, values: Tensor) -> Tensor:
        return super().forward(functional.pad(values, self.around) if self.uneven else values)


class MaxPool(nn.Module):
    """Pads with minus infinity, which never wins."""

    def __init__(self, layer: MaxPool2D, shapes: Sequence[Shape]) -> None:
        super().__init__()
        self.window, self.strides = layer.window, layer.strides
        self.around = _around(layer, shapes[0])

    def forward(self, values: Tensor) -> Tensor:
        if any(self.around):
            values = functional.pad(values, self.around, value=-torch.inf)
        return torch.max_pool2d(values, self.window, self.strides)


class AveragePool(nn.Module):
    """Divides by the number of real values under the window."""

    share: Tensor

    def __init__(self, layer: AveragePool2D, shapes: Sequence[Shape]) -> None:
        super().__init__()
        self.window, self.strides = layer.window, layer.strides
        height, width, _ = layer.spatial(shapes[0])
        self.around = _around(layer, shapes[0])
        self.register_buffer("share", self._mean(torch.ones(1, 1, height, width)), persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        return self._mean(values) / self.share if any(self.around) else self._mean(values)

    def _mean(self, values: Tensor) -> Tensor:
        return functional.avg_pool2d(functional.pad(values, self.around), self.window, self.strides)


class BatchNormalisation(nn.modules.batchnorm._BatchNorm):
    """Keeps moving statistics of the batch's plain variance; PyTorch's own corrects it for small batches."""

    def __init__(self, layer: BatchNorm, shapes: Sequence[Shape]) -> None:
        super().__init__(shapes[0][-1], eps=layer.epsilon, momentum=1 - layer.momentum)

    def forward(self, values: Tensor) -> Tensor:
        mean, variance = cast(Tensor, self.running_mean), cast(Tensor, self.running_var)
        if not self.training:
            return functional.batch_norm(values, mean, variance, self.weight, self.bias, False, 0.0, self.eps)
        count = values.numel() // values.shape[1]
        seen_mean, seen_variance = torch.zeros_like(mean), torch.zeros_like(variance)
        result = functional.batch_norm(values, seen_mean, seen_variance, self.weight, self.bias, True, 1.0, self.eps)
        with torch.no_grad():
            mean.lerp_(seen_mean, cast(float, self.momentum))
            variance.lerp_(seen_variance * ((count - 1) / count), cast(float, self.momentum))
        return result


class Function(nn.Module):
    """A layer without weights."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *values: Tensor) -> Tensor:
        return self.function(*values)


class Flattening(nn.Module):
    """Height, width, channel; costs nothing while the values lie channels last in memory."""

    def forward(self, values: Tensor) -> Tensor:
        return (values.permute(0, 2, 3, 1) if values.ndim == 4 else values).flatten(1)


def _around(layer: Windowed, shape: Shape) -> tuple[int, int, int, int]:
    """Padding left, right, top and bottom."""
    (top, bottom), (left, right) = layer.around(shape)
    return left, right, top, bottom


def _symmetric(around: tuple[int, int, int, int]) -> tuple[int, int] | None:
    left, right, top, bottom = around
    return (top, left) if left == right and top == bottom else None


def _dense(layer: Dense, shapes: Sequence[Shape]) -> nn.Module:
    return nn.Linear(shapes[0][0], layer.units)


def _dropout(layer: Dropout, shapes: Sequence[Shape]) -> nn.Module:
    return nn.Dropout(layer.rate)


def _activation(layer: Activation, shapes: Sequence[Shape]) -> nn.Module:
    if layer.function == "softmax" and len(shapes[0]) == 3:
        return Function(lambda values: torch.softmax(values, 1))
    return Function(FUNCTIONS[layer.function])


_MODULES: Mapping[str, Callable[[Any, Sequence[Shape]], nn.Module]] = {
    "input": lambda layer, shapes: nn.Identity(),
    "conv2d": Convolution,
    "maxpool2d": MaxPool,
    "averagepool2d": AveragePool,
    "globalaveragepool2d": lambda layer, shapes: Function(lambda values: values.mean((2, 3))),
    "batchnorm": BatchNormalisation,
    "activation": _activation,
    "dropout": _dropout,
    "flatten": lambda layer, shapes: Flattening(),
    "dense": _dense,
    "add": lambda layer, shapes: Function(lambda *values: sum(values[1:], start=values[0])),
    "concatenate": lambda layer, shapes: Function(lambda *values: torch.cat(values, 1)),
}
