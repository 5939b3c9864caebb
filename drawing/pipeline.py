"""From ink to a network's input: every step shown, every step with a switch."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .resample import Picture
from .steps import Sheet, centred, cropped, fitted, inverted, scaled, sheet_of

EMPTY_BELOW = 0.1
"""Least difference between paper and ink, of 1, that counts as drawn."""


@dataclass(frozen=True, kw_only=True)
class Steps:
    """Which steps are switched on."""

    invert: bool = True
    crop: bool = True
    scale: bool = True
    centre: bool = True


ALL_STEPS = Steps()


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage:
    """The picture after one step.

    Attributes:
        name: `ink`, `invert`, `crop`, `scale`, `centre` or `input`.
        title: what the page calls it.
        explanation: one line that says what the step is for.
        image: float32 `(height, width)` in [0, 1], read-only.
        switchable: whether the step can be switched off; its name is then a field of `Steps`.
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


def prepare(ink: NDArray[np.floating], input_shape: tuple[int, int, int], steps: Steps = ALL_STEPS) -> Prepared:
    """Turns ink into the input of a network.

    Args:
        ink: `(height, width)` in [0, 1], dark on light or light on dark.
        input_shape: `(height, width, channels)` of the network; grey is repeated over the channels.
        steps: which steps are switched on.

    Raises:
        ValueError: the ink is not a picture of finite numbers.
    """
    height, width, channels = input_shape
    sheet = sheet_of(_picture(ink))
    empty = bool(sheet.strength.max() < EMPTY_BELOW)
    stages = tuple(_empty_stages(sheet, height, width, steps) if empty else _stages(sheet, height, width, steps))
    image = np.repeat(stages[-1].image[:, :, None], channels, axis=2)
    image.flags.writeable = False
    return Prepared(stages=stages, image=image, empty=empty)


def _stages(sheet: Sheet, height: int, width: int, steps: Steps) -> Iterator[Stage]:
    yield _stage("ink", sheet)
    actions: dict[str, Callable[[Sheet], Sheet]] = {
        "invert": inverted,
        "crop": cropped,
        "scale": lambda given: scaled(given, height, width),
        "centre": lambda given: centred(given, height, width),
    }
    for name, action in actions.items():
        active = getattr(steps, name)
        sheet = action(sheet) if active else Sheet(sheet.picture, sheet.paper, "switched off: passed on unchanged")
        yield _stage(name, sheet, active)
    yield _stage("input", fitted(sheet, height, width))


def _empty_stages(sheet: Sheet, height: int, width: int, steps: Steps) -> Iterator[Stage]:
    paper = Sheet(sheet.picture, sheet.paper, "nothing drawn yet")
    for name in ("ink", "invert", "crop", "scale", "centre"):
        yield _stage(name, paper, getattr(steps, name, True))
    yield _stage("input", Sheet(np.zeros((height, width), np.float32), 0.0, paper.note))


_WORDS = {
    "ink": ("Ink", "What was drawn."),
    "invert": ("Light on dark", "The network learnt from light digits on black, so the ink is made light."),
    "crop": ("Cropped", "Empty paper around the digit is cut off: where it was drawn must not matter."),
    "scale": ("Scaled", "Large and small digits come to one size, without being stretched."),
    "centre": ("Centred", "The digit's centre of mass goes to the middle, where the training digits have theirs."),
    "input": ("Input", "Exactly the numbers that the network gets."),
}


def _stage(name: str, sheet: Sheet, active: bool = True) -> Stage:
    title, explanation = _WORDS[name]
    image = sheet.picture.view()
    image.flags.writeable = False
    switchable = name not in ("ink", "input")
    return Stage(
        name=name,
        title=title,
        explanation=explanation,
        image=image,
        switchable=switchable,
        active=active,
        note=sheet.note,
    )


def _picture(ink: NDArray[np.floating]) -> Picture:
    """A copy of the ink within [0, 1], so that nobody can change it afterwards."""
    picture = np.asarray(ink, np.float32)
    if picture.ndim != 2 or not picture.size or not np.isfinite(picture).all():
        raise ValueError(f"Ink must be finite numbers (height, width). Received: {picture.dtype} {picture.shape}")
    return np.clip(picture, 0, 1)
