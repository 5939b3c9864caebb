"""Guided backpropagation in both backends: by hand, against Captum, with edits, in users' own networks, in threads."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from layerscope.backends.base import Backend, BackendError, Capability, Edit, Model, Target
from layerscope.models.architecture import Activation, Architecture, Dense, Flatten, Input

DEEP = Architecture(
    name="deep",
    title="Two relus",
    classes=tuple("abcd"),
    layers=(
        Input(name="input", shape=(3, 4, 1)),
        Flatten(name="flatten"),
        Dense(name="first", units=9),
        Activation(name="first_relu", function="relu"),
        Dense(name="second", units=8),
        Activation(name="second_relu", function="relu"),
        Dense(name="logits", units=4),
        Activation(name="softmax", function="softmax"),
    ),
)


@pytest.fixture
def weights() -> dict[str, dict[str, np.ndarray]]:
    """Of both signs, biases too."""
    rng = np.random.default_rng(4)
    return {
        info.name: {name: rng.normal(size=shape).astype(np.float32) for name, shape in info.weight_shapes.items()}
        for info in DEEP.infos
        if info.weight_shapes
    }


@pytest.fixture
def images() -> np.ndarray:
    """Five of them."""
    return np.random.default_rng(5).random((5, 3, 4, 1), dtype=np.float32)


def by_hand(weights: Any, images: np.ndarray, unit: int, scales: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Guided gradients of a logit in each layer, in plain NumPy."""

    def scaled(name: str, values: np.ndarray) -> np.ndarray:
        return values * scales.get(name, np.ones(1))

    kernels = [weights[name]["kernel"].astype(float) for name in ("first", "second", "logits")]
    first = scaled("first", images.reshape(len(images), -1) @ kernels[0] + weights["first"]["bias"])
    lit = scaled("first_relu", np.maximum(first, 0))
    second = scaled("second", lit @ kernels[1] + weights["second"]["bias"])
    found = {"logits": np.tile(np.eye(4)[unit], (len(images), 1))}
    found["second_relu"] = scaled("logits", found["logits"]) @ kernels[2].T
    found["second"] = np.maximum(scaled("second_relu", found["second_relu"]), 0) * (second > 0)
    found["first_relu"] = scaled("second", found["second"]) @ kernels[1].T
    found["first"] = np.maximum(scaled("first_relu", found["first_relu"]), 0) * (first > 0)
    found["flatten"] = scaled("first", found["first"]) @ kernels[0].T
    return found | {"input": found["flatten"].reshape(images.shape)}


@pytest.mark.parametrize("edited", [False, True], ids=["plain", "edited"])
def test_guided_gradients_are_those_computed_by_hand(
    backend: Backend, weights: Any, images: np.ndarray, edited: bool
) -> None:
    edits, scales = [], {}
    if edited:
        edits = [Edit("first_relu", 2, -1.5), Edit("second", 3), Edit("logits", 1, 2.0), Edit("first", 0, 3.0)]
        for edit in edits:
            scales[edit.layer] = np.ones(DEEP.infos[[i.name for i in DEEP.infos].index(edit.layer)].units)
            scales[edit.layer][edit.unit] = edit.scale
    model = backend.build(DEEP, weights)
    wanted = by_hand(weights, images, 1, scales)
    found = model.gradients(images, 1, list(wanted), edits, guided=True)
    assert set(found) == set(wanted)
    for name, slopes in wanted.items():
        np.testing.assert_allclose(found[name], slopes, rtol=1e-4, atol=1e-4, err_msg=name)
    plain = model.gradients(images, 1, ["input"], edits)["input"]
    assert np.abs(plain - found["input"]).max() > 0.1


def test_a_unit_behind_a_relu_can_be_the_target(backend: Backend, weights: Any, images: np.ndarray) -> None:
    model = backend.build(DEEP, weights)
    lit = model.trace(images)["second_relu"] > 0
    unit = int(np.flatnonzero(lit.any(axis=0) & ~lit.all(axis=0))[0])
    found = model.gradients(images, Target("second_relu", unit), ["second", "first_relu"], guided=True)
    np.testing.assert_array_equal(found["second"][:, unit], lit[:, unit])
    slopes = lit[:, [unit]] * weights["second"]["kernel"][:, unit]
    np.testing.assert_allclose(found["first_relu"], slopes, rtol=1e-5)


