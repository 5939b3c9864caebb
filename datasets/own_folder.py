"""A folder of pictures per class."""

import os
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from .base import DatasetError
from .own_content import Content, Part, Progress, check_bytes, counted, listed, natural
from .own_pictures import SUFFIXES, PictureError, Size, read_picture, size_of

HIDDEN = ("thumbs.db", "desktop.ini", "__macosx")
"""What systems put into folders, in small letters."""
PARTS: Mapping[str, Part | None] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("test", "testing"), "test"),
    **dict.fromkeys(("val", "valid", "validation"), None),
}
"""Folder names that mean a part of the data rather than a class."""
LARGEST_SIDE = 1024
"""Pixels of the common size, where none was asked for."""


class UnreadableError(DatasetError):
    """Pictures in a folder cannot be read; the user may decide to go on without them.

    Attributes:
        files: each one's path below the folder, and why.
        total: how many pictures there are, the unreadable ones among them.
    """

    def __init__(self, folder: Path, files: Mapping[str, str], total: int) -> None:
        self.files = dict(files)
        self.total = total
        named = listed([f"{name} ({reason})" for name, reason in files.items()])
        super().__init__(
            f"{len(files):,} of {counted(total, 'picture')} in {folder.name} cannot be read; mend or remove them, or "
            f"go on without them. Received: {named}"
        )


def read_folder(
    folder: Path, size: Size | None, colour: bool, part: Part, skip_unreadable: bool, progress: Progress
) -> Content:
    """Reads a folder; see `load_own`.

    Raises:
        DatasetError: there are no class folders with pictures in it, or too much of anything.
        UnreadableError: some pictures cannot be read, and `skip_unreadable` does not allow to go on.
    """
    folder = _part_of(folder, part)
    found, notes = _files(folder)
    faults: dict[Path, str] = {}
    sizes = _sizes(found, faults)
    wanted = size or _common(list(sizes.values()), folder)
    if len(set(sizes.values())) > 1 or (size and set(sizes.values()) != {size}):
        notes.append(f"Pictures of other sizes were fitted to {wanted[0]}×{wanted[1]}, their aspect kept.")
    check_bytes(folder.name, len(sizes), *wanted, 3 if colour else 1)
    images = np.empty((len(sizes), *wanted, 3 if colour else 1), np.uint8)
    read: list[Path] = []
    for done, path in enumerate(sizes, start=1):
        try:
            images[len(read)] = read_picture(path, wanted, colour)
            read.append(path)
        except PictureError as error:
            faults[path] = str(error)
        progress(done, len(sizes))
    if faults and (not skip_unreadable or not read):
        raise _unreadable(folder, faults, found)
    if faults:
        names = [str(path.relative_to(folder)) for path in faults]
        notes.append(f"{counted(len(faults), 'unreadable picture')} left out: {listed(names)}.")
    return _labelled(images[: len(read)], read, found, notes)


def _labelled(images: np.ndarray, read: Sequence[Path], found: Mapping[str, list[Path]], notes: list[str]) -> Content:
    """The pictures with their classes; a class of which none could be read is left out."""
    class_of = {path: name for name, paths in found.items() for path in paths}
    held = {class_of[path] for path in read}
    classes = tuple(name for name in found if name in held)
    lost = [name for name in found if name not in held]
    if lost:
        notes.append(f"No picture can be read of {listed(lost)}.")
    positions = {name: position for position, name in enumerate(classes)}
    labels = np.array([positions[class_of[path]] for path in read], np.int64)
    return Content(images, labels, classes, tuple(notes))


def _part_of(folder: Path, part: Part) -> Path:
    """The folder itself, or the one inside it that holds the part asked for."""
    inside = _folders(folder)
    if not inside or any(each.name.casefold() not in PARTS for each in inside):
        return folder
    chosen = [each for each in inside if PARTS[each.name.casefold()] == part]
    if not chosen:
        raise DatasetError(
            f"{folder} must hold a folder {part} beside {listed([each.name for each in inside])}, or a folder of "
            "pictures per class."
        )
    return chosen[0]


def _folders(folder: Path) -> list[Path]:
    return sorted(
        (each for each in folder.iterdir() if each.is_dir() and not _is_hidden(each.name)),
        key=lambda each: natural(each.name),
    )


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.casefold() in HIDDEN


def _files(folder: Path) -> tuple[dict[str, list[Path]], list[str]]:
    """The picture files of every class, both in natural order, and what was found beside them."""
    found: dict[str, list[Path]] = {}
    others = [each.name for each in folder.iterdir() if each.is_file() and not _is_hidden(each.name)]
    if not (inside := _folders(folder)):
        raise DatasetError(
            f"{folder} must hold a folder of pictures for each class, named like the class. Received: "
            f"{counted(len(others), 'file')} and no folder"
        )
    for each in inside:
        name = unicodedata.normalize("NFC", each.name)
        if name in found:
            raise DatasetError(f"Two folders in {folder} are both called {name}; rename one of them.")
        found[name], beside = _pictures(each)
        others += beside
    empty = [name for name, paths in found.items() if not paths]
    notes = [f"Class folders without pictures left out: {listed(empty)}."] if empty else []
    if others:
        notes.append(f"{counted(len(others), 'file')} of other kinds left out: {listed(sorted(others))}.")
    if len(empty) == len(found):
        kinds = ", ".join(suffix.lstrip(".") for suffix in SUFFIXES)
        raise DatasetError(f"{folder} holds no pictures ({kinds}) in its folders. Received: {listed(list(found))}")
    return {name: paths for name, paths in found.items() if paths}, notes


def _pictures(folder: Path) -> tuple[list[Path], list[str]]:
    """Picture files at any depth in natural order, and the names of other files."""
    files = [Path(root, name) for root, _, names in os.walk(folder) for name in names]
    files = [path for path in files if not any(map(_is_hidden, path.relative_to(folder).parts))]
    pictures = [path for path in files if path.suffix.casefold() in SUFFIXES]
    beside = [path.name for path in files if path.suffix.casefold() not in SUFFIXES]
    return sorted(pictures, key=lambda path: natural(str(path.relative_to(folder)))), beside


def _sizes(found: Mapping[str, list[Path]], faults: dict[Path, str]) -> dict[Path, Size]:
    sizes = {}
    for path in (path for paths in found.values() for path in paths):
        try:
            sizes[path] = size_of(path)
        except PictureError as error:
            faults[path] = str(error)
    return sizes


def _common(sizes: Sequence[Size], folder: Path) -> Size:
    """The middle height and the middle width: the commonest one where most pictures have it."""
    if not sizes:
        return 1, 1
    height, width = (sorted(each)[len(sizes) // 2] for each in zip(*sizes, strict=True))
    if max(height, width) > LARGEST_SIDE:
        raise DatasetError(
            f"The pictures in {folder.name} are larger than any network here can take; give a size of at most "
            f"{LARGEST_SIDE} on each side. Received: {height}×{width}"
        )
    return height, width


def _unreadable(folder: Path, faults: Mapping[Path, str], found: Mapping[str, list[Path]]) -> UnreadableError:
    files = {str(path.relative_to(folder)): reason for path, reason in faults.items()}
    return UnreadableError(folder, files, sum(map(len, found.values())))
