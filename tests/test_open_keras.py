"""Users' own Keras networks: what they compute, how their layers are called, and what cannot be opened."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from layerscope.backends.base import Backend, BackendError, Capability, Edit, Model, Optimiser


@pytest.fixture
def layers(keras: Backend) -> Any:
    """`keras.layers`, once TensorFlow has been started in the order that is safe."""
    import keras as framework

    framework.utils.set_random_seed(3)
    return framework.layers


def sequential(*layers: Any, name: str = "theirs") -> Any:
    import keras as framework

    return framework.Sequential(list(layers), name=name)


def images(model: Model, count: int = 4) -> Any:
    return np.random.default_rng(0).random((count, *model.input_shape), dtype=np.float32)


def kinds(model: Model) -> list[tuple[str, str]]:
    return [(info.name, info.kind) for info in model.layers]


def test_fused_activations_become_layers_of_their_own(keras: Backend, layers: Any) -> None:
    network = sequential(
        layers.Input((28, 28, 1)),
        layers.Conv2D(4, (3, 2), strides=2, padding="same", activation="relu", name="conv1"),
        layers.MaxPooling2D(name="pool"),
        layers.BatchNormalization(name="norm", epsilon=0.01),
        layers.Flatten(name="flatten"),
        layers.Dropout(0.25, name="dropout"),
        layers.Dense(10, activation="softmax", name="dense"),
    )
    model = keras.open(network)
    assert kinds(model) == [
        ("input", "input"),
        ("conv1", "conv2d"),
        ("conv1_relu", "activation"),
        ("pool", "maxpool2d"),
        ("norm", "batchnorm"),
        ("flatten", "flatten"),
        ("dropout", "dropout"),
        ("dense", "dense"),
        ("dense_softmax", "activation"),
    ]
    settings = {info.name: dict(info.settings) for info in model.layers}
    assert settings["conv1"] == {"filters": 4, "window": (3, 2), "strides": (2, 2), "padding": "same"}
    assert settings["pool"] == {"window": (2, 2), "strides": (2, 2), "padding": "valid"}
    assert settings["norm"] == {"epsilon": 0.01, "momentum": 0.99}
    assert settings["dense"] == {"units": 10}
    assert settings["dense_softmax"] == {"function": "softmax"}
    assert (model.name, model.parameters, model.capabilities) == (
        "theirs",
        network.count_params(),
        frozenset(Capability),
    )
    assert dict(model.layer("conv1").weight_shapes) == {"kernel": (3, 2, 1, 4), "bias": (4,)}
    assert model.layer("conv1").multiply_adds == 14 * 14 * 3 * 2 * 4
    batch = images(model)
    trace = model.trace(batch)
    np.testing.assert_allclose(trace["dense_softmax"], network(batch, training=False), atol=1e-6)
    np.testing.assert_array_equal(trace["conv1_relu"], np.maximum(trace["conv1"], 0))
    assert trace["conv1"].min() < 0


def test_branches_shared_layers_and_networks_inside_networks_are_followed(keras: Backend, layers: Any) -> None:
    import keras as framework

    inner = sequential(
        layers.Input((8, 8, 4)), layers.Conv2D(4, 3, padding="same", activation="tanh", name="conv"), name="inner"
    )
    start = framework.Input((8, 8, 3), name="picture")
    left = layers.Conv2D(4, 1, name="left")(start)
    right = layers.Conv2D(4, 1, name="right", use_bias=False)(start)
    joined = layers.Add(name="add")([left, right]) * 2.0
    joined = inner(inner(joined))
    joined = layers.Lambda(lambda values: values / 2, name="halved")(joined)
    joined = layers.Concatenate(name="join")([joined, start])
    pooled = layers.GlobalAveragePooling2D(name="pooled")(joined)
    network = framework.Model(start, layers.Dense(3, name="scores")(pooled), name="branched")
    model = keras.open(network, classes=["a", "b", "c"])
    assert [name for name, _ in kinds(model)] == [
        "picture", "left", "right", "add", "multiply", "inner/conv", "inner/conv_tanh", "inner/conv_2",
        "inner/conv_tanh_2", "halved", "join", "pooled", "scores", "softmax",
    ]  # fmt: skip
    assert model.layer("add").inputs == ("left", "right")
    assert model.layer("join").inputs == ("halved", "picture")
    assert model.layer("inner/conv_2").weight_shapes == {}
    assert model.parameters == network.count_params()
    batch = images(model)
    wanted = framework.ops.softmax(network(batch, training=False))
    np.testing.assert_allclose(model.probabilities(batch), wanted, atol=1e-6)
    np.testing.assert_allclose(model.logits(batch), network(batch, training=False), atol=1e-5)
    before = framework.Model(start, network.get_layer("left").output)(batch)
    np.testing.assert_allclose(model.trace(batch)["left"], before, atol=1e-6)
    assert model.gradients(batch, 1, ["picture", "inner/conv"])["picture"].any()
    muted = model.trace(batch, edits=[Edit("left", 2)])["left"]
    assert not muted[..., 2].any()


def test_the_opened_network_is_a_copy(keras: Backend, layers: Any) -> None:
    network = sequential(layers.Input((6, 6, 1)), layers.Flatten(), layers.Dense(3, activation="relu"), layers.Dense(2))
    batch = np.random.default_rng(0).random((2, 6, 6, 1), dtype=np.float32)
    before, weights = network(batch).numpy(), network.get_weights()
    model = keras.open(network)
    version = model.version
    list(model.fit([(batch, np.array([0, 1]))] * 3, [0.1] * 3, Optimiser()))
    assert model.version != version
    np.testing.assert_array_equal(network(batch).numpy(), before)
    for mine, theirs in zip(weights, network.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert network.layers[-2].activation.__name__ == "relu"
    assert len(network.layers[-1]._inbound_nodes) == 1


def test_images_without_a_channel_axis_get_one(keras: Backend, layers: Any) -> None:
    network = sequential(layers.Input((28, 28)), layers.Flatten(), layers.Dense(10))
    model = keras.open(network)
    assert model.input_shape == (28, 28, 1)
    batch = images(model)
    np.testing.assert_allclose(model.logits(batch), network(batch[..., 0]), atol=1e-5)


def test_a_network_that_ends_in_sigmoids_is_left_as_it_is(keras: Backend, layers: Any) -> None:
    model = keras.open(sequential(layers.Input((5, 5, 1)), layers.Flatten(), layers.Dense(4, activation="sigmoid")))
    assert kinds(model)[-1][1] == "activation"
    assert not model.capabilities & {Capability.LOGITS, Capability.FIT}
    with pytest.raises(BackendError, match="does not end in a softmax"):
        model.logits(images(model))
    with pytest.raises(BackendError, match="does not end in a softmax"):
        list(model.fit([], [], Optimiser()))


def test_layers_without_a_canonical_name_keep_their_own(keras: Backend, layers: Any) -> None:
    network = sequential(
        layers.Input((16, 16, 2)),
        layers.Rescaling(0.5, name="rescaling"),
        layers.SeparableConv2D(4, 3, activation="relu", name="separable"),
        layers.Conv2D(4, 3, dilation_rate=2, groups=2, name="dilated"),
        layers.LeakyReLU(name="leaky"),
        layers.Reshape((-1, 4), name="tokens"),
        layers.LayerNormalization(name="normed"),
        layers.GlobalAveragePooling1D(name="mean"),
        layers.Dense(3, name="scores"),
    )
    model = keras.open(network)
    found = dict(kinds(model))
    assert found["rescaling"] == "Rescaling"
    assert found["separable"] == "SeparableConv2D"
    assert found["leaky"] == "LeakyReLU"
    assert model.layer("dilated").settings["dilation"] == (2, 2)
    assert model.layer("dilated").settings["groups"] == 2
    assert model.layer("tokens").output_shape == (100, 4)
    assert model.parameters == network.count_params()
    batch = images(model)
    np.testing.assert_allclose(model.logits(batch), network(batch, training=False), atol=1e-5)


def test_layers_that_cannot_be_compiled_for_one_image_are_shown_all_the_same(keras: Backend, layers: Any) -> None:
    import tensorflow as tf

    class Rounded(layers.Layer):  # type: ignore[misc]
        def call(self, values: Any) -> Any:
            return tf.ensure_shape(tf.numpy_function(np.round, [values], tf.float32), values.shape)

    network = sequential(layers.Input((6, 6, 1)), Rounded(name="rounded"), layers.Flatten(), layers.Dense(3))
    model = keras.open(network)
    (one,) = images(model, 1)
    assert np.array_equal(model.trace(one[None])["rounded"][0], np.round(one))


def test_a_saved_model_opens_as_the_one_in_memory(keras: Backend, layers: Any, tmp_path: Path) -> None:
    network = sequential(
        layers.Input((6, 6, 1)), layers.Conv2D(2, 3, activation="relu"), layers.Flatten(), layers.Dense(2)
    )
    network.save(tmp_path / "theirs.keras")
    assert keras.reads(tmp_path / "theirs.keras")
    assert keras.open(tmp_path / "theirs.keras", "theirs").version == keras.open(network, "theirs").version


def test_a_file_may_not_run_code(keras: Backend, layers: Any, tmp_path: Path) -> None:
    network = sequential(
        layers.Input((6, 6, 1)), layers.Lambda(lambda values: values * 2), layers.Flatten(), layers.Dense(2)
    )
    network.save(tmp_path / "tempting.keras")
    with pytest.raises(BackendError, match=r"Keras cannot load tempting.keras: .*Lambda"):
        keras.open(tmp_path / "tempting.keras")


def test_networks_that_cannot_be_opened_say_why(keras: Backend, layers: Any) -> None:
    import keras as framework

    class Own(framework.Model):  # type: ignore[misc]
        def call(self, values: Any) -> Any:
            return values

    class NoConfig(framework.layers.Layer):  # type: ignore[misc]
        def __init__(self, factor: float) -> None:
            super().__init__()
            self.factor = factor

        def call(self, values: Any) -> Any:
            return values * self.factor

    two = [framework.Input((4, 4, 1)), framework.Input((4, 4, 1))]
    cases = {
        "Keras opens a keras.Model. Received: int": 3,
        "cannot be followed through its layers: .* Received: Own": Own(),
        "does not know its input yet; begin it with keras.Input": sequential(layers.Dense(3)),
        "one input and one output. Received: 2 and 1": framework.Model(two, layers.Flatten()(layers.Add()(two))),
        r"Received: input shape \(None, None, 3\)": sequential(
            layers.Input((None, None, 3)), layers.GlobalMaxPooling2D()
        ),
        r"images of a fixed size.*Received: input shape \(784,\)": sequential(layers.Input((784,)), layers.Dense(10)),
        "one number for each class. Received: .1,. from layer": sequential(
            layers.Input((4, 4, 1)), layers.Flatten(), layers.Dense(1, activation="sigmoid")
        ),
        "one number for each class. Received: .4, 4, 2.": sequential(layers.Input((4, 4, 1)), layers.Conv2D(2, 1)),
        "cannot be copied; give NoConfig a get_config": sequential(
            layers.Input((4, 4, 1)), NoConfig(2.0), layers.Flatten(), layers.Dense(2)
        ),
    }
    for message, network in cases.items():
        with pytest.raises(BackendError, match=message):
            keras.open(network)
    with pytest.raises(BackendError, match=r"tells 2 classes apart\. Received: 3 class names"):
        keras.open(sequential(layers.Input((4, 4, 1)), layers.Flatten(), layers.Dense(2)), classes=["a", "b", "c"])
