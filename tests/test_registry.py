"""All visualizers come through one door, and a broken plugin breaks nothing else."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoints, distributions
from pathlib import Path

import pytest
from layerscope.visualizers import (
    NoSettings,
    Subject,
    Visualizer,
    VisualizerError,
    problems,
    registered,
    visualizer,
)
from layerscope.visualizers.contract import Frame
from layerscope.visualizers.registry import BUILT_IN, GROUP, add, collect
from plotly.graph_objects import Figure

Install = Callable[..., EntryPoints]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs a package with one module into a folder of its own; gives its entry points."""

    def installed(code: str, **entries: str) -> EntryPoints:
        (tmp_path / "my_plugin.py").write_text(code)
        metadata = tmp_path / "my_plugin-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: my-plugin\nVersion: 1.0\n")
        lines = [f"{name} = my_plugin:{target}" for name, target in entries.items()]
        (metadata / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines]))
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "my_plugin", raising=False)
        (found,) = distributions(path=[str(tmp_path)])
        return found.entry_points.select(group=GROUP)

    return installed


PLUGIN = '''
from dataclasses import dataclass
from layerscope.visualizers import NoSettings, Subject, visualizer
from plotly.graph_objects import Figure

@visualizer(title="Mine")
def mine(subject: Subject, settings: NoSettings) -> Figure:
    """Shows you nothing at all."""
    return Figure()

@visualizer(title="Filters, mine")
def filters(subject: Subject, settings: NoSettings) -> Figure:
    """Has a name that is taken."""
    return Figure()

def bare(subject, settings):
    return Figure()
'''


def test_the_built_in_visualizers_are_registered() -> None:
    assert list(registered())[:7] == [
        "prediction",
        "filters",
        "feature_maps",
        "dense_outputs",
        "architecture_graph",
        "network_view",
        "layer_table",
    ]
    assert problems() == ()


def test_a_plugin_is_found_through_its_entry_point(install: Install) -> None:
    found = collect(install(PLUGIN, mine="mine"))
    assert found.visualizers["mine"].title == "Mine"
    assert found.problems == ()


def test_a_name_that_is_taken_is_a_problem_that_names_both(install: Install) -> None:
    found = collect(install(PLUGIN, mine="mine", filters="filters"))
    assert found.visualizers["filters"].title == "Filters"
    assert "mine" in found.visualizers
    (problem,) = found.problems
    assert problem.name == "filters"
    assert problem.reason == (
        "VisualizerError: Two visualizers are called 'filters', in layerscope.visualizers.filters and in my_plugin; "
        "rename one."
    )


@pytest.mark.parametrize(
    ("code", "target", "reason"),
    [
        ("import nowhere", "mine", "ModuleNotFoundError: No module named 'nowhere'"),
        ("1 / 0", "mine", "ZeroDivisionError: division by zero"),
        ("", "mine", "AttributeError: module 'my_plugin' has no attribute 'mine'"),
        ("raise SystemExit('no')", "mine", "SystemExit: no"),
        (PLUGIN, "bare", "VisualizerError: The entry point 'view' must lead to a function decorated with @visualizer."),
    ],
)
def test_a_broken_plugin_is_left_out_with_its_reason(install: Install, code: str, target: str, reason: str) -> None:
    found = collect(install(code, view=target))
    assert len(found.visualizers) == len(BUILT_IN)
    (problem,) = found.problems
    assert problem.name == "view"
    assert problem.reason.startswith(reason)


def test_adding_a_name_twice_raises() -> None:
    taken: dict[str, Visualizer] = {}
    add(taken, BUILT_IN[0])
    with pytest.raises(VisualizerError, match="Two visualizers are called 'prediction'"):
        add(taken, BUILT_IN[0])


def test_a_visualizer_without_words_for_students_is_refused() -> None:
    def silent(subject: Subject, settings: NoSettings) -> Figure:
        return Figure()

    with pytest.raises(VisualizerError, match="'silent' needs a docstring"):
        visualizer(title="Silent")(silent)


def test_a_visualizer_of_another_signature_is_refused() -> None:
    def lonely(subject: Subject) -> Figure:
        """Takes no settings."""
        return Figure()

    with pytest.raises(VisualizerError, match="'lonely' takes \\(subject: Subject, settings: Settings\\)"):
        visualizer(title="Lonely")(lonely)  # type: ignore[arg-type]


def test_an_aside_that_takes_no_time_is_refused() -> None:
    def said(subject: Subject, settings: NoSettings) -> list[Frame]:
        return []

    with pytest.raises(VisualizerError, match=r"The aside of visualizer 'chatty' is a generator function"):

        @visualizer(title="Chatty", aside=said)
        def chatty(subject: Subject, settings: NoSettings) -> Figure:
            """Says much."""
            return Figure()


def test_a_view_that_is_drawn_at_once_does_not_wait_for_rest() -> None:
    with pytest.raises(VisualizerError, match=r"'prompt' is drawn at once, so at_rest has no meaning"):

        @visualizer(title="Prompt", at_rest=True)
        def prompt(subject: Subject, settings: NoSettings) -> Figure:
            """Does not wait."""
            return Figure()


@dataclass(frozen=True)
class Odd:
    when: complex = 1j


def test_a_setting_that_cannot_become_a_control_is_refused_with_the_name_of_the_view() -> None:
    def odd(subject: Subject, settings: Odd) -> Figure:
        """Wants a complex number."""
        return Figure()

    with pytest.raises(VisualizerError, match="'odd': setting 'when' must be bool, int, float, str or Literal"):
        visualizer(title="Odd")(odd)


@pytest.mark.parametrize("entry", list(registered().values()), ids=list(registered()))
def test_explanations_speak_to_a_student(entry: Visualizer) -> None:
    first = entry.explanation.split("\n\n")[0].replace("\n", " ")
    assert 40 < len(first) < 160
    assert first.endswith(".")
    assert not any(word in first.lower() for word in ("tensor", "logit", "subject", "array", "shape"))
    assert "(" in entry.explanation, "the shapes are missing"


def test_listing_visualizers_loads_neither_a_framework_nor_dash() -> None:
    code = "import sys; from layerscope.visualizers import registered; registered(); print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert "layerscope.visualizers.filters" in loaded
    assert not loaded & {"torch", "tensorflow", "keras", "dash", "pandas", "scipy", "sklearn", "plotly.express"}
