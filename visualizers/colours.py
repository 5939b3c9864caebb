"""Colours for colour-blind eyes, readable on white and on near-black, and the scales that carry numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..backends.base import Array
from .words import joined, short

# Okabe and Ito 2008, "Color Universal Design": distinct for every common form of colour vision.
BLUE, GREEN, VERMILLION, ORANGE, PURPLE = "#0072B2", "#009E73", "#D55E00", "#E69F00", "#CC79A7"
GREY = "#8c8c8c"
FAINT = "rgba(128,128,128,0.3)"
CLEAR = "rgba(0,0,0,0)"

VIRIDIS = (
    "#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725",
)  # fmt: skip
# Moreland 2009, "Diverging Color Maps for Scientific Visualization": blue below zero, red above, and a grey middle that
# is seen on a white page as well as on a dark one.
BLUE_RED = (
    "#3b4cc0", "#6282ea", "#8db0fe", "#b8d0f9", "#dddddd", "#f5c4ad", "#f49a7b", "#de604d", "#b40426",
)  # fmt: skip
BELOW, ABOVE = BLUE_RED[1], BLUE_RED[7]


@dataclass(frozen=True)
class Scale:
    """From numbers to colours.

    Values without signs run from 0 up through viridis (perceptually uniform); values with signs run from −m to m, so
    that zero is always the neutral middle.
    """

    low: float
    high: float

    @property
    def signed(self) -> bool:
        """Whether there are values below zero."""
        return self.low < 0

    @property
    def colorscale(self) -> str | list[list[float | str]]:
        """As Plotly takes it."""
        if not self.signed:
            return "Viridis"
        return [[index / (len(BLUE_RED) - 1), colour] for index, colour in enumerate(BLUE_RED)]

    @property
    def colours(self) -> Sequence[str]:
        """The colours from low to high."""
        return BLUE_RED if self.signed else VIRIDIS

    def legend(self, words: str, low: str = "", high: str = "", note: str = "") -> "Legend":
        """The scale with its ends and what they measure, and a remark on the figure."""
        return Legend(low or short(self.low), high or short(self.high), words, note, tuple(self.colours))


@dataclass(frozen=True)
class Legend:
    """A colour scale in words: its ends, what they measure, a remark, and the colours between the ends."""

    low: str
    high: str
    words: str
    note: str
    colours: tuple[str, ...]

    @property
    def text(self) -> str:
        """One line, the colours as blocks, and one for the remark; far cheaper to draw than Plotly's colour bar."""
        blocks = "".join(f'<span style="color:{colour}">█</span>' for colour in self.colours)
        return f"{self.low} {blocks} {self.high} {self.words}" + (f"<br>{self.note}" if self.note else "")

    @property
    def parts(self) -> dict[str, str | list[str]]:
        """The same as data, for a page that draws its own."""
        return {
            "low": self.low,
            "high": self.high,
            "words": joined(self.words, self.note),
            "colours": list(self.colours),
        }


def scale_of(values: Array, signed: bool = False) -> Scale:
    """The scale that shows every finite value, in an array of any shape; 0 to 1 when there is nothing but zeros.

    With `signed` it runs from −m to m even where no value lies below zero.
    """
    low, high = extent(values)
    if low < 0 or signed:
        largest = max(-low, high) or 1.0
        return Scale(-largest, largest)
    return Scale(0.0, high or 1.0)


def extent(values: Array) -> tuple[float, float]:
    """Smallest and largest finite value; zeros when there is none."""
    if not values.size:
        return 0.0, 0.0
    low, high = float(values.min()), float(values.max())
    if np.isfinite(low) and np.isfinite(high):
        return low, high
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
