"""Views of two images, two models and a training run: the numbers they show, and what they say of them."""

import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from layerscope.backends import Backend, Model, open_model
from layerscope.backends.base import Edit
from layerscope.models.agreement import gap
from layerscope.models.alignment import aligned
from layerscope.models.run import EpochMetrics, Run
from layerscope.visualizers import Pass, Selected, Subject, build_settings, registered, selection_of
from layerscope.visualizers.specimens import models as specimens
from layerscope.visualizers.specimens import twin
from layerscope.visualizers.training_curves import smoothed

IMAGES = np.random.default_rng(1).random((2, 28, 28, 1), dtype=np.float32)


@pytest.fixture(scope="session")
def compact(pytorch: Backend) -> Model:
    return open_model("cnn-compact", "pytorch")


@pytest.fixture
def subject(compact: Model) -> Subject:
    """Two images in one network, which is the second model as well."""
    one, two = (Pass(compact, image) for image in IMAGES)
    return Subject(compact, one, second_image=two, second_model=compact, second_forward=one)


def draw(name: str, subject: Subject, **settings: Any) -> dict[str, Any]:
    """The figure as it leaves for the browser."""
    entry = registered()[name]
    assert entry.unmet(subject) is None
    drawn = entry.draw(subject, build_settings(entry.settings, settings))
    assert isinstance(drawn, go.Figure)
    found: dict[str, Any] = drawn.to_dict()
    return found


def decoded(spec: Mapping[str, str]) -> np.ndarray:
    """The array in a base64 typed array."""
    flat = np.frombuffer(base64.b64decode(spec["bdata"]), dtype=spec["dtype"])
    return flat.reshape([int(size) for size in spec["shape"].split(",")]) if "shape" in spec else flat


def words(drawn: Mapping[str, Any]) -> str:
    """What stands below a figure."""
    return str(drawn["layout"]["xaxis"]["title"]["text"])


# Two images


def test_tiles_are_the_drawing_minus_the_second_image(compact: Model, subject: Subject) -> None:
    drawn = draw("compare_images", subject.at("conv1", 5))
    tiles, picture = drawn["layout"]["meta"]["tiles"], decoded(drawn["data"][0]["z"])
    apart = np.subtract(*compact.trace(IMAGES)["conv1"])
    for unit in range(32):
        row, column = divmod(unit, tiles["columns"])
        top, left = row * (26 + tiles["gap"]), column * (26 + tiles["gap"])
        np.testing.assert_allclose(picture[top : top + 26, left : left + 26], apart[:, :, unit], atol=1e-6)
    assert drawn["data"][0]["zmax"] == pytest.approx(np.abs(apart).max(), abs=1e-6)
    assert len(drawn["layout"]["shapes"]) == 2


def test_zero_is_the_middle_of_the_scale_even_where_all_is_stronger(compact: Model) -> None:
    bright, dark = Pass(compact, np.ones((28, 28, 1), np.float32)), Pass(compact, np.zeros((28, 28, 1), np.float32))
    for one, two in ((bright, dark), (dark, bright), (dark, dark)):
        trace = draw("compare_images", Subject(compact, one, second_image=two).at("input"))["data"][0]
        assert (trace["zmin"], trace["zmax"]) == (-1, 1)


def test_a_flat_layer_shows_both_images_and_a_large_one_their_difference(compact: Model, subject: Subject) -> None:
    drawn = draw("compare_images", subject.at("dense1", 60))
    activations = compact.trace(IMAGES)["dense1"]
    for trace, values in zip(drawn["data"], activations, strict=True):
        np.testing.assert_allclose(decoded(trace["y"]), values, atol=1e-6)
    assert selection_of({"pointNumber": 60}, drawn["layout"]["meta"]) == Selected("dense1", 60)
    low, high = drawn["layout"]["yaxis"]["range"]
    assert low <= activations.min() <= activations.max() <= high
    assert draw("compare_images", subject.at("softmax"))["layout"]["xaxis"]["ticktext"] == list("0123456789")
    picture = decoded(draw("compare_images", subject.at("flatten"))["data"][0]["z"])
    np.testing.assert_allclose(picture.ravel()[:576], np.subtract(*compact.trace(IMAGES)["flatten"]), atol=1e-5)


