"""Three tiny networks that between them have what a view may meet: what the conformance suite draws."""

from ..models.architecture import (
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

CLASSES = ("ant", "bee", "cat")


def _network(name: str, title: str, shape: tuple[int, int, int], *layers: Layer) -> Architecture:
    start = Input(name="input", shape=shape)
    end = Dense(name="logits", units=len(CLASSES)), Activation(name="softmax", function="softmax")
    return Architecture(name=name, title=title, layers=(start, *layers, *end), classes=CLASSES)


SPECIMENS = (
    _network(
        "tiny-convolutional",
        "Two colour channels, odd sizes, strides, both paddings, batch normalisation",
        (11, 9, 2),
        Conv2D(name="conv1", filters=5, window=(4, 2), padding="same"),
        BatchNorm(name="norm"),
        Activation(name="conv1_relu", function="relu"),
        MaxPool2D(name="pool", window=(2, 2), padding="same"),
        Conv2D(name="conv2", filters=4, window=(3, 3), strides=(2, 1)),
        Activation(name="conv2_tanh", function="tanh"),
        Dropout(name="dropout", rate=0.2),
        Flatten(name="flatten"),
        Dense(name="dense", units=6),
        Activation(name="dense_relu", function="relu"),
    ),
    _network(
        "tiny-branches",
        "A shortcut, two branches side by side, no flatten",
        (8, 8, 1),
        Conv2D(name="stem", filters=4, window=(3, 3), padding="same"),
        Conv2D(name="left", filters=4, window=(3, 3), padding="same"),
        Add(name="sum", inputs=("left", "stem")),
        AveragePool2D(name="pool", window=(2, 2)),
        Conv2D(name="near", inputs=("pool",), filters=3, window=(1, 1)),
        Conv2D(name="far", inputs=("pool",), filters=2, window=(3, 3), padding="same"),
        Concatenate(name="both", inputs=("near", "far")),
        GlobalAveragePool2D(name="mean"),
    ),
    _network(
        "tiny-dense",
        "Dense layers only",
        (6, 5, 1),
        Flatten(name="flatten"),
        Dense(name="dense", units=8),
        Activation(name="dense_relu", function="relu"),
    ),
)
