"""The page in a real browser: real pen strokes drawn with the mouse, on a real server, with real networks."""

import io
import re
import subprocess
import sys
import zlib
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlparse

import numpy as np
import pytest
from layerscope.backends.opening import open_model
from layerscope.datasets.base import Dataset
from layerscope.datasets.pendigits import PenDigit, find_pendigits, load_pendigits
from layerscope.drawing.pipeline import prepare
from layerscope.drawing.strokes import place_strokes
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

pytestmark = pytest.mark.browser

READY = ".panel.has-figure"
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


@pytest.fixture(scope="module")
def server(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a dashboard that ends with the tests."""
    yield from _serving(data_dir, tmp_path_factory.mktemp("home"))


def _serving(data: Path, home: Path, *options: str) -> Iterator[str]:
    command = [sys.executable, "-m", "layerscope", "serve", "--port", "0", "--data", str(data), "--home", str(home)]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process.stdout.readline().split(": ", 1)[1].split()[0]
        process.terminate()


@pytest.fixture
def faults() -> list[str]:
    """Everything the browser complained of; a test that provokes a complaint clears it."""
    return []


@pytest.fixture
def page(browser: Browser, faults: list[str]) -> Iterator[Page]:
    """A page of its own, which fails the test on any console error, page error or refused request."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    opened = _watched(context.new_page(), faults)
    yield opened
    context.close()
    assert faults == []


def _watched(page: Page, faults: list[str]) -> Page:
    def console(message: ConsoleMessage) -> None:
        if message.type == "error":
            faults.append(message.text)

    page.on("console", console)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("response", lambda answer: faults.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)
    return page


@pytest.fixture(scope="module")
def pen_digits(data_dir: Path) -> Sequence[PenDigit]:
    path = find_pendigits(data_dir)
    assert path
    return load_pendigits(path)


def visit(page: Page, server: str, fragment: str = "model=cnn-compact&backend=pytorch") -> None:
    page.goto(f"{server}#{fragment}")
    page.wait_for_selector(READY, timeout=60_000)


def draw(page: Page, strokes: Sequence[NDArray[Any]]) -> None:
    """Replays strokes in a unit square with the mouse."""
    for stroke in strokes:
        begin(page, stroke)
        page.mouse.up()


def begin(page: Page, stroke: NDArray[Any]) -> None:
    """Draws a stroke and leaves the button down."""
    box = page.locator("#paper").bounding_box()
    assert box
    for index, (x, y) in enumerate(stroke):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        if index == 0:
            page.mouse.down()


def settled(page: Page) -> None:
    """Waits until the last ink has been answered, Plotly has caught up, and the address says so."""
    page.wait_for_timeout(100)
    page.wait_for_function(
        "() => !layerscope.ink.busy && ![...document.querySelectorAll('canvas.overlay')].some(canvas => !canvas.hidden)"
    )
    page.wait_for_function("() => location.hash.includes('model=') && !layerscope.addressing")


def query(page: Page) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(urlparse(page.url).fragment).items()}


def ink_of(page: Page) -> NDArray[np.float32]:
    text = query(page)["ink"]
    raw = zlib.decompress(urlsafe_b64decode(text + "=" * (-len(text) % 4)), -15)
    return np.frombuffer(raw, np.uint8).reshape(140, 140).astype(np.float32) / 255


def shown_probabilities(page: Page) -> list[str]:
    return page.locator(".bar-value").all_inner_texts()


def first_of(pen_digits: Sequence[PenDigit], label: int) -> list[NDArray[Any]]:
    digit = next(digit for digit in pen_digits if digit.label == label)
    return [np.asarray(stroke, np.float64) for stroke in place_strokes(digit.strokes)]


@pytest.mark.parametrize("label", [0, 3, 7, 8])
def test_drawn_digits_are_read(page: Page, server: str, pen_digits: Sequence[PenDigit], label: int) -> None:
    visit(page, server)
    draw(page, first_of(pen_digits, label))
    settled(page)
    expect(page.locator(".digit")).to_have_text(str(label))
    model = open_model("cnn-compact", "pytorch")
    expected = model.probabilities(prepare(ink_of(page), model.input_shape).image[None])[0]
    assert expected.argmax() == label
    shown = [float(text.strip(">% ")) for text in shown_probabilities(page)]
    np.testing.assert_allclose(shown, 100 * expected, atol=0.11)


