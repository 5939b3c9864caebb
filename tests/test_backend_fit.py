"""Training one step at a time: it learns, both frameworks learn the same, and it leaves nothing behind."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from layerscope.backends.base import Backend, BackendError, Model, Optimiser
from layerscope.models.architecture import Activation, Architecture, BatchNorm, Conv2D, Dense, Flatten, Input, MaxPool2D
from layerscope.training.recipes import Recipe

NORMED = Architecture(
    name="normed",
    title="normed",
    classes=("a", "b", "c"),
    layers=(
        Input(name="image", shape=(6, 5, 2)),
        Conv2D(name="conv", filters=4, window=(2, 3), padding="same"),
        Activation(name="tanh", function="tanh"),
        BatchNorm(name="norm", momentum=0.8),
        Activation(name="squash", function="tanh"),
        MaxPool2D(name="pool", window=(2, 2), padding="same"),
        Flatten(name="flatten"),
        BatchNorm(name="flat_norm", epsilon=1e-2),
        Dense(name="logits", units=3),
        Activation(name="softmax", function="softmax"),
    ),
)


def batches(network: Architecture, count: int, size: int = 12) -> Iterator[tuple[Any, Any]]:
    """Images whose class can be learned: it is where the light is."""
    random = np.random.default_rng(4)
    for _ in range(count):
        labels = random.integers(0, len(network.classes), size)
        images = random.random((size, *network.input_shape), dtype=np.float32) / 2
        images[np.arange(size), labels, 0, 0] += 1
        yield images, labels.astype(np.int64)


def trained(model: Model, steps: int, optimiser: Optimiser) -> list[Any]:
    """The steps of a training whose learning rate changes all the time."""
    rates = [0.01 + 0.01 * (step % 3) for step in range(steps)]
    return list(model.fit(batches(NORMED, steps), rates, optimiser))


@pytest.mark.parametrize(
    "optimiser",
    [
        Optimiser(name="sgd"),
        Optimiser(name="sgd", momentum=0.9, weight_decay=0.1),
        Optimiser(name="adam", weight_decay=0.05, label_smoothing=0.1),
        Optimiser(name="adam", beta1=0.8, beta2=0.95, epsilon=1e-3),
        Optimiser(name="rmsprop", rho=0.8, epsilon=1e-3),
        Optimiser(name="rmsprop", momentum=0.5, weight_decay=0.1),
    ],
    ids=lambda optimiser: f"{optimiser.name}-{optimiser.momentum}-{optimiser.weight_decay}-{optimiser.epsilon}",
)
def test_both_frameworks_end_alike(
    pytorch: Backend, keras: Backend, reference: ModuleType, optimiser: Optimiser
) -> None:
    weights = reference.random_weights(NORMED)
    models = [framework.build(NORMED, weights) for framework in (pytorch, keras)]
    ours, theirs = (trained(model, 10, optimiser) for model in models)
    assert len(ours) == len(theirs) == 10
    for step, other in zip(ours, theirs, strict=True):
        assert step.loss == pytest.approx(other.loss, rel=1e-3, abs=1e-4)
        assert step.accuracy == pytest.approx(other.accuracy)
    for layer, named in weights.items():
        for name in named:
            first, second = (model.weights(layer)[name] for model in models)
            np.testing.assert_allclose(first, second, rtol=1e-2, atol=2e-3, err_msg=f"{layer} {name}")
            assert not np.array_equal(first, named[name]), f"{layer} {name} has not moved"


def test_it_learns(backend: Backend, reference: ModuleType) -> None:
    model = backend.build(NORMED, reference.random_weights(NORMED))
    steps = trained(model, 120, Optimiser(name="adam"))
    assert np.mean([step.loss for step in steps[-10:]]) < 0.3 * np.mean([step.loss for step in steps[:5]])
    assert np.mean([step.accuracy for step in steps[-10:]]) > 0.9


def test_the_loss_is_the_cross_entropy_before_the_step(backend: Backend, reference: ModuleType) -> None:
    network = reference.NETWORKS["even-kernels-same"]
    weights = reference.random_weights(network)
    model = backend.build(network, weights)
    images, labels = next(batches(network, 1))
    odds = reference.forward(network, weights, images)["softmax"]
    for smoothing in (0.0, 0.2):
        wanted = np.eye(4)[labels] * (1 - smoothing) + smoothing / 4
        step = next(model.fit([(images, labels)], [0.0], Optimiser(name="sgd", label_smoothing=smoothing)))
        assert step.loss == pytest.approx(-(wanted * np.log(odds)).sum(1).mean(), rel=1e-4)
        assert step.accuracy == pytest.approx((odds.argmax(1) == labels).mean())


def test_moving_statistics_follow_the_batch(backend: Backend, reference: ModuleType) -> None:
    weights = reference.random_weights(NORMED)
    model = backend.build(NORMED, weights)
    images, labels = next(batches(NORMED, 1))
    next(model.fit([(images, labels)], [0.0], Optimiser(name="sgd")))
    seen = reference.forward(NORMED, weights, images)["tanh"]
    kept = {name: 0.8 * weights["norm"][name] for name in ("mean", "variance")}
    np.testing.assert_allclose(model.weights("norm")["mean"], kept["mean"] + 0.2 * seen.mean((0, 1, 2)), atol=1e-5)
    np.testing.assert_allclose(
        model.weights("norm")["variance"], kept["variance"] + 0.2 * seen.var((0, 1, 2)), atol=1e-5
    )


def test_between_steps_the_model_answers_as_in_inference(backend: Backend, reference: ModuleType) -> None:
    network = reference.NETWORKS["odd-valid"]
    model = backend.build(network, reference.random_weights(network))
    images = reference.random_images(network)
    versions = {model.version}
    for _ in model.fit(batches(network, 3), [0.01] * 3, Optimiser()):
        weights = {info.name: model.weights(info.name) for info in model.layers}
        wanted = reference.forward(network, weights, images)
        for name, activation in model.trace(images).items():
            np.testing.assert_allclose(activation, wanted[name], atol=1e-4)
        versions.add(model.version)
    assert len(versions) == 4


def test_dropout_is_at_work_while_training(backend: Backend, reference: ModuleType) -> None:
    network = reference.NETWORKS["dense"]
    model = backend.build(network, reference.random_weights(network))
    batch = next(batches(network, 1))
    losses = {step.loss for step in model.fit([batch] * 6, [0.0] * 6, Optimiser(name="sgd"))}
    assert len(losses) > 1


def test_dropout_rests_where_the_recipe_has_none_at_work(backend: Backend, reference: ModuleType) -> None:
    network = reference.NETWORKS["dense"]
    weights = reference.random_weights(network)
    learning = backend.build(Recipe(epochs=1, dropout=False).trained(network), weights)
    images, labels = batch = next(batches(network, 1))
    losses = [step.loss for step in learning.fit([batch] * 3, [0.0] * 3, Optimiser(name="sgd"))]
    odds = backend.build(network, weights).probabilities(images)[np.arange(len(labels)), labels]
    np.testing.assert_allclose(losses, -np.log(odds).mean(), rtol=1e-4)


def test_it_ends_with_the_batches_or_the_learning_rates(backend: Backend) -> None:
    model = backend.build(NORMED)
    assert len(list(model.fit(batches(NORMED, 2), [0.1] * 5, Optimiser()))) == 2
    source = batches(NORMED, 5)
    assert len(list(model.fit(source, [0.1] * 3, Optimiser()))) == 3
    assert len(list(source)) == 2


def test_stopping_and_errors_leave_a_model_that_works(backend: Backend, reference: ModuleType) -> None:
    model = backend.build(NORMED, reference.random_weights(NORMED))
    images = reference.random_images(NORMED)
    running = model.fit(batches(NORMED, 5), [0.1] * 5, Optimiser())
    next(running)
    running.close()  # type: ignore[attr-defined]

    def broken() -> Iterator[tuple[Any, Any]]:
        yield from batches(NORMED, 1)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(model.fit(broken(), [0.1] * 5, Optimiser()))
    weights = {info.name: model.weights(info.name) for info in model.layers}
    wanted = reference.forward(NORMED, weights, images)["softmax"]
    np.testing.assert_allclose(model.probabilities(images), wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((2, 6, 5, 1)), [0, 1], r"Expected images of shape \(n, 6, 5, 2\)"),
        (np.zeros((2, 6, 5, 2)), [0, 1, 2], r"one label for each of 2 images. Received: shape=\(3,\)"),
        (np.zeros((2, 6, 5, 2)), [0, 3], "classes 0 to 2. Received: labels from 0 to 3"),
        (np.zeros((2, 6, 5, 2)), [-1, 0], "classes 0 to 2. Received: labels from -1 to 0"),
    ],
)
def test_batches_that_do_not_fit_get_one_sentence(backend: Backend, images: Any, labels: Any, message: str) -> None:
    model = backend.build(NORMED)
    version = model.version
    with pytest.raises(BackendError, match=message):
        list(model.fit([(images, np.array(labels))], [0.1], Optimiser()))
    assert model.version == version
