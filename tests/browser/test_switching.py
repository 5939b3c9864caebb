"""Another backend, another model: the drawing and the selection stay, and the same ink is answered at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from layerscope.backends.opening import open_model
from layerscope.models.bundled import BUNDLED
from playwright.sync_api import expect

if TYPE_CHECKING:
    from dashboard import Dashboard

pytestmark = pytest.mark.browser

PANELS = [("filters", None), ("feature_maps", "conv1"), ("dense_outputs", "dense1")]


@pytest.mark.slow
def test_both_backends_give_the_same_answer_to_the_same_ink(dashboard: Dashboard, strokes: Callable[..., Any]) -> None:
    dashboard.visit(*PANELS, layer="conv2", unit=7).draw(strokes(2))
    ink, answered, maps = dashboard.ink, dashboard.probabilities(), dashboard.plot("feature_maps")["values"]
    told: list[str] = []
    dashboard.page.expose_function("toldLoading", lambda text: told.append(text))
    dashboard.page.evaluate(
        """() => new MutationObserver(() => window.toldLoading(document.querySelector(".loading").textContent))
            .observe(document.querySelector(".loading"), { childList: true, characterData: true, subtree: true })"""
    )
    dashboard.switch_backend("Keras")
    dashboard.rest()
    assert [text for text in told if "Keras" in text], told
    expect(dashboard.page.locator(".loading")).to_be_empty()
    assert dashboard.address["backend"] == "keras"
    assert dashboard.ink == ink
    np.testing.assert_allclose(dashboard.probabilities(), answered, atol=1e-4)
    keras = dashboard.plot("feature_maps")["values"]
    np.testing.assert_allclose(keras, maps, atol=1e-4 * np.nanmax(np.abs(maps)))
    assert (dashboard.address["layer"], dashboard.address["unit"]) == ("conv2", "7")
    assert dashboard.plot("filters")["meta"]["tiles"]["layer"] == "conv2"
    # Keras follows the pen, too; and the keys work while the switch still has the focus.
    dashboard.page.keyboard.press("Delete")
    expect(dashboard.page.locator(".invitation")).to_be_visible()
    dashboard.rest().begin(strokes(7)[0])
    expect(dashboard.page.locator(".confidence")).to_contain_text("confident")
    dashboard.page.mouse.up()
    dashboard.rest()
    dashboard.page.keyboard.press("Control+z")
    dashboard.page.keyboard.press("Control+z")
    dashboard.switch_backend("PyTorch")
    dashboard.rest()
    assert dashboard.ink == ink
    np.testing.assert_array_equal(dashboard.probabilities(), answered)


def test_every_model_answers_for_the_same_ink(
    dashboard: Dashboard, strokes: Callable[..., Any], image_of: Callable[..., Any]
) -> None:
    dashboard.visit(*PANELS).draw(strokes(8))
    ink = dashboard.ink
    for name in ("dense", "dense-84x96", "cnn", "cnn-two-block"):
        dashboard.choose("#model", BUNDLED[name].title)
        expect(dashboard.page.locator(".subject-note")).to_contain_text(f"{BUNDLED[name].parameters:,} parameters")
        dashboard.rest()
        assert (dashboard.address["model"], dashboard.ink) == (name, ink)
        model = open_model(name, "pytorch")
        expected = model.probabilities(image_of(dashboard.source, shape=model.input_shape))[0]
        np.testing.assert_allclose(dashboard.probabilities(), expected, atol=2e-6)
        height, width = model.input_shape[:2]
        assert dashboard.stage("input").shape == (height, width)


def test_another_model_has_its_own_panels_unless_one_has_chosen(dashboard: Dashboard) -> None:
    dashboard.visit(sample="7.0")
    count = dashboard.panels().count()
    dashboard.choose("#model", BUNDLED["dense"].title)
    expect(dashboard.panels()).not_to_have_count(count)
    dashboard.rest()
    assert "panels" not in dashboard.address
    maps = dashboard.panels("feature_maps")
    expect(maps).to_have_count(sum(layer.is_spatial for layer in BUNDLED["dense"].infos))
    dashboard.visit(*PANELS, sample="7.0")
    dashboard.choose("#model", BUNDLED["dense"].title)
    expect(dashboard.panels("feature_maps").locator(".panel-message")).to_have_text(
        "dense has no layer 'conv1'; choose another one above."
    )
    dashboard.rest()
    assert dashboard.panels().count() == 3
    dashboard.choose("#model", BUNDLED["cnn-compact"].title)
    expect(dashboard.panels("feature_maps").locator(".panel-message")).to_be_hidden()


def test_switching_quickly_ends_with_the_last_choice(dashboard: Dashboard, strokes: Callable[..., Any]) -> None:
    dashboard.visit(*PANELS).draw(strokes(4))
    for name in ("dense", "cnn", "cnn-two-block"):
        dashboard.choose("#model", BUNDLED[name].title)
    dashboard.rest()
    expect(dashboard.page.locator(".subject-note")).to_contain_text(BUNDLED["cnn-two-block"].title)
    expect(dashboard.page.locator(".panels-title")).to_have_text(re.compile(re.escape(BUNDLED["cnn-two-block"].title)))
    assert dashboard.address["model"] == "cnn-two-block"
