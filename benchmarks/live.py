"""From the pen to the paint: real pen strokes, a real server, a real browser, every layer on the page.

Beside it, in turns, a Dash app that only echoes a number: what no dashboard built on Dash can be quicker than.
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlparse

import numpy as np
from measure import Timing, save
from pen import (
    browsing,
    clear,
    collected,
    digits,
    draw,
    draw_in_steps,
    live_panels,
    pixels,
    rest,
    scribble,
    serving,
    strokes_of,
    watched,
)
from playwright.sync_api import Page
from tables import live_tables
from timeline import PARTS, Ink, inks, last_answer, most_at_once

DIGITS = 12
WARM_UP = 2
SCRIBBLE_SECONDS = 10
BACKENDS = ("pytorch", "keras")
EXPLAINED = {f"{name}, explained": name for name in BACKENDS}
"""The page with two more panels, which need a way back through the network."""
ECHO = "echo"


def measured(model: str, count: int = DIGITS) -> dict[str, Any]:
    """Everything this benchmark measures."""
    with _pages(model) as pages:
        found = in_turns(pages, count)
        panels = {name: live_panels(pages[name]) for name in (*BACKENDS, *EXPLAINED)}
        screens = {name: _screens(pages[name], panels[name]) for name in panels}
        ends = {name: _scribbled(pages[name]) for name in BACKENDS}
    for name, end in ends.items():
        end["off by"] = _difference(model, name, end)
    expected = {name: set(panels[name]) for name in panels} | {ECHO: {ECHO}}
    return {
        "model": model,
        "pages": {name: summary(found[name], expected[name]) for name in found},
        "ratios": {name: paired(found[name], found[ECHO]) for name in panels},
        "screens": screens,
        "scribbles": ends,
    }


def _pages(model: str) -> AbstractContextManager[dict[str, Page]]:
    """The drawing page on each backend and the echo, all of them at rest."""
    addresses = {name: f"#model={quote(model)}&backend={name}" for name in BACKENDS}
    more = f"&panels={quote(json.dumps(_explained(model)))}"
    addresses |= {name: addresses[backend] + more for name, backend in EXPLAINED.items()}
    return beside_an_echo(addresses, ".panel.has-figure", "--model", model)


@contextmanager
def beside_an_echo(addresses: Mapping[str, str], ready: str, *options: str) -> Iterator[dict[str, Page]]:
    """Pages of one server and the echo, in one browser, all of them at rest.

    Args:
        addresses: name → what follows the address of the server.
        ready: a selector of what stands on each page once it is there.
        options: of the server.
    """
    with ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory())
        server = stack.enter_context(serving("-m", "layerscope", "serve", "--port", "0", "--home", home, *options))
        echo = stack.enter_context(serving(str(Path(__file__).with_name("echo.py"))))
        browser = stack.enter_context(browsing())
        pages = {name: watched(browser, server + address) for name, address in addresses.items()}
        for page in pages.values():
            page.wait_for_selector(ready, timeout=60_000)
        pages[ECHO] = watched(browser, echo)
        for page in pages.values():
            page.bring_to_front()
            rest(page)
        for digit in digits(WARM_UP):
            for page in pages.values():
                _drawn(page, strokes_of(digit))
        yield pages


def _explained(model: str) -> list[dict[str, Any]]:
    """The panels of the page, and before them gradient × input and the Grad-CAM of the last layer with a size."""
    from layerscope.backends.opening import open_model
    from layerscope.layouts.arrangements import every_layer

    layers = open_model(model, BACKENDS[0]).layers
    last = [layer.name for layer in layers if layer.is_spatial][-1]
    panels = [panel.data for panel in every_layer(layers)]
    return [
        {"id": "x0", "visualizer": "gradient_map", "settings": {"method": "gradient × input"}},
        {"id": "x1", "visualizer": "grad_cam", "layer": last},
        *panels,
    ]


def in_turns(pages: Mapping[str, Page], count: int) -> dict[str, list[list[Ink]]]:
    """Name → the inks of each digit."""
    found: dict[str, list[list[Ink]]] = {name: [] for name in pages}
    for number, digit in enumerate(digits(count)):
        names = list(pages)
        start = number % len(names)
        for name in names[start:] + names[:start]:
            found[name].append(inks(_drawn(pages[name], strokes_of(digit))))
    return found


def _drawn(page: Page, strokes: Any) -> Any:
    """What the probe noted while this was drawn on white paper."""
    page.bring_to_front()
    clear(page)
    draw(page, strokes)
    rest(page)
    return collected(page)


def _screens(page: Page, panels: Mapping[str, str], steps: int = 6) -> dict[str, Any]:
    """Visualizer → in how many of all cases a panel's picture on the screen differed from a few points earlier."""
    page.bring_to_front()
    clear(page)
    before = pixels(page, list(panels))
    changed: dict[str, list[bool]] = {}
    for _ in draw_in_steps(page, max(strokes_of(digits(1)[0]), key=len), steps):
        now = pixels(page, list(panels))
        for panel, visualizer in panels.items():
            changed.setdefault(visualizer, []).append(not np.array_equal(before[panel], now[panel]))
        before = now
    return {visualizer: {"changed": sum(each), "of": len(each)} for visualizer, each in changed.items()}


