"""Bringing pictures to another size with smooth edges, in one place so that every part does it alike."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Picture = NDArray[np.float32]


def resized(picture: Picture, height: int, width: int) -> Picture:
    """A picture `(height, width)` brought to another size; each new pixel averages the area it stands for.

    A triangle filter as wide as the reduction: no ringing, so values stay in their range.
    """
    if picture.shape == (height, width):
        return picture
    image = Image.fromarray(np.ascontiguousarray(picture))
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


def fitted_size(shape: tuple[int, int], height: int, width: int) -> tuple[int, int]:
    """The largest size with the aspect of `shape` that fits into `height` × `width`; at least one pixel each way."""
    scale = min(height / shape[0], width / shape[1])
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))
