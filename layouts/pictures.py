"""The image a page looks at, from the browser's ink store to the network's input."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..datasets.base import Dataset
from ..datasets.samples import choose
from ..drawing.fit import fit_images
from ..drawing.ink import decode_ink
from ..drawing.pipeline import Prepared, Stage, Steps, prepare
from ..evaluation.sets import class_places


@dataclass(frozen=True)
class Source:
    """Where the image comes from: ink, or a stored image that nobody has drawn upon; neither is empty paper.

    Attributes:
        ink: as `drawing.ink` encodes it.
        sample: digit, and which of its samples.
        label: the true class, where it is known.
        image: an image of a data set, as `data.choice.Named` is written.
    """

    ink: str | None = None
    sample: tuple[int, int] | None = None
    label: int | None = None
    image: str | None = None

    @classmethod
    def of(cls, data: Mapping[str, Any] | None) -> "Source":
        """The source as the ink store describes it."""
        data = data or {}
        sample = data.get("sample")
        place = (int(sample[0]), int(sample[1])) if sample else None
        return cls(data.get("ink"), place, data.get("label"), data.get("image"))

    @property
    def data(self) -> dict[str, Any]:
        """The source as the ink store keeps it."""
        return {"ink": self.ink, "sample": self.sample, "label": self.label, "image": self.image}


@dataclass(frozen=True, eq=False)
class Stored:
    """An image of a data set.

    Attributes:
        image: uint8 `(height, width, channels)`.
        label: its class, a position in `classes`.
        classes: of the data set.
        title: what the page calls the data set.
        note: which image it is, in a sentence.
    """

    image: NDArray[np.uint8]
    label: int
    classes: tuple[str, ...]
    title: str
    note: str

    @classmethod
    def of(cls, dataset: Dataset, index: int, image: NDArray[np.uint8] | None = None, more: str = "") -> "Stored":
        """Image number `index` of a data set; `image` is what was made of it, and `more` says so."""
        label = int(dataset.labels[index])
        note = " ".join(filter(None, [f"{dataset.title}: image {index:,}, a {dataset.classes[label]}.", more]))
        return cls(dataset.images[index] if image is None else image, label, dataset.classes, dataset.title, note)

    @classmethod
    def sample(cls, dataset: Dataset, sample: tuple[int, int]) -> "Stored":
        """One of the images of a digit.

        Raises:
            DatasetError: a sample that does not exist.
        """
        digit, number = sample
        index = choose(dataset, digit, number)
        count = len(dataset.indices_of(digit))
        note = f"{dataset.title}: a {dataset.classes[digit]}, number {number} of {count:,}."
        return cls(dataset.images[index], digit, dataset.classes, dataset.title, note)

    @property
    def picture(self) -> NDArray[np.uint8]:
        """`(side, side)` in grey or `(side, side, 3)` in colour, black around it: as the paper shows it."""
        height, width, channels = self.image.shape
        side = max(height, width)
        top, left = (side - height) // 2, (side - width) // 2
        square = np.zeros((side, side, channels), np.uint8)
        square[top : top + height, left : left + width] = self.image
        return square if channels == 3 else square[:, :, 0]

    def label_in(self, classes: Sequence[str]) -> int | None:
        """Its class as a position among a model's classes; None where the model does not know it."""
        name = self.classes[self.label]
        if name in classes:
            return list(classes).index(name)
        places = class_places(self.classes, classes)
        return None if places is None else int(places[self.label])


def prepared(source: Source, stored: Stored | None, input_shape: tuple[int, int, int], steps: Steps) -> Prepared:
    """The network's input with every step to it.

    Args:
        source: where the image comes from.
        stored: the stored image that the source names; see `Services.stored`.
        input_shape: `(height, width, channels)` of the network.
        steps: what is done to ink.

    Raises:
        InkError: ink that cannot be read.
    """
    if stored:
        return _as_stored(stored, input_shape)
    ink = decode_ink(source.ink) if source.ink else np.ones((140, 140), np.float32)
    return prepare(ink, input_shape, steps)


def data_url(picture: NDArray[Any], side: int) -> str:
    """A PNG of a picture, `(height, width)` or `(height, width, 3)`, enlarged to `side` without smoothing.

    Args:
        picture: uint8, or floats in [0, 1].
        side: pixels of its width at least.
    """
    image = Image.fromarray(picture if picture.dtype == np.uint8 else np.rint(picture * 255).astype(np.uint8))
    if image.width < side:
        image = image.resize((side, side * image.height // image.width), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _as_stored(stored: Stored, input_shape: tuple[int, int, int]) -> Prepared:
    """A stored image skips the steps: it went through them when the data were made."""
    fitted = fit_images(stored.image[None], input_shape)[0]
    grey = np.asarray(stored.image, np.float32).mean(axis=2) / 255
    words = {
        "ink": ("Stored", f"an image from {stored.title}"),
        **dict.fromkeys(("invert", "crop", "scale", "centre"), ("", "not needed: images are stored prepared")),
    }
    stages = [
        Stage(name=name, title=title, explanation="", image=grey, switchable=name != "ink", active=False, note=note)
        for name, (title, note) in words.items()
    ]
    size = f"{input_shape[0]}×{input_shape[1]} pixels"
    final = Stage(
        name="input",
        title="Input",
        explanation="",
        image=fitted.mean(axis=2),
        switchable=False,
        active=False,
        note=size,
    )
    return Prepared(stages=(*stages, final), image=fitted, empty=False)
