"""What several test files share."""

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from threading import Event
from types import ModuleType
from typing import NamedTuple

import pytest
from hypothesis import settings
from layerscope.backends import Backend
from layerscope.backends import backend as find_backend
from layerscope.datasets.base import Dataset
from layerscope.datasets.mnist import load_mnist
from layerscope.training.config import DataChoice, RunConfig
from layerscope.training.recipes import Recipe
from layerscope.training.runs import RunStore
from layerscope.training.trainer import train
from playwright.sync_api import Browser, sync_playwright

if "PYTEST_XDIST_WORKER" in os.environ:
    # Two frameworks that each spread over all cores wait for one another more than they work.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(variable, "1")

settings.register_profile("untimed", deadline=None)  # A busy machine is no fault.
settings.load_profile("untimed")

LONGEST_FIRST = (
    "test_install.py",
    "test_visualizers.py",
    "test_panels.py",
    "test_address.py",
    "test_drawing.py",
    "test_conformance.py",
    "test_training.py",
    "test_windows.py",
    "test_switching.py",
    "test_pictures.py",
    "test_plugins.py",
    "test_memory.py",
    "test_runs.py",
    "test_interrupted.py",
)
"""Files that take so long that a worker which began with one of them last would work on alone."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Longest files first, whichever order pytest found them in; the order within a file stays."""
    places = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data; without it the test is skipped, or fails where `CI=true` requires it."""
    repository = Path(__file__).parents[1]
    folder = Path(os.environ.get("LAYERSCOPE_DATA") or repository.parent / "shared" / "data").resolve()
    if (folder / "mnist").is_dir() and (folder / "pendigits").is_dir():
        return folder
    reason = f"needs real data in {folder}; set LAYERSCOPE_DATA to a folder that holds mnist/ and pendigits/"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def mnist_test(data_dir: Path) -> Dataset:
    """The 10,000 MNIST test images."""
    return load_mnist(data_dir / "mnist", "test")


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium or Chrome; without one the test is skipped, or fails where `CI=true` requires it."""
    script = Path(__file__).parents[1] / "scripts" / "browser.py"
    search = subprocess.run([sys.executable, script], capture_output=True, text=True)
    if search.returncode == 0:
        return search.stdout.strip()
    reason = search.stderr.strip()
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    """One browser for the whole run; Playwright cannot be started twice in one thread."""
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    flags += ["--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=flags)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def reference() -> ModuleType:
    """The NumPy forward pass that backends are compared with, and its tiny networks."""
    spec = spec_from_file_location("reference", Path(__file__).with_name("reference.py"))
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _started(name: str) -> Backend:
    """A backend with its framework imported once for the whole run."""
    found = find_backend(name)
    if found.missing and os.environ.get("CI") != "true":
        pytest.skip(found.missing)
    found.start()
    return found


@pytest.fixture(scope="session")
def pytorch() -> Backend:
    """The PyTorch backend."""
    return _started("pytorch")


@pytest.fixture
def cores_of_pytorch(pytorch: Backend) -> Iterator[int]:
    """More than one, as at most users' machines, whatever this one has."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield 2
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def keras() -> Backend:
    """The Keras backend."""
    return _started("keras")


@pytest.fixture(scope="session", params=["pytorch", "keras"])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each backend in turn: what a test says of it holds for both."""
    return _started(request.param)


class Trained(NamedTuple):
    """A training that has ended: the home folder it is in, and its id."""

    home: Path
    id: str


@pytest.fixture(scope="session")
def trained(pytorch: Backend, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Three epochs on a few hundred of the bundled digits: seven snapshots. Nobody may change it."""
    home = tmp_path_factory.mktemp("trained") / "home"
    store = RunStore(home)
    recipe = Recipe(epochs=3, batch=32, learning_rate=2e-3, schedule="constant", validation=0.2)
    data = DataChoice(source="digits", share=0.2)
    id = store.create(
        RunConfig(model="cnn-compact", backend=pytorch.name, recipe=recipe, data=data, title="Three epochs")
    )
    folder = store.folder(id)
    with folder.held():
        assert train(folder, folder.status(), Event()) == 0
    return Trained(home, id)
