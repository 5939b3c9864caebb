"""The conformance suite finds what it is there to find, and says what to change."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from layerscope.backends import Backend
from layerscope.backends.base import BackendError
from layerscope.visualizers import Visualizer
from layerscope.visualizers.conformance import check, example
from layerscope.visualizers.plugins import visualizers_of
from layerscope.visualizers.registry import BUILT_IN
from layerscope.visualizers.specimens import models

Run = Callable[..., subprocess.CompletedProcess[str]]

HEAD = """
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import Annotated, Literal

import numpy as np
from layerscope.backends.base import Capability
from layerscope.visualizers import Condition, Frame, Need, NoSettings, Range, Subject, visualizer
from layerscope.visualizers.figures import figure
from plotly.graph_objects import Figure

rng = np.random.default_rng()

def bars(values: object) -> Figure:
    return figure([{"type": "bar", "y": values}], height=200)

"""


@pytest.fixture
def suspect(tmp_path: Path) -> Callable[[str], Visualizer]:
    """The visualizer of a file with this code under the usual imports."""

    def made(code: str) -> Visualizer:
        (tmp_path / "suspect.py").write_text(HEAD + code)
        (found,) = visualizers_of(tmp_path / "suspect.py")
        return found

    return made


def view(body: str, needs: str = "Need.IMAGE, Need.LAYER", settings: str = "NoSettings", **options: str) -> str:
    more = "".join(f", {name}={value}" for name, value in options.items())
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    declared = f"needs={{{needs}}}" if needs else "needs=set()"
    return f"""
