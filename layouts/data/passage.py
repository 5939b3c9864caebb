"""The way of an image of a data set onto the page one draws on, as that page's address."""

from dataclasses import dataclass
from urllib.parse import urlencode

import numpy as np
from numpy.typing import NDArray

from ...backends.base import BackendError
from ...drawing.fit import fit_images
from ...drawing.ink import SIZE, encode_ink
from ...drawing.strokes import render_strokes
from ...models.bundled import BUNDLED
from ...training.config import RunError
from ...training.runs import SOURCE
from ..services import Services
from ..state import STEPS
from .sources import Opened


@dataclass(frozen=True)
class Network:
    """The model that the main page is to show, what it takes, and how it calls its classes."""

    model: str
    backend: str
    input_shape: tuple[int, int, int]
    classes: tuple[str, ...]

    def label(self, name: str) -> int | None:
        """The position of a class of that name; None where the network does not know it."""
        return self.classes.index(name) if name in self.classes else None


def network_of(services: Services, model: str = "", backend: str = "") -> Network:
    """A model that can be chosen; the server's own where none is named. A bundled one, or a run's, is not opened.

    Raises:
        BackendError: there is no such model.
    """
    model, backend = model or services.model, backend or services.default_backend
    if model in BUNDLED:
        return Network(model, backend, BUNDLED[model].input_shape, BUNDLED[model].classes)
    if services.store and model.startswith(SOURCE):
        try:
            architecture = services.store.architecture(model)
        except RunError as error:
            raise BackendError(str(error)) from error
        return Network(model, backend, architecture.input_shape, architecture.classes)
    opened = services.open(model, backend)
    return Network(model, backend, opened.input_shape, opened.classes)


def address_of(opened: Opened, index: int, network: Network) -> str:
    """What stands after `#` in the address that shows image number `index` of a data set.

    An image of the samples is named; a digit that was written with a pen is drawn from its strokes; any other one
    becomes ink with all steps switched off, because data sets hold images that are prepared already.
    """
    dataset = opened.dataset
    label = int(dataset.labels[index])
    if opened.samples:
        number = int(np.searchsorted(dataset.indices_of(label), index))
        return _query(network, None, sample=f"{label}.{number}")
    known = network.label(dataset.classes[label])
    if opened.pens:
        return _query(network, known, ink=encode_ink(render_strokes(opened.pens[index].strokes)))
    return ink_address(dataset.floats([index])[0], known, network)


def ink_address(image: NDArray[np.float32], label: int | None, network: Network) -> str:
    """What stands after `#` in the address that shows an image `(height, width, channels)` as it is.

    Where the image's longer side goes into 140 without rest, a network of its size gets exactly its pixels, in 256
    greys; else it is resized to fill the paper.
    """
    return _query(network, label, ink=encode_ink(on_paper(image)), off=",".join(STEPS))


def on_paper(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """An image `(height, width, channels)` in [0, 1] as ink `(140, 140)`, in grey, black around it."""
    grey = image.mean(axis=2, keepdims=True)
    times, rest = divmod(SIZE, max(grey.shape[:2]))
    if times and not rest:
        grey = np.repeat(np.repeat(grey, times, axis=0), times, axis=1)
    paper: NDArray[np.float32] = fit_images(grey[None], (SIZE, SIZE, 1))[0, :, :, 0]
    return paper


def _query(network: Network, label: int | None, **more: str) -> str:
    given = {"model": network.model, "backend": network.backend, **more}
    return urlencode(given if label is None else {**given, "label": str(label)})
