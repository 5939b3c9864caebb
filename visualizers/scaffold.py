"""The first lines of a view of one's own, and of its test."""

import ast
import sys
from keyword import iskeyword
from pathlib import Path
from string import Template

from .contract import Need
from .registry import registered

VIEW = Template('''\
"""$title, as a view of Layerscope."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from layerscope.visualizers import Help, Need, Range, Subject, visualizer
from layerscope.visualizers.colours import FAINT
from layerscope.visualizers.figures import figure
from plotly.graph_objects import Figure


@dataclass(frozen=True)
class Settings:
    bins: Annotated[int, Range(5, 100), Help("Number of bars.")] = 30


# It may need $needs.
@visualizer(title="$title", needs={Need.IMAGE, Need.LAYER})
def $name(subject: Subject, settings: Settings) -> Figure:
    """How often each strength of activation occurs in the chosen layer, for your image."""
    counts, edges = np.histogram(subject.activation, settings.bins)
    bars = {"type": "bar", "x": (edges[1:] + edges[:-1]) / 2, "y": counts}
    margin, grid = {"l": 40, "r": 8, "t": 8, "b": 24}, {"gridcolor": FAINT}
    return figure([bars], height=220, bargap=0, margin=margin, yaxis=grid)
''')

TEST = Template('''\
"""What the view $name promises; run it with pytest."""

from pathlib import Path

from layerscope.visualizers import build_settings
from layerscope.visualizers.conformance import check, example
from layerscope.visualizers.plugins import visualizers_of

($name,) = visualizers_of(Path(__file__).with_name("$name.py"))


def test_it_keeps_the_contract() -> None:
    assert check($name).faults == ()


def test_there_are_as_many_bars_as_asked_for() -> None:
    settings = build_settings($name.settings, {"bins": 12})
    drawn = $name.draw(example($name), settings)
    assert len(drawn.data[0].y) == 12
''')


class ScaffoldError(Exception):
    """No file can be written; the message says why, in one sentence for the user."""


def write(name: str, folder: Path) -> tuple[Path, Path]:
    """Writes a working view and a test that it passes; makes the folder where there is none.

    Args:
        name: of the function, the file and, in words, the view.
        folder: where the two files go.

    Returns:
        The file of the view and that of its test.

    Raises:
        ScaffoldError: not a name that Python and the plugin folder take, a file that is already there, or a folder
            that cannot be written to.
    """
    view, test = folder / f"{name}.py", folder / f"test_{name}.py"
    _check(name)
    for file in (view, test):
        if file.exists():
            raise ScaffoldError(f"{file} is already there; choose another name, or another folder with --to.")
    words = {"name": name, "title": name.replace("_", " ").capitalize(), "needs": _needs()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, template in ((view, VIEW), (test, TEST)):
            file.write_text(template.substitute(words), encoding="utf-8")
    except OSError as error:
        raise ScaffoldError(f"{folder} cannot be written to: {error.strerror}.") from error
    return view, test


def _check(name: str) -> None:
    if not name.isidentifier() or iskeyword(name):
        raise ScaffoldError(f"A view's name is a Python name, such as quiet_units. Received: {name}")
    if name.startswith(("_", "test_")) or name == "conftest":
        raise ScaffoldError(f"Files that begin with _ or test_ are no plugins; choose another name. Received: {name}")
    if name in registered():
        raise ScaffoldError(f"There is a view called {name!r} in {registered()[name].defined_in}; choose another name.")
    if name in _imported() | sys.stdlib_module_names:
        raise ScaffoldError(f"Python code needs {name!r} for something else; choose another name, such as my_{name}.")


def _needs() -> str:
    """Every need there is."""
    return ", ".join(need.name for need in Need)


def _imported() -> set[str]:
    """Every name that the two files use for something, and every package that they import."""
    words = {"name": "view", "title": "View", "needs": _needs()}
    nodes = [node for file in (VIEW, TEST) for node in ast.walk(ast.parse(file.substitute(words)))]
    named = {alias.asname or alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}
    return named | {"Settings", "np", "numpy", "plotly", "layerscope"}
