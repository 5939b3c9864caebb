"""One suite over all visualizers, both backends and tiny models."""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from layerscope.backends import Model, backend
from layerscope.backends.base import Edit
from layerscope.datasets.base import Dataset
from layerscope.drawing.fit import fit_images
from layerscope.models.architecture import (
    Activation,
    Add,
    Architecture,
    AveragePool2D,
    BatchNorm,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool2D,
    Input,
    Layer,
    MaxPool2D,
)
from layerscope.models.bundled import BUNDLED
from layerscope.models.run import EpochMetrics, Run
from layerscope.visualizers import Need, Pass, Selected, Subject, Visualizer, build_settings, registered, selection_of
from layerscope.visualizers.connections import bridges_of, contributions, strength
from layerscope.visualizers.filters import source_shape
from layerscope.visualizers.lanes import lanes_of

CLASSES = ("ant", "bee", "cat")

TINY = {
    architecture.name: architecture
    for architecture in (
        Architecture(
            name="tiny-chain",
            title="Even kernels, both paddings, strides, odd sizes",
            classes=CLASSES,
            layers=(
                Input(name="input", shape=(11, 9, 2)),
                Conv2D(name="conv1", filters=5, window=(4, 2), padding="same"),
                Activation(name="conv1_relu", function="relu"),
                BatchNorm(name="norm"),
                MaxPool2D(name="pool1", window=(2, 2), padding="same"),
                Conv2D(name="conv2", filters=7, window=(3, 3), strides=(2, 1), padding="same"),
                Conv2D(name="conv3", filters=4, window=(2, 3), padding="valid"),
                Activation(name="conv3_tanh", function="tanh"),
                Dropout(name="drop", rate=0.2),
                Flatten(name="flatten"),
                Dense(name="dense1", units=6),
                Activation(name="dense1_relu", function="relu"),
                Dense(name="logits", units=3),
                Activation(name="softmax", function="softmax"),
            ),
        ),
        Architecture(
            name="tiny-branches",
            title="A shortcut, two branches side by side, global pooling",
            classes=CLASSES,
            layers=(
                Input(name="input", shape=(8, 8, 1)),
                Conv2D(name="stem", filters=4, window=(3, 3), padding="same"),
                Conv2D(name="left", filters=4, window=(3, 3), padding="same"),
                Conv2D(name="right", inputs=("stem",), filters=4, window=(1, 1)),
                Add(name="sum", inputs=("left", "right")),
                AveragePool2D(name="pool", window=(2, 2)),
                Conv2D(name="near", inputs=("pool",), filters=3, window=(1, 1)),
                Conv2D(name="far", inputs=("pool",), filters=2, window=(3, 3), padding="same"),
                Concatenate(name="both", inputs=("near", "far")),
                GlobalAveragePool2D(name="mean"),
                Dense(name="logits", units=3),
                Activation(name="softmax", function="softmax"),
            ),
        ),
        Architecture(
            name="tiny-dense",
            title="Dense layers only",
            classes=CLASSES,
            layers=(
                Input(name="input", shape=(6, 5, 1)),
                Flatten(name="flatten"),
                Dense(name="dense1", units=8),
                Activation(name="dense1_relu", function="relu"),
                Dense(name="logits", units=3),
                Activation(name="softmax", function="softmax"),
            ),
        ),
    )
}

ALL = pytest.mark.parametrize("entry", list(registered().values()), ids=list(registered()))


@pytest.fixture(scope="module", params=["pytorch", "keras"])
def models(request: pytest.FixtureRequest) -> Mapping[str, Model]:
    """The tiny models in one backend, with random weights and biases."""
    chosen = backend(request.param)
    if chosen.missing:
        pytest.skip(chosen.missing)
    built = {name: chosen.build(architecture, seed=3) for name, architecture in TINY.items()}
    for model in built.values():
        rng = np.random.default_rng(5)
        shapes = {layer.name: layer.weight_shapes for layer in model.layers if layer.weight_shapes}
        model.load(
            {
                layer: {name: rng.uniform(0.1 if name == "variance" else -0.5, 0.5, shape).astype(np.float32)
                        for name, shape in weights.items()}
                for layer, weights in shapes.items()
            }
        )  # fmt: skip
    return built


