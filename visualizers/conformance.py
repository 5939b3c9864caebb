"""Holds a visualizer against the contract on small random networks, and says what to change.

`check` draws it on every layer that it applies to, with every bound and option of its settings, with all that can be
chosen on the page and with nothing but what it declares.
"""

import time
import tracemalloc
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from inspect import unwrap
from itertools import combinations
from math import isfinite
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from plotly.graph_objects import Figure

from ..backends.base import BackendMissing, Model, read_only
from ..backends.registry import backend as find_backend
from ..backends.registry import backends
from ..datasets.base import Dataset
from .contract import Frame, Need, Pass, Subject, Visualizer
from .controls import Control, build_settings
from .plugins import reason_of
from .specimens import SPECIMENS

MOST_BYTES = 8_000_000
"""What one answer may weigh when its arrays are typed: more takes the browser seconds."""

NOTHING_SET: Mapping[str, Any] = MappingProxyType({})

PATIENCE = 2.0
"""Seconds after which the page stops a view that gives its figure at once."""

LONGEST = 60.0
"""Seconds after which a view that gives one frame after the other should have come to an end here."""


@dataclass(frozen=True)
class Measured:
    """One visualizer on one network: how often it was drawn, and the most that it took.

    Attributes:
        backend: the network's backend.
        network: the network.
        figures: how many times it was drawn there.
        seconds: the longest of them.
        memory: bytes that Python held at most while it was drawn, beyond what it held before.
        size: bytes of the largest answer.
        note: why it was not drawn at all; empty when it was.
    """

    backend: str
    network: str
    figures: int = 0
    seconds: float = 0.0
    memory: int = 0
    size: int = 0
    note: str = ""


@dataclass(frozen=True)
class Report:
    """What was found.

    Attributes:
        visualizer: the one that was checked.
        measured: one entry for each network.
        faults: sentences that say what is wrong and what to change, each with the first place where it came up.
    """

    visualizer: Visualizer
    measured: tuple[Measured, ...]
    faults: tuple[str, ...]


class Fault(Exception):  # noqa: N818
    """A breach of the contract, in words."""


def check(entry: Visualizer, backend: str | None = None) -> Report:
    """Checks a visualizer.

    Args:
        entry: the visualizer.
        backend: the one to run the networks on; each installed one when None.

    Raises:
        BackendError: there is no such backend, or none is installed.
    """
    measured, faults = [], dict[str, str]()
    for model in models(backend):
        trial = _Trial(entry, model)
        measured.append(trial.run())
        for fault, place in trial.faults.items():
            faults.setdefault(fault, place)
    if all(each.note for each in measured):
        faults.setdefault("It was never drawn, so nothing is known of it.", measured[0].note)
    return Report(entry, tuple(measured), tuple(f"{fault} [{place}]" for fault, place in faults.items()))


def example(entry: Visualizer, backend: str | None = None) -> Subject:
    """A subject that the visualizer can be drawn for: the first network and layer that it applies to, all chosen.

    Raises:
        LookupError: it applies to no layer of the small networks.
        BackendError: as `check`.
    """
    for model in models(backend):
        for subject in _subjects(entry, model):
            if entry.unmet(subject) is None:
                return subject
    raise LookupError(f"{entry.name} applies to no layer of {', '.join(each.name for each in SPECIMENS)}.")


def models(backend: str | None = None) -> tuple[Model, ...]:
    """The small networks, in one backend or in each that is installed.

    Raises:
        BackendError: there is no such backend, or none is installed.
    """
    wanted = [find_backend(backend)] if backend else backends()
    usable = [each.name for each in wanted if each.missing is None]
    if not usable:
        raise BackendMissing(" ".join(f"{each.missing}" for each in wanted))
    return tuple(model for name in usable for model in _built(name))


@cache
def _built(backend: str) -> tuple[Model, ...]:
    found = find_backend(backend)
    found.start()
    return tuple(found.build(architecture, seed=1) for architecture in SPECIMENS)


def _subjects(entry: Visualizer, model: Model) -> Iterator[Subject]:
    """All that can be chosen, at every layer that the visualizer applies to."""
    random = np.random.default_rng(2)
    image = read_only(random.random(model.input_shape, dtype=np.float32))
    everything = Subject(model, Pass(model, image), label=0, target=1, dataset=_dataset(model))
    for layer in model.layers:
        if Need.LAYER not in entry.needs or entry.applies_to(layer):
            yield everything.at(layer.name, layer.units - 1, (0, 0) if layer.is_spatial else None)


@cache
def _dataset(model: Model) -> Dataset:
    """Random images of another size than the model's, as real ones may be."""
    random = np.random.default_rng(3)
    count, labels = 12, np.arange(12) % len(model.classes)
    images = random.integers(0, 256, (count, 9, 7, model.input_shape[2]), dtype=np.uint8)
    words = {"name": "noise", "title": "Noise", "source": "Drawn at random.", "checksum": "noise"}
    return Dataset(images=images, labels=labels.astype(np.int64), classes=model.classes, **words)


