"""One request, one answer: what the page is told for a drawing, from a real model, and for everything that is none."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from layerscope.backends.base import Backend, BackendError, Edit, Model
from layerscope.datasets.base import Dataset
from layerscope.drawing.ink import encode_ink
from layerscope.drawing.pipeline import Steps, prepare
from layerscope.drawing.strokes import draw_strokes
from layerscope.layouts.answer import Request, answer, run
from layerscope.layouts.arrangements import every_layer, first_with_weights
from layerscope.layouts.pictures import Source
from layerscope.layouts.services import Services
from layerscope.layouts.state import Beside, Panel, Selected
from layerscope.layouts.wire import packed
from layerscope.models.run import Run
from layerscope.visualizers.contract import NoSettings, Subject, visualizer
from layerscope.visualizers.registry import register
from plotly.graph_objects import Figure

SEVEN = draw_strokes([np.array([(0.25, 0.2), (0.75, 0.2), (0.4, 0.85)])])
DRAWN = Source(encode_ink(SEVEN))
STAGES = ["ink", "invert", "crop", "scale", "centre", "input"]
Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def services(pytorch: Backend, data_dir: Path) -> Services:
    return Services(model="cnn-compact", backend="pytorch", data=data_dir)


@pytest.fixture(scope="module")
def model(services: Services) -> Model:
    return services.open("cnn-compact", "pytorch")


@pytest.fixture
def ask(services: Services) -> Ask:
    """Asks for an answer, which must be what JSON can carry."""

    def asked(source: Source = DRAWN, *panels: Panel, by: Services = services, **changed: Any) -> dict[str, Any]:
        request = Request(
            model="cnn-compact", backend="pytorch", source=source, steps=Steps(), selected=Selected(), panels=panels,
            shown={},
        )  # fmt: skip
        given = answer(by, replace(request, **changed))
        packed(given)  # raises for what cannot travel
        return given

    return asked


def trace_of(panel: Mapping[str, Any]) -> Mapping[str, Any]:
    """The first trace of a panel's figure."""
    first: Mapping[str, Any] = panel["figure"]["data"][0]
    return first


def test_a_drawing_is_answered_with_the_models_own_probabilities(ask: Ask, model: Model) -> None:
    given = ask(serial=7)
    expected = model.probabilities(prepare(SEVEN, (28, 28, 1)).image[None])[0]
    assert given["prediction"]["probabilities"] == pytest.approx(expected.tolist(), abs=1e-7)
    assert int(np.argmax(given["prediction"]["probabilities"])) == 7
    assert given["prediction"]["label"] is None
    assert (given["serial"], given["fault"], given["empty"]) == (7, None, False)
    assert given["subject"]["parameters"] == 93_322
    assert given["subject"]["title"].endswith("PyTorch")
    assert given["subject"]["classes"] == list("0123456789")


def test_every_step_to_the_input_is_a_picture(ask: Ask) -> None:
    stages = ask()["stages"]
    assert [stage["name"] for stage in stages] == STAGES
    for stage in stages:
        assert stage["pixels"].dtype == np.uint8
        assert stage["pixels"].max() == 255 or stage["name"] != "ink"
        assert stage["title"]
        assert stage["note"] or stage["name"] == "ink"
    np.testing.assert_array_equal(stages[-1]["pixels"], np.rint(prepare(SEVEN, (28, 28, 1)).image[:, :, 0] * 255))


def test_a_step_that_is_off_changes_the_answer(ask: Ask) -> None:
    whole = ask()
    raw = ask(steps=Steps(crop=False, scale=False, centre=False))
    assert [stage["active"] for stage in raw["stages"]] == [True, True, False, False, False, True]
    assert not np.array_equal(raw["stages"][-1]["pixels"], whole["stages"][-1]["pixels"])
    assert raw["prediction"]["probabilities"] != whole["prediction"]["probabilities"]


