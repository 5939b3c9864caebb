"""One drawing of a visualizer, checked for what every drawing must be."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from inspect import signature, unwrap
from math import inf
from pathlib import Path
from types import MappingProxyType
from typing import Any

from numpy.typing import NDArray
from plotly.graph_objects import Figure

from ..backends.base import Edit, Model
from .contract import Frame, Subject, Visualizer
from .controls import build_settings
from .plugins import reason_of

NOTHING_SET: Mapping[str, Any] = MappingProxyType({})

LONGEST = 60.0
"""Seconds after which a view that gives one frame after the other should have come to an end here."""


class Fault(Exception):  # noqa: N818
    """A breach of the contract, in words."""


class Listening:
    """A model that notes which edits it was asked with.

    Attributes:
        passes: the edits of each pass that was asked for.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self.passes: list[Sequence[Edit]] = []

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._model, name)
        return self._noting(found) if name in {"trace", "logits", "probabilities", "gradients"} else found

    def _noting(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*arguments: Any, **named: Any) -> Any:
            self.passes.append(signature(method).bind(*arguments, **named).arguments.get("edits", ()))
            return method(*arguments, **named)

        return noted


def drawn(entry: Visualizer, subject: Subject, settings: Mapping[str, Any] = NOTHING_SET, patience: float = inf) -> str:
    """The figure as JSON text, the last one where there are several.

    Args:
        entry: the visualizer.
        subject: what it is drawn for.
        settings: the values of those settings that are not to keep their defaults.
        patience: seconds after which a view that gives one frame after the other is left, once it has given a figure.

    Raises:
        Fault: it fails, or gives no figure that Plotly takes, or changes what it was given.
    """
    before = _fingerprint(subject)
    try:
        figure = _figure(entry.draw(subject, build_settings(entry.settings, settings)), patience)
    except Fault:
        raise
    except Exception as error:
        raise _failed(error, entry, settings) from error
    if _fingerprint(subject) != before:
        raise Fault("It changes the arrays that it is given; work on a copy: array.copy().")
    return _valid(figure)


def said(entry: Visualizer, subject: Subject) -> str:
    """What the aside of a visualizer says in the end, with default settings; nothing where it has none.

    Raises:
        Fault: it fails, or says nothing, or changes what it was given.
    """
    if entry.aside is None:
        return ""
    before, words = _fingerprint(subject), ""
    try:
        for frame in _frames(entry.aside(subject, build_settings(entry.settings, NOTHING_SET))):
            words = frame.words
            if frame.figure is not None:
                raise Fault("Its aside yields a figure; an aside yields Frame(None, share, words).")
    except Fault:
        raise
    except Exception as error:
        raise _failed(error, entry, NOTHING_SET) from error
    if _fingerprint(subject) != before:
        raise Fault("Its aside changes the arrays that it is given; work on a copy: array.copy().")
    if not words.strip():
        raise Fault("Its aside says nothing in the end; the last frame should hold words.")
    return words


def _figure(drawn: object, patience: float) -> Figure:
    """What was returned, or the last of what was yielded."""
    if isinstance(drawn, Figure):
        return drawn
    if not isinstance(drawn, Iterator):
        raise Fault(f"It returns {_article(drawn)}; return a plotly Figure, or yield Frame(figure, share).")
    last, start = None, time.monotonic()
    for frame in _frames(drawn):
        last = frame.figure or last
        if last is not None and time.monotonic() - start > patience:
            break
    if last is None:
        raise Fault("It yields no figure; the last frame should hold one.")
    if not isinstance(last, Figure):
        raise Fault(f"The figure of a frame is {_article(last)}; it should be a plotly Figure.")
    return last


def _frames(given: Iterator[object]) -> Iterator[Frame]:
    """What is yielded, each checked for what every frame must be."""
    share, start = 0.0, time.monotonic()
    for frame in given:
        if not isinstance(frame, Frame):
            raise Fault(f"It yields {_article(frame)}; yield Frame(figure, share).")
        if not share <= frame.share <= 1:
            raise Fault(f"A frame's share grows from 0 to 1. Received: {frame.share:.3g} after {share:.3g}")
        if time.monotonic() - start > LONGEST:
            raise Fault(
                f"After {LONGEST:.0f} s on a tiny network it has not come to an end; do less, or offer a setting."
            )
        share = frame.share
        yield frame


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
    passes = [each for each in (subject.forward, subject.second_image, subject.second_forward) if each]
    arrays: list[NDArray[Any]] = [array for each in passes for array in (each.image, *each.activations.values())]
    arrays += [] if subject.dataset is None else [subject.dataset.images, subject.dataset.labels]
    arrays += [] if subject.run is None else [subject.run.steps, subject.run.losses, subject.run.accuracies]
    models = [each for each in (subject.model, subject.second_model) if each]
    weights = [array for model in models for layer in model.layers for array in model.weights(layer.name).values()]
    return tuple(array.tobytes() for array in [*arrays, *weights])


def _article(value: object) -> str:
    return "nothing" if value is None else f"an object of type {type(value).__name__}"
