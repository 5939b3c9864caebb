"""Views and backends from outside, on the page: an installed package, files that change, and files with faults."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from layerscope.backends.base import Capability, Model
from layerscope.visualizers.contract import Need, Visualizer
from layerscope.visualizers.registry import BUILT_IN
from playwright.sync_api import expect

if TYPE_CHECKING:
    from conftest import Server
    from dashboard import Dashboard

pytestmark = pytest.mark.browser

EXAMPLE = Path(__file__).parents[2] / "examples" / "layerscope-example"
SHARED = "import site; site.addsitedir({!r})\n"
"""Lets an environment have what another one has installed, its editable packages included."""

HEAD = '''
import time
import plotly.graph_objects as go
from layerscope.visualizers import Frame, Need, NoSettings, Subject, visualizer


@visualizer(title="{title}", needs={{Need.IMAGE}})
def {name}(subject: Subject, settings: NoSettings):
    """Shows you what a plugin can do."""
'''
SUM = 'return go.Figure(go.Bar(x=["all"], y=[float(subject.image.sum())]))'
BODIES = {
    "steady": SUM,
    "changing": SUM,
    "raises": 'raise ValueError("out of paper")',
    "endless": "while True: pass",
    "odd": 'return "a picture"',
    "patient": """
    for step in range(1, 401):
        time.sleep(0.02)
        yield Frame(go.Figure(go.Bar(x=["step"], y=[step])), step / 400)
""",
}


def code(name: str, title: str = "", body: str = "") -> str:
    return HEAD.format(name=name, title=title or name.title()) + "    " + (body or BODIES[name]) + "\n"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment of its own, with the example package installed by pip beside all that we have."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home / "env")
    (packages,) = (home / "env").glob("lib/python*/site-packages")
    (packages / "shared.pth").write_text(SHARED.format(sysconfig.get_path("purelib")))
    shutil.copytree(EXAMPLE, home / "example")
    found = home / "env" / "bin" / "python"
    options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "--python", found, "install", *options, home / "example"]
    installed = subprocess.run(command, capture_output=True, text=True)
    assert installed.returncode == 0, installed.stderr
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of plugins, some of them with a fault."""
    path = tmp_path_factory.mktemp("plugins")
    for name in BODIES:
        (path / f"{name}.py").write_text(code(name))
    (path / "broken.py").write_text("def view(:\n")
    return path


