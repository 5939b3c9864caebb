"""What the robustness page asks the server for: sweeps, their worst images, and pictures of disturbed images."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from flask import Blueprint, Flask, Response, abort, redirect, request
from flask.typing import ResponseReturnValue
from numpy.typing import NDArray

from ...backends.base import Array, BackendError
from ...evaluation.disturbances import BY_NAME, Disturbance, disturbance_at
from ...evaluation.robustness import WORST, Material, Point
from ..data.passage import address_of, network_of
from ..data.routes import asked_network
from ..data.sheets import Pictures, sheet, tile_size, tiles_of
from ..data.sources import Opened
from ..exchange import as_fault, as_json, sent
from ..naming import Asked
from ..services import Services
from .sweeps import MOST_IMAGES, Sweeps, Wanted

KEPT = 128
"""Pictures that the server remembers, most of them below 30 KB."""


def register_robustness_routes(server: Flask, services: Services, prefix: str) -> None:
    """Adds the routes below the page's own address."""
    routes = Blueprint("robustness", __name__, url_prefix=prefix)
    sweeps = Sweeps(services)
    pictures = Pictures(KEPT)

    def opened(id: str) -> Opened:
        return services.sources.opened(id) or abort(404, "This data set is no longer kept; open it again.")

    @routes.post("/<any(start, stop, state):what>")
    def follow(what: str) -> Response:
        """Begins or ends a sweep, and tells how everything stands then."""
        given = sent()
        viewer = str(given.get("viewer") or "")[:64]
        try:
            wanted = Wanted.of(given, services)
        except ValueError as error:
            return as_fault(error)
        if what == "start":
            sweeps.start(viewer, wanted)
        if what == "stop":
            sweeps.stop(viewer)
        return as_json({"fault": None, **sweeps.state(viewer, wanted)})

    @routes.post("/worst")
    def worst() -> Response:
        """The most confident mistakes of a model at one point."""
        given = sent()
        try:
            wanted = Wanted.of(given, services)
        except ValueError as error:
            return as_fault(error)
        disturbance, strength = _point(str(given.get("disturbance")), str(given.get("strength")))
        network, found = Asked.of(str(given.get("network"))), opened(wanted.data)
        point = sweeps.point(network, wanted, disturbance.name, strength)
        return as_json({"fault": None, **worst_of(found, point, _names(services, network))})

    @routes.get("/strip/<id>/<name>/<int:number>.png")
    def strip(id: str, name: str, number: int) -> Response:
        """One image at every strength of a disturbance, side by side."""
        found, disturbance = opened(id), BY_NAME.get(name) or abort(404)

        def make() -> bytes:
            images = [_disturbed(found, disturbance, strength, [number]) for strength in disturbance.strengths]
            return sheet(tiles_of(_bytes(np.concatenate(images))), len(disturbance.strengths))

        return pictures.reply(request.full_path, make)

    @routes.get("/pictures/<id>/<name>/<strength>.png")
    def disturbed(id: str, name: str, strength: str) -> Response:
        """Some images (`?numbers=3,17`) at one strength, side by side."""
        found, (disturbance, power) = opened(id), _point(name, strength)
        numbers = [_number(text, found) for text in request.args.get("numbers", "").split(",")[:WORST] if text]
        if not numbers:
            abort(404)
        return pictures.reply(
            request.full_path,
            lambda: sheet(tiles_of(_bytes(_disturbed(found, disturbance, power, numbers))), len(numbers)),
        )

    @routes.get("/look/<id>/<name>/<strength>/<number>")
    def look(id: str, name: str, strength: str, number: str) -> ResponseReturnValue:
        """Leads to the page one draws on, with this image as it was disturbed."""
        found, (disturbance, power) = opened(id), _point(name, strength)
        place = _number(number, found)
        network = asked_network(services, *Asked.of(request.args.get("network", "")))
        index = int(Material.of(found.dataset, place + 1).order[place])
        disturbed = ("", "") if power == disturbance.neutral and not found.pens else (disturbance.name, strength)
        return redirect(f"../../../../../#{address_of(found, index, network, *disturbed)}")

    server.register_blueprint(routes)


def worst_of(opened: Opened, point: Point | None, names: Sequence[str]) -> dict[str, Any]:
    """What is known of a point, with the most confident mistakes; `names` are the model's classes."""
    if point is None:
        return {"count": 0, "worst": []}
    return {
        "count": point.count,
        "right": point.right,
        "accuracy": point.accuracy,
        "interval": point.interval,
        "tile": _tile(opened),
        "worst": [
            {
                "number": mistake.number,
                "index": mistake.index,
                "confidence": mistake.confidence,
                "label": opened.dataset.classes[mistake.label],
                "predicted": names[mistake.predicted] if mistake.predicted < len(names) else mistake.predicted,
            }
            for mistake in point.worst
        ],
    }


def _names(services: Services, network: Asked) -> tuple[str, ...]:
    """The classes of a model that has been measured."""
    try:
        return network_of(services, *network).classes
    except BackendError:
        return ()


def _point(name: str, strength: str) -> tuple[Disturbance, float]:
    """A disturbance and one of its strengths, as an address names them."""
    try:
        return disturbance_at(name, strength)
    except ValueError as error:
        abort(404, str(error))


def _number(text: str, opened: Opened) -> int:
    if not text.isdecimal() or int(text) >= min(len(opened.dataset), MOST_IMAGES):
        abort(404, f"There are {len(opened.dataset):,} images, numbered from 0.")
    return int(text)


def _disturbed(opened: Opened, disturbance: Disturbance, strength: float, numbers: list[int]) -> Array:
    """Images of these numbers as a sweep sees them, `(n, height, width, channels)`."""
    material = Material.of(opened.dataset, max(numbers) + 1)
    if max(numbers) >= len(material):
        abort(404, f"There are {len(material):,} images, numbered from 0.")
    return np.concatenate([material.disturbed(disturbance, strength, range(each, each + 1)) for each in numbers])


def _bytes(images: Array) -> NDArray[np.uint8]:
    return np.rint(images * 255).astype(np.uint8)


def _tile(opened: Opened) -> dict[str, int]:
    height, width = tile_size(opened.dataset.images.shape)
    return {"height": height, "width": width}
