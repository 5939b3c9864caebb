"""What the compare page asks, as typed values, and the networks that it asks about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...backends.base import Array, BackendError, Model
from ...drawing.pipeline import Steps
from ...visualizers.contract import Pass
from ..pictures import Source, prepared
from ..services import Services
from ..state import STEPS

MOST = 4
"""Networks side by side."""


@dataclass(frozen=True)
class Asked:
    """One network by the name that opens it, such as `cnn`, `run:ID` or `run:ID@epoch-001`, and what runs it."""

    model: str
    backend: str


@dataclass(frozen=True)
class View:
    """What each row shows, with settings and a selection that hold for every column.

    Attributes:
        visualizer: its name; empty shows what every layer answers.
        settings: of the visualizer.
        unit: the selected unit of every layer that has it.
        target: the class to explain.
        shared: whether the columns of a row share one colour scale.
    """

    visualizer: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    unit: int | None = None
    target: int | None = None
    shared: bool = True


@dataclass(frozen=True)
class Question:
    """What the page shows.

    Attributes:
        subjects: the networks, in the order of the columns.
        source: where the drawing comes from.
        steps: what is done to ink.
        view: what each row shows.
        rows: layers of each row, one for each column; None lets the networks be aligned.
        shown: panel → key of the figure that the browser has.
        serial: the drawing's number.
    """

    subjects: tuple[Asked, ...]
    source: Source = field(default_factory=Source)
    steps: Steps = field(default_factory=Steps)
    view: View = field(default_factory=View)
    rows: tuple[tuple[str | None, ...], ...] | None = None
    shown: Mapping[str, str] = field(default_factory=dict)
    serial: int = 0

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "Question":
        """As the browser sends it."""
        ink, view, rows = data.get("ink") or {}, data.get("view") or {}, data.get("rows")
        off = data.get("off") or ()
        return cls(
            subjects=tuple(Asked(str(each["model"]), str(each["backend"])) for each in data["subjects"][:MOST]),
            source=Source.of(ink),
            steps=Steps(**{name: name not in off for name in STEPS}),
            view=View(
                str(view.get("visualizer") or ""),
                dict(view.get("settings") or {}),
                view.get("unit"),
                view.get("target"),
                bool(view.get("shared", True)),
            ),
            rows=None if rows is None else tuple(tuple(row) for row in rows),
            shown=data.get("shown") or {},
            serial=ink.get("serial", 0),
        )


@dataclass(frozen=True)
class Column:
    """One network with the drawing in it, or why it is not there.

    Attributes:
        asked: which one.
        title: what the page calls it.
        name: the part of the title that tells it from the others here.
        model: the opened network; None while it is not there.
        forward: the pass of the drawing; None without a drawing.
        opening: what is happening while it is being opened.
        fault: why it is not there, or could not answer this drawing.
    """

    asked: Asked
    title: str
    name: str
    model: Model | None = None
    forward: Pass | None = None
    opening: str = ""
    fault: str = ""


class Drawing:
    """One drawing, prepared once for each shape of input."""

    def __init__(self, services: Services, question: Question) -> None:
        self._dataset = services.samples[0] if question.source.sample else None
        self._question = question
        self._images: dict[tuple[int, int, int], Array] = {}
        self.empty = not (question.source.ink or question.source.sample)

    def image(self, shape: tuple[int, int, int]) -> Array:
        """The input of a network, `(height, width, channels)` in [0, 1].

        Raises:
            InkError: ink that cannot be read.
            DatasetError: a sample that does not exist.
        """
        if shape not in self._images:
            ready = prepared(self._question.source, self._dataset, shape, self._question.steps)
            self.empty = ready.empty
            self._images[shape] = ready.image
        return self._images[shape]


def columns_of(services: Services, question: Question, drawing: Drawing) -> list[Column]:
    """Every network with the drawing in it; what is wrong with one of them concerns no other.

    Raises:
        InkError: ink that cannot be read.
        DatasetError: a sample that does not exist.
    """
    names = _names(services, question.subjects)
    return [_column(services, asked, drawing, *name) for asked, name in zip(question.subjects, names, strict=True)]


def _names(services: Services, subjects: Sequence[Asked]) -> list[tuple[str, str]]:
    """The title of each network in its framework, and the part of it that tells it from the others here."""
    networks, titles = [], []
    for asked in subjects:
        backend = next((each.title for each in services.backends if each.name == asked.backend), asked.backend)
        networks.append(services.title(asked.model))
        titles.append((networks[-1], backend))
    whole = [" · ".join(each) for each in titles]
    for parts in (networks, [backend for _, backend in titles]):
        if len(set(parts)) == len(parts):
            return list(zip(whole, parts, strict=True))
    return list(zip(whole, whole, strict=True))


def _column(services: Services, asked: Asked, drawing: Drawing, title: str, name: str) -> Column:
    try:
        model = services.open_beside(asked.model, asked.backend)
    except BackendError as error:
        return Column(asked, title, name, fault=str(error))
    if model is None:
        stage = services.pool.stage(asked.model, asked.backend) or f"Opening {asked.model}…"
        return Column(asked, title, name, opening=stage)
    image = drawing.image(model.input_shape)
    if drawing.empty:
        return Column(asked, title, name, model)
    try:
        forward = Pass(model, image)
        _ = forward.activations  # here, so that it fails in its own column
    except Exception as error:
        return Column(asked, title, name, model, fault=f"{model.name} failed: {type(error).__name__}: {error}")
    return Column(asked, title, name, model, forward)


def probabilities(column: Column) -> Array | None:
    """`(classes,)` of the drawing; None without a drawing or a network."""
    if column.forward is None or column.model is None:
        return None
    return np.asarray(column.forward.activations[column.model.layers[-1].name])


def live(columns: Sequence[Column]) -> list[tuple[int, Column, Model]]:
    """The columns whose network is there and has not failed, each with its place."""
    return [(at, each, each.model) for at, each in enumerate(columns) if each.model and not each.fault]
