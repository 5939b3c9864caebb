"""Framework-neutral descriptions of networks: what a backend builds and what is stored beside the weights.

Every default that differs between frameworks is written out here, so that the same description means the same numbers
everywhere. Shapes leave the batch axis out and put channels last.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from math import ceil, prod
from reprlib import repr as shortened
from typing import Any, ClassVar, Literal

from .fields import FIELDS
from .layers import LayerInfo, Shape

Pair = tuple[int, int]
Padding = Literal["same", "valid"]
Function = Literal["relu", "softmax", "sigmoid", "tanh", "linear"]
Initialiser = Literal["glorot_uniform", "he_normal"]


class ArchitectureError(ValueError):
    """A description no network can be built from. The message names the layer and the reason."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer's description: its name, the layers it reads, and what it does to their shapes.

    Raises:
        ArchitectureError: a setting has a value that `FIELDS` does not allow, or it reads more layers than it can.
    """

    kind: ClassVar[str] = ""
    joins: ClassVar[bool] = False
    """Whether it may read several layers."""
    name: str
    inputs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ArchitectureError(f"Every layer needs a name. Received: {self.name!r}")
        if not isinstance(self.inputs, tuple) or (len(self.inputs) > 1 and not self.joins):
            raise ArchitectureError(f"Layer {self.name!r} reads one layer. Received: {self.inputs}")
        for name, value in self.settings.items():
            if not FIELDS[name].allows(value):
                raise ArchitectureError(
                    f"Layer {self.name!r} needs as {name} {FIELDS[name].expected}. Received: {shortened(value)}"
                )

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        """Shape of the output for the shapes of the inputs, both without batch axis."""
        return shapes[0]

    def weight_shapes(self, shapes: Sequence[Shape]) -> dict[str, Shape]:
        """Canonical weight name → shape."""
        return {}

    def multiply_adds(self, shapes: Sequence[Shape]) -> int:
        """Multiplications with an addition that one image costs."""
        return 0

    @property
    def settings(self) -> dict[str, Any]:
        """The layer's own fields by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in {"name", "inputs"}}

    def spatial(self, shape: Shape) -> tuple[int, int, int]:
        """The shape as `(height, width, channels)`.

        Raises:
            ArchitectureError: the shape has no height and width.
        """
        if len(shape) != 3:
            raise ArchitectureError(
                f"Layer {self.name!r} needs an input with height, width and channels. Received: {shape}"
            )
        return shape[0], shape[1], shape[2]


def window_output(size: int, window: int, stride: int, padding: Padding) -> int:
    """Positions a window takes along one axis."""
    return ceil(size / stride) if padding == "same" else (size - window) // stride + 1


@dataclass(frozen=True, kw_only=True)
class Input(Layer):
    """Where the image enters, `(height, width, channels)`, values in [0, 1]."""

    kind: ClassVar[str] = "input"
    shape: tuple[int, int, int]

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        return self.shape


@dataclass(frozen=True, kw_only=True)
class Windowed(Layer):
    """What convolution and pooling share: a window that moves over height and width.

    With `same` padding the odd row or column of zeros goes to the bottom and right.
    """

    window: Pair
    strides: Pair
    padding: Padding

    def positions(self, shapes: Sequence[Shape]) -> Pair:
        """Height and width of the output."""
        height, width, _ = self.spatial(shapes[0])
        found = (
            window_output(height, self.window[0], self.strides[0], self.padding),
            window_output(width, self.window[1], self.strides[1], self.padding),
        )
        if min(found) < 1:
            raise ArchitectureError(
                f"Layer {self.name!r} moves a window of {self.window[0]}×{self.window[1]} over an input of only "
                f"{height}×{width}; use a smaller window or padding 'same'."
            )
        return found

    def around(self, shape: Shape) -> tuple[Pair, Pair]:
        """Rows put at top and bottom, and columns at left and right, of an input of that shape."""
        rows, columns = (
            self._both_sides(*each) for each in zip(self.spatial(shape)[:2], self.window, self.strides, strict=True)
        )
        return rows, columns

    def _both_sides(self, size: int, window: int, stride: int) -> Pair:
        whole = max(0, (ceil(size / stride) - 1) * stride + window - size) if self.padding == "same" else 0
        return whole // 2, whole - whole // 2