def test_nothing_of_it_stays(backend: Backend, weights: Any, images: np.ndarray) -> None:
    model = backend.build(DEEP, weights)
    asks = [lambda: model.gradients(images, 1, ["input"]), lambda: model.gradients(images, 1, ["input"], guided=True)]
    before, trace, version = [dict(ask()) for ask in asks], dict(model.trace(images)), model.version
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda index: asks[index % 2]()["input"], range(80)))
    for index, answer in enumerate(found):
        np.testing.assert_array_equal(answer, before[index % 2]["input"])
    assert model.version == version
    for name, activation in model.trace(images).items():
        np.testing.assert_array_equal(activation, trace[name])


def test_other_weights_are_guided_as_well(backend: Backend, weights: Any, images: np.ndarray) -> None:
    model = backend.build(DEEP, seed=1)
    model.gradients(images, 1, ["input"], guided=True)
    found = model.with_weights(weights).gradients(images, 1, ["input"], guided=True)["input"]
    np.testing.assert_allclose(found, by_hand(weights, images, 1, {})["input"], rtol=1e-4, atol=1e-4)


def test_a_network_without_relus_refuses(backend: Backend) -> None:
    layers = [layer for layer in DEEP.layers if not layer.name.endswith("_relu")]
    unguided = Architecture(
        name="unguided",
        title="No relu",
        classes=DEEP.classes,
        layers=(*layers[:2], Dense(name="logits", units=4), Activation(name="softmax", function="softmax")),
    )
    model = backend.build(unguided)
    assert model.capabilities == frozenset(Capability) - {Capability.GUIDED}
    with pytest.raises(BackendError, match="unguided has no guided gradients: it has no relu layers to guide them"):
        model.gradients(np.zeros((1, 3, 4, 1), np.float32), 0, ["input"], guided=True)


# Users' own networks


def captums(network: Any, batch: np.ndarray, target: int) -> np.ndarray:
    """Captum's guided gradients in images `(n, height, width, channels)`."""
    import torch
    from captum.attr import GuidedBackprop

    given = torch.from_numpy(np.ascontiguousarray(batch.transpose(0, 3, 1, 2))).requires_grad_()
    found: Any = GuidedBackprop(network).attribute(given, target=target)
    return np.asarray(found.detach().numpy().transpose(0, 2, 3, 1))


@pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU activations")
def test_a_users_pytorch_network_is_guided_however_it_calls_its_relus(pytorch: Backend) -> None:
    import torch
    from torch import nn
    from torch.nn import functional

    class Theirs(nn.Module):
        """The same relu as module, function, method, and in place."""

        input_shape = (6, 6, 2)

        def __init__(self, as_modules: bool) -> None:
            super().__init__()
            self.conv, self.again = nn.Conv2d(2, 5, 3), nn.Conv2d(5, 5, 3, padding=1)
            self.hidden, self.scores = nn.Linear(5 * 16, 9), nn.Linear(9, 3)
            self.one, self.two, self.three = nn.ReLU(), nn.ReLU(), nn.ReLU()
            self.as_modules = as_modules

        def forward(self, values: Any) -> Any:
            values = self.one(self.conv(values)) if self.as_modules else functional.relu(self.conv(values))
            values = self.again(values)
            values = (self.two(values) if self.as_modules else values.relu_()).flatten(1)
            hidden = self.hidden(values)
            return self.scores(self.three(hidden) if self.as_modules else torch.relu(hidden))

    torch.manual_seed(1)
    network = Theirs(as_modules=True).eval()
    batch = np.random.default_rng(0).random((4, 6, 6, 2), dtype=np.float32)
    wanted = captums(network, batch, 2)
    other = Theirs(as_modules=False).eval()
    other.load_state_dict(network.state_dict())
    for each in (network, other):
        model = pytorch.open(each)
        found = model.gradients(batch, 2, [model.layers[0].name], guided=True)[model.layers[0].name]
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())
        assert np.abs(model.gradients(batch, 2, [model.layers[0].name])[model.layers[0].name] - found).max() > 1e-3


def test_a_users_keras_network_is_guided_where_its_relus_are_layers(
    keras: Backend, weights: Any, images: np.ndarray
) -> None:
    import keras as framework

    layers = framework.layers
    network = framework.Sequential(
        [
            layers.Input((3, 4, 1)), layers.Flatten(), layers.Dense(9, activation="relu", name="first"),
            layers.Dense(8, name="second"), layers.ReLU(), layers.Dense(4, name="logits"),
        ]
    )  # fmt: skip
    for name, named in weights.items():
        network.get_layer(name).set_weights([named["kernel"], named["bias"]])
    model: Model = keras.open(network)
    found = model.gradients(images, 1, ["input"], guided=True)["input"]
    np.testing.assert_allclose(found, by_hand(weights, images, 1, {})["input"], rtol=1e-4, atol=1e-4)
