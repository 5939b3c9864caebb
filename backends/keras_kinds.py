"""What Layerscope calls the layers of a user's own Keras network."""

from collections.abc import Callable, Mapping
from typing import Any

import keras

Settings = dict[str, Any]


def kind_of(layer: Any) -> tuple[str, Settings]:
    """A layer's kind and settings by their canonical names; Keras' own class name where there is no canonical one."""
    for known, kind, settings in _KNOWN:
        if type(layer) is known and _is_plain(layer):
            return kind, settings(layer)
    return type(layer).__name__, _own_settings(layer)


def activation_name(activation: Any) -> str:
    """`relu`, `softmax`, … for a function; a layer's class name in small letters."""
    return getattr(activation, "__name__", type(activation).__name__.lower())


def _is_plain(layer: Any) -> bool:
    """Whether the layer does nothing beyond what its canonical kind means."""
    config = layer.get_config()
    unusual = (
        config.get("data_format") == "channels_first",
        isinstance(layer, keras.layers.BatchNormalization) and layer.axis not in (-1, len(layer.input.shape) - 1),
        isinstance(layer, keras.layers.Concatenate) and layer.axis not in (-1, len(layer.output.shape) - 1),
        isinstance(layer, keras.layers.GlobalAveragePooling2D) and layer.keepdims,
        isinstance(layer, keras.layers.ReLU)
        and (layer.max_value is not None or layer.negative_slope != 0 or layer.threshold != 0),
    )
    return not any(unusual)


def _windowed(layer: Any) -> Settings:
    window = getattr(layer, "pool_size", None) or layer.kernel_size
    return {"window": tuple(window), "strides": tuple(layer.strides), "padding": layer.padding}


def _convolution(layer: Any) -> Settings:
    settings = {"filters": layer.filters, **_windowed(layer)}
    if layer.groups != 1:
        settings["groups"] = layer.groups
    if tuple(layer.dilation_rate) != (1, 1):
        settings["dilation"] = tuple(layer.dilation_rate)
    return settings


def _own_settings(layer: Any) -> Settings:
    """The plain values of the layer's configuration."""
    try:
        config: Mapping[str, Any] = layer.get_config()
    except NotImplementedError:
        return {}
    hidden = {"name", "dtype", "trainable", "data_format", "seed", "module", "class_name", "registered_name"}
    return {key: value for key, value in config.items() if key not in hidden and isinstance(value, str | int | float)}


_KNOWN: tuple[tuple[type[Any], str, Callable[[Any], Settings]], ...] = (
    (keras.layers.Conv2D, "conv2d", _convolution),
    (keras.layers.MaxPooling2D, "maxpool2d", _windowed),
    (keras.layers.AveragePooling2D, "averagepool2d", _windowed),
    (keras.layers.GlobalAveragePooling2D, "globalaveragepool2d", lambda layer: {}),
    (
        keras.layers.BatchNormalization,
        "batchnorm",
        lambda layer: {"epsilon": layer.epsilon, "momentum": layer.momentum},
    ),
    (keras.layers.Activation, "activation", lambda layer: {"function": activation_name(layer.activation)}),
    (keras.layers.ReLU, "activation", lambda layer: {"function": "relu"}),
    (keras.layers.Softmax, "activation", lambda layer: {"function": "softmax"}),
    (keras.layers.Dropout, "dropout", lambda layer: {"rate": layer.rate}),
    (keras.layers.Flatten, "flatten", lambda layer: {}),
    (keras.layers.Dense, "dense", lambda layer: {"units": layer.units}),
    (keras.layers.Add, "add", lambda layer: {}),
    (keras.layers.Concatenate, "concatenate", lambda layer: {}),
)
