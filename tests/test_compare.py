"""Networks side by side: rows of layers, words of agreement, common scales, and a fault that leaves the others live."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from layerscope.backends import Backend, Model
from layerscope.backends.base import Capability
from layerscope.datasets.base import Dataset
from layerscope.drawing.fit import fit_images
from layerscope.evaluation.shifts import (
    accuracy_when_permuted,
    permuted,
    pixel_order,
    shift_shares,
    shift_test,
    shifted,
    used_to,
)
from layerscope.layouts.compare.answer import answer, run
from layerscope.layouts.compare.experiments import parity_told, permutation_told, shifts_of_digits_told, shifts_told
from layerscope.layouts.compare.measures import Kept, Measures, latency
from layerscope.layouts.compare.question import Drawing, Question, View, columns_of
from layerscope.layouts.compare.scales import on_one_scale
from layerscope.layouts.compare.words import Answer, agreement, strongest_disagreement
from layerscope.layouts.naming import Asked
from layerscope.layouts.pictures import Source
from layerscope.layouts.services import Services
from layerscope.models.alignment import in_rows
from layerscope.models.bundled import BUNDLED
from layerscope.models.layers import LayerInfo
from layerscope.models.weights import save_weights
from layerscope.visualizers.overlays import OUTLINE

SEVEN = Source(sample=(7, 3), label=7)
COMPACT, DENSE = Asked("cnn-compact", "pytorch"), Asked("dense", "pytorch")


@pytest.fixture(scope="module")
def services(pytorch: Backend) -> Services:
    """A server's, with two networks open."""
    found = Services(model="cnn-compact", backend="pytorch")
    for asked in (COMPACT, DENSE):
        found.open(asked.model, asked.backend)
    return found


def ask(services: Services, *subjects: Asked, source: Source = SEVEN, **rest: Any) -> dict[str, Any]:
    return answer(services, Question(subjects=subjects, source=source, **rest))


# Rows


def names(rows: Any) -> list[tuple[str | None, ...]]:
    return [tuple(layer and layer.name for layer in row) for row in rows]


def test_a_row_holds_the_layers_of_one_name_and_kind_and_what_is_alone_has_its_own() -> None:
    found = names(in_rows([BUNDLED["dense"].infos, BUNDLED["cnn-two-block"].infos]))
    assert found[0] == ("input", "input")
    assert (None, "conv1") in found
    assert found[-4:] == [
        ("dense1", "dense1"), ("dense1_relu", "dense1_relu"), ("logits", "logits"), ("softmax", "softmax"),
    ]  # fmt: skip
    assert [row[0] for row in found if row[0]] == [info.name for info in BUNDLED["dense"].infos]
    assert [row[1] for row in found if row[1]] == [info.name for info in BUNDLED["cnn-two-block"].infos]


def test_every_layer_of_four_networks_stands_in_one_row_in_its_order() -> None:
    networks = [BUNDLED[name].infos for name in ("dense", "cnn", "cnn-compact", "cnn-batchnorm")]
    rows = in_rows(networks)
    for place, infos in enumerate(networks):
        assert [row[place] for row in rows if row[place]] == list(infos)
    assert {len(row) for row in rows} == {4}
    assert all(any(row) for row in rows)
    kinds = [{layer.kind for layer in row if layer} for row in rows]
    assert all(len(each) == 1 for each in kinds)


def test_layers_of_other_names_are_aligned_by_kind() -> None:
    def net(*kinds: str) -> list[LayerInfo]:
        return [
            LayerInfo(name=f"{'abcdef'[len(kinds)]}{at}", kind=kind, inputs=(), output_shape=(2,))
            for at, kind in enumerate(kinds)
        ]

    assert names(in_rows([net("conv2d", "dense"), net("conv2d", "activation", "dense")])) == [
        ("c0", "d0"), (None, "d1"), ("c1", "d2"),
    ]  # fmt: skip
    assert in_rows([]) == ()


# Words


def says(name: str, *shares: float, classes: str = "012") -> Answer:
    return Answer(name, tuple(classes), np.array(shares, np.float32))