@pytest.fixture(params=list(TINY))
def model(request: pytest.FixtureRequest, models: Mapping[str, Model]) -> Model:
    """Each tiny model in turn."""
    return models[request.param]


@pytest.fixture
def subject(model: Model) -> Subject:
    """A random image in that model, nothing selected."""
    image, other = np.random.default_rng(7).random((2, *model.input_shape), dtype=np.float32)
    image.flags.writeable = other.flags.writeable = False
    forward, second = Pass(model, image), Pass(model, other)
    return Subject(
        model, forward, dataset=LABELLED, second_image=second, second_model=model, second_forward=second, run=TRAINED
    )


LABELLED = Dataset(
    name="tiny",
    title="Tiny images",
    images=np.random.default_rng(2).integers(0, 256, (40, 7, 6, 1), np.uint8),
    labels=np.arange(40) % 3,
    classes=CLASSES,
    source="Drawn by chance.",
    checksum="tiny",
)


TRAINED = Run(
    id="tiny",
    title="Tiny run",
    model="tiny-dense",
    backend="keras",
    status="done",
    steps=np.arange(1, 41),
    losses=np.linspace(2, 0.1, 40, dtype=np.float32),
    accuracies=np.linspace(0.1, 0.9, 40, dtype=np.float32),
    epochs=tuple(
        EpochMetrics(number=number, step=20 * number, loss=1 / number, accuracy=0.4 * number, validation_loss=0.9,
                     validation_accuracy=0.35 * number)
        for number in (1, 2)
    ),
)  # fmt: skip


FEWER: Mapping[str, Mapping[str, Any]] = {"feature_visualisation": {"steps": 20}}
"""Settings of views that would do the same again and again for a long time."""


def places(entry: Visualizer, subject: Subject) -> Iterator[Subject]:
    """The subject at every layer that the visualizer applies to, with and without a unit and a position.

    Only at the first and the last one where it has not declared that it depends on the layer: tests/test_conformance.py
    sees to it that it does not.
    """
    layers = [layer for layer in subject.model.layers if entry.applies_to(layer)]
    for layer in layers if Need.LAYER in entry.needs else [*layers[:1], *layers[1:][-1:]]:
        position = (layer.output_shape[0] - 1, 0) if layer.is_spatial else None
        chosen = subject.at(layer.name, layer.units - 1, position)
        yield from (place for place in (subject.at(layer.name), chosen) if entry.unmet(place) is None)


def drawn_by(entry: Visualizer, subject: Subject, settings: Any = None) -> dict[str, Any]:
    """The figure as it leaves for the browser; the last one of a visualizer that takes its time."""
    drawn: Any = entry.draw(subject, settings or build_settings(entry.settings, FEWER.get(entry.name, {})))
    if entry.on_request:
        frames = list(drawn)
        assert frames[-1].share == 1
        assert all(one.share <= two.share for one, two in pairwise(frames))
        drawn = [frame.figure for frame in frames if frame.figure is not None][-1]
    found: dict[str, Any] = drawn.to_dict()
    return found


def decoded(spec: Mapping[str, str]) -> np.ndarray:
    """The array in a base64 typed array."""
    flat = np.frombuffer(base64.b64decode(spec["bdata"]), dtype=spec["dtype"])
    return flat.reshape([int(size) for size in spec["shape"].split(",")]) if "shape" in spec else flat


def tile(drawn: Mapping[str, Any], unit: int) -> np.ndarray:
    """The pixels of one unit in a mosaic."""
    tiles, picture = drawn["layout"]["meta"]["tiles"], decoded(drawn["data"][0]["z"])
    row, column = divmod(unit, tiles["columns"])
    top, left = row * (tiles["height"] + tiles["gap"]), column * (tiles["width"] + tiles["gap"])
    return picture[top : top + tiles["height"], left : left + tiles["width"]]


