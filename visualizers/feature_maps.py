"""The feature maps of any layer with height and width."""

from dataclasses import dataclass
from typing import Annotated

from plotly.graph_objects import Figure

from .contract import Need, Subject, is_spatial, visualizer
from .controls import Help, Range
from .figures import MOST_VALUES, mosaic
from .words import part


@dataclass(frozen=True)
class FeatureMapSettings:
    columns: Annotated[int, Range(0, 32), Help("Tiles in a row; 0 chooses.")] = 0
    shared_scale: Annotated[bool, Help("One colour scale for all tiles; off, one for each.")] = True


@visualizer(title="Feature maps", needs={Need.IMAGE, Need.LAYER}, applies_to=is_spatial)
def feature_maps(subject: Subject, settings: FeatureMapSettings) -> Figure:
    """Each tile is what one unit of this layer sees in your image: bright where it found what it looks for.

    Early layers answer to edges and strokes at the place where they are; later layers are coarser and answer to
    combinations. A dark tile means that the unit found nothing. Compare a layer with the activation and the pooling
    after it: the activation cuts away what is negative, pooling keeps the strongest answer of each neighbourhood.

    The activation has shape (height, width, channels); there is one tile of height × width for each channel. First
    shown in this way by Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks".
    """
    maps = subject.activation
    height, width, channels = maps.shape
    shown = min(channels, max(1, MOST_VALUES // (height * width)))
    return mosaic(
        maps.transpose(2, 0, 1)[:shown],
        layer=subject.chosen.name,
        columns=settings.columns,
        shared_scale=settings.shared_scale,
        unit=subject.unit,
        note=part(shown, channels),
    )
