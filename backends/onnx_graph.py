"""A network as an ONNX graph, built from its description alone: no framework takes part."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..models.architecture import Architecture, Layer
from ..models.layers import Shape
from .base import Array, Weights
from .stored import fitting

OPSET, IR_VERSION = 17, 8
"""Old enough for every runtime of the last years; newer ones read it, too."""
INPUT, OUTPUT = "images", "probabilities"
DESCRIPTION = "images: (n, height, width, channels) in [0, 1]. probabilities: (n, classes), in the order of `classes`."


def onnx_model(architecture: Architecture, weights: Weights) -> Any:
    """An `onnx.ModelProto` that takes images `(n, height, width, channels)` and gives probabilities `(n, classes)`.

    Inside, values keep ONNX's order of axes, `(n, channels, height, width)`. Each node and its result bear the name of
    a layer. The names of the classes and the description itself are among the model's metadata.

    Raises:
        BackendError: the weights do not belong to the architecture.
    """
    from onnx import TensorProto, checker, helper

    given = fitting(architecture.name, architecture.infos, weights)
    graph = _Graph(architecture)
    for layer in architecture.layers:
        graph.add(layer, given.get(layer.name, {}))
    graph.node("Identity", [graph.value(architecture.layers[-1].name)], OUTPUT)
    made = helper.make_model(
        helper.make_graph(
            graph.nodes,
            architecture.name,
            [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["n", *architecture.input_shape])],
            [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["n", len(architecture.classes)])],
            graph.constants,
            doc_string=DESCRIPTION,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="layerscope",
    )
    helper.set_model_props(made, {"classes": "\n".join(architecture.classes), "architecture": architecture.to_json()})
    checker.check_model(made, full_check=True)
    return made


class _Graph:
    """Nodes and constants, as they are added."""

    def __init__(self, architecture: Architecture) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.shapes: dict[str, Shape] = {info.name: info.output_shape for info in architecture.infos}

    def value(self, layer: str) -> str:
        """What a layer's result is called: never as the graph's input and output are."""
        return f"layer {layer}"

    def add(self, layer: Layer, weights: Mapping[str, Array]) -> None:
        """Adds what computes a layer."""
        inputs = [self.value(name) for name in layer.inputs] or [INPUT]
        shapes = [self.shapes[name] for name in layer.inputs]
        NODES[layer.kind](self, layer, inputs, shapes, weights)

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Adds one node; returns what its result is called."""
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [output], name=output.removeprefix("layer "), **attributes))
        return output

    def constant(self, layer: Layer, name: str, array: Array) -> str:
        """Adds a weight; returns what it is called."""
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), f"{self.value(layer.name)} {name}"))
        return f"{self.value(layer.name)} {name}"


Rule = Callable[[_Graph, Any, list[str], list[Shape], Mapping[str, Array]], Any]


def _simple(kind: str, **attributes: Any) -> Rule:
    """A layer that is one node without weights."""
    return lambda graph, layer, inputs, shapes, weights: graph.node(kind, inputs, graph.value(layer.name), **attributes)


def _input(graph: _Graph, layer: Any, inputs: list[str], shapes: list[Shape], weights: Mapping[str, Array]) -> None:
    graph.node("Transpose", inputs, graph.value(layer.name), perm=[0, 3, 1, 2])


def _convolution(
    graph: _Graph, layer: Any, inputs: list[str], shapes: list[Shape], weights: Mapping[str, Array]
) -> None:
    kernel = graph.constant(layer, "kernel", weights["kernel"].transpose(3, 2, 0, 1))
    bias = graph.constant(layer, "bias", weights["bias"])
    graph.node("Conv", [*inputs, kernel, bias], graph.value(layer.name), **_window(layer, shapes[0]))


def _pool(kind: str, **attributes: Any) -> Rule:
    return lambda graph, layer, inputs, shapes, weights: graph.node(
        kind, inputs, graph.value(layer.name), **_window(layer, shapes[0]), **attributes
    )


def _window(layer: Any, shape: Shape) -> dict[str, Any]:
    """Kernel, strides, and rows and columns put on each side: top, left, bottom, right."""
    (top, bottom), (left, right) = layer.around(shape)
    pads = [top, left, bottom, right]
    return {"kernel_shape": list(layer.window), "strides": list(layer.strides), "pads": pads}


def _batch_norm(
    graph: _Graph, layer: Any, inputs: list[str], shapes: list[Shape], weights: Mapping[str, Array]
) -> None:
    named = [graph.constant(layer, name, weights[name]) for name in ("gamma", "beta", "mean", "variance")]
    graph.node("BatchNormalization", [*inputs, *named], graph.value(layer.name), epsilon=layer.epsilon)


def _activation(
    graph: _Graph, layer: Any, inputs: list[str], shapes: list[Shape], weights: Mapping[str, Array]
) -> None:
    axis = {"axis": 1} if layer.function == "softmax" else {}  # Channels and units are both the axis after the batch.
    graph.node(FUNCTIONS[layer.function], inputs, graph.value(layer.name), **axis)


def _global_average(
    graph: _Graph, layer: Any, inputs: list[str], shapes: list[Shape], weights: Mapping[str, Array]
) -> None:
    pooled = graph.node("GlobalAveragePool", inputs, f"{graph.value(layer.name)} pooled")
    graph.node("Flatten", [pooled], graph.value(layer.name), axis=1)


def _flatten(graph: _Graph, layer: Any, inputs: list[str], shapes: list[Shape], weights: Mapping[str, Array]) -> None:
    """Height, width, channel, as the weights that read it expect."""
    if len(shapes[0]) == 3:
        inputs = [graph.node("Transpose", inputs, f"{graph.value(layer.name)} last", perm=[0, 2, 3, 1])]
    graph.node("Flatten", inputs, graph.value(layer.name), axis=1)


def _dense(graph: _Graph, layer: Any, inputs: list[str], shapes: list[Shape], weights: Mapping[str, Array]) -> None:
    named = [graph.constant(layer, name, weights[name]) for name in ("kernel", "bias")]
    graph.node("Gemm", [*inputs, *named], graph.value(layer.name))


FUNCTIONS = {"relu": "Relu", "softmax": "Softmax", "sigmoid": "Sigmoid", "tanh": "Tanh", "linear": "Identity"}

NODES: Mapping[str, Rule] = {
    "input": _input,
    "conv2d": _convolution,
    "maxpool2d": _pool("MaxPool"),
    "averagepool2d": _pool("AveragePool", count_include_pad=0),
    "globalaveragepool2d": _global_average,
    "batchnorm": _batch_norm,
    "activation": _activation,
    "dropout": _simple("Identity"),
    "flatten": _flatten,
    "dense": _dense,
    "add": _simple("Sum"),
    "concatenate": _simple("Concat", axis=1),
}
"""Kind of layer → what adds its nodes."""