def test_empty_paper_is_invited_to_be_drawn_on(ask: Ask) -> None:
    given = ask(Source(), Panel("a", "feature_maps", "conv1"), Panel("b", "filters", "conv1"))
    assert given["empty"]
    assert given["prediction"] is None
    assert given["panels"]["a"]["withheld"] == "Draw something, or choose a sample."
    assert "withheld" not in given["panels"]["b"]
    assert trace_of(given["panels"]["b"])["type"] == "heatmap"
    assert [stage["note"] for stage in given["stages"]] == ["nothing drawn yet"] * 6


def test_the_figure_behind_an_invitation_has_the_place_of_the_coming_one(ask: Ask) -> None:
    panel = Panel("a", "feature_maps", "conv1")
    rehearsed, drawn = ask(Source(), panel)["panels"]["a"], ask(DRAWN, panel)["panels"]["a"]
    assert trace_of(rehearsed)["z"].shape == trace_of(drawn)["z"].shape
    assert rehearsed["figure"]["layout"]["uirevision"] == drawn["figure"]["layout"]["uirevision"]
    assert rehearsed["key"] != drawn["key"]


def test_a_figure_shows_the_trace(ask: Ask, model: Model) -> None:
    image = prepare(SEVEN, (28, 28, 1)).image[None]
    panel = ask(DRAWN, Panel("a", "feature_maps", "pool1"))["panels"]["a"]
    np.testing.assert_array_equal(trace_of(panel)["z"][:13, :13], model.trace(image)["pool1"][0, :, :, 0])


def test_what_the_browser_has_is_not_sent_again(ask: Ask) -> None:
    panels = every_layer(Services(model="cnn-compact").layers("cnn-compact"))
    first = ask(DRAWN, *panels)["panels"]
    assert all("figure" in part or "withheld" in part for part in first.values())
    again = ask(DRAWN, *panels, shown={id: part["key"] for id, part in first.items()})["panels"]
    assert again == {id: {"key": part["key"]} for id, part in first.items()}


def test_a_stroke_resends_what_depends_on_the_image_only(ask: Ask) -> None:
    panels = (
        Panel("image", "feature_maps", "conv1"),
        Panel("weights", "filters", "conv1"),
        Panel("table", "layer_table"),
    )
    keys = {id: part["key"] for id, part in ask(DRAWN, *panels)["panels"].items()}
    line = Source(encode_ink(draw_strokes([np.array([(0.5, 0.2), (0.5, 0.8)])])))
    changed = ask(line, *panels, shown=keys)["panels"]
    assert {id for id, part in changed.items() if "figure" in part} == {"image"}


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "cnn-two-block"},
        {"selected": Selected("conv2")},
        {"selected": Selected("conv1", 3)},
        {"steps": Steps(centre=False)},
    ],
    ids=str,
)
def test_another_subject_changes_the_figures_that_follow_it(ask: Ask, changed: dict[str, Any]) -> None:
    panel = Panel("a", "feature_maps")
    key = ask(DRAWN, panel)["panels"]["a"]["key"]
    assert "figure" in ask(DRAWN, panel, shown={"a": key}, **changed)["panels"]["a"]


def test_a_setting_changes_its_own_figure(ask: Ask) -> None:
    panel = Panel("a", "feature_maps", "conv1", {"columns": 16})
    drawn = ask(DRAWN, panel)["panels"]["a"]
    assert drawn["figure"]["layout"]["meta"]["tiles"]["columns"] == 16
    changed = ask(DRAWN, replace(panel, settings={"columns": 4}), shown={"a": drawn["key"]})["panels"]["a"]
    assert changed["figure"]["layout"]["meta"]["tiles"]["columns"] == 4


def test_a_new_label_is_told_without_a_new_image(ask: Ask) -> None:
    panel = Panel("a", "prediction")
    known, unknown = ask(replace(DRAWN, label=7), panel), ask(DRAWN, panel)
    assert known["prediction"]["label"] == 7
    assert known["panels"]["a"]["key"] != unknown["panels"]["a"]["key"]


