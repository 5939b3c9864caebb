"""Time travel on the page: one slider takes the answer, the maps and the curves through a real training."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from layerscope.backends.opening import open_model
from layerscope.evaluation.metrics import measure
from layerscope.evaluation.predictions import predict
from layerscope.evaluation.sets import labelled
from layerscope.layouts.pictures import Source
from layerscope.models.bundled import BUNDLED
from layerscope.training.folder import Status
from layerscope.training.runs import RunStore
from playwright.sync_api import expect

if TYPE_CHECKING:
    from dashboard import Dashboard

pytestmark = pytest.mark.browser

PANELS = [("filters", "conv1"), ("feature_maps", "conv2_relu"), ("prediction", None)]
LAST = 6
POINTS = """(name) => [...document.querySelector(`.time-curves path[data-class="${name}"]`).getAttribute("d")
    .matchAll(/[ML](\\d+) ([\\d.e-]+)/g)].map(([, , y]) => 1 - y / 100)"""
KEEP_MOMENTS = """() => { window.moments = []; new MutationObserver(() => moments.push(
    document.querySelector(".time-words strong").textContent)).observe(document.querySelector(".panels-title"),
    { childList: true, characterData: true, subtree: true }); }"""

COUNT = """() => { window.steps = history.length; window.emptied = 0; new MutationObserver(() => emptied++).observe(
    document.querySelector(".found"), { attributes: true, attributeFilter: ["hidden"] }); }"""


@pytest.fixture(scope="module")
def home(trained: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the training in it, to which a test adds another."""
    copy = tmp_path_factory.mktemp("snapshots") / "home"
    shutil.copytree(trained.home, copy)
    return copy


@pytest.fixture(scope="module")
def address(home: Path, server_class: Callable[..., Any]) -> Iterator[str]:
    """A server that has the training."""
    started = server_class(home)
    yield started.address
    started.stop()
    assert "Traceback" not in started.log.read_text()


@pytest.fixture
def page(window: Callable[..., Dashboard], address: str) -> Dashboard:
    return window(address)


@pytest.fixture
def model_at(trained: Any) -> Callable[..., Any]:
    """Opens a snapshot by its place in time, without the page."""

    def opened(place: int, backend: str = "pytorch") -> Any:
        return open_model(str(RunStore(trained.home).snapshots(trained.id)[place].path), backend)

    return opened


def test_the_slider_takes_the_whole_page_through_the_training(
    page: Dashboard,
    trained: Any,
    model_at: Callable[..., Any],
    image_of: Callable[..., Any],
    strokes: Callable[..., Any],
) -> None:
    run, window = f"run:{trained.id}", page.page
    page.visit(*PANELS, model=f"{run}@epoch-000")
    words, slider = window.locator(".time-words"), window.get_by_label("Moment of the training")
    expect(words).to_have_text("Before the first stepIts weights are random.")
    expect(window.locator(".time-hint")).to_have_text("Draw a digit: its answer at every moment appears here.")
    page.draw(strokes(7))
    mounted = [panel.get_attribute("data-panel") for panel in page.panels().all()]

    def holds(place: int, backend: str = "pytorch") -> None:
        page.rest()
        model, image = model_at(place, backend), image_of(page.source)
        np.testing.assert_allclose(page.probabilities(), model.probabilities(image)[0], atol=1e-4)
        expected = model.trace(image)["conv2_relu"][0, :, :, 3]
        np.testing.assert_allclose(page.tile("conv2_relu", 3), expected, atol=1e-4)
        np.testing.assert_allclose(page.tile("conv1", 5, "filters"), model.weights("conv1")["kernel"][:, :, 0, 5])

    holds(0)
    window.locator("body").click(position={"x": 700, "y": 5})
    window.keyboard.press("ArrowRight")
    expect(words).to_contain_text("⅛ of the first epoch")
    told = f"{words.locator('strong').inner_text()}. {words.locator('span').inner_text()}"
    expect(slider).to_have_attribute("aria-valuetext", told)
    page.rest()
    assert page.address["model"].startswith(f"{run}@epoch-000_step-")
    slider.press("End")
    expect(words).to_contain_text("Epoch 3 of 3")
    holds(LAST)
    assert page.address["model"] == run
    expect(window.locator(".panels-title")).to_have_text("Three epochs · run · PyTorch")

    curves = window.locator(".time-curves")
    page.page.wait_for_selector(".time-curves path")
    box = curves.bounding_box()
    assert box
    curves.click(position={"x": box["width"] * 4 / LAST, "y": 20})
    expect(words).to_contain_text("Epoch 1 of 3")
    holds(4)
    assert [panel.get_attribute("data-panel") for panel in page.panels().all()] == mounted
    points = np.array([window.evaluate(POINTS, str(digit)) for digit in range(10)])
    for place in (0, 4, LAST):
        expected = model_at(place).probabilities(image_of(page.source))[0]
        np.testing.assert_allclose(points[:, place], expected, atol=1e-4)

    before, answered = page.address, page.probabilities()
    window.reload()
    holds(4)
    assert page.address == before
    page.switch_backend("Keras")
    holds(4, "keras")
    assert page.address == {**before, "backend": "keras"}
    np.testing.assert_allclose(page.probabilities(), answered, atol=1e-4)
    window.keyboard.press("Delete")
    expect(window.locator(".time-curves path")).to_have_count(0)
    page.rest().draw(strokes(1))
    expect(window.locator(".time-curves path")).to_have_count(10)


