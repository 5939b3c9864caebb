"""Images behind the numbers: those of a selection, page by page, and one with what was answered and the way on."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import numpy as np

from ...backends.base import Capability
from ...drawing.fit import fit_images
from ...evaluation.selection import ORDERS, SHOWS, Selection
from ...models.layers import LayerInfo
from ..arrangements import first_with_weights
from ..data.choice import HELD_OUT, OWN, Choice, Named
from ..services import Services
from ..state import STEPS
from .evaluations import Found
from .pictures import COLUMNS, PAGE

NAMED = 5
"""Classes whose probabilities are named beside an image."""
PANEL_LAYERS = 12
"""Layers whose activations the main page is asked to show; of a deep network, the first that have learnt something."""


def selection_of(sent: Mapping[str, Any], classes: int) -> Selection:
    """What the page wants to see; what makes no sense counts as not said."""

    def place(name: str) -> int | None:
        value = sent.get(name)
        return value if type(value) is int and 0 <= value < classes else None

    def share(name: str, default: float) -> float:
        value = sent.get(name)
        return float(value) if isinstance(value, int | float) and 0 <= value <= 1 else default

    show = next((each for each in SHOWS if each == sent.get("show")), SHOWS[0])
    order = next((each for each in ORDERS if each == sent.get("order")), ORDERS[0])
    return Selection(place("true"), place("predicted"), show, share("low", 0.0), share("high", 1.0), order)


def gallery(found: Found, sent: Mapping[str, Any]) -> dict[str, Any]:
    """One page of a gallery.

    Args:
        found: the evaluation.
        sent: the selection, and `page`, counted from 1.
    """
    places = selection_of(sent, len(found.model.classes)).of(found.answers)
    pages = max(1, -(-len(places) // PAGE))
    page = sent.get("page")
    page = min(max(page, 1), pages) if type(page) is int else 1
    here = places[(page - 1) * PAGE : page * PAGE]
    return {
        "count": len(places),
        "page": page,
        "pages": pages,
        "columns": COLUMNS,
        "rows": -(-len(here) // COLUMNS),
        "items": [_item(found, int(image)) for image in here],
    }


def _item(found: Found, image: int) -> dict[str, Any]:
    answers, classes = found.answers, found.model.classes
    return {
        "image": image,
        "true": classes[answers.labels[image]],
        "predicted": classes[answers.predicted[image]],
        "confidence": float(answers.confidence[image]),
        "right": bool(answers.right[image]),
    }


def detail(services: Services, found: Found, image: int) -> dict[str, Any]:
    """One image: what it is, what was answered, its probabilities, the layers to compare by, and the way to its inside.

    Raises:
        IndexError: there is no such image.
    """
    if not 0 <= image < len(found.images):
        raise IndexError(f"{found.images.title} has images 0 to {len(found.images) - 1}. Received: {image}")
    rows = found.model.probabilities(fit_images(found.images.images[image : image + 1], found.model.input_shape))[0]
    best = np.argsort(-rows, kind="stable")[:NAMED]
    layers = [layer.name for layer in found.model.layers]
    return {
        **_item(found, image),
        "title": found.images.title,
        "probabilities": [{"class": found.model.classes[place], "share": float(rows[place])} for place in best],
        "layers": layers,
        "layer": _telling(found.model.layers),
        "link": link(services, found, image),
    }


def _telling(layers: Sequence[LayerInfo]) -> str:
    """The layer by which images are compared where nobody chose: the last before the classes are told apart."""
    flat = [layer.name for layer in layers[1:-1] if not layer.is_spatial and layer.units != layers[-1].units]
    return flat[-1] if flat else layers[max(0, len(layers) - 2)].name


def link(services: Services, found: Found, image: int) -> str:
    """The address of the main page with exactly this image, its activations, and why the model answers so."""
    answers, subject = found.answers, found.subject
    query = {
        "model": subject.model,
        "backend": subject.backend,
        **_source(services, found, image),
        "layer": first_with_weights(found.model.layers),
        "target": str(answers.predicted[image]),
        "panels": json.dumps(_panels(found), separators=(",", ":")),
    }
    return f"../#{urlencode(query)}"


def _source(services: Services, found: Found, image: int) -> dict[str, str]:
    """The image as the address of the main page says it: a sample by its number, any other one by its data set."""
    samples = services.samples[0]
    label = str(found.answers.labels[image])
    if samples.checksum == found.images.checksum:
        digit = samples.labels[image]
        number = int(np.count_nonzero(samples.labels[:image] == digit))
        return {"sample": f"{digit}.{number}", "label": label}
    return {"image": str(Named(_choice(found), image)), "off": ",".join(STEPS), "label": label}


def _choice(found: Found) -> Choice:
    """The images of an evaluation as the page of data sets would choose them, at the size they were measured at."""
    given, (height, width, channels) = found.subject.data, found.model.input_shape
    known = {"test": "mnist-test", "train": "mnist-train", "digits": "digits"}
    if given in known:
        return Choice(known[given])
    name, path = (HELD_OUT, "") if given == "pens" else (OWN, given)
    return Choice(name, path, "test", colour=channels == 3, size=(height, width))


def _panels(found: Found) -> list[dict[str, str | None]]:
    layers = found.model.layers
    shown = layers if len(layers) <= PANEL_LAYERS else [layer for layer in layers if layer.weight_shapes][:PANEL_LAYERS]
    spatial = [layer.name for layer in layers if layer.is_spatial]
    panels: list[dict[str, str | None]] = []
    if Capability.GRADIENTS in found.model.capabilities:
        panels += [{"visualizer": "gradient_map", "layer": None}, {"visualizer": "grad_cam", "layer": spatial[-1]}]
    for layer in shown:
        panels.append({"visualizer": "feature_maps" if layer.is_spatial else "dense_outputs", "layer": layer.name})
    return panels
