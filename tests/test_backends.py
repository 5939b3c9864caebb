"""The contract of a backend, on networks that cover every kind of layer, compared with plain NumPy."""

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from layerscope.backends.base import Backend, BackendError, Capability, Edit, Model, Target, UnknownLayer
from layerscope.models.architecture import KINDS, Architecture
from layerscope.models.bundled import BUNDLED

NETWORKS = ["even-kernels-same", "odd-valid", "same-pools", "branches", "dense"]


@pytest.fixture(params=NETWORKS)
def tiny(request: pytest.FixtureRequest, reference: ModuleType) -> Architecture:
    found: Architecture = reference.NETWORKS[request.param]
    return found


@pytest.fixture
def weights(tiny: Architecture, reference: ModuleType) -> Any:
    return reference.random_weights(tiny)


@pytest.fixture
def images(tiny: Architecture, reference: ModuleType) -> Any:
    return reference.random_images(tiny)


@pytest.fixture
def model(backend: Backend, tiny: Architecture, weights: Any) -> Model:
    return backend.build(tiny, weights)


@pytest.fixture
def branches(backend: Backend, reference: ModuleType) -> Model:
    network = reference.NETWORKS["branches"]
    return backend.build(network, reference.random_weights(network))


def close(found: Any, wanted: Any, tolerance: float = 2e-5) -> None:
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance * max(1.0, float(np.abs(wanted).max())))


def test_the_tiny_networks_cover_every_kind_of_layer(reference: ModuleType) -> None:
    assert list(reference.NETWORKS) == NETWORKS
    assert {layer.kind for network in reference.NETWORKS.values() for layer in network.layers} == set(KINDS)


def test_every_layer_gives_what_numpy_computes(
    model: Model, tiny: Architecture, weights: Any, images: Any, reference: ModuleType
) -> None:
    wanted = reference.forward(tiny, weights, images)
    trace = model.trace(images)
    assert list(trace) == [layer.name for layer in tiny.layers]
    for name, activation in trace.items():
        assert activation.dtype == np.float32
        assert activation.shape == (len(images), *model.layer(name).output_shape)
        close(activation, wanted[name])


def test_logits_and_probabilities_are_layers_of_the_trace(model: Model, images: Any) -> None:
    trace = model.trace(images)
    close(model.logits(images), trace["logits"])
    close(model.probabilities(images), trace["softmax"])
    close(model.probabilities(images).sum(1), np.ones(len(images)))


def test_a_trace_of_some_layers_has_them_in_the_models_order(model: Model, images: Any) -> None:
    names = [info.name for info in model.layers]
    some = model.trace(images, [names[-1], names[1]])
    assert list(some) == [names[1], names[-1]]
    close(some[names[1]], model.trace(images)[names[1]])
    assert list(model.trace(images, [])) == []


def test_layers_are_those_of_the_description(model: Model, tiny: Architecture) -> None:
    assert model.layers == tiny.infos
    assert (model.input_shape, model.classes, model.parameters) == (tiny.input_shape, tiny.classes, tiny.parameters)
    has_relus = any(layer.settings.get("function") == "relu" for layer in tiny.infos)
    assert model.capabilities == frozenset(Capability) - ({Capability.GUIDED} if not has_relus else set())


def test_any_number_of_images_may_come(model: Model, tiny: Architecture, weights: Any, reference: ModuleType) -> None:
    many = reference.random_images(tiny, 600)
    close(model.trace(many)["softmax"], reference.forward(tiny, weights, many)["softmax"])
    assert model.trace(many[:0])["softmax"].shape == (0, len(tiny.classes))
    assert model.gradients(many[:0], 0, ["image"])["image"].shape == (0, *tiny.input_shape)


def test_activations_are_read_only_and_the_callers_images_stay_his(model: Model, images: Any) -> None:
    trace = model.trace(images)
    for activation in trace.values():
        with pytest.raises(ValueError, match="read-only"):
            activation[...] = 0
    with pytest.raises(TypeError):
        trace["image"] = images  # type: ignore[index]
    first = trace["image"].copy()
    images[...] = 0.5
    np.testing.assert_array_equal(trace["image"], first)


def test_weights_come_back_as_they_were_given_and_read_only(model: Model, weights: Any) -> None:
    for info in model.layers:
        found = model.weights(info.name)
        assert {name: array.shape for name, array in found.items()} == dict(info.weight_shapes)
        for name, array in found.items():
            assert array.dtype == np.float32
            np.testing.assert_array_equal(array, weights[info.name][name])
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0


def test_fresh_weights_follow_the_seed_and_are_the_same_in_both_frameworks(
    pytorch: Backend, keras: Backend, reference: ModuleType
) -> None:
    network = reference.NETWORKS["odd-valid"]
    assert pytorch.build(network, seed=3).version == keras.build(network, seed=3).version
    assert pytorch.build(network, seed=3).version != pytorch.build(network, seed=4).version


def test_bundled_networks_can_be_built_with_their_exact_parameter_counts(backend: Backend) -> None:
    counts = {name: backend.build(architecture).parameters for name, architecture in BUNDLED.items()}
    dense_84x96 = counts.pop("dense-84x96")
    assert dense_84x96 <= 1_500_000
    assert counts == {
        "dense": 407_050,
        "cnn": 71_658,
        "cnn-compact": 93_322,
        "cnn-two-block": 225_034,
        "cnn-batchnorm": 905_418,
    }


