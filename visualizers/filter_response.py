"""What the kernels of a convolution make of its input, before bias and activation function."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from plotly.graph_objects import Figure

from ..backends.base import Array, Capability, read_only
from .contract import Condition, Need, Subject, visualizer
from .controls import Help, Range
from .figures import MOST_VALUES, mosaic
from .words import part

is_convolution = Condition(lambda layer: layer.kind == "conv2d" and layer.is_spatial, "a convolution")


@dataclass(frozen=True)
class FilterResponseSettings:
    columns: Annotated[int, Range(0, 32), Help("Tiles in a row; 0 chooses.")] = 0
    shared_scale: Annotated[bool, Help("One colour scale for all tiles; off, one for each.")] = True


@visualizer(
    title="Filter response",
    needs={Need.IMAGE, Need.LAYER},
    applies_to=is_convolution,
    capabilities={Capability.WEIGHTS},
)
def filter_response(subject: Subject, settings: FilterResponseSettings) -> Figure:
    """What each kernel alone makes of what it is laid over: red where it matches, blue where it finds the opposite.

    Put it beside the filters and the feature maps: the kernel is the question, this is the answer, and bias and
    activation function decide how much of it the next layer hears. An edge detector answers red on one side of a stroke
    and blue on the other; a relu after it keeps the red side only.

    The response has shape (height, width, channels), one tile for each channel: the activation of the convolution minus
    the bias of each channel.
    """
    response = response_of(subject)
    height, width, channels = response.shape
    shown = min(channels, max(1, MOST_VALUES // (height * width)))
    return mosaic(
        response.transpose(2, 0, 1)[:shown],
        layer=subject.chosen.name,
        quantity="response",
        columns=settings.columns,
        shared_scale=settings.shared_scale,
        unit=subject.unit,
        note=part(shown, channels),
    )


def response_of(subject: Subject) -> Array:
    """`(height, width, channels)`: the selected convolution's activation without its bias.

    An edit of this layer multiplies what comes out of it, which is no longer what its kernels make; so the response is
    then computed without it.
    """
    name = subject.chosen.name
    elsewhere = tuple(edit for edit in subject.edits if edit.layer != name)
    activation = subject.activation
    if elsewhere != subject.edits:
        activation = subject.model.trace(subject.image[None], [name], edits=elsewhere)[name][0]
    return read_only(activation - subject.model.weights(name).get("bias", np.float32(0)))
