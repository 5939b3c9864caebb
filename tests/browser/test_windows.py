"""Windows of every width, in light and dark, and two of them at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from dashboard import Dashboard

pytestmark = pytest.mark.browser

SQUEEZED = """() => [...document.querySelectorAll(".panel-wide")].flatMap((panel) => {
    const body = panel.querySelector(".panel-body"), { left, right } = body.getBoundingClientRect();
    const texts = body.scrollWidth > body.clientWidth ? [] : [...body.querySelectorAll("svg text")];
    const cut = texts.filter((text) => {
        const place = text.getBoundingClientRect();
        return text.textContent && (place.left < left - 1 || place.right > right + 1);
    });
    const low = body.clientHeight < parseFloat(panel.style.getPropertyValue("--natural")) - 1;
    return [...cut.map((text) => text.textContent), ...(low ? [panel.dataset.visualizer + " is too low"] : [])];
})"""
"""Words that a wide panel cuts off, and wide panels that are less high than their figure asks for."""


def test_two_windows_do_not_see_each_other(
    window: Callable[..., Dashboard], server: str, strokes: Callable[[int], list[Any]]
) -> None:
    drawn = {1: window(server).visit(("feature_maps", "conv1")), 0: window(server).visit(("feature_maps", "conv1"))}
    for first, second in zip(strokes(1), strokes(0), strict=False):
        drawn[1].begin(first)
        drawn[0].begin(second)
        drawn[1].page.mouse.up()
        drawn[0].page.mouse.up()
    for label, dashboard in drawn.items():
        dashboard.rest()
        expect(dashboard.digit).to_have_text(str(label))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 900, 2560])
def test_schemes_and_widths(
    window: Callable[..., Dashboard], server: str, strokes: Callable[[int], list[Any]], scheme: str, width: int
) -> None:
    dashboard = window(server, viewport={"width": width, "height": 1000}, color_scheme=scheme).visit()
    page = dashboard.page
    page.locator("#paper").scroll_into_view_if_needed()
    dashboard.draw(strokes(3))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    paper = page.locator("#paper").bounding_box()
    assert paper
    assert 0 <= paper["x"] <= width - paper["width"]
    for place in (".verdict", ".panel-title", ".stage-explanation", ".panels-title", ".bar-name"):
        assert contrast(page, place) >= 4.5, place
    assert page.evaluate(SQUEEZED) == []
    folder = Path(__file__).parents[2] / "test-results"
    folder.mkdir(exist_ok=True)
    page.screenshot(path=folder / f"{scheme}-{width}.png", full_page=True)


def contrast(page: Page, selector: str) -> float:
    """Contrast of a text with what lies behind it (WCAG 2.1, 1.4.3)."""
    colours = page.evaluate(
        """(selector) => {
            const element = document.querySelector(selector);
            const clear = (place) => getComputedStyle(place).backgroundColor === "rgba(0, 0, 0, 0)";
            let behind = element;
            while (clear(behind) && behind.parentElement) behind = behind.parentElement;
            return [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor];
        }""",
        selector,
    )
    light, dark = sorted((luminance(colour) for colour in colours), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    channels = [float(part) / 255 for part in re.findall(r"[\d.]+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_scheme_can_be_switched(dashboard: Dashboard) -> None:
    page = dashboard.visit(("feature_maps", "conv1")).page
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("#scheme").click()
    page.wait_for_function("(before) => getComputedStyle(document.body).backgroundColor !== before", arg=before)
    after = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.reload()
    dashboard.rest()
    page.wait_for_function("(after) => getComputedStyle(document.body).backgroundColor === after", arg=after)
