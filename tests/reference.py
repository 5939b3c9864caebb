"""A plain NumPy forward pass in float64, written for reading, and tiny networks that cover every kind of layer.

The backends are compared with this; it shares no code with them.
"""

from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import Any

import numpy as np
from layerscope.models.architecture import (
    Activation,
    Add,
    Architecture,
    AveragePool2D,
    BatchNorm,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool2D,
    Input,
    Layer,
    MaxPool2D,
)


def forward(
    architecture: Architecture,
    weights: Mapping[str, Mapping[str, Any]],
    images: Any,
    scales: Mapping[tuple[str, int], float] | None = None,
    shifts: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Every layer's activation; `scales` multiplies units, `shifts` adds to whole activations, both as they flow on."""
    values: dict[str, Any] = {}
    for layer in architecture.layers:
        taken = [values[name] for name in layer.inputs] or [np.asarray(images, np.float64)]
        named = {name: np.asarray(array, np.float64) for name, array in weights.get(layer.name, {}).items()}
        value = np.array(RULES[layer.kind](layer, taken, named))
        for (name, unit), scale in (scales or {}).items():
            if name == layer.name:
                value[..., unit] *= scale
        values[layer.name] = value + (shifts or {}).get(layer.name, 0.0)
    return values


def _windows(layer: Any, values: Any, fill: float) -> Any:
    """`(n, rows, columns, channels, window height, window width)`; the odd padding at the bottom and right."""
    pads = [(0, 0)]
    for size, window, stride in zip(values.shape[1:3], layer.window, layer.strides, strict=True):
        total = max((ceil(size / stride) - 1) * stride + window - size, 0) if layer.padding == "same" else 0
        pads.append((total // 2, total - total // 2))
    padded = np.pad(values, [*pads, (0, 0)], constant_values=fill)
    windows = np.lib.stride_tricks.sliding_window_view(padded, layer.window, axis=(1, 2))
    return windows[:, :: layer.strides[0], :: layer.strides[1]]


def _conv2d(layer: Any, taken: Sequence[Any], weights: Mapping[str, Any]) -> Any:
    return np.einsum("nrcihw,hwio->nrco", _windows(layer, taken[0], 0.0), weights["kernel"]) + weights["bias"]


def _batchnorm(layer: Any, taken: Sequence[Any], weights: Mapping[str, Any]) -> Any:
    centred = (taken[0] - weights["mean"]) / np.sqrt(weights["variance"] + layer.epsilon)
    return centred * weights["gamma"] + weights["beta"]


def _softmax(values: Any) -> Any:
    powers = np.exp(values - values.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


FUNCTIONS: Mapping[str, Callable[[Any], Any]] = {
    "relu": lambda values: np.maximum(values, 0),
    "softmax": _softmax,
    "sigmoid": lambda values: 1 / (1 + np.exp(-values)),
    "tanh": np.tanh,
    "linear": lambda values: values,
}

RULES: Mapping[str, Callable[[Any, Sequence[Any], Mapping[str, Any]], Any]] = {
    "input": lambda layer, taken, weights: taken[0],
    "conv2d": _conv2d,
    "maxpool2d": lambda layer, taken, weights: _windows(layer, taken[0], -np.inf).max((-2, -1)),
    "averagepool2d": lambda layer, taken, weights: np.nanmean(_windows(layer, taken[0], np.nan), (-2, -1)),
    "globalaveragepool2d": lambda layer, taken, weights: taken[0].mean((1, 2)),
    "batchnorm": _batchnorm,
    "activation": lambda layer, taken, weights: FUNCTIONS[layer.function](taken[0]),
    "dropout": lambda layer, taken, weights: taken[0],
    "flatten": lambda layer, taken, weights: taken[0].reshape(len(taken[0]), -1),
    "dense": lambda layer, taken, weights: taken[0] @ weights["kernel"] + weights["bias"],
    "add": lambda layer, taken, weights: sum(taken),
    "concatenate": lambda layer, taken, weights: np.concatenate(taken, -1),
}


def _tiny(name: str, shape: tuple[int, int, int], *layers: Layer, classes: int = 4) -> Architecture:
    end = (Dense(name="logits", units=classes), Activation(name="softmax", function="softmax"))
    labels = tuple("abcdefg"[:classes])
    return Architecture(name=name, title=name, layers=(Input(name="image", shape=shape), *layers, *end), classes=labels)


NETWORKS: Mapping[str, Architecture] = {
    network.name: network
    for network in (
        _tiny(
            "even-kernels-same",
            (7, 9, 1),
            Conv2D(name="conv", filters=3, window=(4, 2), padding="same"),
            Activation(name="relu", function="relu"),
            Conv2D(name="strided", filters=4, window=(2, 4), strides=(2, 3), padding="same"),
            Activation(name="tanh", function="tanh"),
            MaxPool2D(name="pool", window=(2, 2), padding="same"),
            Flatten(name="flatten"),
        ),
        _tiny(
            "odd-valid",
            (11, 8, 3),
            Conv2D(name="conv", filters=5, window=(3, 3), strides=(2, 1), initialiser="he_normal"),
            BatchNorm(name="norm"),
            Activation(name="relu", function="relu"),
            AveragePool2D(name="pool", window=(2, 3), strides=(1, 2)),
            Dropout(name="dropout", rate=0.5),
            Flatten(name="flatten"),
            Dense(name="dense", units=6),
            BatchNorm(name="dense_norm", epsilon=1e-2, momentum=0.9),
            Activation(name="sigmoid", function="sigmoid"),
        ),
        _tiny(
            "same-pools",
            (10, 7, 2),
            MaxPool2D(name="max", window=(3, 4), strides=(2, 2), padding="same"),
            Conv2D(name="conv", filters=3, window=(3, 3), strides=(2, 2), padding="same"),
            AveragePool2D(name="average", window=(2, 2), strides=(1, 1), padding="same"),
            AveragePool2D(name="average_wide", window=(3, 3), strides=(2, 2), padding="same"),
            GlobalAveragePool2D(name="mean"),
            classes=2,
        ),
        _tiny(
            "branches",
            (6, 6, 2),
            Conv2D(name="left", filters=4, window=(3, 3), padding="same"),
            Conv2D(name="right", inputs=("image",), filters=4, window=(1, 1), padding="same"),
            Add(name="add", inputs=("left", "right")),
            Activation(name="tanh", function="tanh"),
            Concatenate(name="join", inputs=("tanh", "left", "image")),
            Activation(name="linear", function="linear"),
            MaxPool2D(name="pool", window=(2, 2)),
            GlobalAveragePool2D(name="mean"),
            Flatten(name="flatten", inputs=("pool",)),
            Dense(name="dense", units=5),
            Concatenate(name="join_flat", inputs=("dense", "mean")),
        ),
        _tiny(
            "dense",
            (5, 3, 2),
            Flatten(name="flatten"),
            Dense(name="hidden", units=8),
            Dropout(name="dropout", rate=0.3),
        ),
    )
}


def random_weights(architecture: Architecture, seed: int = 0) -> dict[str, dict[str, Any]]:
    """Weights with nothing left at its usual start: biases, scales and moving statistics are random too."""
    random = np.random.default_rng(seed)
    return {
        info.name: {
            name: (
                random.uniform(0.5, 2.0, shape) if name in {"variance", "gamma"} else random.normal(0, 0.4, shape)
            ).astype(np.float32)
            for name, shape in info.weight_shapes.items()
        }
        for info in architecture.infos
        if info.weight_shapes
    }


def random_images(architecture: Architecture, count: int = 3, seed: int = 1) -> Any:
    """`(count, height, width, channels)` in [0, 1]."""
    return np.random.default_rng(seed).random((count, *architecture.input_shape), dtype=np.float32)
