"""The weights of a convolution or a dense layer, as pictures."""

from dataclasses import dataclass
from math import prod
from typing import Annotated

from plotly.graph_objects import Figure

from ..backends.base import Array, Model
from ..models.layers import LayerInfo, Shape
from .contract import Need, Subject, has_kernel, visualizer
from .controls import Help, Range
from .figures import MOST_VALUES, mosaic
from .words import joined, part

PASSED_ON = {"flatten", "dropout", "activation", "batchnorm"}


@dataclass(frozen=True)
class FilterSettings:
    input_channel: Annotated[int, Range(0, 511), Help("Which input channel; the last if beyond.")] = 0
    average_inputs: Annotated[bool, Help("The mean over all input channels instead of one.")] = False
    units: Annotated[int, Range(1, 1024), Help("How many units at most.")] = 64
    columns: Annotated[int, Range(0, 32), Help("Tiles in a row; 0 chooses.")] = 0
    shared_scale: Annotated[bool, Help("One colour scale for all tiles; off, one for each.")] = True


@visualizer(title="Filters", needs={Need.LAYER}, applies_to=has_kernel, follows_pen=False)
def filters(subject: Subject, settings: FilterSettings) -> Figure:
    """Each tile is the pattern that one unit looks for: red where it wants ink, blue where it wants none.

    A filter with a red and a blue side is an edge detector; find the feature map with the same number and see it light
    up along such edges. The units of a dense layer behind an image show what they want at every place of it. Deeper
    layers read many channels: step through them, or average them.

    Kernels have shape (height, width, in, out); there is one tile of height × width for each output. Dense weights have
    shape (in, out); where the input was an image or a stack of maps, each unit's weights are put back into its shape,
    otherwise they stay a table with a column for each unit. First shown by Krizhevsky et al. 2012, figure 3.
    """
    layer = subject.chosen
    kernel = kernel_of(subject.model, layer)
    source = source_shape(subject.model, layer) if kernel.ndim == 2 else None
    if kernel.ndim == 2 and source is None:
        return _table(kernel, layer, subject.unit, settings)
    stack = kernel.reshape(*source, kernel.shape[1]) if source else kernel
    height, width, channels, units = stack.shape
    channel = min(settings.input_channel, channels - 1)
    shown = min(units, settings.units, max(1, MOST_VALUES // (height * width)))
    kept = stack[..., :shown]
    return mosaic(
        (kept.mean(axis=2) if settings.average_inputs else kept[:, :, channel]).transpose(2, 0, 1),
        layer=layer.name,
        quantity="weight",
        columns=settings.columns,
        shared_scale=settings.shared_scale,
        unit=subject.unit,
        note=joined(part(shown, units), _channel_words(settings, channels)),
    )


def kernel_of(model: Model, layer: LayerInfo) -> Array:
    """The layer's kernel: `(height, width, in, out)` or `(in, out)`.

    Raises:
        LookupError: the model does not hand it out, or it has another number of axes.
    """
    kernel = model.weights(layer.name).get("kernel")
    if kernel is None:
        raise LookupError(f"{model.name} does not hand out the weights of {layer.name}.")
    if kernel.ndim not in (2, 4):
        raise LookupError(f"Only two-dimensional convolutions and dense layers can be shown. Received: {kernel.shape}")
    return kernel


def source_shape(model: Model, layer: LayerInfo) -> Shape | None:
    """`(height, width, channels)` of the image or maps that a dense layer reads flattened; None when it reads units."""
    read = layer
    while len(read.inputs) == 1:
        read = model.layer(read.inputs[0])
        if read.is_spatial:
            return read.output_shape if (prod(read.output_shape),) == layer.weight_shapes["kernel"][:1] else None
        if read.kind not in PASSED_ON:
            return None
    return None


def _table(kernel: Array, layer: LayerInfo, unit: int | None, settings: FilterSettings) -> Figure:
    inputs, units = kernel.shape
    shown = min(units, settings.units, max(1, MOST_VALUES // inputs))
    return mosaic(
        kernel.T[:shown, :, None],
        layer=layer.name,
        quantity="weight",
        columns=shown,
        gap=0,
        shared_scale=settings.shared_scale,
        unit=unit,
        note=joined(f"a column for each unit, a row for each of {inputs:,} inputs", part(shown, units)),
        equal_aspect=False,
    )


def _channel_words(settings: FilterSettings, channels: int) -> str:
    if channels == 1:
        return ""
    if settings.average_inputs:
        return f"mean over {channels} input channels"
    if settings.input_channel >= channels:
        return f"input channel {channels - 1}, the last (there is no {settings.input_channel})"
    return f"input channel {settings.input_channel} of 0–{channels - 1}"
