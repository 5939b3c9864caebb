"""Beside a map, in one line, how far to trust it: what the view "How far to trust it" finds, for the very map shown."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from math import isnan

import numpy as np

from ..backends.base import Array, Capability
from .attribution import Fill, Question
from .contract import Frame
from .faithfulness import (
    RANDOM_ORDERS,
    Faithfulness,
    Method,
    agreement,
    attributions,
    curves,
    faithfulness,
    likeness,
    methods_for,
)
from .forgetting import forgetting, stages_of, why_not_forgetting
from .perturbation import Curve, Progress
from .trust_figure import CHANGED

PORTIONS = 28
WITHOUT_GRADIENTS = frozenset({"occlusion", "RISE"})
WORKING = "checking how far to trust it…"

Asked = Callable[[Question], Iterator[Progress]]
"""Draws a map `(height, width)` for a question, as it comes."""


@dataclass
class _Found:
    """What is known of one map; an agreement or a likeness that is None could not be measured.

    Attributes:
        tested: the curves.
        likeness: with the map of the network that has forgotten everything; not a number where that map is empty.
        why_not: why that could not be drawn.
        agreements: with other methods; not a number where their map is empty.
    """

    tested: Faithfulness
    likeness: float | None = None
    why_not: str = ""
    agreements: list[float] = field(default_factory=list)

    @property
    def agreement(self) -> float | None:
        known = [each for each in self.agreements if not isnan(each)]
        return float(np.mean(known)) if known else None


class _Share:
    """Of the work: parts that are done, and how much of the next."""

    def __init__(self, parts: int) -> None:
        self.parts, self.done = parts, 0

    def frame(self, within: float = 0.0) -> Frame:
        return Frame(None, min(1.0, (self.done + within) / self.parts), WORKING)


def trust_line(question: Question, method: str, fill: Fill, asked: Asked) -> Iterator[Frame]:
    """Tests the map that is shown, and says in the end what came of it.

    The verdict is *good* where deletion lies below that of a random order, insertion above it, and the map changes when
    all weights are shuffled (likeness below 0.4, or nothing left of it); *doubtful* where one of these fails; *partly
    tested* where none fails but weights cannot be shuffled. Agreement is told and decides nothing: methods that agree
    can be wrong together. It is the mean over the methods of `faithfulness.METHODS`, without RISE, which takes longest.

    Args:
        question: what the map explains.
        method: what the map is called among `faithfulness.METHODS`; it is not compared with itself.
        fill: what stands for an empty image in the test and in the other methods.
        asked: draws the map for a question, just as it is shown.
    """
    others, stages = _others(question, method), stages_of(question.model)
    share = _Share(2 + len(others) + len(stages) + bool(stages))
    attribution = yield from _last(asked(question), share)
    if not np.ptp(attribution):
        yield Frame(None, 1.0, "– nothing to test: the map is the same everywhere")
        return
    measured: list[Curve] = []
    for curve in curves(question, attribution, fill, PORTIONS):
        measured.append(curve)
        yield share.frame(len(measured) / (2 + 2 * RANDOM_ORDERS))
    share.done += 1
    found = _Found(faithfulness(measured), why_not=why_not_forgetting(question.model))
    if not found.why_not:
        found.likeness = likeness(attribution, (yield from _forgotten(question, asked, share)))
    for each in others:
        other = yield from _last(attributions(question, each, fill), share)
        found.agreements.append(agreement(attribution, other))
    yield Frame(None, 1.0, _line(found))


def _others(question: Question, method: str) -> list[Method]:
    """Methods to compare with; those that need gradients only where there are any."""
    gradients = Capability.GRADIENTS in question.model.capabilities
    able = [each for each in methods_for(question.model) if gradients or each in WITHOUT_GRADIENTS]
    return [each for each in able if each not in (method, "RISE")]


def _last(progress: Iterator[Progress], share: _Share) -> Generator[Frame, None, Array]:
    """The whole map, which is one part of the work."""
    attribution = np.zeros((1, 1), np.float32)
    for each in progress:
        attribution = each.attribution
        yield share.frame(each.share)
    share.done += 1
    return attribution


def _forgotten(question: Question, asked: Asked, share: _Share) -> Generator[Frame, None, Array]:
    """The map once all weights are shuffled."""
    for stage in forgetting(question):
        question = stage
        share.done += 1
        yield share.frame()
    return (yield from _last(asked(question), share))


def _line(found: _Found) -> str:
    """What stands in the panel, and below it what its tooltip adds."""
    tested, doubts = found.tested, _doubts(found)
    untested = "– trust: partly tested" if found.likeness is None else "✓ trust: good"
    parts = [
        "✗ trust: doubtful" if doubts else untested,
        f"deletion {tested.deletion.area:.2f} (random {tested.random_deletion.area:.2f})",
        f"insertion {tested.insertion.area:.2f} (random {tested.random_insertion.area:.2f})",
        f"agreement {_number(found.agreement, 'untested')}",
        f"random weights {_number(found.likeness, 'untested')}",
    ]
    return "\n".join([" · ".join(parts), *doubts, *_explained(found)])


def _doubts(found: _Found) -> list[str]:
    """Each test that the map fails, in words."""
    tested = found.tested
    doubts = {
        "Doubtful: covering its pixels first costs no more than covering random ones.": (
            tested.deletion.area >= tested.random_deletion.area
        ),
        "Doubtful: showing its pixels first gains no more than showing random ones.": (
            tested.insertion.area <= tested.random_insertion.area
        ),
        "Doubtful: much of it stays when the network has forgotten everything.": (found.likeness or 0) >= CHANGED,
    }
    return [words for words, holds in doubts.items() if holds]


def _explained(found: _Found) -> list[str]:
    forgotten = found.why_not or f"good below {CHANGED}; “empty” means that nothing of the map is left"
    compared = "1 is the same order of pixels, 0 none; it does not count for the verdict"
    compared = compared if found.agreements else "the network has no gradients to compare with"
    return [
        "Deletion: area under the probability while its pixels are covered; lower is better, and below random.",
        "Insertion: area under the probability while its pixels are shown; higher is better, and above random.",
        f"Agreement with other methods, on average: {compared}.",
        f"Random weights: likeness with the map of a network whose weights are shuffled; {forgotten}.",
    ]


def _number(value: float | None, otherwise: str) -> str:
    if value is None:
        return otherwise
    return "empty" if isnan(value) else f"{value:.2f}".replace("-", "−")
