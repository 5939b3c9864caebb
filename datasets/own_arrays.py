"""Arrays of pixels and labels, in any of the usual forms, as labelled images."""

from collections.abc import Sequence
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import DatasetError
from .own_content import MOST_CLASSES, Content, check_bytes, counted, listed, natural
from .own_pictures import Size, fitted

GREY = np.array([0.299, 0.587, 0.114])
"""How bright red, green and blue look (ITU-R BT.601)."""
STEP = 1000
"""Images converted at a time: as floats, all of them at once would take eight times the memory."""
FAINT = 0.25
"""Share of full brightness below which it is worth a word that nothing is brighter."""


def content_of(
    title: str, pixels: Any, labels: Any, classes: Sequence[str] | None, size: Size | None, colour: bool
) -> Content:
    """Pixels and labels as labelled images.

    Args:
        title: what messages call the file.
        pixels: `(n, height, width)`, with channels last or first, or `(n, pixels)` in rows from the top.
        labels: `(n,)` numbers from 0 or names, or `(n, classes)` with a 1 in each row.
        classes: names of the classes in order; those that occur, in natural order, when None.
        size: height and width wanted; also how rows of pixels are cut where they fit it.
        colour: keep red, green and blue; else grey.

    Raises:
        DatasetError: they are no labelled images; the message says what was expected.
    """
    array, notes = _bytes(title, pixels)
    images = _with_channels(title, _shaped(title, array, size), colour)
    if not len(images):
        raise DatasetError(f"{title} must hold images. Received: none")
    if size and images.shape[1:3] != size:
        notes.append(f"Images of {images.shape[1]}×{images.shape[2]} were fitted to {size[0]}×{size[1]}.")
        check_bytes(title, len(images), *size, images.shape[3])
        images = np.stack([fitted(image, size) for image in images])
    names = _names(title, labels, len(images))
    known = _classes(title, names, classes)
    positions = {name: position for position, name in enumerate(known)}
    return Content(images, np.array([positions[name] for name in names], np.int64), known, tuple(notes))


def _bytes(title: str, pixels: Any) -> tuple[NDArray[np.uint8], list[str]]:
    """Numbers in 0…1, 0…255 or 16 bits as bytes, in a copy of their own."""
    array = np.asarray(pixels)
    if array.dtype.kind not in "buif":
        raise DatasetError(f"{title} must hold pixels as numbers. Received: {array.dtype}")
    if not array.size:
        return array.astype(np.uint8), []
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise DatasetError(f"{title} must hold pixels from 0 to 1 or from 0 to 255. Received: some are no number")
    low, high = float(array.min()), float(array.max())
    if low < 0 or high > (65535 if array.dtype == np.uint16 else 255):
        raise DatasetError(f"{title} must hold pixels from 0 to 1 or from 0 to 255. Received: from {low:g} to {high:g}")
    if high > 255:
        return (array // 257).astype(np.uint8), ["Pixels of 16 bits were brought to 8."]
    scale = 255 if high <= 1 else 1
    result = np.empty(array.shape, np.uint8)
    for start in range(0, len(array), STEP):
        result[start : start + STEP] = np.rint(array[start : start + STEP] * np.float32(scale))
    faint = f"No pixel is brighter than {high:g} of 255; the images will look dark."
    return result, [faint] if 1 < high < FAINT * 255 else []


def _shaped(title: str, array: NDArray[np.uint8], size: Size | None) -> NDArray[np.uint8]:
    """The array as `(n, height, width, channels)`."""
    if array.ndim == 2:
        return array.reshape(len(array), *_cut(title, array.shape[1], size), 1)
    if array.ndim == 3:
        return array[..., None]
    if array.ndim == 4:
        first = array.shape[1] in (1, 3) and array.shape[3] not in (1, 3)
        return array.transpose(0, 2, 3, 1) if first else array
    raise DatasetError(
        f"{title} must hold images as (n, height, width), with channels last, or as rows of pixels. "
        f"Received: {array.shape}"
    )


def _cut(title: str, pixels: int, size: Size | None) -> Size:
    """Height and width of an image that is one row of pixels."""
    side = isqrt(pixels)
    if size and size[0] * size[1] == pixels:
        return size
    if side and side * side == pixels:
        return side, side
    raise DatasetError(
        f"{title} holds images as rows of {pixels} pixels, which make no square; give the size as height and width, "
        "such as 96×84."
    )


def _with_channels(title: str, images: NDArray[np.uint8], colour: bool) -> NDArray[np.uint8]:
    channels = images.shape[3]
    if channels not in (1, 3) or min(images.shape[1:3]) < 1:
        raise DatasetError(f"{title} must hold images of 1 or 3 channels. Received: {images.shape}")
    check_bytes(title, *images.shape)
    if channels == 3 and not colour:
        grey = np.empty((*images.shape[:3], 1), np.uint8)
        for start in range(0, len(images), STEP):
            grey[start : start + STEP, ..., 0] = np.rint(images[start : start + STEP] @ GREY)
        return grey
    return np.repeat(images, 3, axis=3) if channels == 1 and colour else np.ascontiguousarray(images)


def _names(title: str, labels: Any, count: int) -> list[str]:
    """The label of each image, as a name."""
    array = np.asarray(labels)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2 and array.dtype.kind in "buif" and _is_one_hot(array):
        array = array.argmax(axis=1)
    if array.shape != (count,):
        raise DatasetError(
            f"{title} must hold one label for each of {counted(count, 'image')}. Received: labels of shape "
            f"{array.shape}"
        )
    if array.dtype.kind in "US":
        return [str(name, "utf-8") if isinstance(name, bytes) else name for name in array.tolist()]
    if array.dtype.kind not in "buif":
        raise DatasetError(f"{title} must hold labels as numbers or names. Received: {array.dtype}")
    wrong = array[~(np.isfinite(array) & (array >= 0) & (array == np.floor(array)))]
    if wrong.size:
        raise DatasetError(f"{title} must hold labels that are whole numbers from 0. Received: {wrong[0]}")
    return [str(int(label)) for label in array.tolist()]


def _is_one_hot(array: NDArray[Any]) -> bool:
    return bool(array.size and ((array == 0) | (array == 1)).all() and (array.sum(axis=1) == 1).all())


def _classes(title: str, names: Sequence[str], classes: Sequence[str] | None) -> tuple[str, ...]:
    """The names of the classes: those given, else those that occur."""
    occurring = sorted(set(names), key=natural)
    if classes is None:
        if len(occurring) > MOST_CLASSES:
            raise DatasetError(
                f"{title} may have at most {MOST_CLASSES:,} classes; are these labels? Received: {len(occurring):,}"
            )
        return tuple(occurring)
    known = tuple(classes)
    foreign = [name for name in occurring if name not in known]
    if foreign:
        raise DatasetError(f"{title} must hold labels among {listed(known)}. Received: {listed(foreign)}")
    return known
