"""What a snapshot's layers answer without a framework is what a framework answers."""

from types import ModuleType

import numpy as np
import pytest
from layerscope.backends.base import Backend
from layerscope.backends.opening import open_model
from layerscope.datasets.digits import load_digits
from layerscope.drawing.fit import fit_images
from layerscope.models.architecture import Architecture, Dense, Flatten, Input, MaxPool2D
from layerscope.models.bundled import BUNDLED, weights_path
from layerscope.models.first_layer import first_layer
from layerscope.models.forward import FUNCTIONS, answer, needed, work
from layerscope.models.weights import initial_weights, load_weights


@pytest.mark.parametrize("name", BUNDLED)
def test_every_layer_answers_as_in_pytorch(name: str, pytorch: Backend) -> None:
    architecture = BUNDLED[name]
    image = fit_images(load_digits().images[5:6], architecture.input_shape)
    weights = load_weights(weights_path(name), architecture)
    for layer, wanted in open_model(name, "pytorch").trace(image).items():
        found = answer(architecture, weights, image[0], layer)
        np.testing.assert_allclose(found, wanted[0], rtol=1e-4, atol=2e-5, err_msg=layer)


def test_every_kind_of_layer_answers_as_in_the_reference(reference: ModuleType) -> None:
    for architecture in reference.NETWORKS.values():
        weights, image = reference.random_weights(architecture), reference.random_images(architecture, 1)
        for layer, wanted in reference.forward(architecture, weights, image).items():
            found = answer(architecture, weights, image[0], layer)
            np.testing.assert_allclose(found, wanted[0], rtol=1e-4, atol=1e-5, err_msg=f"{architecture.name} {layer}")


def test_only_what_a_layer_depends_on_is_computed(reference: ModuleType) -> None:
    branches = reference.NETWORKS["branches"]
    assert [layer.name for layer in needed(branches, "right")] == ["image", "right"]
    assert work(branches, "image") == 6 * 6 * 2
    assert work(branches, "right") == 6 * 6 * (2 + 4 + 4 * 2)
    assert work(branches, "right") < work(branches, "add") < work(branches, branches.layers[-1].name)
    # The weights of others are not even asked for.
    weights = {"right": reference.random_weights(branches)["right"]}
    assert answer(branches, weights, np.zeros((6, 6, 2), np.float32), "right").shape == (6, 6, 4)


def test_numbers_of_any_size_have_their_share() -> None:
    assert FUNCTIONS["softmax"](np.array([1000, -1000, 1000], np.float32)).tolist() == [0.5, 0, 0.5]
    assert FUNCTIONS["sigmoid"](np.array([-1000, 0, 1000], np.float32)).tolist() == [0, 0.5, 1]


@pytest.mark.parametrize("name", BUNDLED)
def test_filters_are_the_first_weights_as_they_lie_on_the_image(name: str) -> None:
    architecture = BUNDLED[name]
    weights = load_weights(weights_path(name), architecture)
    found = first_layer(architecture, weights)
    assert found
    kernel = weights[found.layer.name]["kernel"]
    size = kernel.shape[:2] if found.layer.kind == "conv2d" else architecture.input_shape[:2]
    assert found.filters.shape == (kernel.shape[-1], *size)
    np.testing.assert_allclose(found.filters[1].ravel(), kernel[..., 1].reshape(-1), rtol=1e-6)


def test_what_follows_the_first_weights_belongs_to_them() -> None:
    found = first_layer(BUNDLED["cnn-batchnorm"], initial_weights(BUNDLED["cnn-batchnorm"]))
    assert found
    after = [layer.name for layer in BUNDLED["cnn-batchnorm"].layers]
    between = after[after.index(found.layer.name) + 1 : after.index(found.last) + 1]
    kinds = {layer.name: layer.kind for layer in BUNDLED["cnn-batchnorm"].layers}
    assert {kinds[name] for name in between} == {"batchnorm", "activation"}


def test_a_layer_that_does_not_read_the_image_is_no_first_layer() -> None:
    layers = (
        Input(name="image", shape=(8, 8, 1)),
        MaxPool2D(name="pool", window=(2, 2)),
        Flatten(name="flatten"),
        Dense(name="logits", units=10),
    )
    architecture = Architecture(name="pooled", title="Pooled", layers=layers)
    assert first_layer(architecture, initial_weights(architecture)) is None
