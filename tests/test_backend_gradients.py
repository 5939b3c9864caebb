"""Gradients of both backends against finite differences of the NumPy forward pass, and against a closed form."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from layerscope.backends.base import Backend, Edit, Target
from layerscope.models.architecture import Activation, Architecture, Dense, Flatten, Input

EPSILON = 1e-6


def slope(function: Callable[[Any], float], direction: Any) -> float:
    """Central difference of a function of a shift, along a direction."""
    return (function(EPSILON * direction) - function(-EPSILON * direction)) / (2 * EPSILON)


@pytest.mark.parametrize("name", ["even-kernels-same", "odd-valid", "same-pools", "branches", "dense"])
@pytest.mark.parametrize("edited", [False, True], ids=["plain", "edited"])
def test_gradients_in_every_layer_are_the_slopes_of_the_target(
    backend: Backend, reference: ModuleType, name: str, edited: bool
) -> None:
    network = reference.NETWORKS[name]
    weights, images = reference.random_weights(network), reference.random_images(network)
    model = backend.build(network, weights)
    middle = network.infos[len(network.infos) // 2]
    edits = [Edit("logits", 0, 2.0), Edit(middle.name, 0, 0.5)] if edited else []
    scales = {(edit.layer, edit.unit): edit.scale for edit in edits}
    random = np.random.default_rng(2)
    corner = (0, middle.output_shape[1] - 1) if middle.is_spatial else None
    targets: list[tuple[int | Target, Callable[[Any], float]]] = [
        (1, lambda values: values["logits"][:, 1].sum()),
        (Target("softmax", 0), lambda values: values["softmax"][:, 0].sum()),
        (Target(middle.name, 0), lambda values: _unit(values[middle.name], None).sum()),
        (Target(middle.name, 0, corner), lambda values: _unit(values[middle.name], corner).sum()),
    ]
    for target, measure in targets:
        gradients = model.gradients(images, target, [info.name for info in model.layers], edits)
        for info in model.layers:
            direction = random.normal(size=(len(images), *info.output_shape))

            def moved(shift: Any, layer: str = info.name, measure: Any = measure) -> float:
                return float(measure(reference.forward(network, weights, images, scales, {layer: shift})))

            wanted = slope(moved, direction)
            found = float((gradients[info.name] * direction).sum())
            assert gradients[info.name].dtype == np.float32
            assert not gradients[info.name].flags.writeable
            assert found == pytest.approx(wanted, rel=2e-3, abs=2e-4), (info.name, target)


@pytest.mark.parametrize("images", [1, 3])
def test_activation_and_gradient_are_those_of_two_passes(backend: Backend, reference: ModuleType, images: int) -> None:
    network = reference.NETWORKS["branches"]
    model = backend.build(network, reference.random_weights(network))
    given, edits = reference.random_images(network)[:images], [Edit(network.infos[1].name, 0, 0.5)]
    for info in model.layers:
        activation, gradient = model.activation_and_gradient(given, 1, info.name, edits)
        np.testing.assert_allclose(activation, model.trace(given, [info.name], edits)[info.name], atol=1e-5)
        np.testing.assert_allclose(gradient, model.gradients(given, 1, [info.name], edits)[info.name], atol=1e-5)
        assert not activation.flags.writeable
        assert not gradient.flags.writeable


def _unit(activation: Any, position: tuple[int, int] | None) -> Any:
    """Unit 0 of an activation for each image: averaged over its positions, or at one of them."""
    if activation.ndim == 2:
        return activation[:, 0]
    return activation[..., 0].mean((1, 2)) if position is None else activation[:, position[0], position[1], 0]


def test_gradients_of_a_linear_network_are_its_weights(backend: Backend) -> None:
    network = Architecture(
        name="linear",
        title="linear",
        layers=(
            Input(name="image", shape=(2, 3, 1)),
            Flatten(name="flatten"),
            Dense(name="logits", units=10),
            Activation(name="softmax", function="softmax"),
        ),
    )
    kernel = np.random.default_rng(0).normal(size=(6, 10)).astype(np.float32)
    model = backend.build(network, {"logits": {"kernel": kernel, "bias": np.zeros(10, np.float32)}})
    images = np.random.default_rng(1).random((4, 2, 3, 1), dtype=np.float32)
    gradients = model.gradients(images, 7, ["image", "logits"])
    assert list(gradients) == ["image", "logits"]
    np.testing.assert_array_equal(gradients["image"], np.broadcast_to(kernel[:, 7].reshape(2, 3, 1), (4, 2, 3, 1)))
    np.testing.assert_array_equal(gradients["logits"], np.eye(10, dtype=np.float32)[[7] * 4])


def test_no_gradient_flows_into_layers_the_target_does_not_read(backend: Backend, reference: ModuleType) -> None:
    network = reference.NETWORKS["branches"]
    model = backend.build(network, reference.random_weights(network))
    gradients = model.gradients(reference.random_images(network), Target("left", 1), ["right", "softmax", "left"])
    assert not gradients["right"].any()
    assert not gradients["softmax"].any()
    assert gradients["left"].any()


def test_many_images_have_the_gradients_each_has_alone(backend: Backend, reference: ModuleType) -> None:
    network = reference.NETWORKS["same-pools"]
    model = backend.build(network, reference.random_weights(network))
    many = reference.random_images(network, 300)
    found = model.gradients(many, 1, ["image"])["image"]
    np.testing.assert_allclose(found[299], model.gradients(many[299:], 1, ["image"])["image"][0], atol=1e-6)
