"""Images as the page gets them: many small ones in one picture, single ones, and those nearest to another."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...evaluation.nearest import Nearest
from ...evaluation.sets import Labelled
from ..pictures import data_url

PAGE = 60
"""Images of a gallery that are shown at a time."""
COLUMNS = 10
"""Small images in a row of their picture."""
LARGEST = 64
"""Pixels of the longer side of a small image."""

Data = dict[str, Any]


def sprite(images: NDArray[np.uint8], chosen: Sequence[int]) -> bytes:
    """A PNG of some images, `COLUMNS` in a row."""
    chosen = [image for image in chosen if 0 <= image < len(images)][:PAGE]
    tiles = [_small(images[image]) for image in chosen] or [np.zeros((1, 1, 1), np.uint8)]
    height, width, channels = tiles[0].shape
    rows = -(-len(tiles) // COLUMNS)
    field = np.zeros((rows * COLUMNS, height, width, channels), np.uint8)
    field[: len(tiles)] = tiles
    picture = field.reshape(rows, COLUMNS, height, width, channels).swapaxes(1, 2)
    return png(picture.reshape(rows * height, COLUMNS * width, channels))


def png(picture: NDArray[np.uint8]) -> bytes:
    """A picture `(height, width, 1 or 3)` as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture).save(buffer, "PNG")
    return buffer.getvalue()


def _small(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    if max(height, width) <= LARGEST:
        return image
    scale = LARGEST / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).resize(size, Image.Resampling.BOX)
    return np.atleast_3d(np.asarray(small))


def neighbours(images: Labelled, nearest: Nearest, classes: Sequence[str]) -> Data:
    """The nearest images so far, with small pictures."""
    return {
        "title": images.title,
        "items": [
            {
                "image": int(place),
                "true": classes[images.labels[place]],
                "distance": float(distance),
                "picture": data_url(_grey(images.images[place]), 56),
            }
            for place, distance in zip(nearest.indices, nearest.distances, strict=True)
        ],
    }


def _grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    small = _small(image)
    grey: NDArray[np.uint8] = small[..., 0] if small.shape[2] == 1 else np.rint(small.mean(axis=2)).astype(np.uint8)
    return grey
