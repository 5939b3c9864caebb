"""Editing a network layer by layer: pure functions from one draft to the next.

A draft may be wrong, and stays so until it is mended; no edit raises. One that names no row or no kind leaves the draft
as it is.
"""

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from itertools import count
from reprlib import repr as shortened
from types import MappingProxyType
from typing import Any

from .architecture import Architecture
from .drafts import MOST_ROWS, Draft, Row, draft_of

EDITED = "-edited"
"""How the name of a network ends that was made of another one."""

NAME = re.compile(r"[^\W\d_][\w-]{0,59}")
"""What a layer may be called. Frameworks forbid slashes and points, addresses of pages would have to quote others."""

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


def begun(network: Architecture) -> Draft:
    """A network to be edited, with a name of its own."""
    draft = draft_of(network)
    return replace(draft, name=f"{draft.name}{EDITED}", title=f"{draft.title}, edited")


def added(draft: Draft, kind: str, place: int) -> Draft:
    """With a new layer at a place, counted from 1, as the input keeps the first; see `ADDABLE`."""
    if kind not in ADDABLE or not 1 <= place <= len(draft.rows) or len(draft.rows) >= MOST_ROWS:
        return draft
    starter = {"initialiser": "glorot_uniform"} if kind in STARTERS else {}
    row = Row(kind, _numbered(STEMS.get(kind, kind), draft.names), {**ADDABLE[kind], **starter})
    return _with_rows(draft, (*draft.rows[:place], row, *draft.rows[place:]))


def duplicated(draft: Draft, place: int) -> Draft:
    """With a copy of a layer after it."""
    if not _is_editable(draft, place) or len(draft.rows) >= MOST_ROWS:
        return draft
    row = draft.rows[place]
    copy = replace(row, name=_numbered(row.name.rstrip("0123456789"), draft.names))
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


def name_fault(draft: Draft, place: int, name: str) -> str | None:
    """Why a layer cannot be called so, in a sentence; None where it can."""
    if not NAME.fullmatch(name):
        return (
            "A layer's name is a letter and up to 59 letters, digits, - or _ after it: files, links and other programs "
            f"know the layer by it. Received: {shortened(name)}"
        )
    if name in {row.name for other, row in enumerate(draft.rows) if other != place}:
        return f"Another layer is called {name!r} already; each has a name of its own."
    return None


def renamed(draft: Draft, place: int, name: str) -> Draft:
    """With another name of a layer, here and wherever it is read; see `name_fault`."""
    if not 0 <= place < len(draft.rows) or name_fault(draft, place, name):
        return draft
    rows = tuple(_reading(row, draft.rows[place].name, name) for row in draft.rows)
    return _with_row(_with_rows(draft, rows), place, replace(rows[place], name=name))


def with_input_shape(draft: Draft, shape: Sequence[Any]) -> Draft:
    """For images of `(height, width, channels)`."""
    return changed(draft, 0, "shape", tuple(shape))


def with_classes(draft: Draft, classes: Sequence[str]) -> Draft:
    """For other classes; the last dense layer gets as many units."""
    draft = replace(draft, classes=tuple(map(str, classes)))
    dense = [place for place, row in enumerate(draft.rows) if row.kind == "dense"]
    return changed(draft, dense[-1], "units", len(draft.classes)) if dense else draft


def _is_editable(draft: Draft, place: int) -> bool:
    """Whether there is such a row that is not the input."""
    return 1 <= place < len(draft.rows)


def _numbered(stem: str, taken: Set[str]) -> str:
    """The stem with the first number that nothing else has."""
    return next(name for name in (f"{stem}{number}" for number in count(1)) if name not in taken)


def _reading(row: Row, old: str, new: str) -> Row:
    """The row reading another layer where it read that one by name."""
    return replace(row, inputs=tuple(new if name == old else name for name in row.inputs))


def _with_rows(draft: Draft, rows: Sequence[Row]) -> Draft:
    return replace(draft, rows=tuple(rows))


def _with_row(draft: Draft, place: int, row: Row) -> Draft:
    return _with_rows(draft, (*draft.rows[:place], row, *draft.rows[place + 1 :]))
