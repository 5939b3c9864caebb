"""From a cell of the confusion matrix to the training images nearest to one of its images, and all the way back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from layerscope.backends.base import Model
from layerscope.datasets.base import Dataset
from layerscope.evaluation.metrics import Metrics, measure
from layerscope.evaluation.predictions import predict
from numpy.typing import NDArray
from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from dashboard import Dashboard

pytestmark = pytest.mark.browser

SUBJECT = "model=cnn-compact&backend=pytorch&data=test"
CELL = """([row, column]) => {
    const plot = document.querySelector("#matrix .js-plotly-plot"), { xaxis, yaxis } = plot._fullLayout;
    const box = plot.getBoundingClientRect();
    const at = (axis, name) => axis._offset + axis.c2p(axis._categories.indexOf(name));
    return [box.left + at(xaxis, column), box.top + at(yaxis, row)];
}"""


@pytest.fixture(scope="module")
def probabilities(compact: Model, mnist_test: Dataset) -> NDArray[np.float32]:
    return predict(compact, mnist_test.images)


@pytest.fixture(scope="module")
def metrics(compact: Model, mnist_test: Dataset, probabilities: NDArray[np.float32]) -> Metrics:
    return measure(probabilities, mnist_test.labels, compact.classes)


def click_cell(page: Page, true: str, predicted: str) -> None:
    """Clicks a cell of the matrix as a person does, after having come over it."""
    page.locator("#matrix").scroll_into_view_if_needed()
    x, y = page.evaluate(CELL, [true, predicted])
    page.mouse.move(x - 3, y - 3)
    page.mouse.move(x, y)
    page.mouse.click(x, y)


def open_numbers(dashboard: Dashboard, fragment: str = SUBJECT) -> Page:
    page = dashboard.page
    page.goto(f"{dashboard.server}evaluate/#{fragment}")
    expect(page.locator(".numbers-title")).to_contain_text(re.compile(r"10,000 images in"), timeout=60_000)
    page.wait_for_function("document.querySelector('#matrix .js-plotly-plot')?.dataset.listens")
    return page


def test_a_cell_leads_to_its_images_their_inside_and_the_training_images_like_them(
    dashboard: Dashboard, metrics: Metrics, probabilities: NDArray[np.float32], mnist_test: Dataset
) -> None:
    page = dashboard.page
    page.goto(f"{dashboard.server}evaluate/")
    expect(page.locator(".nothing-yet")).to_be_visible()
    page.get_by_role("button", name="Evaluate", exact=True).click()
    page.wait_for_function("document.querySelector('#matrix .js-plotly-plot')?.dataset.listens", timeout=60_000)
    expect(page.locator(".numbers-title")).to_contain_text("10,000 images in", timeout=60_000)
    assert page.locator('[data-number="accuracy"] .value').inner_text() == f"{metrics.accuracy:.2%}"
    assert page.locator('[data-number="f1"] .value').inner_text() == f"{metrics.f1:.2%}"
    expect(page.locator(".gallery-list h2")).to_have_text("Most confident mistakes")

    wrong = metrics.confusion - np.diag(np.diag(metrics.confusion))
    true, predicted = (int(place) for place in np.unravel_index(wrong.argmax(), wrong.shape))
    answered = probabilities.argmax(axis=1)
    images = np.flatnonzero((mnist_test.labels == true) & (answered == predicted))
    images = images[np.argsort(-probabilities[images].max(axis=1), kind="stable")]
    click_cell(page, str(true), str(predicted))
    expect(page.locator(".gallery-list h2")).to_have_text(f"Images of {true}, called {predicted}")
    expect(page.locator(".gallery-count")).to_have_text(f"{len(images)} images")
    expect(page.locator(".gallery-list .thumb.is-wrong")).to_have_count(len(images))
    frame = page.locator("#matrix .shapelayer path")
    expect(frame).to_have_count(1)
    x, y = page.evaluate(CELL, [str(true), str(predicted)])
    box: Any = frame.bounding_box()
    assert abs(box["x"] + box["width"] / 2 - x) < 3
    assert abs(box["y"] + box["height"] / 2 - y) < 3
    expect(page.locator(".mistakes [aria-current=true]")).to_contain_text(f"{true} called {predicted}")
    in_gallery = page.url

    page.locator(".gallery-list .thumb").first.click()
    expect(page.locator(".image-detail h2")).to_have_text(f"It is {true}, and the model says {predicted}.")
    expect(page.locator(".image-detail .note").nth(1)).to_have_text(f"Image {images[0]:,} of MNIST test images")
    of_image = page.url

    page.get_by_role("link", name="Look inside").click()
    dashboard.rest()
    number = int((mnist_test.labels[: images[0]] == true).sum())
    assert dashboard.address["sample"] == f"{true}.{number}"
    expect(dashboard.digit).to_have_text(str(predicted))
    np.testing.assert_allclose(dashboard.probabilities(), probabilities[images[0]], atol=2e-3)
    assert {panel["visualizer"] for panel in json.loads(dashboard.address["panels"])} > {"gradient_map", "grad_cam"}

    page.get_by_role("link", name="Evaluate").click()
    expect(page.locator(".image-detail h2")).to_be_visible(timeout=60_000)
    expect(frame).to_have_count(1)
    assert page.url == of_image
    page.evaluate("history.go(-2)")  # as holding the back button does: past the main page
    page.wait_for_function("document.readyState === 'complete' && document.querySelector('.image-detail h2')")
    assert page.url == of_image

    page.get_by_role("button", name="Find them").click()
    expect(page.locator(".nearest-words")).to_contain_text("The 12 nearest of MNIST training images", timeout=120_000)
    expect(page.locator(".nearest-images .thumb")).to_have_count(12)
    assert "layer=" in page.url
    page.go_back()
    expect(page.locator(".nearest-images .thumb")).to_have_count(0)
    page.go_back()
    expect(page.locator(".gallery-list h2")).to_have_text(f"Images of {true}, called {predicted}")
    assert page.url == in_gallery


def test_bins_filters_and_pages_stand_in_the_address(dashboard: Dashboard, metrics: Metrics) -> None:
    page = open_numbers(dashboard, f"{SUBJECT}&true=3&show=right&page=2&normalise=rows")
    expect(page.locator(".gallery-list h2")).to_have_text("Right answers on images of 3")
    expect(page.locator(".gallery-list .thumb.is-right")).to_have_count(60)
    expect(page.locator(".pages .note")).to_contain_text("page 2 of")
    expect(page.locator('[data-way="rows"]')).to_have_attribute("aria-pressed", "true")
    page.get_by_role("link", name="More →").click()
    expect(page.locator(".pages .note")).to_contain_text("page 3 of")
    page.locator("#filter-show").select_option("wrong")
    expect(page.locator(".gallery-list h2")).to_have_text("Mistakes on images of 3")
    assert "page=" not in page.url
    page.go_back()
    expect(page.locator(".pages .note")).to_contain_text("page 3 of")
    page.get_by_role("button", name="images", exact=True).click()
    expect(page.locator('[data-way="counts"]')).to_have_attribute("aria-pressed", "true")

    bar = page.locator("#confidence .barlayer .trace").nth(1).locator("path").last
    bar.scroll_into_view_if_needed()
    box: Any = bar.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - 4)
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] - 3)
    expect(page.locator(".gallery-count")).to_have_text(f"{metrics.histogram.wrong[-1]} images")
    expect(page.locator(".filters a")).to_have_text("confidence 95–100% ×")


def test_a_fault_is_a_sentence_and_own_images_are_named_by_their_path(
    window: Callable[..., Dashboard], server: str
) -> None:
    page = window(server).page
    page.goto(f"{server}evaluate/")
    page.locator("#field-data").select_option("own")
    page.locator("#field-path").fill("/nowhere/mine.npz")
    page.get_by_role("button", name="Evaluate", exact=True).click()
    expect(page.locator(".evaluation-words.is-fault")).to_contain_text("There is no file or folder", timeout=60_000)
    expect(page.locator(".found")).to_be_hidden()
