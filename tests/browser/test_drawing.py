"""Drawing with the mouse: real pen strokes, and an answer while they grow."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from layerscope.backends.base import Model
from playwright.sync_api import expect

if TYPE_CHECKING:
    from dashboard import Dashboard

pytestmark = pytest.mark.browser

FILTERS, MAPS, OUTPUTS = ("filters", None), ("feature_maps", "conv1"), ("dense_outputs", "dense1")
LINE = [np.array([(0.2, 0.5), (0.5, 0.5), (0.8, 0.5)])]


def test_empty_paper_invites_to_draw(dashboard: Dashboard) -> None:
    dashboard.visit()
    expect(dashboard.page.locator(".invitation")).to_be_visible()
    expect(dashboard.verdict).to_have_text("Draw a digit")
    expect(dashboard.digit).to_have_text("–")
    assert dashboard.probabilities().tolist() == [0] * 10
    assert {"ink", "sample"}.isdisjoint(dashboard.address)
    assert dashboard.panels().count() > 10
    expect(dashboard.panels("feature_maps").first.locator(".panel-message")).to_have_text(
        "Draw something, or choose a sample."
    )
    assert dashboard.plot("filters")["values"].any()


def test_drawn_digits_are_read(
    dashboard: Dashboard, strokes: Callable[..., Any], compact: Model, image_of: Callable[..., Any]
) -> None:
    dashboard.visit(MAPS, OUTPUTS)
    right = 0
    for label in (0, 2, 4, 7, 8):
        dashboard.draw(strokes(label))
        expected = compact.probabilities(image_of(dashboard.source))[0]
        np.testing.assert_allclose(dashboard.probabilities(), expected, atol=2e-6)
        expect(dashboard.digit).to_have_text(str(expected.argmax()))
        expect(dashboard.page.locator(".bar.is-best .bar-name")).to_have_text(str(expected.argmax()))
        right += int(expected.argmax() == label)
        dashboard.page.keyboard.press("Delete")
        dashboard.rest()
        expect(dashboard.page.locator(".invitation")).to_be_visible()
    assert right >= 4  # its writers are new to the network, and it may misread one of them


def test_everything_follows_while_the_stroke_grows(
    dashboard: Dashboard, strokes: Callable[..., Any], compact: Model, image_of: Callable[..., Any]
) -> None:
    dashboard.visit(MAPS, OUTPUTS)
    page, stroke = dashboard.page, strokes(3)[0]
    page.evaluate(
        """() => {
            const live = layerscope.live, paint = live.paint;
            window.answers = [];
            live.paint = (data) => { if (data?.prediction) window.answers.push(data); return paint(data); };
        }"""
    )
    overlay = dashboard.panel_of("feature_maps", "conv1").locator("canvas.overlay")
    pictures = set()
    dashboard.begin(stroke[: len(stroke) // 2])
    for point in stroke[len(stroke) // 2 :]:
        page.mouse.move(*dashboard.on_paper(*point))
        page.wait_for_function("() => !layerscope.ink.busy")
        pictures.add(overlay.evaluate("(canvas) => canvas.toDataURL()"))
    assert page.evaluate("layerscope.ink.drawing")
    assert len(pictures) > 3
    distinct = page.evaluate("new Set(answers.map((data) => JSON.stringify(data.prediction.probabilities))).size")
    assert distinct > 3
    # With the button still down, the card already shows the answer to the ink of this very moment.
    page.wait_for_function("() => layerscope.live.painted && !layerscope.ink.busy && !window.underWay")
    sent = page.evaluate("layerscope.ink.published.ink")
    expected = compact.probabilities(image_of(dashboard.source.__class__(sent)))[0]
    np.testing.assert_allclose(dashboard.probabilities(), expected, atol=2e-6)
    page.mouse.up()
    dashboard.rest()
    assert dashboard.ink


def test_at_rest_plotly_holds_the_numbers_that_were_painted(
    dashboard: Dashboard, strokes: Callable[..., Any], compact: Model, image_of: Callable[..., Any]
) -> None:
    dashboard.visit().draw(strokes(5))
    assert dashboard.page.locator("canvas.overlay:not([hidden])").count() == 0
    trace = compact.trace(image_of(dashboard.source))
    for layer in ("input", "conv1", "pool1", "conv3"):
        for unit in (0, trace[layer].shape[-1] - 1):
            np.testing.assert_array_equal(dashboard.tile(layer, unit), trace[layer][0, :, :, unit])
    for layer in (info.name for info in compact.layers if not info.is_spatial):
        shown = dashboard.plot("dense_outputs", layer)["values"].ravel()
        np.testing.assert_array_equal(shown[np.isfinite(shown)], trace[layer][0])


def test_what_is_painted_lies_exactly_where_plotly_draws_it(dashboard: Dashboard, strokes: Callable[..., Any]) -> None:
    dashboard.visit(MAPS, OUTPUTS)
    stroke = strokes(0)[0]
    body = dashboard.panel_of("feature_maps", "conv1").locator(".panel-body")
    dashboard.begin(stroke)
    dashboard.page.wait_for_function("() => !layerscope.ink.busy && !window.underWay")
    expect(body.locator("canvas.overlay")).to_be_visible()
    painted = pixels(body.screenshot())
    dashboard.page.mouse.up()
    dashboard.rest()
    expect(body.locator("canvas.overlay")).to_be_hidden()
    drawn = pixels(body.screenshot())
    assert painted.std() > 20
    assert np.abs(painted - drawn).mean() < 2


def pixels(png: bytes) -> Any:
    from io import BytesIO

    from PIL import Image

    return np.asarray(Image.open(BytesIO(png)).convert("RGB"), np.float64)


def test_undo_redo_and_clear_are_exact(dashboard: Dashboard, strokes: Callable[..., Any]) -> None:
    dashboard.visit(MAPS).draw(strokes(4)[:1])
    one = dashboard.ink
    answered = dashboard.probabilities()
    two = dashboard.draw(LINE).ink
    assert one != two
    page = dashboard.page
    page.locator("#undo").click()
    assert dashboard.rest().ink == one
    np.testing.assert_array_equal(dashboard.probabilities(), answered)
    page.locator("#redo").click()
    assert dashboard.rest().ink == two
    page.locator("#clear").click()
    expect(page.locator(".invitation")).to_be_visible()
    assert dashboard.rest().ink is None
    expect(dashboard.verdict).to_have_text("Draw a digit")
    page.keyboard.press("Control+z")
    assert dashboard.rest().ink == two
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    assert dashboard.rest().ink is None
    page.keyboard.press("Control+z")  # nothing left to undo
    page.keyboard.press("Control+Shift+z")
    assert dashboard.rest().ink == one
    page.keyboard.press("Control+y")
    assert dashboard.rest().ink == two
    page.keyboard.press("Delete")
    assert dashboard.rest().ink is None


def test_a_stroke_after_undo_ends_what_could_be_redone(dashboard: Dashboard) -> None:
    dashboard.visit(MAPS).draw(LINE)
    dashboard.page.locator("#undo").click()
    dashboard.rest()
    other = dashboard.draw([np.array([(0.5, 0.2), (0.5, 0.8)])]).ink
    dashboard.page.locator("#redo").click()
    assert dashboard.rest().ink == other


def test_drawing_goes_on_where_undo_left_off(dashboard: Dashboard) -> None:
    """The canvas shows again what the answer is about, and the next stroke is added to it."""
    down = [np.array([(0.5, 0.2), (0.5, 0.8)])]
    dashboard.visit(MAPS).draw(LINE)
    dashboard.draw(down)
    both = dashboard.picture
    dashboard.page.locator("#undo").click()
    dashboard.rest().draw(down)
    assert np.abs(dashboard.picture - both).max() < 0.02


def test_brush_width(dashboard: Dashboard) -> None:
    dashboard.visit(MAPS)
    slider = dashboard.page.locator("#brush [role=slider]")
    widths = {}
    for key in (None, "Home", "End"):
        if key:
            slider.press(key)
        dashboard.rest().draw(LINE)
        widths[int(slider.get_attribute("aria-valuenow") or 0)] = (dashboard.picture[:, 70] < 0.5).sum() / 1.4
        dashboard.page.keyboard.press("Delete")
        dashboard.rest()
    assert list(widths) == [10, 2, 16]
    for percent, measured in widths.items():
        assert measured == pytest.approx(percent, abs=1)


def test_a_stroke_that_takes_the_focus_from_a_button_is_followed_to_its_end(dashboard: Dashboard) -> None:
    dashboard.visit(MAPS).draw(LINE)
    whole = dashboard.ink
    dashboard.page.locator("#clear").click()
    dashboard.rest()
    dashboard.begin(LINE[0][:2])
    dashboard.page.wait_for_timeout(100)
    assert dashboard.page.evaluate("layerscope.ink.drawing")
    dashboard.page.mouse.move(*dashboard.on_paper(*LINE[0][2]))
    dashboard.page.mouse.up()
    assert dashboard.rest().ink == whole


def test_a_finger_draws(window: Callable[..., Dashboard], server: str) -> None:
    dashboard = window(server, has_touch=True).visit(MAPS)
    touch(dashboard, LINE[0])
    assert (dashboard.rest().picture < 0.5).any()
    expect(dashboard.page.locator(".confidence")).to_contain_text("confident")


def touch(dashboard: Dashboard, stroke: Any) -> None:
    """A finger on the paper, as Chromium's own protocol sends it."""
    session = dashboard.page.context.new_cdp_session(dashboard.page)
    for index, point in enumerate(stroke):
        x, y = dashboard.on_paper(*point)
        kind = "touchMove" if index else "touchStart"
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_scribbling_leaves_nothing_queued(dashboard: Dashboard, compact: Model, image_of: Callable[..., Any]) -> None:
    dashboard.visit(MAPS, OUTPUTS)
    page = dashboard.page
    page.evaluate(
        """() => {
            const ask = window.fetch;
            window.most = 0;
            window.fetch = (...given) => {
                const sent = ask(...given);
                window.most = Math.max(window.most, window.underWay);
                return sent;
            };
        }"""
    )
    angles = np.linspace(0, 12 * np.pi, 120)
    dashboard.begin(np.stack([0.5 + 0.3 * np.cos(angles), 0.5 + 0.35 * np.sin(1.3 * angles)], axis=1))
    page.mouse.up()
    dashboard.rest()
    assert page.evaluate("window.most") == 1
    expected = compact.probabilities(image_of(dashboard.source))[0]
    np.testing.assert_allclose(dashboard.probabilities(), expected, atol=2e-6)
