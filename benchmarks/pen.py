"""A real server, a real browser, and a mouse that repeats what people wrote."""

import io
import math
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from layerscope.datasets.pendigits import PenDigit, find_pendigits, load_pendigits
from layerscope.drawing.strokes import place_strokes
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).parent
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update"]
SIZE = 1400
SIDE = 320
"""Pixels of the paper."""
PACE = 1 / 60
"""Seconds from point to point; a mouse reports about as often."""
REST = 500
"""Milliseconds without any change on the page after which it is at rest."""

Point = tuple[float, float]
Stroke = Sequence[Point]
Pixels = dict[str, np.ndarray]


@contextmanager
def serving(*command: str) -> Iterator[str]:
    """Starts a server that says `… is ready: ADDRESS` once it is; gives the address, and ends it afterwards."""
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            line = process.stdout.readline()
            if "is ready: " not in line:
                raise SystemExit(f"The server did not start: {' '.join(command)}")
            yield line.split("is ready: ")[1].split()[0]
        finally:
            process.terminate()


@contextmanager
def browsing() -> Iterator[Browser]:
    """The browser that the tests use, too."""
    search = [sys.executable, HERE.parent / "scripts" / "browser.py"]
    found = subprocess.run(search, capture_output=True, text=True)
    if found.returncode:
        raise SystemExit(found.stderr.strip())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found.stdout.strip(), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def watched(browser: Browser, address: str) -> Page:
    """A page of its own size, watched by the probe from the first moment."""
    page = browser.new_context(viewport={"width": SIZE, "height": SIZE}).new_page()
    page.add_init_script(path=HERE / "probe.js")
    page.goto(address)
    return page


def digits(count: int) -> list[PenDigit]:
    """Written digits, each class as often as the others, always the same ones."""
    path = find_pendigits()
    if path is None:
        raise SystemExit("This needs the pen strokes of UCI's Pendigits; see LAYERSCOPE_DATA in CONTRIBUTING.md.")
    every = list(load_pendigits(path))
    random.Random(0).shuffle(every)
    by_label = [[digit for digit in every if digit.label == label] for label in range(10)]
    return [by_label[number % 10][number // 10] for number in range(count)]


def strokes_of(digit: PenDigit) -> list[Stroke]:
    """Strokes in the unit square of the paper."""
    return [[(float(x), float(y)) for x, y in stroke] for stroke in place_strokes(digit.strokes)]


def draw(page: Page, strokes: Sequence[Stroke]) -> None:
    """Draws with the mouse."""
    corner = _paper(page)
    for stroke in strokes:
        _move(page, corner, stroke[0])
        page.mouse.down()
        _follow(page, corner, stroke[1:])
        page.mouse.up()


def scribble(page: Page, seconds: float) -> None:
    """One stroke all over the paper, which takes so long."""
    corner = _paper(page)
    _move(page, corner, (0.5, 0.5))
    page.mouse.down()
    begin = time.perf_counter()
    while (passed := time.perf_counter() - begin) < seconds:
        _follow(page, corner, [(0.5 + 0.35 * math.sin(2.9 * passed), 0.5 + 0.35 * math.sin(4.7 * passed))])
    page.mouse.up()


def _follow(page: Page, corner: Point, points: Stroke) -> None:
    for point in points:
        begin = time.perf_counter()
        _move(page, corner, point)
        time.sleep(max(0.0, PACE - (time.perf_counter() - begin)))


def _paper(page: Page) -> Point:
    """Where the paper begins, in pixels."""
    box = page.locator("#paper").bounding_box()
    assert box
    return box["x"], box["y"]


def _move(page: Page, corner: Point, point: Point) -> None:
    page.mouse.move(corner[0] + SIDE * point[0], corner[1] + SIDE * point[1])


def draw_in_steps(page: Page, stroke: Stroke, steps: int) -> Iterator[int]:
    """Draws one stroke, and stops `steps` times on the way with the pen still down, at rest each time."""
    corner = _paper(page)
    _move(page, corner, stroke[0])
    page.mouse.down()
    for number, part in enumerate(np.array_split(np.array(stroke[1:]), steps)):
        _follow(page, corner, [(x, y) for x, y in part.tolist()])
        rest(page)
        yield number
    page.mouse.up()


def rest(page: Page) -> None:
    """Waits until nothing on the page changes any more."""
    page.wait_for_function("rest => probe.quiet(rest)", arg=REST, timeout=60_000)


def clear(page: Page) -> None:
    """White paper again, nothing noted."""
    page.keyboard.press("Delete")
    rest(page)
    page.evaluate("probe.collect()")


def collected(page: Page) -> Any:
    """What the probe noted since the last time."""
    return page.evaluate("probe.collect()")


def live_panels(page: Page) -> dict[str, str]:
    """Panels that follow the pen and are wholly in the window: id → visualizer."""
    return page.evaluate(
        """names => Object.fromEntries([...document.querySelectorAll("[data-panel]")]
            .filter((panel) => names.includes(panel.dataset.visualizer))
            .filter((panel) => panel.getBoundingClientRect().bottom <= innerHeight)
            .map((panel) => [panel.dataset.panel, panel.dataset.visualizer]))""",
        ["feature_maps", "dense_outputs", "gradient_map", "grad_cam"],
    )


def pixels(page: Page, panels: Sequence[str]) -> Pixels:
    """What a person sees in the body of each panel, from a picture of the screen."""
    screen = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))
    found = {}
    for panel in panels:
        box = page.locator(f'[data-panel="{panel}"] .panel-body').bounding_box()
        assert box
        left, top = round(box["x"]), round(box["y"])
        found[panel] = screen[top : top + round(box["height"]), left : left + round(box["width"])]
    return found