def test_it_plays_one_moment_after_the_other_and_stops_at_the_end(page: Dashboard, trained: Any) -> None:
    beside = {"second_model": f"run:{trained.id}@epoch-000", "second_backend": "pytorch"}
    window = page.visit(*PANELS, model=f"run:{trained.id}@epoch-100", sample="7.0", **beside).page
    expect(window.locator("#second-model")).to_have_value("PyTorch · Three epochs · run")
    expect(page.notice).to_contain_text("unknown snapshot, 'epoch-100'")
    expect(window.locator(".time-words")).to_contain_text("Epoch 3 of 3")
    window.get_by_label("How fast it plays").select_option("Fast")
    window.evaluate(KEEP_MOMENTS)
    window.get_by_role("button", name="Play").click()
    window.wait_for_function(f"() => window.moments.length > {LAST}")
    moments = window.evaluate("window.moments")
    assert (moments[0], moments[-1]) == ("Before the first step", "Epoch 3 of 3")
    assert len(dict.fromkeys(moments)) == LAST + 1
    expect(window.get_by_role("button", name="Play")).to_be_visible()
    window.get_by_label("How fast it plays").select_option("Slow")
    window.get_by_role("button", name="Play").click()
    expect(window.get_by_role("button", name="Pause")).to_be_visible()
    window.wait_for_function("() => layerscope.snapshots.index === 1")
    window.get_by_role("button", name="Pause").click()
    page.rest(1200)
    assert window.evaluate("layerscope.snapshots.index") == 1
    page.choose("#model", BUNDLED["dense"].title)
    expect(window.locator(".time-line")).to_be_hidden()
    assert page.rest().address.items() >= beside.items()


def test_the_same_slider_moves_the_evaluation(page: Dashboard, trained: Any, model_at: Callable[..., Any]) -> None:
    run, window = f"run:{trained.id}", page.page
    window.goto(f"{page.server}evaluate/#model={run}@epoch-000&backend=pytorch&data=digits&true=3&show=all")
    slider, accuracy = window.get_by_label("Moment of the training"), window.locator('[data-number="accuracy"] .value')
    expect(slider).to_have_value("0", timeout=60_000)
    expect(window.locator(".gallery-list h2")).to_have_text("Images of 3", timeout=60_000)
    window.evaluate(COUNT)
    classes = model_at(0).classes
    images = labelled("digits", None, (28, 28, 1), classes)
    for key, place in (("End", LAST), ("ArrowLeft", LAST - 1), ("Home", 0)):
        slider.press(key)
        share = measure(predict(model_at(place), images.images), images.labels, classes).accuracy
        expect(accuracy).to_have_text(f"{share:.2%}", timeout=60_000)
        expect(window.locator(".time-names")).to_contain_text(f"{share:.2%}", timeout=60_000)
    assert "true=3" in window.url
    assert f"{trained.id}%40epoch-000" in window.url
    assert window.evaluate("[history.length - steps, emptied]") == [0, 0]
    expect(window.locator(".time-curves path")).to_have_count(1)


