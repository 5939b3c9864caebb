"""What the browser remembers, as typed values: parsed from its stores and from the address, with every fault in words.

The address after `#` is a query string: `model` (of a training also a snapshot, `run:ID@SNAPSHOT`), `backend`, `off`
(steps switched off), one of `ink` and `sample`, `label`, `layer`, `unit`, `position` (`row.column`), `target` (a class
to explain), `edits` (JSON: layer, unit, factor of each), `second` (a second image: `digit.index` or ink),
`second_model` and `second_backend`, `run` (a training run), and `panels` (JSON) where the panels are not the default
ones.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any
from urllib.parse import parse_qs

from ..datasets.base import DatasetError
from .data.choice import Named
from .pictures import Source

STEPS = ("invert", "crop", "scale", "centre")
NAMED = 8
"""How many of what there is are named in a sentence."""


@dataclass(frozen=True)
class Selected:
    """The layer that every panel without one of its own shows, its unit and position, and the class to explain."""

    layer: str | None = None
    unit: int | None = None
    position: tuple[int, int] | None = None
    target: int | None = None

    @classmethod
    def of(cls, data: Mapping[str, Any] | None) -> "Selected":
        """The selection as a store describes it."""
        data = data or {}
        position = data.get("position")
        return cls(data.get("layer"), data.get("unit"), tuple(position) if position else None, data.get("target"))

    @property
    def data(self) -> dict[str, Any]:
        """The selection as a store keeps it."""
        position = None if self.position is None else list(self.position)
        return {"layer": self.layer, "unit": self.unit, "position": position, "target": self.target}


@dataclass(frozen=True)
class Beside:
    """What stands beside the model and its image, for views that ask for it.

    Attributes:
        image: where the second image comes from.
        model: what the user calls the second model.
        backend: the one that runs it.
        run: a training run's id.
    """

    image: Source | None = None
    model: str | None = None
    backend: str | None = None
    run: str | None = None

    @classmethod
    def of(cls, data: Mapping[str, Any] | None) -> "Beside":
        """All of it as a store describes it."""
        data = data or {}
        image = data.get("image")
        return cls(Source.of(image) if image else None, data.get("model"), data.get("backend"), data.get("run"))

    @property
    def data(self) -> dict[str, Any]:
        """All of it as a store keeps it."""
        image = None if self.image is None else self.image.data
        return {"image": image, "model": self.model, "backend": self.backend, "run": self.run}


NOTHING_BESIDE = Beside()

EditData = tuple[str, int, float]
"""Layer, unit, and what its output is multiplied by."""
MOST_EDITS = 64


@dataclass(frozen=True)
class Panel:
    """A visualizer placed on the page. `layer` None follows the selection."""

    id: str
    visualizer: str
    layer: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "Panel":
        """A panel as a store or the address describes it."""
        layer = data.get("layer")
        if not isinstance(layer, str | None):
            raise TypeError(f"A panel's layer is a name. Received: {layer!r}")
        return cls(str(data["id"]), str(data["visualizer"]), layer, dict(data.get("settings") or {}))

    @property
    def data(self) -> dict[str, Any]:
        """The panel as a store keeps it."""
        return {"id": self.id, "visualizer": self.visualizer, "layer": self.layer, "settings": dict(self.settings)}


@dataclass(frozen=True)
class Known:
    """What an address may name."""

    model: str
    models: Sequence[str]
    backend: str
    backends: Sequence[str]
    visualizers: Sequence[str]
    layers: Callable[[str], Sequence[str]]
    runs: Sequence[str] = ()
    snapshots: Callable[[str], Sequence[str]] = lambda model: ()


@dataclass(frozen=True)
class Address:
    """What a link asks for, cleared of what does not exist; `notices` says what that was."""

    model: str
    backend: str
    off: tuple[str, ...] = ()
    ink: str | None = None
    sample: tuple[int, int] | None = None
    image: str | None = None
    label: int | None = None
    selected: Selected = Selected()
    edits: tuple[EditData, ...] = ()
    beside: Beside = NOTHING_BESIDE
    panels: tuple[Panel, ...] | None = None
    notices: tuple[str, ...] = ()


def parse_address(fragment: str, known: Known) -> Address:
    """Reads the part of the address after `#`; whatever is not known is left out and named in `notices`."""
    given = {key: values[-1] for key, values in parse_qs(fragment.lstrip("#")).items()}
    notices: list[str] = []
    model = _model(given.get("model"), known, notices)
    backend = _one_of(given.get("backend"), known.backends, known.backend, "backend", notices)
    layer = _layer(given.get("layer"), model, known, notices)
    return Address(
        model=model,
        backend=backend,
        off=tuple(name for name in given.get("off", "").split(",") if name in STEPS),
        ink=given.get("ink"),
        sample=_sample(given.get("sample"), "sample", notices),
        image=_image(given.get("image"), notices),
        label=_number(given.get("label"), "label", notices),
        selected=Selected(
            layer,
            _number(given.get("unit"), "unit", notices) if layer else None,
            _position(given.get("position"), notices) if layer else None,
            _number(given.get("target"), "target class", notices),
        ),
        edits=_edits(given.get("edits"), notices),
        beside=_beside(given, backend, known, notices),
        panels=_panels(given.get("panels"), known, notices),
        notices=tuple(notices),
    )


def _model(value: str | None, known: Known, notices: list[str]) -> str:
    """A model, or a snapshot of a training; the newest where there is none of that name."""
    if value is not None and _is_snapshot(value, known):
        return value
    network, _, snapshot = (value or "").partition("@")
    there = known.snapshots(network) if snapshot and network in known.models else ()
    if not there:
        return _one_of(value, known.models, known.model, "model", notices)
    notices.append(
        f"The address names an unknown snapshot, {snapshot!r}; {network} has {len(there)}, from {there[0]} to "
        f"{there[-1]}. Showing the newest."
    )
    return network


def _is_snapshot(value: str | None, known: Known) -> bool:
    network, _, snapshot = (value or "").partition("@")
    return network in known.models and snapshot in known.snapshots(network)


def _one_of(value: str | None, options: Sequence[str], default: str, word: str, notices: list[str]) -> str:
    if value is None or value in options:
        return value or default
    notices.append(f"The address names an unknown {word}, {value!r}; there are {_first(options)}. Showing {default}.")
    return default


def _first(options: Sequence[str]) -> str:
    """The first few of them: there may be hundreds of training runs."""
    more = len(options) - NAMED
    return ", ".join(options[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _layer(name: str | None, model: str, known: Known, notices: list[str]) -> str | None:
    if name is None or name in known.layers(model):
        return name
    notices.append(f"The address names an unknown layer, {name!r}; {model} has {', '.join(known.layers(model))}.")
    return None


def _number(text: str | None, word: str, notices: list[str]) -> int | None:
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) < 7:
        return int(text)
    notices.append(f"The address gives a {word} that is not a whole number: {text!r}.")
    return None


def _position(text: str | None, notices: list[str]) -> tuple[int, int] | None:
    if text is None:
        return None
    row, dot, column = text.partition(".")
    if dot and text.isascii() and row.isdigit() and column.isdigit() and len(text) < 12:
        return int(row), int(column)
    notices.append(f"The address names a position as row.column, such as 3.4. Received: {text!r}.")
    return None


def _edits(text: str | None, notices: list[str]) -> tuple[EditData, ...]:
    if text is None:
        return ()
    try:
        edits = tuple((layer, unit, float(scale)) for layer, unit, scale in json.loads(text))
        if len(edits) <= MOST_EDITS and all(
            isinstance(layer, str) and type(unit) is int and isfinite(scale) for layer, unit, scale in edits
        ):
            return edits
    except (ValueError, TypeError, RecursionError):
        pass
    notices.append("The address describes muted units in a way that cannot be read; showing the network as it is.")
    return ()


def _beside(given: Mapping[str, str], backend: str, known: Known, notices: list[str]) -> Beside:
    """What is not known is left out; a second model without a backend is opened on the page's own."""
    second = given.get("second_model")
    model = second if _is_snapshot(second, known) else _known("second model", second, known.models, notices)
    on = _known("second backend", given.get("second_backend"), known.backends, notices) if model else None
    return Beside(
        image=_second(given.get("second"), notices),
        model=model,
        backend=(on or backend) if model else None,
        run=_known("training run", given.get("run"), known.runs, notices),
    )


