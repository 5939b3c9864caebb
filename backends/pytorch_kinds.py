"""What Layerscope calls the operations of a user's own PyTorch network."""

import operator
from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..models.architecture import KINDS

Settings = dict[str, Any]
Described = tuple[str, Settings]

ADDING = {operator.add, operator.iadd, torch.add, "add", "add_"}
JOINING = {torch.cat, torch.concat, torch.concatenate}
FLATTENING = {nn.Flatten, torch.flatten, torch.reshape, "flatten", "view", "reshape"}
SQUASHING: Mapping[Any, str] = {
    **dict.fromkeys((nn.ReLU, functional.relu, functional.relu_, torch.relu, torch.relu_, "relu", "relu_"), "relu"),
    **dict.fromkeys((nn.Softmax, functional.softmax, torch.softmax, "softmax"), "softmax"),
    **dict.fromkeys((nn.LogSoftmax, functional.log_softmax, torch.log_softmax, "log_softmax"), "log_softmax"),
    **dict.fromkeys((nn.Sigmoid, functional.sigmoid, torch.sigmoid, "sigmoid", "sigmoid_"), "sigmoid"),
    **dict.fromkeys((nn.Tanh, functional.tanh, torch.tanh, "tanh", "tanh_"), "tanh"),
    **dict.fromkeys((nn.GELU, functional.gelu), "gelu"),
    **dict.fromkeys((nn.SiLU, functional.silu), "silu"),
}
"""Module type, function or method name → the name of the activation function."""
MODULE_OF: Mapping[Any, type[nn.Module]] = {
    functional.max_pool2d: nn.MaxPool2d,
    torch.max_pool2d: nn.MaxPool2d,
    functional.avg_pool2d: nn.AvgPool2d,
    functional.dropout: nn.Dropout,
    torch.dropout: nn.Dropout,
}
"""Function → the module with the same arguments after the first."""


def kind_of(
    target: Any, args: Sequence[Any], kwargs: Mapping[str, Any], tensors: Sequence[Tensor], result: Tensor
) -> Described:
    """Kind and settings by their canonical names; PyTorch's own name where there is no canonical one.

    Args:
        target: a module, a function, or the name of a method.
        args: what it was called with.
        kwargs: what it was called with by name.
        tensors: the results of earlier operations among these, in PyTorch's order of axes.
        result: what it gave.
    """
    module = target if isinstance(target, nn.Module) else _module_like(target, args, kwargs)
    name = type(target) if isinstance(target, nn.Module) else target
    if name in SQUASHING:
        return "activation", {"function": SQUASHING[name]}
    if module is not None and type(module) in _MODULES and _is_plain(module):
        kind, settings = _MODULES[type(module)]
        return kind, settings(module)
    return _kind_by_shapes(name, tensors, result), {}


def _module_like(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> nn.Module | None:
    """The module that does what a function is called to do."""
    if function not in MODULE_OF:
        return None
    made = MODULE_OF[function]
    named = {name: value for name, value in kwargs.items() if name in signature(made).parameters and value is not None}
    return made(*[each for each in args[1:] if each is not None], **named)


def _kind_by_shapes(target: Any, tensors: Sequence[Tensor], result: Tensor) -> str:
    if target in ADDING and len(tensors) > 1 and all(each.shape == result.shape for each in tensors):
        return "add"
    if target in JOINING and result.ndim in (2, 4) and sum(each.shape[1] for each in tensors) == result.shape[1]:
        return "concatenate"
    if target in FLATTENING and result.ndim == 2 and result.numel() == tensors[0].numel():
        return "flatten"
    if _is_global_mean(tensors, result):
        return "globalaveragepool2d"
    return _own_name(target)


def _is_plain(module: Any) -> bool:
    """Whether the module does nothing beyond what its canonical kind means."""
    if isinstance(module, nn.MaxPool2d):
        return module.dilation in (1, (1, 1)) and not module.ceil_mode and not module.return_indices
    if isinstance(module, nn.AvgPool2d):
        return not module.ceil_mode and module.divisor_override is None
    return True


def _is_global_mean(tensors: Sequence[Tensor], result: Tensor) -> bool:
    if len(tensors) != 1 or tensors[0].ndim != 4 or result.shape != tensors[0].shape[:2]:
        return False
    return bool(torch.allclose(tensors[0].mean((2, 3)), result, atol=1e-6))


def _own_name(target: Any) -> str:
    name = target if isinstance(target, str) else str(target.__name__)
    return f"torch.{name}" if name in KINDS else name


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


def _padding(module: Any, window: tuple[int, int], strides: tuple[int, int]) -> Any:
    """`same`, `valid`, or else how many rows and columns are put on each side."""
    if isinstance(module.padding, str):
        return module.padding
    around = _pair(module.padding)
    if around == (0, 0):
        return "valid"
    keeps_size = strides == (1, 1) and all(2 * side == size - 1 for side, size in zip(around, window, strict=True))
    return "same" if keeps_size and _pair(getattr(module, "dilation", 1)) == (1, 1) else around


def _windowed(module: Any) -> Settings:
    window, strides = _pair(module.kernel_size), _pair(module.stride)
    return {"window": window, "strides": strides, "padding": _padding(module, window, strides)}


def _convolution(module: Any) -> Settings:
    settings = {"filters": module.out_channels, **_windowed(module)}
    if module.groups != 1:
        settings["groups"] = module.groups
    if _pair(module.dilation) != (1, 1):
        settings["dilation"] = _pair(module.dilation)
    return settings


def _norm(module: Any) -> Settings:
    return {"epsilon": module.eps, "momentum": 1 - (module.momentum or 0.0)}


_MODULES: Mapping[type[nn.Module], tuple[str, Callable[[Any], Settings]]] = {
    nn.Conv2d: ("conv2d", _convolution),
    nn.MaxPool2d: ("maxpool2d", _windowed),
    nn.AvgPool2d: ("averagepool2d", _windowed),
    nn.BatchNorm1d: ("batchnorm", _norm),
    nn.BatchNorm2d: ("batchnorm", _norm),
    nn.Dropout: ("dropout", lambda module: {"rate": float(module.p)}),
    nn.Dropout2d: ("dropout", lambda module: {"rate": float(module.p)}),
    nn.Linear: ("dense", lambda module: {"units": module.out_features}),
}
