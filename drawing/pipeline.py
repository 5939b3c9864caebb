"""From ink to a network's input, step by step, in the manner in which MNIST was made.

LeCun, Bottou, Bengio and Haffner 1998, section III-A: digits were scaled to fit a box of 20×20 pixels keeping their
aspect, smoothed on the way, and placed in a field of 28×28 with their centre of mass in its middle.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from .resample import Picture, fitted_size, resized

EMPTY_BELOW = 0.1
"""Least difference between paper and ink, of 1, that counts as drawn."""
INK_FROM = 0.15
"""Share of the contrast from which a pixel counts as ink; scanner noise stays below."""
BOX = 20 / 28
"""Share of the shorter side of the field that a digit takes."""


@dataclass(frozen=True, kw_only=True)
class Steps:
    """Which steps are switched on."""

    invert: bool = True
    crop: bool = True
    scale: bool = True
    centre: bool = True


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage:
    """The picture after one step.

    Attributes:
        name: `ink`, `invert`, `crop`, `scale`, `centre` or `input`.
        title: what the page calls it.
        explanation: one line that says what the step is for.
        image: float32 `(height, width)` in [0, 1], read-only.
        switchable: whether the step can be switched off.
        active: whether it is switched on.
        note: what it did to this picture.
    """

    name: str
    title: str
    explanation: str
    image: Picture
    switchable: bool
    active: bool
    note: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """Everything between ink and input.

    Attributes:
        stages: ink, the four steps, and the input, in this order.
        image: float32 `(height, width, channels)` in [0, 1], read-only: what the network gets.
        empty: nothing was drawn; `image` is then all zeros.
    """

    stages: tuple[Stage, ...]
    image: NDArray[np.float32]
    empty: bool


@dataclass(frozen=True)
class _Sheet:
    """A picture on its way, with the brightness of its paper and what the last step says."""

    picture: Picture
    paper: float
    note: str = ""

    @property
    def strength(self) -> Picture:
        """How far each pixel differs from the paper."""
        return np.abs(self.picture - np.float32(self.paper))


def prepare(ink: NDArray[np.floating], input_shape: tuple[int, int, int], steps: Steps | None = None) -> Prepared:
    """Turns ink into the input of a network.

    Args:
        ink: `(height, width)` in [0, 1], dark on light or light on dark.
        input_shape: `(height, width, channels)` of the network.
        steps: which steps are switched on; all of them if not given.

    Raises:
        ValueError: the ink is not a picture of finite numbers.
    """
    steps = steps or Steps()
    picture = _picture(ink)
    height, width, channels = input_shape
    sheet = _Sheet(picture, _paper(picture))
    empty = bool(sheet.strength.max() < EMPTY_BELOW)
    actions: tuple[tuple[str, str, str, bool, Callable[[_Sheet], _Sheet]], ...] = (
        ("invert", "Light on dark", "The network learnt from light digits on black.", steps.invert, _inverted),
        ("crop", "Cropped", "The empty paper around the digit is cut off.", steps.crop, _cropped),
        (
            "scale",
            "Scaled",
            "Large and small digits come to one size, without being stretched.",
            steps.scale,
            lambda given: _scaled(given, round(BOX * min(height, width))),
        ),
        (
            "centre",
            "Centred",
            "The digit moves until its centre of mass is in the middle, as in the training images.",
            steps.centre,
            lambda given: _centred(given, height, width),
        ),
    )
    stages = [_stage("ink", "Ink", "What you drew.", sheet, "nothing drawn yet" if empty else _size(picture))]
    for name, title, explanation, active, action in actions:
        if active and not empty:
            sheet = action(sheet)
        note = "nothing drawn yet" if empty else sheet.note if active else "switched off: the picture passes unchanged"
        stages.append(_stage(name, title, explanation, sheet, note, switchable=True, active=active))
    final = _Sheet(np.zeros((height, width), np.float32), 0.0) if empty else _fitted(sheet, height, width)
    note = (
        f"{height}×{width} pixels" if channels == 1 else f"{height}×{width} pixels, the same in all {channels} channels"
    )
    stages.append(_stage("input", "Input", "Exactly the numbers that the network gets.", final, note))
    image = _read_only(np.repeat(final.picture[:, :, None], channels, axis=2))
    return Prepared(stages=tuple(stages), image=image, empty=empty)


def _picture(ink: NDArray[np.floating]) -> Picture:
    picture = np.array(ink, np.float32)
    if picture.ndim != 2 or not picture.size or not np.isfinite(picture).all():
        raise ValueError(f"Ink must be finite numbers (height, width). Received: {picture.shape}")
    np.clip(picture, 0, 1, out=picture)
    return picture


def _paper(picture: Picture) -> float:
    """Brightness of the paper: the middle value along the border, which a stroke over the edge does not change."""
    return float(np.median(np.concatenate((picture[0], picture[-1], picture[:, 0], picture[:, -1]))))


def _inverted(given: _Sheet) -> _Sheet:
    """Paper at 0 and the strongest ink at 1, whichever was the lighter."""
    light_paper = given.paper - given.picture.min() > given.picture.max() - given.paper
    difference = given.paper - given.picture if light_paper else given.picture - given.paper
    contrast = difference.max()
    note = "paper is light: inverted" if light_paper else "already light on dark"
    if contrast < 0.95:
        note += f", contrast raised from {contrast:.0%}"
    return _Sheet(np.clip(difference / contrast, 0, 1), 0.0, note)


def _cropped(given: _Sheet) -> _Sheet:
    """The smallest rectangle with all ink in it."""
    strength = given.strength
    drawn = strength > INK_FROM * strength.max()
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    picture = given.picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return _Sheet(picture, given.paper, f"{_size(picture)} of {_size(given.picture)} kept")


def _scaled(given: _Sheet, longest: int) -> _Sheet:
    """The longest side at `longest` pixels."""
    height, width = fitted_size((given.picture.shape[0], given.picture.shape[1]), max(longest, 1), max(longest, 1))
    picture = resized(given.picture, height, width)
    return _Sheet(picture, given.paper, f"{_size(given.picture)} brought to {_size(picture)}")


def _centred(given: _Sheet, height: int, width: int) -> _Sheet:
    """The picture on a field with the aspect of the input, its centre of mass in the middle, nothing cut off."""
    scale = max(1.0, given.picture.shape[0] / height, given.picture.shape[1] / width)
    field = (ceil(height * scale), ceil(width * scale))
    strength = given.strength
    total = strength.sum()
    # In all of MNIST the centre of mass lies within half a pixel of row 14 and column 14, counted from 0.
    placed = [
        size / 2 - float(strength.sum(axis=1 - axis) @ np.arange(strength.shape[axis]) / total)
        for axis, size in enumerate(field)
    ]
    top, left = (
        min(max(round(start), 0), size - own) for start, size, own in zip(placed, field, strength.shape, strict=True)
    )
    moved = (top - (field[0] - strength.shape[0]) / 2, left - (field[1] - strength.shape[1]) / 2)
    return _Sheet(_placed(given, field, top, left), given.paper, f"moved {moved[1]:+g} across and {moved[0]:+g} down")


def _fitted(given: _Sheet, height: int, width: int) -> _Sheet:
    """Exactly the size of the input: padded where it is smaller, else made to fit and padded."""
    shape = (given.picture.shape[0], given.picture.shape[1])
    if shape[0] > height or shape[1] > width:
        given = _Sheet(resized(given.picture, *fitted_size(shape, height, width)), given.paper)
    rows, columns = given.picture.shape
    return _Sheet(_placed(given, (height, width), (height - rows) // 2, (width - columns) // 2), given.paper)


def _placed(given: _Sheet, field: tuple[int, int], top: int, left: int) -> Picture:
    """The picture on paper of the size `field`."""
    placed = np.full(field, given.paper, np.float32)
    placed[top : top + given.picture.shape[0], left : left + given.picture.shape[1]] = given.picture
    return placed


def _stage(
    name: str, title: str, explanation: str, sheet: _Sheet, note: str, *, switchable: bool = False, active: bool = True
) -> Stage:
    image = _read_only(sheet.picture)
    return Stage(
        name=name, title=title, explanation=explanation, image=image, switchable=switchable, active=active, note=note
    )


def _read_only(values: NDArray[np.float32]) -> NDArray[np.float32]:
    view = values.view()
    view.flags.writeable = False
    return view


def _size(picture: Picture) -> str:
    return f"{picture.shape[0]}×{picture.shape[1]}"