# Two models


def test_the_same_network_agrees_with_itself(subject: Subject) -> None:
    drawn = draw("model_differences", subject)
    (bars,) = drawn["data"]
    assert bars["text"] == ["equal"] * 14
    assert words(drawn).startswith("All 14 layers agree within 1e-4;")
    clicked = [selection_of({"customdata": custom}, {}) for custom in bars["customdata"]]
    assert clicked == [Selected(layer.name) for layer in subject.model.layers]


def test_the_same_network_on_another_backend_differs_by_rounding(subject: Subject, keras: Backend) -> None:
    other = open_model("cnn-compact", "keras")
    drawn = draw("model_differences", replace(subject, second_model=other, second_forward=Pass(other, IMAGES[0])))
    (bars,) = drawn["data"]
    assert decoded(bars["x"]).max() < 1e-5
    assert set(bars["marker"]["color"]) == {"#0072B2"}
    assert words(drawn).startswith("All 14 layers agree within 1e-4;<br>most apart is ")


def test_the_first_layer_that_differs_is_named(subject: Subject, compact: Model) -> None:
    edited = Pass(compact, IMAGES[0], (Edit("pool1", 3, 1.01),))
    drawn = draw("model_differences", replace(subject, second_forward=edited))
    assert words(drawn).startswith("<b>pool1</b> is the first layer beyond 1e-4:<br>it differs by ")
    values = decoded(drawn["data"][0]["x"])
    names = [custom[0] for custom in drawn["data"][0]["customdata"]]
    expected = gap(compact.trace(IMAGES[:1])["pool1"], compact.trace(IMAGES[:1], edits=edited.edits)["pool1"])
    assert values[names.index("pool1")] == pytest.approx(expected.largest)
    assert (values[: names.index("pool1")] < 1e-8).all()


def test_a_number_that_is_none_is_a_difference(subject: Subject) -> None:
    assert gap(np.zeros(3, np.float32), np.zeros(3, np.float32)).largest == 0
    assert gap(np.array([2, -4], np.float32), np.array([2, -3], np.float32)).largest == 0.25
    spoiled = Pass(subject.model, IMAGES[0])
    broken = {**spoiled.activations, "conv3": np.full((3, 3, 64), np.nan, np.float32)}
    object.__setattr__(spoiled, "activations", broken)
    drawn = draw("model_differences", replace(subject, second_forward=spoiled))
    assert "<b>conv3</b> is the first layer beyond 1e-4" in words(drawn)
    assert np.isfinite(decoded(drawn["data"][0]["x"])).all()


def test_different_networks_say_what_cannot_be_compared_and_both_answers(subject: Subject, pytorch: Backend) -> None:
    dense = open_model("dense", "pytorch")
    drawn = draw("model_differences", replace(subject, second_model=dense, second_forward=Pass(dense, IMAGES[0])))
    bars, *answers = drawn["data"]
    texts = dict(zip([custom[0] for custom in bars["customdata"]], bars["text"], strict=True))
    assert texts["conv1"] == "only here"
    assert texts["dense1"] == "64 against 512"
    assert "not comparable: 11 of 14 layers" in words(drawn)
    for trace, model in zip(answers, (subject.model, dense), strict=True):
        np.testing.assert_allclose(decoded(trace["x"]), model.probabilities(IMAGES[:1])[0], atol=1e-6)
    assert drawn["layout"]["yaxis2"]["ticktext"] == list("0123456789")
    assert "dense (pytorch)" in words(drawn)


def test_networks_of_other_classes_have_no_answers_to_compare(subject: Subject) -> None:
    other = next(each for each in specimens("pytorch") if each.name == "tiny-dense")
    image = np.zeros(other.input_shape, np.float32)
    drawn = draw("model_differences", replace(subject, second_model=other, second_forward=Pass(other, image)))
    assert len(drawn["data"]) == 1
    assert words(drawn).startswith("No layer can be compared:<br>all have other shapes")


