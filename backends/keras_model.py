"""One opened Keras network, compiled once into a function that returns every layer."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from copy import copy
from dataclasses import replace
from functools import cache, partial
from threading import Lock
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ..models.layers import LayerInfo
from .base import CHANCE, Array, Capability, Optimiser, State, Step, Weights, read_only
from .checked import CheckedModel, Scales
from .keras_guided import guided_relu
from .keras_layers import canonical
from .keras_training import Slots, training_step
from .operations import Operation, replaced, run
from .undisturbed import undisturbed

LOOKS = 0.05
"""Seconds from one look to the next of a call that waits for its function, whether it still has to."""


class KerasModel(CheckedModel):
    """Each function is compiled when first needed, for one image or for any number of them, and never again.

    That happens in a thread of its own and goes on there when whoever needed it may wait no longer.

    A function reads weights through handles that it has captured. Models of the same network with other weights share
    all functions, and each calls copies of them that have its own handles in those places.
    """

    def __init__(
        self,
        operations: Sequence[Operation],
        keras_layers: Mapping[str, Any],
        layers: Sequence[LayerInfo],
        *,
        name: str,
        classes: Sequence[str] | None = None,
        lacks: Iterable[Capability] = (),
    ) -> None:
        """Takes over operations whose calls take `training`, and the Keras layer behind each layer's name."""
        super().__init__(name=name, backend="keras", layers=layers, classes=classes, lacks=lacks)
        self._operations = tuple(replace(each, call=partial(each.call, training=False)) for each in operations)
        self._training = tuple(replace(each, call=partial(each.call, training=True)) for each in operations)
        self._keras_layers = dict(keras_layers)
        self._images = tf.TensorSpec((None, *self.input_shape), tf.float32)
        self._units = {info.name: tf.TensorSpec((info.units,), tf.float32) for info in self.layers}
        self._compiled: dict[tuple[str, ...], Callable[..., Any]] = {}
        self._begun: dict[tuple[str, ...], Future[None]] = {}
        self._beginning, self._compiling = Lock(), Lock()
        self._variables = {name: canonical(layer) for name, layer in self._keras_layers.items()}
        self._handles: dict[int, Any] = {}
        self._bound: dict[tuple[str, ...], Callable[..., Any]] = {}

    def _forward(self, images: Array, layers: Sequence[str], scales: Scales) -> dict[str, Array]:
        given = tf.constant(np.array(images))
        names = self._answered(layers, len(images))
        if scales:
            found = self._function("edited", *names)(given, self._all_scales(scales))
        else:
            found = self._function("one" if len(images) == 1 else "plain", *names)(given)
        results = dict(zip(names, found, strict=True))
        return {name: _handed_out(results[name]) for name in layers}

    def _backward(
        self, images: Array, target: str, direction: Array, layers: Sequence[str], scales: Scales
    ) -> dict[str, Array]:
        return self._backward_through("gradients", images, target, direction, layers, scales)

    def _backward_guided(
        self, images: Array, target: str, direction: Array, layers: Sequence[str], scales: Scales
    ) -> dict[str, Array]:
        return self._backward_through("guided", images, target, direction, layers, scales)

    def _backward_through(
        self, use: str, images: Array, target: str, direction: Array, layers: Sequence[str], scales: Scales
    ) -> dict[str, Array]:
        function = self._function(use, target)
        found = function(tf.constant(images), tf.constant(direction), self._all_scales(scales))
        results = dict(zip(self._everything, found, strict=True))
        return {name: _handed_out(results[name]) for name in layers}

    def _answered(self, layers: Sequence[str], images: int) -> Sequence[str]:
        """What a pass computes: of many images one layer alone, or all; there is a function for each such case."""
        return layers if len(layers) == 1 and images > 1 else self._everything

    def _all_scales(self, scales: Scales) -> dict[str, Any]:
        whole = {info.name: np.ones(info.units, np.float32) for info in self.layers} | dict(scales)
        return {name: tf.constant(scale) for name, scale in whole.items()}

    def _function(self, use: str, *names: str) -> Callable[..., Any]:
        key = (use, *names)
        if key not in self._bound:
            self._have_compiled(key)
            self._bound[key] = self._with_own_weights(self._compiled[key])
        return self._bound[key]

    def _have_compiled(self, key: tuple[str, ...]) -> None:
        with self._beginning:
            if key in self._compiled:
                return
            if key not in self._begun:
                self._begun[key] = _compilers().submit(self._keep_compiled, key)
            begun = self._begun[key]
        while not begun.done():
            wait([begun], timeout=LOOKS)
            undisturbed.end_if_due()
        begun.result()

    def _keep_compiled(self, key: tuple[str, ...]) -> None:
        """Keeps a function that has been called once, or nothing where that fails."""
        try:
            with self._compiling:
                function = self._compile(key[0], key[1:])
                _call_once(function)
                self._compiled[key] = function
        finally:
            with self._beginning:
                del self._begun[key]

    def _with_own_weights(self, function: Any) -> Callable[..., Any]:
        """A function that was compiled for the Keras layers' variables, on this model's."""
        own = function
        if self._handles:
            own = copy(function)
            own.set_external_captures([self._handles.get(id(each), each) for each in function.captured_inputs])
        bound: Callable[..., Any] = own
        return bound

    def _compile(self, use: str, names: Sequence[str]) -> Any:
        if use in ("gradients", "guided"):
            operations = replaced(self._operations, self._relus, guided_relu) if use == "guided" else self._operations
            output = tf.TensorSpec((None, *self._infos[names[0]].output_shape), tf.float32)

            def gradients(images: Any, direction: Any, scales: Any) -> list[Any]:
                values = run(operations, tf.identity(images), scales, alias=tf.identity)
                inputs = [values[name] for name in self._everything]
                found = tf.gradients(values[names[0]], inputs, direction, unconnected_gradients="zero")
                return list(found)

            return self._concrete(gradients, self._images, output, self._units)

        last = max(place for place, each in enumerate(self._operations) if each.name in names)

        def edited(images: Any, scales: Any) -> list[Any]:
            values = run(self._operations[: last + 1], images, scales)
            return [values[name] for name in names]

        def plain(images: Any) -> list[Any]:
            return edited(images, {})

        if use == "edited":
            return self._concrete(edited, self._images, self._units)
        if use == "one":
            return self._for_one_image(plain)
        return self._concrete(plain, self._images)

    def _for_one_image(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Compiles with XLA: TensorFlow alone is a third slower as soon as somebody looks between its layers."""
        shape = (1, *self.input_shape)
        compiled: Callable[..., Any] = tf.function(function, autograph=False, jit_compile=True).get_concrete_function(
            tf.TensorSpec(shape, tf.float32)
        )
        try:
            compiled(tf.zeros(shape))
        except tf.errors.OpError:  # A layer that XLA does not know.
            return self._concrete(function, self._images)
        return compiled

    @staticmethod
    def _concrete(function: Callable[..., Any], *specs: Any) -> Callable[..., Any]:
        """Compiles; the function may have no default arguments, which make each call five times as slow."""
        compiled: Callable[..., Any] = tf.function(function, autograph=False).get_concrete_function(*specs)
        return compiled

    def _read(self, layer: str) -> Mapping[str, Array]:
        return {name: variable.numpy() for name, variable in self._variables[layer].items()}

    def _write(self, weights: Weights) -> None:
        for layer, named in weights.items():
            for name, array in named.items():
                self._variables[layer][name].assign(array)

    def _own(self, weights: Weights) -> None:
        self._variables, self._handles, self._bound = {}, {}, {}
        for layer, keras_layer in self._keras_layers.items():
            theirs = canonical(keras_layer)
            own = {n: tf.Variable(tf.cast(np.array(weights[layer][n]), each.dtype)) for n, each in theirs.items()}
            self._handles |= {id(each.value.handle): own[n].handle for n, each in theirs.items()}
            self._variables[layer] = own

    def _steps(
        self, batches: Iterator[tuple[float, Array, NDArray[np.int64]]], optimiser: Optimiser, logits: str
    ) -> Iterator[Step]:
        weights = self._trainable()
        slots = Slots(weights)
        step = training_step(
            lambda images: run(self._training, images, {})[logits], list(weights.values()), optimiser, slots
        )
        compiled = self._with_own_weights(
            self._concrete(step, self._images, tf.TensorSpec((None,), tf.int64), tf.TensorSpec((), tf.float32))
        )
        if self._given_state:
            slots.take(self._given_state)
            self._take_chance(self._given_state)
        self._tell_state = lambda: {**slots.told(), **self._chance()}
        for rate, images, labels in batches:
            loss, accuracy = compiled(tf.constant(images), tf.constant(labels), tf.constant(rate, tf.float32))
            yield Step(float(loss), float(accuracy))

    def _trainable(self) -> dict[str, Any]:
        """What a training moves, by layer and canonical name."""
        return {
            f"{name}/{weight}": variable.value
            for name, layer in self._keras_layers.items()
            for weight, variable in canonical(layer).items()
            if any(variable is each for each in layer.trainable_weights)
        }

    def _chance(self) -> dict[str, NDArray[Any]]:
        """Where the chance of each dropout stands."""
        return {f"{CHANCE}/{name}": generator.state.numpy() for name, generator in self._generators().items()}

    def _take_chance(self, state: State) -> None:
        for name, generator in self._generators().items():
            given = state.get(f"{CHANCE}/{name}")
            if given is not None and given.shape == tuple(generator.state.shape):
                generator.state.assign(given)

    def _generators(self) -> dict[str, Any]:
        found = {name: getattr(layer, "seed_generator", None) for name, layer in self._keras_layers.items()}
        return {name: generator for name, generator in found.items() if generator is not None}


@cache
def _compilers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="compiler")


def _call_once(function: Any) -> None:
    """With one image of zeros: the first call is the slow one."""
    specs, _ = function.structured_input_signature
    function(*tf.nest.map_structure(lambda spec: tf.zeros([side or 1 for side in spec.shape], spec.dtype), specs))


def _handed_out(tensor: Any) -> Array:
    """A view of the tensor's own memory, which nobody can write to; `numpy()` would copy it."""
    return read_only(memoryview(tensor))


def reads_weights(operation: Operation, shapes: Sequence[tuple[int | None, ...]], layer: Any) -> bool:
    """Whether a layer, called on inputs of these shapes, reads each of its weights through the variable's handle."""
    specs = [tf.TensorSpec(shape, tf.float32) for shape in shapes]
    call = tf.function(partial(operation.call, training=False), autograph=False).get_concrete_function(*specs)
    captured = {id(each) for each in call.captured_inputs}
    return all(id(variable.value.handle) in captured for variable in canonical(layer).values())
