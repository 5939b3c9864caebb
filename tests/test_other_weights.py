"""One network, several sets of weights: each answers exactly as if it had been built anew, and none sees another."""

from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from layerscope.backends.base import Backend, BackendError, Capability, Edit, Model, Optimiser
from layerscope.models.architecture import Architecture
from layerscope.models.bundled import BUNDLED
from layerscope.models.weights import initial_weights

THREADS, TRACES = 8, 40


@pytest.fixture(params=["even-kernels-same", "odd-valid", "same-pools", "branches", "dense"])
def tiny(request: pytest.FixtureRequest, reference: ModuleType) -> Architecture:
    """One of the networks that cover every kind of layer."""
    found: Architecture = reference.NETWORKS[request.param]
    return found


def exactly(found: Any, wanted: Any) -> None:
    """The same names and the very same numbers."""
    assert list(found) == list(wanted)
    for name in wanted:
        np.testing.assert_array_equal(found[name], wanted[name], err_msg=name)


def answers(model: Model, images: Any) -> dict[str, Any]:
    """What a model says in every way it can be asked."""
    layers = [info.name for info in model.layers]
    edits = [Edit("logits", 0, 0.5)]
    found = {"version": model.version, "logits": model.logits(images)}
    found |= {f"one {name}": values for name, values in model.trace(images[:1]).items()}
    found |= {f"all {name}": values for name, values in model.trace(images).items()}
    found |= {f"edited {name}": values for name, values in model.trace(images, edits=edits).items()}
    found |= {f"slope {name}": values for name, values in model.gradients(images, 1, layers, edits).items()}
    stored = {info.name: model.weights(info.name) for info in model.layers}
    return found | {f"{layer}/{name}": array for layer, named in stored.items() for name, array in named.items()}


def train(model: Model, images: Any) -> None:
    """Two large steps, without drawing numbers."""
    batch = images, np.arange(len(images)) % len(model.classes)
    list(model.fit([batch, batch], [0.1, 0.1], Optimiser(name="sgd")))


def test_it_answers_exactly_as_if_built_with_these_weights(
    backend: Backend, tiny: Architecture, reference: ModuleType
) -> None:
    first, second = (reference.random_weights(tiny, seed=seed) for seed in (1, 2))
    images = reference.random_images(tiny)
    model = backend.build(tiny, first)
    before = answers(model, images)
    sibling = model.with_weights(second, "later")
    assert (sibling.name, sibling.layers, sibling.capabilities) == ("later", model.layers, model.capabilities)
    exactly(answers(sibling, images), answers(backend.build(tiny, second), images))
    exactly(answers(model, images), before)


def test_it_may_be_asked_before_the_first_one_ever_was(backend: Backend, reference: ModuleType) -> None:
    tiny = reference.NETWORKS["branches"]
    weights, images = reference.random_weights(tiny, seed=2), reference.random_images(tiny)
    model = backend.build(tiny, reference.random_weights(tiny, seed=1))
    between = model.with_weights(reference.random_weights(tiny, seed=3), "between")
    sibling = between.with_weights(weights)
    assert sibling.name == "between"
    exactly(answers(sibling, images), answers(backend.build(tiny, weights), images))
    assert model.version == backend.build(tiny, reference.random_weights(tiny, seed=1)).version


@pytest.mark.parametrize("name", ["odd-valid", "branches"])
@pytest.mark.parametrize("changed", [0, 1], ids=["the first changes", "the other changes"])
def test_neither_sees_what_becomes_of_the_other(
    backend: Backend, reference: ModuleType, name: str, changed: int
) -> None:
    tiny = reference.NETWORKS[name]
    images = reference.random_images(tiny)
    model = backend.build(tiny, reference.random_weights(tiny, seed=1))
    both = model, model.with_weights(reference.random_weights(tiny, seed=2))
    moving, still = both[changed], both[1 - changed]
    before, after = answers(still, images), reference.random_weights(tiny, seed=4)
    moving.load(after)
    exactly(answers(moving, images), answers(backend.build(tiny, after), images))
    exactly(answers(still, images), before)
    version = moving.version
    train(moving, images)
    assert moving.version != version
    exactly(answers(still, images), before)


def test_training_it_is_training_one_that_was_built_with_its_weights(backend: Backend, reference: ModuleType) -> None:
    tiny = reference.NETWORKS["branches"]
    weights, images = reference.random_weights(tiny, seed=2), reference.random_images(tiny)
    sibling = backend.build(tiny, reference.random_weights(tiny, seed=1)).with_weights(weights)
    built = backend.build(tiny, weights)
    for model in (sibling, built):
        train(model, images)
    for layer in ("left", "logits"):
        assert not np.array_equal(sibling.weights(layer)["kernel"], weights[layer]["kernel"])
        exactly(sibling.weights(layer), built.weights(layer))


def test_eight_threads_ask_two_of_them_and_each_gets_its_own(backend: Backend) -> None:
    network = BUNDLED["cnn-batchnorm"]
    model = backend.build(network, seed=1)
    both = model, model.with_weights(initial_weights(network, seed=2))
    images = np.random.default_rng(0).random((THREADS * TRACES, 1, *model.input_shape), dtype=np.float32)
    alone = [dict(both[index % 2].trace(image)) for index, image in enumerate(images)]
    assert not np.array_equal(both[0].logits(images[1]), alone[1]["logits"])
    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(lambda index: dict(both[index % 2].trace(images[index])), range(len(images))))
    for answer, wanted in zip(found, alone, strict=True):
        exactly(answer, wanted)