def test_the_version_follows_the_weights(
    backend: Backend, tiny: Architecture, weights: Any, reference: ModuleType
) -> None:
    model = backend.build(tiny, weights)
    version = model.version
    assert backend.build(tiny, weights).version == version
    other = reference.random_weights(tiny, seed=5)
    model.load(other)
    assert model.version != version
    np.testing.assert_array_equal(model.weights("logits")["kernel"], other["logits"]["kernel"])
    model.load(weights)
    assert model.version == version


def test_edits_scale_units_for_one_pass_and_leave_the_model_untouched(
    model: Model, tiny: Architecture, weights: Any, images: Any, reference: ModuleType
) -> None:
    version, before = model.version, model.trace(images)
    for info in model.layers:
        unit = info.units - 1
        wanted = reference.forward(tiny, weights, images, scales={(info.name, unit): 0.0, (info.name, 0): -1.5})
        edits = [Edit(info.name, unit), Edit(info.name, 0, -1.5)]
        if unit == 0:
            wanted = reference.forward(tiny, weights, images, scales={(info.name, 0): -1.5})
            edits = [Edit(info.name, 0, -1.5)]
        for name, activation in model.trace(images, edits=edits).items():
            close(activation, wanted[name])
        close(model.logits(images, edits), wanted["logits"])
        close(model.probabilities(images, edits), wanted["softmax"])
    after = model.trace(images)
    assert model.version == version
    for name, activation in before.items():
        np.testing.assert_array_equal(activation, after[name])


def test_edits_of_one_unit_multiply(branches: Model, reference: ModuleType) -> None:
    images = reference.random_images(reference.NETWORKS["branches"])
    twice = branches.logits(images, [Edit("left", 2, 0.5), Edit("left", 2, 3.0)])
    close(twice, branches.logits(images, [Edit("left", 2, 1.5)]))


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda model, images: model.trace(images, ["nowhere"]), "has no layer 'nowhere'; it has image, left, right"),
        (lambda model, images: model.layer("nowhere"), "has no layer 'nowhere'"),
        (lambda model, images: model.weights("nowhere"), "has no layer 'nowhere'"),
        (lambda model, images: model.trace(images, edits=[Edit("nowhere", 0)]), "has no layer 'nowhere'"),
        (lambda model, images: model.gradients(images, 0, ["nowhere"]), "has no layer 'nowhere'"),
        (lambda model, images: model.gradients(images, Target("nowhere", 0), ["left"]), "has no layer 'nowhere'"),
    ],
)
def test_unknown_layers_are_named(branches: Model, ask: Any, message: str) -> None:
    with pytest.raises(UnknownLayer, match=message):
        ask(branches, np.zeros((1, 6, 6, 2), np.float32))


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda m, x: m.trace(x[0]), r"Expected images of shape \(n, 6, 6, 2\). Received: shape=\(6, 6, 2\)"),
        (lambda m, x: m.trace(x[..., :1]), r"Expected images of shape \(n, 6, 6, 2\)"),
        (lambda m, x: m.logits(x[:, :5]), r"Expected images of shape \(n, 6, 6, 2\)"),
        (lambda m, x: m.gradients(x[:, :5], 0, ["left"]), r"Expected images of shape \(n, 6, 6, 2\)"),
        (lambda m, x: m.trace(x, edits=[Edit("left", 4)]), "Layer 'left' has units 0 to 3. Received: unit=4"),
        (lambda m, x: m.trace(x, edits=[Edit("left", -1)]), "Layer 'left' has units 0 to 3. Received: unit=-1"),
        (lambda m, x: m.gradients(x, Target("dense", 5), ["left"]), "Layer 'dense' has units 0 to 4"),
        (lambda m, x: m.gradients(x, 4, ["left"]), "classes 0 to 3. Received: target=4"),
        (lambda m, x: m.gradients(x, Target("left", 0, (6, 0)), ["image"]), r"positions up to \(5, 5\)"),
        (lambda m, x: m.gradients(x, Target("dense", 0, (0, 0)), ["image"]), "has no positions, only units"),
    ],
)
def test_wrong_questions_get_one_sentence(branches: Model, ask: Any, message: str) -> None:
    with pytest.raises(BackendError, match=message):
        ask(branches, np.zeros((1, 6, 6, 2), np.float32))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda w: w.pop("left"), "'kernel' of layer 'left' should have shape .* Received: nothing"),
        (lambda w: w["dense"].pop("bias"), "'bias' of layer 'dense' should have shape .* Received: nothing"),
        (lambda w: w.update(extra={"kernel": np.zeros(3)}), "'kernel' of layer 'extra' should not be there"),
        (lambda w: w["dense"].update(gamma=np.zeros(3)), "'gamma' of layer 'dense' should not be there"),
        (
            lambda w: w["right"].update(bias=np.zeros(9)),
            r"'bias' of layer 'right' should have shape \(4,\). Received: shape=\(9,\)",
        ),
    ],
)
def test_weights_that_do_not_fit_change_nothing(
    backend: Backend, branches: Model, reference: ModuleType, spoil: Any, message: str
) -> None:
    network = reference.NETWORKS["branches"]
    wrong, version = reference.random_weights(network, seed=9), branches.version
    spoil(wrong)
    with pytest.raises(BackendError, match=message):
        branches.load(wrong)
    with pytest.raises(BackendError, match=message):
        backend.build(network, wrong)
    kept = reference.random_weights(network)
    for layer, named in kept.items():
        for name, array in named.items():
            np.testing.assert_array_equal(branches.weights(layer)[name], array)
    assert branches.version == version
