"""What units look for: images made for them, images found for them, and units that look for nothing."""

import base64
import json
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from layerscope.backends import Backend, Model
from layerscope.backends.base import Edit, Target
from layerscope.datasets.base import Dataset
from layerscope.models.architecture import (
    Activation,
    Architecture,
    AveragePool2D,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePool2D,
    Input,
    Layer,
    MaxPool2D,
)
from layerscope.models.bundled import BUNDLED, weights_path
from layerscope.models.weights import load_weights
from layerscope.visualizers import Frame, Selected, Subject, build_settings, registered, selection_of
from layerscope.visualizers.dead_units import Tally, dead, saturated
from layerscope.visualizers.feature_visualisation import steps_per_frame
from layerscope.visualizers.maximisation import Climb, blurred, entrance, maximised, starting_image
from layerscope.visualizers.portions import BYTES, portion_size, portions, spread
from layerscope.visualizers.receptive import middle_pixel
from scipy import ndimage

CLASSES = ("ant", "bee", "cat")


SPATIAL = (
    Input(name="image", shape=(8, 8, 1)),
    Conv2D(name="conv", filters=3, window=(3, 3), padding="same"),
    Activation(name="relu", function="relu"),
    MaxPool2D(name="pool", window=(2, 2)),
    Flatten(name="flatten"),
)


def network(*layers: Layer, end: int | None = 3) -> Architecture:
    """A network of these layers, with logits of its own unless it ends by itself."""
    last = (Dense(name="logits", units=end), Activation(name="softmax", function="softmax")) if end else ()
    return Architecture(name="small", title="Small", layers=(*layers, *last), classes=CLASSES)


def built(backend: Backend, architecture: Architecture, **given: Mapping[str, Any]) -> Model:
    """The network with random weights, and with these instead where they are given."""
    random = np.random.default_rng(4)
    weights: dict[str, dict[str, Any]] = {
        info.name: {name: random.normal(size=shape).astype(np.float32) for name, shape in info.weight_shapes.items()}
        for info in architecture.infos
        if info.weight_shapes
    }
    for layer, named in given.items():
        weights[layer] = {name: np.asarray(array, np.float32) for name, array in named.items()}
    return backend.build(architecture, weights)


def labelled(images: np.ndarray) -> Dataset:
    """A data set of these images, classes in turn."""
    return Dataset(
        name="made",
        title="Made",
        images=images.astype(np.uint8),
        labels=np.arange(len(images)) % len(CLASSES),
        classes=CLASSES,
        source="Made for a test.",
        checksum="made",
    )


def frames(name: str, subject: Subject, **settings: Any) -> Iterator[Frame]:
    """What a visualizer gives, one after the other."""
    entry = registered()[name]
    assert entry.unmet(subject) is None
    yield from entry.draw(subject, build_settings(entry.settings, settings))


def last(name: str, subject: Subject, **settings: Any) -> dict[str, Any]:
    """The last figure."""
    found = [frame.figure for frame in frames(name, subject, **settings) if frame.figure is not None]
    drawn: dict[str, Any] = found[-1].to_dict()
    return drawn


def decoded(spec: Mapping[str, str]) -> np.ndarray:
    """The array in a base64 typed array."""
    flat = np.frombuffer(base64.b64decode(spec["bdata"]), dtype=spec["dtype"])
    return flat.reshape([int(size) for size in spec["shape"].split(",")]) if "shape" in spec else flat


def reached(model: Model, target: Target, images: np.ndarray, edits: tuple[Edit, ...] = ()) -> np.ndarray:
    """The target's activation for each image."""
    values = model.trace(images, [target.layer], edits)[target.layer][..., target.unit]
    return values.reshape(len(images), -1).mean(axis=1)


def climbed(model: Model, target: Target, seed: int = 0, **climb: Any) -> np.ndarray:
    """The image at the end."""
    *_, image = maximised(model, target, starting_image(model, False, seed), Climb(**climb), seed)
    return image


@pytest.fixture
def linear(backend: Backend) -> Model:
    """Logits that are weighted sums of pixels."""
    return built(backend, network(Input(name="image", shape=(5, 4, 2)), Flatten(name="flatten")))


@pytest.fixture
def compact(backend: Backend) -> Model:
    """A bundled network with the weights it comes with."""
    architecture = BUNDLED["cnn-compact"]
    return backend.build(architecture, load_weights(weights_path("cnn-compact"), architecture))


