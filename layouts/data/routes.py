"""What the page of data sets asks the server for: a data set, pages of its images, their means, and their ways."""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
from flask import Blueprint, Flask, Response, abort, redirect, request
from flask.typing import ResponseReturnValue
from numpy.typing import NDArray

from ...backends.base import BackendError
from ...datasets.base import DatasetError
from ...drawing.fit_steps import FitStep, fit_steps
from ...drawing.pipeline import prepare
from ...drawing.strokes import render_strokes
from ..exchange import as_fault, as_json, sent
from ..services import Services
from .choice import OWN, Choice
from .passage import Network, address_of, network_of
from .sheets import BY_CONTENT, COLUMNS, PAGE, Pictures, counts, mean_images, page_of, sheet, tile_size, tiles_of
from .sources import Opened, Opening

EVERY = "all"
"""Stands for all classes in an address."""
MEANS_COLUMNS = 32
KEPT = 64
"""Sheets that the server remembers, most of them below 100 KB."""


def register_data_routes(server: Flask, services: Services, prefix: str) -> None:
    """Adds the routes below the page's own address."""
    routes = Blueprint("data", __name__, url_prefix=prefix)
    pictures = Pictures(KEPT)

    def opened(id: str) -> Opened:
        return services.sources.opened(id) or abort(404, "This data set is no longer kept; open it again.")

    @routes.post("/open")
    def open_data() -> Response:
        """A data set's facts, how far it has come, or why there is none."""
        try:
            found = services.sources.open(choice_of(sent()))
        except DatasetError as error:
            return as_fault(error)
        if isinstance(found, Opening):
            return as_json({"opening": {"done": found.done, "total": found.total}})
        return as_json(facts(found))

    @routes.get("/items/<id>/<label>/<int:page>")
    def items(id: str, label: str, page: int) -> Response:
        """Position and class of every image of a page."""
        found = opened(id)
        places = page_of(found.dataset, _label(label, found), page)
        reply = as_json([[int(place), int(found.dataset.labels[place])] for place in places])
        reply.headers.update(BY_CONTENT)
        return reply

    @routes.get("/sheets/<id>/<label>/<int:page>.png")
    def images(id: str, label: str, page: int) -> Response:
        """All images of a page in one picture."""
        found = opened(id)
        chosen = _label(label, found)
        return pictures.reply(
            request.path,
            lambda: sheet(tiles_of(found.dataset.images[page_of(found.dataset, chosen, page)])),
        )

    @routes.get("/means/<id>.png")
    def means(id: str) -> Response:
        """The mean image of each class in one picture."""
        found = opened(id)
        return pictures.reply(request.path, lambda: sheet(mean_images(found.dataset), MEANS_COLUMNS))

    @routes.get("/steps/<id>/<int:index>")
    def steps(id: str, index: int) -> Response:
        """The way of an image into a network."""
        found = opened(id)
        try:
            network = network_of(services, request.args.get("model", ""), request.args.get("backend", ""))
        except BackendError as error:
            return as_fault(error)
        return as_json(steps_of(found, _index(index, found), network))

    @routes.get("/look/<id>/<int:index>")
    def look(id: str, index: int) -> ResponseReturnValue:
        """Leads to the page one draws on, with this image."""
        found = opened(id)
        network = asked_network(services, request.args.get("model", ""), request.args.get("backend", ""))
        return redirect(f"../../../#{address_of(found, _index(index, found), network)}")

    server.register_blueprint(routes)


def asked_network(services: Services, model: str, backend: str) -> Network:
    """The network of a link to the page one draws on; there is no such page where there is no such network."""
    try:
        return network_of(services, model, backend)
    except BackendError as error:
        abort(404, str(error))


def choice_of(given: Mapping[str, Any]) -> Choice:
    """Which data a page asks for; what is said of the user's own counts for these alone."""
    name = str(given.get("data") or "")
    if name != OWN:
        return Choice(name)
    return Choice(
        name,
        path=str(given.get("path") or ""),
        part="test" if given.get("part") == "test" else "train",
        colour=bool(given.get("colour")),
        skip=bool(given.get("skip")),
    )


def facts(opened: Opened) -> dict[str, Any]:
    """What the page says of a data set, and needs to show it."""
    dataset = opened.dataset
    height, width = tile_size(dataset.images.shape)
    return {
        "fault": None,
        "id": opened.id,
        "title": dataset.title,
        "source": dataset.source,
        "checksum": dataset.checksum,
        "notes": list(opened.notes),
        "count": len(dataset),
        "shape": list(dataset.images.shape[1:]),
        "bytes": dataset.images.nbytes,
        "classes": [
            {"name": name, "count": int(count)} for name, count in zip(dataset.classes, counts(dataset), strict=True)
        ],
        "tile": {"height": height, "width": width},
        "page": PAGE,
        "columns": COLUMNS,
        "meansColumns": MEANS_COLUMNS,
    }


def steps_of(opened: Opened, index: int, network: Network) -> dict[str, Any]:
    """Every step of an image to the input of a network, with its picture, shape and range."""
    label = int(opened.dataset.labels[index])
    told = [_told(step) for step in _steps(opened, index, network)]
    told[-1]["shape"] = [1, *network.input_shape]
    return {"index": index, "label": label, "name": opened.dataset.classes[label], "steps": told}


def _steps(opened: Opened, index: int, network: Network) -> list[FitStep]:
    if not opened.pens:
        return list(fit_steps(opened.dataset.images[index], network.input_shape))
    prepared = prepare(render_strokes(opened.pens[index].strokes), network.input_shape)
    return [
        FitStep(
            stage.title, f"{stage.explanation} {stage.note[:1].upper()}{stage.note[1:]}.",
            prepared.image if stage.name == "input" else stage.image[:, :, None],
        )
        for stage in prepared.stages
    ]  # fmt: skip


def _told(step: FitStep) -> dict[str, Any]:
    low, high = step.image.min(), step.image.max()
    return {
        "title": step.title,
        "words": step.words,
        "changes": step.changes,
        "shape": list(step.image.shape),
        "type": str(step.image.dtype),
        "low": float(low),
        "high": float(high),
        "mean": float(step.image.mean()),
        "picture": _data_url(step.image),
    }


def _data_url(image: NDArray[np.uint8] | NDArray[np.float32]) -> str:
    """A PNG of an image `(height, width, channels)`; grey where it has neither one channel nor three."""
    shown = np.asarray(image if image.dtype == np.uint8 else np.rint(np.clip(image, 0, 1) * 255), np.uint8)
    if shown.shape[2] not in (1, 3):
        shown = shown[:, :, :1]
    return "data:image/png;base64," + base64.b64encode(sheet(shown[None], 1)).decode()


def _label(text: str, opened: Opened) -> int | None:
    """A class of an address."""
    if text == EVERY:
        return None
    if not text.isdecimal() or int(text) >= len(opened.dataset.classes):
        abort(404, f"{opened.dataset.title} has classes 0 to {len(opened.dataset.classes) - 1}.")
    return int(text)


def _index(index: int, opened: Opened) -> int:
    if index >= len(opened.dataset):
        abort(404, f"{opened.dataset.title} has {len(opened.dataset):,} images, numbered from 0.")
    return index