def test_answers_while_the_stroke_grows(page: Page, server: str, pen_digits: Sequence[PenDigit]) -> None:
    visit(page, server)
    expect(page.locator(".invitation")).to_be_visible()
    expect(page.locator(".verdict")).to_have_text("Draw a digit")
    expect(page.locator(".panel.is-withheld").first).to_contain_text("Draw something")
    begin(page, first_of(pen_digits, 7)[0])
    expect(page.locator(".confidence")).to_contain_text("confident")
    expect(page.locator(".panel canvas.overlay:not([hidden])").nth(8)).to_be_visible()
    assert page.evaluate("layerscope.ink.drawing")
    page.mouse.up()
    settled(page)
    expect(page.locator(".invitation")).to_be_hidden()


def test_plotly_shows_what_was_painted(page: Page, server: str, pen_digits: Sequence[PenDigit]) -> None:
    visit(page, server)
    draw(page, first_of(pen_digits, 5))
    settled(page)
    model = open_model("cnn-compact", "pytorch")
    trace = model.trace(prepare(ink_of(page), model.input_shape).image[None], ["conv1"])["conv1"][0]
    drawn = page.evaluate(
        """() => {
            const plot = [...document.querySelectorAll(".js-plotly-plot")]
                .find(({ layout: { meta } }) => meta.tiles?.layer === "conv1" && meta.tiles.quantity === "activation");
            return { z: [...layerscope.numbers(plot.data[0].z).values].slice(0, 26), meta: plot.layout.meta.tiles };
        }"""
    )
    assert drawn["meta"]["units"] == 32
    np.testing.assert_allclose(drawn["z"], trace[0, :, 0], rtol=1e-5, atol=1e-6)


def test_undo_redo_and_clear_are_exact(page: Page, server: str, pen_digits: Sequence[PenDigit]) -> None:
    visit(page, server)
    one, two = first_of(pen_digits, 4)[0], np.array([(0.2, 0.9), (0.8, 0.9)])
    draw(page, [one])
    settled(page)
    before = ink_of(page)
    draw(page, [two])
    settled(page)
    after = ink_of(page)
    assert not np.array_equal(before, after)
    page.locator("#undo").click()
    settled(page)
    np.testing.assert_array_equal(ink_of(page), before)
    page.keyboard.press("Control+y")
    settled(page)
    np.testing.assert_array_equal(ink_of(page), after)
    page.keyboard.press("Delete")
    settled(page)
    assert "ink" not in query(page)
    expect(page.locator(".verdict")).to_have_text("Draw a digit")
    page.keyboard.press("Control+z")
    settled(page)
    np.testing.assert_array_equal(ink_of(page), after)


def test_brush_width(page: Page, server: str) -> None:
    visit(page, server)
    line = np.array([(0.2, 0.5), (0.8, 0.5)])
    draw(page, [line])
    settled(page)
    thick = (ink_of(page) < 0.5).sum()
    page.locator("#clear").click()
    page.locator("#brush [role=slider]").press("Home")
    draw(page, [line])
    settled(page)
    assert (ink_of(page) < 0.5).sum() < thick / 2


def test_switching_keeps_the_ink_and_answers_at_once(page: Page, server: str, pen_digits: Sequence[PenDigit]) -> None:
    visit(page, server)
    draw(page, first_of(pen_digits, 2))
    settled(page)
    ink, pytorch = ink_of(page), shown_probabilities(page)
    page.get_by_text("Keras", exact=True).click()
    expect(page.locator(".loading")).to_contain_text(re.compile("Keras|TensorFlow|Building|Loading"))
    expect(page.locator(".subject-note")).to_contain_text("Keras", timeout=60_000)
    settled(page)
    assert query(page)["backend"] == "keras"
    np.testing.assert_array_equal(ink_of(page), ink)
    assert shown_probabilities(page) == pytorch
    page.locator("#model").click()
    page.get_by_role("option", name="Dense net, one hidden layer").click()
    expect(page.locator(".subject-note")).to_contain_text("407,050 parameters")
    settled(page)
    np.testing.assert_array_equal(ink_of(page), ink)
    expect(page.locator(".digit")).to_have_text("2")
    assert not page.locator("[data-visualizer=feature_maps]").nth(1).is_visible()  # only the input has height and width


