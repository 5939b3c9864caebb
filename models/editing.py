"""Editing a network layer by layer: pure functions from one draft to the next.

A draft may be wrong, and stays so until it is mended: no edit raises, and `described` says which layer is impossible and
why, while the layers before it still show their shapes. An edit that names no row or no kind leaves the draft as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from math import prod
from types import MappingProxyType
from typing import Any

from .architecture import KINDS, Architecture, ArchitectureError, Input, Layer, info_of
from .fields import FIELDS, Field
from .layers import Shape

MOST_PARAMETERS = 100_000_000
"""Of one layer; more would fill the memory before anything has been learnt."""
MOST_VALUES = 50_000_000
"""In one layer's output for one image."""
MOST_ROWS = 200
LONGEST_NAME = 60

ADDABLE: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "conv2d": {"filters": 32, "window": (3, 3), "strides": (1, 1), "padding": "same"},
        "maxpool2d": {"window": (2, 2), "strides": (2, 2), "padding": "valid"},
        "averagepool2d": {"window": (2, 2), "strides": (2, 2), "padding": "valid"},
        "globalaveragepool2d": {},
        "batchnorm": {"epsilon": 1e-3, "momentum": 0.99},
        "activation": {"function": "relu"},
        "dropout": {"rate": 0.25},
        "flatten": {},
        "dense": {"units": 64},
    }
)
"""Kind of layer that can be added → what it starts with. Layers that join several are kept, but not added."""

STARTERS = {"conv2d", "dense"}
"""Kinds whose first weights are drawn."""

STEMS: Mapping[str, str] = {
    "conv2d": "conv",
    "maxpool2d": "pool",
    "averagepool2d": "pool",
    "globalaveragepool2d": "mean",
    "batchnorm": "norm",
}
"""How the names of new layers begin, where they do not begin with the kind."""


@dataclass(frozen=True)
class Row:
    """One layer of a draft.

    Attributes:
        kind: one of `models.architecture.KINDS`.
        name: unique in the draft.
        settings: field name → value as it was entered, right or wrong.
        inputs: names of the layers it reads; empty where it reads the one before it.
    """

    kind: str
    name: str
    settings: Mapping[str, Any]
    inputs: tuple[str, ...] = ()

    @property
    def fields(self) -> tuple[Field, ...]:
        """What can be edited, with bounds and help."""
        return tuple(FIELDS[name] for name in self.settings)


@dataclass(frozen=True)
class Draft:
    """A network while it is edited; the first row is its input."""

    name: str
    title: str
    rows: tuple[Row, ...]
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Described:
    """What is known of one row.

    Attributes:
        output_shape: `(height, width, channels)` or `(units,)`; None where it or a layer it reads is impossible.
        parameters: numbers it stores; None likewise.
        error: why the row is impossible, naming it, in one sentence; None where it is not, or nothing is known yet.
    """

    output_shape: Shape | None
    parameters: int | None
    error: str | None


def draft_of(architecture: Architecture) -> Draft:
    """A network as rows, to be edited."""
    rows = []
    for before, layer in zip((None, *architecture.layers), architecture.layers, strict=False):
        follows = before is not None and layer.inputs == (before.name,)
        rows.append(Row(layer.kind, layer.name, layer.settings, () if follows else layer.inputs))
    return Draft(architecture.name, architecture.title, tuple(rows), architecture.classes)


def architecture_of(draft: Draft) -> Architecture:
    """The network that a draft describes.

    Raises:
        ArchitectureError: it is impossible; the message is the first of `described`.
    """
    for each in described(draft):
        if each.error:
            raise ArchitectureError(each.error)
    layers = tuple(_layer(row) for row in draft.rows)
    return Architecture(name=draft.name, title=draft.title, layers=layers, classes=draft.classes)


def described(draft: Draft) -> tuple[Described, ...]:
    """Shape, parameters or fault of every row, in their order."""
    shapes: dict[str, Shape | None] = {}
    found: list[Described] = []
    for place, row in enumerate(draft.rows):
        inputs = row.inputs or ((draft.rows[place - 1].name,) if place else ())
        found.append(_described(row, place, inputs, shapes))
        shapes[row.name] = found[-1].output_shape
    fault = _fault_of_end(draft, found[-1])
    return (*found[:-1], replace(found[-1], error=fault)) if fault else tuple(found)


