"""Follows a user's own Keras network from layer to layer, on a copy of it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import keras

from ..models.architecture import KINDS
from ..models.layers import LayerInfo, Shape
from .base import BackendError, Capability
from .checked import ends_in_probabilities
from .keras_kinds import activation_name, kind_of
from .keras_layers import canonical, takes_training
from .keras_model import KerasModel, reads_weights
from .operations import Operation, describe, free_name

FUSED = (
    keras.layers.Dense,
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
)
"""Layers that apply their activation last, so that it can become a layer of its own."""


def follow(source: Any, name: str, classes: Sequence[str] | None) -> KerasModel:
    """Opens a Functional or Sequential model, or a file that holds one; it is copied, so later changes do not show.

    Raises:
        BackendError: it cannot be followed; the message says why.
    """
    network = _loaded(source) if isinstance(source, Path) else source
    if not isinstance(network, keras.Model):
        raise BackendError(f"Keras opens a keras.Model. Received: {type(network).__name__}")
    followed = _Followed(name or network.name)
    followed.through(network)
    model = followed.model(classes)
    if ends_in_probabilities(model):
        return model
    followed.end_in_softmax()
    return followed.model(classes)


class _Followed:
    """Calls a copy of every layer on symbolic tensors and writes each call down."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.operations: list[Operation] = []
        self.infos: list[LayerInfo] = []
        self.layers: dict[str, Any] = {}
        self._copies: dict[int, tuple[Any, Any]] = {}
        self._activations: dict[int, Any] = {}
        self._named: dict[int, str] = {}
        self._alive: list[Any] = []
        self._path: tuple[str, ...] = ()

    def through(self, network: Any) -> None:
        """Follows the network from its image to its end."""
        graph = _graph(self.title, network)
        shape = _input_shape(self.title, graph)
        given = keras.Input(shape if len(shape) == 3 else (*shape, 1), dtype="float32")
        name = graph.inputs[0].name
        name = "input" if name.startswith(("keras_tensor", "input_layer")) else name
        self._note(name, "input", {}, lambda images, training: images, (), given)
        if len(shape) == 2:
            given = self._call(keras.layers.Reshape(shape, name="without_channel"), given)
        self._enter(graph, given)
        for original, copy in self._copies.values():
            if getattr(original, "weights", None):
                copy.set_weights(original.get_weights())

    def end_in_softmax(self) -> None:
        """Adds the layer that turns logits into probabilities."""
        last = self._alive[-1]
        self._note("softmax", "activation", {"function": "softmax"}, _plain(keras.ops.softmax), (last,), last)

    def model(self, classes: Sequence[str] | None) -> KerasModel:
        """The network as followed so far."""
        lacks = [] if self._reads_all_weights() else [Capability.OTHER_WEIGHTS]
        return KerasModel(self.operations, self.layers, self.infos, name=self.title, classes=classes, lacks=lacks)

    def _reads_all_weights(self) -> bool:
        """Whether what each layer computes comes from its weights as they are now.

        A layer of another kind than ours may keep tensors that it once made of them, as `Normalization` does.
        """
        shapes = {info.name: (None, *info.output_shape) for info in self.infos}
        calls = {each.name: each for each in self.operations}
        foreign = [info for info in self.infos if info.name in self.layers and info.kind not in KINDS]
        return all(
            reads_weights(calls[info.name], [shapes[each] for each in info.inputs], self.layers[info.name])
            for info in foreign
        )

    def _enter(self, graph: Any, given: Any) -> Any:
        """Runs a graph of layers on symbolic tensors; calls come back in an order in which each reads earlier ones."""
        return graph._run_through_graph(given, operation_fn=self._copy, call_fn=self._call)

    def _copy(self, layer: Any) -> Any:
        """The layer's copy, one for all its calls, its activation set apart; networks inside networks are entered."""
        if isinstance(layer, keras.Model):
            return layer
        if id(layer) not in self._copies:
            copy = _copied(self.title, layer)
            if isinstance(copy, FUSED) and copy.activation is not keras.activations.linear:
                self._activations[id(copy)] = copy.activation
                copy.activation = keras.activations.linear
            self._copies[id(layer)] = layer, copy
        return self._copies[id(layer)][1]

    def _call(self, layer: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(layer, keras.Model):
            return self._call_network(layer, args)
        name = "/".join((*self._path, layer.name))
        result = layer(*args, **kwargs)
        if not isinstance(result, keras.KerasTensor):
            raise BackendError(
                f"Layer {name!r} of {self.title} gives several results; Layerscope shows layers that give one."
            )
        inputs = [leaf for leaf in keras.tree.flatten((args, kwargs)) if isinstance(leaf, keras.KerasTensor)]
        self._note(name, *kind_of(layer), _replayed(layer, args, kwargs, inputs), inputs, result, layer)
        activation = self._activations.get(id(layer))
        if activation is None:
            return result
        function = activation_name(activation)
        applied = activation(result)
        call = _plain(activation)
        self._note(f"{name}_{function}", "activation", {"function": function}, call, (result,), applied)
        return applied

    def _call_network(self, network: Any, args: Sequence[Any]) -> Any:
        outside = self._path
        self._path = (*outside, network.name)
        result = self._enter(_graph(network.name, network), args[0])
        self._path = outside
        return result

    def _note(
        self,
        name: str,
        kind: str,
        settings: Mapping[str, Any],
        call: Callable[..., Any],
        inputs: Sequence[Any],
        result: Any,
        layer: Any = None,
    ) -> None:
        """Writes a call down as an operation and as a layer."""
        name = free_name(name, self._named.values())
        reads = tuple(self._named[id(each)] for each in inputs)
        owned = {} if layer is None or any(layer is each for each in self.layers.values()) else canonical(layer)
        shapes = {weight: tuple(variable.shape) for weight, variable in owned.items()}
        self.operations.append(Operation(name, call, reads))
        self.infos.append(describe(name, kind, reads, _output_shape(self.title, name, result), shapes, settings))
        if owned:
            self.layers[name] = layer
        self._named[id(result)] = name
        self._alive.append(result)


def _loaded(path: Path) -> Any:
    if path.suffix == ".keras" and not is_zipfile(path):
        raise BackendError(f"Keras cannot load {path.name}: it is damaged, incomplete, or no Keras file.")
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise BackendError(f"Keras cannot load {path.name}: {reason}") from error


def _graph(title: str, network: Any) -> Any:
    """The network as a graph of layers.

    Raises:
        BackendError: it is a class of its own, or does not know its input yet.
    """
    if isinstance(network, keras.Sequential) and network.built:
        return keras.Model(network.inputs, network.outputs)
    if isinstance(network, keras.Sequential):
        raise BackendError(
            f"{title} does not know its input yet; begin it with keras.Input((height, width, channels))."
        )
    if not hasattr(network, "_run_through_graph"):
        raise BackendError(
            f"{title} cannot be followed through its layers: Layerscope opens Functional and Sequential models. "
            f"Received: {type(network).__name__}"
        )
    return network


def _input_shape(title: str, graph: Any) -> Shape:
    shapes = [tuple(each.shape[1:]) for each in graph.inputs]
    if len(shapes) != 1 or len(graph.outputs) != 1:
        raise BackendError(
            f"{title} should have one input and one output. Received: {len(shapes)} and {len(graph.outputs)}"
        )
    if len(shapes[0]) not in (2, 3) or None in shapes[0]:
        raise BackendError(
            f"{title} should take images of a fixed size; begin it with keras.Input((height, width, channels)), then "
            f"keras.layers.Flatten() where it needs a row of numbers. Received: input shape {shapes[0]}"
        )
    return shapes[0]


def _output_shape(title: str, name: str, result: Any) -> Shape:
    shape = tuple(result.shape[1:])
    if not shape or None in shape:
        raise BackendError(f"Layer {name!r} of {title} should give results of a fixed size. Received: {result.shape}")
    return shape


def _copied(title: str, layer: Any) -> Any:
    try:
        if isinstance(layer, keras.layers.Lambda):
            return keras.layers.Lambda(layer.function, layer._output_shape, arguments=layer.arguments, name=layer.name)
        config = layer.get_config()
        if isinstance(layer, keras.Layer):
            config["dtype"] = "float32"
        return type(layer).from_config(config)
    except Exception as error:
        raise BackendError(
            f"Layer {layer.name!r} of {title} cannot be copied; give {type(layer).__name__} a get_config() with all "
            f"its arguments. Received: {error}"
        ) from error


def _replayed(layer: Any, args: Any, kwargs: Any, inputs: Sequence[Any]) -> Callable[..., Any]:
    """A function of real tensors that calls the layer as it was called on these symbolic ones."""
    places = {id(each): place for place, each in enumerate(inputs)}
    passes_on = takes_training(layer) and "training" not in kwargs

    def call(*values: Any, training: bool) -> Any:
        filled, named = keras.tree.map_structure(
            lambda leaf: values[places[id(leaf)]] if id(leaf) in places else leaf, (args, kwargs)
        )
        return layer(*filled, **named, **({"training": training} if passes_on else {}))

    return call


def _plain(function: Callable[[Any], Any]) -> Callable[..., Any]:
    """The function as an operation that is the same in training."""
    return lambda values, training: function(values)
