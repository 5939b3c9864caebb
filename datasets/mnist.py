"""MNIST from its four IDX files (LeCun, Cortes and Burges 1998), compressed or not."""

import gzip
import hashlib
import zlib
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .base import DIGITS, Dataset, DatasetError, folders_in

Split = Literal["train", "test"]
LARGEST = 2**31


@dataclass(frozen=True)
class Published:
    """One of the four published files: its name, and MD5 of the `.gz` file and of what is in it."""

    name: str
    md5: str
    content_md5: str


TRAIN_IMAGES = Published(
    "train-images-idx3-ubyte", "f68b3c2dcbeaaa9fbdd348bbdeb94873", "6bbc9ace898e44ae57da46a324031adb"
)
TRAIN_LABELS = Published(
    "train-labels-idx1-ubyte", "d53e105ee54ea40749a09fcbcd1e9432", "a25bea736e30d166cdddb491f175f624"
)
TEST_IMAGES = Published(
    "t10k-images-idx3-ubyte", "9fb629c4189551a2d022fa330f9573f3", "2646ac647ad5339dbf082846283269ea"
)
TEST_LABELS = Published(
    "t10k-labels-idx1-ubyte", "ec29112dd5afa0611ce80d1b7f02629c", "27ae3e4e09519cfbb04c329615203637"
)
FILES: dict[Split, tuple[Published, Published]] = {
    "train": (TRAIN_IMAGES, TRAIN_LABELS),
    "test": (TEST_IMAGES, TEST_LABELS),
}


def find_mnist(data: Path | None = None, splits: tuple[Split, ...] = ("train", "test")) -> Path | None:
    """The first folder that holds the images of every split asked for; None when there is none.

    Looks in `data` and its `mnist/`, then likewise in `LAYERSCOPE_DATA`, then in the user's cache.
    """
    return next((folder for folder in folders_in(data, "mnist") if _holds(folder, splits)), None)


def load_mnist(folder: Path, split: Split) -> Dataset:
    """Reads one split and checks it against the published checksums.

    Other IDX files of the same names are accepted; `source` then says that they are not the published ones.

    Returns:
        A dataset with images `(n, height, width, 1)`: 60,000 for `train` and 10,000 for `test` of 28×28 if published.

    Raises:
        DatasetError: a file is missing or damaged; the message names it, what was expected and what was found.
    """
    images_file, labels_file = (_path_of(folder, file) for file in FILES[split])
    images, labels = read_idx(images_file, dimensions=3), read_idx(labels_file, dimensions=1)
    if len(images.content) != len(labels.content):
        raise DatasetError(
            f"{labels_file} must hold one label for each of the {len(images.content)} images in {images_file.name}. "
            f"Received: {len(labels.content)} labels"
        )
    if labels.content.size and labels.content.max() > 9:
        raise DatasetError(f"{labels_file} must hold labels from 0 to 9. Received: {labels.content.max()}")
    published = (images.md5, labels.md5) == tuple(file.content_md5 for file in FILES[split])
    return Dataset(
        name=f"mnist-{split}",
        title=f"MNIST {split} images" if published else f"{split.capitalize()} images in {folder}",
        images=images.content[..., None],
        labels=labels.content.astype(np.int64),
        classes=DIGITS,
        source=f"MNIST, the published files, from {folder}."
        if published
        else f"IDX files from {folder}; their checksums are not those of the published MNIST.",
        checksum=f"md5:{images.md5}+{labels.md5}",
    )


@dataclass(frozen=True)
class Idx:
    """An IDX file's array and the MD5 of the uncompressed file."""

    content: NDArray[np.uint8]
    md5: str


def read_idx(path: Path, dimensions: int) -> Idx:
    """Reads an IDX file of bytes: two zero bytes, type 8, number of axes, big-endian sizes, then the values.

    Raises:
        DatasetError: the file is unreadable, not such a file, or shorter or longer than its header says.
    """
    header_length = 4 + 4 * dimensions
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            header = stream.read(header_length)
            shape = _shape_of(path, header, dimensions)
            body = stream.read(prod(shape) + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{path} cannot be read; fetch it again. Received: {error}") from error
    if len(body) != prod(shape):
        received = f"{len(body)} bytes" if len(body) < prod(shape) else "more"
        raise DatasetError(
            f"{path} must hold {prod(shape)} bytes after its header ({'×'.join(map(str, shape))}); fetch it again. "
            f"Received: {received}"
        )
    digest = hashlib.md5(header, usedforsecurity=False)
    digest.update(body)
    return Idx(np.frombuffer(body, np.uint8).reshape(shape), digest.hexdigest())


def _shape_of(path: Path, header: bytes, dimensions: int) -> tuple[int, ...]:
    magic = bytes((0, 0, 8, dimensions))
    if header[:4] != magic:
        raise DatasetError(
            f"{path} must begin with the bytes {magic.hex()} of an IDX file. Received: {header[:4].hex()}"
        )
    if len(header) != 4 + 4 * dimensions:
        raise DatasetError(f"{path} must have a header of {4 + 4 * dimensions} bytes. Received: {len(header)} bytes")
    shape = tuple(int(size) for size in np.frombuffer(header, ">u4", offset=4))
    if min(shape) < 1 or prod(shape) > LARGEST:
        raise DatasetError(
            f"{path} must hold at least one image and at most {LARGEST} bytes. Received: {'×'.join(map(str, shape))}"
        )
    return shape


def _candidates(folder: Path, file: Published) -> tuple[Path, ...]:
    """The names under which copies of the file go round."""
    dotted = file.name.replace("-idx", ".idx")
    return tuple(folder / name for name in (f"{file.name}.gz", file.name, f"{dotted}.gz", dotted))


def _path_of(folder: Path, file: Published) -> Path:
    for path in _candidates(folder, file):
        if path.is_file():
            return path
    raise DatasetError(f"{folder} must hold {file.name}.gz (or {file.name}). Received: no such file")


def _holds(folder: Path, splits: tuple[Split, ...]) -> bool:
    return all(any(path.is_file() for path in _candidates(folder, FILES[split][0])) for split in splits)
