"""Bringing pictures to another size with smooth edges, in one place so that every part does it alike.

Resizing is linear and works on each axis alone, so it is one matrix for the rows and one for the columns.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]


def resized(pictures: Picture, height: int, width: int) -> Picture:
    """Pictures `(…, height, width)` brought to another size; values stay within the range they had.

    Reduced, each new pixel is the mean of the area it stands for: measured on pen strokes, that gives MNIST's share of
    full and of half-grey pixels, where smoother filters give half as many full ones. Enlarged, it is interpolated.
    """
    if pictures.shape[-2:] == (height, width):
        return pictures
    rows, columns = _weights(pictures.shape[-2], height), _weights(pictures.shape[-1], width)
    new: Picture = np.matmul(np.matmul(rows, pictures), columns.T)
    return np.clip(new, pictures.min(), pictures.max(), out=new)  # Sums of weights are 1 only up to rounding.


def fitted_size(shape: tuple[int, int], height: int, width: int) -> tuple[int, int]:
    """The largest size with the aspect of `shape` that fits into `height` × `width`; at least one pixel each way."""
    scale = min(height / shape[0], width / shape[1])
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


@lru_cache(maxsize=1024)
def _weights(size: int, new_size: int) -> Picture:
    """`(new_size, size)`: how much of each pixel goes into each new pixel along one axis; rows sum to 1."""
    weights = _overlaps(size, new_size) if new_size < size else _nearness(size, new_size)
    matrix: Picture = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    matrix.flags.writeable = False
    return matrix


def _overlaps(size: int, new_size: int) -> NDArray[np.float64]:
    """Length that each pixel shares with each new, larger one."""
    edges = np.linspace(0, size, new_size + 1)[:, None]
    pixels = np.arange(size)
    shared: NDArray[np.float64] = np.minimum(edges[1:], pixels + 1) - np.maximum(edges[:-1], pixels)
    return np.clip(shared, 0, None, out=shared)


def _nearness(size: int, new_size: int) -> NDArray[np.float64]:
    """Linear interpolation between the middles of the two nearest pixels; beyond the last middle it stays the same."""
    middles = ((np.arange(new_size) + 0.5) * size / new_size - 0.5).clip(0, size - 1)[:, None]
    near: NDArray[np.float64] = 1 - np.abs(middles - np.arange(size))
    return np.clip(near, 0, None, out=near)