def _scribbled(page: Page) -> dict[str, Any]:
    """Ten seconds without lifting the pen; how long the last answer takes then, and what it says."""
    page.bring_to_front()
    clear(page)
    scribble(page, SCRIBBLE_SECONDS)
    rest(page)
    found = collected(page)
    answer, everything = last_answer(found)
    drawn = inks(found)
    return {
        "answers": len(drawn),
        "most requests at once": most_at_once(found),
        "pen to paint": Timing.of([ink.pen_to_paint for ink in drawn]),
        "last answer": answer,
        "last graph": everything,
        "ink": parse_qs(urlparse(page.url).fragment)["ink"][0],
        "shown": page.evaluate(
            """() => [...document.querySelectorAll(".answer .bar-fill")]
                .map((bar) => Number(/scaleX\\((.*)\\)/.exec(bar.style.transform)[1]))"""
        ),
    }


def _difference(model: str, backend: str, end: Mapping[str, Any]) -> float:
    """The largest difference between the page's probabilities and those of exactly the ink in its address."""
    from layerscope.backends.opening import open_model
    from layerscope.drawing.ink import decode_ink
    from layerscope.drawing.pipeline import prepare

    opened = open_model(model, backend)
    image = prepare(decode_ink(end["ink"]), opened.input_shape).image
    return float(np.abs(opened.probabilities(image[None])[0] - np.array(end["shown"])).max())


def summary(found: Sequence[Sequence[Ink]], expected: set[str]) -> dict[str, Any]:
    """Times of the inks of all digits, and in how many of their answers all of the expected panels were painted."""
    every = [ink for drawn in found for ink in drawn]
    return {
        "digits": len(found),
        "pen to paint": Timing.of([ink.pen_to_paint for ink in every]),
        "every movement": Timing.of([each for ink in every for each in ink.each_movement]),
        "parts": {part: Timing.of([ink.parts[part] for ink in every]) for part in PARTS},
        "bytes": statistics.median(ink.bytes for ink in every),
        "answers with every panel": sum(expected <= ink.places for ink in every) / len(every),
        "panels": len(expected),
    }


def paired(ours: Sequence[Sequence[Ink]], echo: Sequence[Sequence[Ink]]) -> float:
    """How many times longer than the echo: the median over digits that were drawn on both, one after the other."""

    def middle(drawn: Sequence[Ink]) -> float:
        return statistics.median(ink.pen_to_paint for ink in drawn)

    return statistics.median(
        middle(one) / middle(other) for one, other in zip(ours, echo, strict=True) if one and other
    )


def main() -> int:
    """Measures, prints and saves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="cnn-compact", help="a bundled network or a weights file")
    parser.add_argument("--digits", type=int, default=DIGITS)
    arguments = parser.parse_args()
    found = measured(arguments.model, arguments.digits)
    save("live", found)
    print("\n\n".join(live_tables(found)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
