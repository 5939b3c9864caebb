"""A real server, a real browser, and windows of it that complain of nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from layerscope.backends.base import Backend, Model
from layerscope.backends.opening import open_model
from layerscope.datasets.base import Dataset
from layerscope.datasets.pendigits import PenDigit, find_pendigits, load_pendigits
from layerscope.drawing.pipeline import Steps
from layerscope.drawing.strokes import place_strokes
from layerscope.evaluation.pens import by_writer
from layerscope.layouts.pictures import Source, Stored, prepared
from numpy.typing import NDArray
from playwright.sync_api import Browser

if TYPE_CHECKING:
    from dashboard import Dashboard, Points


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser on a busy machine may miss a moment: what waited in vain may wait once more, what is wrong may not."""
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.flaky(reruns=1, only_rerun=["TimeoutError", "expected to"]))


@pytest.fixture(scope="session")
def dashboard_class() -> type[Dashboard]:
    spec = spec_from_file_location("dashboard", Path(__file__).with_name("dashboard.py"))
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    found: type[Dashboard] = module.Dashboard
    return found


class Server:
    """`layerscope serve` in a process of its own, by default with the Python that runs the tests.

    Attributes:
        address: where its page is.
        log: its log file.
    """

    def __init__(self, home: Path, *options: str, python: str = sys.executable, **variables: str) -> None:
        command = [python, "-m", "layerscope", "serve", "--home", str(home), *options]
        if "--port" not in options:
            command += ["--port", "0"]
        environment = {**os.environ, **variables}
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=home.parent)
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line.startswith("Layerscope is ready: "), line
        self.address = line.split(": ", 1)[1].split()[0]
        self.log = home / "layerscope.log"

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)


@pytest.fixture(scope="session")
def server_class() -> type[Server]:
    return Server


@pytest.fixture(scope="session")
def server(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the server that most tests share; nothing that they do may make it fail."""
    shared = Server(tmp_path_factory.mktemp("server") / "home", "--data", str(data_dir))
    yield shared.address
    shared.stop()
    assert "Traceback" not in shared.log.read_text()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts a server of the test's own."""
    with ExitStack() as stack:

        def start(*options: str, **variables: str) -> Server:
            started = Server(tmp_path / "home", *options, **variables)
            stack.callback(started.stop)
            return started

        yield start


@pytest.fixture
def window(browser: Browser, dashboard_class: type[Dashboard]) -> Iterator[Callable[..., Dashboard]]:
    """Opens a window that shares nothing with any other; in the end none may have complained."""
    opened: list[Dashboard] = []
    with ExitStack() as stack:

        def another(server: str, **options: Any) -> Dashboard:
            context = browser.new_context(**{"viewport": {"width": 1400, "height": 1000}, **options})
            context.set_default_timeout(30_000)
            stack.callback(context.close)
            opened.append(dashboard_class(context.new_page(), server))
            return opened[-1]

        yield another
    assert [complaint for each in opened for complaint in each.complaints] == []


@pytest.fixture
def dashboard(window: Callable[..., Dashboard], server: str) -> Dashboard:
    """A window on the shared server."""
    return window(server)


@pytest.fixture(scope="session")
def held_out(data_dir: Path) -> Sequence[PenDigit]:
    """Digits by writers whom no bundled network has seen."""
    path = find_pendigits(data_dir)
    assert path
    return by_writer(load_pendigits(path))[1]


@pytest.fixture(scope="session")
def strokes(held_out: Sequence[PenDigit]) -> Callable[[int], list[Points]]:
    """A label's first digit by such a writer, placed on the paper as a person would."""

    def of(label: int) -> list[Points]:
        digit = next(digit for digit in held_out if digit.label == label)
        return [np.asarray(stroke, np.float64) for stroke in place_strokes(digit.strokes)]

    return of


@pytest.fixture(scope="session")
def compact(pytorch: Backend) -> Model:
    """The network on most pages, opened here to compare with."""
    return open_model("cnn-compact", "pytorch")


@pytest.fixture(scope="session")
def image_of(mnist_test: Dataset) -> Callable[..., NDArray[np.float32]]:
    """The network's input `(1, height, width, channels)` for what an address says."""

    def of(source: Source, steps: Steps | None = None, shape: tuple[int, int, int] = (28, 28, 1)) -> Any:
        stored = Stored.sample(mnist_test, source.sample) if source.sample else None
        return prepared(source, stored, shape, steps or Steps()).image[None]

    return of
