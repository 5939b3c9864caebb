"""What the compare page asks, as typed values, and the networks that it asks about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...backends.base import Array, BackendError, Model
from ...drawing.pipeline import Steps
from ...visualizers.contract import Pass
from ..naming import Asked, names_of
from ..pictures import Source, prepared
from ..services import Services
from ..state import STEPS

MOST = 4
"""Networks side by side."""


@dataclass(frozen=True)
class View:
    """What each row shows, with settings and a selection that hold for every column.

    Attributes:
        visualizer: its name; empty shows what every layer answers.
        settings: of the visualizer.
        unit: the selected unit of every layer that has it.
        target: the class to explain, as a position among those of the first network that is there.
        second: another image, for views that compare two.
        shared: whether the columns of a row share one colour scale.
    """

    visualizer: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    unit: int | None = None
    target: int | None = None
    second: Source | None = None
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
                Source.of(view["second"]) if view.get("second") else None,
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
        self._stored = services.stored(question.source)
        self._question = question
        self._images: dict[tuple[int, int, int], Array] = {}
        self.empty = not (question.source.ink or self._stored)

    def image(self, shape: tuple[int, int, int]) -> Array:
        """The input of a network, `(height, width, channels)` in [0, 1].

        Raises:
            InkError: ink that cannot be read.
            DatasetError: a stored image that does not exist.
        """
        if shape not in self._images:
            ready = prepared(self._question.source, self._stored, shape, self._question.steps)
            self.empty = ready.empty
            self._images[shape] = ready.image
        return self._images[shape]


def columns_of(services: Services, question: Question, drawing: Drawing) -> list[Column]:
    """Every network with the drawing in it; what is wrong with one of them concerns no other.

    Raises:
        InkError: ink that cannot be read.
        DatasetError: a stored image that does not exist.
    """
    names = names_of(services, question.subjects)
    return [_column(services, asked, drawing, *name) for asked, name in zip(question.subjects, names, strict=True)]


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


def label_in(services: Services, question: Question, columns: Sequence[Column], model: Model) -> int | None:
    """Position of the drawing's true class among a network's own, by name; None where it is not known, or not there."""
    label, first = question.source.label, next((each.classes for _, _, each in live(columns)), ())
    return position_in(services.samples[0].classes if question.source.sample else first, label, model)


def position_in(names: Sequence[str], position: int | None, model: Model) -> int | None:
    """Where a network has the class that stands here among these names; None where it has none of that name."""
    if position not in range(len(names)) or names[position or 0] not in model.classes:
        return None
    return model.classes.index(names[position or 0])


def live(columns: Sequence[Column]) -> list[tuple[int, Column, Model]]:
    """The columns whose network is there and has not failed, each with its place."""
    return [(at, each, each.model) for at, each in enumerate(columns) if each.model and not each.fault]
