"""Your own labelled images: a folder of pictures per class, NumPy arrays, or a JSON list of pixels and labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .base import Dataset, DatasetError
from .own_content import MOST_CLASSES, Content, Part, Progress, counted, listed
from .own_files import read_json, read_npz
from .own_folder import UnreadableError as UnreadableError
from .own_folder import read_folder
from .own_pictures import Size, border

Invert = Literal["auto"] | bool

BRIGHT = 128
"""From here on a border counts as paper rather than as a dark background."""


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnDataset(Dataset):
    """Labelled images of the user's own.

    Attributes:
        notes: what was done with them, and what is odd about them, a sentence each.
    """

    notes: tuple[str, ...] = ()


def load_own(
    path: Path,
    *,
    size: Size | None = None,
    colour: bool = False,
    invert: Invert = "auto",
    part: Part = "train",
    classes: Sequence[str] | None = None,
    skip_unreadable: bool = False,
    fewest_classes: int = 2,
    progress: Progress = lambda done, total: None,
) -> OwnDataset:
    """Reads labelled images of the user's own; nothing in them is ever run.

    Networks here learn light ink on a dark background. With `invert="auto"` grey images are inverted, all or none of
    them, if more than half of them have a bright border, as digits on paper have; colours are left as they are.

    Args:
        path: one of
            a folder that holds a folder of PNG, JPEG, WebP, GIF or BMP pictures for each class, named like the class;
            a `.npz` file with arrays `images` and `labels`, `x` and `y`, `x_train` and `y_train` or the like;
            a `.json` file, either `[{"pixels": […], "label": …}, …]` or `{"images": […], "labels": […]}`.
            Pixels are numbers from 0 to 1 or from 0 to 255; labels are numbers from 0, or names.
        size: height and width wanted; without it the size they have, or the middle one where they have several. It
            also says how rows of pixels are cut that make no square.
        colour: keep red, green and blue; else grey.
        invert: swap light and dark: `"auto"`, `True` or `False`.
        part: which of the two is wanted where the data is in folders or arrays called `train` and `test`.
        classes: names of the classes in order, where labels do not name them or some do not occur; not for folders.
        skip_unreadable: leave pictures out that cannot be read; without it they are refused.
        fewest_classes: that there must be images of: nothing is learnt from one, but it can be measured on.
        progress: called with pictures read and pictures in all.

    Returns:
        The images, their classes in natural order, and what was done with them in `notes`.

    Raises:
        UnreadableError: some pictures cannot be read; the error lists them.
        DatasetError: there is nothing that can be learnt from; one sentence says why.
    """
    path = Path(path)
    if size is not None and min(size) < 1:
        raise DatasetError(f"The size must be at least 1×1. Received: {size[0]}×{size[1]}")
    try:
        if path.is_dir():
            content = read_folder(path, size, colour, part, skip_unreadable, progress)
        elif not path.is_file():
            raise DatasetError(f"There is no file or folder {path.name}. Received: {path}")
        elif path.suffix.casefold() == ".npz":
            content = read_npz(path, size, colour, part, classes)
        elif path.suffix.casefold() == ".json":
            content = read_json(path, size, colour, part, classes)
        else:
            raise DatasetError(
                f"{path.name} must be a folder of pictures per class, a .npz file or a .json file. Received: {path}"
            )
    except OSError as error:
        raise DatasetError(f"{path} cannot be read. Received: {error.strerror or error}") from error
    return _dataset(path, part, content, _inverted(content, invert), fewest_classes)


def _dataset(
    path: Path, part: Part, content: Content, inverted: tuple[NDArray[np.uint8], list[str]], fewest_classes: int
) -> OwnDataset:
    counts = np.bincount(content.labels, minlength=len(content.classes))
    if np.count_nonzero(counts) < fewest_classes:
        raise DatasetError(
            f"{path.name} must hold images of at least two classes. Received: {listed(content.classes) or 'none'}"
        )
    if len(content.classes) > MOST_CLASSES:
        raise DatasetError(f"{path.name} may have at most {MOST_CLASSES:,} classes. Received: {len(content.classes):,}")
    images, notes = inverted
    return OwnDataset(
        name=f"own-{part}",
        title=path.stem,
        images=images,
        labels=content.labels,
        classes=content.classes,
        source=f"Your own images, from {path}.",
        checksum=f"sha256:{_checksum(images, content.labels, content.classes)}",
        notes=(*content.notes, *notes, *_rare(content.classes, counts)),
    )


def _rare(classes: Sequence[str], counts: NDArray[np.intp]) -> list[str]:
    """What is to be said of classes with one image, which cannot be split, and with none."""
    single, empty = ([name for name, count in zip(classes, counts, strict=True) if count == n] for n in (1, 0))
    notes = [f"{counted(len(single), 'class')} with a single image: {listed(single)}."] if single else []
    return [*notes, *([f"{counted(len(empty), 'class')} without images: {listed(empty)}."] if empty else [])]


def _inverted(content: Content, invert: Invert) -> tuple[NDArray[np.uint8], list[str]]:
    """The images with light ink on a dark background, and what was done."""
    images, grey = content.images, content.images.shape[3] == 1
    if invert is True:
        return ~images, ["Light and dark were swapped."]
    if invert is False or not grey or not len(images):
        return images, []
    bright = float(np.mean(np.median(border(images)[..., 0], axis=1) >= BRIGHT))
    notes = [] if bright in (0.0, 1.0) else [f"{bright:.0%} of the images have a bright border, the others a dark one."]
    if bright <= 0.5:
        return images, notes
    return ~images, ["Light and dark were swapped, because the images have dark ink on a bright background.", *notes]


def _checksum(images: NDArray[np.uint8], labels: NDArray[np.int64], classes: Sequence[str]) -> str:
    digest = sha256(repr((images.shape, classes)).encode())
    digest.update(np.ascontiguousarray(images).data)
    digest.update(labels.data)
    return digest.hexdigest()
