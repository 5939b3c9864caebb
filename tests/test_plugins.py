"""The ways in for views of one's own: a folder of files, a call, and the command that begins one."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import pytest
from dash import html
from dash.development.base_component import Component
from layerscope import visualizers
from layerscope.backends import Backend
from layerscope.drawing.pipeline import Steps
from layerscope.layouts.answer import Request, answer
from layerscope.layouts.page import page
from layerscope.layouts.pictures import Source
from layerscope.layouts.services import Services
from layerscope.layouts.state import Panel, Selected
from layerscope.visualizers import NoSettings, Subject, Visualizer, VisualizerError, problems, registered, visualizer
from layerscope.visualizers.plugins import PluginFolder, Problem
from layerscope.visualizers.registry import BUILT_IN, collect, use_folder
from plotly.graph_objects import Figure

Run = Callable[..., subprocess.CompletedProcess[str]]
Serve = Callable[..., AbstractContextManager[str]]

VIEW = '''
from dataclasses import dataclass
from layerscope.visualizers import NoSettings, Subject, visualizer
from layerscope.visualizers.filters import filters
from plotly.graph_objects import Figure

@visualizer(title="{title}")
def {name}(subject: Subject, settings: NoSettings) -> Figure:
    """Shows you nothing at all."""
    return Figure()
'''


def view(name: str = "mine", title: str = "Mine") -> str:
    return VIEW.format(name=name, title=title)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """An empty folder for plugins; whatever the registry took from it is gone after the test."""
    (tmp_path / "plugins").mkdir()
    yield tmp_path / "plugins"
    use_folder(None)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Nothing of the user's own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LAYERSCOPE", "XDG"))}
    return {**kept, "HOME": str(tmp_path)}


@pytest.fixture
def run(tmp_path: Path, environment: dict[str, str]) -> Run:
    """Runs `layerscope …` in a folder of its own."""

    def call(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "layerscope", *map(str, arguments)]
        settings = {**environment, **variables}
        return subprocess.run(command, cwd=tmp_path, env=settings, capture_output=True, text=True, timeout=120)

    return call


@pytest.fixture
def serve(tmp_path: Path, environment: dict[str, str]) -> Serve:
    """Runs `layerscope serve …` on a free port, and gives its address once it says so."""

    @contextmanager
    def running(*arguments: object) -> Iterator[str]:
        command = [sys.executable, "-m", "layerscope", "serve", "--port", "0", *map(str, arguments)]
        with subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            assert process.stdout
            address = re.search(r"http://\S+", process.stdout.readline())
            try:
                assert address
                yield address.group()
            finally:
                process.terminate()

    return running


def test_every_file_of_the_folder_is_read_and_what_it_imports_does_not_count(folder: Path) -> None:
    (folder / "one.py").write_text(view("one") + view("two"))
    (folder / "three.py").write_text(view("three"))
    for name in ("_helper.py", "test_one.py", "conftest.py", "notes.txt"):
        (folder / name).write_text("1 / 0")
    use_folder(folder)
    assert list(registered())[len(BUILT_IN) :] == ["one", "two", "three"]
    assert registered()["two"].defined_in == str(folder / "one.py")
    assert problems() == ()
    assert not list(folder.glob("__pycache__"))


def test_annotations_may_be_text(folder: Path) -> None:
    code = view().replace("@visualizer", "@dataclass(frozen=True)\nclass Own:\n    bins: int = 3\n\n@visualizer")
    (folder / "mine.py").write_text("from __future__ import annotations\n" + code.replace("NoSettings)", "Own)"))
    use_folder(folder)
    assert problems() == ()
    assert [control.name for control in registered()["mine"].controls] == ["bins"]


ODD = "@dataclass(frozen=True)\nclass Odd:\n    when: complex = 1j\n\n@visualizer"
TAKEN = "Two visualizers are called 'prediction', in layerscope.visualizers.prediction and in "
BROKEN = {
    "error.py": ("import math\nmath.sqrt(-1)", "ValueError: math domain error (line 2 of error.py)"),
    "missing.py": ("import nowhere", "ModuleNotFoundError: No module named 'nowhere' (line 1 of missing.py)"),
    "quits.py": ("raise SystemExit('no')", "SystemExit: no (line 1 of quits.py)"),
    "syntax.py": ("def f(:", "SyntaxError: invalid syntax (syntax.py, line 1)"),
    "empty.py": ("", "VisualizerError: empty.py defines no visualizer; decorate a function with @visualizer(title=…)."),
    "silent.py": (
        view().replace('"""Shows you nothing at all."""', "pass"),
        "VisualizerError: Visualizer 'mine' needs a docstring",
    ),
    "lonely.py": (
        view().replace(", settings: NoSettings", ""),
        "VisualizerError: Visualizer 'mine' takes (subject: Subject,",
    ),
    "odd.py": (
        view().replace("@visualizer", ODD).replace("NoSettings)", "Odd)"),
        "VisualizerError: Visualizer 'mine': setting 'when' must be bool, int, float, str or Literal",
    ),
    "same.py": (view("prediction"), f"VisualizerError: {TAKEN}"),
}


@pytest.mark.parametrize("file", list(BROKEN))
def test_a_broken_file_is_left_out_with_its_reason_and_the_others_work(folder: Path, file: str) -> None:
    code, reason = BROKEN[file]
    (folder / file).write_text(code)
    (folder / "whole.py").write_text(view("whole"))
    use_folder(folder)
    (problem,) = problems()
    assert problem.name == ("prediction" if file == "same.py" else file)
    assert problem.reason.startswith(reason)
    assert str(folder / file) in problem.reason or file != "same.py"
    assert list(registered())[len(BUILT_IN) :] == ["whole"]


def test_a_watched_folder_follows_new_changed_and_removed_files(folder: Path) -> None:
    use_folder(folder, watch=True)
    before, modules = registered(), set(sys.modules)
    assert "mine" not in before
    (folder / "mine.py").write_text(view(title="First"))
    first = registered()["mine"]
    assert first.title == "First"
    assert registered() is registered()
    (folder / "mine.py").write_text(view(title="Again"))  # as long as before, and within the same second
    os.utime(folder / "mine.py", ns=(1, 1))
    second = registered()["mine"]
    assert second.title == "Again"
    assert second.draw.__module__ != first.draw.__module__
    (folder / "mine.py").write_text("1 /")
    assert "mine" not in registered()
    assert problems()[0].name == "mine.py"
    (folder / "mine.py").unlink()
    assert registered() == before
    assert problems() == ()
    assert not [name for name in set(sys.modules) - modules if name.startswith("_layerscope_plugin")]


def test_a_changed_view_is_drawn_anew_for_the_same_drawing(folder: Path, pytorch: Backend) -> None:
    (folder / "mine.py").write_text(view())
    use_folder(folder, watch=True)
    services = Services(model="dense", backend="pytorch")
    panels = [Panel("one", "mine"), Panel("two", "filters", "dense1")]
    request = Request("dense", "pytorch", Source(), Steps(), Selected(), panels, shown={})
    first = answer(services, request)["panels"]
    shown = {name: panel["key"] for name, panel in first.items()}
    again = answer(services, replace(request, shown=shown))["panels"]
    assert not any("figure" in panel for panel in again.values())
    (folder / "mine.py").write_text(view().replace("return Figure()", "return Figure(layout={'height': 77})"))
    changed = answer(services, replace(request, shown=shown))["panels"]
    assert changed["one"]["height"] == 77
    assert "figure" not in changed["two"]
    (folder / "mine.py").unlink()
    assert answer(services, request)["panels"]["one"]["withheld"] == "There is no visualizer called 'mine'."


def test_only_what_changed_is_read_again(folder: Path) -> None:
    (folder / "still.py").write_text(view("still"))
    (folder / "moving.py").write_text(view("moving"))
    use_folder(folder, watch=True)
    still, moving = registered()["still"], registered()["moving"]
    (folder / "moving.py").write_text(view("moving", "Moved"))
    assert registered()["still"] is still
    assert registered()["moving"] is not moving


IMPORTING = "from _shades import SHADE\n" + VIEW.replace("return Figure()", "return Figure(layout={{'height': SHADE}})")
LATER = VIEW.replace("return Figure()", "import _shades; return Figure(layout={{'height': _shades.SHADE}})")


def height_of(name: str) -> int:
    drawn = registered()[name].draw(None, NoSettings())  # type: ignore[arg-type]
    assert isinstance(drawn, Figure)
    return int(drawn.layout.height)


@pytest.mark.parametrize("code", [IMPORTING, LATER], ids=["at the top", "while drawing"])
def test_a_plugin_imports_a_file_beside_it_and_follows_its_changes(folder: Path, code: str) -> None:
    (folder / "mine.py").write_text(code.format(name="mine", title="Mine"))
    (folder / "_shades.py").write_text("SHADE = 100")
    use_folder(folder, watch=True)
    assert problems() == ()
    before, module = height_of("mine"), registered()["mine"].draw.__module__
    (folder / "_shades.py").write_text("SHADE = 200")  # as long as before, and within the same second
    os.utime(folder / "_shades.py", ns=(1, 1))
    assert (before, height_of("mine")) == (100, 200)
    assert registered()["mine"].draw.__module__ != module, "so that its panel is drawn anew"
    assert not list(folder.glob("__pycache__"))


def test_a_fault_beside_a_plugin_is_the_plugins_and_can_be_mended(folder: Path) -> None:
    (folder / "mine.py").write_text(IMPORTING.format(name="mine", title="Mine"))
    (folder / "whole.py").write_text(view("whole"))
    use_folder(folder, watch=True)
    assert [problem.reason for problem in problems()] == [
        "ModuleNotFoundError: No module named '_shades' (line 1 of mine.py)"
    ]
    (folder / "_shades.py").write_text("SHADE = 1 / 0")
    assert [problem.reason for problem in problems()] == ["ZeroDivisionError: division by zero (line 1 of mine.py)"]
    assert list(registered())[len(BUILT_IN) :] == ["whole"]
    (folder / "_shades.py").write_text("SHADE = 300")
    assert problems() == ()
    assert height_of("mine") == 300


def test_another_folder_has_neighbours_of_its_own_and_none_hides_what_is_installed(
    folder: Path, tmp_path: Path
) -> None:
    for place, shade in ((folder, 100), (tmp_path / "other", 200)):
        place.mkdir(exist_ok=True)
        (place / "mine.py").write_text("import _bisect\n" + IMPORTING.format(name="mine", title="Mine"))
        (place / "_shades.py").write_text(f"SHADE = {shade}")
        (place / "_bisect.py").write_text("1 / 0")
        use_folder(place)
        assert problems() == ()
        assert height_of("mine") == shade


def test_a_folder_that_is_not_watched_is_read_once(folder: Path) -> None:
    (folder / "mine.py").write_text(view())
    use_folder(folder)
    found = registered()
    (folder / "mine.py").unlink()
    assert registered() is found


def test_a_watched_folder_that_vanishes_takes_its_views_along(folder: Path) -> None:
    (folder / "mine.py").write_text(view())
    use_folder(folder, watch=True)
    assert "mine" in registered()
    (folder / "mine.py").unlink()
    folder.rmdir()
    assert list(registered()) == [each.name for each in BUILT_IN]


def test_there_must_be_a_folder(tmp_path: Path) -> None:
    with pytest.raises(VisualizerError, match="There is no folder of plugins 'none'; make it first"):
        PluginFolder(tmp_path / "none")


def made(title: str, name: str = "mine") -> Visualizer:
    def mine(subject: Subject, settings: NoSettings) -> Figure:
        """Shows you nothing at all."""
        return Figure()

    mine.__name__ = name
    return visualizer(title=title)(mine)


def test_a_call_registers_and_returns_its_undo() -> None:
    undo = visualizers.register(made("Mine"))
    try:
        assert registered()["mine"].title == "Mine"
    finally:
        undo()
    assert "mine" not in registered()
    undo()


def test_a_cell_of_a_notebook_can_be_run_twice() -> None:
    first, second = visualizers.register(made("First")), visualizers.register(made("Second"))
    first()
    assert registered()["mine"].title == "Second"
    second()
    assert "mine" not in registered()


def test_a_call_cannot_take_a_name_that_is_taken() -> None:
    with pytest.raises(VisualizerError, match=r"'filters', in layerscope\.visualizers\.filters and in .*; rename one"):
        visualizers.register(made("Mine", "filters"))
    with pytest.raises(VisualizerError, match="Only a function decorated with @visualizer can be registered"):
        visualizers.register(made)  # type: ignore[arg-type]


def test_the_first_of_a_name_stays_and_a_problem_is_passed_on() -> None:
    first, second = made("First"), made("Second")
    found = collect([], [first, Problem("broken", "Because."), second])
    assert found.visualizers["mine"] is first
    assert [problem.name for problem in found.problems] == ["broken", "mine"]


def test_the_command_lists_a_folders_views_and_what_was_left_out(run: Run, folder: Path) -> None:
    (folder / "mine.py").write_text(view())
    (folder / "broken.py").write_text("1 / 0")
    for result in (run("visualizers", "--plugins", folder), run("visualizers", LAYERSCOPE_PLUGINS=str(folder))):
        assert result.returncode == 0
        assert re.search(r"^ +mine +Mine", result.stdout, re.M)
        assert result.stderr == (
            "layerscope: Visualizer 'broken.py' was left out. "
            "ZeroDivisionError: division by zero (line 1 of broken.py)\n"
        )


@pytest.mark.parametrize("command", ["visualizers", "serve"])
def test_a_folder_that_is_not_there_is_one_sentence(run: Run, command: str) -> None:
    result = run(command, "--plugins", "nowhere")
    assert result.returncode == 2
    assert re.fullmatch(r"layerscope: There is no folder of plugins 'nowhere'[^\n]*\n", result.stderr)


def test_listing_a_folders_views_loads_no_framework(folder: Path) -> None:
    (folder / "mine.py").write_text(view())
    code = f"import sys; from layerscope.cli import main; main(['visualizers', '--plugins', {str(folder)!r}]); "
    script = code + "print(sorted({'torch', 'tensorflow', 'keras', 'dash'} & set(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert re.search(r"^ +mine ", printed, re.M)
    assert printed.splitlines()[-1] == "[]"


def layout(address: str) -> str:
    with urlopen(f"{address}_dash-layout") as answer:
        return str(answer.read().decode())


def test_with_debug_a_change_takes_effect_at_the_next_request(serve: Serve, folder: Path) -> None:
    (folder / "mine.py").write_text(view(title="Before"))
    with serve("--plugins", folder, "--debug") as address:
        assert '"Before"' in layout(address)
        (folder / "mine.py").write_text(view(title="Behind"))
        (folder / "broken.py").write_text("1 / 0")
        changed = layout(address)
        assert '"Behind"' in changed
        assert '"Before"' not in changed
        assert "ZeroDivisionError: division by zero (line 1 of broken.py)" in changed


def test_the_page_names_what_was_left_out_and_nothing_when_there_is_nothing(folder: Path) -> None:
    def left_out() -> Component:
        whole = page(Services(model="cnn", backend="pytorch"))
        (found,) = [part for part in whole._traverse() if getattr(part, "className", None) == "plugins-left-out"]
        assert isinstance(found, Component)
        return found

    assert left_out().hidden
    (folder / "broken.py").write_text("1 / 0")
    use_folder(folder)
    section = left_out()
    assert not section.hidden
    words = [part.children for part in section._traverse() if isinstance(part, html.Dt | html.Dd)]
    assert words == ["broken.py", "ZeroDivisionError: division by zero (line 1 of broken.py)"]


def test_without_debug_the_page_stays_what_it_was(serve: Serve, folder: Path) -> None:
    (folder / "mine.py").write_text(view(title="Before"))
    (folder / "broken.py").write_text("1 / 0")
    with serve("--plugins", folder) as address:
        (folder / "mine.py").write_text(view(title="Behind"))
        kept = layout(address)
        assert '"Before"' in kept
        assert "broken.py" in kept


@pytest.mark.slow
def test_a_new_visualizer_works_at_once(run: Run, tmp_path: Path) -> None:
    result = run("new-visualizer", "quiet_units", "--to", "my views")
    assert result.returncode == 0, result.stderr
    assert "layerscope serve --plugins 'my views' --debug" in result.stdout
    assert "layerscope check 'my views/quiet_units.py'" in result.stdout
    listed = run("visualizers", "--plugins", "my views").stdout
    assert re.search(r"^ +quiet_units +Quiet units +a layer, an image *$", listed, re.M)
    written = tmp_path / "my views" / "quiet_units.py"
    assert len(written.read_text().splitlines()) <= 25
    assert run("check", written, "--backend", "pytorch").returncode == 0
    tools = Path(sys.executable).parent
    for command in ([tools / "pytest", "-q"], [tools / "ruff", "check"], [tools / "ruff", "format", "--check"]):
        done = subprocess.run([*command, written.parent], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("quiet-units", "A view's name is a Python name, such as quiet_units. Received: quiet-units"),
        ("class", "A view's name is a Python name"),
        ("../up", "A view's name is a Python name"),
        ("_hidden", "Files that begin with _ or test_ are no plugins"),
        ("filters", "There is a view called 'filters' in layerscope.visualizers.filters"),
        ("figure", "Python code needs 'figure' for something else"),
        ("random", "Python code needs 'random' for something else"),
    ],
)
def test_a_name_that_no_view_can_have(run: Run, tmp_path: Path, name: str, reason: str) -> None:
    result = run("new-visualizer", name)
    assert result.returncode == 2
    assert result.stderr.startswith(f"layerscope: {reason}")
    assert list(tmp_path.rglob("*.py")) == []


@pytest.mark.parametrize("taken", ["mine.py", "test_mine.py"])
def test_nothing_is_overwritten(run: Run, tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).write_text("precious")
    result = run("new-visualizer", "mine")
    assert result.returncode == 2
    assert result.stderr == f"layerscope: {taken} is already there; choose another name, or another folder with --to.\n"
    assert [(file.name, file.read_text()) for file in tmp_path.glob("*.py")] == [(taken, "precious")]


def test_a_folder_that_cannot_be_written_to_is_one_sentence(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run("new-visualizer", "mine", "--to", "file/views")
    assert result.returncode == 2
    assert re.fullmatch(r"layerscope: file/views cannot be written to: [^\n]*\n", result.stderr)
