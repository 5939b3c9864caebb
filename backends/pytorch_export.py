"""A network as a PyTorch state dict, and the source of the plain module that it belongs to."""

import re
from collections.abc import Callable, Mapping, Sequence
from keyword import iskeyword
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..models.architecture import Architecture, Layer
from ..models.layers import Shape
from .base import Array, Weights
from .operations import free_name

HEADER = "# Written by Layerscope beside a state dict; free to use and to change."
"""How the source begins: a file that does not begin so is not ours to replace."""

TAKEN = {"self", "torch", "nn", "functional", "values", "Network"}
"""What names in the source must not hide."""


def state_dict(architecture: Architecture, weights: Weights) -> dict[str, Tensor]:
    """PyTorch's own names and layouts: `conv1.weight (out, in, height, width)`, `dense1.weight (out, in)`, `….bias`.

    Batch normalisation has `weight`, `bias`, `running_mean`, `running_var` and `num_batches_tracked`. Weights that
    read a flatten expect its values in the order height, width, channel.
    """
    names = _names(architecture)
    found: dict[str, Tensor] = {}
    for info in architecture.infos:
        for weight, array in weights.get(info.name, {}).items():
            if weight in info.weight_shapes:
                name, converted = _converted(info.kind, weight, array)
                found[f"{names[info.name]}.{name}"] = torch.tensor(converted)
        if info.kind == "batchnorm":
            found[f"{names[info.name]}.num_batches_tracked"] = torch.tensor(0)
    return found


def source(architecture: Architecture, file: str) -> str:
    """Python source of a `torch.nn.Module` that needs PyTorch only and takes the state dict.

    Args:
        architecture: the network.
        file: name of the state dict's file, for the words on how to load it.
    """
    names = _names(architecture)
    shapes = {info.name: info.output_shape for info in architecture.infos}
    made, called = [], []
    for layer in architecture.layers[1:]:
        given = [shapes[name] for name in layer.inputs]
        module = _MODULES[layer.kind](layer, given) if layer.kind in _MODULES else None
        if module:
            made.append(f"        self.{names[layer.name]} = {module}")
        inputs = [names[name] for name in layer.inputs]
        called.append(f"        {names[layer.name]} = {_CALLS[layer.kind](layer, given, names[layer.name], inputs)}")
    height, width, channels = architecture.input_shape
    return "\n".join(
        (
            HEADER,
            f'"""The network {_harmless(architecture.name)}: images (n, {channels}, {height}, {width}) in [0, 1] give '
            f"probabilities (n, {len(architecture.classes)}).",
            "",
            "    network = Network()",
            f"    network.load_state_dict(torch.load('{_harmless(file)}', weights_only=True))",
            "    network.eval()",
            "",
            f"Classes, in order: {_harmless(', '.join(architecture.classes))}.",
            '"""',
            "",
            "import torch",
            "from torch import nn",
            "from torch.nn import functional",
            "",
            "",
            "class Network(nn.Module):",
            "    def __init__(self):",
            "        super().__init__()",
            *made,
            "",
            f"    def forward(self, {names[architecture.layers[0].name]}):",
            *called,
            f"        return {names[architecture.layers[-1].name]}",
            "",
        )
    )


def _names(architecture: Architecture) -> dict[str, str]:
    """Layer name → a name that Python and `torch.nn.Module` take, the same wherever possible."""
    names: dict[str, str] = {}
    empty = nn.Module()
    for layer in architecture.layers:
        name = re.sub(r"[^0-9A-Za-z_]", "_", layer.name) or "layer"
        if name[0].isdigit() or name.startswith("_") or iskeyword(name) or hasattr(empty, name) or name in TAKEN:
            name = f"layer_{name}"
        names[layer.name] = free_name(name, names.values())
    return names


def _harmless(text: str) -> str:
    """Text that ends no docstring and escapes nothing."""
    return "".join(each if each.isprintable() else " " for each in text).replace("\\", "/").replace('"', "'")


