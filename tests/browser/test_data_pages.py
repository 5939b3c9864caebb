"""The pages of data sets and of robustness, as a person uses them: real MNIST, and the way to the page one draws on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from layerscope.datasets.base import Dataset
from layerscope.datasets.mnist import load_mnist
from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from dashboard import Dashboard

pytestmark = pytest.mark.browser

LINE = np.array([(0.2, 0.2), (0.8, 0.8)])


def address(page: Page) -> dict[str, str]:
    found: dict[str, str] = page.evaluate("Object.fromEntries(new URLSearchParams(location.hash.slice(1)))")
    return found


def test_data_is_paged_through_and_an_image_opened(dashboard: Dashboard, mnist_test: Dataset) -> None:
    page = dashboard.page
    page.goto(f"{dashboard.server}data/")
    expect(page.locator(".thumb")).to_have_count(200)
    expect(page.locator(".data-facts")).to_contain_text("10,000")
    expect(page.locator(".data-facts")).to_contain_text(mnist_test.checksum)
    expect(page.locator(".class-row")).to_have_count(11)

    page.get_by_role("button", name="5, 892 images").click()
    expect(page.locator(".pager-words")).to_have_text("1 to 200 of 892")
    page.get_by_role("button", name="Next page").click()
    expect(page.locator(".pager-words")).to_have_text("201 to 400 of 892")
    expect(page.locator(".images")).not_to_have_class(re.compile("is-waiting"))
    assert (address(page)["class"], address(page)["page"]) == ("5", "2")
    page.go_back()
    expect(page.locator(".pager-words")).to_have_text("1 to 200 of 892")
    page.reload()
    expect(page.locator(".pager-words")).to_have_text("1 to 200 of 892")
    expect(page.locator(".images")).not_to_have_class(re.compile("is-waiting"))

    page.locator(".thumb").first.focus()
    page.keyboard.press("ArrowRight")
    place = int(mnist_test.indices_of(5)[1])
    expect(page.locator(".way-words")).to_contain_text(f"Image {place:,}, 5.")
    expect(page.locator(".way li")).to_have_count(5)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("sample=5.1(&|$)"))
    expect(page.locator("#sample-note")).to_contain_text("a 5, number 1 of 892")


def test_training_images_do_not_hang_and_own_data_says_what_is_wrong(dashboard: Dashboard, data_dir: Path) -> None:
    page = dashboard.page
    page.goto(f"{dashboard.server}data/#data=mnist-train&page=300")
    expect(page.locator(".pager-words")).to_have_text("59,801 to 60,000 of 60,000")
    expect(page.locator(".thumb")).to_have_count(200)

    page.locator(".thumb").last.click()
    expect(page.locator("#sample-note")).to_contain_text("MNIST train images: image 59,999, a 8.", timeout=30_000)
    dashboard.rest()
    assert address(page)["image"] == "mnist-train.59999"
    stored = load_mnist(data_dir / "mnist", "train").images[59_999]
    np.testing.assert_array_equal(dashboard.stage("input"), stored[:, :, 0])
    expect(dashboard.verdict).to_contain_text("right")
    dashboard.draw([LINE])
    dashboard.rest()
    assert "image" not in address(page)
    assert address(page)["label"] == "8"
    expect(page.locator("#sample-note")).to_contain_text("Drawn upon.")
    page.locator("#undo").click()
    page.wait_for_url(re.compile("image=mnist-train.59999"))

    page.goto(f"{dashboard.server}data/#data=mnist-train&page=300")
    page.locator("#data-choice").select_option("own")
    page.fill("#own-path", "/nowhere/letters")
    page.keyboard.press("Enter")
    expect(page.locator(".data-facts .form-fault")).to_contain_text("There is no file or folder letters")
    expect(page.locator(".thumb")).to_have_count(0)
    assert address(page)["path"] == "/nowhere/letters"


def test_a_sweep_is_stopped_finished_and_its_worst_image_opened(dashboard: Dashboard, mnist_test: Dataset) -> None:
    page = dashboard.page
    page.goto(
        f"{dashboard.server}robustness/#with=pytorch:cnn-compact&with=pytorch:dense&disturbances=rotation,noise&images=10000"
    )
    expect(page.locator(".chart")).to_have_count(2)
    page.click("#measure")
    expect(page.locator(".mark").first).to_be_visible(timeout=60_000)
    page.click("#measure")
    expect(page.locator("#measure")).to_have_text("Go on measuring")
    expect(page.locator(".sweep-words")).to_contain_text("what was measured stays")

    page.locator("#count").select_option("200")
    page.get_by_role("checkbox", name="Noise").uncheck()
    expect(page.locator(".chart")).to_have_count(1)
    page.click("#measure")
    expect(page.locator("#measure")).to_have_text("Measured", timeout=60_000)
    expect(page.locator(".mark")).to_have_count(2 * 11)

    point = page.locator(".mark[data-network='pytorch:dense'][data-strength='60']")
    words = point.get_attribute("aria-label")
    assert words
    assert words.startswith("Dense net, one hidden layer, 60 degrees: ")
    point.focus()
    page.keyboard.press("Enter")
    worst = page.locator(".worst-image").first
    expect(worst).to_be_visible()
    label, predicted = worst.locator("b").all_inner_texts()
    worst.click()
    page.wait_for_url(re.compile("image="))
    expect(dashboard.verdict).to_contain_text(f"wrong: this is a {label}", timeout=30_000)
    expect(page.locator(".digit")).to_have_text(predicted)
    assert re.fullmatch(r"mnist-test\.\d+\.rotation_60", address(page)["image"])
    page.go_back()
    expect(page.locator(".worst-image").first).to_be_visible()
    assert address(page)["strength"] == "60"
