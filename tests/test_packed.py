"""Large convolutions are packed for one image: the same numbers, and never those of weights that have gone."""

import numpy as np
import pytest
from layerscope.backends.base import Backend, Model, Optimiser
from layerscope.backends.pytorch_packed import LARGE
from layerscope.models.architecture import Activation, Architecture, Conv2D, Dense, Flatten, Input
from layerscope.models.weights import initial_weights

LARGE_NET = Architecture(
    name="large",
    title="Convolutions that are worth packing",
    classes=("ant", "bee"),
    layers=(
        Input(name="input", shape=(20, 18, 3)),
        Conv2D(name="even", filters=32, window=(4, 4), padding="same"),
        Conv2D(name="strided", filters=48, window=(3, 5), strides=(2, 1), padding="valid"),
        Conv2D(name="odd", filters=32, window=(3, 3), padding="same"),
        Flatten(name="flatten"),
        Dense(name="logits", units=2),
        Activation(name="softmax", function="softmax"),
    ),
)


@pytest.fixture
def model(pytorch: Backend) -> Model:
    return pytorch.build(LARGE_NET, seed=1)


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).random((2, 20, 18, 3), dtype=np.float32)


def assert_one_by_one_is_as_together(model: Model, images: np.ndarray) -> None:
    """Only a single image goes through packed convolutions."""
    together = model.trace(images)
    for index in range(len(images)):
        alone = model.trace(images[index : index + 1])
        for layer, values in together.items():
            np.testing.assert_allclose(alone[layer][0], values[index], atol=1e-5 * np.abs(values).max(), err_msg=layer)


def test_packed_convolutions_compute_the_same(model: Model, images: np.ndarray) -> None:
    assert all(model.layer(name).multiply_adds >= LARGE for name in ("even", "strided", "odd"))
    assert_one_by_one_is_as_together(model, images)


def test_new_weights_are_packed_anew(model: Model, images: np.ndarray) -> None:
    before = model.trace(images[:1])["odd"]
    model.load(initial_weights(LARGE_NET, seed=2))
    assert_one_by_one_is_as_together(model, images)
    assert np.abs(model.trace(images[:1])["odd"] - before).max() > 0.01
    trained = model.trace(images[:1])["odd"]
    for _ in model.fit([(images, np.array([0, 1]))], [0.05], Optimiser(name="sgd")):
        assert_one_by_one_is_as_together(model, images)
    assert np.abs(model.trace(images[:1])["odd"] - trained).max() > 1e-5


def test_a_users_own_convolutions_are_packed_too(pytorch: Backend) -> None:
    import torch
    from torch import nn

    network = nn.Sequential(
        nn.Conv2d(3, 32, 5, stride=2, padding=2),
        nn.Conv2d(32, 32, 3, dilation=2, groups=4),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding="same", padding_mode="reflect"),
        nn.Flatten(),
        nn.LazyLinear(4),
    )
    network(torch.zeros(1, 3, 48, 48))
    network.input_shape = (48, 48, 3)
    model = pytorch.open(network.eval(), "mine")
    assert model.layers[1].multiply_adds >= LARGE
    images = np.random.default_rng(1).random((2, 48, 48, 3), dtype=np.float32)
    assert_one_by_one_is_as_together(model, images)