@visualizer(title="Suspect", {declared}{more})
def suspect(subject: Subject, settings: {settings}) -> Figure:
    \"\"\"Shows you something.\"\"\"
{lines}
"""


@pytest.mark.parametrize("entry", BUILT_IN, ids=lambda entry: entry.name)
def test_every_built_in_visualizer_passes(entry: Visualizer, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    # tests/test_visualizers.py watches them to their end with every option.
    monkeypatch.setattr("layerscope.visualizers.conformance.BEGINNING", 0.03)
    report = check(entry, backend.name)
    assert report.faults == ()
    assert [each.backend for each in report.measured] == [backend.name] * 3
    drawn = [each for each in report.measured if not each.note]
    assert drawn
    for each in drawn:
        assert each.figures > 0
        assert each.seconds > 0
        assert each.memory > 1000
        assert each.size > 500


ASIDE = "def aside(subject, settings):\n    {lines}\n\n\n"


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ("yield Frame(None, 0.5, 'wait…'); yield Frame(None, 1, str(subject.chosen.name))", None),
        ("yield Frame(None, 0.5, 'wait…'); yield Frame(None, 1)", "Its aside says nothing in the end"),
        ("yield Frame(None, 0.5, 'a'); yield Frame(None, 0.2, 'b')", "A frame's share grows from 0 to 1"),
        ("yield Frame(bars([1]), 1, 'a')", "Its aside yields a figure"),
        ("yield Frame(None, 1, str(subject.target))", "Its aside depends on more than it has declared"),
        ("yield Frame(None, 1, str(subject.dataset.title))", "Its aside fails with nothing but what it has declared"),
    ],
    ids=["good", "no words", "backwards", "a figure", "undeclared", "undeclared and missing"],
)
def test_an_aside_keeps_the_contract_too(suspect: Callable[[str], Visualizer], lines: str, fault: str | None) -> None:
    code = view("return bars(subject.activation.ravel())").replace("@visualizer(", "@visualizer(aside=aside, ")
    faults = check(suspect(ASIDE.format(lines=lines) + code), "pytorch").faults
    assert [fault in each for each in faults] == [True] if fault else faults == ()


STEPS = "for step in range(4):\n    yield Frame(bars(subject.activation.ravel()[: step + 1]), (step + 1) / 4)"
CHOICE = "@dataclass(frozen=True)\nclass Settings:\n    "

GOOD = {
    "one figure": view("return bars(subject.activation.ravel())"),
    "frames": view(STEPS),
    "positions": view("return bars(subject.activation[subject.position])", "Need.IMAGE, Need.LAYER, Need.POSITION"),
    "target": view("return bars([subject.target_class])", "Need.IMAGE, Need.TARGET"),
    "dataset": view("return bars(np.bincount(subject.dataset.labels))", "Need.DATASET"),
    "gradients": view(
        "of = ['input']\n"
        "return bars(subject.model.gradients(subject.image[None], 0, of, subject.edits)['input'].ravel())",
        "Need.IMAGE",
        capabilities="{Capability.GRADIENTS}",
    ),
    "with and without the edits": view(
        "image = subject.image[None]\n"
        "both = subject.model.logits(image), subject.model.logits(image, edits=subject.edits)\n"
        "return bars((both[0] - both[1])[0])",
        "Need.IMAGE",
    ),
    "second image": view(
        "return bars((subject.image - subject.second_image.image).ravel())", "Need.IMAGE, Need.SECOND_IMAGE"
    ),
    "second model": view(
        "answers = subject.second_forward.activations\nreturn bars(answers[subject.second_model.layers[-1].name])",
        "Need.IMAGE, Need.SECOND_MODEL",
    ),
    "run": view("return bars([epoch.accuracy for epoch in subject.run.epochs])", "Need.RUN"),
    "a unit where there is one": view("return bars([subject.unit or 0])", "Need.LAYER"),
    "a bounded setting": CHOICE
    + "count: Annotated[int, Range(1, 9)] = 3\n"
    + view("return bars(subject.activation.ravel()[: settings.count])", settings="Settings"),
}


@pytest.mark.parametrize("code", GOOD.values(), ids=list(GOOD))
def test_what_keeps_the_contract_passes(suspect: Callable[[str], Visualizer], pytorch: Backend, code: str) -> None:
    assert check(suspect(code), "pytorch").faults == ()


FAULTS = {
    "no figure": (view("return None"), "It returns nothing; return a plotly Figure, or yield Frame"),
    "a list": (view("return [1]"), "It returns an object of type list; return a plotly Figure"),
    "no frame": (view("yield bars([1])"), "It yields an object of type PlainFigure; yield Frame(figure, share)."),
    "no frames": (view("yield from ()"), "It yields no figure; the last frame should hold one."),
    "backwards": (
        view("yield Frame(bars([1]), 0.5)\nyield Frame(None, 0.25)"),
        "A frame's share grows from 0 to 1. Received: 0.25 after 0.5",
    ),
    "too much": (view("yield Frame(bars([1]), 2)"), "A frame's share grows from 0 to 1. Received: 2 after 0"),
    "invalid": (
        view("return figure([{'type': 'bar', 'opacity': 7}], height=200)"),
        "Plotly refuses its figure: Invalid value of type 'builtins.int' received for the 'opacity' property",
    ),
    "random": (view("return bars(rng.random(5))"), "The same arguments give another figure the second time; draw"),
    "writes": (
        view("subject.activation[...] = 0\nreturn bars([1])"),
        "It writes into an array that it is given; work on a copy: array.copy(). (ValueError: assignment destination",
    ),
    "writes by force": (
        view("image = subject.image.base\nimage.flags.writeable = True\nimage += 1\nreturn bars([1])"),
        "It changes the arrays that it is given; work on a copy: array.copy().",
    ),
    "image": (
        view("return bars(subject.image.ravel())", ""),
        "It fails without an image: add Need.IMAGE to its needs, or do without. (It fails: LookupError: ",
    ),
    "layer": (
        view("return bars([subject.chosen.units])", ""),
        "It fails without a layer: add Need.LAYER to its needs, or do without.",
    ),
    "unit": (
        view("return bars(subject.activation[..., [subject.unit]].ravel() + subject.unit)"),
        "It fails without a unit: add Need.UNIT to its needs",
    ),
    "position": (
        view("row, column = subject.position\nreturn bars([row])", applies_to="Condition(lambda l: l.is_spatial, '')"),
        "It fails without a position: add Need.POSITION to its needs",
    ),
    "dataset": (
        view("return bars(subject.dataset.labels)"),
        "It fails without labelled images: add Need.DATASET to its needs",
    ),
    "image and layer": (
        view("return bars(subject.activation.ravel())", ""),
        "It fails without a layer and an image: add Need.IMAGE, Need.LAYER to its needs",
    ),
    "target": (
        view("return bars([subject.target + 1])", "Need.IMAGE, Need.TARGET"),
        "It fails where no target class was chosen; use subject.target_class",
    ),
    "image in secret": (
        view("return bars([0] if subject.forward is None else subject.image.ravel())", ""),
        "Its figure depends on an image: add Need.IMAGE to its needs, or the page does not draw it again",
    ),
    "target in secret": (
        view("return bars([subject.target_class])", "Need.IMAGE"),
        "Its figure depends on a target class: add Need.TARGET",
    ),
    "dataset in secret": (
        view("return bars([0] if subject.dataset is None else subject.dataset.labels)"),
        "Its figure depends on labelled images: add Need.DATASET",
    ),
    "second image": (
        view("return bars((subject.image - subject.second_image.image).ravel())", "Need.IMAGE"),
        "It fails without a second image: add Need.SECOND_IMAGE to its needs",
    ),
    "second image in secret": (
        view("return bars([0] if subject.second_image is None else subject.second_image.image.ravel())", ""),
        "Its figure depends on a second image: add Need.SECOND_IMAGE",
    ),
    "second image overwritten": (
        view(
            "image = subject.second_image.image.base\nimage.flags.writeable = True\nimage += 1\nreturn bars([1])",
            "Need.SECOND_IMAGE",
        ),
        "It changes the arrays that it is given; work on a copy: array.copy().",
    ),
    "second model": (
        view("return bars([subject.second_model.parameters])"),
        "It fails without a second model: add Need.SECOND_MODEL to its needs",
    ),
    "second model in secret": (
        view("return bars([0 if subject.second_model is None else int(subject.second_model.version[:6], 16)])", ""),
        "Its figure depends on a second model: add Need.SECOND_MODEL",
    ),
    "second model on the drawing": (
        view("return bars(subject.second_forward.image.ravel())", "Need.SECOND_MODEL"),
        "It fails without an image: add Need.IMAGE to its needs",
    ),
    "a second model of other layers": (
        view(
            "other = subject.second_forward.activations[subject.chosen.name]\nreturn bars(other.ravel())",
            "Need.IMAGE, Need.LAYER, Need.SECOND_MODEL",
        ),
        "It fails: KeyError: ",
    ),
    "a second model of the same layers": (
        view(
            "assert subject.second_model.layers != subject.model.layers\nreturn bars([1])",
            "Need.IMAGE, Need.SECOND_MODEL",
        ),
        "It fails: AssertionError (line",
    ),
    "run": (
        view("return bars(subject.run.losses)", ""),
        "It fails without a training run: add Need.RUN to its needs",
    ),
    "run in secret": (
        view("return bars([0] if subject.run is None else subject.run.losses)", ""),
        "Its figure depends on a training run: add Need.RUN",
    ),
    "without the edits": (
        view("return bars(subject.model.probabilities(subject.image[None])[0])", "Need.IMAGE"),
        "It asks the model without the edits, so that muted units speak in it; pass them on: edits=subject.edits.",
    ),
    "heavy": (
        view("return bars(np.zeros(900_000))", ""),
        "Its answer weighs 9.6 MB, and 8 MB is the most; show fewer numbers",
    ),
    "an end of a range": (
        CHOICE
        + "count: Annotated[int, Range(0, 9)] = 3\n"
        + view("return bars([1 // settings.count])", settings="Settings"),
        "It fails: ZeroDivisionError: integer division or modulo by zero (line",
    ),
    "an option": (
        CHOICE
        + "how: Literal['sum', 'mean', 'most'] = 'sum'\n"
        + view("return bars([getattr(subject.activation, settings.how)()])", settings="Settings"),
        "It fails: AttributeError: 'numpy.ndarray' object has no attribute 'most'",
    ),
    "a number without bounds": (
        CHOICE + "count: int = 3\n" + view("return bars([1 // settings.count])", settings="Settings"),
        "; bound count: Annotated[int, Range(low, high)]",
    ),
    "a range without end": (
        CHOICE
        + "count: Annotated[int, Range(0, inf)] = 3\n"
        + view("return bars([settings.count])", settings="Settings"),
        "Setting 'count' has a range without end; give it bounds that a slider can show.",
    ),
    "one layer only": (
        view("assert subject.chosen.kind != 'concatenate'\nreturn bars([1])"),
        "It fails: AssertionError (line",
    ),
    "nowhere": (
        view("return bars([1])", applies_to="Condition(lambda layer: False, 'a layer of another world')"),
        "It was never drawn, so nothing is known of it. [no layer fits: it needs a layer of another world]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", list(FAULTS))
def test_a_breach_is_found_and_the_way_out_is_named(
    suspect: Callable[[str], Visualizer], pytorch: Backend, case: str
) -> None:
    code, words = FAULTS[case]
    faults = check(suspect(code), "pytorch").faults
    assert any(words in fault for fault in faults), faults


def test_what_the_page_would_stop_is_said(
    suspect: Callable[[str], Visualizer], pytorch: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("layerscope.visualizers.conformance.PATIENCE", 0.2)
    code = view(
        "time.sleep(0.25)\nreturn bars([1])", "Need.LAYER", applies_to="Condition(lambda l: l.name == 'logits', '')"
    )
    (fault,) = check(suspect(f"import time\n\n{code}"), "pytorch").faults
    assert fault.startswith(
        "It takes longer than 0.2 s on a tiny network, and the page stops it then; make it a generator"
    )
    slowly = code.replace("return bars([1])", "yield Frame(bars([1]), 1)")
    assert check(suspect(f"import time\n\n{slowly}"), "pytorch").faults == ()


def test_a_fault_names_the_place_where_it_first_came_up(suspect: Callable[[str], Visualizer], pytorch: Backend) -> None:
    (fault,) = check(suspect(FAULTS["one layer only"][0]), "pytorch").faults
    assert fault.endswith("[tiny-branches on pytorch, layer both]")
    (fault,) = check(suspect(FAULTS["an option"][0]), "pytorch").faults
    assert fault.endswith("[tiny-convolutional on pytorch, layer input, how='most']")


def test_an_example_is_one_that_the_visualizer_can_be_drawn_for(pytorch: Backend) -> None:
    for entry in BUILT_IN:
        assert entry.unmet(example(entry, "pytorch")) is None


def test_networks_are_asked_for_by_a_backend_that_there_is() -> None:
    with pytest.raises(BackendError, match="There is no backend 'theano'"):
        models("theano")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs `layerscope check … --backend pytorch` in a folder of its own."""

    def call(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "layerscope", "check", *map(str, arguments), "--backend", "pytorch"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    return call


def test_the_command_prints_a_table_and_ends_well(run: Run, tmp_path: Path, pytorch: Backend) -> None:
    (tmp_path / "mine.py").write_text(HEAD + GOOD["frames"])
    result = run("mine.py")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("suspect: passed\n")
    assert re.search(r"^ +pytorch +tiny-dense +\d+ +[\d.]+ ms +[\d.]+ MB +\d+ kB *$", result.stdout, re.M), (
        result.stdout
    )


def test_the_command_says_what_to_change_and_ends_with_status_1(run: Run, tmp_path: Path, pytorch: Backend) -> None:
    (tmp_path / "views").mkdir()
    (tmp_path / "views" / "mine.py").write_text(HEAD + FAULTS["image"][0])
    result = run("views")
    assert result.returncode == 1
    assert result.stdout.startswith("suspect: FAILED\n")
    assert "  1. It fails without an image: add Need.IMAGE to its needs, or do without." in result.stdout


def test_a_package_is_looked_through(run: Run, tmp_path: Path, pytorch: Backend) -> None:
    (tmp_path / "views" / "deep").mkdir(parents=True)
    for package in ("views", "views/deep"):
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / "views" / "deep" / "mine.py").write_text(HEAD + GOOD["one figure"])
    result = run("views.deep")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("suspect: passed\n")
    assert result.stdout.count("passed") == 1


@pytest.mark.parametrize(
    ("code", "source", "reason"),
    [
        ("", "mine.py", "mine.py cannot be taken. VisualizerError: mine.py defines no visualizer"),
        ("1 / 0", "mine.py", "mine.py cannot be taken. ZeroDivisionError: division by zero (line 1 of mine.py)"),
        ("1 / 0", "mine", "mine cannot be imported. ZeroDivisionError: division by zero"),
        ("", "mine", "mine has no visualizers; decorate a function with @visualizer"),
        ("", "nothing.py", "There is no file nothing.py. Received: nothing.py"),
        ("", "nothing", "nothing cannot be imported. ModuleNotFoundError: No module named 'nothing'"),
    ],
)
def test_what_cannot_be_checked_is_one_sentence(run: Run, tmp_path: Path, code: str, source: str, reason: str) -> None:
    (tmp_path / "mine.py").write_text(code)
    result = run(source)
    assert result.returncode == 2
    assert result.stderr.startswith(f"layerscope: {reason}")
    assert result.stderr.count("\n") == 1