class _Trial:
    """One visualizer on one network."""

    def __init__(self, entry: Visualizer, model: Model) -> None:
        self.entry, self.model = entry, model
        self.undeclared = frozenset(Need) - entry.needs
        self.faults: dict[str, str] = {}
        self.figures, self.seconds, self.memory, self.size = 0, 0.0, 0, 0

    def run(self) -> Measured:
        place = self.model.backend, self.model.name
        lacking = self.entry.capabilities - self.model.capabilities
        if lacking:
            return Measured(*place, note=f"has no {', no '.join(sorted(each.value for each in lacking))}")
        subjects = [each for each in _subjects(self.entry, self.model) if self.entry.unmet(each) is None]
        if not subjects:
            return Measured(*place, note=f"no layer fits: it needs {self.entry.applies_to.reason}")
        self._check_ranges()
        for index, subject in enumerate(subjects):
            thorough = index in (0, len(subjects) - 1)
            for settings in _variants(self.entry.controls) if thorough else [NOTHING_SET]:
                self._attempt(subject, settings, thorough and not settings)
        return Measured(*place, self.figures, self.seconds, self.memory, self.size)

    def _check_ranges(self) -> None:
        for control in self.entry.controls:
            if control.range and not (isfinite(control.range.low) and isfinite(control.range.high)):
                fault = f"Setting {control.name!r} has a range without end; give it bounds that a slider can show."
                self.faults.setdefault(fault, control.label)

    def _attempt(self, subject: Subject, settings: Mapping[str, Any], thorough: bool) -> None:
        """Everything that can be said of one layer and one choice of settings; the first fault ends it."""
        try:
            first = self._first(subject, settings)
            self._check_repeatable(subject, settings, first)
            if thorough:
                self._check_target(subject)
                self._check_declared(subject)
                self._check_followed(subject, first)
        except Fault as fault:
            chosen = "".join(f", {name}={value!r}" for name, value in settings.items())
            layer = f", layer {subject.layer.name}" if subject.layer else ""
            self.faults.setdefault(str(fault), f"{self.model.name} on {self.model.backend}{layer}{chosen}")

    def _first(self, subject: Subject, settings: Mapping[str, Any]) -> str:
        """The figure as JSON text, measured."""
        text, seconds = self._timed(subject, settings)
        if seconds > PATIENCE:  # a framework may have prepared itself the first time
            seconds = self._timed(subject, settings)[1]
        self.seconds = max(self.seconds, seconds)
        if seconds > PATIENCE and not self.entry.on_request:
            raise Fault(
                f"It takes longer than {PATIENCE:.0f} s on a tiny network, and the page stops it then; make it a "
                "generator that yields Frame(figure, share), which runs on request."
            )
        self.figures += 1
        self.size = max(self.size, len(text))
        if len(text) > MOST_BYTES:
            raise Fault(
                f"Its answer weighs {len(text) / 1e6:.1f} MB, and {MOST_BYTES / 1e6:.0f} MB is the most; show fewer "
                "numbers, and give Plotly NumPy arrays of a small type, such as float32, instead of lists."
            )
        return text

    def _timed(self, subject: Subject, settings: Mapping[str, Any]) -> tuple[str, float]:
        start = time.perf_counter()
        return self._draw(subject, settings), time.perf_counter() - start

    def _draw(self, subject: Subject, settings: Mapping[str, Any] = NOTHING_SET) -> str:
        """One figure as JSON text, the last one where there are several; checked for what any figure must be."""
        before = _fingerprint(subject)
        try:
            figure = _figure(self.entry.draw(subject, build_settings(self.entry.settings, settings)))
        except Fault:
            raise
        except Exception as error:
            raise _failed(error, self.entry, settings) from error
        if _fingerprint(subject) != before:
            raise Fault("It changes the arrays that it is given; work on a copy: array.copy().")
        return _valid(figure)

    def _works(self, subject: Subject) -> bool:
        try:
            self._draw(subject)
        except Fault:
            return False
        return True

    def _check_repeatable(self, subject: Subject, settings: Mapping[str, Any], first: str) -> None:
        tracemalloc.start()
        try:
            again = self._draw(subject, settings)
            self.memory = max(self.memory, tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        if again != first:
            raise Fault(
                "The same arguments give another figure the second time; draw random numbers from "
                "np.random.default_rng(seed), and keep nothing between two calls."
            )

    def _check_target(self, subject: Subject) -> None:
        try:
            self._draw(replace(subject, target=None))
        except Fault as fault:
            raise Fault(
                "It fails where no target class was chosen; use subject.target_class, which is the predicted one then. "
                f"({fault})"
            ) from fault

    def _check_declared(self, subject: Subject) -> None:
        """That it does without whatever it has not declared: an image, a layer, a unit, …"""
        try:
            self._draw(_without(subject, self.undeclared))
        except Fault as fault:
            missing = next(
                (few for few in _few(self.undeclared) if self._works(_without(subject, self.undeclared - few))),
                self.undeclared,
            )
            words = " and ".join(sorted(need.value for need in missing))
            names = ", ".join(sorted(f"Need.{need.name}" for need in missing))
            raise Fault(f"It fails without {words}: add {names} to its needs, or do without. ({fault})") from fault

    def _check_followed(self, subject: Subject, first: str) -> None:
        """That it does not quietly depend on what it has not declared, for the page would not draw it again then."""
        for need, other in _others(subject).items():
            if need in self.undeclared and self._draw(other) != first:
                raise Fault(
                    f"Its figure depends on {need.value}: add Need.{need.name} to its needs, or the page does not draw "
                    "it again when that changes."
                )


FIELDS: Mapping[Need, tuple[str, ...]] = {
    Need.IMAGE: ("forward", "label"),
    Need.LAYER: ("layer", "unit", "position"),
    Need.UNIT: ("unit",),
    Need.POSITION: ("position",),
    Need.TARGET: ("target",),
    Need.DATASET: ("dataset",),
}
"""What of a subject is not there when a need is not met."""


def _without(subject: Subject, needs: Iterable[Need]) -> Subject:
    nothing: dict[str, Any] = {field: None for need in needs for field in FIELDS[need]}
    return replace(subject, **nothing)


def _few(needs: Collection[Need]) -> Iterator[frozenset[Need]]:
    """Every one of the needs, then every two of them."""
    for count in (1, 2):
        yield from map(frozenset, combinations(sorted(needs, key=lambda need: need.name), count))


def _others(subject: Subject) -> Mapping[Need, Subject]:
    """The same subject with another image, with another target class, and without labelled images."""
    inverted = Pass(subject.model, read_only(1 - subject.image))
    return {
        Need.IMAGE: replace(subject, forward=inverted, label=1),
        Need.TARGET: replace(subject, target=2),
        Need.DATASET: replace(subject, dataset=None),
    }


def _variants(controls: Sequence[Control]) -> Iterator[Mapping[str, Any]]:
    """The defaults, then each setting at each of its ends and options, the others as they are."""
    yield NOTHING_SET
    for control in controls:
        for value in _extremes(control):
            if value != control.default:
                yield {control.name: value}


def _extremes(control: Control) -> Sequence[Any]:
    if control.range:
        bounds = [bound for bound in (control.range.low, control.range.high) if isfinite(bound)]
        return [control.type(bound) for bound in bounds]
    ends: Mapping[str, Sequence[Any]] = {
        "switch": (False, True),
        "dropdown": control.options,
        "number": (control.type(0), control.type(-1)),
        "text": ("", "½ <b>&"),
    }
    return ends[control.kind]


def _figure(drawn: object) -> Figure:
    """What was returned, or the last of what was yielded."""
    if isinstance(drawn, Figure):
        return drawn
    if not isinstance(drawn, Iterator):
        raise Fault(f"It returns {_article(drawn)}; return a plotly Figure, or yield Frame(figure, share).")
    last, share, end = None, 0.0, time.monotonic() + LONGEST
    for frame in drawn:
        if not isinstance(frame, Frame):
            raise Fault(f"It yields {_article(frame)}; yield Frame(figure, share).")
        if not share <= frame.share <= 1:
            raise Fault(f"A frame's share grows from 0 to 1. Received: {frame.share:.3g} after {share:.3g}")
        if time.monotonic() > end:
            raise Fault(
                f"After {LONGEST:.0f} s on a tiny network it has not come to an end; do less, or offer a setting."
            )
        last, share = frame.figure or last, frame.share
    if last is None:
        raise Fault("It yields no figure; the last frame should hold one.")
    if not isinstance(last, Figure):
        raise Fault(f"The figure of a frame is {_article(last)}; it should be a plotly Figure.")
    return last


def _valid(figure: Figure) -> str:
    """The figure as JSON text, if Plotly takes it."""
    try:
        Figure(figure.to_dict())
        return str(figure.to_json())
    except (ValueError, TypeError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise Fault(f"Plotly refuses its figure: {' '.join(lines[:3])}") from error


def _failed(error: Exception, entry: Visualizer, settings: Mapping[str, Any]) -> Fault:
    code = getattr(unwrap(entry.draw), "__code__", None)
    reason = reason_of(error, Path(code.co_filename) if code else None)
    if isinstance(error, ValueError) and "read-only" in str(error):
        return Fault(f"It writes into an array that it is given; work on a copy: array.copy(). ({reason})")
    endless = [each for each in entry.controls if each.name in settings and each.kind == "number"]
    bound = f"; bound {endless[0].name}: Annotated[{endless[0].type.__name__}, Range(low, high)]" if endless else ""
    return Fault(f"It fails: {reason}{bound}")


def _fingerprint(subject: Subject) -> tuple[bytes, ...]:
    """The bytes that the visualizer is given; a write around the read-only flag shows in them."""
    arrays: list[NDArray[Any]] = [] if subject.forward is None else [subject.image, *subject.activations.values()]
    arrays += [] if subject.dataset is None else [subject.dataset.images, subject.dataset.labels]
    weights = [array for layer in subject.model.layers for array in subject.model.weights(layer.name).values()]
    return tuple(array.tobytes() for array in [*arrays, *weights])


def _article(value: object) -> str:
    return "nothing" if value is None else f"an object of type {type(value).__name__}"
