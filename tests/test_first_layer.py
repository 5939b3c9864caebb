"""The first layer without a framework answers what a framework's first layer answers."""

import numpy as np
import pytest
from layerscope.backends.base import Backend
from layerscope.backends.opening import open_model
from layerscope.datasets.digits import load_digits
from layerscope.drawing.fit import fit_images
from layerscope.models.architecture import Activation, Architecture, Conv2D, Dense, Flatten, Input, MaxPool2D
from layerscope.models.bundled import BUNDLED, weights_path
from layerscope.models.first_layer import first_layer
from layerscope.models.weights import initial_weights, load_weights


def last_of_first_block(architecture: Architecture) -> str:
    """The name of the layer up to which normalisation and activation belong to the first weights."""
    names = [layer.name for layer in architecture.layers]
    first = next(i for i, layer in enumerate(architecture.layers) if layer.kind in ("conv2d", "dense"))
    while architecture.layers[first + 1].kind in ("batchnorm", "activation"):
        first += 1
    return names[first]


@pytest.mark.parametrize("name", BUNDLED)
def test_it_answers_as_pytorch_does(name: str, pytorch: Backend) -> None:
    architecture = BUNDLED[name]
    image = fit_images(load_digits().images[5:6], architecture.input_shape)
    found = first_layer(architecture, load_weights(weights_path(name), architecture), image[0])
    assert found
    layer = last_of_first_block(architecture)
    wanted = open_model(name, "pytorch").trace(image, layers=[layer])[layer][0]
    np.testing.assert_allclose(found.answers, wanted, rtol=1e-4, atol=1e-5)
    units = found.answers.shape[-1]
    assert len(found.filters) == units


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("window", "strides"), [((4, 4), (1, 1)), ((3, 2), (2, 3)), ((5, 1), (3, 1))])
def test_every_window_and_stride_lies_where_it_lies_in_pytorch(
    window: tuple[int, int], strides: tuple[int, int], padding: str, pytorch: Backend
) -> None:
    layers = (
        Input(name="image", shape=(11, 8, 2)),
        Conv2D(name="conv", window=window, strides=strides, padding=padding, filters=3),
        Activation(name="tanh", function="tanh"),
        Flatten(name="flatten"),
        Dense(name="logits", units=10),
    )
    architecture = Architecture(name="odd", title="Odd", layers=layers)
    weights = initial_weights(architecture, 3)
    image = np.random.default_rng(0).random((1, 11, 8, 2), np.float32)
    found = first_layer(architecture, weights, image[0])
    assert found
    wanted = pytorch.build(architecture, weights).trace(image, layers=["tanh"])["tanh"][0]
    np.testing.assert_allclose(found.answers, wanted, rtol=1e-4, atol=1e-5)
    assert found.filters.shape == (3, *window)


def test_a_layer_that_does_not_read_the_image_is_no_first_layer() -> None:
    layers = (
        Input(name="image", shape=(8, 8, 1)),
        MaxPool2D(name="pool", window=(2, 2)),
        Flatten(name="flatten"),
        Dense(name="logits", units=10),
    )
    architecture = Architecture(name="pooled", title="Pooled", layers=layers)
    assert first_layer(architecture, initial_weights(architecture), np.zeros((8, 8, 1), np.float32)) is None
