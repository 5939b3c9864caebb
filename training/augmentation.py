"""Small changes that leave a digit the same digit: shifted, turned, sized, slanted, bent, drawn with another pen.

Bending is the elastic distortion of Simard, Steinkraus and Platt 2003, with a coarse grid in place of blurred noise.
Where each new pixel comes from is a sum of fixed maps with random coefficients, so a whole batch is one product.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.float32]

BENDING_GRID = 5
"""Points along each axis that are moved at random; everything between them follows smoothly."""


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How far images are changed at most; every image is changed by another random amount up to that.

    Attributes:
        shift: share of the image's shorter side.
        rotate: degrees.
        scale: logarithm of the factor, drawn for each axis by itself.
        shear: pixels sideways for each pixel down.
        bend: standard deviation of a grid point's move, as a share of the shorter side.
        pen: how far half of the images go towards the widest or narrowest pen, in [0, 1].
    """

    shift: float = 0.05
    rotate: float = 12.0
    scale: float = 0.1
    shear: float = 0.1
    bend: float = 0.05
    pen: float = 0.5


def augmented(images: Array, settings: Augmentation, random: np.random.Generator) -> Array:
    """Changed copies of the images.

    Args:
        images: float32 `(n, height, width, channels)` in [0, 1], 0 being the background.
        settings: how far they may change.
        random: where the amounts come from; the same state gives the same images.

    Returns:
        Images of the same shape and range.
    """
    if settings.pen:
        images = _with_other_pens(images, settings.pen, random)
    return _sampled(images, _origins(images.shape, settings, random))


def _with_other_pens(images: Array, most: float, random: np.random.Generator) -> Array:
    """Half of the images with strokes up to one pixel of 28 wider or narrower (grey dilation and erosion)."""
    reach = max(1, round(min(images.shape[1:3]) / 28))
    window = (1, 2 * reach + 1, 2 * reach + 1, 1)
    kind = random.integers(0, 4, len(images))
    amount = random.uniform(0, most, (len(images), 1, 1, 1)).astype(np.float32)
    changed = images.copy()
    for chosen, widest in ((kind == 0, ndimage.maximum_filter), (kind == 1, ndimage.minimum_filter)):
        part = images[chosen]
        changed[chosen] = part + amount[chosen] * (widest(part, size=window) - part)
    return changed


def _origins(shape: tuple[int, ...], settings: Augmentation, random: np.random.Generator) -> Array:
    """Where each pixel of each image comes from, `(n, 2, height, width)`: row and column, in pixels."""
    count, height, width, _ = shape
    side = min(height, width)
    centre = np.array([(height - 1) / 2, (width - 1) / 2], np.float32)[:, None, None]
    places = (_affine(count, side, settings, random).reshape(-1, 3) @ _plane(height, width)).reshape(
        count, 2, height, width
    )
    places += centre
    if settings.bend:
        moves = random.standard_normal((count * 2, BENDING_GRID**2), dtype=np.float32) * np.float32(
            settings.bend * side
        )
        places += (moves @ _bumps(height, width)).reshape(places.shape)
    return places


def _affine(count: int, side: int, settings: Augmentation, random: np.random.Generator) -> Array:
    """Coefficients `(n, 2, 3)`: how much of row, column and 1 goes into the row and the column an image is read at."""

    def drawn(most: float) -> NDArray[np.float64]:
        return random.uniform(-most, most, count)

    angle = drawn(np.deg2rad(settings.rotate))
    taller, wider, slant = np.exp(drawn(settings.scale)), np.exp(drawn(settings.scale)), drawn(settings.shear)
    down, across = drawn(settings.shift * side), drawn(settings.shift * side)
    rows = (np.cos(angle) * taller, np.sin(angle) * wider, down)
    columns = (slant - np.sin(angle) * taller, np.cos(angle) * wider, across)
    return np.array((rows, columns), np.float32).transpose(2, 0, 1)


@lru_cache(maxsize=8)
def _plane(height: int, width: int) -> Array:
    """Row, column (both from the centre) and 1 of every pixel, `(3, height × width)`."""
    rows, columns = np.indices((height, width), np.float32)
    plane = np.stack([rows - (height - 1) / 2, columns - (width - 1) / 2, np.ones_like(rows)])
    return np.asarray(plane.reshape(3, -1), np.float32)


@lru_cache(maxsize=8)
def _bumps(height: int, width: int) -> Array:
    """One smooth bump (cubic B-spline) around each point of the bending grid, `(points, height × width)`."""
    bumps = np.einsum("iy,jx->ijyx", _splines(height), _splines(width))
    return np.asarray(bumps.reshape(BENDING_GRID**2, -1), np.float32)


def _splines(size: int) -> NDArray[np.float64]:
    points = np.linspace(0, size - 1, BENDING_GRID)[:, None]
    distance = np.abs(points - np.arange(size)) / (points[1] - points[0])
    near, far = 2 / 3 - distance**2 + distance**3 / 2, (2 - distance).clip(0) ** 3 / 6
    splines: NDArray[np.float64] = np.where(distance < 1, near, far)
    return splines


def _sampled(images: Array, places: Array) -> Array:
    """The images read at the given places, interpolated between the four nearest pixels, 0 outside."""
    count, height, width, channels = images.shape
    padded = np.zeros((count, height + 2, width + 2, channels), np.float32)
    padded[:, 1:-1, 1:-1] = images
    rows = np.clip(places[:, 0] + 1, 0, np.float32(height + 0.999))
    columns = np.clip(places[:, 1] + 1, 0, np.float32(width + 0.999))
    top, left = rows.astype(np.int32), columns.astype(np.int32)
    down, across = (rows - top.astype(np.float32))[..., None], (columns - left.astype(np.float32))[..., None]
    first = np.arange(count, dtype=np.int32)[:, None, None] * ((height + 2) * (width + 2)) + top * (width + 2) + left
    pixels = padded.reshape(-1, channels)

    def between(index: NDArray[np.int32]) -> Array:
        start = pixels.take(index, axis=0)
        return np.asarray(start + across * (pixels.take(index + 1, axis=0) - start), np.float32)

    upper = between(first)
    return np.asarray(upper + down * (between(first + width + 2) - upper), np.float32)
