"""The single steps from ink to input, in the manner in which MNIST was made.

LeCun, Bottou, Bengio and Haffner 1998, section III-A: digits were scaled to fit a box of 20×20 pixels keeping their
aspect, smoothed on the way, and placed in a field of 28×28 with their centre of mass in its middle.

Each step works on what it is handed, whatever was switched off before it, and treats dark ink like light ink.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np

from .resample import Picture, fitted_size, resized

INK_FROM = 0.15
"""Share of the contrast from which a pixel counts as ink; scanner noise stays below."""
BOX = 20 / 28
"""Share of the shorter side of the field that a digit takes."""


@dataclass(frozen=True)
class Sheet:
    """A picture on its way: `(height, width)` in [0, 1], the brightness of its paper, what the last step did."""

    picture: Picture
    paper: float
    note: str = ""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.picture.shape[0], self.picture.shape[1]

    @property
    def strength(self) -> Picture:
        """How far each pixel differs from the paper."""
        difference: Picture = np.abs(self.picture - np.float32(self.paper))
        return difference


def sheet_of(picture: Picture) -> Sheet:
    """A picture as it comes; its paper is the middle value along the border, which strokes across it do not change."""
    border = np.concatenate((picture[0], picture[-1], picture[:, 0], picture[:, -1]))
    return Sheet(picture, float(np.median(border)), words(picture.shape))


def inverted(given: Sheet) -> Sheet:
    """Paper at 0 and the strongest ink at 1, whichever was the lighter."""
    above, below = given.picture - np.float32(given.paper), np.float32(given.paper) - given.picture
    paper_is_light = below.max() > above.max()
    difference = below if paper_is_light else above
    contrast = difference.max()
    note = "paper is light: inverted" if paper_is_light else "already light on dark"
    if contrast < 0.95:
        note += f", contrast raised from {contrast:.0%}"
    return Sheet(np.clip(difference / contrast, 0, 1), 0.0, note)


def cropped(given: Sheet) -> Sheet:
    """The smallest rectangle with all ink in it."""
    strength = given.strength
    drawn = strength > INK_FROM * strength.max()
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    picture = given.picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Sheet(picture, given.paper, f"{words(picture.shape)} of {words(given.shape)} kept")


def scaled(given: Sheet, height: int, width: int) -> Sheet:
    """The longest side at 20 of 28 parts of the shorter side of the field `height` × `width`."""
    longest = max(1, round(BOX * min(height, width)))
    picture = resized(given.picture, *fitted_size(given.shape, longest, longest))
    return Sheet(picture, given.paper, f"{words(given.shape)} brought to {words(picture.shape)}")


def centred(given: Sheet, height: int, width: int) -> Sheet:
    """The picture on a field with the aspect of the input, its centre of mass in the middle, nothing cut off."""
    scale = max(1.0, given.shape[0] / height, given.shape[1] / width)
    field = (ceil(height * scale), ceil(width * scale))
    top, left = (_start(given, axis, size) for axis, size in enumerate(field))
    middle = _middle(given, field)
    down, right = top - middle[0], left - middle[1]
    note = f"moved {_towards(down, 'down', 'up')} and {_towards(right, 'right', 'left')}"
    return Sheet(_placed(given, field, (top, left)), given.paper, note)


def fitted(given: Sheet, height: int, width: int) -> Sheet:
    """Exactly the size of the input: what is larger is reduced, what is smaller gets paper around it."""
    note = f"{words((height, width))} numbers from 0 to 1"
    if given.shape[0] > height or given.shape[1] > width:
        given = Sheet(resized(given.picture, *fitted_size(given.shape, height, width)), given.paper)
    return Sheet(_placed(given, (height, width), _middle(given, (height, width))), given.paper, note)


def words(shape: tuple[int, ...]) -> str:
    """Height and width as `28×28`."""
    return "×".join(map(str, shape))


def _start(given: Sheet, axis: int, size: int) -> int:
    """Where the picture begins on a field of `size` pixels so that its mass is in the middle, as far as it fits."""
    # The small number keeps the mean defined where a reduction has averaged light and dark back to paper.
    mass = given.strength.sum(axis=1 - axis, dtype=np.float64) + 1e-9
    centre = float(np.average(np.arange(given.shape[axis]), weights=mass))
    # In all of MNIST the centre of mass is within half a pixel of row 14 and column 14, counted from 0.
    return min(max(round(size / 2 - centre), 0), size - given.shape[axis])


def _middle(given: Sheet, field: tuple[int, int]) -> tuple[int, int]:
    return (field[0] - given.shape[0]) // 2, (field[1] - given.shape[1]) // 2


def _placed(given: Sheet, field: tuple[int, int], start: tuple[int, int]) -> Picture:
    """The picture on paper of the size `field`."""
    placed = np.full(field, given.paper, np.float32)
    placed[start[0] : start[0] + given.shape[0], start[1] : start[1] + given.shape[1]] = given.picture
    return placed


def _towards(pixels: int, forwards: str, backwards: str) -> str:
    return f"{abs(pixels)} {backwards if pixels < 0 else forwards}"
