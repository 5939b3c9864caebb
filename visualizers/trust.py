"""How far an explanation can be trusted: what the network says to it, and what other methods say."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..backends.base import Array, Capability
from .attribution import Fill, Question, question_of, why_not_guided
from .contract import Frame, Need, Subject, visualizer
from .controls import Help, Range
from .faithfulness import RANDOM_ORDERS, Method, agreement, attributions, curves, faithfulness, likeness, methods_for
from .forgetting import forgetting, stages_of, why_not_forgetting
from .perturbation import Curve
from .trust_figure import Findings, findings_figure, withheld


@dataclass(frozen=True)
class TrustSettings:
    method: Annotated[Method, Help("The explanation to test; Grad-CAM is that of the last layer with maps.")] = (
        "integrated gradients"
    )
    fill: Annotated[Fill, Help("What stands for an empty image, in all methods and in the test.")] = "black"
    portions: Annotated[int, Range(4, 100), Help("Portions in which pixels are covered and uncovered.")] = 28


@dataclass
class _Count:
    """Parts of the work: how many there are, and how many are done."""

    parts: int
    done: int = 0

    def share(self, within: float) -> float:
        """Of the whole, when so much of the next part is done."""
        return min(1.0, (self.done + within) / self.parts)


@visualizer(
    title="How far to trust it",
    needs={Need.IMAGE, Need.TARGET},
    capabilities={Capability.GRADIENTS, Capability.LOGITS},
    wide=True,
)
def trust(subject: Subject, settings: TrustSettings) -> Iterator[Frame]:
    """An explanation may look convincing and be wrong, so the network is asked, and other methods are compared.

    **Deletion** covers the pixels that the explanation holds most important first: if it is right, the probability of
    the class falls at once, and the area under the curve is small. **Insertion** starts from an empty image and
    uncovers them first: the area should be large. Dotted lines are pixels in random order; an explanation that is no
    better than those explains nothing. **Shuffled weights** lets the network forget what it has learnt, layer by layer
    from the last, and draws the map again each time: a map that stays the same when the network has learnt nothing
    explains nothing, however sharp it looks. **Agreement** compares the order of pixels with that of other methods: 1
    is the same order, 0 none. Methods that agree can still be wrong together.

    Beside a map the same is said in one line, with a verdict: **good** where deletion lies below that of a random
    order, insertion above it, and the likeness with shuffled weights below 0.4; **doubtful** where one of these fails;
    **partly tested** where none fails, but the network cannot be given other weights.

    Curves have shape (portions + 1,). Areas: Petsiuk et al. 2018, from a plain image instead of a blurred one.
    Agreement and likeness: Spearman's rank correlation of absolute values, as in Adebayo et al. 2018, "Sanity Checks
    for Saliency Maps"; the likeness leaves out pixels of which neither map says anything, such as an empty background.
    """
    question, method, fill = question_of(subject), settings.method, settings.fill
    if method == "guided backpropagation" and (reason := why_not_guided(question.model)):
        yield Frame(withheld(method, reason), 1.0)
        return
    others = [each for each in methods_for(question.model) if each != method]
    found = Findings(others, stages_of(question.model), why_not_forgetting(question.model))
    count = _Count(2 + len(others) + len(found.stages))
    attribution = yield from _asked(question, settings.method, fill, count)
    measured: list[Curve] = []
    for curve in curves(question, attribution, fill, settings.portions):
        measured.append(curve)
        yield Frame(None, count.share(len(measured) / (2 + 2 * RANDOM_ORDERS)))
    found.tested = faithfulness(measured)
    count.done += 1
    yield Frame(findings_figure(found), count.share(0))
    if found.stages:
        for forgetful in forgetting(question):
            other = yield from _asked(forgetful, method, fill, count)
            found.likenesses.append(likeness(attribution, other))
            yield Frame(findings_figure(found), count.share(0))
    for each in others:
        other = yield from _asked(question, each, fill, count)
        found.agreements[each] = agreement(attribution, other)
        yield Frame(findings_figure(found), count.share(0))


def _asked(question: Question, method: Method, fill: Fill, count: _Count) -> Generator[Frame, None, Array]:
    """A method's attribution `(height, width)`, which is one part of the work."""
    attribution = np.zeros(0, np.float32)
    for progress in attributions(question, method, fill):
        attribution = progress.attribution
        yield Frame(None, count.share(progress.share))
    count.done += 1
    return attribution
