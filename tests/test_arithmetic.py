"""How single numbers come about: the arithmetic of a layer, the answers of kernels, and what a position sees."""

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from layerscope.backends import Backend
from layerscope.backends.base import Edit
from layerscope.models.architecture import (
    Activation,
    Add,
    Architecture,
    AveragePool2D,
    BatchNorm,
    Concatenate,
    Conv2D,
    Dense,
    Flatten,
    Input,
)
from layerscope.visualizers import Pass, Subject, build_settings, registered
from layerscope.visualizers.arithmetic import Explained, explained
from layerscope.visualizers.cells import cell_text, readable_dark
from layerscope.visualizers.colours import Scale
from layerscope.visualizers.filter_response import response_of
from layerscope.visualizers.receptive_field import field_of
from layerscope.visualizers.windows import position_of
from layerscope.visualizers.workings import Applied, Convolved, Gathered, Normalised, Pooled, Weighed

NETWORKS = ("even-kernels-same", "odd-valid", "same-pools", "branches", "dense")

LINEAR = Architecture(
    name="linear",
    title="Nothing but sums, so that every pixel that is read counts",
    classes=("a", "b"),
    layers=(
        Input(name="image", shape=(11, 9, 2)),
        Conv2D(name="even", filters=3, window=(4, 2), padding="same"),
        Conv2D(name="strided", filters=3, window=(2, 3), strides=(2, 2), padding="valid"),
        BatchNorm(name="norm"),
        Conv2D(name="left", filters=2, window=(3, 3), padding="same"),
        Conv2D(name="right", inputs=("norm",), filters=2, window=(1, 1)),
        Add(name="sum", inputs=("left", "right")),
        Concatenate(name="both", inputs=("sum", "norm")),
        AveragePool2D(name="pool", window=(2, 3), strides=(2, 2), padding="same"),
        Conv2D(name="sparse", inputs=("image",), filters=2, window=(2, 1), strides=(3, 2)),
        Conv2D(name="above", inputs=("sparse",), filters=2, window=(2, 2), padding="same"),
        Flatten(name="flatten", inputs=("pool",)),
        Dense(name="logits", units=2),
        Activation(name="softmax", function="softmax"),
    ),
)


def filled(backend: Backend, architecture: Architecture, weights: Mapping[str, Any]) -> Subject:
    """The architecture with these weights, looking at a random image."""
    model = backend.build(architecture, weights)
    image = np.random.default_rng(2).random(model.input_shape, dtype=np.float32)
    return Subject(model, Pass(model, image))


@pytest.fixture
def linear(backend: Backend, reference: ModuleType) -> Subject:
    """The linear network with random weights."""
    return filled(backend, LINEAR, reference.random_weights(LINEAR))


@pytest.fixture(params=NETWORKS)
def subject(request: pytest.FixtureRequest, backend: Backend, reference: ModuleType) -> Subject:
    """Each reference network in turn, nothing selected."""
    architecture = reference.NETWORKS[request.param]
    return filled(backend, architecture, reference.random_weights(architecture))