def test_the_same_slider_moves_the_networks_that_are_compared(
    page: Dashboard, trained: Any, model_at: Callable[..., Any], image_of: Callable[..., Any]
) -> None:
    run, window = f"run:{trained.id}", page.page
    columns = [f"{run}@epoch-000", run, "dense"]
    window.goto(f"{page.server}compare/#sample=7.0&" + "&".join(f"with=pytorch:{each}" for each in columns))
    slider = window.get_by_label("Moment of the training")
    expect(slider).to_have_value("0", timeout=60_000)
    window.evaluate("for (const each of document.querySelectorAll('.head, .cell')) each.dataset.mark = 'kept'")
    slider.press("End")
    slider.press("ArrowLeft")
    window.wait_for_function("!layerscope.compare.line.moving")
    first, ended, dense = window.evaluate("layerscope.compare.answer.columns")
    expected = model_at(LAST - 1).probabilities(image_of(Source(sample=(7, 0))))[0]
    np.testing.assert_allclose(first["probabilities"], expected, atol=1e-4)
    assert [first["model"], ended["model"], dense["model"]] == [f"{run}@epoch-002", run, "dense"]
    expect(window.get_by_label("Snapshot of network 1")).to_have_value("epoch-002")
    expect(window.locator(".head:not([data-mark]), .cell:not([data-mark])")).to_have_count(0)


def test_a_training_that_goes_on_is_followed_without_a_reload(
    page: Dashboard, trained: Any, home: Path, model_at: Callable[..., Any], image_of: Callable[..., Any]
) -> None:
    store = RunStore(home)
    path = home / "runs" / f"{trained.id}-2"
    shutil.copytree(home / "runs" / trained.id, path)
    going = store.folder(path.name)
    later = {snapshot.name: snapshot.path.read_bytes() for snapshot in going.snapshots()[LAST - 1 :]}
    for name in later:
        (going.snapshots_folder / f"{name}.safetensors").unlink()
    with going.held():
        going.write_status(Status(state="training", step=12, steps=24, epochs=3))
        page.visit(*PANELS, model=f"run:{going.id}", sample="7.0")
        slider = page.page.get_by_label("Moment of the training")
        expect(slider).to_have_attribute("max", str(LAST - 2))
        write, (one, two) = going.snapshots_folder.joinpath, later.items()
        write(f"{one[0]}.safetensors").write_bytes(one[1])
        expect(slider).to_have_attribute("max", str(LAST - 1))
        expect(slider).to_have_value(str(LAST - 1))
        page.rest()
        expected = model_at(LAST - 1).probabilities(image_of(page.source))[0]
        np.testing.assert_allclose(page.probabilities(), expected, atol=1e-4)
        assert page.address["model"] == f"run:{going.id}"
        # Who looks at an earlier moment stays there.
        slider.press("Home")
        page.rest()
        write(f"{two[0]}.safetensors").write_bytes(two[1])
        expect(slider).to_have_attribute("max", str(LAST))
        expect(slider).to_have_value("0")
        assert page.rest().address["model"] == f"run:{going.id}@epoch-000"


def test_the_training_page_leads_to_the_first_moment(page: Dashboard, trained: Any) -> None:
    page.page.goto(f"{page.server}train/#run={trained.id}")
    page.page.get_by_role("link", name="Watch it learn").click()
    expect(page.page.locator(".time-words")).to_contain_text("Before the first step", timeout=30_000)
    page.rest()
    assert page.address["model"] == f"run:{trained.id}@epoch-000"
