"""Two networks side by side as a person uses them: one drawing, both answers, and the experiments below."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from layerscope.backends import Backend, Model, open_model
from layerscope.backends.exporting import export
from layerscope.drawing.ink import decode_ink
from layerscope.drawing.pipeline import prepare
from layerscope.evaluation.shifts import shift_test
from playwright.sync_api import expect

if TYPE_CHECKING:
    from dashboard import Dashboard, Points

pytestmark = pytest.mark.browser

DENSE_AND_CNN = "with=pytorch:dense&with=pytorch:cnn-compact"
ANSWERED = """(count) => {
    const page = window.layerscope?.compare, ink = window.layerscope?.ink;
    const all = page?.answer?.columns.every((column) => !column.opening);
    return page?.painted > count && !ink.busy && !ink.drawing && all;
}"""


@pytest.fixture
def visit(window: Callable[..., Dashboard], server: str) -> Callable[..., Dashboard]:
    """Opens the compare page at an address, and waits until every network is there."""

    def opened(fragment: str, at: str = server, **options: Any) -> Dashboard:
        dashboard = window(at, **options)
        dashboard.page.goto(f"{at}compare/#{fragment}")
        dashboard.page.wait_for_function(ANSWERED, arg=0, timeout=90_000)
        return dashboard

    return opened


@pytest.fixture(scope="module")
def models(pytorch: Backend) -> tuple[Model, Model]:
    return open_model("dense", "pytorch"), open_model("cnn-compact", "pytorch")


def painted(dashboard: Dashboard) -> int:
    count: int = dashboard.page.evaluate("layerscope.compare.painted")
    return count


def draw(dashboard: Dashboard, strokes: Sequence[Points]) -> None:
    """Draws, and waits until the last answer and the address show all of it."""
    for stroke in strokes:
        dashboard.begin(stroke)
        before = painted(dashboard)
        dashboard.page.mouse.up()
        dashboard.page.wait_for_function(ANSWERED, arg=before)
    dashboard.page.wait_for_function("!layerscope.addressing && /ink=/.test(location.hash)")


def test_one_drawing_is_answered_by_both_and_the_digit_can_be_moved(
    visit: Callable[..., Dashboard], strokes: Callable[[int], list[Points]], models: tuple[Model, Model]
) -> None:
    dashboard = visit(DENSE_AND_CNN)
    page = dashboard.page
    expect(page.locator(".agreement")).to_have_text("Draw a digit, or choose a sample.")
    draw(dashboard, strokes(3))
    assert dashboard.ink
    image = prepare(decode_ink(dashboard.ink), (28, 28, 1)).image
    columns = page.locator(".answer-column")
    for at, model in enumerate(models):
        wanted = model.probabilities(image[None])[0]
        expect(columns.nth(at).locator(".digit")).to_have_text(model.classes[wanted.argmax()])
        styles = columns.nth(at).locator(".bar-fill").evaluate_all("(bars) => bars.map((bar) => bar.style.transform)")
        shown = [float(re.findall(r"scaleX\(([^)]+)\)", style)[0]) for style in styles]
        np.testing.assert_allclose(shown, wanted, atol=1e-4)
    expect(page.locator(".agreement")).to_have_text(re.compile(r"^(Both see \d\.|They disagree: )"))
    rows = page.evaluate("layerscope.compare.answer.rows")
    assert ["dense1", "dense1"] in rows
    assert page.locator(".cell canvas.mosaic").count() > 12

    maps = page.locator(".cell[data-panel='1.1'] canvas")  # the first convolution, 32 tiles in rows of 7
    box = maps.bounding_box()
    assert box
    side = min(box["width"] / 188, box["height"] / 134)  # of a value, where they are 26 × 26 with a gap of 1
    maps.click(position={"x": box["width"] / 2, "y": box["height"] / 2 - 27 * side})
    expect(page.locator(".cell[data-panel='1.1'] .frames rect")).to_have_count(2)
    expect(page.locator(".view-tools .unit-range")).to_have_text("of 0 to 783")
    page.wait_for_function("/unit=10&/.test(location.hash)")

    page.locator("[data-action='shift']").click()
    fields = page.locator(".shift-field")
    expect(fields).to_have_count(2)
    map_of_first = fields.first.locator(".shift-map")
    map_of_first.scroll_into_view_if_needed()
    box = map_of_first.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 10.5 / 21, box["y"] + box["height"] * 10.5 / 21)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 15.5 / 21, box["y"] + box["height"] * 4.5 / 21, steps=3)
    page.mouse.up()
    for at, model in enumerate(models):
        found = shift_test(model, image)
        said = fields.nth(at).locator(".shift-answer")
        expect(said).to_contain_text(f"6 up, 5 right: {model.classes[found.predicted[4, 15]]}, ")
        expect(said).to_contain_text(f"right at {round(100 * found.share)} % of the places")
    map_of_first.press("ArrowDown")
    expect(fields.first.locator(".shift-answer")).to_contain_text("5 up, 5 right")


def test_the_way_back_leads_to_what_was_compared_before_and_a_fault_stays_in_its_column(
    visit: Callable[..., Dashboard],
) -> None:
    dashboard = visit("with=pytorch:dense&with=pytorch:nothing&sample=7.3&label=7")
    page = dashboard.page
    expect(page.locator(".head-state").nth(1)).to_contain_text("There is no model 'nothing'")
    expect(page.locator(".answer-column .digit").first).to_have_text("7")
    page.locator("[data-action='dense-cnn']").click()
    expect(page.locator(".agreement")).to_have_text("Both see 7.", timeout=60_000)
    expect(page.locator(".dense-words")).to_be_visible()
    page.go_back()
    expect(page.locator(".head-state").nth(1)).to_contain_text("There is no model 'nothing'")
    page.go_forward()
    expect(page.locator(".agreement")).to_have_text("Both see 7.")
    page.locator("[data-action='first-weights']").click()
    expect(page.locator(".cell")).to_have_count(2)
    expect(page.locator(".cell canvas.mosaic")).to_have_count(2)


def test_dense_against_cnn_begins_with_a_digit_and_shows_how_both_stand_disturbance(
    visit: Callable[..., Dashboard],
) -> None:
    dashboard = visit("preset=dense-cnn")
    page = dashboard.page
    expect(page.locator(".agreement")).to_have_text("Both see 5.")
    measure, marks = page.locator("[data-action='stand']"), page.locator(".compare-stand .mark")
    page.locator(".stand-choice").select_option("rotation")
    measure.click()
    expect(marks).to_have_count(2 * 11, timeout=60_000)
    said = page.locator(".compare-stand .chart-said")
    expect(said).to_have_text(re.compile(r"^Turned \d+ degrees .*: Dense net, .* right about .*; CNN, compact about"))
    measure.click()
    expect(page.locator(".stand-words")).to_have_text(re.compile(r"Stopped at \d+ %; what was measured stays\."))
    page.locator(".worst-link").click()
    expect(page.locator(".chart[data-disturbance=rotation] .mark")).to_have_count(2 * 11)
    expect(page.locator(".legend-line")).to_have_text("Dense net, one hidden layerCNN, compact")


def test_a_broken_port_is_found_and_its_layer_named(
    visit: Callable[..., Dashboard], serve: Callable[..., Any], pytorch: Backend, data_dir: Path, tmp_path: Path
) -> None:
    _, code = export("cnn-compact", tmp_path / "port.pt")
    source = code.read_text()
    assert "torch.relu(conv2)" in source
    opening = """