def _converted(kind: str, weight: str, array: Array) -> tuple[str, Array]:
    if weight == "kernel":
        return "weight", np.ascontiguousarray(array.transpose(3, 2, 0, 1) if kind == "conv2d" else array.T)
    return _RENAMED.get(weight, weight), np.array(array, np.float32)


_RENAMED = {"gamma": "weight", "beta": "bias", "mean": "running_mean", "variance": "running_var"}


def _batch_norm(layer: Any, shapes: Sequence[Shape]) -> str:
    kind = "BatchNorm2d" if len(shapes[0]) == 3 else "BatchNorm1d"
    return f"nn.{kind}({shapes[0][-1]}, eps={layer.epsilon!r}, momentum={round(1 - layer.momentum, 12)!r})"


_MODULES: Mapping[str, Callable[[Any, Sequence[Shape]], str]] = {
    "conv2d": lambda layer, shapes: f"nn.Conv2d({shapes[0][2]}, {layer.filters}, {layer.window}, {layer.strides})",
    "dense": lambda layer, shapes: f"nn.Linear({shapes[0][0]}, {layer.units})",
    "dropout": lambda layer, shapes: f"nn.Dropout({layer.rate!r})",
    "batchnorm": _batch_norm,
}
"""What makes the module of a layer, as source; other layers need none."""


def _module(layer: Layer, shapes: Sequence[Shape], name: str, inputs: Sequence[str]) -> str:
    return f"self.{name}({inputs[0]})"


def _padded(layer: Any, shapes: Sequence[Shape], value: str, fill: str = "") -> str:
    (top, bottom), (left, right) = layer.around(shapes[0])
    sides = left, right, top, bottom
    return f"functional.pad({value}, {sides}{fill})" if any(sides) else value


def _convolution(layer: Any, shapes: Sequence[Shape], name: str, inputs: Sequence[str]) -> str:
    return f"self.{name}({_padded(layer, shapes, inputs[0])})"


def _max_pool(layer: Any, shapes: Sequence[Shape], name: str, inputs: Sequence[str]) -> str:
    padded = _padded(layer, shapes, inputs[0], ', value=-float("inf")')
    return f"functional.max_pool2d({padded}, {layer.window}, {layer.strides})"


def _average_pool(layer: Any, shapes: Sequence[Shape], name: str, inputs: Sequence[str]) -> str:
    """Where there is padding, the mean is divided by the share of real values under the window."""
    values = _padded(layer, shapes, inputs[0])
    mean = f"functional.avg_pool2d({{}}, {layer.window}, {layer.strides})".format
    if values == inputs[0]:
        return mean(values)
    return f"{mean(values)} / {mean(_padded(layer, shapes, f'torch.ones_like({inputs[0]})'))}"


def _activation(layer: Any, shapes: Sequence[Shape], name: str, inputs: Sequence[str]) -> str:
    if layer.function == "linear":
        return inputs[0]
    return f"torch.softmax({inputs[0]}, 1)" if layer.function == "softmax" else f"torch.{layer.function}({inputs[0]})"


def _flatten(layer: Any, shapes: Sequence[Shape], name: str, inputs: Sequence[str]) -> str:
    order = ".permute(0, 2, 3, 1)" if len(shapes[0]) == 3 else ""
    return f"{inputs[0]}{order}.flatten(1)"


_CALLS: Mapping[str, Callable[[Any, Sequence[Shape], str, Sequence[str]], str]] = {
    "conv2d": _convolution,
    "maxpool2d": _max_pool,
    "averagepool2d": _average_pool,
    "globalaveragepool2d": lambda layer, shapes, name, inputs: f"{inputs[0]}.mean((2, 3))",
    "batchnorm": _module,
    "activation": _activation,
    "dropout": _module,
    "flatten": _flatten,
    "dense": _module,
    "add": lambda layer, shapes, name, inputs: " + ".join(inputs),
    "concatenate": lambda layer, shapes, name, inputs: f"torch.cat([{', '.join(inputs)}], 1)",
}
"""What computes a layer from the results of others, as source."""