def test_the_best_image_of_a_weighted_sum_is_white_where_the_weight_is_positive(linear: Model) -> None:
    for unit in range(3):
        best = (linear.weights("logits")["kernel"][:, unit].reshape(5, 4, 2) > 0).astype(np.float32)
        np.testing.assert_array_equal(climbed(linear, Target("logits", unit), steps=30), best)


@pytest.mark.slow
def test_climbing_raises_every_unit_above_the_best_of_many_random_images(
    backend: Backend, reference: ModuleType
) -> None:
    for name in ("even-kernels-same", "odd-valid", "branches", "dense"):
        model = backend.build(reference.NETWORKS[name], reference.random_weights(reference.NETWORKS[name]))
        random = np.random.default_rng(0).random((200, *model.input_shape), dtype=np.float32)
        start = starting_image(model, False, 0)[None]
        for layer in model.layers[1:-1]:
            target = Target(layer.name, layer.units - 1)
            found = float(reached(model, target, climbed(model, target, steps=60)[None])[0])
            assert found >= float(reached(model, target, random).max()), (name, layer.name)
            assert found >= float(reached(model, target, start)[0]), (name, layer.name)


@pytest.mark.parametrize(("layer", "unit"), [("conv1_relu", 4), ("conv2", 3), ("dense1_relu", 7), ("logits", 3)])
def test_the_view_excites_units_of_a_trained_network_more_than_noise_does(
    compact: Model, layer: str, unit: int
) -> None:
    subject = Subject(compact).at(layer, unit)
    drawn = last("feature_visualisation", subject)
    image = decoded(drawn["data"][0]["z"])
    assert image.shape == (28, 28)
    assert 0 <= image.min() <= image.max() <= 1
    found = float(reached(compact, Target(layer, unit), image[None, ..., None])[0])
    random = np.random.default_rng(0).random((200, 28, 28, 1), dtype=np.float32)
    assert found > float(reached(compact, Target(layer, unit), random).max())
    assert f"activation {found:.3g}" in drawn["layout"]["meta"]["legend"]["words"]


def test_the_image_for_a_class_is_taken_for_that_class(compact: Model) -> None:
    image = decoded(last("feature_visualisation", Subject(compact).at("logits", 3))["data"][0]["z"])
    assert compact.probabilities(image[None, ..., None])[0, 3] > 0.99


def test_there_is_a_picture_at_once_and_then_one_every_ten_steps(linear: Model) -> None:
    found = list(frames("feature_visualisation", Subject(linear).at("logits", 1), steps=45))
    assert [frame.share for frame in found] == pytest.approx([0, 10 / 45, 20 / 45, 30 / 45, 40 / 45, 1])
    heights = {frame.figure.layout.height for frame in found if frame.figure}
    assert len(heights) == 1
    assert json.loads(found[0].figure.to_json())["layout"]["uirevision"] == "logits 1"


def test_large_networks_show_every_step(backend: Backend) -> None:
    large = network(
        Input(name="image", shape=(224, 224, 3)),
        Conv2D(name="conv", filters=100, window=(3, 3)),
        GlobalAveragePool2D(name="mean"),
    )
    assert steps_per_frame(built(backend, large)) == 1


def test_each_channel_of_the_image_is_a_tile(linear: Model) -> None:
    drawn = last("feature_visualisation", Subject(linear).at("logits", 0), steps=30, blur_every=0, l2_weight=0)
    pixels = decoded(drawn["data"][0]["z"])
    tiles = [pixels[:, :4], pixels[:, -4:]] if pixels.shape[0] == 5 else [pixels[:5], pixels[-5:]]
    *_, image = maximised(
        linear, Target("logits", 0), starting_image(linear, False, 0), Climb(steps=30, total_variation=0.2, jitter=1)
    )
    np.testing.assert_array_equal(np.stack(tiles, axis=-1), image)


def test_the_same_seed_gives_the_same_image_and_another_one_another(compact: Model) -> None:
    subject = Subject(compact).at("conv2_relu", 3)
    for start in ("grey", "noise"):
        first, again, other = (
            last("feature_visualisation", subject, steps=40, start=start, seed=seed) for seed in (1, 1, 2)
        )
        assert first == again
        assert not np.array_equal(decoded(first["data"][0]["z"]), decoded(other["data"][0]["z"]))


def test_stopping_between_two_pictures_leaves_the_network_as_it_was(compact: Model) -> None:
    image = np.random.default_rng(0).random((1, 28, 28, 1), dtype=np.float32)
    version = compact.version
    before = {name: values.copy() for name, values in compact.trace(image).items()}
    running = frames("feature_visualisation", Subject(compact).at("conv2_relu", 3))
    assert [next(running).share for _ in range(3)] == pytest.approx([0, 0.05, 0.1])
    running.close()
    compact._changed()  # forgets the version, so that it is computed anew
    assert compact.version == version
    for name, values in compact.trace(image).items():
        np.testing.assert_array_equal(values, before[name])