@dataclass(frozen=True, kw_only=True)
class Conv2D(Windowed):
    """Two-dimensional convolution (cross-correlation, as every framework has it) with a bias."""

    kind: ClassVar[str] = "conv2d"
    filters: int
    strides: Pair = (1, 1)
    padding: Padding = "valid"
    initialiser: Initialiser = "glorot_uniform"

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        return (*self.positions(shapes), self.filters)

    def weight_shapes(self, shapes: Sequence[Shape]) -> dict[str, Shape]:
        return {"kernel": (*self.window, self.spatial(shapes[0])[2], self.filters), "bias": (self.filters,)}

    def multiply_adds(self, shapes: Sequence[Shape]) -> int:
        return prod(self.output_shape(shapes)) * prod(self.window) * shapes[0][2]


@dataclass(frozen=True, kw_only=True)
class Pool(Windowed):
    """What both poolings share; strides default to the window."""

    strides: Pair = (0, 0)
    padding: Padding = "valid"

    def __post_init__(self) -> None:
        if self.strides == (0, 0):
            object.__setattr__(self, "strides", self.window)
        super().__post_init__()

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        return (*self.positions(shapes), shapes[0][2])


@dataclass(frozen=True, kw_only=True)
class MaxPool2D(Pool):
    """Largest value under the window; padding never wins."""

    kind: ClassVar[str] = "maxpool2d"


@dataclass(frozen=True, kw_only=True)
class AveragePool2D(Pool):
    """Mean of the values under the window; padding is not counted."""

    kind: ClassVar[str] = "averagepool2d"


@dataclass(frozen=True, kw_only=True)
class GlobalAveragePool2D(Layer):
    """Mean over height and width."""

    kind: ClassVar[str] = "globalaveragepool2d"

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        return (self.spatial(shapes[0])[2],)


@dataclass(frozen=True, kw_only=True)
class BatchNorm(Layer):
    """Batch normalisation over the last axis (Ioffe and Szegedy 2015).

    `momentum` is the share of the old moving statistics that is kept at each step.
    """

    kind: ClassVar[str] = "batchnorm"
    epsilon: float = 1e-3
    momentum: float = 0.99

    def weight_shapes(self, shapes: Sequence[Shape]) -> dict[str, Shape]:
        channels = (shapes[0][-1],)
        return {"gamma": channels, "beta": channels, "mean": channels, "variance": channels}

    def multiply_adds(self, shapes: Sequence[Shape]) -> int:
        return prod(shapes[0])


@dataclass(frozen=True, kw_only=True)
class Activation(Layer):
    """An activation function, element by element; softmax over the last axis."""

    kind: ClassVar[str] = "activation"
    function: Function


@dataclass(frozen=True, kw_only=True)
class Dropout(Layer):
    """Zeroes a share of the values while training, passes everything on otherwise."""

    kind: ClassVar[str] = "dropout"
    rate: float


@dataclass(frozen=True, kw_only=True)
class Flatten(Layer):
    """All values in one row, in the order height, width, channel."""

    kind: ClassVar[str] = "flatten"

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        return (prod(shapes[0]),)


@dataclass(frozen=True, kw_only=True)
class Dense(Layer):
    """Every unit reads every input."""

    kind: ClassVar[str] = "dense"
    units: int
    initialiser: Initialiser = "glorot_uniform"

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        if len(shapes[0]) != 1:
            raise ArchitectureError(
                f"Layer {self.name!r} needs a flat input; put a flatten before it. Received: {shapes[0]}"
            )
        return (self.units,)

    def weight_shapes(self, shapes: Sequence[Shape]) -> dict[str, Shape]:
        return {"kernel": (shapes[0][0], self.units), "bias": (self.units,)}

    def multiply_adds(self, shapes: Sequence[Shape]) -> int:
        return shapes[0][0] * self.units


@dataclass(frozen=True, kw_only=True)
class Add(Layer):
    """Sum of inputs of one shape: where a shortcut joins."""

    kind: ClassVar[str] = "add"
    joins: ClassVar[bool] = True

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        if len(set(shapes)) != 1:
            raise ArchitectureError(f"Layer {self.name!r} adds inputs of one shape. Received: {list(shapes)}")
        return shapes[0]


@dataclass(frozen=True, kw_only=True)
class Concatenate(Layer):
    """Inputs side by side along the last axis."""

    kind: ClassVar[str] = "concatenate"
    joins: ClassVar[bool] = True

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        if len({shape[:-1] for shape in shapes}) != 1:
            raise ArchitectureError(
                f"Layer {self.name!r} joins inputs that differ in channels only. Received: {list(shapes)}"
            )
        return (*shapes[0][:-1], sum(shape[-1] for shape in shapes))


