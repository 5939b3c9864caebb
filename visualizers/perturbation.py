"""Why a network thinks so, by trying: cover parts of an image and see how the score of a class changes.

What takes many passes comes as an iterator, so that each call of the network is short and the work can be stopped.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil

import numpy as np

from ..backends.base import Array
from ..drawing.resample import resized
from .attribution import Question, batch_of


@dataclass(frozen=True)
class Progress:
    """An attribution as far as it is known.

    Attributes:
        attribution: `(height, width)`.
        share: of the work that is done, in [0, 1].
    """

    attribution: Array
    share: float


@dataclass(frozen=True)
class Curve:
    """How a class fares while pixels are taken away or put in.

    Attributes:
        shares: of all pixels, from 0 to 1, `(steps + 1,)`.
        probabilities: of the class, `(steps + 1,)`.
    """

    shares: Array
    probabilities: Array

    @property
    def area(self) -> float:
        """Under the curve, in [0, 1], by the trapezoidal rule."""
        middles = (self.probabilities[1:] + self.probabilities[:-1]) / 2
        return float(np.diff(self.shares) @ middles)


def occlusion(question: Question, start: Array, window: int, stride: int) -> Iterator[Progress]:
    """How much the score falls when a square is covered, averaged over the squares that cover a pixel.

    Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks", section 4.2. A square that covers
    what looks like the cover changes no score, so the network is not asked about it.

    Args:
        question: what to explain.
        start: what covers the image, `(height, width, channels)`.
        window: side of the square in pixels; it is cut off where it reaches over the edge.
        stride: pixels from one square to the next.
    """
    image = question.image
    score = question.scores(image[None])[0]
    squares = [
        np.s_[row : row + window, column : column + window]
        for row, column in product(*(_starts(length, window, stride) for length in image.shape[:2]))
    ]
    changing = [square for square in squares if (image[square] != start[square]).any()]
    total, covered = np.zeros(image.shape[:2], np.float32), np.zeros(image.shape[:2], np.float32)
    for square in squares:
        covered[square] += 1
    size = batch_of(question.model)
    for first in range(0, len(changing), size):
        some = changing[first : first + size]
        for fall, square in zip(score - question.scores(_covered(image, start, some)), some, strict=True):
            total[square] += fall
        mean: Array = np.divide(total, np.maximum(covered, 1))
        yield Progress(mean, min(1.0, (first + size) / len(changing)))
    if not changing:
        yield Progress(total, 1.0)


def _covered(image: Array, start: Array, squares: Sequence[tuple[slice, slice]]) -> Array:
    """`(n, height, width, channels)`: a copy of the image for each square, which is covered in it."""
    images = np.repeat(image[None], len(squares), axis=0)
    for copy, square in zip(images, squares, strict=True):
        copy[square] = start[square]
    return images


def _starts(length: int, window: int, stride: int) -> range:
    """Where squares begin; the last one reaches the end."""
    return range(0, ceil(max(0, length - window) / stride) * stride + 1, stride)


def rise(question: Question, start: Array, masks: int, cells: int, seed: int = 0) -> Iterator[Progress]:
    """How much higher the score is when a pixel shows through a random mask than it is on average.

    Petsiuk et al. 2018, "RISE: Randomized Input Sampling for Explanation", equation 6 and section 3.2, with half of the
    cells open; the mean score is taken off, so that zero is neutral, and each pixel's sum is divided by how often the
    pixel was seen instead of how often it is expected to be.

    Args:
        question: what to explain.
        start: what is seen where a mask is closed, `(height, width, channels)`.
        masks: how many.
        cells: of a mask along each side.
        seed: of the masks.
    """
    image, size = question.image, batch_of(question.model)
    scores = np.zeros(0, np.float32)
    seen = np.zeros(image.shape[:2], np.float64)
    weighted = np.zeros_like(seen)
    for opened in _batches(rise_masks(image.shape[:2], masks, cells, seed), size):
        new = question.scores(start + opened[..., None] * (image - start))
        scores = np.append(scores, new)
        seen += opened.sum(axis=0)
        weighted += np.tensordot(new, opened, axes=1)
        with np.errstate(invalid="ignore"):
            mean = np.where(seen > 0, weighted / seen - scores.mean(dtype=np.float64), 0)
        yield Progress(mean.astype(np.float32), len(scores) / masks)


def rise_masks(shape: tuple[int, ...], masks: int, cells: int, seed: int) -> Iterator[Array]:
    """Smooth random masks `(height, width)` in [0, 1], 1 where the image shows through; the same for the same seed."""
    height, width = shape
    rng = np.random.default_rng(seed)
    tall, wide = ceil(height / cells), ceil(width / cells)
    grids = (rng.random((masks, cells, cells)) < 0.5).astype(np.float32)
    shifts = rng.integers(0, (tall, wide), (masks, 2))
    for grid, (down, right) in zip(grids, shifts, strict=True):
        large = resized(grid, (cells + 1) * tall, (cells + 1) * wide)
        yield large[down : down + height, right : right + width]


def _batches(masks: Iterator[Array], size: int) -> Iterator[Array]:
    batch: list[Array] = []
    for mask in masks:
        batch.append(mask)
        if len(batch) == size:
            yield np.stack(batch)
            batch = []
    if batch:
        yield np.stack(batch)


def deletion(question: Question, attribution: Array, start: Array, steps: int) -> Curve:
    """How fast the class is lost when the pixels that speak for it most are covered first; a small area is good.

    Petsiuk et al. 2018, section 4.1.

    Args:
        question: what was explained.
        attribution: `(height, width)`; the largest goes first.
        start: what covers the image, `(height, width, channels)`.
        steps: equal portions of pixels.
    """
    return _replaced(question, attribution, question.image, start, steps)


def insertion(question: Question, attribution: Array, start: Array, steps: int) -> Curve:
    """How fast the class is found when the pixels that speak for it most are uncovered first; a large area is good.

    Petsiuk et al. 2018, section 4.1, from a plain image instead of a blurred one. Arguments as for `deletion`.
    """
    return _replaced(question, attribution, start, question.image, steps)


def _replaced(question: Question, attribution: Array, before: Array, after: Array, steps: int) -> Curve:
    order = np.argsort(-attribution.ravel(), kind="stable")
    rank = np.argsort(order).reshape(attribution.shape)
    shares = np.linspace(0, 1, steps + 1, dtype=np.float32)
    counts = np.rint(shares * attribution.size).astype(np.int64)
    images = np.where((rank < counts[:, None, None])[..., None], after, before)
    return Curve(shares, question.probabilities(images))