def test_samples(page: Page, server: str, mnist_test: Dataset) -> None:
    visit(page, server, "model=cnn-compact&backend=pytorch&sample=5.12")
    expect(page.locator("#sample-note")).to_have_text(re.compile("MNIST test images: a 5, number 12 of 892"))
    expect(page.locator(".answer")).to_have_attribute("data-verdict", "right")
    expect(page.locator("#sample-index")).to_have_value("12")
    page.locator("#digit").click()
    page.get_by_role("option", name="9", exact=True).click()
    expect(page.locator("#sample-note")).to_contain_text("a 9")
    page.locator("#sample-index").fill("3")
    expect(page.locator("#sample-note")).to_contain_text("number 3 of")
    settled(page)
    assert query(page)["sample"] == "9.3"
    model = open_model("cnn-compact", "pytorch")
    expected = model.probabilities(mnist_test.floats(mnist_test.indices_of(9)[3:4]))[0]
    assert float(shown_probabilities(page)[9].strip(">% ")) == pytest.approx(100 * expected[9], abs=0.11)
    draw(page, [np.array([(0.1, 0.1), (0.9, 0.9)])])
    settled(page)
    assert "sample" not in query(page)
    assert query(page)["label"] == "9"


def picture(form: str, dark: bool) -> bytes:
    """A one, drawn as a bar, in a file of some format."""
    pixels = np.full((90, 60), 255 if dark else 0, np.uint8)
    pixels[15:75, 26:34] = 0 if dark else 255
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert("RGB").save(buffer, form)
    return buffer.getvalue()


@pytest.mark.parametrize(("form", "dark"), [("png", True), ("jpeg", False), ("webp", True), ("gif", False)])
def test_uploads(page: Page, server: str, tmp_path: Path, form: str, dark: bool) -> None:
    visit(page, server)
    upload(page, tmp_path / f"one.{form}", picture(form, dark))
    expect(page.locator("#sample-note")).to_contain_text(f"one.{form}")
    expect(page.locator(".digit")).to_have_text("1")


def upload(page: Page, path: Path, content: bytes) -> None:
    path.write_bytes(content)
    page.locator("#upload input[type=file]").set_input_files(path)


def huge_png() -> bytes:
    """A PNG whose header promises 20,000×20,000 pixels."""
    small = bytearray(picture("png", True))
    small[16:24] = (20_000).to_bytes(4, "big") * 2
    small[29:33] = zlib.crc32(bytes(small[12:29])).to_bytes(4, "big")
    return bytes(small)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"this is no image", "not a picture that can be read"),
        (huge_png(), "too many pixels"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50_000_000), "MB"),
        (b"", "empty"),
    ],
    ids=["text", "20,000×20,000", "50 MB", "nothing"],
)
def test_refused_uploads_leave_the_drawing(
    page: Page, server: str, pen_digits: Sequence[PenDigit], tmp_path: Path, content: bytes, words: str
) -> None:
    visit(page, server)
    draw(page, first_of(pen_digits, 6))
    settled(page)
    ink = ink_of(page)
    upload(page, tmp_path / "broken.png", content)
    expect(page.locator(".notice")).to_contain_text(words, timeout=20_000)
    np.testing.assert_array_equal(ink_of(page), ink)
    expect(page.locator(".digit")).to_have_text("6")


def test_steps_can_be_switched_off(page: Page, server: str, pen_digits: Sequence[PenDigit]) -> None:
    visit(page, server)
    draw(page, [0.15 + 0.3 * stroke for stroke in first_of(pen_digits, 3)])
    settled(page)
    assert page.locator("[data-stage] canvas").count() == 6
    picture = "document.querySelector('[data-stage=input] canvas').toDataURL()"
    prepared = page.evaluate(picture)
    for name in ("Cropped", "Scaled", "Centred"):
        page.get_by_label(name).locator("visible=true").or_(page.get_by_text(name, exact=True)).first.click()
    settled(page)
    assert query(page)["off"] == "crop,scale,centre"
    raw = page.evaluate(picture)
    assert raw != prepared
    page.reload()
    page.wait_for_selector(READY)
    settled(page)
    assert page.evaluate(picture) == raw


