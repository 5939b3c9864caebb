"""Pen-Based Recognition of Handwritten Digits (Alpaydin and Alimoglu 1998, UCI, CC BY 4.0), raw trajectories."""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .base import DatasetError, folders_in

FILE = "pendigits-orig.tra.gz"
TABLET = 500
"""Points along each side of the tablet."""


@dataclass(frozen=True, eq=False)
class PenDigit:
    """One written digit.

    Attributes:
        label: 0 to 9.
        writer: number of the person; split by it, never by sample.
        strokes: float32 `(points, 2)` each, x to the right and y down, in the unit square of the tablet.
    """

    label: int
    writer: int
    strokes: tuple[NDArray[np.float32], ...]


def find_pendigits(data: Path | None = None) -> Path | None:
    """The file of raw trajectories in `data` or its `pendigits/`, `LAYERSCOPE_DATA` or the user's cache, else None."""
    paths = (folder / FILE for folder in folders_in(data, "pendigits"))
    return next((path for path in paths if path.is_file()), None)


def load_pendigits(path: Path) -> tuple[PenDigit, ...]:
    """Reads UNIPEN text: `.SEGMENT` names a digit, `.COMMENT` its writer, points lie between `.PEN_DOWN` and `.PEN_UP`.

    Raises:
        DatasetError: the file is missing or damaged; the message names it and the line.
    """
    try:
        text = gzip.decompress(path.read_bytes()).decode("ascii")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} must be gzip-compressed UNIPEN text. Received: {error}") from error
    digits = tuple(_digit(path, lines) for lines in _segments(text.splitlines()))
    if not digits:
        raise DatasetError(f"{path} must hold written digits, each under a line .SEGMENT DIGIT. Received: none")
    return digits


def _segments(lines: Iterable[str]) -> Iterator[list[tuple[int, str]]]:
    """The numbered lines of each digit."""
    segment: list[tuple[int, str]] = []
    for numbered in enumerate(lines, start=1):
        if numbered[1].startswith(".SEGMENT"):
            if segment:
                yield segment
            segment = [numbered]
        elif segment:
            segment.append(numbered)
    if segment:
        yield segment


def _digit(path: Path, lines: list[tuple[int, str]]) -> PenDigit:
    label, writer = -1, -1
    strokes: list[list[tuple[float, float]]] = []
    for number, line in lines:
        words = line.split()
        try:
            match words:
                case [".SEGMENT", "DIGIT", *_, quoted]:
                    label = int(quoted.strip('"'))
                case [".COMMENT", _, person, *_]:
                    writer = int(person)
                case [".PEN_DOWN"]:
                    strokes.append([])
                case [x, y] if not x.startswith("."):
                    strokes[-1].append((int(x) / TABLET, 1 - int(y) / TABLET))
        except (ValueError, IndexError) as error:
            raise DatasetError(f"{path}, line {number}, is not UNIPEN text of a digit. Received: {line!r}") from error
    arrays = tuple(np.array(points, np.float32) for points in strokes if points)
    if not (0 <= label <= 9 and writer >= 0 and arrays):
        raise DatasetError(f"{path}, line {lines[0][0]}, must begin a digit with label, writer and points.")
    return PenDigit(label, writer, arrays)
