"""What a unit looks for: an image that excites it, made from nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from plotly.graph_objects import Figure

from ..backends.base import Array, Capability, Model, Target
from .contract import Frame, Need, Subject, visualizer
from .controls import Help, Range
from .maximisation import Climb, maximised, starting_image
from .pictures import Sheet
from .words import joined, short

MOST_STEPS_A_FRAME = 10
WORK_A_FRAME = 300_000_000
"""Multiply-adds of forward passes between two frames, about a tenth of a second with the way back."""


@dataclass(frozen=True)
class FeatureVisualisationSettings:
    steps: Annotated[int, Range(10, 500), Help("One backward pass each.")] = 200
    step_size: Annotated[float, Range(0.005, 0.2, 0.005), Help("How far a pixel may move in one step.")] = 0.05
    total_variation_weight: Annotated[float, Range(0, 2, 0.05), Help("Against differences between neighbours.")] = 0.2
    l2_weight: Annotated[float, Range(0, 2, 0.05), Help("Towards an empty image.")] = 0.2
    blur_every: Annotated[int, Range(0, 50), Help("Steps from one blur to the next; 0 never blurs.")] = 20
    jitter: Annotated[int, Range(0, 8), Help("Pixels by which the image is shifted at random in each step.")] = 1
    start: Annotated[Literal["grey", "noise"], Help("What the climb begins with.")] = "grey"
    seed: Annotated[int, Range(0, 100), Help("Another one gives other noise and other shifts.")] = 0


@visualizer(title="Feature visualisation", needs={Need.LAYER, Need.UNIT}, capabilities={Capability.GRADIENTS})
def feature_visualisation(subject: Subject, settings: FeatureVisualisationSettings) -> Iterator[Frame]:
    """What the chosen unit looks for: an image that excites it more and more, made from nothing.

    Every pixel is moved again and again in the direction that makes the unit answer more strongly. Early layers ask for
    lines and edges, units of the last layers for pieces of digits. What you see need not look like anything that was
    ever drawn: the network has never been asked to refuse it. The penalties, the blur and the shifts keep the image
    from ending as noise; set them to 0 to see how much the unit likes noise.

    The image has shape (height, width, channels) in [0, 1], with one tile for each channel. What is climbed is the
    unit's activation, its mean over all positions where it has height and width; as long as a relu is silent, it is
    what enters it. Activation maximisation: Erhan et al. 2009, "Visualizing Higher-Layer Features of a Deep Network";
    the regularisers: Mahendran and Vedaldi 2015, Yosinski et al. 2015, and Olah et al. 2017, "Feature Visualization".
    """
    assert subject.unit is not None
    model, target = subject.model, Target(subject.chosen.name, subject.unit)
    image = starting_image(model, settings.start == "noise", settings.seed)
    yield Frame(_drawn(subject, target, image, f"step 0 of {settings.steps}"), 0.0)
    every = steps_per_frame(model)
    images = maximised(model, target, image, _climb(settings), settings.seed, subject.edits)
    for step, image in enumerate(images, 1):
        if step % every == 0 or step == settings.steps:
            yield Frame(_drawn(subject, target, image, f"step {step} of {settings.steps}"), step / settings.steps)


def steps_per_frame(model: Model) -> int:
    """As many steps as a small model takes while nobody notices; one where a step takes long."""
    work = sum(layer.multiply_adds for layer in model.layers)
    return max(1, min(MOST_STEPS_A_FRAME, WORK_A_FRAME // (3 * max(1, work))))


def _climb(settings: FeatureVisualisationSettings) -> Climb:
    return Climb(
        steps=settings.steps,
        step_size=settings.step_size,
        total_variation=settings.total_variation_weight,
        l2=settings.l2_weight,
        blur_every=settings.blur_every,
        jitter=settings.jitter,
    )


def _drawn(subject: Subject, target: Target, image: Array, progress: str) -> Figure:
    found = subject.model.trace(image[None], [target.layer], subject.edits)[target.layer][0]
    reached = float(found[..., target.unit].mean())
    height, width, channels = image.shape
    return Sheet(channels, height, width).figure(
        image.transpose(2, 0, 1),
        revision=f"{target.layer} {target.unit}",
        note=joined(f"{target.layer}, unit {target.unit}", progress, f"activation {short(reached)}"),
    )
