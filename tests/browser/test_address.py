"""The whole state is in the address: reloaded, opened elsewhere, written by hand, and wrong in every way."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from layerscope.drawing.pipeline import Steps
from playwright.sync_api import expect

if TYPE_CHECKING:
    from dashboard import Dashboard
    from layerscope.backends.base import Model

pytestmark = pytest.mark.browser

FILTERS, MAPS = ("filters", None), ("feature_maps", "conv1")
LINE = [np.array([(0.2, 0.5), (0.5, 0.45), (0.8, 0.5)])]


def state(dashboard: Dashboard) -> dict[str, Any]:
    """Everything that a link must bring back."""
    panels = dashboard.panels()
    return {
        "address": dashboard.address,
        "probabilities": dashboard.probabilities().tolist(),
        "input": dashboard.stage("input").tolist(),
        "panels": panels.evaluate_all("(panels) => panels.map((panel) => panel.dataset.visualizer)"),
        "layers": panels.locator(".panel-layer").evaluate_all("(fields) => fields.map((field) => field.value)"),
        "steps": dashboard.page.locator(".stage-switch input").evaluate_all("(all) => all.map((one) => one.checked)"),
        "model": dashboard.page.locator("#model").input_value(),
        "note": dashboard.page.locator("#sample-note").inner_text(),
    }


def test_a_reloaded_and_a_shared_link_show_the_same(
    dashboard: Dashboard, window: Callable[..., Dashboard], server: str, strokes: Callable[..., Any]
) -> None:
    dashboard.visit(layer="conv2", unit=5).draw(strokes(3))
    page = dashboard.page
    dashboard.choose("#add-panel", "Prediction")
    expect(dashboard.panels("prediction")).to_have_count(1)
    dashboard.rest()
    dashboard.panels("layer_table").get_by_role("button", name="Remove this panel").click()
    expect(dashboard.panels("layer_table")).to_have_count(0)
    dashboard.rest()
    dashboard.panels("filters").get_by_role("button", name="Settings").click()
    page.locator("#popover").get_by_label("Columns").fill("16")
    page.wait_for_function("() => location.hash.includes('columns')")
    page.keyboard.press("Escape")
    dashboard.switch_step("Scaled")
    page.wait_for_function("() => location.hash.includes('off=scale')")
    before, filters = state(dashboard.rest()), dashboard.plot("filters")
    assert (before["address"]["layer"], before["address"]["unit"]) == ("conv2", "5")
    assert filters["meta"]["tiles"]["columns"] == 16
    page.reload()
    assert state(dashboard.rest()) == before
    other = window(server).open(page.url.partition("#")[2])
    assert state(other) == before
    assert other.plot("filters")["meta"] == filters["meta"]
    np.testing.assert_array_equal(other.plot("filters")["values"], filters["values"])


def test_the_link_is_copied(window: Callable[..., Dashboard], server: str) -> None:
    dashboard = window(server, permissions=["clipboard-read", "clipboard-write"]).visit(MAPS, sample="7.0")
    dashboard.page.locator("#copy-link").click()
    expect(dashboard.page.locator(".loading")).to_have_text("Link copied")
    assert dashboard.page.evaluate("navigator.clipboard.readText()") == dashboard.page.url


def test_a_drawing_fits_into_a_link(dashboard: Dashboard, strokes: Callable[..., Any]) -> None:
    dashboard.visit(MAPS).draw(strokes(8))
    assert len(dashboard.page.url) < 4000


def test_a_link_that_is_pasted_over_another_takes_its_place(dashboard: Dashboard) -> None:
    dashboard.visit(MAPS, sample="7.0").draw(LINE)
    dashboard.page.evaluate("location.hash = '#model=dense&backend=pytorch&sample=3.4'")
    expect(dashboard.page.locator("#sample-note")).to_contain_text("a 3, number 4")
    dashboard.rest()
    assert (dashboard.address["model"], dashboard.address["sample"]) == ("dense", "3.4")
    assert "panels" not in dashboard.address


def test_skipping_to_the_panels_keeps_the_drawing(dashboard: Dashboard) -> None:
    dashboard.visit(MAPS).draw(LINE)
    ink = dashboard.ink
    skip = dashboard.page.locator(".skip-link")
    skip.focus()
    expect(skip).to_be_in_viewport()
    skip.press("Enter")
    assert dashboard.rest().ink == ink
    assert dashboard.page.evaluate("!!document.activeElement.closest('.panels')")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ({"model": "resnet"}, "unknown model, 'resnet'; there are dense, cnn,"),
        ({"backend": "jax"}, "unknown backend, 'jax'; there are pytorch, keras"),
        ({"layer": "conv9"}, "unknown layer, 'conv9'; cnn-compact has input, conv1,"),
        ({"panels": '[{"visualizer": "magic"}, {"visualizer": "layer_table"}]'}, "unknown panel, 'magic'"),
        ({"panels": "[["}, "panels in a way that cannot be read"),
        ({"panels": '{"visualizer": "layer_table"}'}, "panels in a way that cannot be read"),
        ({"sample": "five"}, "digit.index, such as 5.12"),
        ({"ink": "!!!"}, "drawing in the address is damaged"),
        ({"ink": "AAAA"}, "drawing in the address"),
        ({"layer": "conv1", "unit": "x"}, "unit that is not a whole number: 'x'"),
        ({"label": "x"}, "label that is not a whole number: 'x'"),
    ],
    ids=str,
)
def test_what_an_address_gets_wrong_is_said_in_one_sentence_and_the_rest_works(
    dashboard: Dashboard, address: dict[str, str], words: str
) -> None:
    dashboard.visit(MAPS, **address)
    expect(dashboard.notice).to_contain_text(words)
    assert dashboard.notice.locator("#notice-text").inner_text().count(words) == 1
    dashboard.draw(LINE)
    expect(dashboard.page.locator(".confidence")).to_contain_text("confident")
    assert list(address.items())[-1] not in dashboard.address.items()


def test_a_setting_that_cannot_be_is_said_in_its_panel(dashboard: Dashboard) -> None:
    wanted = [
        {"visualizer": "feature_maps", "layer": "conv1", "settings": {"columns": 99}},
        {"visualizer": "feature_maps", "layer": "conv9"},
        {"visualizer": "filters", "layer": "conv1", "settings": {"colour": {"deep": [1]}}},
        {"visualizer": "feature_maps", "layer": "conv2"},
    ]
    dashboard.visit(panels=json.dumps(wanted), sample="7.0")
    messages = dashboard.panels().locator(".panel-message")
    expect(messages.nth(0)).to_have_text("Setting 'columns' lies between 0 and 32. Received: 99")
    expect(messages.nth(1)).to_have_text("cnn-compact has no layer 'conv9'; choose another one above.")
    expect(messages.nth(2)).to_contain_text("There is no setting 'colour'")
    expect(messages.nth(3)).to_be_hidden()
    assert dashboard.plot("feature_maps", "conv2")["values"].any()


def test_every_step_can_be_switched_off(
    dashboard: Dashboard, compact: Model, image_of: Callable[..., Any], strokes: Callable[..., Any]
) -> None:
    small = [0.1 + 0.4 * stroke for stroke in strokes(3)]
    dashboard.visit(MAPS).draw(small)
    page = dashboard.page
    expect(page.locator("[data-stage]")).to_have_count(6)
    seen = {dashboard.stage("input").tobytes()}
    off: list[str] = []
    for title, name in (("Centred", "centre"), ("Scaled", "scale"), ("Cropped", "crop"), ("Light on dark", "invert")):
        dashboard.switch_step(title)
        off.append(name)
        expect(page.locator(f'[data-stage="{name}"] .stage-note')).to_have_text("switched off: passed on unchanged")
        dashboard.rest()
        assert set(dashboard.address["off"].split(",")) == set(off)
        image = image_of(dashboard.source, Steps(**dict.fromkeys(off, False)))
        np.testing.assert_array_equal(dashboard.stage("input"), np.rint(image[0, :, :, 0] * 255))
        np.testing.assert_allclose(dashboard.probabilities(), compact.probabilities(image)[0], atol=2e-6)
        seen.add(dashboard.stage("input").tobytes())
    assert len(seen) == 5
    page.reload()
    dashboard.rest()
    expect(page.locator(".stage-switch input:checked")).to_have_count(0)
    np.testing.assert_array_equal(dashboard.stage("input"), np.rint(image[0, :, :, 0] * 255))
    for name in ("ink", "invert", "crop", "scale", "centre", "input"):
        assert dashboard.stage(name).size
        assert page.locator(f'[data-stage="{name}"] .stage-explanation').inner_text()
