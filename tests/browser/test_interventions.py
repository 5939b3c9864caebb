"""Select with pickers and clicks, mute units and take it back, run a view that takes its time and stop it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from layerscope.backends.base import Edit, Model
from numpy.typing import NDArray
from playwright.sync_api import expect

if TYPE_CHECKING:
    from dashboard import Dashboard

pytestmark = pytest.mark.browser

MAPS = ("feature_maps", "conv1_relu")
FINDINGS = re.compile(r"trust: \w+ · deletion .+ · insertion .+ · agreement .+ · random weights .+")


def test_pickers_select_for_every_panel(dashboard: Dashboard) -> None:
    dashboard.visit(("feature_maps", None), sample="7.0")
    page = dashboard.page
    dashboard.choose("#selected-layer", "conv2")
    page.wait_for_function("() => location.hash.includes('layer=conv2')")
    assert dashboard.rest().plot("feature_maps")["meta"]["tiles"]["layer"] == "conv2"
    page.locator("#selected-unit").fill("9")
    page.wait_for_function("() => location.hash.includes('unit=9')")
    page.locator("#selected-position").fill("4, 7")
    page.wait_for_function("() => location.hash.includes('position=4.7')")
    page.locator(".answer .bar").nth(3).click()
    page.wait_for_function("() => location.hash.includes('target=3')")
    expect(page.locator("#selected-target")).to_have_value("3")
    dashboard.rest()
    shapes = "() => document.querySelector('.js-plotly-plot').layout.shapes.length"
    assert page.evaluate(shapes) == 2
    page.reload()
    dashboard.rest()
    expect(page.locator("#selected-layer")).to_have_value("conv2")
    expect(page.locator("#selected-unit")).to_have_value("9")
    expect(page.locator("#selected-position")).to_have_value("4, 7")
    expect(page.locator("#selected-target")).to_have_value("3")


def test_a_unit_is_muted_everywhere_and_that_is_undone(
    dashboard: Dashboard, compact: Model, image_of: Callable[..., Any]
) -> None:
    dashboard.visit(MAPS, sample="7.0", layer="conv1_relu", unit=10)
    page, image = dashboard.page, image_of(dashboard.source)
    before = dashboard.probabilities()
    assert dashboard.tile("conv1_relu", 10).any()
    page.get_by_role("button", name="Mute unit").click()
    page.wait_for_function("() => location.hash.includes('edits=')")
    dashboard.rest()
    assert not dashboard.tile("conv1_relu", 10).any()
    expected = compact.probabilities(image, [Edit("conv1_relu", 10)])[0]
    np.testing.assert_allclose(dashboard.probabilities(), expected, atol=1e-6)
    assert json.loads(dashboard.address["edits"]) == [["conv1_relu", 10, 0]]
    expect(page.locator(".edit")).to_have_text("conv1_relu · 10 muted  ✕")
    page.get_by_role("button", name="Double unit").click()
    page.wait_for_function("() => location.hash.includes('%2C2%5D')")
    dashboard.rest()
    expected = compact.probabilities(image, [Edit("conv1_relu", 10, 2.0)])[0]
    np.testing.assert_allclose(dashboard.probabilities(), expected, atol=1e-6)
    page.reload()  # the link brings it back
    dashboard.rest()
    np.testing.assert_allclose(dashboard.probabilities(), expected, atol=1e-6)
    page.get_by_role("button", name="Reset").click()
    page.wait_for_function("() => !location.hash.includes('edits=')")
    dashboard.rest()
    np.testing.assert_allclose(dashboard.probabilities(), before, atol=1e-7)
    page.get_by_role("button", name="Undo", exact=True).click()
    page.wait_for_function("() => location.hash.includes('edits=')")
    page.locator(".edit").click()
    page.wait_for_function("() => !location.hash.includes('edits=')")
    dashboard.rest()
    np.testing.assert_allclose(dashboard.probabilities(), before, atol=1e-7)


def test_without_a_unit_there_is_nothing_to_mute(dashboard: Dashboard) -> None:
    dashboard.visit(MAPS, sample="7.0")
    expect(dashboard.page.get_by_role("button", name="Mute unit")).to_be_disabled()
    expect(dashboard.page.locator("#undo-edit")).to_be_hidden()
    expect(dashboard.page.locator("#reset-edits")).to_be_hidden()


def test_a_withheld_view_offers_the_click_that_helps(dashboard: Dashboard) -> None:
    dashboard.visit(("filters", "pool1"), ("filters", None), sample="7.0", layer="pool1")
    own, following = dashboard.panels("filters").nth(0), dashboard.panels("filters").nth(1)
    own.get_by_role("button", name="Choose conv1").click()
    expect(own.locator(".panel-message")).to_be_hidden()
    expect(following.locator(".panel-message")).to_be_visible()
    following.get_by_role("button", name="Choose conv1").click()
    expect(following.locator(".panel-message")).to_be_hidden()
    assert dashboard.rest().address["layer"] == "conv1"


def test_a_view_runs_when_it_is_asked_to(dashboard: Dashboard) -> None:
    dashboard.visit(("dead_units", None))
    view = dashboard.panels("dead_units")
    dashboard.rest(1200)
    expect(view.locator(".panel-message")).to_contain_text("runs when you ask for it")
    view.get_by_role("button", name="Run").click()
    expect(view.locator(".panel-cost")).to_contain_text("took", timeout=30_000)
    expect(view.locator(".panel-message")).to_be_hidden()


def test_the_accuracy_begins_by_itself_and_shows_what_it_cost(dashboard: Dashboard) -> None:
    panel = {"visualizer": "accuracy", "settings": {"images": 500}}
    dashboard.visit(panels=json.dumps([panel]))
    view = dashboard.panels("accuracy")
    expect(view.locator(".panel-cost")).to_contain_text("took", timeout=30_000)
    expect(view.locator(".panel-message")).to_be_hidden()
    shares = dashboard.rest().page.evaluate(
        "() => [...layerscope.arrays.numbers(document.querySelector('.js-plotly-plot').data[0].y).values]"
    )
    assert len(shares) == 10
    assert min(shares) > 0.9
    dashboard.draw([np.array([(0.3, 0.2), (0.7, 0.8)])])  # the drawing has nothing to do with it
    expect(view.locator(".panel-message")).to_be_hidden()


def test_a_running_view_is_stopped_and_run_again(dashboard: Dashboard) -> None:
    panel = {"visualizer": "occlusion", "settings": {"method": "RISE", "masks": 3900}}
    dashboard.visit(panels=json.dumps([panel]), model="cnn-batchnorm", sample="7.0")
    view = dashboard.panels("occlusion")
    view.get_by_role("button", name="Run").click()
    view.get_by_role("button", name="Stop").first.click(timeout=30_000)
    expect(view).to_contain_text("Stopped.", timeout=30_000)
    view.get_by_role("button", name="Run again").first.click()
    expect(view.get_by_role("button", name="Stop").first).to_be_visible(timeout=30_000)
    view.get_by_role("button", name="Remove this panel").click()
    expect(view).to_have_count(0)


def test_a_map_says_how_far_to_trust_it_when_the_pen_rests(
    dashboard: Dashboard, strokes: Callable[[int], list[NDArray[np.float64]]]
) -> None:
    dashboard.visit(("gradient_map", None), sample="7.0")
    line, page = dashboard.panels("gradient_map").locator(".panel-aside"), dashboard.page
    expect(line).to_contain_text(FINDINGS)
    first, height = line.inner_text(), line.bounding_box()
    assert "lower is better" in (line.get_attribute("title") or "")
    stroke = strokes(1)[0]
    dashboard.begin(stroke)
    expect(line).to_have_text("")
    page.wait_for_timeout(1200)  # longer than it waits for rest
    expect(line).to_have_text("")
    assert (line.bounding_box() or {})["height"] == (height or {})["height"]
    page.mouse.up()
    expect(line).to_contain_text(FINDINGS)
    assert line.inner_text() != first
    page.locator("#undo").click()
    expect(line).to_have_text(first)


def test_what_checks_a_map_makes_way_for_the_pen(dashboard: Dashboard) -> None:
    panel = {"visualizer": "occlusion", "settings": {"method": "RISE", "masks": 4000}}
    dashboard.visit(panels=json.dumps([panel]), sample="7.0", model="cnn-batchnorm")
    view, page = dashboard.panels("occlusion"), dashboard.page
    view.get_by_role("button", name="Run").click()
    line = view.locator(".panel-aside")
    expect(line).to_contain_text("checking how far to trust it…", timeout=60_000)
    with page.expect_request(re.compile("/jobs/[0-9a-f]+/stop$"), timeout=2000):
        page.mouse.move(*dashboard.on_paper(0.2, 0.2))
        page.mouse.down()
    page.mouse.up()


def test_the_accuracy_follows_a_muted_unit(dashboard: Dashboard) -> None:
    panel = {"visualizer": "accuracy", "settings": {"images": 300}}
    dashboard.visit(panels=json.dumps([panel]), sample="7.0", layer="conv1_relu", unit=10)
    view = dashboard.panels("accuracy")
    bars = "() => document.querySelector('.js-plotly-plot')?.data?.length"
    expect(view.locator(".panel-cost")).to_contain_text("took", timeout=30_000)
    assert dashboard.rest().page.evaluate(bars) == 1
    dashboard.page.get_by_role("button", name="Mute unit").click()
    dashboard.page.wait_for_function(f"() => ({bars})() === 2", timeout=30_000)
    expect(view.locator(".panel-cost")).to_contain_text("took", timeout=30_000)
    dashboard.page.get_by_role("button", name="Reset").click()
    dashboard.page.wait_for_function(f"() => ({bars})() === 1", timeout=30_000)