def port():
    network = Network()
    network.load_state_dict(torch.load("port.pt", weights_only=True))
    return network.eval()
"""
    (tmp_path / "user_port.py").write_text(source.replace("torch.relu(conv2)", "conv2") + opening)
    server = serve("--model", "user_port:port", "--backend", "pytorch", "--data", str(data_dir))
    dashboard = visit("with=pytorch:cnn-compact&with=pytorch:user_port:port&sample=7.3", server.address)
    page = dashboard.page
    verdict = page.locator(".verdict-line")
    expect(verdict).to_have_class(re.compile("is-fail"), timeout=30_000)
    expect(verdict).to_contain_text("FAIL: conv2_relu is the first layer that differs. port has no such layer")
    expect(page.locator(".parity-table .is-first th")).to_have_text("conv2_relu")
    page.locator("[data-action='parity']").click()
    expect(page.locator(".parity-table")).to_contain_text("256 test images: largest", timeout=30_000)
    expect(verdict).to_contain_text("FAIL: conv2_relu")


def test_the_page_one_draws_on_leads_here_with_its_drawing(window: Callable[..., Dashboard], server: str) -> None:
    dashboard = window(server).visit(("prediction", None), sample="7.3")
    dashboard.page.get_by_role("link", name="Dense net against CNN, on this drawing").click()
    dashboard.page.wait_for_function(ANSWERED, arg=0, timeout=60_000)
    expect(dashboard.page.locator(".agreement")).to_have_text("Both see 7.")
    dashboard.page.wait_for_function("/with=/.test(location.hash)")
    assert dashboard.address["sample"] == "7.3"
    expect(dashboard.page.locator(".head")).to_have_count(2)