def test_a_label_that_the_model_has_no_class_for_is_no_label(ask: Ask) -> None:
    given = ask(replace(DRAWN, label=10), Panel("a", "prediction"))
    assert given["prediction"]["label"] is None
    assert "figure" in given["panels"]["a"]


@pytest.mark.parametrize("layer", [None, "conv9"])
def test_a_model_without_the_selected_layer_selects_its_first_with_weights(ask: Ask, layer: str | None) -> None:
    given = ask(selected=Selected(layer, 3))
    assert given["selected"] == {"layer": "conv1", "unit": None, "position": None, "target": None}


@pytest.mark.parametrize(("unit", "kept"), [(0, 0), (31, 31), (32, None), (-1, None), (None, None)])
def test_a_unit_that_the_layer_lacks_is_not_selected(ask: Ask, unit: int | None, kept: int | None) -> None:
    assert ask(selected=Selected("conv1", unit))["selected"]["unit"] == kept


@pytest.mark.parametrize(
    ("panel", "words"),
    [
        (Panel("a", "magic"), "There is no visualizer called 'magic'."),
        (Panel("a", "filters", "conv9"), "cnn-compact has no layer 'conv9'; choose another one above."),
        (Panel("a", "filters", "pool1"), "This view needs a convolution or a dense layer; choose conv1."),
        (Panel("a", "feature_maps", "dense1"), "This view needs a layer whose output has height and width"),
        (Panel("a", "filters", "conv1", {"colour": 1}), "There is no setting 'colour'"),
        (Panel("a", "feature_maps", "conv1", {"columns": 99}), "'columns' lies between 0 and 32. Received: 99"),
        (Panel("a", "feature_maps", "conv1", {"columns": "many"}), "Received: 'many'"),
    ],
    ids=str,
)
def test_a_panel_that_cannot_be_shown_says_why_and_leaves_the_others(ask: Ask, panel: Panel, words: str) -> None:
    given = ask(DRAWN, panel, Panel("b", "feature_maps", "conv1"))
    assert words in given["panels"]["a"]["withheld"]
    assert "figure" not in given["panels"]["a"]
    assert "figure" in given["panels"]["b"]
    assert given["fault"] is None
    assert "withheld" not in ask(DRAWN, panel, shown={"a": given["panels"]["a"]["key"]})["panels"]["a"]


@dataclass(frozen=True)
class FaultySettings(NoSettings):
    """None."""


@visualizer(title="Faulty", needs=set())
def faulty(subject: Subject, settings: FaultySettings) -> Figure:
    """Fails, as a plugin in the making does."""
    raise ZeroDivisionError("by nothing")


def test_a_visualizer_that_fails_does_so_in_its_own_panel(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    undo = register(faulty)
    given = ask(DRAWN, Panel("a", "faulty"), Panel("b", "filters", "conv1"))
    undo()
    assert given["panels"]["a"]["withheld"] == "This view failed: ZeroDivisionError: by nothing"
    assert "figure" in given["panels"]["b"]
    assert [record.message for record in caplog.records if record.exc_info] == ["The visualizer faulty failed"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"model": "alexnet"}, "There is no model 'alexnet'; bundled are "),
        ({"backend": "theano"}, "'theano'"),
        ({"source": Source("!!!")}, "The drawing in the address is damaged"),
        ({"source": Source(sample=(12, 0))}, "has the classes 0, 1, "),
        ({"source": Source(sample=(5, 100_000))}, "Received: 100000"),
    ],
    ids=str,
)
def test_a_fault_of_the_whole_page_is_one_sentence(
    ask: Ask, caplog: pytest.LogCaptureFixture, changed: dict[str, Any], words: str
) -> None:
    given = ask(serial=3, **{"source": DRAWN, **changed})
    assert set(given) == {"serial", "fault"}
    assert given["serial"] == 3
    assert words in given["fault"]
    assert [(record.levelno, record.message) for record in caplog.records] == [(logging.ERROR, given["fault"])]


