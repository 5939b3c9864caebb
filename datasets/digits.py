"""The handwritten digits that come with scikit-learn (UCI Optical Recognition, Alpaydin and Kaynak 1998, test part)."""

import hashlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .base import DIGITS, Dataset

FINE = 80
"""Pixels along each side of the picture from which the strokes are cut out."""
FAINT = 0.2
"""Share of black pixels that counts as none."""
BOX, FIELD = 20, 28


def load_digits() -> Dataset:
    """1,797 digits of 8×8 counts, brought to 28×28 in the manner of MNIST; they need neither files nor a network.

    Each count says how many of 4×4 pixels of the scan were black. They are interpolated, freed of the faint ones around
    the strokes until the amount of ink is that of MNIST, scaled to a box of 20×20 and placed by their centre of mass.
    """
    from sklearn.datasets import load_digits as scikit_digits  # Importing it takes a second.

    counts, labels = scikit_digits(return_X_y=True)
    images = np.stack([_like_mnist(digit.reshape(8, 8)) for digit in counts])[..., None]
    return Dataset(
        name="digits",
        title="Bundled digits (scikit-learn, enlarged from 8×8)",
        images=images,
        labels=labels.astype(np.int64),
        classes=DIGITS,
        source="Handwritten digits that come with scikit-learn, enlarged from 8×8; they stand in for MNIST.",
        checksum=f"md5:{hashlib.md5(images.tobytes() + labels.tobytes(), usedforsecurity=False).hexdigest()}",
    )


def _like_mnist(counts: NDArray[np.floating]) -> NDArray[np.uint8]:
    """8×8 counts in 0…16 as 28×28 bytes."""
    fine = Image.fromarray(counts.astype(np.float32) / 16).resize((FINE, FINE), Image.Resampling.LANCZOS)
    strokes = np.clip((np.asarray(fine) - FAINT) / (1 - FAINT), 0, 1)
    drawn = strokes > 0.1
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    strokes = strokes[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = (max(1, round(size * BOX / max(strokes.shape))) for size in strokes.shape)
    small = np.asarray(Image.fromarray(strokes).resize((width, height), Image.Resampling.BOX))
    field = np.zeros((FIELD, FIELD), np.uint8)
    top, left = (_start(small, axis) for axis in (0, 1))
    field[top : top + height, left : left + width] = np.rint(small * 255)
    return field


def _start(small: NDArray[np.floating], axis: int) -> int:
    """Where the digit begins so that its centre of mass is in the middle, as far as it fits."""
    size = int(small.shape[axis])
    centre = np.average(np.arange(size), weights=small.sum(axis=1 - axis))
    return min(max(round(FIELD / 2 - float(centre)), 0), FIELD - size)