def test_a_link_shows_the_same_elsewhere(
    page: Page, server: str, browser: Browser, pen_digits: Sequence[PenDigit], faults: list[str]
) -> None:
    visit(page, server, "model=cnn-two-block&backend=pytorch")
    draw(page, first_of(pen_digits, 8))
    page.locator("[data-visualizer=architecture_graph]").scroll_into_view_if_needed()
    page.locator("#add-panel").click()
    page.get_by_role("option", name="Prediction").click()
    expect(page.locator("[data-visualizer=prediction]")).to_be_visible()
    page.wait_for_function("() => location.hash.includes('panels=')")
    settled(page)
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    other = _watched(context.new_page(), faults)
    other.goto(page.url)
    other.wait_for_selector(READY)
    settled(other)
    assert shown_probabilities(other) == shown_probabilities(page)
    panels = "[...document.querySelectorAll('.panel')].map((panel) => panel.dataset.visualizer)"
    assert other.evaluate(panels) == page.evaluate(panels)
    np.testing.assert_array_equal(ink_of(other), ink_of(page))
    context.close()


@pytest.mark.parametrize(
    ("fragment", "words"),
    [
        ("model=resnet", "unknown model, 'resnet'"),
        ("backend=jax", "unknown backend, 'jax'"),
        ("model=cnn&layer=conv9", "unknown layer, 'conv9'"),
        ("panels=" + quote('[{"visualizer":"magic"}]'), "unknown panel, 'magic'"),
        ("panels=[[", "cannot be read"),
        ("sample=5.99999", "5"),
        ("sample=five", "digit.index"),
        ("ink=!!!", "drawing in the address is damaged"),
        ("layer=conv1&unit=x", "whole number"),
    ],
)
def test_unknown_things_in_the_address(page: Page, server: str, fragment: str, words: str) -> None:
    page.goto(f"{server}#{fragment}")
    expect(page.locator(".notice")).to_contain_text(words)
    expect(page.locator(".subject-note")).to_contain_text("parameters", timeout=60_000)
    draw(page, [np.array([(0.5, 0.2), (0.5, 0.8)])])
    expect(page.locator(".confidence")).to_contain_text("confident")


def test_clicks_select_everywhere_and_hovering_tells(page: Page, server: str) -> None:
    visit(page, server, "model=cnn-compact&backend=pytorch&sample=7.1")
    settled(page)
    tile = page.locator("[data-visualizer=feature_maps]").nth(1)
    area = tile.locator(".nsewdrag").first.bounding_box()
    assert area
    spot = (area["x"] + 0.35 * area["width"], area["y"] + 0.1 * area["height"])
    page.mouse.move(*spot)
    expect(page.locator(".tooltip")).to_contain_text(re.compile(r"conv1 · unit \d+, row \d+, column \d+ · activation"))
    unit = re.findall(r"unit (\d+)", page.locator(".tooltip").inner_text())[0]
    page.mouse.click(*spot)
    page.wait_for_function("() => location.hash.includes('unit=')")
    assert (query(page)["layer"], query(page)["unit"]) == ("conv1", unit)
    page.locator("[data-visualizer=architecture_graph]").scroll_into_view_if_needed()
    node = page.evaluate(
        """() => {
            const plot = document.querySelector("[data-visualizer=architecture_graph] .js-plotly-plot");
            for (const [curve, trace] of plot.data.entries()) {
                const named = (entry) => [].concat(entry.layer || entry)[0] === "conv3";
                const index = (trace.customdata || []).findIndex(named);
                if (index < 0) continue;
                const full = plot._fullLayout, box = plot.getBoundingClientRect(), n = layerscope.numbers;
                return [box.x + full.xaxis._offset + full.xaxis.d2p(n(trace.x).values[index]),
                        box.y + full.yaxis._offset + full.yaxis.d2p(n(trace.y).values[index])];
            }
        }"""
    )
    page.mouse.click(*node)
    page.wait_for_function("() => location.hash.includes('layer=conv3')")
    settled(page)
    layer = "document.querySelector('[data-visualizer=filters] .js-plotly-plot').layout.meta.tiles.layer"
    assert page.evaluate(layer) == "conv3"


