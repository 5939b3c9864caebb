"""The bundled networks as anyone would write them in each framework, to hold Layerscope's trace against."""

from typing import Any

import numpy as np
from layerscope.models.architecture import Architecture, Layer
from layerscope.models.weights import Weights


def torch_network(architecture: Architecture, weights: Weights) -> Any:
    """An `nn.Sequential` for images `(n, channels, height, width)`, in evaluation mode."""
    import torch

    shapes = {info.name: info.output_shape for info in architecture.infos}
    network = torch.nn.Sequential(*[_torch_layer(layer, shapes) for layer in architecture.layers[1:]])
    flattened: tuple[int, ...] | None = None
    with torch.no_grad():
        for layer, module in zip(architecture.layers[1:], network, strict=True):
            if layer.kind == "flatten":
                flattened = shapes[layer.inputs[0]]
            named = {name: np.array(array) for name, array in weights.get(layer.name, {}).items()}
            if layer.kind == "dense" and flattened:
                named["kernel"] = _channels_first(named["kernel"], flattened)
                flattened = None
            for name, array in named.items():
                _torch_weight(module, name).copy_(torch.from_numpy(array))
    return network.eval()


def _torch_layer(layer: Layer, shapes: dict[str, tuple[int, ...]]) -> Any:
    from torch import nn

    taken, given, own = shapes[layer.inputs[0]], shapes[layer.name], layer.settings
    match layer.kind:
        case "conv2d":
            return nn.Conv2d(taken[-1], given[-1], own["window"], own["strides"], own["padding"])
        case "maxpool2d":
            return nn.MaxPool2d(own["window"], own["strides"])
        case "batchnorm":
            return nn.BatchNorm2d(given[-1], eps=own["epsilon"])
        case "activation":
            return {"relu": nn.ReLU(), "softmax": nn.Softmax(-1)}[own["function"]]
        case "dropout":
            return nn.Dropout(own["rate"])
        case "flatten":
            return nn.Flatten()
        case "dense":
            return nn.Linear(taken[0], given[0])
    raise ValueError(f"No bundled network had a layer like this when the benchmark was written. Received: {layer.kind}")


def _torch_weight(module: Any, name: str) -> Any:
    """A view in canonical layout."""
    if name == "kernel":
        return module.weight.permute(2, 3, 1, 0) if module.weight.ndim == 4 else module.weight.T
    names = {"bias": "bias", "gamma": "weight", "beta": "bias", "mean": "running_mean", "variance": "running_var"}
    return getattr(module, names[name])


def _channels_first(kernel: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if len(shape) < 3:
        return kernel
    return np.moveaxis(kernel.reshape(*shape, -1), 2, 0).reshape(kernel.shape)


def keras_network(architecture: Architecture, weights: Weights) -> Any:
    """A `keras.Sequential`."""
    import keras

    network = keras.Sequential([keras.Input(architecture.input_shape), *map(_keras_layer, architecture.layers[1:])])
    for layer, made in zip(architecture.layers[1:], network.layers, strict=True):
        order = {"moving_mean": "mean", "moving_variance": "variance"}
        made.set_weights([weights[layer.name][order.get(weight.name, weight.name)] for weight in made.weights])
    return network


def _keras_layer(layer: Layer) -> Any:
    from keras import layers

    own = layer.settings
    match layer.kind:
        case "conv2d":
            return layers.Conv2D(own["filters"], own["window"], own["strides"], own["padding"])
        case "maxpool2d":
            return layers.MaxPooling2D(own["window"], own["strides"], own["padding"])
        case "batchnorm":
            return layers.BatchNormalization(epsilon=own["epsilon"])
        case "activation":
            return layers.Activation(own["function"])
        case "dropout":
            return layers.Dropout(own["rate"])
        case "flatten":
            return layers.Flatten()
        case "dense":
            return layers.Dense(own["units"])
    raise ValueError(f"No bundled network had a layer like this when the benchmark was written. Received: {layer.kind}")