def info_of(layer: Layer, shapes: Sequence[Shape]) -> LayerInfo:
    """A layer with shapes, parameters and multiply-adds, for the shapes of its inputs.

    Raises:
        ArchitectureError: it cannot take inputs of these shapes.
    """
    weights = layer.weight_shapes(shapes)
    return LayerInfo(
        name=layer.name,
        kind=layer.kind,
        inputs=layer.inputs,
        output_shape=layer.output_shape(shapes),
        weight_shapes=weights,
        parameters=sum(prod(shape) for shape in weights.values()),
        multiply_adds=layer.multiply_adds(shapes),
        settings=layer.settings,
    )


KINDS: Mapping[str, type[Layer]] = {
    cls.kind: cls
    for cls in (
        Input, Conv2D, MaxPool2D, AveragePool2D, GlobalAveragePool2D, BatchNorm, Activation, Dropout, Flatten, Dense,
        Add, Concatenate,
    )
}  # fmt: skip

DIGITS = tuple("0123456789")


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A network's description: one input, layers in an order in which each reads only earlier ones, one output.

    A layer that names no inputs reads the one before it.

    Raises:
        ArchitectureError: no such network can exist; the message names the layer and the reason.
    """

    name: str
    title: str
    layers: tuple[Layer, ...]
    classes: tuple[str, ...] = DIGITS

    def __post_init__(self) -> None:
        if not all(isinstance(name, str) for name in (self.name, self.title, *self.classes)):
            raise ArchitectureError(f"The network and its classes need names. Received: {self.name!r}, {self.classes}")
        object.__setattr__(self, "layers", _with_inputs(self.layers))
        final = self.infos[-1]
        if final.output_shape != (len(self.classes),):
            raise ArchitectureError(
                f"The last layer, {final.name!r}, must give one value for each of the {len(self.classes)} classes. "
                f"Received: {final.output_shape}"
            )

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """`(height, width, channels)` of an image."""
        first = self.layers[0]
        assert isinstance(first, Input)
        return first.shape

    @cached_property
    def infos(self) -> tuple[LayerInfo, ...]:
        """Every layer with shapes, parameters and multiply-adds."""
        shapes: dict[str, Shape] = {}
        infos = []
        for layer in self.layers:
            infos.append(info_of(layer, [shapes[name] for name in layer.inputs]))
            shapes[layer.name] = infos[-1].output_shape
        return tuple(infos)

    @property
    def parameters(self) -> int:
        """Stored numbers of the whole network, moving statistics included."""
        return sum(info.parameters for info in self.infos)

    def to_json(self) -> str:
        """The description as JSON text that `from_json` reads back to an equal one."""
        layers = [{"kind": layer.kind, **asdict(layer)} for layer in self.layers]
        return json.dumps({"name": self.name, "title": self.title, "classes": self.classes, "layers": layers})

    @classmethod
    def from_json(cls, text: str) -> "Architecture":
        """Reads a description.

        Raises:
            ArchitectureError: the text is not a description, or describes no possible network.
        """
        try:
            data = json.loads(text)
            layers = tuple(_layer_from(entry) for entry in data["layers"])
            return cls(name=data["name"], title=data["title"], layers=layers, classes=tuple(data["classes"]))
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, ArchitectureError):
                raise
            raise ArchitectureError(f"This is not an architecture description: {error}") from error


def _layer_from(entry: Mapping[str, Any]) -> Layer:
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    kind = values.pop("kind")
    if kind not in KINDS:
        raise ArchitectureError(
            f"Layer {values.get('name')!r} has an unknown kind; known are {', '.join(KINDS)}. Received: {kind!r}"
        )
    return KINDS[kind](**values)


def _with_inputs(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """The layers with every input named, checked for order and names."""
    if not layers or not isinstance(layers[0], Input):
        raise ArchitectureError("An architecture begins with an input layer.")
    resolved: list[Layer] = []
    seen: set[str] = set()
    for layer in layers:
        if layer.name in seen:
            raise ArchitectureError(f"Two layers are called {layer.name!r}; names must be unique.")
        if resolved and isinstance(layer, Input):
            raise ArchitectureError(f"Layer {layer.name!r} is a second input; an architecture has one.")
        if resolved and not layer.inputs:
            layer = _replace_inputs(layer, (resolved[-1].name,))
        unknown = [name for name in layer.inputs if name not in seen]
        if unknown:
            raise ArchitectureError(
                f"Layer {layer.name!r} reads {unknown[0]!r}, which is not among the layers before it."
            )
        seen.add(layer.name)
        resolved.append(layer)
    return tuple(resolved)


def _replace_inputs(layer: Layer, inputs: tuple[str, ...]) -> Layer:
    return type(layer)(**{**layer.settings, "name": layer.name, "inputs": inputs})