def test_it_does_not_hold_on_to_the_callers_arrays(backend: Backend, reference: ModuleType) -> None:
    tiny = reference.NETWORKS["dense"]
    weights = reference.random_weights(tiny, seed=2)
    sibling = backend.build(tiny).with_weights(weights)
    images = reference.random_images(tiny)
    before = answers(sibling, images)
    for named in weights.values():
        for array in named.values():
            array[...] = 7
    exactly(answers(sibling, images), before)


def test_weights_that_do_not_fit_are_refused(backend: Backend, reference: ModuleType) -> None:
    tiny = reference.NETWORKS["dense"]
    weights = reference.random_weights(tiny)
    model = backend.build(tiny, weights)
    wrong = {**weights, "hidden": {**weights["hidden"], "bias": np.zeros(3, np.float32)}}
    with pytest.raises(BackendError, match=r"do not fit dense: 'bias' of layer 'hidden' .* Received: shape=\(3,\)"):
        model.with_weights(wrong)
    with pytest.raises(BackendError, match=r"'bias' of layer 'logits' should have shape .* Received: nothing"):
        model.with_weights({**weights, "logits": {"kernel": weights["logits"]["kernel"]}})


def test_keras_compiles_nothing_again(keras: Backend, reference: ModuleType) -> None:
    tiny = reference.NETWORKS["odd-valid"]
    images = reference.random_images(tiny)
    model: Any = keras.build(tiny, reference.random_weights(tiny))
    answers(model, images)
    compiled = dict(model._compiled)
    for seed in range(3):
        sibling: Any = model.with_weights(reference.random_weights(tiny, seed=seed))
        answers(sibling, images)
        assert sibling._compiled is model._compiled
        assert sibling._compiled == compiled


# Users' own networks


def stored(model: Model, factor: float = 1.0) -> dict[str, dict[str, Any]]:
    """All weights of a model, times a factor."""
    named = {info.name: model.weights(info.name) for info in model.layers}
    return {layer: {name: factor * array for name, array in each.items()} for layer, each in named.items() if each}


def assert_like_a_loaded_one(model: Model, opened_again: Model) -> None:
    """A user's network with other weights answers as one that was opened and then loaded with them."""
    images = np.random.default_rng(0).random((3, *model.input_shape), dtype=np.float32)
    before, weights = dict(model.trace(images)), stored(model, 0.5)
    sibling = model.with_weights(weights)
    opened_again.load(weights)
    exactly(sibling.trace(images), opened_again.trace(images))
    exactly(sibling.trace(images[:1]), opened_again.trace(images[:1]))
    assert not np.array_equal(sibling.logits(images), model.logits(images))
    exactly(model.trace(images), before)
    list(sibling.fit([(images, np.zeros(3, np.int64))], [0.1], Optimiser(name="sgd")))
    exactly(model.trace(images), before)


def test_a_users_keras_network_can_be_given_other_weights(keras: Backend) -> None:
    import keras as framework

    class Scaled(framework.layers.Layer):  # type: ignore[misc]
        """A user's own kind of layer."""

        def build(self, shape: Any) -> None:
            self.factor = self.add_weight(shape=(shape[-1],), name="factor", initializer="ones")

        def call(self, values: Any) -> Any:
            return values * self.factor

    layers = framework.layers
    inner = framework.Sequential([layers.Input((6, 6, 3)), layers.DepthwiseConv2D(3, activation="relu")], name="inner")
    network = framework.Sequential(
        [
            layers.Input((8, 8, 1)), layers.Conv2D(3, 3, name="conv"), layers.BatchNormalization(name="norm"), inner,
            Scaled(name="scaled"), layers.Flatten(), layers.Dense(3, name="scores"),
        ],
        name="theirs",
    )  # fmt: skip
    assert_like_a_loaded_one(keras.open(network), keras.open(network))


def test_a_keras_layer_that_keeps_what_it_made_of_its_weights_is_not_given_others(keras: Backend) -> None:
    import keras as framework

    layers = framework.layers
    normalised = layers.Normalization(name="normalised")
    normalised.adapt(np.random.default_rng(0).random((9, 4, 4, 1), dtype=np.float32))
    network = framework.Sequential([layers.Input((4, 4, 1)), normalised, layers.Flatten(), layers.Dense(3, "relu")])
    model = keras.open(network, name="normed")
    assert model.capabilities == frozenset(Capability) - {Capability.OTHER_WEIGHTS}
    with pytest.raises(BackendError, match="normed cannot be given other weights here; build it anew with them"):
        model.with_weights(stored(model))


def test_a_users_pytorch_network_can_be_given_other_weights(pytorch: Backend) -> None:
    import torch
    from torch import nn
    from torch.nn import functional

    class Theirs(nn.Module):
        """A weight shared by two calls, one of its own, and statistics."""

        input_shape = (8, 8, 1)

        def __init__(self) -> None:
            super().__init__()
            self.conv, self.again = nn.Conv2d(1, 3, 3), nn.Conv2d(3, 3, 3, padding=1)
            self.norm, self.scores = nn.BatchNorm2d(3), nn.Linear(3 * 36, 3)
            self.shift = nn.Parameter(torch.ones(1, 3, 1, 1))

        def forward(self, values: Any) -> Any:
            values = functional.relu(self.norm(self.conv(values)) + self.shift)
            return self.scores(self.again(self.again(values)).flatten(1))

    torch.manual_seed(0)
    network = Theirs().eval()
    assert_like_a_loaded_one(pytorch.open(network), pytorch.open(network))