def test_panels_change_come_and_go(page: Page, server: str) -> None:
    visit(page, server, "model=cnn-compact&backend=pytorch&sample=7.1")
    filters = page.locator("[data-visualizer=filters]")
    columns = "document.querySelector('[data-visualizer=filters] .js-plotly-plot').layout.meta.tiles.columns"
    filters.get_by_role("button", name="Settings").click()
    page.locator("#popover").get_by_label("Columns").fill("16")
    page.wait_for_function(f"() => {columns} === 16")
    page.keyboard.press("Escape")
    expect(page.locator("#popover")).to_be_hidden()
    filters.get_by_role("button", name="What does this show?").click()
    expect(page.locator("#popover")).to_contain_text("Kernels have shape")
    page.keyboard.press("Escape")
    filters.get_by_role("button", name="Full screen").click()
    expect(filters).to_have_class(re.compile("is-fullscreen"))
    page.keyboard.press("Escape")
    expect(filters).not_to_have_class(re.compile("is-fullscreen"))
    maps = page.locator("[data-visualizer=feature_maps]").first
    maps.locator(".panel-layer input").click()
    page.get_by_role("option", name="pool2").click()
    page.wait_for_function("() => location.hash.includes('pool2')")
    page.locator("[data-visualizer=network_view]").get_by_role("button", name="Remove this panel").click()
    expect(page.locator("[data-visualizer=network_view]")).to_have_count(0)
    settled(page)
    page.reload()
    page.wait_for_selector(READY)
    expect(page.locator("[data-visualizer=network_view]")).to_have_count(0)
    page.wait_for_function(f"() => {columns} === 16")
    page.locator("#every-layer").click()
    expect(page.locator("[data-visualizer=network_view]")).to_have_count(1)


def test_a_panel_that_does_not_apply_says_why(page: Page, server: str) -> None:
    visit(page, server, "model=cnn-compact&backend=pytorch&sample=7.1&layer=pool1")
    settled(page)
    expect(page.locator("[data-visualizer=filters] .panel-message")).to_contain_text("This view needs")


def test_two_windows_do_not_see_each_other(
    page: Page, server: str, browser: Browser, pen_digits: Sequence[PenDigit], faults: list[str]
) -> None:
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    other = _watched(context.new_page(), faults)
    visit(page, server)
    visit(other, server)
    for one, two in zip(first_of(pen_digits, 1), first_of(pen_digits, 0), strict=False):
        begin(page, one)
        begin(other, two)
        page.mouse.up()
        other.mouse.up()
    for window, label in ((page, 1), (other, 0)):
        settled(window)
        expect(window.locator(".digit")).to_have_text(str(label))
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 900, 2560])
def test_schemes_and_widths(
    server: str, browser: Browser, pen_digits: Sequence[PenDigit], faults: list[str], scheme: Any, width: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 1000}, color_scheme=scheme)
    page = _watched(context.new_page(), faults)
    visit(page, server)
    page.locator("#paper").scroll_into_view_if_needed()
    draw(page, first_of(pen_digits, 3))
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    paper = page.locator("#paper").bounding_box()
    assert paper
    assert 0 <= paper["x"] <= width - paper["width"]
    for place in (".verdict", ".panel-title", ".stage-explanation", ".panels-title", ".bar-name"):
        assert _contrast(page, place) >= 4.5, place
    assert page.evaluate(SQUEEZED) == []
    folder = Path(__file__).parents[1] / "test-results"
    folder.mkdir(exist_ok=True)
    page.screenshot(path=folder / f"{scheme}-{width}.png", full_page=True)
    context.close()
    assert faults == []


def _contrast(page: Page, selector: str) -> float:
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
    light, dark = sorted((_luminance(colour) for colour in colours), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    channels = [float(part) / 255 for part in re.findall(r"[\d.]+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_scheme_can_be_switched(page: Page, server: str) -> None:
    visit(page, server)
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("#scheme").click()
    page.wait_for_function("(before) => getComputedStyle(document.body).backgroundColor !== before", arg=before)
    after = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.reload()
    page.wait_for_selector(READY)
    page.wait_for_function("(after) => getComputedStyle(document.body).backgroundColor === after", arg=after)
