"""Labelled images in one file: NumPy's `.npz`, or a JSON list of pixels and labels."""

import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .base import DatasetError
from .own_arrays import content_of
from .own_content import Content, Part, listed
from .own_pictures import Size

LARGEST_UNPACKED = 2**32
"""Bytes of all arrays of a `.npz` file, in whatever numbers they are stored."""
LARGEST_JSON = 512 * 2**20
"""Bytes of a JSON file; as Python numbers they take several times as much."""

IMAGES = ("images", "image", "x", "pixels", "data", "features")
LABELS = ("labels", "label", "y", "targets", "target", "class", "digit")
CLASSES = ("classes", "class_names", "label_names")


def read_npz(path: Path, size: Size | None, colour: bool, part: Part, classes: Sequence[str] | None = None) -> Content:
    """Reads arrays called `images` and `labels`, `x` and `y`, `x_train` and `y_train` or the like; see `load_own`.

    Raises:
        DatasetError: the file is damaged, too large, or holds no such arrays.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > LARGEST_UNPACKED:
            raise DatasetError(
                f"{path.name} may unpack to at most {LARGEST_UNPACKED // 2**20:,} MB. "
                f"Received: {unpacked // 2**20:,} MB"
            )
        with np.load(path, allow_pickle=False) as arrays:
            images, labels, names = (_named(arrays.files, each, part) for each in (IMAGES, LABELS, CLASSES))
            if images is None and {"arr_0", "arr_1"} <= set(arrays.files):
                images, labels = "arr_0", "arr_1"
            if images is None or labels is None:
                raise DatasetError(_without(path, "arrays images and labels (or x and y)", arrays.files))
            given = classes or ([str(name) for name in arrays[names].ravel().tolist()] if names else None)
            pixels, known = arrays[images], _numbered(arrays[labels], given)
    except DatasetError:
        raise
    except ValueError as error:
        raise DatasetError(_pickled(path) if "allow_pickle" in str(error) else _damaged(path, error)) from error
    except (OSError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
        raise DatasetError(_damaged(path, error)) from error
    return content_of(path.name, pixels, known, given, size, colour)


def read_json(path: Path, size: Size | None, colour: bool, part: Part, classes: Sequence[str] | None = None) -> Content:
    """Reads `[{"pixels": […], "label": …}, …]` or `{"images": […], "labels": […]}`; see `load_own`.

    Raises:
        DatasetError: the file is damaged, too large, or holds no such lists.
    """
    if path.stat().st_size > LARGEST_JSON:
        raise DatasetError(
            f"{path.name} may have at most {LARGEST_JSON // 2**20} MB; save larger data as .npz. Received: "
            f"{path.stat().st_size // 2**20:,} MB"
        )
    try:
        data = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path.name} is no whole JSON file; save it again. Received: {error}") from error
    pixels, labels, named = _columns(path, data, part)
    given = classes or named
    return content_of(path.name, _array(path, pixels), _numbered(_labels(path, labels), given), given, size, colour)


def _named(names: Sequence[str], wanted: Sequence[str], part: Part) -> str | None:
    """The name that means the images or labels of a part, whatever its capitals."""
    small = {name.casefold(): name for name in names}
    tries = [form.format(name, part) for form in ("{0}_{1}", "{1}_{0}", "{0}") for name in wanted]
    return next((small[name] for name in tries if name in small), None)


def _columns(path: Path, data: Any, part: Part) -> tuple[list[Any], list[Any], list[str] | None]:
    """Pixels of every image, every label, and the names of the classes where the file has them."""
    if isinstance(data, dict):
        images, labels, names = (_named(list(data), each, part) for each in (IMAGES, LABELS, CLASSES))
        if images is None or labels is None or not isinstance(data[images], list) or not isinstance(data[labels], list):
            raise DatasetError(_without(path, "lists images and labels", list(data)))
        return data[images], data[labels], [str(name) for name in data[names]] if names else None
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise DatasetError(
            f'{path.name} must be a list of {{"pixels": […], "label": …}} or one of images and one of labels. '
            f"Received: {type(data).__name__}"
        )
    return [_entry(path, n, item, IMAGES) for n, item in enumerate(data)], [
        _entry(path, n, item, LABELS) for n, item in enumerate(data)
    ], None  # fmt: skip


def _entry(path: Path, number: int, item: Mapping[str, Any], wanted: Sequence[str]) -> Any:
    name = next((each for each in wanted if item.get(each) is not None), None)
    if name is None:
        raise DatasetError(
            f"Item {number + 1} of {path.name} must have {'pixels' if wanted is IMAGES else 'a label'}. Received: "
            f"{listed(list(item)) or 'nothing'}"
        )
    return item[name]


def _array(path: Path, pixels: Sequence[Any]) -> Any:
    """The pixels as one array; names the first image whose size is another one."""
    if not pixels:
        raise DatasetError(f"{path.name} must hold images. Received: none")
    rows: list[Any] = []
    for number, item in enumerate(pixels, start=1):
        try:
            row = np.asarray(item)
        except ValueError as error:
            raise DatasetError(f"Image {number} of {path.name} must have rows of one length.") from error
        if row.dtype.kind not in "buif":
            raise DatasetError(f"Image {number} of {path.name} must hold numbers. Received: {str(item)[:40]}")
        if rows and row.shape != rows[0].shape:
            raise DatasetError(
                f"Image {number} of {path.name} must be of the size of the first, {rows[0].shape}. "
                f"Received: {row.shape}"
            )
        rows.append(row.astype(np.uint8) if row.dtype.kind == "i" and row.size and _are_bytes(row) else row)
    return np.stack(rows)


def _are_bytes(row: Any) -> bool:
    return bool(row.min() >= 0 and row.max() <= 255)


def _labels(path: Path, labels: Sequence[Any]) -> Any:
    """Numbers, names, or rows with one 1; a mixture of numbers and names counts as names."""
    for number, label in enumerate(labels, start=1):
        if not isinstance(label, int | float | str | list):
            raise DatasetError(f"Label {number} of {path.name} must be a number or a name. Received: {label}")
    if any(isinstance(label, str) for label in labels):
        return np.array([str(label) for label in labels])
    try:
        return np.asarray(labels)
    except ValueError as error:
        raise DatasetError(f"{path.name} must have one label for each image.") from error


def _numbered(labels: Any, classes: Sequence[str] | None) -> Any:
    """Labels that are positions among given names, as those names."""
    array = np.asarray(labels)
    if classes is None or array.ndim != 1 or array.dtype.kind not in "iu" or not array.size:
        return array
    if {str(label) for label in np.unique(array).tolist()} <= set(classes):
        return array
    if array.min() < 0 or array.max() >= len(classes):
        return array
    return np.array([classes[position] for position in array.tolist()])


def _without(path: Path, wanted: str, names: Sequence[str]) -> str:
    return f"{path.name} must hold {wanted}. Received: {listed(list(names)) or 'nothing'}"


def _pickled(path: Path) -> str:
    return f"{path.name} holds Python objects, which are never unpacked, because that may run code; save plain numbers."


def _damaged(path: Path, error: Exception) -> str:
    return f"{path.name} is no whole .npz file; save it again. Received: {error or type(error).__name__}"