def test_a_fault_that_nobody_thought_of_is_one_sentence_and_its_traceback_is_logged(
    ask: Ask, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Services, "visualizers", None)
    given = ask(DRAWN, Panel("a", "filters"))
    assert given["fault"].startswith("Layerscope failed (TypeError: ")
    assert given["fault"].endswith("; its log says more.")
    assert caplog.records[-1].exc_info


def test_a_sample_reaches_the_network_as_it_is_stored(ask: Ask, model: Model, mnist_test: Dataset) -> None:
    given = ask(Source(sample=(5, 12), label=5), steps=Steps(invert=False, centre=False))
    position = mnist_test.indices_of(5)[12]
    expected = model.probabilities(mnist_test.floats([position]))[0]
    assert given["prediction"]["probabilities"] == pytest.approx(expected.tolist(), abs=1e-7)
    assert given["prediction"]["label"] == 5
    assert "MNIST" in given["stages"][0]["note"]
    pixels = given["stages"][-1]["pixels"]
    np.testing.assert_array_equal(pixels, mnist_test.images[position, :, :, 0])


def test_the_first_arrangement_shows_every_layer_in_order(services: Services) -> None:
    layers = services.layers("cnn-compact")
    panels = every_layer(layers)
    assert [panel.layer for panel in panels if panel.layer] == [layer.name for layer in layers]
    assert {"filters", "network_view", "architecture_graph", "layer_table"} < {panel.visualizer for panel in panels}
    assert len({panel.id for panel in panels}) == len(panels)
    assert first_with_weights(layers) == "conv1"


def test_muted_units_change_every_number_and_those_that_are_not_there_are_said(ask: Ask, model: Model) -> None:
    plain, panel = ask(DRAWN, Panel("a", "feature_maps", "conv1_relu")), Panel("a", "feature_maps", "conv1_relu")
    edits = [("conv1_relu", 0, 0.0), ("conv9", 0, 0.0), ("conv1", 99, 0.0)]
    given = ask(DRAWN, panel, edits=edits)
    assert given["edited"] == [True, False, False]
    expected = model.probabilities(prepare(SEVEN, (28, 28, 1)).image[None], [Edit("conv1_relu", 0)])[0]
    assert given["prediction"]["probabilities"] == pytest.approx(expected.tolist(), abs=1e-7)
    assert given["panels"]["a"]["key"] != plain["panels"]["a"]["key"]
    picture = trace_of(given["panels"]["a"])["z"]
    assert not picture[:26, :26].any()
    assert trace_of(plain["panels"]["a"])["z"][:26, :26].any()


def test_a_position_and_a_target_class_are_kept_where_they_exist(ask: Ask) -> None:
    kept = ask(selected=Selected("conv1", 3, (25, 0), 9))["selected"]
    assert kept == {"layer": "conv1", "unit": 3, "position": [25, 0], "target": 9}
    lost = ask(selected=Selected("conv1", 3, (26, 0), 10))["selected"]
    assert lost == {"layer": "conv1", "unit": 3, "position": None, "target": None}


def test_a_view_that_takes_its_time_waits_to_be_asked(ask: Ask, services: Services) -> None:
    panel = Panel("a", "accuracy", settings={"images": 100})
    assert ask(DRAWN, panel)["panels"]["a"] | {"key": ""} == {"key": "", "on_request": True}
    request = Request(
        model="cnn-compact", backend="pytorch", source=DRAWN, steps=Steps(), selected=Selected(), panels=[panel],
        shown={},
    )  # fmt: skip
    job = services.jobs.job(run(services, request, "a")["id"])
    assert job
    end = time.monotonic() + 30
    while not job.over:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert job.status == "done"
    given = ask(DRAWN, panel)["panels"]["a"]
    assert given["key"] == job.key
    assert given["figure"]["data"]
    assert given["cost"].endswith(" s")
    assert "on_request" in ask(DRAWN, panel, edits=[("conv1", 0, 0.0)])["panels"]["a"]


