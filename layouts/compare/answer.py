"""The compare page's answer to a drawing: one prepared drawing, one pass of each network, and a row for each layer."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ...backends.base import Model
from ...datasets.base import DatasetError
from ...drawing.ink import InkError
from ...models.alignment import in_rows
from ...visualizers.contract import Need, Pass, Subject
from ...visualizers.words import kind_words
from ..beside import Found, with_beside
from ..panels import digest, panel_part, start_job
from ..services import Services
from ..state import Beside, Panel
from .question import Column, Drawing, Question, columns_of, label_in, live, position_in, probabilities
from .scales import on_one_scale
from .words import Answer, agreement, incomparable, strongest_disagreement

log = logging.getLogger(__name__)

Data = dict[str, Any]
Row = tuple[str | None, ...]


def answer(services: Services, question: Question) -> Data:
    """Everything that changes on the page; a fault that concerns all of it is one sentence under `fault`."""
    try:
        drawing = Drawing(services, question)
        return _answered(services, question, drawing, columns_of(services, question, drawing))
    except (DatasetError, InkError) as error:
        log.error("%s", error)
        return {"serial": question.serial, "fault": str(error)}


def run(services: Services, question: Question, name: str, page: str = "") -> Data:
    """Begins what one panel shows on request, and says how it stands.

    Args:
        services: what the server has.
        question: what the page shows.
        name: of the panel.
        page: tells one window's panels from another's, which have the same names.
    """
    try:
        columns = columns_of(services, question, Drawing(services, question))
        panel, at = _panels(services, question, columns, _rows(question, columns))[name]
        found = _at(_found(services, question, columns, at), panel, question)
        return start_job(services, replace(panel, id=f"{page} {panel.id}"), found, _image_key(columns[at])).data
    except (DatasetError, InkError, LookupError) as error:
        return {"id": None, "panel": name, "status": "failed", "message": str(error), "frames": 0, "share": 0}


def _answered(services: Services, question: Question, drawing: Drawing, columns: Sequence[Column]) -> Data:
    rows = _rows(question, columns)
    there = [(each.name, model) for _, each, model in live(columns)]
    answers = _answers(columns)
    return {
        "serial": question.serial,
        "fault": None,
        "empty": drawing.empty,
        "columns": [_column(services, question, columns, each) for each in columns],
        "agreement": agreement(answers),
        "disagreement": strongest_disagreement(answers),
        "incomparable": incomparable(there),
        "rows": rows,
        "panels": _parts(services, question, columns, rows),
    }


def _answers(columns: Sequence[Column]) -> list[Answer]:
    found = []
    for _, column, model in live(columns):
        values = probabilities(column)
        if values is not None:
            found.append(Answer(column.name, model.classes, values))
    return found


def _column(services: Services, question: Question, columns: Sequence[Column], column: Column) -> Data:
    values, model = probabilities(column), column.model
    return {
        "model": column.asked.model,
        "backend": column.asked.backend,
        "title": column.title,
        "name": column.name,
        "fault": column.fault,
        "opening": column.opening,
        "classes": list(model.classes) if model else [],
        "label": label_in(services, question, columns, model) if model else None,
        "layers": [[layer.name, layer.kind, kind_words(layer), layer.units] for layer in model.layers] if model else [],
        "probabilities": None if values is None else [float(value) for value in values],
    }


def _rows(question: Question, columns: Sequence[Column]) -> list[Row]:
    """The layers of each row; those that were chosen by hand, as far as the networks have them."""
    there = live(columns)
    if question.rows is not None:
        names = {at: {layer.name for layer in model.layers} for at, _, model in there}
        return [_known(row, names, len(columns)) for row in question.rows]
    found = in_rows([model.layers for _, _, model in there])
    places = {at: number for number, (at, _, _) in enumerate(there)}
    return [
        tuple(
            layer.name if at in places and (layer := row[places[at]]) is not None else None
            for at in range(len(columns))
        )
        for row in found
    ]


def _known(row: Row, names: dict[int, set[str]], count: int) -> Row:
    padded = (*row, *[None] * count)[:count]
    return tuple(name if name in names.get(at, ()) else None for at, name in enumerate(padded))


def _panels(
    services: Services, question: Question, columns: Sequence[Column], rows: Sequence[Row]
) -> dict[str, tuple[Panel, int]]:
    """Panel `row.column` → the panel and the place of its column; one row alone for what shows a whole network.

    A row none of whose layers suits the view has no panels.
    """
    view = services.visualizers.get(question.view.visualizer)
    if view and Need.LAYER not in view.needs:
        return {f"whole.{at}": (_panel(f"whole.{at}", question, None), at) for at, _, _ in live(columns)}
    models = {at: model for at, _, model in live(columns)}
    return {
        f"{number}.{at}": (_panel(f"{number}.{at}", question, layer, models[at]), at)
        for number, row in enumerate(rows)
        if not view or any(layer and view.applies_to(models[at].layer(layer)) for at, layer in enumerate(row))
        for at, layer in enumerate(row)
        if layer is not None
    }


def _panel(id: str, question: Question, layer: str | None, model: Model | None = None) -> Panel:
    name = question.view.visualizer
    if not name and layer and model:
        name = "feature_maps" if model.layer(layer).is_spatial else "dense_outputs"
    return Panel(id, name, layer, question.view.settings)


def _parts(services: Services, question: Question, columns: Sequence[Column], rows: Sequence[Row]) -> Data:
    panels = _panels(services, question, columns, rows)
    founds = {at: _found(services, question, columns, at) for at, _, _ in live(columns)}
    parts = {
        id: panel_part(services, panel, _at(founds[at], panel, question), _image_key(columns[at]), {})
        for id, (panel, at) in panels.items()
    }
    if question.view.shared:
        _share_scales(parts)
    return {id: _unless_shown(id, part, question) for id, part in parts.items()}


def _share_scales(parts: Data) -> None:
    """Puts the figures of each row on one scale; their keys then depend on one another."""
    by_row: dict[str, list[str]] = {}
    for id, part in parts.items():
        if part.get("figure") and "withheld" not in part:
            by_row.setdefault(id.partition(".")[0], []).append(id)
    for ids in by_row.values():
        key = digest(*(parts[id]["key"] for id in ids))
        for id, figure in zip(ids, on_one_scale([parts[id]["figure"] for id in ids]), strict=True):
            parts[id] = {**parts[id], "figure": figure, "key": digest(key, parts[id]["key"])}


def _unless_shown(id: str, part: Data, question: Question) -> Data:
    if question.shown.get(id) == part["key"]:
        return {"key": part["key"]}
    if "withheld" in part:  # nothing is rehearsed here
        return {"key": part["key"], "withheld": part["withheld"]}
    return part


def _found(services: Services, question: Question, columns: Sequence[Column], at: int) -> Found:
    """What is looked at in one column; its second model is the first of the others."""
    column, model = columns[at], columns[at].model
    if model is None:
        raise LookupError(column.fault or column.opening)
    other = next((each for place, each, _ in live(columns) if place != at), None)
    run = column.asked.model.removeprefix("run:").partition("@")[0] if column.asked.model.startswith("run:") else ""
    first = next(each.classes for _, _, each in live(columns))
    subject = Subject(
        model=model,
        forward=column.forward,
        layer=model.layers[0],
        label=label_in(services, question, columns, model),
        target=position_in(first, question.view.target, model),
        dataset=services.samples[0],
        second_model=other.model if other else None,
        second_forward=_second(column.forward, other),
        run=services.run(run) if run else None,
    )
    beside = Beside(image=question.view.second)
    found = with_beside(services, subject, beside, _needs(services, question), question.source, question.steps)
    return replace(found, troubles={**_missing(found.subject, first, question), **found.troubles})


def _needs(services: Services, question: Question) -> set[Need]:
    """What the view needs that stands beside the drawing; a run is that of the column."""
    view = services.visualizers.get(question.view.visualizer)
    return {Need.SECOND_IMAGE} & view.needs if view else set()


def _missing(subject: Subject, first: Sequence[str], question: Question) -> dict[Need, str]:
    """What a column does not have for the view, said in this page's words."""
    target = question.view.target
    words = {
        Need.RUN: "" if subject.run else "This network is no training run; choose one at the head of its column.",
        Need.SECOND_IMAGE: "" if subject.second_image else "Choose a second image above, or keep this drawing as one.",
        Need.SECOND_MODEL: "" if subject.second_model else "There is no other network to compare this one with.",
        Need.TARGET: ""
        if target is None or target >= len(first) or subject.target is not None
        else f"{subject.model.name} does not know the class {first[target]}.",
    }
    return {need: each for need, each in words.items() if each}


def _at(found: Found, panel: Panel, question: Question) -> Found:
    """At the panel's layer, with the selected unit where the layer has it."""
    if panel.layer is None:
        return found
    unit, layer = question.view.unit, found.subject.model.layer(panel.layer)
    known = unit if isinstance(unit, int) and 0 <= unit < layer.units else None
    trouble = "Choose a unit above." if unit is None else f"{layer.name} has no unit {unit}: {_range(layer.units)}."
    troubles = {**found.troubles, **({Need.UNIT: trouble} if known is None else {})}
    return replace(found, subject=found.subject.at(layer.name, known), troubles=troubles)


def _range(units: int) -> str:
    return "its only one is 0" if units == 1 else f"its units are 0 to {units - 1:,}"


def _second(forward: Pass | None, other: Column | None) -> Pass | None:
    return other.forward if forward is not None and other is not None else None


def _image_key(column: Column) -> str:
    return "none" if column.forward is None else digest(column.forward.image.tobytes())
