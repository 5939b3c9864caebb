"""A network while it is edited: rows that may be wrong, and what is known of each.

`described` says which layer is impossible and why, while the layers before it still show their shapes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from .architecture import KINDS, Architecture, ArchitectureError, Input, Layer, info_of
from .fields import FIELDS, Field
from .layers import Shape

MOST_PARAMETERS = 100_000_000
"""Of one layer; more would fill the memory before anything has been learnt."""
MOST_VALUES = 50_000_000
"""In one layer's output for one image."""
MOST_ROWS = 200


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

    @property
    def names(self) -> frozenset[str]:
        """Names of all rows."""
        return frozenset(row.name for row in self.rows)


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
    if not 1 <= len(rows) <= MOST_ROWS or rows[0].kind != Input.kind or len(draft.names) < len(rows):
        raise ArchitectureError(f"A draft has one input and up to {MOST_ROWS} layers of different names.")
    if any(name not in FIELDS for row in rows for name in row.settings):
        raise ArchitectureError(f"A draft's layers have no settings but {', '.join(FIELDS)}.")
    return draft


def _layer(row: Row) -> Layer:
    try:
        return KINDS[row.kind](name=row.name, inputs=row.inputs, **row.settings)
    except TypeError as error:
        raise ArchitectureError(f"Layer {row.name!r} has other settings than {row.kind} has: {error}") from error


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
    if count_of_classes < 2:
        return f"Layer {row.name!r}, the last, needs two classes or more to tell apart. Received: {count_of_classes}"
    if end.output_shape != (count_of_classes,):
        return (
            f"Layer {row.name!r}, the last, must give one value for each of the {count_of_classes} classes. "
            f"Received: {end.output_shape}"
        )
    return None