def test_words_beside_a_figure_are_a_job_of_their_own(ask: Ask, services: Services) -> None:
    panel = Panel("a", "gradient_map")
    key = ask(DRAWN, panel)["panels"]["a"]["key"]
    request = Request(
        model="cnn-compact", backend="pytorch", source=DRAWN, steps=Steps(), selected=Selected(), panels=[panel, MAPS],
        shown={},
    )  # fmt: skip
    job = services.jobs.job(run(services, request, "a aside")["id"])
    assert job
    assert (job.panel, job.key) == ("a aside", f"{key} aside")
    end = time.monotonic() + 30
    while not job.over:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert "deletion" in job.data["words"]
    assert "figure" in ask(DRAWN, panel)["panels"]["a"], "the words are not taken for a figure"
    assert run(services, request, f"{MAPS.id} aside")["message"] == "Feature maps has nothing to say beside its figure."
    assert run(services, request, "c aside")["message"] == "This panel is gone."


def test_a_selection_that_a_slow_view_does_not_ask_for_does_not_begin_it_again(ask: Ask) -> None:
    def keys(selected: Selected) -> list[str]:
        panels = Panel("a", "accuracy"), Panel("b", "feature_visualisation")
        return [ask(DRAWN, panel, selected=selected)["panels"][panel.id]["key"] for panel in panels]

    one, other = keys(Selected("conv1", 1)), keys(Selected("conv1", 2))
    assert one[0] == other[0]
    assert one[1] != other[1]


SECOND = Beside(Source(sample=(1, 3)))


def test_a_second_image_goes_through_the_same_model_with_the_same_edits(
    ask: Ask, model: Model, mnist_test: Dataset
) -> None:
    panel, edits = Panel("a", "compare_images", "conv1"), [("conv1", 0, 0.5)]
    given = ask(DRAWN, panel, beside=SECOND, edits=edits)["panels"]["a"]
    images = prepare(SEVEN, (28, 28, 1)).image, mnist_test.floats(mnist_test.indices_of(1)[[3]])[0]
    one, two = model.trace(np.stack(images), ["conv1"], [Edit("conv1", 0, 0.5)])["conv1"]
    np.testing.assert_allclose(trace_of(given)["z"][:26, :26], (one - two)[:, :, 0], atol=1e-6)


def test_a_second_image_redraws_what_shows_it_and_nothing_else(ask: Ask, services: Services) -> None:
    panels = Panel("a", "compare_images", "conv1"), Panel("b", "feature_maps", "conv1")
    keys = {id: part["key"] for id, part in ask(DRAWN, *panels, beside=SECOND)["panels"].items()}
    again = ask(DRAWN, *panels, beside=SECOND, shown=keys)["panels"]
    assert again == {id: {"key": key} for id, key in keys.items()}
    changed = ask(DRAWN, *panels, beside=Beside(DRAWN), shown=keys)["panels"]
    assert set(changed["a"]) > {"figure"}
    assert set(changed["b"]) == {"key"}
    stroke = ask(Source(sample=(7, 0)), *panels, beside=SECOND, shown=keys)["panels"]
    assert all("figure" in part for part in stroke.values())


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (Source("!!!"), "The second image cannot be had. The drawing in the address is damaged"),
        (Source(sample=(5, 100_000)), "The second image cannot be had. MNIST test images has"),
    ],
    ids=["ink", "sample"],
)
def test_a_second_image_that_cannot_be_had_concerns_its_own_panels(ask: Ask, image: Source, words: str) -> None:
    given = ask(DRAWN, Panel("a", "compare_images", "conv1"), Panel("b", "feature_maps", "conv1"), beside=Beside(image))
    assert given["fault"] is None
    assert given["panels"]["a"]["withheld"].startswith(words)
    assert "figure" in given["panels"]["b"]


def test_what_is_missing_comes_with_the_click_that_helps(ask: Ask) -> None:
    panels = Panel("a", "compare_images", "conv1"), Panel("b", "model_differences"), Panel("c", "training_curves")
    given = ask(DRAWN, *panels)["panels"]
    assert given["a"]["remedy"] == {"second_image": "this drawing"}
    assert given["b"]["remedy"] == {"second_model": "the same network on another backend"}
    assert given["c"]["withheld"] == "There are no training runs yet; what a training measures is shown here."
    empty = ask(Source(), *panels)["panels"]
    assert empty["a"]["withheld"].startswith("This view needs a second image")
    assert empty["a"]["remedy"] is None