def test_agreement_is_said_in_a_sentence() -> None:
    one, two, three = says("A", 0.9, 0.1, 0), says("B", 0.8, 0.1, 0.1), says("C", 0.2, 0.7, 0.1)
    assert agreement([one]) == ""
    assert agreement([one, two]) == "Both see 0."
    assert agreement([one, two, one]) == "All see 0."
    assert agreement([one, two, three]) == "They disagree: A (90 %) and B (80 %) see 0; C (70 %) sees 1."


def test_the_strongest_disagreement_is_between_the_two_that_lie_furthest_apart() -> None:
    one, two, three = says("A", 0.9, 0.1, 0), says("B", 0.8, 0.1, 0.1), says("C", 0.05, 0.85, 0.1)
    assert strongest_disagreement([one, two, three]) == "They lie furthest apart about 0: A gives it 90 %; C 5.0 %."
    assert strongest_disagreement([one, one]) == ""
    foreign = says("D", 1, 0, 0, classes="xyz")
    assert strongest_disagreement([one, foreign]) == ""


def test_networks_are_called_by_what_tells_them_apart(services: Services) -> None:
    def words(*subjects: Asked) -> list[str]:
        question = Question(subjects)
        return [column.name for column in columns_of(services, question, Drawing(services, question))]

    assert words(COMPACT, DENSE) == ["CNN, compact", "Dense net, one hidden layer"]
    assert words(DENSE, Asked("dense", "nothing")) == ["PyTorch", "nothing"]
    both = words(DENSE, Asked("dense", "nothing"), Asked("cnn-compact", "pytorch"))
    assert both[2] == "CNN, compact · PyTorch"


# One scale


def mosaic(low: float, high: float) -> dict[str, Any]:
    trace = {"type": "heatmap", "z": np.array([[low, high]]), "zmin": low, "zmax": high, "colorscale": "Viridis"}
    legend = {"low": str(low), "high": str(high), "words": "activation", "colours": ["#000000", "#ffffff"]}
    return {"data": [trace], "layout": {"meta": {"tiles": {"layer": "a"}, "legend": legend}}}


def test_mosaics_of_a_row_share_a_scale_that_holds_all_of_them() -> None:
    first, second = mosaic(0, 2), mosaic(0, 5)
    found = on_one_scale([first, second])
    assert [(figure["data"][0]["zmin"], figure["data"][0]["zmax"]) for figure in found] == [(0, 5), (0, 5)]
    assert found[0]["layout"]["meta"]["legend"]["high"] == "5"
    assert first["data"][0]["zmax"] == 2, "what was given is not changed"
    signed = on_one_scale([mosaic(0, 2), mosaic(-3, 3)])
    assert {(figure["data"][0]["zmin"], figure["data"][0]["zmax"]) for figure in signed} == {(-3, 3)}
    assert signed[0]["data"][0]["colorscale"] == signed[1]["data"][0]["colorscale"] != "Viridis"


def test_bars_share_their_axis_and_other_figures_stay_as_they_are() -> None:
    def bars(*values: float) -> dict[str, Any]:
        return {"data": [{"type": "bar", "y": np.array(values)}], "layout": {"yaxis": {"range": [0, max(values)]}}}

    one, two = on_one_scale([bars(1, 2), bars(-4, 8)])
    assert one["layout"]["yaxis"]["range"] == two["layout"]["yaxis"]["range"]
    assert one["layout"]["yaxis"]["range"][0] < -4 < 8 < one["layout"]["yaxis"]["range"][1]
    other = {"data": [{"type": "scatter"}], "layout": {}}
    assert on_one_scale([other, mosaic(0, 1)])[0] is other
    own = mosaic(0, 1)
    own["layout"]["meta"]["tiles"]["scales"] = [1.0]
    assert on_one_scale([own, mosaic(0, 9)])[0]["data"][0]["zmax"] == 1


# Answers