def added(draft: Draft, kind: str, place: int) -> Draft:
    """With a new layer at a place, counted from 1, as the input keeps the first; see `ADDABLE`."""
    if kind not in ADDABLE or not 1 <= place <= len(draft.rows) or len(draft.rows) >= MOST_ROWS:
        return draft
    starter = {"initialiser": "glorot_uniform"} if kind in STARTERS else {}
    row = Row(kind, _numbered(STEMS.get(kind, kind), _names(draft)), {**ADDABLE[kind], **starter})
    return _with_rows(draft, (*draft.rows[:place], row, *draft.rows[place:]))


def duplicated(draft: Draft, place: int) -> Draft:
    """With a copy of a layer after it."""
    if not _is_editable(draft, place) or len(draft.rows) >= MOST_ROWS:
        return draft
    row = draft.rows[place]
    copy = replace(row, name=_numbered(row.name.rstrip("0123456789"), _names(draft)))
    return _with_rows(draft, (*draft.rows[: place + 1], copy, *draft.rows[place + 1 :]))


def removed(draft: Draft, place: int) -> Draft:
    """Without a layer; what read it by name reads what it read."""
    if not _is_editable(draft, place):
        return draft
    gone, before = draft.rows[place], draft.rows[place - 1]
    instead = gone.inputs[0] if gone.inputs else before.name
    rows = [_reading(row, gone.name, instead) for row in draft.rows]
    return _with_rows(draft, (*rows[:place], *rows[place + 1 :]))


def moved(draft: Draft, place: int, to: int) -> Draft:
    """With a layer at another place."""
    if not (_is_editable(draft, place) and _is_editable(draft, to)):
        return draft
    rows = [*draft.rows[:place], *draft.rows[place + 1 :]]
    return _with_rows(draft, (*rows[:to], draft.rows[place], *rows[to:]))


def changed(draft: Draft, place: int, field: str, value: Any) -> Draft:
    """With another value of a layer's setting, whatever it is; lists count as tuples."""
    if not 0 <= place < len(draft.rows) or field not in draft.rows[place].settings:
        return draft
    value = tuple(value) if isinstance(value, list) else value
    row = draft.rows[place]
    return _with_row(draft, place, replace(row, settings={**row.settings, field: value}))


def renamed(draft: Draft, place: int, name: str) -> Draft:
    """With another name of a layer, made unique, and the same name wherever it is read."""
    wanted = "".join(each for each in str(name) if each.isprintable()).replace("/", "_").strip()[:LONGEST_NAME]
    if not 0 <= place < len(draft.rows) or not wanted:
        return draft
    old = draft.rows[place].name
    others = _names(draft) - {old}
    new = _numbered(wanted.rstrip("0123456789") or wanted, others) if wanted in others else wanted
    rows = tuple(_reading(row, old, new) for row in draft.rows)
    return _with_row(_with_rows(draft, rows), place, replace(rows[place], name=new))


def with_input_shape(draft: Draft, shape: Sequence[Any]) -> Draft:
    """For images of `(height, width, channels)`."""
    return changed(draft, 0, "shape", tuple(shape))


def with_classes(draft: Draft, classes: Sequence[str]) -> Draft:
    """For other classes; the last dense layer gets as many units."""
    draft = replace(draft, classes=tuple(map(str, classes)))
    dense = [place for place, row in enumerate(draft.rows) if row.kind == "dense"]
    return changed(draft, dense[-1], "units", len(draft.classes)) if dense else draft


def data_of(draft: Draft) -> dict[str, Any]:
    """The draft as plain data for JSON."""
    rows = [
        {"kind": row.kind, "name": row.name, "settings": dict(row.settings), "inputs": list(row.inputs)}
        for row in draft.rows
    ]
    return {"name": draft.name, "title": draft.title, "rows": rows, "classes": list(draft.classes)}


