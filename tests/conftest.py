"""What several test files share."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from layerscope.datasets.base import Dataset
from layerscope.datasets.mnist import load_mnist


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
