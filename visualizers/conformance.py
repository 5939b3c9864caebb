"""Holds a visualizer against the contract on small random networks, and says what to change.

`check` draws it on every layer that it applies to, with every bound and option of its settings, with all that can be
chosen on the page and with nothing but what it declares.
"""

import time
import tracemalloc
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import inf, isfinite
from typing import Any, cast

from ..backends.base import Edit, Model, read_only
from .contract import Need, Pass, Subject, Visualizer
from .controls import Control
from .specimens import SPECIMENS, another_run, models, subjects, twin
from .verdict import NOTHING_SET, Fault, Listening, drawn, said

MOST_BYTES = 8_000_000
"""What one answer may weigh when its arrays are typed: more takes the browser seconds."""

PATIENCE = 2.0
"""Seconds after which the page stops a view that gives its figure at once."""


BEGINNING = 0.3
"""Seconds that are watched of a view that takes its time, except with its default settings on the first and last layer
that it applies to: there it is watched to its end."""


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
        for subject in subjects(entry, model):
            if entry.unmet(subject) is None:
                return subject
    raise LookupError(f"{entry.name} applies to no layer of {', '.join(each.name for each in SPECIMENS)}.")


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
        fitting = [each for each in subjects(self.entry, self.model) if self.entry.unmet(each) is None]
        if not fitting:
            return Measured(*place, note=f"no layer fits: it needs {self.entry.applies_to.reason}")
        self._check_ranges()
        for index, subject in enumerate(fitting):
            thorough = index in (0, len(fitting) - 1)
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
        spared = self.entry.on_request and (bool(settings) or not thorough)
        try:
            first = self._first(subject, settings, BEGINNING if spared else inf)
            if not spared:
                self._check_repeatable(subject, settings, first)
            if thorough:
                self._check_target(subject)
                self._check_twin(subject)
                self._check_declared(subject)
                self._check_followed(subject, first)
                self._check_edits(subject)
            if thorough and not settings:
                self._check_aside(subject)
        except Fault as fault:
            chosen = "".join(f", {name}={value!r}" for name, value in settings.items())
            layer = f", layer {subject.layer.name}" if subject.layer else ""
            self.faults.setdefault(str(fault), f"{self.model.name} on {self.model.backend}{layer}{chosen}")

    def _first(self, subject: Subject, settings: Mapping[str, Any], patience: float) -> str:
        """The figure as JSON text, measured."""
        text, seconds = self._timed(subject, settings, patience)
        if seconds > PATIENCE and not self.entry.on_request:  # a framework may have prepared itself the first time
            seconds = self._timed(subject, settings, patience)[1]
        self.seconds = max(self.seconds, seconds)
        if seconds > PATIENCE and not self.entry.on_request:
            raise Fault(
                f"It takes longer than {PATIENCE:g} s on a tiny network, and the page stops it then; make it a "
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

    def _timed(self, subject: Subject, settings: Mapping[str, Any], patience: float) -> tuple[str, float]:
        start = time.perf_counter()
        return drawn(self.entry, subject, settings, patience), time.perf_counter() - start

    def _draw(self, subject: Subject, settings: Mapping[str, Any] = NOTHING_SET) -> str:
        return drawn(self.entry, subject, settings)

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

    def _check_twin(self, subject: Subject) -> None:
        """That the second model may be a network of the same layers; the others that it is given have other ones."""
        if Need.SECOND_MODEL in self.entry.needs:
            other = twin(self.model)
            self._draw(replace(subject, second_model=other, second_forward=Pass(other, subject.image)))

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
        changes = {need: change for need, change in _others(subject).items() if need in self.undeclared}
        everything: dict[str, Any] = {name: value for change in changes.values() for name, value in change.items()}
        if self._draw(replace(subject, **everything)) == first:
            return
        for need, change in changes.items():
            if self._draw(replace(subject, **change)) != first:
                raise Fault(
                    f"Its figure depends on {need.value}: add Need.{need.name} to its needs, or the page does not draw "
                    "it again when that changes."
                )

    def _check_edits(self, subject: Subject) -> None:
        """That units which are muted stay so in the passes that it asks for itself."""
        listening = Listening(self.model)
        edits = (Edit(self.model.layers[0].name, 0),)
        forward = Pass(self.model, subject.image, edits)
        self._draw(replace(subject, model=cast(Model, listening), forward=forward, edits=edits))
        if listening.passes and not any(listening.passes):
            raise Fault(
                "It asks the model without the edits, so that muted units speak in it; pass them on: "
                "edits=subject.edits."
            )

    def _check_aside(self, subject: Subject) -> None:
        """That the words beside the figure come to an end, and need and follow no more than the figure."""
        words = said(self.entry, subject)
        try:
            alone = said(self.entry, _without(subject, self.undeclared))
        except Fault as fault:
            raise Fault(f"Its aside fails with nothing but what it has declared in its needs. ({fault})") from fault
        if alone != words:
            raise Fault("Its aside depends on more than it has declared: add it to its needs, or do without.")


FIELDS: Mapping[Need, tuple[str, ...]] = {
    Need.IMAGE: ("forward", "label", "second_forward"),
    Need.LAYER: ("layer", "unit", "position"),
    Need.UNIT: ("unit",),
    Need.POSITION: ("position",),
    Need.TARGET: ("target",),
    Need.DATASET: ("dataset",),
    Need.SECOND_IMAGE: ("second_image",),
    Need.SECOND_MODEL: ("second_model", "second_forward"),
    Need.RUN: ("run",),
}
"""What of a subject is not there when a need is not met."""


def _without(subject: Subject, needs: Iterable[Need]) -> Subject:
    nothing: dict[str, Any] = {field: None for need in needs for field in FIELDS[need]}
    return replace(subject, **nothing)


def _few(needs: Collection[Need]) -> Iterator[frozenset[Need]]:
    """Every one of the needs, then every two of them."""
    for count in (1, 2):
        yield from map(frozenset, combinations(sorted(needs, key=lambda need: need.name), count))


def _others(subject: Subject) -> Mapping[Need, Mapping[str, Any]]:
    """What the subject has otherwise when another image, another class and so on are chosen."""
    other = twin(subject.model)
    return {
        Need.IMAGE: {"forward": _inverted(subject.forward), "label": 1},
        Need.TARGET: {"target": 2},
        Need.DATASET: {"dataset": None},
        Need.SECOND_IMAGE: {"second_image": _inverted(subject.second_image)},
        Need.SECOND_MODEL: {"second_model": other, "second_forward": Pass(other, subject.image)},
        Need.RUN: {"run": another_run()},
    }


def _inverted(forward: Pass | None) -> Pass | None:
    return forward and Pass(forward.model, read_only(1 - forward.image), forward.edits)


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
