"""What may happen to an image: moved, turned, sized, drawn with another pen, blurred, noisy, faint.

After Hendrycks and Dietterich 2019, "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations",
section 3: the same images at rising strengths. All functions are pure, take whole batches, and give the same for the
same seed, however the images are cut into batches. At a disturbance's neutral strength images come back unchanged.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import floor

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

Array = NDArray[np.float32]

DIRECTIONS = np.array([(0, 1), (1, 0), (0, -1), (-1, 0)])
"""Right, down, left and up, as rows and columns."""
NEAR = 1e-9
"""Pixels; what is nearer to a whole one than this is meant to be there (the cosine of 90° is 6e-17)."""


def shifted(images: Array, pixels: float, seed: int = 0, first: int = 0) -> Array:
    """Each image moved to the right, down, to the left or up, by chance; black comes in from behind.

    Args:
        images: float32 `(n, height, width, channels)` in [0, 1], 0 being the background.
        pixels: how far; whole ones move every pixel exactly, others interpolate between neighbours.
        seed: of the directions.
        first: number of the first image among all; an image's direction depends on its number, not on its batch.
    """
    ways = np.random.default_rng(seed).integers(0, len(DIRECTIONS), first + len(images))[first:]
    moved = np.empty_like(images)
    for way, (down, right) in enumerate(DIRECTIONS):
        chosen = ways == way
        moved[chosen] = _moved(_moved(images[chosen], 1, down * pixels), 2, right * pixels)
    return moved


def rotated(images: Array, degrees: float, seed: int = 0, first: int = 0) -> Array:
    """Images turned about their middle, clockwise where positive; black comes in at the corners.

    Quarter turns of square images move every pixel exactly; other angles interpolate between the four nearest pixels.
    """
    count, height, width, channels = images.shape
    turn = _turn(height, width, float(degrees))
    flat = images.transpose(1, 2, 0, 3).reshape(height * width, count * channels)
    turned = np.clip(turn @ flat, 0, 1).reshape(height, width, count, channels)
    return np.ascontiguousarray(turned.transpose(2, 0, 1, 3))


def scaled(images: Array, factor: float, seed: int = 0, first: int = 0) -> Array:
    """Images sized about their middle: below 1 smaller on black, above 1 larger with the edges cut off.

    Enlarged, a pixel is interpolated linearly; reduced, it is the weighted mean of the area that it stands for.
    """
    rows, columns = _sizing(images.shape[1], float(factor)), _sizing(images.shape[2], float(factor))
    wide = np.einsum("yY,nYxc->nyxc", rows, images, optimize=True)
    return np.asarray(np.clip(np.einsum("xX,nyXc->nyxc", columns, wide, optimize=True), 0, 1), np.float32)


def restroked(images: Array, pixels: float, seed: int = 0, first: int = 0) -> Array:
    """Strokes so many pixels wider, or narrower where negative, by grey dilation and erosion with a square window.

    A window of k + 1 pixels makes a straight stroke of full strength wider or narrower by k, and moves it by half a
    pixel where k is odd. Between whole numbers the two nearest are mixed. (Serra 1982, "Image Analysis and Mathematical
    Morphology", chapter XII.)
    """
    whole = floor(abs(pixels))
    share = np.float32(abs(pixels) - whole)
    widest = ndimage.maximum_filter1d if pixels > 0 else ndimage.minimum_filter1d
    near = _windowed(images, whole, widest)
    return near if share == 0 else near + share * (_windowed(images, whole + 1, widest) - near)


def blurred(images: Array, sigma: float, seed: int = 0, first: int = 0) -> Array:
    """Images seen out of focus: each pixel spread as a Gaussian of that many pixels; beyond the edges all is black."""
    if sigma == 0:
        return images.copy()
    for axis in (1, 2):
        images = ndimage.gaussian_filter1d(images, sigma, axis=axis, mode="constant")
    return images


def noisy(images: Array, sigma: float, seed: int = 0, first: int = 0) -> Array:
    """Gaussian noise of that standard deviation on every pixel, cut off at black and white.

    An image has the same pattern at every strength, only stronger.
    """
    noise = [
        np.random.default_rng((seed, number)).standard_normal(images.shape[1:], np.float32)
        for number in range(first, first + len(images))
    ]
    return np.clip(images + np.float32(sigma) * np.stack(noise), 0, 1) if noise else images.copy()


def contrasted(images: Array, factor: float, seed: int = 0, first: int = 0) -> Array:
    """Each pixel's distance from middle grey times a factor: below 1 all turns grey, above 1 edges harden."""
    if factor == 1:
        return images.copy()
    half = np.float32(0.5)
    return np.asarray(np.clip(half + np.float32(factor) * (images - half), 0, 1), np.float32)


@dataclass(frozen=True)
class Disturbance:
    """One kind of harm to images.

    Attributes:
        name: short identifier.
        title: what the page calls it.
        unit: what strengths are counted in.
        explanation: one sentence for a student.
        strengths: those that are measured, rising.
        neutral: the strength that changes nothing.
        apply: images, strength, seed and the number of the first image → disturbed images.
        words: how a sentence about one strength begins.
        ways: what `way` is in these words, for a strength above 0 and for one below.
    """

    name: str
    title: str
    unit: str
    explanation: str
    strengths: tuple[float, ...]
    neutral: float
    apply: Callable[[Array, float, int, int], Array]
    words: str
    ways: tuple[str, str] = ("", "")

    def said(self, strength: float) -> str:
        """What was done to the images, as a sentence about it begins."""
        if strength == self.neutral:
            return "Undisturbed"
        return self.words.format(size=f"{abs(strength):g}", way=self.ways[strength < 0])


DISTURBANCES: tuple[Disturbance, ...] = (
    Disturbance(
        "shift", "Shift", "pixels", "The digit stands elsewhere: to the right, left, above or below by chance.",
        (0, 1, 2, 3, 4, 5, 6, 8), 0, shifted,
        "Shifted by {size} pixels",
    ),
    Disturbance(
        "rotation", "Rotation", "degrees", "The paper is held askew: clockwise where the number is positive.",
        (-90, -60, -45, -30, -15, 0, 15, 30, 45, 60, 90), 0, rotated,
        "Turned {size} degrees {way}", ("clockwise", "counterclockwise"),
    ),
    Disturbance(
        "scale", "Scale", "times", "The digit is written smaller or larger about the middle of the image.",
        (0.4, 0.55, 0.7, 0.85, 1, 1.15, 1.3, 1.5, 1.75), 1, scaled,
        "At {size} times their size",
    ),
    Disturbance(
        "stroke", "Stroke width", "pixels", "It is written with a finer or a broader pen.",
        (-2, -1.5, -1, -0.5, 0, 1, 2, 3, 4), 0, restroked,
        "With strokes {size} pixels {way}", ("wider", "narrower"),
    ),
    Disturbance(
        "blur", "Blur", "pixels (sigma)", "The picture is out of focus.",
        (0, 0.5, 1, 1.5, 2, 2.5, 3, 4), 0, blurred,
        "Blurred over {size} pixels",
    ),
    Disturbance(
        "noise", "Noise", "of full brightness (sigma)", "The picture is grainy, as taken in the dark.",
        (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9), 0, noisy,
        "With noise of {size} of full brightness",
    ),
    Disturbance(
        "contrast", "Contrast", "times", "The picture is faint, grey on a grey background, or harder than it was.",
        (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1, 1.5, 2), 1, contrasted,
        "With {size} times the contrast",
    ),
)  # fmt: skip
"""All of them, in the order in which the page shows them."""

BY_NAME = {disturbance.name: disturbance for disturbance in DISTURBANCES}


def chosen(names: Sequence[str]) -> tuple[Disturbance, ...]:
    """The disturbances of these names, in the order of `DISTURBANCES`.

    Raises:
        ValueError: a name is unknown.
    """
    unknown = [name for name in names if name not in BY_NAME]
    if unknown:
        raise ValueError(f"Disturbances are {', '.join(BY_NAME)}. Received: {', '.join(unknown)}")
    return tuple(each for each in DISTURBANCES if each.name in names)


def disturbance_at(name: str, strength: str) -> tuple[Disturbance, float]:
    """A disturbance and one of its strengths, as an address writes them.

    Raises:
        ValueError: there is none of that name, or it has no such strength.
    """
    [disturbance] = chosen([name])
    for known in disturbance.strengths:
        if f"{known:g}" == strength:
            return disturbance, known
    there = ", ".join(f"{known:g}" for known in disturbance.strengths)
    raise ValueError(f"Strengths of {disturbance.title} are {there}. Received: {strength}")


def rounded(images: Array) -> Array:
    """Images as a picture file can hold them, in 256 greys: what was measured can then be opened without loss."""
    return np.asarray(np.rint(images * np.float32(255)) / np.float32(255), np.float32)


def _moved(images: Array, axis: int, pixels: float) -> Array:
    """Images moved along an axis; a share of a pixel is interpolated linearly."""
    whole = floor(pixels)
    share = np.float32(pixels - whole)
    near = _rolled(images, axis, whole)
    return near if share == 0 else near + share * (_rolled(images, axis, whole + 1) - near)


def _rolled(images: Array, axis: int, pixels: int) -> Array:
    """Images moved by whole pixels along an axis, zeros behind."""
    size = images.shape[axis]
    moved = np.zeros_like(images)
    if abs(pixels) < size:
        old, new = [slice(None)] * 4, [slice(None)] * 4
        old[axis] = slice(max(0, -pixels), size - max(0, pixels))
        new[axis] = slice(max(0, pixels), size - max(0, -pixels))
        moved[tuple(new)] = images[tuple(old)]
    return moved


def _windowed(images: Array, pixels: int, widest: Callable[..., Array]) -> Array:
    """Largest or smallest value in a square window of `pixels` + 1 around each pixel; beyond the edges all is black."""
    for axis in (1, 2):
        images = widest(images, pixels + 1, axis=axis, mode="constant", cval=0.0)
    return images


@lru_cache(maxsize=64)
def _turn(height: int, width: int, degrees: float) -> sparse.csr_matrix:
    """`(pixels, pixels)`: how much of each pixel goes into each pixel of the turned image, four to a row."""
    rows, columns = (each.ravel() for each in np.indices((height, width), np.float64))
    down, across = rows - (height - 1) / 2, columns - (width - 1) / 2
    angle = np.deg2rad(degrees)
    top = np.cos(angle) * down - np.sin(angle) * across + (height - 1) / 2
    left = np.sin(angle) * down + np.cos(angle) * across + (width - 1) / 2
    top, left = (np.where(np.abs(each - np.rint(each)) < NEAR, np.rint(each), each) for each in (top, left))
    parts = []
    for row, row_share in ((np.floor(top), 1 - top % 1), (np.floor(top) + 1, top % 1)):
        for column, share in ((np.floor(left), 1 - left % 1), (np.floor(left) + 1, left % 1)):
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            place = (np.flatnonzero(inside), (row * width + column)[inside].astype(np.int64))
            parts.append(sparse.coo_matrix(((row_share * share)[inside], place), shape=(height * width,) * 2))
    return sparse.csr_matrix(sum(parts[1:], parts[0]), dtype=np.float32)


@lru_cache(maxsize=64)
def _sizing(size: int, factor: float) -> Array:
    """`(size, size)`: how much of each pixel along an axis goes into each new one; a tent at least a pixel wide."""
    places = np.arange(size)
    middles = ((places - (size - 1) / 2) / factor + (size - 1) / 2)[:, None]
    reach = max(1.0, 1 / factor)
    far = int(np.ceil(reach + size / factor))
    around = np.arange(-far, size + far)
    weights = np.clip(1 - np.abs(middles - around) / reach, 0, None)
    weights /= weights.sum(axis=1, keepdims=True)  # what lies beyond the edges is black, and counts
    matrix: Array = weights[:, far : far + size].astype(np.float32)
    matrix.flags.writeable = False
    return matrix
