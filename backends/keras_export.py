"""A network as a plain Keras model, which opens without Layerscope."""

import re
from typing import Any

import keras

from ..models.architecture import Architecture, Layer
from .base import Weights
from .keras_layers import canonical, layer_for
from .operations import free_name


def plain_model(architecture: Architecture, weights: Weights) -> Any:
    """A Functional `keras.Model` of Keras' own layers, with the layers' names as far as Keras allows them."""
    values: dict[str, Any] = {}
    names: list[str] = []
    shapes = {info.name: info.output_shape for info in architecture.infos}
    for layer in architecture.layers:
        names.append(free_name(_allowed(layer.name), names))
        if not layer.inputs:
            values[layer.name] = keras.Input(shapes[layer.name], name=names[-1])
            continue
        given = [values[name] for name in layer.inputs]
        made = _named(layer, [shapes[name] for name in layer.inputs], names[-1])
        values[layer.name] = made(given if layer.kind in {"add", "concatenate"} else given[0])
        for name, variable in canonical(made).items():
            variable.assign(weights[layer.name][name])
    ends = values[architecture.layers[0].name], values[architecture.layers[-1].name]
    return keras.Model(*ends, name=_allowed(architecture.name))


def _allowed(name: str) -> str:
    """The name as TensorFlow takes it."""
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
    return plain if plain[:1].isalnum() else f"layer{plain}"


def _named(layer: Layer, shapes: list[tuple[int, ...]], name: str) -> Any:
    made = layer_for(layer, shapes)
    return type(made).from_config({**made.get_config(), "name": name})
