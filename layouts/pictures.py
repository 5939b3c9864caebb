"""The image a page looks at, from the browser's ink store to the network's input."""

import base64
import io
from collections.abc import Mapping
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


@dataclass(frozen=True)
class Source:
    """Where the image comes from: ink, or a sample that nobody has drawn upon; neither is empty paper.

    Attributes:
        ink: as `drawing.ink` encodes it.
        sample: digit, and which of its samples.
        label: the true class, where it is known.
    """

    ink: str | None = None
    sample: tuple[int, int] | None = None
    label: int | None = None

    @classmethod
    def of(cls, data: Mapping[str, Any] | None) -> "Source":
        """The source as the ink store describes it."""
        data = data or {}
        sample = data.get("sample")
        return cls(data.get("ink"), (int(sample[0]), int(sample[1])) if sample else None, data.get("label"))

    @property
    def data(self) -> dict[str, Any]:
        """The source as the ink store keeps it."""
        return {"ink": self.ink, "sample": self.sample, "label": self.label}


def prepared(source: Source, dataset: Dataset | None, input_shape: tuple[int, int, int], steps: Steps) -> Prepared:
    """The network's input with every step to it.

    Raises:
        InkError: ink that cannot be read.
        DatasetError: a sample that does not exist.
    """
    if source.sample and dataset:
        return _as_stored(sample_image(dataset, source.sample), dataset, input_shape)
    ink = decode_ink(source.ink) if source.ink else np.ones((140, 140), np.float32)
    return prepare(ink, input_shape, steps)


def sample_image(dataset: Dataset, sample: tuple[int, int]) -> NDArray[np.uint8]:
    """`(height, width, channels)` of one sample, as stored."""
    image: NDArray[np.uint8] = dataset.images[choose(dataset, *sample)]
    return image


def data_url(picture: NDArray[Any], side: int) -> str:
    """A PNG of a grey picture, `(height, width)` uint8 or [0, 1], enlarged to `side` without smoothing."""
    grey = picture if picture.dtype == np.uint8 else np.rint(picture * 255).astype(np.uint8)
    image = Image.fromarray(grey)
    if image.width < side:
        image = image.resize((side, side * image.height // image.width), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _as_stored(image: NDArray[np.uint8], dataset: Dataset, input_shape: tuple[int, int, int]) -> Prepared:
    """A stored image skips the steps: it went through them when the data were made."""
    fitted = fit_images(image[None], input_shape)[0]
    stored = np.asarray(image, np.float32).mean(axis=2) / 255
    words = {
        "ink": ("Stored", f"a sample from {dataset.title}"),
        **dict.fromkeys(("invert", "crop", "scale", "centre"), ("", "not needed: samples are stored prepared")),
    }
    stages = [
        Stage(name=name, title=title, explanation="", image=stored, switchable=name != "ink", active=False, note=note)
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
