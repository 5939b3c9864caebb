"""What the conformance suite draws: three tiny networks that between them have what a view may meet, and subjects."""

from collections.abc import Iterator
from functools import cache

import numpy as np

from ..backends.base import BackendMissing, Model, read_only
from ..backends.registry import backend as find_backend
from ..backends.registry import backends
from ..datasets.base import Dataset
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
from ..models.run import EpochMetrics, Run
from .contract import Need, Pass, Subject, Visualizer

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


def models(backend: str | None = None) -> tuple[Model, ...]:
    """The small networks, in one backend or in each that is installed.

    Raises:
        BackendError: there is no such backend, or none is installed.
    """
    wanted = [find_backend(backend)] if backend else backends()
    usable = [each.name for each in wanted if each.missing is None]
    if not usable:
        raise BackendMissing(" ".join(f"{each.missing}" for each in wanted))
    return tuple(model for name in usable for model in _built(name))


@cache
def _built(backend: str) -> tuple[Model, ...]:
    found = find_backend(backend)
    found.start()
    return tuple(found.build(architecture, seed=1) for architecture in SPECIMENS)


def subjects(entry: Visualizer, model: Model) -> Iterator[Subject]:
    """All that can be chosen on the page, at every layer of a network that the visualizer applies to."""
    random = np.random.default_rng(2)
    image = read_only(random.random(model.input_shape, dtype=np.float32))
    second = read_only(random.random(model.input_shape, dtype=np.float32))
    other = _neighbour(model)
    everything = Subject(
        model,
        Pass(model, image),
        label=0,
        target=1,
        dataset=_dataset(model),
        second_image=Pass(model, second),
        second_model=other,
        second_forward=Pass(other, read_only(random.random(other.input_shape, dtype=np.float32))),
        run=_run(seed=4),
    )
    for layer in model.layers:
        if Need.LAYER not in entry.needs or entry.applies_to(layer):
            yield everything.at(layer.name, layer.units - 1, (0, 0) if layer.is_spatial else None)


@cache
def twin(model: Model) -> Model:
    """A network of the same layers with other weights, on the same backend."""
    return find_backend(model.backend).build(_architecture(model), seed=2)


def another_run() -> Run:
    """A training run that is not the one of `subjects`."""
    return _run(seed=5)


def _architecture(model: Model) -> Architecture:
    return next(architecture for architecture in SPECIMENS if architecture.name == model.name)


def _neighbour(model: Model) -> Model:
    """Another of the small networks on the same backend: other layers, another input shape."""
    built = _built(model.backend)
    return built[([each.name for each in built].index(model.name) + 1) % len(built)]


def _run(seed: int) -> Run:
    """A short training that gets better by fits and starts, validated after each of its epochs."""
    random = np.random.default_rng(seed)
    steps = np.arange(1, 31, dtype=np.int64)
    losses = (2 * np.exp(-steps / 12) + 0.2 * random.random(30)).astype(np.float32)
    accuracies = (1 - 0.6 * losses / losses.max() * random.random(30)).astype(np.float32)
    for array in (steps, losses, accuracies):
        array.flags.writeable = False
    epochs = tuple(
        EpochMetrics(
            number=number,
            step=10 * number,
            loss=float(losses[10 * number - 10 : 10 * number].mean()),
            accuracy=float(accuracies[10 * number - 10 : 10 * number].mean()),
            validation_loss=0.5 / number,
            validation_accuracy=1 - 0.3 / number,
            seconds=2.0 * number,
        )
        for number in (1, 2, 3)
    )
    return Run(
        id=f"run-{seed}", title=f"Run {seed}", model="tiny-dense", backend="pytorch", status="done",
        steps=steps, losses=losses, accuracies=accuracies, epochs=epochs,
    )  # fmt: skip


@cache
def _dataset(model: Model) -> Dataset:
    """Random images of another size than the model's, as real ones may be."""
    random = np.random.default_rng(3)
    count, labels = 12, np.arange(12) % len(model.classes)
    images = random.integers(0, 256, (count, 9, 7, model.input_shape[2]), dtype=np.uint8)
    words = {"name": "noise", "title": "Noise", "source": "Drawn at random.", "checksum": "noise"}
    return Dataset(images=images, labels=labels.astype(np.int64), classes=model.classes, **words)
