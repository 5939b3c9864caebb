"""The way of an image of a data set onto the page one draws on, as that page's address."""

from dataclasses import dataclass
from urllib.parse import urlencode

import numpy as np

from ...backends.base import BackendError
from ...drawing.ink import encode_ink
from ...drawing.strokes import render_strokes
from ...models.bundled import BUNDLED
from ...training.config import RunError
from ...training.runs import SOURCE
from ..services import Services
from ..state import STEPS
from .choice import Named
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


def address_of(opened: Opened, index: int, network: Network, disturbance: str = "", strength: str = "") -> str:
    """What stands after `#` in the address that shows image number `index` of a data set.

    An image of the samples is named as one; a digit that was written with a pen is drawn from its strokes; any other
    is named by its data set, with all steps switched off for whoever draws upon it: it has been prepared already.

    Args:
        opened: the data set.
        index: of the image, counted from 0.
        network: which the page is to show.
        disturbance: name of what is done to the image; empty for nothing.
        strength: of that.
    """
    dataset = opened.dataset
    label = int(dataset.labels[index])
    if opened.samples and not disturbance:
        number = int(np.searchsorted(dataset.indices_of(label), index))
        return _query(network, None, sample=f"{label}.{number}")
    known = network.label(dataset.classes[label])
    if opened.pens and not disturbance:
        return _query(network, known, ink=encode_ink(render_strokes(opened.pens[index].strokes)))
    image = str(Named(opened.choice, index, disturbance, strength))
    return _query(network, known, image=image, off=",".join(STEPS))


def _query(network: Network, label: int | None, **more: str) -> str:
    given = {"model": network.model, "backend": network.backend, **more}
    return urlencode(given if label is None else {**given, "label": str(label)})
