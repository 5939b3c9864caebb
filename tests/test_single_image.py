"""One image goes quicker ways than many: the same numbers, and never those of weights that have gone."""

from typing import Any

import numpy as np
import pytest
from layerscope.backends.base import Backend, Model, Optimiser
from layerscope.backends.pytorch_single import LARGE
from layerscope.models.architecture import Activation, Architecture, Conv2D, Dense, Flatten, Input, Padding
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


def test_weights_that_change_while_they_are_packed_are_packed_again(
    model: Model, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    from layerscope.backends import pytorch_model

    pack, changed = pytorch_model.for_one_image, []

    def slowly(*given: Any) -> Any:
        packed = pack(*given)
        if not changed:
            changed.append(True)
            model.load(initial_weights(LARGE_NET, seed=2))
        return packed

    monkeypatch.setattr(pytorch_model, "for_one_image", slowly)
    model.trace(images[:1])
    assert_one_by_one_is_as_together(model, images)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("strides", [(1, 1), (2, 1)])
def test_grey_images_are_convolved_the_same(pytorch: Backend, padding: Padding, strides: tuple[int, int]) -> None:
    network = Architecture(
        name="grey",
        title="A convolution of one channel, and another after it",
        classes=("ant", "bee"),
        layers=(
            Input(name="input", shape=(9, 11, 1)),
            Conv2D(name="first", filters=3, window=(3, 3), strides=strides, padding=padding),
            Conv2D(name="narrow", filters=1, window=(2, 2), padding="same"),
            Conv2D(name="second", filters=4, window=(3, 3), strides=strides, padding=padding),
            Flatten(name="flatten"),
            Dense(name="logits", units=2),
            Activation(name="softmax", function="softmax"),
        ),
    )
    images = np.random.default_rng(0).random((2, 9, 11, 1), dtype=np.float32)
    assert_one_by_one_is_as_together(pytorch.build(network), images)


def test_one_channel_of_many_is_convolved_the_same(pytorch: Backend) -> None:
    from torch import Tensor, nn

    class Sliced(nn.Module):
        input_shape = (12, 10, 3)

        def __init__(self) -> None:
            super().__init__()
            self.grey, self.dense = nn.Conv2d(1, 4, 3), nn.Linear(192, 2)

        def forward(self, images: Tensor) -> Tensor:
            return self.dense(self.grey(images[:, 1:2, 1:-1, 2:]).flatten(1))

    images = np.random.default_rng(0).random((2, 12, 10, 3), dtype=np.float32)
    assert_one_by_one_is_as_together(pytorch.open(Sliced().eval(), "sliced"), images)


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