def test_a_relu_that_is_silent_at_the_start_is_woken_up(backend: Backend) -> None:
    layers = (
        Input(name="image", shape=(4, 4, 1)),
        Conv2D(name="conv", filters=2, window=(2, 2)),
        Activation(name="relu", function="relu"),
        MaxPool2D(name="pool", window=(2, 2)),
        Flatten(name="flatten"),
    )
    kernel = np.zeros((2, 2, 1, 2))
    kernel[..., 1] = 1
    model = built(backend, network(*layers), conv={"kernel": kernel, "bias": [0, -3]})
    assert [entrance(model, name) for name in ("relu", "pool", "conv", "flatten")] == [
        "conv",
        "conv",
        "conv",
        "flatten",
    ]
    for layer in ("relu", "pool"):
        target = Target(layer, 1)
        assert reached(model, target, starting_image(model, False, 0)[None]) == 0
        assert reached(model, target, climbed(model, target, steps=30)[None]) == 1


def test_a_unit_is_climbed_with_all_changes_to_the_network(linear: Model) -> None:
    turned = (Edit("logits", 0, -1.0),)
    *_, image = maximised(linear, Target("logits", 0), starting_image(linear, False, 0), Climb(steps=30), edits=turned)
    np.testing.assert_array_equal(image, linear.weights("logits")["kernel"][:, 0].reshape(5, 4, 2) < 0)


def test_an_image_that_nothing_moves_stays_grey(backend: Backend) -> None:
    model = built(backend, network(*SPATIAL), conv={"kernel": np.zeros((3, 3, 1, 3)), "bias": [-1, 0, 1]})
    np.testing.assert_array_equal(climbed(model, Target("relu", 0), steps=20), 0.5)


def test_each_penalty_lowers_what_it_is_for(compact: Model) -> None:
    target = Target("conv2_relu", 3)
    bare, smooth, dark = (
        climbed(compact, target, steps=60, **weight) for weight in ({}, {"total_variation": 1.0}, {"l2": 1.0})
    )
    assert roughness(smooth) < 0.5 * roughness(bare)
    assert float((dark**2).sum()) < 0.8 * float((bare**2).sum())
    assert roughness(climbed(compact, target, steps=61, blur_every=2)) < 0.8 * roughness(bare)


def roughness(image: np.ndarray) -> float:
    """The sum of squared differences between neighbours."""
    return float((np.diff(image, axis=0) ** 2).sum() + (np.diff(image, axis=1) ** 2).sum())


def test_the_blur_is_a_binomial_window() -> None:
    image = np.random.default_rng(0).random((7, 9, 2), dtype=np.float32)
    window = np.outer([1, 2, 1], [1, 2, 1])[..., None] / 16
    np.testing.assert_allclose(blurred(image), ndimage.convolve(image, window, mode="nearest"), rtol=1e-5)


@pytest.fixture
def many() -> Dataset:
    """More images than fit into one portion."""
    return labelled(np.random.default_rng(3).integers(0, 256, (600, 8, 8, 1)))


@pytest.mark.parametrize("by", ["largest", "mean"])
@pytest.mark.parametrize(("layer", "unit"), [("conv", 2), ("pool", 0), ("logits", 1)])
def test_the_top_images_are_those_of_a_plain_loop(
    backend: Backend, many: Dataset, by: str, layer: str, unit: int
) -> None:
    model = built(backend, network(*SPATIAL))
    values = []
    for image in many.images:
        activation = model.trace(image[None] / np.float32(255), [layer])[layer][0][..., unit]
        values.append(float(activation.max() if by == "largest" else activation.mean()))
    order = np.argsort(-np.array(values), kind="stable")[:5]
    drawn = last("top_images", Subject(model, dataset=many).at(layer, unit), images=5, by=by)
    told = [text.split("<br>") for text in drawn["data"][1]["hovertext"]]
    assert [lines[0] for lines in told] == [f"image {index}" for index in order]
    assert [lines[1] for lines in told] == [f"class {CLASSES[index % 3]}" for index in order]
    found = [float(lines[2].removeprefix("value ").replace("−", "-")) for lines in told]
    assert found == pytest.approx(np.array(values)[order], rel=5e-3)
    sheet = decoded(drawn["data"][0]["z"])
    lefts, tops = decoded(drawn["data"][1]["x"]) - 3.5, decoded(drawn["data"][1]["y"])
    for left, top, index in zip(lefts.astype(int), (tops - tops.min()).astype(int), order, strict=True):
        np.testing.assert_allclose(sheet[top : top + 8, left : left + 8], many.images[index, ..., 0] / 255, rtol=1e-6)
    assert "all 600 images" in drawn["layout"]["meta"]["legend"]["words"]


