"""Takes a picture of one view's panel, on the real page in a real browser, looking at a real digit."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

from browser import candidates
from layerscope.models.bundled import BUNDLED
from layerscope.models.layers import LayerInfo
from layerscope.visualizers.contract import Need, Visualizer
from pictures import FLAGS
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

MODEL = "cnn-compact"
LOOKED_AT = {"model": MODEL, "backend": "pytorch", "sample": "3.5", "unit": 2}
LAYERSCOPE = [sys.executable, "-m", "layerscope"]
TRAINING = ["--model", "dense", "--backend", "pytorch", "--share", "0.1", "--epochs", "10", "--validation", "0.2"]
"""The run that views of a training look at."""
LAYERS = ("conv2_relu", "conv2", "dense1")
"""Where a view looks by default: the first of these that it applies to, else the first layer at all."""
SCENES: Mapping[str, Mapping[str, Any]] = {
    "compare_images": {"layer": "conv1_relu", "second": "8.3"},
    "model_differences": {"second_model": MODEL, "second_backend": "keras"},
    "prediction": {"sample": "2.63"},
    "filters": {"layer": "conv1"},
    "feature_maps": {"layer": "conv1_relu"},
    "dense_outputs": {"layer": "dense1_relu"},
    "filter_response": {"layer": "conv1"},
    "network_view": {"settings": {"units": 12, "connections": 50}},
    "layer_arithmetic": {"layer": "conv1"},
    "receptive_field": {"layer": "conv3_relu"},
    "feature_visualisation": {"layer": "conv3_relu", "unit": 12},
    "top_images": {"layer": "conv3_relu", "unit": 12},
    "accuracy": {"edits": json.dumps([["dense1_relu", unit, 0] for unit in (1, 2, 9, 23, 36, 45, 47)])},
}
"""View → what its address says differently; `settings` are those of the panel."""

SIZE = """
.grid { grid-template-columns: 360px 360px !important; }
.panel { --figure: 210px !important; }
.panel-wide { --figure: var(--natural, 420px) !important; }
.panel-tools, .panel-cost { display: none !important; }
.panel-legend { height: auto !important; flex-wrap: wrap; white-space: normal !important; }
"""
"""One column or two of a fixed width; what a click could do and how long it took is not what the picture is about."""
COLOURS = (256, 128, 64, 32, 16)
LARGEST = 40 * 1024
"""Bytes of a picture, which gets as many colours as fit."""
TOOK = "document.querySelector('.panel-cost')?.textContent.startsWith('took')"


def take(views: Sequence[Visualizer], folder: Path) -> None:
    """Writes a PNG for each view into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as home, sync_playwright() as playwright, ExitStack() as stack:
        if any(Need.RUN in view.needs for view in views):
            subprocess.run([*LAYERSCOPE, "train", *TRAINING, "--home", home], check=True)
        address = stack.enter_context(_served(home))
        browser = playwright.chromium.launch(executable_path=next(candidates()), args=FLAGS)
        for view in views:
            (folder / f"{view.name}.png").write_bytes(_small(_taken(browser, address, view)))
            print(f"Took {view.title}", flush=True)
        browser.close()


@contextmanager
def _served(home: str) -> Iterator[str]:
    command = [*LAYERSCOPE, "serve", "--port", "0", "--home", home]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            yield server.stdout.readline().split(": ", 1)[1].split()[0]
        finally:
            server.terminate()


def _taken(browser: Browser, address: str, view: Visualizer) -> bytes:
    """The panel, finer than on most screens."""
    context = browser.new_context(
        viewport={"width": 1400, "height": 1600}, color_scheme="light", device_scale_factor=1.5 if view.wide else 2
    )
    page = context.new_page()
    page.goto(f"{address}#{urlencode(scene(view))}")
    page.add_style_tag(content=SIZE)
    panel = page.locator(".panel")
    if Need.RUN in view.needs:
        panel.locator(".panel-message .text-button").click(timeout=60_000)  # it offers the latest
    if view.on_request and not view.at_rest:
        panel.get_by_role("button", name="Run", exact=True).click(timeout=60_000)
    if view.on_request:
        page.wait_for_function(f"() => ({TOOK})", timeout=120_000)
    page.wait_for_selector(".panel.has-figure", timeout=60_000)
    _settle(page)
    taken = panel.screenshot()
    context.close()
    return taken


def scene(view: Visualizer) -> dict[str, Any]:
    """The address at which a view has something to show."""
    own = dict(SCENES.get(view.name, {}))
    layer = _layer(view, own.pop("layer", None))
    panel = {"visualizer": view.name, "settings": own.pop("settings", {})}
    panel["layer"] = layer.name if Need.LAYER in view.needs else None
    place = {"position": f"{layer.output_shape[0] // 2}.{layer.output_shape[1] // 2}"} if layer.is_spatial else {}
    return {**LOOKED_AT, "layer": layer.name, **place, "panels": json.dumps([panel]), **own}


def _layer(view: Visualizer, wanted: str | None) -> LayerInfo:
    fitting = {layer.name: layer for layer in BUNDLED[MODEL].infos if view.applies_to(layer)}
    return next((fitting[name] for name in (wanted, *LAYERS) if name in fitting), next(iter(fitting.values())))


def _settle(page: Page) -> None:
    """Waits until Plotly has drawn what was painted at first, and nothing moves any more."""
    page.mouse.move(0, 0)
    page.wait_for_function("() => ![...document.querySelectorAll('canvas.overlay')].some((canvas) => !canvas.hidden)")
    page.wait_for_timeout(1500)


def _small(png: bytes) -> bytes:
    """The same picture in a few kilobytes: a panel does with few colours."""
    picture = Image.open(BytesIO(png)).convert("RGB")
    tried = (_with_colours(picture, colours) for colours in COLOURS)
    return next((written for written in tried if len(written) <= LARGEST), _with_colours(picture, COLOURS[-1]))


def _with_colours(picture: Image.Image, colours: int) -> bytes:
    buffer = BytesIO()
    picture.quantize(colours, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