def draw(name: str, subject: Subject, **settings: Any) -> dict[str, Any]:
    """The figure as it leaves for the browser."""
    entry = registered()[name]
    assert entry.unmet(subject) is None
    return drawn_by(entry, subject, build_settings(entry.settings, settings))


def lists_of_numbers(value: Any) -> Iterator[list[Any]]:
    """Every long list of plain numbers in a figure: an array that would travel as text."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from lists_of_numbers(inner)
    elif isinstance(value, list | tuple):
        if len(value) > 12 and all(isinstance(number, float) for number in value):
            yield list(value)
        for inner in value:
            yield from lists_of_numbers(inner)


@ALL
def test_every_figure_is_valid_plain_and_light(entry: Visualizer, subject: Subject) -> None:
    for place in places(entry, subject):
        drawn = drawn_by(entry, place)
        go.Figure(json.loads(json.dumps(drawn)))
        assert not list(lists_of_numbers(drawn))
        assert drawn["layout"]["template"] == {}
        assert drawn["layout"]["height"] >= 80
        assert "width" not in drawn["layout"]
        assert "title" not in drawn["layout"]
        assert len(json.dumps(drawn)) < 20_000


@ALL
def test_the_same_arguments_give_the_same_figure_and_stay_untouched(entry: Visualizer, subject: Subject) -> None:
    before = {name: values.copy() for name, values in subject.activations.items()}
    for place in places(entry, subject):
        assert drawn_by(entry, place) == drawn_by(entry, place)
    for name, values in subject.activations.items():
        np.testing.assert_array_equal(values, before[name])


@ALL
def test_another_image_changes_neither_size_nor_zoom(entry: Visualizer, subject: Subject) -> None:
    if entry.on_request:
        pytest.skip("does not follow the pen")
    other = replace(subject, forward=Pass(subject.model, np.zeros(subject.model.input_shape, np.float32)))
    for one, two in zip(places(entry, subject), places(entry, other), strict=True):
        layouts = [drawn_by(entry, place)["layout"] for place in (one, two)]
        for key in ("height", "uirevision", "margin"):
            assert layouts[0].get(key) == layouts[1].get(key)


@ALL
def test_every_option_of_every_control_can_be_drawn(entry: Visualizer, subject: Subject) -> None:
    place = next(places(entry, subject), None)
    if place is None:
        pytest.skip("does not apply to this network")
    for control in entry.controls:
        bounds = (control.range.low, control.range.high) if control.range else ()
        for value in (*control.options, *bounds, *((True, False) if control.kind == "switch" else ())):
            settings = build_settings(entry.settings, {**FEWER.get(entry.name, {}), control.name: value})
            go.Figure(drawn_by(entry, place, settings))


@ALL
def test_what_is_missing_is_said_in_one_sentence_with_the_click_that_helps(entry: Visualizer, subject: Subject) -> None:
    empty = Subject(subject.model)
    fitting = [layer.name for layer in subject.model.layers if entry.applies_to(layer)]
    if Need.LAYER in entry.needs and fitting:
        assert entry.unmet(empty) == f"This view needs {entry.applies_to.reason}; choose {fitting[0]}."
        assert entry.remedy(empty) == {"layer": fitting[0]}
        empty = empty.at(fitting[0])
    elif Need.LAYER in entry.needs:
        assert entry.unmet(empty) == f"This view needs {entry.applies_to.reason}; {subject.model.name} has none."
        return
    if Need.IMAGE in entry.needs:
        assert entry.unmet(empty) == "Draw something, or choose a sample."
        empty = replace(empty, forward=subject.forward)
    if Need.UNIT in entry.needs:
        assert entry.unmet(empty) == "Click a tile or a bar to choose a unit."
        assert entry.remedy(empty) == {"unit": 0}
        empty = replace(empty, unit=0)
    if Need.DATASET in entry.needs:
        assert "labelled images" in str(entry.unmet(empty))
        empty = replace(empty, dataset=LABELLED)
    if Need.SECOND_IMAGE in entry.needs:
        assert entry.unmet(empty) == (
            "This view needs a second image: keep a drawing, or choose a sample, above the panels."
        )
        assert entry.remedy(empty) == {"second_image": "this drawing"}
        assert entry.remedy(replace(empty, forward=None)) is None
        empty = replace(empty, second_image=subject.second_image)
    if Need.SECOND_MODEL in entry.needs:
        assert entry.unmet(empty) == "This view needs a second model; choose one to compare with above the panels."
        assert entry.remedy(empty) == {"second_model": "the same network on another backend"}
        empty = replace(empty, second_model=subject.model)
    if Need.RUN in entry.needs:
        assert entry.unmet(empty) == "This view needs a training run; choose one above the panels."
        assert entry.remedy(empty) == {"run": "the latest"}
        empty = replace(empty, run=TRAINED)
    assert entry.remedy(empty) is None
    assert entry.unmet(empty) is None


def test_accuracy_counts_what_the_network_gets_right_with_and_without_a_change(models: Mapping[str, Model]) -> None:
    model = models["tiny-dense"]
    images = fit_images(LABELLED.images, model.input_shape)
    edits = (Edit("dense1_relu", 2), Edit("logits", 0, -3.0))
    drawn = draw("accuracy", Subject(model, dataset=LABELLED, edits=edits))
    for trace, made in zip(drawn["data"], ((), edits), strict=True):
        right = model.probabilities(images, made).argmax(axis=1) == LABELLED.labels
        shares = [right[LABELLED.labels == label].mean() for label in range(3)]
        np.testing.assert_allclose(decoded(trace["y"]), shares, rtol=1e-6)
    assert len(draw("accuracy", Subject(model, dataset=LABELLED))["data"]) == 1


def test_accuracy_says_that_the_images_have_other_classes(models: Mapping[str, Model]) -> None:
    other = replace(LABELLED, labels=LABELLED.labels + 1)
    with pytest.raises(ValueError, match="other classes than tiny-dense"):
        draw("accuracy", Subject(models["tiny-dense"], dataset=other))


def test_a_view_of_maps_refuses_a_flat_layer_and_names_one_that_fits(models: Mapping[str, Model]) -> None:
    subject = Subject(models["tiny-chain"]).at("logits")
    assert registered()["feature_maps"].unmet(subject) == (
        "This view needs a layer whose output has height and width; choose input."
    )
    assert registered()["filters"].unmet(subject.at("pool1")) == (
        "This view needs a convolution or a dense layer; choose conv1."
    )


def test_feature_maps_show_exactly_the_activations(subject: Subject) -> None:
    for layer in subject.model.layers:
        if layer.is_spatial:
            drawn = draw("feature_maps", subject.at(layer.name))
            for unit in range(layer.units):
                np.testing.assert_array_equal(tile(drawn, unit), subject.activations[layer.name][..., unit])


def test_a_click_on_a_feature_map_selects_the_unit_under_it(models: Mapping[str, Model]) -> None:
    model = models["tiny-chain"]
    image = np.random.default_rng(1).random(model.input_shape, dtype=np.float32)
    drawn = draw("feature_maps", Subject(model, Pass(model, image)).at("conv2"), columns=3)
    height, width, units = model.layer("conv2").output_shape
    for unit in range(units):
        row, column = divmod(unit, 3)
        point = {"x": column * (width + 1) + 2, "y": row * (height + 1) + 1}
        assert selection_of(point, drawn["layout"]["meta"]) == Selected("conv2", unit, (1, 2))


def built(like: Mapping[str, Model], *layers: Layer, classes: Sequence[str] = CLASSES) -> Subject:
    """A model of these layers in the backend of others, looking at a random image."""
    architecture = Architecture(name="special", title="Special", layers=layers, classes=tuple(classes))
    model = backend(like["tiny-chain"].backend).build(architecture, seed=1)
    return Subject(model, Pass(model, np.random.default_rng(1).random(model.input_shape, dtype=np.float32)))


def test_too_many_values_are_cut_and_it_is_said(models: Mapping[str, Model]) -> None:
    subject = built(
        models,
        Input(name="input", shape=(512, 512, 1)),
        Conv2D(name="huge", filters=5, window=(1, 1)),
        GlobalAveragePool2D(name="mean"),
        Dense(name="logits", units=3),
    )
    drawn = draw("feature_maps", subject.at("huge", 4))
    assert drawn["layout"]["meta"]["tiles"]["units"] == 2
    assert "first 2 of 5 units" in drawn["layout"]["meta"]["legend"]["words"]
    assert drawn["layout"]["shapes"] == []


def test_filters_show_exactly_the_kernel(models: Mapping[str, Model]) -> None:
    model = models["tiny-chain"]
    kernel = model.weights("conv2")["kernel"]
    for channel in range(5):
        drawn = draw("filters", Subject(model).at("conv2"), input_channel=channel)
        assert f"input channel {channel} of 0–4" in drawn["layout"]["meta"]["legend"]["words"]
        for unit in range(7):
            np.testing.assert_array_equal(tile(drawn, unit), kernel[:, :, channel, unit])
    averaged = draw("filters", Subject(model).at("conv2"), average_inputs=True)
    np.testing.assert_allclose(tile(averaged, 6), kernel[..., 6].mean(axis=2), rtol=1e-5)
    assert "mean over 5 input channels" in averaged["layout"]["meta"]["legend"]["words"]


def test_an_input_channel_that_is_not_there_shows_the_last_and_says_so(models: Mapping[str, Model]) -> None:
    model = models["tiny-chain"]
    drawn = draw("filters", Subject(model).at("conv2"), input_channel=99)
    np.testing.assert_array_equal(tile(drawn, 0), model.weights("conv2")["kernel"][:, :, 4, 0])
    assert "input channel 4, the last (there is no 99)" in drawn["layout"]["meta"]["legend"]["words"]


def test_only_so_many_filters_as_asked_for(models: Mapping[str, Model]) -> None:
    drawn = draw("filters", Subject(models["tiny-chain"]).at("conv2", 6), units=3)
    assert drawn["layout"]["meta"]["tiles"]["units"] == 3
    assert "first 3 of 7 units" in drawn["layout"]["meta"]["legend"]["words"]
    assert drawn["layout"]["shapes"] == []


def test_dense_weights_behind_an_image_are_images(models: Mapping[str, Model]) -> None:
    model = models["tiny-dense"]
    drawn = draw("filters", Subject(model).at("dense1"))
    kernel = model.weights("dense1")["kernel"].reshape(6, 5, 1, 8)
    for unit in range(8):
        np.testing.assert_array_equal(tile(drawn, unit), kernel[:, :, 0, unit])


def test_dense_weights_behind_maps_are_stacks_of_images(models: Mapping[str, Model]) -> None:
    model = models["tiny-chain"]
    shape = model.layer("drop").output_shape
    assert source_shape(model, model.layer("dense1")) == shape
    drawn = draw("filters", Subject(model).at("dense1"), input_channel=2)
    np.testing.assert_array_equal(tile(drawn, 5), model.weights("dense1")["kernel"].reshape(*shape, 6)[:, :, 2, 5])


@pytest.mark.parametrize(("name", "layer"), [("tiny-chain", "logits"), ("tiny-branches", "logits")])
def test_other_dense_weights_are_a_table_of_inputs_by_units(models: Mapping[str, Model], name: str, layer: str) -> None:
    model = models[name]
    drawn = draw("filters", Subject(model).at(layer, 2))
    np.testing.assert_array_equal(decoded(drawn["data"][0]["z"]), model.weights(layer)["kernel"])
    assert selection_of({"x": 2, "y": 4}, drawn["layout"]["meta"]) == Selected(layer, 2, (4, 0))


def test_dense_outputs_show_exactly_the_activations(subject: Subject) -> None:
    for layer in subject.model.layers:
        if len(layer.output_shape) == 1:
            values = subject.activations[layer.name]
            bars = draw("dense_outputs", subject.at(layer.name), shape="bars")
            np.testing.assert_array_equal(decoded(bars["data"][0]["y"]), values)
            image = draw("dense_outputs", subject.at(layer.name), shape="image")
            np.testing.assert_array_equal([tile(image, unit).item() for unit in range(layer.units)], values)


def test_a_flattened_image_is_shown_as_the_image(models: Mapping[str, Model]) -> None:
    model = models["tiny-dense"]
    image = np.random.default_rng(4).random(model.input_shape, dtype=np.float32)
    drawn = draw("dense_outputs", Subject(model, Pass(model, image)).at("flatten"), shape="image")
    np.testing.assert_array_equal(decoded(drawn["data"][0]["z"]), image[..., 0])


def test_units_that_stand_for_classes_carry_their_names(subject: Subject) -> None:
    for layer, named in (("logits", True), ("softmax", True), ("flatten", False)):
        if layer in subject.activations:
            axis = draw("dense_outputs", subject.at(layer), shape="bars")["layout"]["xaxis"]
            assert axis.get("ticktext") == (list(CLASSES) if named else None)


def test_the_prediction_shows_every_probability(subject: Subject) -> None:
    drawn = draw("prediction", subject)
    np.testing.assert_array_equal(decoded(drawn["data"][0]["x"]), subject.probabilities)
    assert drawn["layout"]["yaxis"]["ticktext"] == list(CLASSES)
    assert selection_of({"customdata": drawn["data"][0]["customdata"][1]}, {}) == Selected("softmax", 1)


def test_right_and_wrong_are_said_and_not_only_coloured(subject: Subject) -> None:
    answer = int(subject.probabilities.argmax())
    other = (answer + 1) % 3
    texts = {
        label: draw("prediction", replace(subject, label=label))["data"][0]["text"] for label in (None, answer, other)
    }
    assert not any("right" in text or "wrong" in text or "true" in text for text in texts[None])
    assert "✓ right" in texts[answer][answer]
    assert "✗ wrong" in texts[other][answer]
    assert "true class" in texts[other][other]


def test_of_many_classes_the_most_probable_and_the_true_one_are_shown(models: Mapping[str, Model]) -> None:
    subject = built(
        models,
        Input(name="input", shape=(4, 4, 1)),
        Flatten(name="flatten"),
        Dense(name="logits", units=100),
        Activation(name="softmax", function="softmax"),
        classes=[f"class {index}" for index in range(100)],
    )
    order = np.argsort(-subject.probabilities, kind="stable")
    drawn = draw("prediction", replace(subject, label=int(order[50])))
    assert drawn["layout"]["yaxis"]["ticktext"] == [f"class {index}" for index in (*order[:19], order[50])]
    assert drawn["layout"]["xaxis"]["title"]["text"] == "most probable 20 of 100 classes"
    assert len(draw("prediction", replace(subject, label=int(order[5])))["layout"]["yaxis"]["ticktext"]) == 20


def test_every_layer_stands_in_the_graph_and_can_be_clicked(subject: Subject) -> None:
    for direction in ("down", "across"):
        nodes = draw("architecture_graph", subject, direction=direction)["data"][1]
        clicked = [selection_of({"customdata": custom}, {}) for custom in nodes["customdata"]]
        assert clicked == [Selected(layer.name) for layer in subject.model.layers]
        x, y = decoded(nodes["x"]), decoded(nodes["y"])
        assert len(set(zip(x, y, strict=True))) == len(subject.model.layers)


def test_the_graph_tells_kind_shape_and_parameters(models: Mapping[str, Model]) -> None:
    texts = [trace["text"] for trace in draw("architecture_graph", Subject(models["tiny-chain"]))["data"][2:]]
    row = [column[1 + 5] for column in texts]
    assert row == ["<b>conv2</b>  convolution 3×3", "3×5×7", "322"]


def test_the_graph_marks_the_selected_layer(subject: Subject) -> None:
    assert draw("architecture_graph", subject)["layout"]["shapes"] == []
    (band,) = draw("architecture_graph", subject.at("logits"))["layout"]["shapes"]
    row = [layer.name for layer in subject.model.layers].index("logits")
    assert (band["y0"], band["y1"]) == (row - 0.5, row + 0.5)


def test_no_line_of_the_graph_runs_through_a_layer_it_does_not_join() -> None:
    architectures = [*TINY.values(), *BUNDLED.values()]
    for architecture in architectures:
        lanes = lanes_of(architecture.infos)
        for path in lanes.paths:
            through = {(lane, row) for (lane, start), (_, end) in pairwise(path) for row in range(start + 1, end)}
            assert not (through | set(path[1:-1])) & set(lanes.places.values())
        joins = sum(len(layer.inputs) for layer in architecture.infos)
        assert len(lanes.paths) == joins


def test_branches_are_drawn_side_by_side() -> None:
    lanes = lanes_of(TINY["tiny-branches"].infos)
    assert lanes.width == 2
    assert lanes.places["left"][0] != lanes.places["right"][0]
    assert lanes.places["near"][0] != lanes.places["far"][0]
    assert lanes_of(BUNDLED["cnn-batchnorm"].infos).width == 1


def test_the_table_adds_up(subject: Subject) -> None:
    trace = draw("layer_table", subject)["data"][0]
    names, shapes, parameters, costs = trace["cells"]["values"]
    layers = subject.model.layers
    assert [name.split("</b>")[0] for name in names] == [f"<b>{layer.name}" for layer in layers] + ["<b>all layers"]
    assert shapes[: len(layers)] == ["×".join(map(str, layer.output_shape)) for layer in layers]
    for cells, numbers in (
        (parameters, [layer.parameters for layer in layers]),
        (costs, [layer.multiply_adds for layer in layers]),
    ):
        assert cells[-1] == f"<b>{sum(numbers):,}</b>"
        assert [cell.split("<br>")[0] for cell in cells[:-1]] == [f"{number:,}" if number else "" for number in numbers]
        shares = [float(cell.split(">")[-2].split(" ")[0]) for cell in cells[:-1] if cell]
        assert sum(shares) == pytest.approx(100, abs=0.05 * len(shares) + 0.01)
    fills = [*trace["cells"]["fill"]["color"][0], trace["header"]["fill"]["color"]]
    assert set(fills) == {"rgba(0,0,0,0)"}


def test_contributions_and_biases_add_up_to_the_layer(subject: Subject) -> None:
    bridges = bridges_of(subject.model)
    assert {bridge.layer.name for bridge in bridges} == {
        layer.name for layer in subject.model.layers if "kernel" in layer.weight_shapes
    }
    for bridge in bridges:
        read, layer = subject.activations[bridge.source], bridge.layer
        weights = subject.model.weights(layer.name)
        everything = np.arange(read.shape[-1]), np.arange(layer.units)
        carried = contributions(layer, weights["kernel"], read, *everything)
        assert carried is not None
        output = subject.activations[layer.name]
        positions = output[..., 0].size
        total = output.reshape(positions, -1).sum(axis=0)
        np.testing.assert_allclose(carried.sum(axis=0) + positions * weights["bias"], total, rtol=1e-3, atol=1e-3)
        some = contributions(layer, weights["kernel"], read, everything[0][-1:], everything[1][:2])
        assert some is not None
        np.testing.assert_allclose(some, carried[-1:, :2], rtol=1e-4, atol=1e-5)


def test_bridges_lead_to_where_the_units_are_shown(models: Mapping[str, Model]) -> None:
    ends = {b.layer.name: (b.source, b.target, b.offset) for b in bridges_of(models["tiny-chain"])}
    assert ends == {
        "conv1": ("input", "pool1", 0),
        "conv2": ("pool1", "conv2", 0),
        "conv3": ("conv2", "conv3_tanh", 0),
        "dense1": ("conv3_tanh", "dense1_relu", 0),
        "logits": ("dense1_relu", "softmax", 0),
    }
    ends = {b.layer.name: (b.source, b.target, b.offset) for b in bridges_of(models["tiny-branches"])}
    assert ends["left"] == ("stem", "pool", 0)
    assert ends["right"] == ("stem", "pool", 0)
    assert ends["near"] == ("pool", "mean", 0)
    assert ends["far"] == ("pool", "mean", 3)
    assert ends["logits"] == ("mean", "softmax", 0)


def test_the_network_view_colours_units_by_their_activation(subject: Subject) -> None:
    nodes = draw("network_view", subject)["data"][2]
    colours, found = decoded(nodes["marker"]["color"]), {}
    for (layer, unit), colour, text in zip(nodes["customdata"], colours, nodes["text"], strict=True):
        values = strength(subject.activations[layer])
        assert float(text) == pytest.approx(float(values[unit]), rel=1e-2, abs=1e-6)
        assert colour == pytest.approx(values[unit] / (np.abs(values).max() or 1), rel=1e-4, abs=1e-6)
        found.setdefault(layer, []).append(unit)
    assert found["softmax"] == [0, 1, 2]


def test_the_network_view_rings_the_answer(subject: Subject) -> None:
    drawn = draw("network_view", subject)
    nodes, names, ring = drawn["data"][2], drawn["data"][3], drawn["data"][4]
    answer = nodes["customdata"].index(["softmax", int(subject.probabilities.argmax())])
    assert decoded(ring["x"]) == decoded(nodes["x"])[answer]
    assert decoded(ring["y"]) == decoded(nodes["y"])[answer]
    assert names["text"] == list(CLASSES)


def test_the_network_view_keeps_to_its_limits_and_shows_the_strongest(subject: Subject) -> None:
    drawn = draw("network_view", subject, units=4, connections=10)
    lines = [len(decoded(trace["x"])) // 3 if "bdata" in trace["x"] else 0 for trace in drawn["data"][:2]]
    assert 1 <= sum(lines) <= 10
    for name in {layer for layer, _ in drawn["data"][2]["customdata"]}:
        shown = [unit for layer, unit in drawn["data"][2]["customdata"] if layer == name]
        values = np.abs(strength(subject.activations[name]))
        assert shown == sorted(np.argsort(-values, kind="stable")[:4])


def test_lines_end_at_units_and_red_ones_push_up(models: Mapping[str, Model]) -> None:
    model = models["tiny-dense"]
    subject = Subject(model, Pass(model, np.random.default_rng(2).random(model.input_shape, dtype=np.float32)))
    drawn = draw("network_view", subject, connections=150)
    nodes = drawn["data"][2]
    at = dict(
        zip(zip(decoded(nodes["x"]), decoded(nodes["y"]), strict=True), map(tuple, nodes["customdata"]), strict=True)
    )
    kernel, read = model.weights("logits")["kernel"], subject.activations["dense1_relu"]
    seen = 0
    for trace, sign in zip(drawn["data"][:2], (1, -1), strict=True):
        points = list(zip(decoded(trace["x"]), decoded(trace["y"]), strict=True))
        for start, end in zip(points[::3], points[1::3], strict=True):
            source, target = at[start], at[end]
            if target[0] == "softmax":
                assert source[0] == "dense1_relu"
                assert np.sign(read[source[1]] * kernel[source[1], target[1]]) == sign
                seen += 1
    assert seen == np.count_nonzero(read) * 3