def _known(word: str, value: str | None, options: Sequence[str], notices: list[str]) -> str | None:
    if value is None or value in options:
        return value
    there = f"there are {_first(options)}" if options else "there are none"
    notices.append(f"The address names an unknown {word}, {value!r}; {there}.")
    return None


def _second(text: str | None, notices: list[str]) -> Source | None:
    """A stored image where there is a dot, which ink has none of: a sample where it begins with a digit."""
    if text is None or "." not in text:
        return Source(ink=text) if text else None
    if not text[0].isdigit():
        image = _image(text, notices)
        return Source(image=image) if image else None
    sample = _sample(text, "second image", notices)
    return Source(sample=sample) if sample else None


def sample_in(text: str) -> tuple[int, int] | None:
    """The digit and the index of `5.12`; None where it is none."""
    digit, dot, index = text.partition(".")
    known = dot and text.isascii() and digit.isdigit() and index.isdigit() and len(text) < 12
    return (int(digit), int(index)) if known else None


def _sample(text: str | None, word: str, notices: list[str]) -> tuple[int, int] | None:
    if text is None:
        return None
    if found := sample_in(text):
        return found
    notices.append(f"The address names a {word} as digit.index, such as 5.12. Received: {text!r}.")
    return None


def _image(text: str | None, notices: list[str]) -> str | None:
    try:
        return None if text is None else str(Named.of(text))
    except DatasetError as error:
        notices.append(str(error))
        return None


def _panels(text: str | None, known: Known, notices: list[str]) -> tuple[Panel, ...] | None:
    if text is None:
        return None
    try:
        entries = json.loads(text)
        if not isinstance(entries, list):
            raise TypeError(f"Panels are a list. Received: {type(entries).__name__}")
        panels = tuple(Panel.of({"id": f"p{index}", **entry}) for index, entry in enumerate(entries))
    except (ValueError, TypeError, KeyError, RecursionError):
        notices.append("The address describes its panels in a way that cannot be read; showing the default ones.")
        return None
    for panel in panels:
        if panel.visualizer not in known.visualizers:
            notices.append(
                f"The address names an unknown panel, {panel.visualizer!r}; there are {', '.join(known.visualizers)}."
            )
    return tuple(panel for panel in panels if panel.visualizer in known.visualizers)
