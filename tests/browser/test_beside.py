"""A second image, a second model and a training run: picked, kept in the address, and out of the way otherwise."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from layerscope.backends.base import Edit, Model
from layerscope.layouts.pictures import Source
from layerscope.training.config import RunConfig
from layerscope.training.folder import RunFolder, Status
from layerscope.training.recipes import Recipe
from layerscope.training.runs import RunStore
from playwright.sync_api import expect

if TYPE_CHECKING:
    from dashboard import Dashboard

pytestmark = pytest.mark.browser

IMAGES, MODELS, RUNS = ("compare_images", "conv1"), ("model_differences", None), ("training_curves", None)
MAPS = ("feature_maps", "conv1_relu")
LINE = [np.array([(0.5, 0.2), (0.5, 0.5), (0.5, 0.8)])]


def test_a_drawing_is_kept_as_the_second_image_and_let_go_of(
    dashboard: Dashboard, compact: Model, image_of: Callable[..., Any], strokes: Callable[..., Any]
) -> None:
    dashboard.visit(IMAGES).draw(strokes(7))
    page, kept = dashboard.page, dashboard.ink
    dashboard.panels("compare_images").get_by_role("button", name="Keep this drawing as the second image").click()
    page.wait_for_function("() => location.hash.includes('second=')")
    dashboard.rest()
    assert not dashboard.plot("compare_images")["values"][:26, :26].any()
    page.locator("#clear").click()
    dashboard.rest().draw(LINE)
    assert dashboard.address["second"] == kept != dashboard.ink
    one, two = (compact.trace(image_of(source))["conv1"][0] for source in (dashboard.source, Source(kept)))
    for unit in (0, 31):
        shown = dashboard.tile("conv1", unit, "compare_images")
        np.testing.assert_allclose(shown, (one - two)[:, :, unit], atol=1e-5)
    before = dashboard.plot("compare_images")["values"], dashboard.address
    page.reload()
    dashboard.rest()
    np.testing.assert_array_equal(dashboard.plot("compare_images")["values"], before[0])
    assert dashboard.address == before[1]
    expect(page.locator("#second-picture")).to_be_visible()
    page.locator("#clear-second").click()
    page.wait_for_function("() => !location.hash.includes('second=')")
    expect(dashboard.panels("compare_images").locator(".panel-message")).to_be_visible()
    expect(page.locator("#second-picture")).to_be_hidden()


def test_a_sample_is_chosen_or_kept_as_the_second_image(dashboard: Dashboard) -> None:
    dashboard.visit(IMAGES, sample="7.0")
    page = dashboard.page
    dashboard.choose("#second-digit", "1")
    page.wait_for_function("() => location.hash.includes('second=1.')")
    page.locator("#second-index").fill("3")
    page.wait_for_function("() => location.hash.includes('second=1.3&')")
    dashboard.rest()
    assert dashboard.plot("compare_images")["values"].any()
    assert dashboard.address["sample"] == "7.0"
    page.get_by_role("button", name="Keep this drawing", exact=True).click()
    page.wait_for_function("() => location.hash.includes('second=7.0&')")
    expect(page.locator("#second-digit")).to_have_value("7")
    expect(page.locator("#second-index")).to_have_value("0")
    page.locator("#second-index").fill("99999")
    expect(dashboard.notice).to_contain_text("numbered from 0 to 1027. Received: 99999")
    assert dashboard.rest().address["second"] == "7.0"


def test_a_network_is_compared_with_itself_on_the_other_backend(dashboard: Dashboard) -> None:
    dashboard.visit(MODELS, MAPS, sample="7.0")
    page, view = dashboard.page, dashboard.panels("model_differences")
    view.get_by_role("button", name="Compare with Keras").click()
    page.wait_for_function("() => location.hash.includes('second_backend=keras')")
    dashboard.draw(LINE)  # while Keras may still be starting
    assert dashboard.tile("conv1_relu", 10).any()
    expect(view).to_contain_text("All 14 layers agree within 1e-4;", timeout=60_000)
    expect(page.locator("#second-model")).to_have_value("Keras · CNN, compact")
    dashboard.rest()
    assert (
        page.evaluate(
            "() => Math.max(...layerscope.arrays.numbers(document.querySelector('.js-plotly-plot').data[0].x).values)"
        )
        < 1e-5
    )
    dashboard.choose("#second-model", "PyTorch · Dense net, one hidden layer")
    expect(view).to_contain_text("not comparable: 11 of 14 layers", timeout=30_000)
    address = dashboard.rest().address
    assert (address["second_model"], address["second_backend"]) == ("dense", "pytorch")


def test_pickers_come_when_they_are_needed_and_the_row_stays_still_under_the_pen(dashboard: Dashboard) -> None:
    dashboard.visit(MAPS)
    page = dashboard.page
    pickers = [page.locator(f'.picker[data-need="{need}"]') for need in ("second_image", "second_model", "run")]
    for picker in pickers:
        expect(picker).to_be_hidden()
    dashboard.choose("#add-panel", "Two images")
    expect(pickers[0]).to_be_visible()
    expect(page.get_by_role("button", name="Keep this drawing", exact=True)).to_be_disabled()
    dashboard.choose("#add-panel", "Training curves")
    dashboard.rest()
    expect(pickers[2]).to_be_hidden()
    expect(dashboard.panels("training_curves")).to_contain_text("There are no training runs yet")
    row = page.locator(".selection").bounding_box()
    dashboard.begin(LINE[0])
    page.wait_for_function("() => document.querySelector('.confidence').textContent.includes('confident')")
    assert page.locator(".selection").bounding_box() == row
    page.mouse.up()
    assert dashboard.rest().page.locator(".selection").bounding_box() == row
    dashboard.panels("compare_images").get_by_role("button", name="Remove this panel").click()
    expect(pickers[0]).to_be_hidden()


@pytest.fixture
def trained_here(tmp_path: Path) -> Iterator[RunFolder]:
    """A run that this test trains, as far as a server can tell."""
    store = RunStore(tmp_path / "home")
    config = RunConfig(model="dense", backend="pytorch", recipe=Recipe(epochs=2), title="My first run")
    folder = store.folder(store.create(config))
    with folder.held():
        folder.write_status(Status(state="training", heartbeat=time.time()))
        yield folder


def test_a_training_run_is_chosen_and_followed(
    window: Callable[..., Dashboard], serve: Callable[..., Any], trained_here: RunFolder
) -> None:
    dashboard = window(serve().address).visit(RUNS)
    page, view = dashboard.page, dashboard.panels("training_curves")
    expect(page.locator('.picker[data-need="run"]')).to_be_visible()
    view.get_by_role("button", name="Choose My first run").click()
    page.wait_for_function("(id) => location.hash.includes('run=' + id)", arg=trained_here.id)
    expect(view).to_contain_text("nothing measured yet")
    lines = [{"step": step, "loss": 2 / step, "accuracy": 1 - 0.5 / step, "seconds": 0.1 * step} for step in (1, 2, 3)]
    lines.append({**lines[2], "epoch": 1, "validation_loss": 0.5, "validation_accuracy": 0.875})
    trained_here.metrics_file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    expect(view).to_contain_text("best validation accuracy 87.50%", timeout=20_000)  # by itself
    losses = "() => [...layerscope.arrays.numbers(document.querySelector('.js-plotly-plot').data[0].y).values]"
    np.testing.assert_allclose(page.evaluate(losses), [2, 1, 2 / 3], rtol=1e-6)
    page.reload()
    expect(page.locator("#selected-run")).to_have_value("My first run")
    expect(view).to_contain_text("best validation accuracy 87.50%")


def test_what_is_not_there_any_more_is_said_and_left_out(dashboard: Dashboard) -> None:
    dashboard.visit(IMAGES, MODELS, sample="7.0", second="7.99999", second_model="resnet", run="lost")
    for words in (
        "The second image cannot be had. MNIST test images has 1028 images of 7",
        "unknown second model, 'resnet'; there are dense, cnn,",
        "unknown training run, 'lost'; there are none.",
    ):
        expect(dashboard.notice).to_contain_text(words)
    assert not {"second", "second_model", "second_backend", "run"} & set(dashboard.address)
    expect(dashboard.panels("compare_images")).to_contain_text("This view needs a second image")


def test_a_unit_is_scaled_by_any_factor(dashboard: Dashboard, compact: Model, image_of: Callable[..., Any]) -> None:
    dashboard.visit(MAPS, sample="7.0", layer="conv1_relu", unit=10)
    page, image, factor = dashboard.page, image_of(dashboard.source), dashboard.page.locator("#factor")
    before = dashboard.probabilities()
    expect(factor).to_have_value("× 1")
    for typed, scale in (("-1.5", -1.5), ("0.25", 0.25), ("9", 4.0)):
        factor.fill(typed)
        page.wait_for_function("(by) => location.hash.includes(encodeURIComponent('10,' + by + ']'))", arg=scale)
        dashboard.rest()
        expected = compact.probabilities(image, [Edit("conv1_relu", 10, scale)])[0]
        np.testing.assert_allclose(dashboard.probabilities(), expected, atol=1e-6)
    assert json.loads(dashboard.address["edits"]) == [["conv1_relu", 10, 4]]
    expect(page.locator(".edit")).to_have_text("conv1_relu · 10 × 4  ✕")
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.locator(".edit")).to_have_text("conv1_relu · 10 × 0.25  ✕")
    expect(factor).to_have_value("× 0.25")
    page.get_by_role("button", name="Mute unit").click()
    expect(factor).to_have_value("× 0")
    factor.fill("1")
    expect(page.locator(".edit")).to_have_count(0)
    dashboard.rest()
    np.testing.assert_allclose(dashboard.probabilities(), before, atol=1e-7)
    page.locator("#selected-unit").fill("")
    expect(factor).to_be_disabled()
