"""Which panels a page begins with."""

from collections.abc import Sequence

from ..models.layers import LayerInfo
from .state import Panel


def every_layer(layers: Sequence[LayerInfo]) -> tuple[Panel, ...]:
    """The selected layer's filters, every layer's activation in order, and the whole network from three sides.

    There is no prediction among them: the answer stands beside the drawing.
    """
    chosen: list[tuple[str, str | None]] = [("filters", None)]
    chosen += [("feature_maps" if layer.is_spatial else "dense_outputs", layer.name) for layer in layers]
    chosen += [("network_view", None), ("architecture_graph", None), ("layer_table", None)]
    return tuple(Panel(f"p{index}", visualizer, layer) for index, (visualizer, layer) in enumerate(chosen))


def first_with_weights(layers: Sequence[LayerInfo]) -> str:
    """The layer that is selected before anyone chooses: the first that has learnt something."""
    return next((layer.name for layer in layers if layer.weight_shapes), layers[0].name)
