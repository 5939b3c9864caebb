"""Which pixels speak for a class, from gradients in the image."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from plotly.graph_objects import Figure

from ..backends.base import Array, Capability
from .attribution import (
    Fill,
    Integrated,
    Question,
    baseline,
    gradient,
    gradient_times_input,
    guided_gradient,
    integrated_gradients,
    question_of,
    smooth_gradient,
    why_not_guided,
)
from .contract import Frame, Need, Subject, visualizer
from .controls import Help, Range
from .overlays import overlay
from .perturbation import Progress
from .trust_line import trust_line
from .words import joined, short


@dataclass(frozen=True)
class GradientMapSettings:
    method: Annotated[
        Literal["gradient", "gradient × input", "integrated gradients", "SmoothGrad", "guided backpropagation"],
        Help("Gradient: what a little more ink would do; the others say what the ink there is does."),
    ] = "integrated gradients"
    baseline: Annotated[Fill, Help("Integrated gradients: the empty image to start from.")] = "black"
    steps: Annotated[int, Range(2, 64), Help("Integrated gradients: points on the way from it to the image.")] = 16
    noise: Annotated[float, Range(0.0, 0.5, 0.05), Help("SmoothGrad: noise, as a share of the image's range.")] = 0.15
    samples: Annotated[int, Range(1, 64), Help("SmoothGrad: noisy copies of the image.")] = 16


def trusted(subject: Subject, settings: GradientMapSettings) -> Iterator[Frame]:
    """How far to trust the map, beside it."""
    question = question_of(subject)
    if settings.method == "guided backpropagation" and (reason := why_not_guided(question.model)):
        yield Frame(None, 1.0, f"– nothing to test: {reason}")
        return

    def asked(each: Question) -> Iterator[Progress]:
        yield Progress(_explained(each, settings)[0].sum(axis=2), 1.0)

    yield from trust_line(question, settings.method, settings.baseline, asked)


@visualizer(
    title="Gradient map",
    needs={Need.IMAGE, Need.TARGET},
    capabilities={Capability.GRADIENTS, Capability.LOGITS},
    aside=trusted,
)
def gradient_map(subject: Subject, settings: GradientMapSettings) -> Figure:
    """Red pixels speak for the class and blue ones against it; the dark line is the outline of what you drew.

    Five ways to ask. The **gradient** tells how the score of the class would move if a pixel became a little brighter,
    also where there is no ink. **Gradient × input** counts only ink that is there. **Integrated gradients** adds up
    gradients on the way from an empty image to yours, so that all pixels together make up the whole difference in
    score; the line below says how nearly they do, and more steps close the gap. **SmoothGrad** averages the gradient
    over noisy copies, because it changes wildly from one image to the next. **Guided backpropagation** follows at each
    relu only what pushes upwards, which gives sharp maps for every class alike: they show edges that the network
    sees, and say little about the class. Where the five disagree, believe none of them blindly: the line below the map
    says what "How far to trust it" finds of this very map.

    The map has shape (height, width), summed over the channels of the image; the score is the class's logit. Simonyan
    et al. 2014; Shrikumar et al. 2016; Sundararajan et al. 2017; Smilkov et al. 2017; Springenberg et al. 2015.
    """
    question = question_of(subject)
    attribution, remark = _explained(question, settings)
    return overlay(
        attribution.sum(axis=2),
        question.image,
        words="guided gradient" if settings.method == "guided backpropagation" else settings.method,
        note=joined(f"class {subject.model.classes[question.target]}", remark),
    )


def _explained(question: Question, settings: GradientMapSettings) -> tuple[Array, str]:
    match settings.method:
        case "gradient":
            return gradient(question), "change of score for a little more ink"
        case "gradient × input":
            return gradient_times_input(question), ""
        case "integrated gradients":
            found = integrated_gradients(question, baseline(question.image, settings.baseline), settings.steps)
            return found.attribution, _completeness(found)
        case "SmoothGrad":
            return smooth_gradient(question, settings.noise, settings.samples), f"mean of {settings.samples} gradients"
        case "guided backpropagation":
            reason = why_not_guided(question.model)
            return (np.zeros_like(question.image), reason) if reason else (guided_gradient(question), "")


def _completeness(found: Integrated) -> str:
    """`sum 12.1 of 12, gap 1 %`."""
    words = f"sum {short(found.change + found.gap)} of {short(found.change)}"
    return f"{words}, gap {100 * abs(found.gap / found.change):.1f} %" if found.change else words
