"""How a layer's activations are distributed."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from layerscope.visualizers import Help, Need, Range, Subject, visualizer
from layerscope.visualizers.figures import figure
from plotly.graph_objects import Figure

BLUE = "#0072B2"


@dataclass(frozen=True)
class HistogramSettings:
    bars: Annotated[int, Range(5, 100), Help("Number of bars.")] = 40
    logarithmic: Annotated[bool, Help("Each line of the grid is ten times as many as the one below.")] = False


@visualizer(title="Histogram of activations", needs={Need.IMAGE, Need.LAYER})
def activation_histogram(subject: Subject, settings: HistogramSettings) -> Figure:
    """How often each strength of activation occurs in the layer, for your image.

    After a ReLU most values are zero: those units found nothing at those places. A long tail to the right belongs to
    the few that found exactly what they look for.

    The activation has shape (height, width, channels) or (units,); all its values are counted together.
    """
    counts, edges = np.histogram(subject.activation, settings.bars)
    zeros = np.count_nonzero(subject.activation == 0) / subject.activation.size
    return figure(
        [
            {
                "type": "bar",
                "x": ((edges[1:] + edges[:-1]) / 2).astype(np.float32),
                "y": counts.astype(np.int32),
                "marker": {"color": BLUE, "line": {"width": 0}},
                "hovertemplate": "%{y} values around %{x:.3g}<extra></extra>",
            }
        ],
        height=220,
        revision=subject.chosen.name,
        margin={"l": 44, "r": 8, "t": 8, "b": 40},
        bargap=0.05,
        xaxis={"showgrid": False, "title": {"text": f"activation; {zeros:.0%} are zero", "standoff": 4}},
        yaxis={"type": "log" if settings.logarithmic else "linear", "gridcolor": "rgba(128,128,128,0.3)"},
    )
