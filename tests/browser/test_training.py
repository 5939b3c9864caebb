"""Training from the page, as a person does it: real MNIST, real processes, and the result on the other backend."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from dashboard import Dashboard, Points

pytestmark = pytest.mark.browser

PLOT = "document.querySelector('#curves .js-plotly-plot')"
POINTS = f"() => {PLOT}?._fullData?.[0]?.x?.length ?? 0"
REMOVE_ALL = """async () => {
    const headers = { "Content-Type": "application/json" };
    const send = async (path) => (await fetch("/train/" + path, { method: "POST", headers, body: "{}" })).json();
    const { runs } = await send("state");
    for (const { id } of runs) {
        await send(`runs/${id}/stop`);
        while ((await send(`runs/${id}/delete`)).fault) await new Promise((done) => setTimeout(done, 200));
    }
}"""
STATE = ".run-header .run-state"


@pytest.fixture
def training(dashboard: Dashboard) -> Iterator[Dashboard]:
    """A window on the training page, of a server without runs before and after."""
    page = dashboard.page
    page.goto(f"{dashboard.server}train/")
    expect(page.locator(".runs .empty-state")).to_be_visible()
    yield dashboard
    page.evaluate(REMOVE_ALL)


def fill(page: Page, **fields: str) -> None:
    for name, value in fields.items():
        page.fill(f"#field-{name}", value)


def test_a_network_is_trained_watched_and_looked_at_on_the_other_backend(
    training: Dashboard, strokes: Callable[[int], list[Points]]
) -> None:
    page = training.page
    expect(page.get_by_role("button", name="Fast recipe")).to_have_class(re.compile("is-filled"))
    fill(page, epochs="0")
    page.click("#start")
    expect(page.locator("#form-fault")).to_have_text("A training takes at least 1 epoch. Received: 0")
    expect(page.locator(".run")).to_have_count(0)

    fill(page, epochs="2", share="5", title="My first")
    page.locator(".switch-field label").first.click()
    page.click("#start")
    expect(page.locator("#form-fault")).to_be_empty()
    expect(page.locator(".run .run-title")).to_have_text("My first")
    page.wait_for_function(f"({POINTS})() >= 2", timeout=30_000)
    early = page.evaluate(POINTS)
    page.wait_for_function(f"({POINTS})() > {early}", timeout=30_000)
    expect(page.locator(".first-layer")).to_be_visible()
    expect(page.locator(STATE)).to_have_text("Done", timeout=30_000)
    expect(page.locator(".run-header")).to_contain_text("2 of 2")
    accuracy = page.locator(".numbers div").filter(has_text="Kept out: accuracy").locator("dd").inner_text()
    assert float(accuracy.removesuffix(" %")) > 40
    assert page.evaluate(POINTS) == 2 * (2700 // 128)

    slider = page.get_by_label("Snapshot")
    slider.focus()
    slider.press("Home")
    expect(page.locator(".snapshot-words")).to_have_text("before the first step")

    fill(page, title="Second")
    page.click("#start")
    expect(page.locator(".run-header h2")).to_have_text("Second")
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.locator(STATE)).to_have_text("Stopped", timeout=30_000)
    page.get_by_role("button", name="My first", exact=True).click()
    page.get_by_label("Compare Second").check()
    page.wait_for_function(f"{PLOT}?._fullData?.length === 12")
    assert "compare=" in page.url

    href = page.get_by_role("link", name="Look at it").get_attribute("href")
    assert href
    link = {key: values[0] for key, values in parse_qs(urlsplit(href).fragment).items()}
    assert link["backend"] == "pytorch"
    training.visit(("feature_maps", None), **{**link, "backend": "keras"})
    expect(page.locator(".subject-note")).to_contain_text("Keras", timeout=90_000)
    training.draw(strokes(1))
    expect(training.verdict).not_to_have_text("Draw a digit")
    assert training.probabilities().sum() == pytest.approx(1, abs=0.02)


def test_a_training_is_stopped_resumed_and_deleted(training: Dashboard) -> None:
    page = training.page
    fill(page, epochs="50", title="Long")
    page.click("#field-network")
    page.get_by_role("option", name="Dense net, one hidden layer").click()
    expect(page.locator("#network-words")).to_have_text("6 layers, 407,050 parameters, 28×28 pixels")
    page.get_by_role("button", name="Edit layers…").click()
    units = page.get_by_label("Units").first
    units.fill("0")
    expect(page.locator(".is-impossible")).to_contain_text("units")
    expect(page.get_by_role("button", name="Use this network")).to_be_disabled()
    units.fill("16")
    expect(page.locator(".is-impossible")).to_have_count(0)
    page.get_by_role("button", name="Use this network").click()
    expect(page.locator("#network-words")).to_have_text("Edited: 6 layers, 12,730 parameters, 28×28 pixels")

    page.click("#start")
    page.wait_for_function(f"({POINTS})() >= 2", timeout=30_000)
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.locator(STATE)).to_have_text("Stopped", timeout=30_000)
    expect(page.locator(".run-message")).to_contain_text("what was learnt is kept")
    stopped = page.evaluate(POINTS)

    page.reload()
    expect(page.locator(STATE)).to_have_text("Stopped")
    page.get_by_role("button", name="Resume", exact=True).click()
    page.wait_for_function(f"({POINTS})() > {stopped}", timeout=30_000)
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.locator(STATE)).to_have_text("Stopped", timeout=30_000)

    page.get_by_role("button", name="Delete…").click()
    expect(page.get_by_role("dialog")).to_contain_text("“Long” is removed")
    page.keyboard.press("Escape")
    expect(page.locator(".run")).to_have_count(1)
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator(".run")).to_have_count(0)
    expect(page.locator(".runs .empty-state")).to_be_visible()
