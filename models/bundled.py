"""The six networks that come with Layerscope. Counts and layers are those of the programs they come from."""

from collections.abc import Mapping
from pathlib import Path

from .architecture import (
    Activation,
    Architecture,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Input,
    Layer,
    MaxPool2D,
    Padding,
)

PRETRAINED = Path(__file__).parent / "pretrained"
DEFAULT = "cnn-compact"


def _convolution(index: int, filters: int, size: int, padding: Padding, *, norm: bool = False) -> list[Layer]:
    name = f"conv{index}"
    layers: list[Layer] = [
        Conv2D(name=name, filters=filters, window=(size, size), padding=padding),
        Activation(name=f"{name}_relu", function="relu"),
    ]
    return [*layers, BatchNorm(name=f"{name}_norm")] if norm else layers


def _pool(index: int) -> Layer:
    return MaxPool2D(name=f"pool{index}", window=(2, 2))


def _dense(index: int, units: int, dropout: float = 0.0) -> list[Layer]:
    name = f"dense{index}"
    layers: list[Layer] = [Dense(name=name, units=units), Activation(name=f"{name}_relu", function="relu")]
    return [*layers, Dropout(name=f"{name}_dropout", rate=dropout)] if dropout else layers


def _classifier() -> list[Layer]:
    return [Dense(name="logits", units=10), Activation(name="softmax", function="softmax")]


def _network(
    name: str, title: str, *blocks: list[Layer] | Layer, shape: tuple[int, int, int] = (28, 28, 1)
) -> Architecture:
    layers: list[Layer] = [Input(name="input", shape=shape)]
    for block in blocks:
        layers.extend(block if isinstance(block, list) else [block])
    return Architecture(name=name, title=title, layers=(*layers, *_classifier()))


def _cnn() -> Architecture:
    blocks: list[list[Layer] | Layer] = []
    for index in (1, 2, 3):
        blocks += [_convolution(index, 32, 4, "same"), _pool(index), Dropout(name=f"dropout{index}", rate=0.1)]
    return _network("cnn", "CNN, three 4×4 blocks", *blocks, Flatten(name="flatten"), _dense(1, 128))


BUNDLED: Mapping[str, Architecture] = {
    network.name: network
    for network in (
        _network("dense", "Dense net, one hidden layer", Flatten(name="flatten"), _dense(1, 512)),
        _cnn(),
        _network(
            "cnn-compact",
            "CNN, compact",
            _convolution(1, 32, 3, "valid"),
            _pool(1),
            _convolution(2, 64, 3, "valid"),
            _pool(2),
            _convolution(3, 64, 3, "valid"),
            Flatten(name="flatten"),
            _dense(1, 64),
        ),
        _network(
            "cnn-two-block",
            "CNN, two blocks",
            _convolution(1, 32, 3, "valid"),
            _pool(1),
            _convolution(2, 64, 3, "valid"),
            _pool(2),
            Flatten(name="flatten"),
            _dense(1, 128),
        ),
        _network(
            "cnn-batchnorm",
            "CNN with batch normalisation",
            _convolution(1, 32, 3, "same", norm=True),
            _pool(1),
            _convolution(2, 64, 3, "same", norm=True),
            _pool(2),
            _convolution(3, 128, 3, "same", norm=True),
            Flatten(name="flatten"),
            _dense(1, 128, dropout=0.5),
            _dense(2, 64, dropout=0.3),
        ),
        _network(
            "dense-84x96",
            "Dense net, 84×96 pixels",
            Flatten(name="flatten"),
            _dense(1, 160),
            _dense(2, 128),
            _dense(3, 96),
            _dense(4, 64),
            shape=(96, 84, 1),
        ),
    )
}


def weights_path(name: str) -> Path:
    """Where the trained weights of a bundled network lie."""
    return PRETRAINED / f"{name}.safetensors"
