"""Many small pictures in one: a page of images as one PNG, and the mean image of every class."""

import io
from collections.abc import Callable
from math import ceil
from threading import Lock

import numpy as np
from cachetools import LRUCache
from flask import Response
from numpy.typing import NDArray
from PIL import Image
from scipy import sparse

from ...datasets.base import Dataset
from ...drawing.resample import fitted_size, resized
from ..keeping import kept

PAGE = 200
"""Images on one page."""
COLUMNS = 20
"""Tiles in a row of a sheet."""
LARGEST_TILE = 64
"""Pixels; larger images are reduced to that for the page."""
AT_ONCE = 2**23
"""Bytes of images that are added up at a time."""

BY_CONTENT = {"Cache-Control": "private, max-age=86400, immutable"}
"""Of what an address names by its content; another version may draw it differently, so it is not for long."""

Bytes = NDArray[np.uint8]


class Pictures:
    """PNGs by key, the latest of them; safe to use from many threads at once."""

    def __init__(self, most: int) -> None:
        self._kept: LRUCache[str, bytes] = LRUCache(most)
        self._lock = Lock()

    def reply(self, key: str, make: Callable[[], bytes]) -> Response:
        """The picture of that key, made where it is not there."""
        known = kept(self._kept, self._lock, key, make)
        return Response(known, mimetype="image/png", headers=BY_CONTENT)


def tile_size(shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width that images `(n, height, width, channels)` have on a sheet."""
    height, width = shape[1:3]
    return (height, width) if max(height, width) <= LARGEST_TILE else fitted_size((height, width), *[LARGEST_TILE] * 2)


def tiles_of(images: Bytes) -> Bytes:
    """Images `(n, height, width, channels)` in the size of tiles."""
    size = tile_size(images.shape)
    if not len(images) or images.shape[1:3] == size:
        return images
    return np.stack([_reduced(image, size) for image in images])


def sheet(tiles: Bytes, columns: int = COLUMNS) -> bytes:
    """A PNG of tiles `(n, height, width, channels)`, in rows from the top left; black where there are none."""
    count, height, width, channels = tiles.shape
    rows = max(1, ceil(count / columns))
    grid = np.zeros((rows * columns, height, width, channels), np.uint8)
    grid[:count] = tiles
    picture = grid.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    picture = picture.reshape(rows * height, columns * width, channels)
    buffer = io.BytesIO()
    Image.fromarray(picture[..., 0] if channels == 1 else picture).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def positions(dataset: Dataset, label: int | None) -> NDArray[np.intp]:
    """Where the images of a class, or of all, are in the data set."""
    return np.arange(len(dataset), dtype=np.intp) if label is None else dataset.indices_of(label)


def page_of(dataset: Dataset, label: int | None, page: int) -> NDArray[np.intp]:
    """Where the images of one page are; pages count from 0."""
    return positions(dataset, label)[page * PAGE : (page + 1) * PAGE]


def counts(dataset: Dataset) -> NDArray[np.intp]:
    """How many images each class has, `(classes,)`."""
    return np.bincount(dataset.labels, minlength=len(dataset.classes))


def mean_images(dataset: Dataset) -> Bytes:
    """The mean of each class's images, in the size of tiles, `(classes, height, width, channels)`; black without any.

    Images are added up a few megabytes at a time, whatever the size of the data set.
    """
    height, width = tile_size(dataset.images.shape)
    channels = dataset.images.shape[3]
    sums = np.zeros((len(dataset.classes), height * width * channels), np.float32)
    step = max(1, AT_ONCE // (4 * dataset.images[0].size)) if len(dataset) else 1
    for start in range(0, len(dataset), step):
        images = dataset.images[start : start + step].astype(np.float32)
        small = resized(images.transpose(0, 3, 1, 2), height, width).transpose(0, 2, 3, 1).reshape(len(images), -1)
        labels = dataset.labels[start : start + step]
        belongs = sparse.csr_matrix(
            (np.ones(len(labels), np.float32), (labels, np.arange(len(labels)))), shape=(len(sums), len(labels))
        )
        sums += belongs @ small
    means = sums / np.maximum(counts(dataset), 1)[:, None]
    return np.rint(means).astype(np.uint8).reshape(len(sums), height, width, channels)


def _reduced(image: Bytes, size: tuple[int, int]) -> Bytes:
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    small = picture.resize((size[1], size[0]), Image.Resampling.BOX)
    return np.asarray(small).reshape(*size, image.shape[2])