def draft_from(data: Any) -> Draft:
    """The draft of such data, which may come from anywhere.

    Raises:
        ArchitectureError: it is none.
    """
    try:
        rows = tuple(
            Row(
                KINDS[row["kind"]].kind,
                str(row["name"]),
                {name: tuple(value) if isinstance(value, list) else value for name, value in row["settings"].items()},
                tuple(map(str, row["inputs"])),
            )
            for row in data["rows"]
        )
        draft = Draft(str(data["name"]), str(data["title"]), rows, tuple(map(str, data["classes"])))
    except (KeyError, TypeError, AttributeError) as error:
        raise ArchitectureError(f"This is no draft of a network: {error}") from error
    if not 1 <= len(rows) <= MOST_ROWS or rows[0].kind != Input.kind or len(_names(draft)) < len(rows):
        raise ArchitectureError(f"A draft has one input and up to {MOST_ROWS} layers of different names.")
    if any(name not in FIELDS for row in rows for name in row.settings):
        raise ArchitectureError(f"A draft's layers have no settings but {', '.join(FIELDS)}.")
    return draft


def _layer(row: Row) -> Layer:
    try:
        return KINDS[row.kind](name=row.name, inputs=row.inputs, **row.settings)
    except TypeError as error:
        raise ArchitectureError(f"Layer {row.name!r} lacks a setting: {error}") from error


def _described(row: Row, place: int, inputs: Sequence[str], shapes: Mapping[str, Shape | None]) -> Described:
    try:
        layer = _layer(row)
        if place and row.kind == Input.kind:
            raise ArchitectureError(f"Layer {row.name!r} is a second input; a network has one.")
        unknown = [name for name in inputs if name not in shapes]
        if unknown:
            raise ArchitectureError(
                f"Layer {row.name!r} reads {unknown[0]!r}, which is not among the layers before it."
            )
        taken = [shapes[name] for name in inputs]
        known = [shape for shape in taken if shape is not None]
        if len(known) < len(taken):
            return Described(None, None, None)
        info = info_of(layer, known)
        if info.parameters > MOST_PARAMETERS or prod(info.output_shape) > MOST_VALUES:
            raise ArchitectureError(
                f"Layer {row.name!r} is too large: at most {MOST_PARAMETERS:,} parameters and {MOST_VALUES:,} values "
                f"are allowed. Received: {info.parameters:,} and {prod(info.output_shape):,}"
            )
        return Described(info.output_shape, info.parameters, None)
    except ArchitectureError as error:
        return Described(None, None, str(error))


def _fault_of_end(draft: Draft, end: Described) -> str | None:
    """Why the network's end gives no probabilities of its classes; None where it does, or is not reached."""
    row, count_of_classes = draft.rows[-1], len(draft.classes)
    if end.error or end.output_shape is None:
        return end.error
    if row.kind != "activation" or row.settings["function"] != "softmax":
        return f"Layer {row.name!r} is the last; the last must be an activation with softmax, for probabilities."
    if end.output_shape != (count_of_classes,):
        return (
            f"Layer {row.name!r}, the last, must give one value for each of the {count_of_classes} classes. "
            f"Received: {end.output_shape}"
        )
    return None


def _is_editable(draft: Draft, place: int) -> bool:
    """Whether there is such a row that is not the input."""
    return 1 <= place < len(draft.rows)


def _names(draft: Draft) -> set[str]:
    return {row.name for row in draft.rows}


def _numbered(stem: str, taken: set[str]) -> str:
    """The stem with the first number that nothing else has."""
    return next(name for name in (f"{stem}{number}" for number in count(1)) if name not in taken)


def _reading(row: Row, old: str, new: str) -> Row:
    """The row reading another layer where it read that one by name."""
    return replace(row, inputs=tuple(new if name == old else name for name in row.inputs))


def _with_rows(draft: Draft, rows: Sequence[Row]) -> Draft:
    return replace(draft, rows=tuple(rows))


def _with_row(draft: Draft, place: int, row: Row) -> Draft:
    return _with_rows(draft, (*draft.rows[:place], row, *draft.rows[place + 1 :]))
