"""The checks of `make lint` find what they are there to find, in a clone of any name."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = Path(sys.executable).parent
FOLDERS = {file.parent.name for file in ROOT.glob("*/__init__.py")}
LEFT_OUT = shutil.ignore_patterns("__pycache__", "pretrained", "assets")


@pytest.fixture(params=["any name-1", "layerscope"])
def copy(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The package's sources in a folder of another name, and of its own, linked as `make lint` does it."""
    root = tmp_path / str(request.param)
    root.mkdir()
    for file in [*ROOT.glob("*.py"), ROOT / "pyproject.toml"]:
        shutil.copy(file, root)
    for folder in FOLDERS:
        shutil.copytree(
            ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__", "pretrained", "assets")
        )
    source = root / ".venv" / "source"
    source.mkdir(parents=True)
    (source / "layerscope").symlink_to("../..")
    return root


def check(root: Path, tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What a tool says of the copy, which comes before the installed package."""
    environment = {"PYTHONPATH": str(root / ".venv" / "source"), "PATH": "/usr/bin:/bin"}
    return subprocess.run([TOOLS / tool, *arguments], cwd=root, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("file", "line", "complaint"),
    [
        ("visualizers/filters.py", "import torch", "layerscope.visualizers is not allowed to import torch"),
        ("layouts/ids.py", "def f():\n    import keras", "layerscope.layouts is not allowed to import keras"),
        ("visualizers/words.py", "import plotly, dash", "layerscope.visualizers is not allowed to import dash"),
        ("training/__init__.py", "import dash_canvas", "layerscope.training is not allowed to import dash_canvas"),
        (
            "models/layers.py",
            "from ..backends import base",
            "models is not allowed to import layerscope.backends",
        ),
        (
            "training/__init__.py",
            "from .. import visualizers",
            "training is not allowed to import layerscope.visual",
        ),
        (
            "backends/base.py",
            "from layerscope import cli",
            "backends is not allowed to import layerscope.cli",
        ),
    ],
)
def test_a_forbidden_import_is_caught(copy: Path, file: str, line: str, complaint: str) -> None:
    with (copy / file).open("a") as source:
        source.write(f"\n{line}\n")
    found = check(copy, "lint-imports", "--no-cache")
    assert found.returncode == 1, found.stderr
    assert complaint in found.stdout


def test_ruff_accepts_a_clone_of_any_name_and_still_complains(copy: Path) -> None:
    assert check(copy, "ruff", "check", ".").returncode == 0
    (copy / "models" / "layers.py").open("a").write("\nimport os\n")
    found = check(copy, "ruff", "check", ".")
    assert found.returncode == 1
    assert "F401" in found.stdout


@pytest.mark.slow
def test_mypy_reads_the_package_and_resolves_its_relative_imports(copy: Path) -> None:
    (copy / "models" / "wrong.py").write_text("from .layers import LayerInfo\n\nname: int = LayerInfo(name='a').name\n")
    for folder in FOLDERS - {"models"}:
        shutil.rmtree(copy / folder)
    found = check(copy, "mypy")
    assert 'models/wrong.py:3: error: Missing named argument "kind" for "LayerInfo"' in found.stdout
    assert 'models/wrong.py:3: error: Incompatible types in assignment (expression has type "str"' in found.stdout
