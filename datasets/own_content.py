"""What every reader of own data gives, and what names and messages have in common."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .base import DatasetError

Part = Literal["train", "test"]
Progress = Callable[[int, int], None]
"""Called with images read and images in all."""

LARGEST = 2**31
"""Bytes of all images together, as they are held."""
MOST_CLASSES = 1000
NAMED = 5
"""How many files or classes a message names before it counts the others."""


@dataclass(frozen=True, eq=False)
class Content:
    """Labelled images as they were found.

    Attributes:
        images: uint8 `(n, height, width, channels)`.
        labels: int64 `(n,)`, positions in `classes`.
        classes: names of the classes.
        notes: sentences for the user.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """A key that sorts names as people do: `2` before `10`, capitals beside small letters, digits of any script."""
    parts = re.split(r"(\d+)", unicodedata.normalize("NFC", name).casefold())
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part)


def listed(names: Sequence[str]) -> str:
    """The first few names, and how many there are beyond them."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


def counted(count: int, thing: str) -> str:
    """`1 image`, `2 images`, `3 classes`."""
    return f"{count:,} {thing}{'' if count == 1 else 'es' if thing.endswith('s') else 's'}"


def check_bytes(title: str, count: int, height: int, width: int, channels: int) -> None:
    """Refuses what would not fit into memory.

    Raises:
        DatasetError: the images would take more than `LARGEST` bytes.
    """
    if count * height * width * channels > LARGEST:
        raise DatasetError(
            f"{title} would take more than {LARGEST // 2**20:,} MB of memory; give a smaller size or fewer images. "
            f"Received: {counted(count, 'image')} of {height}×{width}"
        )
