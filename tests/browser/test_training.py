"""Training from the page, as a person does it: real MNIST, real processes, and the result on the other backend."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from layerscope.models.bundled import BUNDLED
from layerscope.models.weights import load_weights
from PIL import Image
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
TILES = "document.querySelector('#answers .js-plotly-plot')?.layout?.meta?.tiles"
STATE = ".run-header .run-state"


@pytest.fixture
def training(dashboard: Dashboard) -> Iterator[Dashboard]:
    """A window on the training page, of a server without runs before and after."""
    page = dashboard.page
    page.goto(f"{dashboard.server}train/")
    expect(page.locator(".runs .empty-state")).to_be_visible(timeout=30_000)
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
    expect(page.locator("figure.filters .js-plotly-plot")).to_be_visible()
    page.get_by_label("Layer").select_option("conv2_relu")
    page.wait_for_function(f"{TILES}?.layer === 'conv2_relu' && {TILES}.units === 64")
    page.get_by_label("Test image").select_option("3")
    page.get_by_role("button", name="Another one").click()
    page.wait_for_function("location.hash.endsWith('sample=3.1')")
    sample = page.locator(".test-picture").get_attribute("src")
    page.get_by_role("button", name="Draw one…").click()
    paper = page.locator(".pad").bounding_box()
    assert paper
    page.mouse.move(paper["x"] + 90, paper["y"] + 40)
    page.mouse.down()
    page.mouse.move(paper["x"] + 150, paper["y"] + 240, steps=5)
    page.mouse.up()
    page.get_by_role("button", name="Use it", exact=True).click()
    expect(page.get_by_label("Test image")).to_have_value("drawn")
    assert page.locator(".test-picture").get_attribute("src") != sample
    assert "ink=" in page.url
    expect(page.locator(STATE)).to_have_text("Done", timeout=30_000)
    expect(page.locator(".run-header")).to_contain_text("2 of 2")
    accuracy = page.locator(".numbers div").filter(has_text="Validation accuracy").locator("dd").inner_text()
    assert float(accuracy.removesuffix(" %")) > 40
    assert page.evaluate(POINTS) == 2 * (2700 // 128)

    slider = page.get_by_label("Snapshot")
    slider.focus()
    slider.press("Home")
    expect(page.locator(".snapshot-words")).to_have_text("before the first step")
    assert "layer=conv2_relu" in page.url
    page.get_by_role("button", name="Download model…").click()
    expect(page.get_by_role("dialog")).to_contain_text("The network as it was before the first step")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as Layerscope").click()
    assert load_weights(download.value.path(), BUNDLED["cnn-compact"])
    page.get_by_role("button", name="Close").click()

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


def test_images_of_ones_own_are_looked_through_before_the_training(training: Dashboard, tmp_path: Path) -> None:
    page = training.page
    for name, bright in (("dark", 40), ("light", 200)):
        (tmp_path / name).mkdir()
        for number in range(20):
            Image.new("L", (28, 28), bright + number).save(tmp_path / name / f"{number}.png")
    (tmp_path / "dark" / "torn.png").write_bytes(b"no picture")
    page.click("#field-source")
    page.get_by_role("option", name="Your own…").click()
    fill(page, path=str(tmp_path), epochs="1", batch="8", title="Light and dark")
    page.click("#start")
    expect(page.locator("#form-fault")).to_contain_text("these images have others", timeout=30_000)
    expect(page.locator("#images-words")).to_contain_text("2 classes: dark (20), light (20), 40 images.")
    page.get_by_role("button", name="Give it these 2 classes").click()
    expect(page.locator("#network-words")).to_contain_text("Edited: ")
    expect(page.locator("#network-words")).to_contain_text("2 classes")

    page.click("#start")
    expect(page.get_by_role("dialog")).to_contain_text("1 of 41 pictures cannot be read", timeout=30_000)
    expect(page.get_by_role("dialog")).to_contain_text("torn.png")
    page.keyboard.press("Escape")
    expect(page.locator(".run")).to_have_count(0)
    page.click("#start")
    page.get_by_role("button", name="Train without them").click()
    expect(page.locator(".run-header h2")).to_have_text("Light and dark", timeout=30_000)
    expect(page.locator(STATE)).to_have_text("Done", timeout=30_000)


def test_an_address_without_a_model_offers_training(dashboard: Dashboard) -> None:
    dashboard.visit(("feature_maps", None), model="nosuch")
    expect(dashboard.notice).to_contain_text("unknown model, 'nosuch'")
    dashboard.page.get_by_role("link", name="Train a network").click()
    expect(dashboard.page.locator("#start")).to_be_visible()


def test_a_training_is_stopped_resumed_and_deleted(training: Dashboard) -> None:
    page = training.page
    fill(page, epochs="50", title="Long")
    page.click("#field-network")
    page.get_by_role("option", name="Dense net, one hidden layer").click()
    expect(page.locator("#network-words")).to_have_text("6 layers, 407,050 parameters, 28×28 pixels, 10 classes")
    page.get_by_role("button", name="Edit layers…").click()
    units = page.get_by_label("Units", exact=True).first
    units.fill("0")
    expect(page.locator(".is-impossible")).to_contain_text("units")
    expect(page.get_by_role("button", name="Use this network")).to_be_disabled()
    units.fill("16")
    expect(page.locator(".is-impossible")).to_have_count(0)
    name = page.get_by_label("Name of layer 2")
    name.fill("flatten")
    expect(page.locator(".is-impossible")).to_contain_text("Another layer is called 'flatten' already")
    name.fill("hidden")
    expect(page.locator(".is-impossible")).to_have_count(0)
    page.get_by_role("button", name="Remove hidden").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_label("Name of layer 2")).to_have_value("hidden")
    page.get_by_role("button", name="Use this network").click()
    expect(page.locator("#network-words")).to_have_text("Edited: 6 layers, 12,730 parameters, 28×28 pixels, 10 classes")

    page.click("#start")
    page.wait_for_function(f"({POINTS})() >= 2", timeout=30_000)
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.locator(STATE)).to_have_text("Stopped", timeout=30_000)
    expect(page.locator(".run-message")).to_contain_text("what was learnt is kept")
    stopped = page.evaluate(POINTS)

    page.reload()
    expect(page.locator(STATE)).to_have_text("Stopped")
    expect(page.locator("#field-title")).to_have_value("Long")
    expect(page.locator("#network-words")).to_contain_text("Edited: 6 layers, 12,730 parameters")
    page.get_by_role("button", name="Start over").click()
    expect(page.locator("#field-title")).to_have_value("")
    expect(page.locator("#network-words")).to_contain_text("14 layers, 93,322 parameters")
    page.get_by_role("button", name="Resume", exact=True).click()
    page.wait_for_function(f"({POINTS})() > {stopped}", timeout=30_000)
    other = page.context.new_page()
    other.goto(page.url)
    other.get_by_role("button", name="Stop", exact=True).click()
    expect(page.locator(STATE)).to_have_text("Stopped", timeout=30_000)

    page.get_by_role("button", name="Delete…").click()
    expect(page.get_by_role("dialog")).to_contain_text("“Long” is removed")
    page.keyboard.press("Escape")
    expect(page.locator(".run")).to_have_count(1)
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator(".run")).to_have_count(0)
    expect(page.locator(".runs .empty-state")).to_be_visible()