def until_open(ask: Ask, *panels: Panel, by: Services, beside: Beside) -> dict[str, Any]:
    """The first answer in which the second model is there, or has failed."""
    end = time.monotonic() + 60
    while (given := ask(DRAWN, *panels, by=by, beside=beside))["beside"]["opening"]:
        assert given["panels"]["a"]["withheld"].endswith("…")
        assert time.monotonic() < end
        time.sleep(0.05)
    return given


TWO, MAPS = Panel("a", "model_differences"), Panel("b", "feature_maps", "conv1")


def test_the_second_model_sees_the_drawing_in_its_own_size(ask: Ask, services: Services) -> None:
    given = until_open(ask, TWO, by=services, beside=Beside(model="dense-84x96", backend="pytorch"))
    answers = given["panels"]["a"]["figure"]["data"][2]
    large = services.open("dense-84x96", "pytorch")
    expected = large.probabilities(prepare(SEVEN, (96, 84, 1)).image[None])[0]
    np.testing.assert_allclose(answers["x"], expected, atol=1e-6)


def test_muted_units_are_muted_in_the_same_network_only(ask: Ask, services: Services) -> None:
    edits = [("conv1", 0, 0.0)]
    until_open(ask, TWO, by=services, beside=Beside(model="cnn-compact", backend="pytorch"))
    twice = ask(DRAWN, TWO, beside=Beside(model="cnn-compact", backend="pytorch"), edits=edits)
    assert set(twice["panels"]["a"]["figure"]["data"][0]["text"]) == {"equal"}
    until_open(ask, TWO, by=services, beside=Beside(model="cnn-two-block", backend="pytorch"))
    other = Beside(model="cnn-two-block", backend="pytorch")
    edited, plain = (ask(DRAWN, TWO, beside=other, edits=made)["panels"]["a"]["figure"]["data"] for made in (edits, []))
    np.testing.assert_array_equal(edited[2]["x"], plain[2]["x"])
    assert packed(edited[0]) != packed(plain[0])


def test_another_second_model_redraws_what_shows_it(ask: Ask, services: Services) -> None:
    one, two = (Beside(model=name, backend="pytorch") for name in ("dense", "cnn-two-block"))
    keys = {id: part["key"] for id, part in until_open(ask, TWO, MAPS, by=services, beside=one)["panels"].items()}
    until_open(ask, TWO, by=services, beside=two)
    given = ask(DRAWN, TWO, MAPS, beside=two, shown=keys)["panels"]
    assert "figure" in given["a"]
    assert given["b"] == {"key": keys["b"]}
    assert ask(DRAWN, TWO, MAPS, beside=one, shown=keys)["panels"] == {id: {"key": key} for id, key in keys.items()}


def test_a_page_goes_on_while_a_second_model_is_opened_and_only_where_one_is_needed(
    ask: Ask, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services, opened, go_on = Services(model="cnn-compact", backend="pytorch", data=data_dir), [], threading.Event()
    services.open("cnn-compact", "pytorch")
    real = services.pool.open

    def slowly(name: str, backend: str) -> Model:
        if name == "dense":
            opened.append(name)
            assert go_on.wait(30)
        return real(name, backend)

    monkeypatch.setattr(services.pool, "open", slowly)
    beside = Beside(model="dense", backend="pytorch")
    assert not ask(DRAWN, MAPS, by=services, beside=beside)["beside"]["opening"]
    assert opened == []
    given = ask(DRAWN, TWO, MAPS, by=services, beside=beside)
    assert given["panels"]["a"]["withheld"] == "Opening dense…"
    assert given["beside"]["opening"]
    assert "figure" in given["panels"]["b"]
    assert given["prediction"]
    go_on.set()
    assert "figure" in until_open(ask, TWO, by=services, beside=beside)["panels"]["a"]
    assert opened == ["dense"]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (BackendError("Install layerscope[keras]."), "The second model cannot be opened. Install layerscope[keras]."),
        (OSError("disk on fire"), "The second model cannot be opened. OSError: disk on fire; the log says more."),
    ],
    ids=["expected", "unexpected"],
)
def test_a_second_model_that_cannot_be_opened_concerns_its_own_panels(
    ask: Ask, data_dir: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception, words: str
) -> None:
    services = Services(model="cnn-compact", backend="pytorch", data=data_dir)
    real = services.pool.open

    def failing(name: str, backend: str) -> Model:
        if name == "dense":
            raise fault
        return real(name, backend)

    monkeypatch.setattr(services.pool, "open", failing)
    given = until_open(ask, TWO, MAPS, by=services, beside=Beside(model="dense", backend="pytorch"))
    assert given["panels"]["a"]["withheld"] == words
    assert given["fault"] is None
    assert "figure" in given["panels"]["b"]


