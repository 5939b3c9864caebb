"""What a set of labelled images is, wherever it came from."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

DIGITS = tuple("0123456789")


class DatasetError(Exception):
    """Data that cannot be used; the message is one clear sentence meant for the user."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Labelled images, held as bytes; the arrays are read-only.

    Attributes:
        name: short identifier, e.g. `mnist-test`.
        title: what the page calls it.
        images: uint8 `(n, height, width, channels)`, 0 is the background of a digit and 255 its ink.
        labels: int64 `(n,)`, positions in `classes`.
        classes: names of the classes.
        source: one sentence that says where the images came from.
        checksum: changes whenever images or labels change.
    """

    name: str
    title: str
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    source: str
    checksum: str

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.dtype != np.uint8:
            raise ValueError(
                f"Images must be uint8 (n, height, width, channels). Received: {self.images.dtype} {self.images.shape}"
            )
        if self.labels.shape != self.images.shape[:1]:
            raise ValueError(
                f"There must be one label for each of {len(self.images)} images. Received: {self.labels.shape}"
            )
        self.images.flags.writeable = False
        self.labels.flags.writeable = False

    def __len__(self) -> int:
        return len(self.images)

    def floats(self, indices: Sequence[int] | NDArray[np.integer] | slice) -> NDArray[np.float32]:
        """Some images as float32 `(n, height, width, channels)` in [0, 1]."""
        return self.images[indices].astype(np.float32) / np.float32(255)

    def indices_of(self, label: int) -> NDArray[np.intp]:
        """Positions of all images of one class, in order."""
        return np.flatnonzero(self.labels == label)


def folders_in(data: Path | None, name: str) -> tuple[Path, ...]:
    """Where to look for files of data `name`: in the given folder, then `LAYERSCOPE_DATA`, then the user's cache.

    In each of the three the folder itself and its subfolder `name` are looked at.
    """
    given = os.environ.get("LAYERSCOPE_DATA")
    bases = [data, Path(given) if given else None, cache_folder()]
    return tuple(folder for base in bases if base is not None for folder in (base, base / name))


def cache_folder() -> Path:
    """The user's cache, where downloads go."""
    return user_cache_path("layerscope", appauthor=False)