@pytest.fixture(scope="module")
def plugged(
    server_class: type[Server], python: Path, folder: Path, data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of a server that was started from that environment, with that folder, and follows its changes."""
    home = tmp_path_factory.mktemp("server") / "home"
    started = server_class(
        home, "--debug", "--plugins", str(folder), "--data", str(data_dir), python=str(python)
    )  # fmt: skip
    yield started.address
    started.stop()


@pytest.fixture
def dashboard(window: Callable[..., Dashboard], plugged: str) -> Dashboard:
    """A window on that server."""
    return window(plugged)


def test_a_backend_and_a_view_from_an_installed_package(
    dashboard: Dashboard, strokes: Callable[..., Any], compact: Model, image_of: Callable[..., Any]
) -> None:
    dashboard.visit(("activation_histogram", "conv1_relu")).draw(strokes(5))
    ink, answered = dashboard.ink, dashboard.probabilities()
    bars = dashboard.plot("activation_histogram")["values"]
    dashboard.switch_backend("NumPy")
    dashboard.rest()
    assert (dashboard.address["backend"], dashboard.ink) == ("numpy", ink)
    np.testing.assert_allclose(dashboard.probabilities(), answered, atol=1e-5)
    dashboard.page.locator("#clear").click()
    dashboard.rest().draw(strokes(3))
    expected = compact.probabilities(image_of(dashboard.source))[0]
    assert expected.argmax() == 3
    np.testing.assert_allclose(dashboard.probabilities(), expected, atol=1e-5)
    expect(dashboard.digit).to_have_text("3")
    view = dashboard.panels("activation_histogram")
    expect(view.locator(".panel-title")).to_have_text("Histogram of activations")
    expect(view.locator(".panel-message")).to_be_hidden()
    now = dashboard.plot("activation_histogram")["values"]
    assert now.sum() == bars.sum() == np.prod(compact.layer("conv1_relu").output_shape)
    assert (now != bars).any()


def short(view: Visualizer) -> dict[str, Any]:
    """The settings with which a view that takes its time takes the least."""
    bounds = {control.name: control.range for control in view.controls if control.range}
    return {name: bounds[name].low for name in ("images", "steps") if name in bounds} if view.on_request else {}


def test_every_built_in_view_shows_a_figure_of_a_backend_from_outside_or_says_what_is_missing(
    dashboard: Dashboard, compact: Model
) -> None:
    panels = []
    for view in BUILT_IN:
        fitting = [layer.name for layer in compact.layers if view.applies_to(layer)]
        layer = ("conv2" if "conv2" in fitting else fitting[0]) if Need.LAYER in view.needs else None
        panels.append({"visualizer": view.name, "layer": layer, "settings": short(view)})
    place = {"layer": "conv2", "unit": 3, "position": "4.5", "sample": "7.0", "second": "1.0"}
    place |= {"second_model": "cnn-compact", "second_backend": "pytorch"}
    dashboard.visit(panels=json.dumps(panels), backend="numpy", **place)
    shown, withheld = set(), {}
    for view in BUILT_IN:
        panel = dashboard.panels(view.name)
        while (run := panel.get_by_role("button", name="Run", exact=True)).is_visible():
            run.click()
            expect(panel.locator(".panel-cost, .panel-message")).to_contain_text(["took"], timeout=60_000)
        if "is-withheld" in (panel.get_attribute("class") or ""):
            withheld[view.name] = panel.locator(".panel-message").inner_text()
        else:
            shown.add(view.name)
    lacking = {view.name for view in BUILT_IN if Capability.GRADIENTS in view.capabilities or Need.RUN in view.needs}
    assert set(withheld) == lacking
    assert shown == {view.name for view in BUILT_IN} - lacking
    assert [words for words in withheld.values() if "failed" in words or "took longer" in words] == []
    assert withheld["grad_cam"] == "This view needs a model that offers gradients; cnn-compact does not."


def test_a_changed_file_changes_its_panel_and_nothing_else(
    dashboard: Dashboard, strokes: Callable[..., Any], folder: Path
) -> None:
    dashboard.visit(("changing", None), ("feature_maps", "conv1")).draw(strokes(8)[:1])
    page, before = dashboard.page, dashboard.picture
    assert dashboard.plot("changing")["values"].shape == (1,)
    page.evaluate("() => { window.still = true; }")
    (folder / "changing.py").write_text(code("changing", "Changed", "return go.Figure(go.Bar(y=[1.0, 2.0, 3.0]))"))
    dashboard.draw([np.array([(0.9, 0.9), (0.95, 0.95)])])
    np.testing.assert_array_equal(dashboard.plot("changing")["values"], [1, 2, 3])
    assert page.evaluate("() => window.still"), "the page is the same"
    assert (dashboard.picture <= before).all()
    assert (dashboard.picture[:120, :120] == before[:120, :120]).all()
    assert dashboard.plot("feature_maps")["values"].any()
    (folder / "changing.py").write_text("1 / 0")
    dashboard.draw([np.array([(0.9, 0.85), (0.95, 0.85)])])
    expect(dashboard.panels("changing").locator(".panel-message")).to_have_text(
        "There is no visualizer called 'changing'."
    )
    (folder / "changing.py").write_text(code("changing", "Mended"))
    dashboard.draw([np.array([(0.9, 0.8), (0.95, 0.8)])])
    expect(dashboard.panels("changing").locator(".panel-message")).to_be_hidden()
    assert dashboard.plot("changing")["values"].shape == (1,)
    page.reload()
    expect(dashboard.rest().panels("changing").locator(".panel-title")).to_have_text("Mended")
    assert (dashboard.picture <= before).all(), "the drawing has outlived it all"


def test_faults_of_plugins_are_said_in_their_own_place_and_drawing_goes_on(
    dashboard: Dashboard, strokes: Callable[..., Any], compact: Model, image_of: Callable[..., Any]
) -> None:
    dashboard.visit(("raises", None), ("endless", None), ("odd", None), ("feature_maps", "conv1"), ("steady", None))
    dashboard.draw(strokes(4))
    expected = {
        "raises": "This view failed: ValueError: out of paper",
        "endless": "This view took longer than 2 seconds and was stopped, so that drawing goes on.",
        "odd": "a visualizer returns a plotly Figure. Received: str",
    }
    for name, words in expected.items():
        expect(dashboard.panels(name).locator(".panel-message")).to_contain_text(words)
    left_out = dashboard.page.get_by_role("region", name="Plugins left out")
    expect(left_out.get_by_role("term")).to_have_text(["broken.py"])
    expect(left_out.get_by_role("definition")).to_contain_text(["SyntaxError: "])
    image = image_of(dashboard.source)
    np.testing.assert_allclose(dashboard.probabilities(), compact.probabilities(image)[0], atol=2e-6)
    trace = compact.trace(image, ["conv1"])["conv1"][0]
    np.testing.assert_allclose(dashboard.tile("conv1", 0), trace[:, :, 0], atol=1e-5)
    assert dashboard.plot("steady")["values"][0] == pytest.approx(image.sum(), rel=1e-5)
    expect(dashboard.notice).to_be_hidden()


def test_a_running_view_is_paused_resumed_and_stopped(dashboard: Dashboard) -> None:
    dashboard.visit(("patient", None), sample="7.0")
    view, page = dashboard.panels("patient"), dashboard.page
    footer, share = view.locator(".panel-cost"), re.compile(r"Paused at (\d+) %")
    view.get_by_role("button", name="Run").click()
    footer.get_by_role("button", name="Pause").click(delay=500)  # as slow as a finger, while frames come
    expect(footer).to_contain_text(share)
    shown = footer.inner_text()
    page.wait_for_timeout(800)
    assert footer.inner_text() == shown, "it stands still"
    expect(footer.get_by_role("button", name="Resume")).to_be_focused()
    (reached,) = map(int, share.findall(shown))
    assert dashboard.plot("patient")["values"][0] == pytest.approx(4 * reached, abs=2.1), "its figure stays"
    page.keyboard.press("Enter")
    page.wait_for_function("(at) => parseInt(document.querySelector('.panel-cost').textContent) > at", arg=reached)
    footer.get_by_role("button", name="Pause").click()
    expect(footer).to_contain_text(share)
    later = int(share.findall(footer.inner_text())[0])
    assert reached < later < 100
    footer.get_by_role("button", name="Stop").click()
    expect(footer).to_contain_text("Stopped.")
    expect(footer.get_by_role("button", name="Run again")).to_be_visible()
    assert dashboard.plot("patient")["values"][0] >= 4 * later - 2
    dashboard.draw([np.array([(0.3, 0.2), (0.7, 0.8)])])  # another image, another question
    expect(view.get_by_role("button", name="Run", exact=True)).to_be_visible()
