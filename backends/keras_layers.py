"""A description's layers as Keras layers, and how any Keras layer's weights are called in canonical layout."""

from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import Any

import keras

from ..models.architecture import (
    Activation,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Layer,
    MaxPool2D,
)
from ..models.layers import Shape

CANONICAL = {"moving_mean": "mean", "moving_variance": "variance"}
"""Keras' own name of a weight → the canonical one, where they differ."""


def layer_for(layer: Layer, shapes: Sequence[Shape]) -> Any:
    """The Keras layer that computes a layer, with weights for the shapes of its inputs (without batch axis)."""
    made = _LAYERS[layer.kind](layer)
    batched = [(None, *shape) for shape in shapes]
    made.build(batched if layer.kind in {"add", "concatenate"} else batched[0] if batched else None)
    return made


def takes_training(layer: Any) -> bool:
    """Whether a layer wants to know if it is being trained."""
    return isinstance(layer, keras.Layer) and "training" in signature(layer.call).parameters


def calling(layer: Any) -> Callable[..., Any]:
    """Calls a layer on its inputs; passes `training` on where the layer knows the word."""
    passes_on = takes_training(layer)
    several = isinstance(layer, (keras.layers.Add, keras.layers.Concatenate))

    def call(*values: Any, training: bool) -> Any:
        given = list(values) if several else values[0]
        return layer(given, training=training) if passes_on else layer(given)

    return call


def canonical(layer: Any) -> dict[str, Any]:
    """Canonical weight name → the layer's variable; Keras keeps its weights in canonical layout already."""
    weights = list(getattr(layer, "weights", ()))
    if len({weight.name for weight in weights}) < len(weights):
        return {weight.path.partition("/")[2]: weight for weight in weights}
    return {CANONICAL.get(weight.name, weight.name): weight for weight in weights}


def _convolution(layer: Conv2D) -> Any:
    return keras.layers.Conv2D(
        layer.filters, layer.window, layer.strides, layer.padding, data_format="channels_last", dtype="float32"
    )


def _max_pool(layer: MaxPool2D) -> Any:
    return keras.layers.MaxPooling2D(layer.window, layer.strides, layer.padding, "channels_last", dtype="float32")


def _average_pool(layer: AveragePool2D) -> Any:
    return keras.layers.AveragePooling2D(layer.window, layer.strides, layer.padding, "channels_last", dtype="float32")


def _batch_norm(layer: BatchNorm) -> Any:
    return keras.layers.BatchNormalization(momentum=layer.momentum, epsilon=layer.epsilon, dtype="float32")


def _activation(layer: Activation) -> Any:
    return keras.layers.Activation(layer.function, dtype="float32")


def _dropout(layer: Dropout) -> Any:
    return keras.layers.Dropout(layer.rate, dtype="float32")


def _dense(layer: Dense) -> Any:
    return keras.layers.Dense(layer.units, dtype="float32")


_LAYERS: Mapping[str, Callable[[Any], Any]] = {
    "input": lambda layer: keras.layers.Identity(dtype="float32"),
    "conv2d": _convolution,
    "maxpool2d": _max_pool,
    "averagepool2d": _average_pool,
    "globalaveragepool2d": lambda layer: keras.layers.GlobalAveragePooling2D("channels_last", dtype="float32"),
    "batchnorm": _batch_norm,
    "activation": _activation,
    "dropout": _dropout,
    "flatten": lambda layer: keras.layers.Flatten("channels_last", dtype="float32"),
    "dense": _dense,
    "add": lambda layer: keras.layers.Add(dtype="float32"),
    "concatenate": lambda layer: keras.layers.Concatenate(axis=-1, dtype="float32"),
}
