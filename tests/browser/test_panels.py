"""Panels: what a click selects, what the pointer tells, and panels that change, come and go."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from layerscope.backends.base import Model
from playwright.sync_api import Locator, expect

if TYPE_CHECKING:
    from dashboard import Dashboard

pytestmark = pytest.mark.browser

FILTERS, MAPS, FOLLOWING = ("filters", None), ("feature_maps", "conv1"), ("feature_maps", None)
OUTPUTS, GRAPH, NETWORK = ("dense_outputs", "logits"), ("architecture_graph", None), ("network_view", None)

PLACE = """([panel, x, y]) => {
    const plot = document.querySelector(`[data-panel="${panel}"] .js-plotly-plot`);
    plot.scrollIntoView({ block: "center" });
    const { xaxis, yaxis } = plot._fullLayout, box = plot.getBoundingClientRect();
    const whole = (axis, edge, value) => { // a mouse moves by whole pixels, a pixel of a tile is hardly larger
        const before = Math.floor(edge + axis._offset + axis.d2p(value));
        return Math.round(axis.p2d(before - edge - axis._offset)) < value ? before + 1 : before;
    };
    return [whole(xaxis, box.x, x), whole(yaxis, box.y, y)];
}"""

NODE = """([visualizer, wanted]) => {
    const panel = document.querySelector(`[data-visualizer="${visualizer}"]`);
    for (const trace of panel.querySelector(".js-plotly-plot").data) {
        const index = (trace.customdata || []).findIndex((entry) => JSON.stringify(entry) === JSON.stringify(wanted));
        if (index < 0) continue;
        const at = (axis) => layerscope.arrays.numbers(axis).values[index];
        return [panel.dataset.panel, at(trace.x), at(trace.y)];
    }
    return null;
}"""


def pixel(dashboard: Dashboard, layer: str, unit: int, row: int, column: int) -> tuple[float, float]:
    """Where on the screen a pixel of a feature map is, once nothing moves any more."""
    plot = dashboard.rest().plot("feature_maps", layer)
    tiles = plot["meta"]["tiles"]
    down, across = divmod(unit, tiles["columns"])
    x = across * (tiles["width"] + tiles["gap"]) + column
    y = down * (tiles["height"] + tiles["gap"]) + row
    place: tuple[float, float] = tuple(dashboard.page.evaluate(PLACE, [plot["panel"], x, y]))
    return place


def node(dashboard: Dashboard, visualizer: str, *wanted: Any) -> tuple[float, float]:
    """Where on the screen a layer or unit stands in a graph, once nothing moves any more."""
    found = dashboard.rest().page.evaluate(NODE, [visualizer, list(wanted)])
    assert found, wanted
    place: tuple[float, float] = tuple(dashboard.page.evaluate(PLACE, found))
    return place


def told_at(dashboard: Dashboard, layer: str, unit: int, row: int, column: int) -> str:
    """What is said when the pointer comes to a pixel; it moves until something is, as a hand would."""
    tooltip, words = dashboard.page.locator(".tooltip"), f"{layer} · unit {unit}, row {row}, column {column} · "
    for _ in range(40):
        dashboard.page.mouse.move(*pixel(dashboard, layer, unit, row, column), steps=2)
        dashboard.page.wait_for_timeout(60)
        if (tooltip.text_content() or "").startswith(words):
            break
    expect(tooltip).to_contain_text(words)
    return tooltip.inner_text()


def selected(dashboard: Dashboard) -> tuple[str | None, str | None]:
    address = dashboard.rest().address
    return address.get("layer"), address.get("unit")


def test_the_pointer_tells_unit_position_and_value(
    dashboard: Dashboard, compact: Model, image_of: Callable[..., Any]
) -> None:
    dashboard.visit(MAPS, ("feature_maps", "pool2"), sample="7.0")
    trace = compact.trace(image_of(dashboard.source))
    tooltip = dashboard.page.locator(".tooltip")
    expect(tooltip).to_be_hidden()
    for layer, unit, row, column in (
        ("conv1", 0, 0, 0),
        ("conv1", 9, 12, 25),
        ("conv1", 31, 5, 13),
        ("pool2", 63, 4, 2),
    ):
        quantity, number = told_at(dashboard, layer, unit, row, column).split()[-2:]
        value = trace[layer][0, row, column, unit]
        assert quantity == "activation"
        assert float(number.replace("−", "-")) == pytest.approx(float(value), rel=6e-3, abs=1e-9)
        box = tooltip.bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 1400
    dashboard.page.mouse.move(10, 10)
    expect(tooltip).to_be_hidden()


def test_the_pointer_tells_true_values_where_every_tile_has_its_own_scale(
    dashboard: Dashboard, compact: Model, image_of: Callable[..., Any]
) -> None:
    panel = {"visualizer": "feature_maps", "layer": "conv2", "settings": {"shared_scale": False}}
    dashboard.visit(panels=json.dumps([panel]), sample="7.0")
    value = compact.trace(image_of(dashboard.source))["conv2"][0, 4, 6, 11]
    told = told_at(dashboard, "conv2", 11, 4, 6).split()[-1]
    assert float(told.replace("−", "-")) == pytest.approx(float(value), rel=6e-3)


def test_clicks_select_layer_and_unit_for_every_panel_that_follows(dashboard: Dashboard) -> None:
    dashboard.visit(FILTERS, FOLLOWING, MAPS, OUTPUTS, GRAPH, NETWORK, sample="7.0")
    page = dashboard.page

    def following() -> set[str]:
        return {
            dashboard.plot("filters")["meta"]["tiles"]["layer"],
            shown_layer(dashboard.panels("feature_maps").first),
        }

    assert following() == {"conv1"}
    page.mouse.click(*node(dashboard, "architecture_graph", "conv3"))
    page.wait_for_function("() => location.hash.includes('layer=conv3')")
    assert selected(dashboard) == ("conv3", None)  # waits until the page shows it
    assert following() == {"conv3"}
    page.mouse.click(*pixel(dashboard, "conv1", 21, 13, 13))
    page.wait_for_function("() => location.hash.includes('unit=21')")
    assert selected(dashboard) == ("conv1", "21")
    assert following() == {"conv1"}
    ring = "(plots) => plots.map((plot) => plot.layout.shapes.length)"
    assert page.locator("[data-visualizer=feature_maps] .js-plotly-plot").evaluate_all(ring) == [2, 2]
    # Once more lets the unit go, and keeps the layer.
    page.mouse.click(*pixel(dashboard, "conv1", 21, 13, 13))
    page.wait_for_function("() => !location.hash.includes('unit=')")
    assert selected(dashboard) == ("conv1", None)
    bars = dashboard.plot("dense_outputs", "logits")
    middle = float(bars["values"][7]) / 2
    page.mouse.click(*page.evaluate(PLACE, [bars["panel"], 7, middle]))
    page.wait_for_function("() => location.hash.includes('layer=logits&unit=7')")
    expect(dashboard.panels("feature_maps").first.locator(".panel-message")).to_contain_text(
        "This view needs a layer whose output has height and width; choose input."
    )
    page.mouse.click(*node(dashboard, "network_view", "softmax", 7))
    page.wait_for_function("() => location.hash.includes('layer=softmax&unit=7')")


def shown_layer(panel: Locator) -> str:
    layer: str = panel.locator(".js-plotly-plot").evaluate("(plot) => plot.layout.meta.tiles.layer")
    return layer


def test_a_ring_stays_around_its_unit_while_one_draws(dashboard: Dashboard) -> None:
    dashboard.visit(MAPS, layer="conv1", unit=3)
    dashboard.draw([np.array([(0.3, 0.2), (0.7, 0.8)])])
    shapes = "() => document.querySelector('.js-plotly-plot').layout.shapes.length"
    assert dashboard.page.evaluate(shapes) == 2


def test_a_panel_shows_another_layer(dashboard: Dashboard, compact: Model, image_of: Callable[..., Any]) -> None:
    dashboard.visit(MAPS, GRAPH, sample="7.0")
    dashboard.panels("feature_maps").locator("input.panel-layer, .panel-layer input").click()
    dashboard.page.get_by_role("option", name="pool2", exact=True).click()
    dashboard.page.wait_for_function("() => location.hash.includes('pool2')")
    dashboard.rest()
    trace = compact.trace(image_of(dashboard.source))["pool2"]
    np.testing.assert_array_equal(dashboard.tile("pool2", 5), trace[0, :, :, 5])
    dashboard.panels("feature_maps").locator("input.panel-layer, .panel-layer input").click()
    dashboard.page.get_by_role("option", name="selected layer", exact=True).click()
    dashboard.page.mouse.click(*node(dashboard, "architecture_graph", "conv2"))
    dashboard.page.wait_for_function("() => location.hash.includes('layer=conv2')")
    dashboard.rest()
    assert dashboard.plot("feature_maps")["meta"]["tiles"]["layer"] == "conv2"


def test_settings_change_their_own_panel(dashboard: Dashboard) -> None:
    dashboard.visit(MAPS, ("feature_maps", "conv2"), sample="7.0")
    page, popover = dashboard.page, dashboard.page.locator("#popover")
    own = dashboard.panel_of("feature_maps", "conv1")
    other = dashboard.plot("feature_maps", "conv2")["meta"]
    own.get_by_role("button", name="Settings").click()
    expect(popover).to_be_visible()
    popover.get_by_label("Columns").fill("4")
    page.wait_for_function("() => location.hash.includes('%22columns%22%3A4')")
    dashboard.rest()
    assert dashboard.plot("feature_maps", "conv1")["meta"]["tiles"]["columns"] == 4
    popover.get_by_role("switch", name="Shared scale").click()
    page.wait_for_function("() => location.hash.includes('shared_scale')")
    dashboard.rest()
    assert "scales" in dashboard.plot("feature_maps", "conv1")["meta"]["tiles"]
    assert dashboard.plot("feature_maps", "conv2")["meta"] == other
    page.keyboard.press("Escape")
    expect(popover).to_be_hidden()
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Settings"
    own.get_by_role("button", name="Settings").click()
    expect(popover.get_by_label("Columns")).to_have_value("4")
    page.mouse.click(5, 600)
    expect(popover).to_be_hidden()


@pytest.mark.parametrize(
    ("visualizer", "words"),
    [
        ("filters", "Kernels have shape"),
        ("architecture_graph", "Squares are convolutions"),
        ("network_view", "every dot is a unit"),
    ],
)
def test_every_panel_explains_itself(dashboard: Dashboard, visualizer: str, words: str) -> None:
    dashboard.visit((visualizer, None))
    dashboard.panels().get_by_role("button", name="What does this show?").click()
    expect(dashboard.page.locator("#popover")).to_contain_text(words)
    expect(dashboard.page.locator("#popover")).to_be_in_viewport(ratio=0.9)


def test_panels_come_and_go(dashboard: Dashboard) -> None:
    dashboard.visit(MAPS, sample="7.0")
    for index, title in enumerate(["Prediction", "Filters", "Network", "Architecture", "Layer table"]):
        dashboard.choose("#add-panel", title)
        expect(dashboard.panels()).to_have_count(index + 2)
        expect(dashboard.panels().first).to_have_attribute("aria-label", title)
        expect(dashboard.page.locator("#add-panel")).to_have_value("")
        dashboard.rest()
    assert len(json.loads(dashboard.address["panels"])) == 6
    while count := dashboard.panels().count():
        dashboard.panels().first.get_by_role("button", name="Remove this panel").click()
        expect(dashboard.panels()).to_have_count(count - 1)
        dashboard.rest()
    assert json.loads(dashboard.address["panels"]) == []
    expect(dashboard.digit).to_have_text("7")
    dashboard.draw([np.array([(0.2, 0.2), (0.8, 0.8)])])  # drawing needs no panel
    dashboard.page.locator("#every-layer").click()
    expect(dashboard.panels("feature_maps")).to_have_count(9)
    dashboard.rest()
    assert "panels" not in dashboard.address
    assert dashboard.plot("feature_maps", "conv1")["values"].any()


def test_full_screen_and_back(dashboard: Dashboard) -> None:
    dashboard.visit(MAPS, GRAPH, sample="7.0")
    panel, plot = dashboard.panels("feature_maps"), dashboard.panels("feature_maps").locator(".js-plotly-plot")
    before = plot.bounding_box()
    panel.get_by_role("button", name="Full screen").click()
    expect(panel).to_have_class(re.compile("is-fullscreen"))
    assert panel.bounding_box() == {"x": 0, "y": 0, "width": 1400, "height": 1000}
    dashboard.page.wait_for_function(
        "() => document.querySelector('[data-visualizer=feature_maps] .main-svg').clientHeight > 700"
    )
    told_at(dashboard, "conv1", 9, 12, 20)
    dashboard.page.keyboard.press("Escape")
    expect(panel).not_to_have_class(re.compile("is-fullscreen"))
    dashboard.page.wait_for_function(
        "() => document.querySelector('[data-visualizer=feature_maps] .main-svg').clientHeight < 400"
    )
    assert plot.bounding_box() == before


@pytest.mark.parametrize(
    ("visualizer", "layer", "words"),
    [
        ("filters", "pool1", "This view needs a convolution or a dense layer; choose conv1."),
        ("feature_maps", "dense1", "This view needs a layer whose output has height and width; choose input."),
        ("dense_outputs", "conv1", "This view needs a layer whose output is one row of units; choose flatten."),
    ],
)
def test_a_panel_that_cannot_show_its_layer_says_why(
    dashboard: Dashboard, visualizer: str, layer: str, words: str
) -> None:
    dashboard.visit((visualizer, layer), MAPS, sample="7.0")
    expect(dashboard.panels().first.locator(".panel-message div")).to_have_text(words)
    assert dashboard.plot("feature_maps", "conv1")["values"].any()