def test_layers_are_aligned_by_name_and_what_lies_between_by_kind(compact: Model) -> None:
    layers = compact.layers
    assert [pair.second for pair in aligned(layers, layers)] == list(layers)
    renamed = [replace(layer, name=f"layer{index}") for index, layer in enumerate(layers)]
    assert [pair.second for pair in aligned(layers, renamed)] == renamed
    without = [layer for layer in layers if layer.name not in {"conv2", "conv2_relu"}]
    found = {pair.first.name: pair.second and pair.second.name for pair in aligned(layers, without)}
    assert found == {layer.name: layer.name if layer in without else None for layer in layers}
    order = [layers.index(pair.second) for pair in aligned(without, layers) if pair.second]
    assert order == sorted(order)


def test_the_twin_of_a_specimen_has_its_layers_and_other_weights(pytorch: Backend) -> None:
    for model in specimens("pytorch"):
        assert twin(model).layers == model.layers
        assert twin(model).version != model.version


# Training


def run_of(steps: int, *validation: float | None) -> Run:
    """A training that halves its loss with every hundred steps, and as many epochs as validation accuracies."""
    taken = np.arange(1, steps + 1)
    losses = (2.0 ** (-taken / 100)).astype(np.float32)
    each = steps // max(len(validation), 1)
    epochs = tuple(
        EpochMetrics(number=number, step=number * each, loss=1 / number, accuracy=0.5, validation_loss=accuracy and 0.3,
                     validation_accuracy=accuracy)
        for number, accuracy in enumerate(validation, 1)
    )  # fmt: skip
    return Run(id="r", title="R", model="cnn", backend="keras", status="running", steps=taken, losses=losses,
               accuracies=1 - losses / 2, epochs=epochs)  # fmt: skip


def curves(subject: Subject, run: Run, **settings: Any) -> dict[str, Any]:
    return draw("training_curves", replace(subject, run=run), **settings)


def test_raw_smoothed_and_validation_values_are_the_runs_own(subject: Subject) -> None:
    run = run_of(900, 0.91, 0.97, 0.96)
    drawn = curves(subject, run, smoothing=10)
    raw, mean, epochs, validation = drawn["data"][:4]
    np.testing.assert_array_equal(decoded(raw["y"]), run.losses)
    np.testing.assert_allclose(decoded(mean["y"])[500], run.losses[491:501].mean(), rtol=1e-5)
    np.testing.assert_allclose(decoded(mean["y"])[2], run.losses[:3].mean(), rtol=1e-5)
    assert decoded(epochs["x"]).tolist() == [150, 450, 750]
    assert decoded(validation["x"]).tolist() == [300, 600, 900]
    np.testing.assert_allclose(decoded(drawn["data"][7]["y"]), [0.91, 0.97, 0.96])
    assert "<b>97.00%</b>,<br>after epoch 2 of 3" in words(drawn)
    assert raw["line"]["width"] < mean["line"]["width"]


@pytest.mark.parametrize(
    ("run", "sentence"),
    [
        (run_of(0), "nothing measured yet"),
        (run_of(40), "40 steps, no whole epoch yet"),
        (run_of(40, None, None), "no images kept out;<br>50.00% right in training in epoch 2"),
    ],
    ids=["begun", "first epoch", "nothing kept out"],
)
def test_a_training_that_has_not_come_far_is_shown_as_far_as_it_is(subject: Subject, run: Run, sentence: str) -> None:
    drawn = curves(subject, run)
    go.Figure(drawn)
    assert sentence in words(drawn)


def test_a_long_training_stays_light(subject: Subject) -> None:
    drawn = curves(subject, run_of(100_000, 0.9))
    assert all(len(decoded(trace["x"])) <= 1000 for trace in drawn["data"])
    assert decoded(drawn["data"][1]["x"])[-1] > 99_000


def test_smoothing_leaves_out_what_is_not_finite() -> None:
    values = np.array([1, np.nan, 3, np.inf, 5], np.float32)
    np.testing.assert_allclose(smoothed(values, 2), [1, 1, 3, 3, 5])
    assert np.isnan(smoothed(np.full(3, np.nan, np.float32), 2)).all()
    assert smoothed(np.zeros(0, np.float32), 5).shape == (0,)
