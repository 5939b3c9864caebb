"""The page as a person uses it: a window of a real browser, and what stands on it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import numpy as np
from layerscope.drawing.ink import decode_ink
from layerscope.layouts.pictures import Source
from numpy.typing import NDArray
from playwright.sync_api import ConsoleMessage, Locator, Page, Response, expect

Points = NDArray[np.floating]

COUNT_REQUESTS = """
    window.underWay = 0;
    const ask = window.fetch;
    window.fetch = (...given) => {
        window.underWay += 1;
        return ask(...given).finally(() => setTimeout(() => { window.underWay -= 1; }, 0));
    };
"""

AT_REST = """([milliseconds, call]) => {
    const panels = [...document.querySelectorAll(".panel")], now = performance.now(), scope = window.layerscope;
    const idle = scope?.live?.painted && !scope.ink.busy && !scope.ink.drawing && !window.underWay
        && !document.body.classList.contains("is-loading")
        && panels.every((panel) => panel.matches(".has-figure, .is-withheld, .is-on-request"))
        && ![...document.querySelectorAll("canvas.overlay")].some((canvas) => !canvas.hidden);
    const state = [call, idle, scope?.live?.painted, location.hash].join();
    if (!idle || window.restState !== state) { window.restState = state; window.restSince = now; window.looks = 0; }
    window.looks += 1; // a busy machine may not look, nor do anything else, for longer than that
    return now - window.restSince > milliseconds && window.looks > 8;
}"""

PLOT = """([visualizer, layer]) => {
    const panels = [...document.querySelectorAll(`.panel[data-visualizer="${visualizer}"]`)];
    const plots = panels.map((panel) => panel.querySelector(".js-plotly-plot")).filter((plot) => plot?.layout);
    const layerOf = (plot) => plot.layout.meta?.tiles?.layer ?? plot.layout.meta?.bars?.layer;
    const plot = plots.find((plot) => layer === null || layerOf(plot) === layer);
    if (!plot) return null;
    const trace = plot.data[0], { values, shape } = layerscope.arrays.numbers(trace.z ?? trace.y);
    return { panel: plot.closest(".panel").dataset.panel, values: [...values], shape, meta: plot.layout.meta };
}"""


class Dashboard:
    """One window. Whatever the browser complains of is kept in `complaints`, which must be empty in the end."""

    def __init__(self, page: Page, server: str) -> None:
        self.page, self.server = page, server
        self.complaints: list[str] = []
        self._calls = count()
        page.add_init_script(COUNT_REQUESTS)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        page.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"console: {message.text}")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status} {response.url}")
        if not response.url.startswith((self.server, "data:", "blob:")):
            self.complaints.append(f"asked of another server: {response.url}")

    def visit(self, *panels: tuple[str, str | None], **address: Any) -> Dashboard:
        """Opens an address, by default of the compact network.

        Args:
            panels: visualizer and layer of each; a few are quicker than the page's own, which stand for none.
            address: whatever else it is to say.
        """
        wanted = [{"visualizer": visualizer, "layer": layer} for visualizer, layer in panels]
        own = {"panels": json.dumps(wanted)} if wanted else {}
        return self.open(urlencode({"model": "cnn-compact", "backend": "pytorch", **own, **address}))

    def open(self, fragment: str) -> Dashboard:
        """Opens the page at exactly this part after `#`."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.server}#{fragment}")
        return self.rest()

    def rest(self, milliseconds: int = 300) -> Dashboard:
        """Waits until nothing has been on its way for a while, and Plotly and the address show it."""
        self.page.wait_for_function(AT_REST, arg=[milliseconds, next(self._calls)], timeout=60_000)
        return self

    # Drawing

    def draw(self, strokes: Sequence[Points]) -> Dashboard:
        """Replays strokes, in the unit square of the paper, with the mouse."""
        for stroke in strokes:
            self.begin(stroke)
            self.page.mouse.up()
        return self.rest()

    def begin(self, stroke: Points) -> None:
        """Replays a stroke and leaves the button down."""
        places = [self.on_paper(*point) for point in stroke]
        self.page.mouse.move(*places[0])
        self.page.mouse.down()
        for place in places[1:] or places:
            self.page.mouse.move(*place)

    def on_paper(self, x: float, y: float) -> tuple[float, float]:
        """A place on the screen for one in the unit square of the paper."""
        box = self.page.locator("#paper").bounding_box()
        assert box
        return box["x"] + float(x) * box["width"], box["y"] + float(y) * box["height"]

    # What the address says

    @property
    def address(self) -> dict[str, str]:
        return {key: values[0] for key, values in parse_qs(urlsplit(self.page.url).fragment).items()}

    @property
    def ink(self) -> str | None:
        return self.address.get("ink")

    @property
    def source(self) -> Source:
        """What is looked at, by the address."""
        sample = self.address.get("sample")
        return Source(self.ink, tuple(map(int, sample.split("."))) if sample else None)  # type: ignore[arg-type]

    @property
    def picture(self) -> NDArray[np.float32]:
        """The ink of the address as `(140, 140)` in [0, 1]."""
        assert self.ink
        return decode_ink(self.ink)

    # What the page says

    @property
    def digit(self) -> Locator:
        return self.page.locator(".answer .digit")

    @property
    def verdict(self) -> Locator:
        return self.page.locator(".answer .verdict")

    @property
    def notice(self) -> Locator:
        return self.page.locator(".notice")

    def probabilities(self) -> NDArray[np.float64]:
        """The bars of the answer card, as long as they are drawn."""
        styles = self.page.locator(".bar-fill").evaluate_all("(bars) => bars.map((bar) => bar.style.transform)")
        return np.array([float(re.findall(r"scaleX\(([^)]+)\)", style)[0]) for style in styles])

    def stage(self, name: str) -> NDArray[np.uint8]:
        """The picture of one step from ink to input, `(height, width)`."""
        pixels, width = self.page.locator(f'[data-stage="{name}"] canvas').evaluate(
            """(canvas) => {
                const { data, width } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
                return [[...data], width];
            }"""
        )
        return np.array(pixels, np.uint8).reshape(-1, width, 4)[:, :, 0]

    def panels(self, visualizer: str | None = None) -> Locator:
        return self.page.locator(f'.panel[data-visualizer="{visualizer}"]' if visualizer else ".panel")

    def panel_of(self, visualizer: str, layer: str) -> Locator:
        """The panel that shows this layer."""
        return self.page.locator(f'.panel[data-panel="{self.plot(visualizer, layer)["panel"]}"]')

    def plot(self, visualizer: str, layer: str | None = None) -> dict[str, Any]:
        """What Plotly holds: `values` as an array, and the figure's `meta`."""
        found = self.page.evaluate(PLOT, [visualizer, layer])
        assert found, f"no panel {visualizer} of {layer}"
        return {**found, "values": np.array(found["values"], np.float64).reshape(found["shape"])}

    def tile(self, layer: str, unit: int, visualizer: str = "feature_maps") -> NDArray[np.float64]:
        """One tile of a mosaic, `(height, width)`."""
        plot = self.plot(visualizer, layer)
        tiles = plot["meta"]["tiles"]
        row, column = divmod(unit, tiles["columns"])
        top, left = row * (tiles["height"] + tiles["gap"]), column * (tiles["width"] + tiles["gap"])
        found: NDArray[np.float64] = plot["values"][top : top + tiles["height"], left : left + tiles["width"]]
        return found

    # Controls

    def choose(self, control: str, option: str) -> None:
        """Picks an option of one of Mantine's selects."""
        self.page.locator(control).click()
        self.page.get_by_role("option", name=option, exact=True).locator("visible=true").click()

    def switch_backend(self, title: str) -> None:
        self.page.locator("#backend").get_by_text(title, exact=True).click()
        expect(self.page.locator(".subject-note")).to_contain_text(f"· {title}", timeout=90_000)

    def switch_step(self, title: str) -> None:
        self.page.locator(".stage-switch").filter(has_text=title).locator("label").first.click()

    def upload(self, file: Path) -> None:
        with self.page.expect_file_chooser() as chooser:
            self.page.locator("#upload-button").click()
        chooser.value.set_files(file)