def test_of_equal_images_the_first_ones_are_shown(backend: Backend) -> None:
    model = built(backend, network(*SPATIAL))
    same = labelled(np.full((300, 8, 8, 1), 99))
    drawn = last("top_images", Subject(model, dataset=same).at("conv", 0), images=4)
    assert [text.split("<br>")[0] for text in drawn["data"][1]["hovertext"]] == [f"image {index}" for index in range(4)]


def test_the_ranking_grows_while_it_is_looked_at(backend: Backend, many: Dataset) -> None:
    model = built(backend, network(*SPATIAL))
    found, size = list(frames("top_images", Subject(model, dataset=many).at("conv", 2))), portion_size(model)
    assert len(found) > 1
    assert [frame.share for frame in found] == pytest.approx([*(np.arange(1, len(found)) * size / 600), 1])
    assert found[0].figure is not None
    assert f"{size} of 600 images" in found[0].figure.layout.meta["legend"]["words"]


@pytest.mark.parametrize("layer", ["valid", "strided"])
def test_the_mark_stands_on_the_pixel_that_excites(backend: Backend, layer: str) -> None:
    spots = [(1, 1), (3, 7), (9, 5), (11, 11)]
    images = np.zeros((4, 13, 13, 1))
    for number, (row, column) in enumerate(spots):
        images[number, row, column] = 100 + number
    middle = np.zeros((3, 3, 1, 1))
    middle[1, 1] = 1
    window = {
        "valid": Conv2D(name="valid", filters=1, window=(3, 3)),
        "strided": Conv2D(name="strided", filters=1, window=(3, 3), strides=(2, 2)),
    }[layer]
    model = built(
        backend,
        network(Input(name="image", shape=(13, 13, 1)), window, Flatten(name="flatten")),
        **{layer: {"kernel": middle, "bias": [0]}},
    )
    drawn = last("top_images", Subject(model, dataset=labelled(images)).at(layer, 0), images=4)
    captions, marks = drawn["data"][1], drawn["data"][2]
    columns = decoded(marks["x"]) - (decoded(captions["x"]) - 6)
    first = decoded(captions["y"]).min()
    rows = decoded(marks["y"]) - (decoded(captions["y"]) - first)
    assert [tuple(spot) for spot in zip(rows, columns, strict=True)] == spots[::-1]


def test_the_mark_stands_in_the_middle_of_what_a_position_sees(backend: Backend) -> None:
    layers = (
        Input(name="image", shape=(32, 30, 1)),
        Conv2D(name="first", filters=2, window=(5, 4), strides=(2, 1), padding="same"),
        AveragePool2D(name="pool", window=(2, 2)),
        Conv2D(name="second", filters=2, window=(3, 3), padding="valid"),
        Activation(name="linear", function="linear"),
        Flatten(name="flatten"),
    )
    model = built(backend, network(*layers))
    image = np.zeros((1, *model.input_shape), np.float32)
    for layer, position in (("first", (4, 7)), ("pool", (3, 5)), ("second", (2, 6)), ("linear", (2, 6))):
        seen = np.nonzero(model.gradients(image, Target(layer, 0, position), ["image"])["image"][0, ..., 0])
        middle = tuple((float(axis.min()) + float(axis.max())) / 2 for axis in seen)
        assert middle_pixel(model, layer, position) == middle


def test_flat_layers_have_no_place_to_mark(backend: Backend, many: Dataset) -> None:
    subject = Subject(built(backend, network(*SPATIAL)), dataset=many).at("logits", 0)
    assert [trace["type"] for trace in last("top_images", subject)["data"]] == ["heatmap", "scatter"]


@pytest.fixture
def three_units(backend: Backend) -> Model:
    """In each hidden layer unit 0 is dead, unit 1 is always on or saturated, and unit 2 does its work."""
    layers = [Input(name="image", shape=(2, 2, 1)), Flatten(name="flatten")]
    given: dict[str, Any] = {}
    for function, biases in (("relu", (-9, 9, 0)), ("tanh", (0, 2.5, 0)), ("sigmoid", (0, -9, 0))):
        name = f"before_{function}"
        layers += [Dense(name=name, inputs=("flatten",), units=3), Activation(name=function, function=function)]
        kernel = np.array([[0, 1, 1], [0, 1, 1], [0, 1, -1], [0, 1, -1]])
        given[name] = {"kernel": kernel, "bias": biases}
    return built(backend, network(*layers), **given)


