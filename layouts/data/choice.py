"""Which data is looked at, and which image of it, in typed values and as an address names them."""

import re
from dataclasses import dataclass

from ...datasets.base import DatasetError
from ...datasets.own_content import Part
from ...datasets.own_pictures import Size

OWN, PENS, HELD_OUT = "own", "pens", "pens-held-out"

_NAMED = re.compile(
    r"(?P<name>[a-z-]+)\.(?P<index>\d{1,9})(?P<test>\.test)?(?:\.(?P<height>\d{1,4})x(?P<width>\d{1,4}))?"
    r"(?P<colour>\.colour)?(?P<skip>\.skip)?(?:\.(?P<disturbance>[a-z]+)_(?P<strength>-?[\d.]+))?(?::(?P<path>.+))?"
)


@dataclass(frozen=True)
class Choice:
    """Which data is wanted.

    Attributes:
        name: one of those offered.
        path: of the user's own.
        part: which, where the user's own has two.
        colour: whether the user's own is read in colour.
        skip: whether pictures are left out that cannot be read.
        size: height and width that images are read at; None leaves them as they are.
    """

    name: str
    path: str = ""
    part: Part = "train"
    colour: bool = False
    skip: bool = False
    size: Size | None = None


@dataclass(frozen=True)
class Named:
    """One image of a data set.

    Attributes:
        choice: the data set.
        index: of the image, counted from 0.
        disturbance: name of what is done to it; empty for nothing.
        strength: of that, as one of its own strengths is written.
    """

    choice: Choice
    index: int
    disturbance: str = ""
    strength: str = ""

    @classmethod
    def of(cls, text: str) -> "Named":
        """The image that an address names: `mnist-test.123`, or `own.7.test.28x28.colour:/home/me/letters`.

        Raises:
            DatasetError: it names none.
        """
        found = _NAMED.fullmatch(text)
        if found is None:
            raise DatasetError(f"The address names an image as data.index, such as mnist-test.123. Received: {text!r}")
        size = (int(found["height"]), int(found["width"])) if found["height"] else None
        choice = Choice(
            name=found["name"],
            path=found["path"] or "",
            part="test" if found["test"] else "train",
            colour=bool(found["colour"]),
            skip=bool(found["skip"]),
            size=size,
        )
        return cls(choice, int(found["index"]), found["disturbance"] or "", found["strength"] or "")

    def __str__(self) -> str:
        choice = self.choice
        parts = [
            choice.name,
            str(self.index),
            *(["test"] if choice.part == "test" else []),
            *([f"{choice.size[0]}x{choice.size[1]}"] if choice.size else []),
            *(["colour"] if choice.colour else []),
            *(["skip"] if choice.skip else []),
            *([f"{self.disturbance}_{self.strength}"] if self.disturbance else []),
        ]
        return ".".join(parts) + (f":{choice.path}" if choice.path else "")
