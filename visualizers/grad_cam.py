"""Where a layer finds what speaks for a class."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from plotly.graph_objects import Figure

from ..backends.base import Array, Capability
from ..drawing.resample import resized
from . import attribution
from .contract import Frame, Need, Subject, is_spatial, visualizer
from .controls import Help
from .overlays import overlay
from .perturbation import Progress
from .trust_line import trust_line
from .words import joined, shape_words


@dataclass(frozen=True)
class GradCamSettings:
    method: Annotated[
        Literal["Grad-CAM", "Grad-CAM++"],
        Help("The second finds several places better; it is for layers behind a ReLU."),
    ] = "Grad-CAM"
    against: Annotated[bool, Help("Show what speaks against the class too.")] = False


def trusted(subject: Subject, settings: GradCamSettings) -> Iterator[Frame]:
    """How far to trust the map, beside it."""
    layer = subject.chosen.name

    def asked(each: attribution.Question) -> Iterator[Progress]:
        yield Progress(resized(_found(each, layer, settings), *each.image.shape[:2]), 1.0)

    yield from trust_line(attribution.question_of(subject), "Grad-CAM", "black", asked)


def _found(question: attribution.Question, layer: str, settings: GradCamSettings) -> Array:
    """`(height, width)` of the layer."""
    return attribution.grad_cam(question, layer, settings.method == "Grad-CAM++", settings.against)


@visualizer(
    title="Grad-CAM",
    needs={Need.IMAGE, Need.LAYER, Need.TARGET},
    applies_to=is_spatial,
    capabilities={Capability.GRADIENTS, Capability.LOGITS},
    aside=trusted,
)
def grad_cam(subject: Subject, settings: GradCamSettings) -> Figure:
    """The redder a place, the more this layer found there that speaks for the class; the line is your drawing.

    Each feature map of the layer is weighed by how much it moves the score of the class, and the weighted maps are
    added up. In a late layer the result is coarse but means something; in an early one it is fine but mostly shows
    edges. Compare layers, and compare the predicted class with the runner-up. The line below the map says what "How far
    to trust it" finds of this very map, with black for an empty image.

    The map has the layer's (height, width) and is brought to that of the image bilinearly. Selvaraju et al. 2017,
    "Grad-CAM"; Chattopadhay et al. 2018, "Grad-CAM++".
    """
    question = attribution.question_of(subject)
    found = _found(question, subject.chosen.name, settings)
    return overlay(
        resized(found, *question.image.shape[:2]),
        question.image,
        words=settings.method,
        note=joined(
            f"class {subject.model.classes[question.target]}",
            f"from {shape_words(found.shape)}",
            "nothing here speaks for it" if not (settings.against or found.any()) else "",
        ),
        signed=settings.against,
    )