def test_dead_and_saturated_units_are_counted_layer_by_layer(three_units: Model) -> None:
    random = labelled(np.random.default_rng(1).integers(0, 256, (300, 2, 2, 1)))
    drawn = last("dead_units", Subject(three_units, dataset=random))
    layers = [layer.name for layer in three_units.layers]
    silent, stuck = (dict(zip(layers, decoded(trace["x"]), strict=True)) for trace in drawn["data"])
    third = pytest.approx(1 / 3)
    assert [silent[name] for name in ("relu", "tanh", "sigmoid", "before_relu", "image")] == [third] * 4 + [0]
    assert [stuck[name] for name in ("relu", "tanh", "sigmoid", "before_relu", "image")] == [third] * 3 + [0, 0]
    told = dict(zip(layers, drawn["data"][0]["hovertext"], strict=True))
    assert told["relu"] == ("<b>relu</b>  relu<br>1 of 3 never active (33.3 %)<br>1 of 3 always on (33.3 %)")
    assert "1 of 3 saturated" in told["tanh"]
    assert "over 300 images" in drawn["layout"]["xaxis"]["title"]["text"]
    for name, custom in zip(layers, drawn["data"][0]["customdata"], strict=True):
        assert selection_of({"customdata": custom}, drawn["layout"]["meta"]) == Selected(name)


def test_units_are_counted_over_all_portions_as_over_the_whole(backend: Backend, many: Dataset) -> None:
    model = built(backend, network(*SPATIAL), conv={"kernel": np.ones((3, 3, 1, 3)), "bias": [0, -4, -1000]})
    whole = model.trace(many.images / np.float32(255))
    drawn = last("dead_units", Subject(model, dataset=many))
    silent = dict(zip(whole, decoded(drawn["data"][0]["x"]), strict=True))
    stuck = dict(zip(whole, decoded(drawn["data"][1]["x"]), strict=True))
    assert silent["relu"] == pytest.approx((whole["relu"].max((0, 1, 2)) <= 0).mean())
    assert stuck["relu"] == pytest.approx((whole["relu"].min((0, 1, 2)) > 0).mean())
    assert silent["flatten"] == pytest.approx((np.ptp(whole["flatten"], axis=0) < 1e-6).mean())
    assert 0 < silent["relu"] < 1
    assert 0 < stuck["relu"] < 1


def test_a_unit_is_saturated_when_nearly_all_of_its_values_are(backend: Backend) -> None:
    squashed = network(
        Input(name="image", shape=(1, 1, 2)),
        Activation(name="tanh", function="tanh"),
        Flatten(name="flatten"),
    )
    layer = built(backend, squashed).layer("tanh")
    values = np.full((100, 1, 1, 2), 0.96, np.float32)
    values[:5, ..., 0], values[:6, ..., 1] = 0.94, -0.94
    tally = Tally.of(layer, values[:50]) + Tally.of(layer, values[50:])
    assert saturated(layer, tally).tolist() == [True, False]
    assert dead(layer, tally).tolist() == [False, False]


def test_a_sample_is_spread_over_the_whole_data_set(backend: Backend, many: Dataset) -> None:
    assert spread(10, 4).tolist() == [0, 2, 5, 7]
    assert spread(3, 2000).tolist() == [0, 1, 2]
    drawn = last("dead_units", Subject(built(backend, network(*SPATIAL)), dataset=many), images=100)
    assert "over 100 of 600 images" in drawn["layout"]["xaxis"]["title"]["text"]


def test_portions_stay_within_their_memory_and_cover_every_image_once(backend: Backend, many: Dataset) -> None:
    model = built(backend, network(*SPATIAL))
    found = list(portions(model, many, np.arange(600)))
    assert np.concatenate([portion.indices for portion in found]).tolist() == list(range(600))
    joined = np.concatenate([portion.images for portion in found])
    np.testing.assert_array_equal(joined, many.images / np.float32(255))
    assert (found[-1].seen, found[-1].share) == (600, 1.0)
    assert found[0].shown
    assert found[-1].shown
    large = built(
        backend,
        network(
            Input(name="image", shape=(512, 512, 1)),
            Conv2D(name="conv", filters=16, window=(1, 1)),
            GlobalAveragePool2D(name="mean"),
        ),
    )
    values = sum(int(np.prod(layer.output_shape)) for layer in large.layers)
    assert 1 <= portion_size(large) <= BYTES // (4 * values)
