"""Digits written with a pen, drawn as the page would draw them and prepared as the page would prepare them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..datasets.pendigits import PenDigit
from ..drawing.pipeline import prepare
from ..drawing.strokes import render_strokes

HELD_OUT_WRITERS = (5, 10, 15, 20, 25, 30)
"""Every fifth of the thirty writers: nobody trains on their writing, so that it can be measured on."""

BRUSHES = (0.07, 0.1, 0.13)
"""Widths that digits are drawn with in turn to measure a network: the page's own, a thinner and a wider one."""


def by_writer(digits: Sequence[PenDigit]) -> tuple[list[PenDigit], list[PenDigit]]:
    """The digits of the writers to train on, and those of the writers held out."""
    held_out = set(HELD_OUT_WRITERS)
    return (
        [digit for digit in digits if digit.writer not in held_out],
        [digit for digit in digits if digit.writer in held_out],
    )


def drawn(
    digits: Sequence[PenDigit], input_shape: tuple[int, int, int], brushes: Sequence[float] = BRUSHES
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Each digit drawn once and prepared for a network, with the brushes in turn.

    Returns:
        Images uint8 `(n, height, width, channels)` and labels `(n,)`, in the order of the digits.
    """
    images = np.empty((len(digits), *input_shape), np.uint8)
    for index, digit in enumerate(digits):
        ink = render_strokes(digit.strokes, brushes[index % len(brushes)])
        images[index] = np.rint(prepare(ink, input_shape).image * 255)
    return images, np.array([digit.label for digit in digits], np.int64)