@dataclass(frozen=True)
class Trained(Services):
    """Services with one training run."""

    trained: list[Run] = field(default_factory=list)

    @property
    def runs(self) -> Mapping[str, str]:
        return {run.id: run.title for run in self.trained}

    def run(self, id: str) -> Run | None:
        return next((run for run in self.trained if run.id == id), None)


def run_of(steps: int) -> Run:
    measured = np.linspace(0.9, 0.1, steps, dtype=np.float32)
    return Run(id="r", title="My run", model="cnn", backend="keras", status="training", steps=np.arange(1, steps + 1),
               losses=measured, accuracies=1 - measured)  # fmt: skip


def test_a_training_run_is_shown_and_redrawn_when_there_is_more_of_it(
    ask: Ask, data_dir: Path, pytorch: Backend
) -> None:
    services = Trained(model="cnn-compact", backend="pytorch", data=data_dir, trained=[run_of(10)])
    panel = Panel("a", "training_curves")
    offered = ask(Source(), panel, by=services)
    assert offered["beside"]["runs"] == [("r", "My run")]
    assert offered["panels"]["a"]["remedy"] == {"run": "the latest"}
    drawn = ask(Source(), panel, by=services, beside=Beside(run="r"))["panels"]["a"]
    np.testing.assert_array_equal(trace_of(drawn)["y"], services.trained[0].losses)
    assert ask(Source(), panel, by=services, beside=Beside(run="r"))["beside"]["going"]
    services.trained[0] = replace(services.trained[0], status="done")
    ended = ask(Source(), panel, by=services, beside=Beside(run="r"))
    assert not ended["beside"]["going"]
    drawn = ended["panels"]["a"]
    shown = {"a": drawn["key"]}
    assert set(ask(Source(), panel, by=services, beside=Beside(run="r"), shown=shown)["panels"]["a"]) == {"key"}
    services.trained[0] = run_of(20)
    assert "figure" in ask(Source(), panel, by=services, beside=Beside(run="r"), shown=shown)["panels"]["a"]
    gone = ask(Source(), panel, by=services, beside=Beside(run="x"))["panels"]["a"]
    assert gone["withheld"] == "There is no training run 'x' any more; choose another one."
    assert ask(Source(), MAPS, by=services)["beside"]["runs"] is None


@pytest.mark.parametrize(
    ("panel", "words"),
    [
        (Panel("a", "filters", "pool1"), "This view needs a convolution or a dense layer; choose conv1."),
        (Panel("a", "accuracy", settings={"images": 1}), "Setting 'images' lies between 100 and 10000. Received: 1"),
    ],
    ids=["does not apply", "wrong setting"],
)
def test_what_cannot_run_says_why(services: Services, panel: Panel, words: str) -> None:
    request = Request(
        model="cnn-compact", backend="pytorch", source=DRAWN, steps=Steps(), selected=Selected(), panels=[panel],
        shown={},
    )  # fmt: skip
    told = run(services, request, "a")
    assert (told["id"], told["status"], told["message"]) == (None, "failed", words)
