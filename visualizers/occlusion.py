"""What happens to a class when parts of the image are covered."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from ..backends.base import Capability
from . import perturbation
from .attribution import Fill, Question, baseline, question_of
from .contract import Frame, Need, Subject, visualizer
from .controls import Help, Range
from .overlays import overlay
from .trust_line import trust_line


@dataclass(frozen=True)
class OcclusionSettings:
    method: Annotated[
        Literal["occlusion", "RISE"], Help("One square after the other, or many random masks at once.")
    ] = "occlusion"
    window: Annotated[int, Range(1, 32), Help("Occlusion: side of the square, in pixels.")] = 5
    stride: Annotated[int, Range(1, 16), Help("Occlusion: pixels from one square to the next.")] = 1
    masks: Annotated[int, Range(100, 4000, 100), Help("RISE: random masks.")] = 1000
    cells: Annotated[int, Range(2, 16), Help("RISE: cells of a mask along each side.")] = 7
    fill: Annotated[Fill, Help("What covers the image.")] = "black"


def trusted(subject: Subject, settings: OcclusionSettings) -> Iterator[Frame]:
    """How far to trust the map, beside it."""
    yield from trust_line(
        question_of(subject), settings.method, settings.fill, lambda question: _progress(question, settings)
    )


@visualizer(
    title="Occlusion",
    needs={Need.IMAGE, Need.TARGET},
    capabilities={Capability.LOGITS},
    aside=trusted,
)
def occlusion(subject: Subject, settings: OcclusionSettings) -> Iterator[Frame]:
    """Red parts are those the class is lost without: each is covered in turn, and the network has to answer again.

    This asks the network itself and uses no gradients, so it holds for any network, but it takes hundreds of passes.
    **Occlusion** moves a covering square over the image and notes how much the score of the class falls; blue means
    that it rises. **RISE** shows the image through many random masks and asks which pixels were visible when the score
    was high. Cover with what means "nothing": black for a white digit on black. A larger square finds larger parts.
    The line below the map says what "How far to trust it" finds of this very map.

    The map has shape (height, width); the score is the class's logit. Zeiler and Fergus 2014; Petsiuk et al. 2018.
    """
    question = question_of(subject)
    name = subject.model.classes[question.target]
    for progress in _progress(question, settings):
        drawn = overlay(progress.attribution, question.image, words=settings.method, note=f"class {name}")
        yield Frame(drawn, progress.share)


def _progress(question: Question, settings: OcclusionSettings) -> Iterator[perturbation.Progress]:
    start = baseline(question.image, settings.fill)
    if settings.method == "RISE":
        return perturbation.rise(question, start, settings.masks, settings.cells)
    return perturbation.occlusion(question, start, settings.window, settings.stride)