def places(subject: Subject) -> Iterator[Subject]:
    """First, last and a unit between of every layer; corners, edges and middle of those with height and width."""
    for layer in subject.model.layers:
        for unit in sorted({0, layer.units // 2, layer.units - 1}):
            if not layer.is_spatial:
                yield subject.at(layer.name, unit)
                continue
            rows, columns = ({0, size // 2, size - 1} for size in layer.output_shape[:2])
            yield from (subject.at(layer.name, unit, (row, column)) for row in rows for column in columns)


def opened(backend: Backend, network: Any) -> Subject:
    """A user's own network, looking at a random image."""
    model = backend.open(network)
    image = np.random.default_rng(3).random(model.input_shape, dtype=np.float32)
    return Subject(model, Pass(model, image))


def refused(subject: Subject, explain: Callable[[Subject], object]) -> dict[str, str]:
    """Layer → why its values are not explained."""
    reasons = {}
    for place in places(subject):
        try:
            explain(place)
        except LookupError as error:
            reasons[place.chosen.name] = str(error)
    return reasons


def agrees(place: Subject) -> None:
    """Explains the value and compares it with the activation."""
    found = explained(place)
    assert found.value == pytest.approx(found.activation, rel=1e-5, abs=2e-6)


def draw(name: str, subject: Subject, **settings: Any) -> dict[str, Any]:
    """The figure as it leaves for the browser."""
    entry = registered()[name]
    assert entry.unmet(subject) is None
    drawn: dict[str, Any] = entry.draw(subject, build_settings(entry.settings, settings)).to_dict()
    return drawn


def decoded(spec: Mapping[str, str]) -> np.ndarray:
    """The array in a base64 typed array."""
    flat = np.frombuffer(base64.b64decode(spec["bdata"]), dtype=spec["dtype"])
    return flat.reshape([int(size) for size in spec["shape"].split(",")]) if "shape" in spec else flat


def convolved(found: Explained) -> Convolved:
    """The arithmetic of a convolution."""
    assert isinstance(found.work, Convolved)
    return found.work


def test_the_networks_are_all_there_are(reference: ModuleType) -> None:
    assert set(NETWORKS) == set(reference.NETWORKS)


def test_the_arithmetic_gives_the_activation(subject: Subject) -> None:
    seen = 0
    for place in places(subject):
        found = explained(place)
        layer = place.activation
        assert found.activation == (layer if found.position is None else layer[found.position])[found.unit]
        assert found.value == pytest.approx(found.activation, rel=1e-5, abs=2e-6), place.chosen.name
        seen += 1
    assert seen > 20


def test_the_arithmetic_is_that_of_the_kind(subject: Subject) -> None:
    kinds = {
        "conv2d": Convolved,
        "dense": Weighed,
        "maxpool2d": Pooled,
        "averagepool2d": Pooled,
        "globalaveragepool2d": Pooled,
        "batchnorm": Normalised,
        "activation": Applied,
    }
    for place in places(subject):
        assert type(explained(place).work) is kinds.get(place.chosen.kind, Gathered)


@pytest.mark.parametrize("scale", [0.0, -0.5])
def test_an_edit_is_one_more_factor(subject: Subject, scale: float) -> None:
    for layer in subject.model.layers:
        edits = (Edit(layer.name, layer.units - 1, scale),)
        edited = replace(subject, forward=Pass(subject.model, subject.image, edits)).at(layer.name, layer.units - 1)
        found = explained(edited)
        plain = explained(subject.at(layer.name, layer.units - 1, found.position))
        assert found.factor == scale
        assert found.value == pytest.approx(found.activation, rel=1e-5, abs=2e-6)
        assert found.work.total == pytest.approx(plain.activation, rel=1e-5, abs=2e-6)
        other = explained(edited.at(layer.name, 0)) if layer.units > 1 else plain
        assert other.factor == 1


def test_without_a_position_the_largest_value_of_the_unit_is_meant(subject: Subject) -> None:
    for layer in subject.model.layers:
        place = subject.at(layer.name, layer.units - 1)
        if layer.is_spatial:
            assert explained(place).activation == place.activation[..., -1].max()
            position = position_of(subject.at(layer.name))
            assert position is not None
            assert place.activation[position].max() == place.activation.max()
            assert "its largest value" in str(draw("layer_arithmetic", place)["layout"])
            chosen = subject.at(layer.name, 0, (0, 0))
            assert "its largest value" not in str(draw("layer_arithmetic", chosen)["layout"])
        else:
            assert position_of(place) is None


def test_the_odd_row_of_padding_is_at_the_bottom_right(backend: Backend, reference: ModuleType) -> None:
    architecture = reference.NETWORKS["even-kernels-same"]
    subject = filled(backend, architecture, reference.random_weights(architecture))
    first = convolved(explained(subject.at("conv", 1, (0, 0))))
    np.testing.assert_array_equal(first.inside, [[False] * 2, [True] * 2, [True] * 2, [True] * 2])
    np.testing.assert_array_equal(first.patch[1:, :, 0], subject.image[:3, :2, 0])
    last = convolved(explained(subject.at("conv", 1, (6, 8))))
    np.testing.assert_array_equal(last.inside, [[True, False]] * 2 + [[False, False]] * 2)
    np.testing.assert_array_equal(last.patch[:2, 0, 0], subject.image[5:, 8, 0])
    assert not last.patch[~last.inside].any()


def test_strides_move_the_patch(backend: Backend, reference: ModuleType) -> None:
    architecture = reference.NETWORKS["odd-valid"]
    subject = filled(backend, architecture, reference.random_weights(architecture))
    work = convolved(explained(subject.at("conv", 2, (3, 4))))
    np.testing.assert_array_equal(work.patch, subject.image[6:9, 4:7])
    np.testing.assert_array_equal(work.kernel, subject.model.weights("conv")["kernel"][..., 2])
    np.testing.assert_allclose(work.sums, (work.patch * work.kernel).sum(axis=(0, 1)), rtol=1e-5)


def test_padding_never_wins_and_does_not_count(backend: Backend, reference: ModuleType) -> None:
    architecture = reference.NETWORKS["same-pools"]
    subject = filled(backend, architecture, reference.random_weights(architecture))
    dark = replace(subject, forward=Pass(subject.model, -1 - subject.image))
    rows, columns, _ = subject.model.layer("max").output_shape
    for position in ((0, 0), (0, columns - 1), (rows - 1, columns - 1)):
        work = explained(dark.at("max", 1, position)).work
        assert isinstance(work, Pooled)
        assert work.winner is not None
        assert work.inside[work.winner]
        assert work.window[work.winner] == work.total < 0
    assert explained(dark.at("max", 1, (rows - 1, columns - 1))).value < 0
    corner = explained(subject.at("average_wide", 0, (0, 0))).work
    assert isinstance(corner, Pooled)
    assert not corner.inside.all()
    assert corner.winner is None
    np.testing.assert_array_equal(corner.counted, corner.inside)


def test_numbers_are_followed_to_where_they_come_from(backend: Backend, reference: ModuleType) -> None:
    architecture = reference.NETWORKS["branches"]
    subject = filled(backend, architecture, reference.random_weights(architecture))
    for layer, unit, position, terms in (
        ("add", 3, (1, 2), [("left", 3, (1, 2)), ("right", 3, (1, 2))]),
        ("join", 5, (1, 2), [("left", 1, (1, 2))]),
        ("join", 9, (1, 2), [("image", 1, (1, 2))]),
        ("join_flat", 6, None, [("mean", 1, None)]),
        ("flatten", 47, None, [("pool", 7, (1, 1))]),
    ):
        work = explained(subject.at(layer, unit, position)).work
        assert isinstance(work, Gathered)
        assert [(term.layer, term.unit, term.position) for term in work.terms] == terms


def test_what_is_not_there_is_said(linear: Subject) -> None:
    with pytest.raises(LookupError, match=r"'even' has rows 0 to 10 and columns 0 to 8\. Received: position=\(11, 0\)"):
        explained(linear.at("even", 0, (11, 0)))
    with pytest.raises(LookupError, match=r"'even' has units 0 to 2\. Received: unit=3"):
        explained(linear.at("even", 3))


def test_a_users_own_pytorch_layers_are_explained_or_refused(pytorch: Backend) -> None:
    from torch import manual_seed, nn

    manual_seed(1)
    network = nn.Sequential(
        nn.Conv2d(1, 4, (3, 2), padding=(2, 1), stride=(1, 2), bias=False),
        nn.Conv2d(4, 4, 2, groups=2, dilation=2, padding="same"),
        nn.SiLU(),
        nn.AvgPool2d(3, padding=1),
        nn.GELU(),
        nn.LeakyReLU(),
        nn.Conv2d(4, 2, 3, padding=1, padding_mode="reflect"),
        nn.BatchNorm2d(2, affine=False),
        nn.Flatten(),
        nn.Linear(16, 3),
    ).eval()
    for parameter in network.parameters():
        parameter.data *= 3
    network.input_shape = (9, 8, 1)
    subject = opened(pytorch, network)
    grouped, leaky, reflecting = (subject.model.layers[number].name for number in (2, 6, 7))
    reasons = refused(subject, agrees)
    assert set(reasons) == {leaky, reflecting}
    assert reasons[leaky] == f"The arithmetic of {leaky} (LeakyReLU) is not known."
    assert reasons[reflecting].startswith(f"{reflecting} does more than a plain conv2d, so its arithmetic cannot be ")
    assert convolved(explained(subject.at(grouped, 3))).channels.tolist() == [2, 3]
    pooled = explained(subject.at(subject.model.layers[4].name, 0, (0, 0))).work
    assert isinstance(pooled, Pooled)
    assert (pooled.inside.sum(), pooled.counted.sum()) == (4, 9)
    unmet = registered()["layer_arithmetic"].unmet(subject.at(leaky, 0))
    assert unmet is not None
    assert unmet.startswith("This view needs a layer of a kind whose arithmetic is known; choose ")


def test_a_users_own_keras_layers_are_explained_or_refused(keras: Backend) -> None:
    from keras import Sequential, layers, utils

    utils.set_random_seed(0)
    network = Sequential(
        [
            layers.Input((9, 8, 1)),
            layers.Conv2D(4, (2, 3), dilation_rate=2, padding="same", use_bias=False),
            layers.Conv2D(3, 2, strides=3, padding="same", activation="gelu"),
            layers.Dense(5),
            layers.BatchNormalization(center=False, scale=False),
            layers.LeakyReLU(),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    subject = opened(keras, network)
    kinds = {layer.name: layer.kind for layer in subject.model.layers}
    reasons = refused(subject, agrees)
    assert [kinds[name] for name in reasons] == ["LeakyReLU"]
    assert "is not known" in next(iter(reasons.values()))


def test_a_field_behind_a_layer_that_is_not_known_is_refused(pytorch: Backend) -> None:
    from torch import nn

    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Upsample(scale_factor=2), nn.Flatten(), nn.Linear(288, 3)).eval()
    network.input_shape = (8, 8, 1)
    subject = opened(pytorch, network)
    _, convolution, upsampled, *after = [layer.name for layer in subject.model.layers]
    reasons = refused(subject, lambda place: field_of(place.model, place.chosen, place.position))
    assert set(reasons) == {upsampled, *after}
    assert set(reasons.values()) == {
        f"What one position of {upsampled} (Upsample) reads of {convolution} is not known, so neither is what it sees "
        "of the image."
    }


@pytest.mark.parametrize("scale", [Scale(0, 3), Scale(-2, 2)])
def test_numbers_are_readable_on_every_colour(scale: Scale) -> None:
    values = np.linspace(scale.low, scale.high, len(scale.colours), dtype=np.float32)
    inks = readable_dark(values, scale)
    assert set(inks) == {False, True}
    for colour, dark in zip(scale.colours, inks, strict=True):
        channels = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        luminance = float(linear @ (0.2126, 0.7152, 0.0722))
        assert ((luminance + 0.05) / 0.05 if dark else 1.05 / (luminance + 0.05)) >= 4.5


@pytest.mark.parametrize(
    ("value", "wide", "narrow"),
    [(0, "0", "0"), (0.254, "0.25", ".25"), (-0.254, "−0.25", "−.25"), (-1.46, "−1.46", "−1.5"), (0.001, "0.00", ".00"),
     (-0.001, "0.00", ".00"), (31.27, "31.3", "31.3"), (-456.7, "−457", "−457"), (52_000, "5e4", "5e4")],
)  # fmt: skip
def test_cells_take_short_numbers(value: float, wide: str, narrow: str) -> None:
    assert (cell_text(value), cell_text(value, narrow=True)) == (wide, narrow)


def test_patch_kernel_and_product_stand_side_by_side(linear: Subject) -> None:
    place = linear.at("left", 1, (0, 1))
    work = convolved(explained(place))
    drawn = draw("layer_arithmetic", place, channels=3)
    patch, kernel, product = (decoded(trace["z"]) for trace in drawn["data"][:3])
    for channel in range(3):
        rows = slice(4 * channel, 4 * channel + 3)
        np.testing.assert_array_equal(np.isnan(patch[rows]), ~work.inside)
        np.testing.assert_array_equal(np.nan_to_num(patch[rows]), work.patch[..., channel])
        np.testing.assert_array_equal(kernel[rows], work.kernel[..., channel])
        np.testing.assert_allclose(np.nan_to_num(product[rows]), work.products[..., channel], rtol=1e-6)
    written = [text for trace in drawn["data"][3:] for text in trace["text"]]
    assert len(written) == 3 * 3 * 9
    assert cell_text(float(work.kernel[1, 2, 0]), narrow=True) in written


def test_the_strongest_channels_are_shown_and_the_others_summed(linear: Subject) -> None:
    place = linear.at("left", 0, (2, 1))
    work = convolved(explained(place))
    drawn = draw("layer_arithmetic", place, channels=1)
    strongest = int(np.abs(work.sums).argmax())
    np.testing.assert_array_equal(decoded(drawn["data"][1]["z"]), work.kernel[..., strongest])
    assert any(f"channel {strongest}" in note["text"] for note in drawn["layout"]["annotations"])
    assert "from 2 more channels" in drawn["layout"]["xaxis"]["title"]["text"]


def test_an_edit_is_said_below_the_numbers(linear: Subject) -> None:
    for layer in ("left", "pool", "norm", "logits", "flatten"):
        edited = replace(linear, forward=Pass(linear.model, linear.image, (Edit(layer, 1, 0.5),)))
        words = [str(draw("layer_arithmetic", subject.at(layer, 1))) for subject in (linear, edited)]
        assert ["× 0.5 (edited)" in text for text in words] == [False, True]


def test_bars_of_a_dense_unit_add_up(linear: Subject) -> None:
    for inputs in (1, 5, 24):
        place = linear.at("logits", 1)
        bars = draw("layer_arithmetic", place, inputs=inputs)["data"][0]
        values = decoded(bars["x"])
        assert values[:-1].sum() == pytest.approx(values[-1], rel=1e-5, abs=1e-6)
        assert values[-1] == pytest.approx(place.activation[1], rel=1e-5)
        for value, custom in zip(values[:inputs], bars["customdata"], strict=False):
            layer, unit = custom
            weight = linear.model.weights("logits")["kernel"][unit, 1]
            assert value == pytest.approx(linear.activations[layer][unit] * weight, rel=1e-5)


def test_the_winner_of_a_pooling_is_ringed(backend: Backend, reference: ModuleType) -> None:
    architecture = reference.NETWORKS["branches"]
    subject = filled(backend, architecture, reference.random_weights(architecture)).at("pool", 2, (1, 2))
    drawn = draw("layer_arithmetic", subject)
    ring = drawn["layout"]["shapes"][0]
    window = decoded(drawn["data"][0]["z"])
    assert window[int(ring["y0"] + 0.5), int(ring["x0"] + 0.5)] == subject.activation[1, 2, 2] == window.max()


def test_response_and_bias_give_the_activation(subject: Subject) -> None:
    for layer in subject.model.layers:
        if layer.kind != "conv2d":
            continue
        place = subject.at(layer.name)
        bias = subject.model.weights(layer.name)["bias"]
        np.testing.assert_allclose(response_of(place) + bias, place.activation, rtol=1e-5, atol=1e-6)
        work = convolved(explained(subject.at(layer.name, 1, (0, 0))))
        assert response_of(place)[0, 0, 1] == pytest.approx(work.total - work.bias, rel=1e-5, abs=2e-6)


def test_a_muted_kernel_still_answers_but_to_edited_inputs(linear: Subject) -> None:
    def edited(*edits: Edit) -> Subject:
        return replace(linear, forward=Pass(linear.model, linear.image, edits)).at("strided")

    plain = response_of(linear.at("strided"))
    np.testing.assert_allclose(response_of(edited(Edit("strided", 1))), plain, rtol=1e-5, atol=1e-6)
    upstream = edited(Edit("even", 0), Edit("strided", 1, 0.5))
    assert not np.allclose(response_of(upstream), plain, atol=1e-2)
    np.testing.assert_allclose(
        0.5 * (response_of(upstream)[..., 1] + linear.model.weights("strided")["bias"][1]),
        upstream.activation[..., 1],
        rtol=1e-5,
        atol=1e-6,
    )


def test_the_receptive_field_is_what_can_change_the_value(linear: Subject) -> None:
    model = linear.model
    height, width, _ = model.input_shape
    changed = np.repeat(linear.image[None], height * width, axis=0)
    for pixel, image in enumerate(changed):
        image[divmod(pixel, width)] += 100
    answers = model.trace(changed)
    for layer in model.layers[:-1]:
        moved = np.abs(answers[layer.name] - linear.activations[layer.name]).max(axis=-1) > 1e-3
        for position in np.ndindex(layer.output_shape[:2]) if layer.is_spatial else [None]:
            by_force = (moved if position is None else moved[:, *position]).reshape(height, width)
            np.testing.assert_array_equal(field_of(model, layer, position).seen, by_force, f"{layer.name} {position}")


def test_the_field_is_framed_and_its_size_is_said(linear: Subject) -> None:
    for layer, position, box, words in (
        ("even", (5, 4), (4, 7, 4, 5), "sees 4×2 pixels · row 5, column 4"),
        ("even", (0, 8), (0, 2, 8, 8), "sees 3×1 of 4×2 pixels · row 0, column 8"),
        ("sparse", (2, 1), (6, 7, 2, 2), "sees 2×1 pixels · row 2, column 1"),
        ("above", (0, 0), (0, 4, 0, 2), "sees 5×3 pixels, only 8 of them · row 0, column 0"),
        ("logits", None, (0, 10, 0, 8), "sees 11×9 of 19×16 pixels"),
    ):
        drawn = draw("receptive_field", linear.at(layer, None, position))
        tiles, (first, _, second, _) = drawn["layout"]["meta"]["tiles"], drawn["layout"]["shapes"]
        assert (first["y0"] + 0.5, first["y1"] - 0.5, first["x0"] + 0.5, first["x1"] - 0.5) == box
        assert (second["y0"] - first["y0"]) % (tiles["height"] + tiles["gap"]) == 0
        assert (second["x0"], second["y0"]) != (first["x0"], first["y0"])
        assert words in drawn["layout"]["meta"]["legend"]["words"]