def test_each_network_runs_once_for_a_drawing(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    for asked in (COMPACT, DENSE):
        model = services.open(asked.model, asked.backend)
        whole = model.trace

        def trace(*given: Any, whole: Any = whole, name: str = model.name, **more: Any) -> Any:
            calls.append(name)
            return whole(*given, **more)

        monkeypatch.setattr(model, "trace", trace)
    told = ask(services, COMPACT, DENSE)
    assert calls == ["cnn-compact", "dense"]
    assert told["fault"] is None
    assert told["agreement"] == "Both see 7."
    assert [column["fault"] for column in told["columns"]] == ["", ""]


def test_the_answers_are_those_of_the_networks_and_every_layer_has_its_figure(services: Services) -> None:
    told = ask(services, COMPACT, DENSE)
    dataset = services.samples[0]
    image = fit_images(dataset.images[dataset.indices_of(7)[3]][None], (28, 28, 1))
    for asked, column in zip((COMPACT, DENSE), told["columns"], strict=True):
        model = services.open(asked.model, asked.backend)
        np.testing.assert_allclose(column["probabilities"], model.probabilities(image)[0], atol=1e-5)
        assert [name for name, *_ in column["layers"]] == [layer.name for layer in model.layers]
    for number, row in enumerate(told["rows"]):
        for at, layer in enumerate(row):
            assert (f"{number}.{at}" in told["panels"]) == (layer is not None)
    assert all("figure" in part for part in told["panels"].values())
    row = told["rows"].index(("input", "input"))
    scales = [told["panels"][f"{row}.{at}"]["figure"]["data"][0]["zmax"] for at in (0, 1)]
    assert scales[0] == scales[1]
    assert told["incomparable"][0].startswith("They have different numbers of layers (")


def test_what_the_browser_has_is_not_sent_again_unless_its_scale_has_changed(services: Services) -> None:
    told = ask(services, COMPACT, DENSE)
    shown = {id: part["key"] for id, part in told["panels"].items()}
    again = ask(services, COMPACT, DENSE, shown=shown)
    assert all(part == {"key": shown[id]} for id, part in again["panels"].items())
    other = ask(services, COMPACT, DENSE, shown=shown, source=Source(sample=(1, 0), label=1))
    assert any("figure" in part for part in other["panels"].values())
    apart = ask(services, COMPACT, DENSE, shown=shown, view=View(shared=False))
    both = told["rows"].index(("logits", "logits"))
    assert "figure" in apart["panels"][f"{both}.0"]


def test_a_network_that_fails_in_mid_stroke_leaves_the_others_live(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*given: Any, **more: Any) -> Any:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(services.open("dense", "pytorch"), "trace", broken)
    told = ask(services, DENSE, COMPACT, COMPACT)
    assert told["fault"] is None
    assert told["columns"][0]["fault"] == "dense failed: RuntimeError: out of memory"
    assert told["columns"][0]["probabilities"] is None
    assert told["agreement"] == "Both see 7."
    assert {row[0] for row in told["rows"]} == {None}
    assert all("figure" in part for part in told["panels"].values())


def test_a_model_or_framework_that_is_not_there_says_so_in_its_own_column(services: Services) -> None:
    told = ask(services, COMPACT, Asked("nothing", "pytorch"), Asked("dense", "jax"))
    faults = [column["fault"] for column in told["columns"]]
    assert faults[0] == ""
    assert faults[1].startswith("There is no model 'nothing'")
    assert (
        faults[2] == "There is no backend 'jax'; there are pytorch, keras." or "There is no backend 'jax'" in faults[2]
    )
    assert told["columns"][0]["probabilities"] is not None


def test_networks_with_other_inputs_get_the_drawing_in_their_own_size(services: Services) -> None:
    services.open("dense-84x96", "pytorch")
    told = ask(services, DENSE, Asked("dense-84x96", "pytorch"))
    assert told["incomparable"][0].startswith("They take pictures of different sizes (")
    assert "28×28×1" in told["incomparable"][0]
    assert "96×84×1" in told["incomparable"][0]
    assert told["agreement"] == "Both see 7."


def test_networks_with_other_classes_say_what_can_be_compared(
    tmp_path: Path, pytorch: Backend, reference: ModuleType
) -> None:
    network = reference.NETWORKS["branches"]
    save_weights(tmp_path / "mine.safetensors", network, reference.random_weights(network))
    own = Services(model=str(tmp_path / "mine.safetensors"), backend="pytorch")
    for source in (own.model, "dense"):
        own.open(source, "pytorch")
    told = ask(own, DENSE, Asked(own.model, "pytorch"))
    assert [bool(column["probabilities"]) for column in told["columns"]] == [True, True]
    words = " ".join(told["incomparable"])
    assert "They tell different classes apart (Dense net, one hidden layer: 10; " in words
    assert "They take pictures of different sizes" in words
    fault = parity_told(own, Question(subjects=(DENSE, Asked(own.model, "pytorch")), source=SEVEN), {"other": 1})
    assert "pictures of different sizes" in fault["fault"]


def test_what_took_long_is_found_once() -> None:
    kept, found = Kept[int](), iter(range(9))
    assert [kept.get("a", lambda: next(found)), kept.get("a", lambda: next(found))] == [0, 0]
    assert kept.get("b", lambda: next(found)) == 1


def test_without_a_drawing_everything_waits_for_one(services: Services) -> None:
    told = ask(services, COMPACT, DENSE, source=Source())
    assert told["empty"]
    assert [column["probabilities"] for column in told["columns"]] == [None, None]
    assert told["agreement"] == ""
    parts = [part for part in told["panels"].values() if "withheld" in part]
    assert parts
    assert not any("figure" in part for part in parts)


def test_ink_that_cannot_be_read_is_one_sentence(services: Services) -> None:
    told = ask(services, COMPACT, DENSE, source=Source(ink="!!"), serial=4)
    assert told["serial"] == 4
    assert told["fault"]


@pytest.mark.parametrize("name", ["prediction", "filters", "model_differences", "architecture_graph"])
def test_any_view_can_stand_in_every_column_with_the_same_settings(services: Services, name: str) -> None:
    told = ask(services, COMPACT, DENSE, view=View(visualizer=name))
    figures = {id.rpartition(".")[2] for id, part in told["panels"].items() if "figure" in part}
    assert figures == {"0", "1"}


def test_a_second_image_is_the_same_for_every_column(services: Services) -> None:
    view = View("compare_images")
    told = ask(services, COMPACT, DENSE, view=view)
    assert {part["withheld"] for part in told["panels"].values()} == {
        "Choose a second image above, or keep this drawing as one."
    }
    told = ask(services, COMPACT, DENSE, view=replace(view, second=Source(sample=(3, 1))))
    assert all("figure" in part for part in told["panels"].values())


def test_a_view_of_runs_says_where_one_is_chosen(services: Services) -> None:
    told = ask(services, COMPACT, DENSE, view=View("training_curves"))
    assert told["panels"]["whole.0"]["withheld"].startswith("This network is no training run; choose one at the head")


def test_attributions_of_a_row_share_their_strongest_colour(services: Services) -> None:
    apart, shared = (
        [
            part["figure"]
            for part in ask(services, COMPACT, DENSE, view=View("gradient_map", shared=shares))["panels"].values()
        ]
        for shares in (False, True)
    )
    strengths = [figure["layout"]["meta"]["overlay"] for figure in apart]
    assert len({figure["layout"]["meta"]["legend"]["high"] for figure in shared}) == 1
    for figure, before, strength in zip(shared, apart, strengths, strict=True):
        cells, old = (np.asarray(each["data"][0]["z"]) for each in (figure, before))
        assert np.array_equal(cells == OUTLINE, old == OUTLINE)
        assert cells.max() == pytest.approx(old.max() * strength / max(strengths), abs=1)


def test_layers_chosen_by_hand_stand_in_one_row(services: Services) -> None:
    told = ask(services, DENSE, COMPACT, rows=(("dense1", "conv1"), ("nothing", "pool1")), view=View("filters"))
    assert told["rows"] == [("dense1", "conv1"), (None, "pool1")]
    assert "figure" in told["panels"]["0.0"]
    assert "figure" in told["panels"]["0.1"]
    assert "1.1" not in told["panels"]  # nothing of that row suits the view
    told = ask(services, DENSE, COMPACT, rows=(("dense1", "pool1"),), view=View("filters"))
    assert "needs a convolution or a dense layer" in told["panels"]["0.1"]["withheld"]


def test_the_selected_unit_counts_where_a_layer_has_it(services: Services) -> None:
    view = View(visualizer="dense_outputs", unit=20)
    told = ask(services, COMPACT, DENSE, rows=(("dense1", "logits"),), view=view)
    marked = [bool(told["panels"][f"0.{at}"]["figure"]["layout"]["shapes"]) for at in (0, 1)]
    assert marked == [True, False]  # logits has 10 units
    told = ask(services, COMPACT, DENSE, rows=(("dense1", "logits"),), view=View("layer_arithmetic", unit=20))
    assert "figure" in told["panels"]["0.0"]
    assert told["panels"]["0.1"]["withheld"] == "logits has no unit 20: its units are 0 to 9."


def test_a_view_that_takes_its_time_is_offered_and_runs_when_asked_to(services: Services) -> None:
    question = Question(subjects=(COMPACT, DENSE), source=SEVEN, view=View(visualizer="occlusion"))
    told = answer(services, question)
    assert all(part.get("on_request") for part in told["panels"].values())
    begun = run(services, question, "whole.1", "page")
    assert begun["id"]
    assert run(services, replace(question, view=View("nothing")), "whole.1")["status"] == "failed"


def test_a_question_is_read_as_the_browser_sends_it() -> None:
    sent: Mapping[str, Any] = {
        "subjects": [{"model": "cnn", "backend": "keras"}] * 6,
        "ink": {"serial": 3, "ink": None, "sample": [5, 1], "label": 5},
        "view": {"visualizer": "filters", "settings": {"columns": 4}, "unit": None, "shared": False},
        "rows": [["conv1", None]],
        "shown": {"0.0": "key"},
    }
    found = Question.of(sent)
    assert len(found.subjects) == 4
    assert (found.serial, found.source.sample, found.rows) == (3, (5, 1), (("conv1", None),))
    assert (found.view.visualizer, found.view.settings, found.view.shared) == ("filters", {"columns": 4}, False)


# Experiments


def test_shifting_moves_the_picture_and_loses_what_leaves_the_field() -> None:
    image = np.arange(12, dtype=np.float32).reshape(3, 4, 1)
    np.testing.assert_array_equal(shifted(image, 1, 0)[:, :, 0], [[0, 0, 0, 0], [0, 1, 2, 3], [4, 5, 6, 7]])
    np.testing.assert_array_equal(shifted(image, 0, -2)[:, :, 0], [[2, 3, 0, 0], [6, 7, 0, 0], [10, 11, 0, 0]])
    assert not shifted(image, 3, 0).any()


def test_a_shift_test_asks_about_every_place_at_once(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    model = services.open("cnn-compact", "pytorch")
    dataset = services.samples[0]
    image = fit_images(dataset.images[dataset.indices_of(7)[3]][None], (28, 28, 1))[0]
    found = shift_test(model, image, label=7)
    assert found.predicted.shape == found.confidence.shape == (21, 21)
    assert (found.offsets[0], found.offsets[10], found.offsets[-1]) == (-10, 0, 10)
    for row, column in ((0, 0), (10, 10), (3, 17)):
        moved = shifted(image, int(found.offsets[row]), int(found.offsets[column]))
        probabilities = model.probabilities(moved[None])[0]
        assert found.predicted[row, column] == probabilities.argmax()
        assert found.confidence[row, column] == pytest.approx(probabilities.max(), abs=1e-4)
    assert found.share == (found.predicted == 7).mean()
    assert shift_test(model, image).target == 7 != found.predicted[0, 0]
    large = services.open("dense-84x96", "pytorch")
    assert shift_test(large, np.zeros(large.input_shape, np.float32), farthest=1).offsets.tolist() == [-3, 0, 3]


def test_a_small_picture_is_shifted_by_whole_pixels(pytorch: Backend, reference: ModuleType) -> None:
    model = pytorch.build(reference.NETWORKS["dense"], seed=1)
    assert shift_test(model, np.zeros(model.input_shape, np.float32), farthest=1).offsets.tolist() == [-1, 0, 1]


def test_the_share_of_digits_at_each_place_is_that_of_the_single_ones(services: Services, mnist_test: Dataset) -> None:
    model = services.open("dense", "pytorch")
    images, labels = mnist_test.floats(slice(0, 3)), mnist_test.labels[:3]
    found = shift_shares(model, images, labels, farthest=2)
    single = [shift_test(model, image, int(label), 2).right for image, label in zip(images, labels, strict=True)]
    np.testing.assert_allclose(found, np.mean(single, axis=0), atol=1e-6)
    assert found[2, 2] == 1
    assert shift_shares(model, images, (labels + 1) % 10, farthest=0) == 0
    told = shifts_of_digits_told(services, Question(subjects=(DENSE, Asked("nothing", "pytorch"))), Kept())
    assert len(told["columns"][0]["shares"]) == 441
    assert told["columns"][1] is None


def test_a_dense_net_cannot_tell_pixels_in_another_order_if_its_weights_are_in_that_order(
    services: Services, mnist_test: Dataset
) -> None:
    dense, compact = (services.open(name, "pytorch") for name in ("dense", "cnn-compact"))
    order = pixel_order((28, 28, 1))
    assert sorted(order) == list(range(784))
    images, labels = mnist_test.floats(slice(0, 300)), mnist_test.labels[:300]
    used = used_to(dense, order)
    assert used is not None
    np.testing.assert_allclose(used.probabilities(permuted(images, order)), dense.probabilities(images), atol=1e-5)
    assert used_to(compact, order) is None
    assert pixel_order((28, 28, 1)).tolist() == order.tolist()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dense, "capabilities", dense.capabilities - {Capability.OTHER_WEIGHTS})
        assert used_to(dense, order) is None
    plain, mixed, again = accuracy_when_permuted(dense, images, labels, order)
    assert plain == again > 0.97
    assert mixed < 0.3
    plain, mixed, nothing = accuracy_when_permuted(compact, images, labels, order)
    assert (plain > 0.97, mixed < 0.3, nothing) == (True, True, None)


def test_the_experiments_tell_of_every_network(services: Services) -> None:
    question = Question(subjects=(DENSE, COMPACT), source=SEVEN)
    moved = shifts_told(services, question)
    assert len(moved["columns"]) == 2
    assert all(len(column["predicted"]) == 441 for column in moved["columns"])
    assert " % of the places" in moved["words"]
    mixed = permutation_told(services, question)
    told = mixed["columns"][0]
    assert told["answers"]["as it is"] == told["answers"]["weights permuted as well"]
    assert mixed["columns"][1]["answers"]["weights permuted as well"] is None


def test_parity_tells_of_the_drawing_and_of_test_images(services: Services) -> None:
    same = Question(subjects=(COMPACT, COMPACT), source=SEVEN)
    told = parity_told(services, same, {"other": 1, "tolerance": 1e-4, "sample": True})
    assert told["drawing"]["passed"]
    assert told["sample"]["passed"]
    assert (told["drawing"]["images"], told["sample"]["images"]) == (1, 256)
    other = parity_told(services, Question(subjects=(COMPACT, DENSE), source=SEVEN), {"other": 1})
    assert not other["drawing"]["passed"]
    assert "sample" not in other
    sizes = Question(subjects=(DENSE, Asked("dense-84x96", "pytorch")), source=SEVEN)
    services.open("dense-84x96", "pytorch")
    assert "pictures of different sizes" in parity_told(services, sizes, {"other": 1})["fault"]


# Measures


def test_what_a_network_costs_and_is_worth(services: Services) -> None:
    measures = Measures(services)
    facts = measures.facts(DENSE, services.open("dense", "pytorch"))
    assert facts["parameters"] == 407_050
    assert facts["multiply_adds"] == 784 * 512 + 512 * 10
    assert facts["bytes"] > 4 * 407_050
    model: Model = services.open("dense", "pytorch")
    assert 0 < latency(model, 5) < 1
