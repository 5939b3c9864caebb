"""What the page asks the server for: what can be evaluated, how an evaluation stands, and the images behind a number.

Whatever begins or ends work is a POST of JSON, which no other site can send without being asked for permission first.
"""

import logging
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Flask, Response, abort, request

from ...backends.base import BackendError
from ...evaluation.report import QUANTITIES, as_csv, class_words
from ...evaluation.report import as_json as reported
from ...evaluation.sets import SETS, there
from ...training.config import RunError
from ...training.runs import SOURCE
from ..exchange import as_fault, as_json, sent
from ..moments import moment
from ..panels import digest
from ..services import Services
from . import figures, gallery, pictures
from .evaluations import Evaluations, Found, Shown, subject_of
from .work import Work

log = logging.getLogger(__name__)

DAY = {"Cache-Control": "private, max-age=86400"}


def register_evaluate_routes(server: Flask, services: Services, prefix: str) -> None:
    """Adds the routes below the page's own address."""
    routes = Blueprint("evaluate", __name__, url_prefix=prefix)
    evaluations = Evaluations(services)

    @routes.get("/choices")
    def choices() -> Response:
        """Models, snapshots of runs, backends and sets of images that can be chosen."""
        return as_json(choices_of(services))

    @routes.post("/ready")
    def ready() -> Response:
        """Begins to open a model that has been chosen."""
        try:
            evaluations.prepare(subject_of(sent(), services))
        except BackendError as error:
            return as_fault(error)
        return as_json(None)

    @routes.post("/state")
    def state() -> Response:
        """How an evaluation stands, and what there is to see where the page has not got it."""
        given = sent()
        try:
            subject = subject_of(given, services)
        except BackendError as error:
            return as_json({"status": "failed", "message": str(error)})
        work = evaluations.of(subject, bool(given.get("start")))
        if work is None:
            return as_json({"status": "none"})
        if given.get("stop"):
            work.stop()
        if given.get("leave"):
            work.leave()
        told = state_of(evaluations, work, given)
        opening = None if told.get("total") else evaluations.opening(subject)
        return as_json({**told, "message": opening} if opening else told)

    @routes.post("/accuracies")
    def accuracies() -> Response:
        """How often each snapshot of a training is right, as far as that is known."""
        try:
            return as_json(evaluations.accuracies(subject_of(sent(), services)))
        except BackendError as error:
            return as_fault(error)

    @routes.post("/gallery")
    def images() -> Response:
        """One page of the images that a selection means."""
        given = sent()
        return as_json(gallery.gallery(_found(evaluations, str(given.get("id"))), given))

    @routes.post("/image")
    def image() -> Response:
        """One image, and what was answered."""
        given = sent()
        found = _found(evaluations, str(given.get("id")))
        try:
            return as_json(gallery.detail(services, found, _number(given, "image")))
        except IndexError as error:
            return as_json({"fault": str(error)})

    @routes.post("/nearest")
    def nearest() -> Response:
        """How the search for the nearest training images stands, with those found so far."""
        given = sent()
        found = _found(evaluations, str(given.get("id")))
        try:
            return as_json(nearest_of(evaluations, found, given))
        except BackendError as error:
            return as_json({"status": "failed", "message": str(error)})

    @routes.get("/of/<id>/sprite.png")
    def sprite(id: str) -> Response:
        """Some images as one picture: `?images=3,14,15`."""
        found = _found(evaluations, id)
        chosen = [int(text) for text in request.args.get("images", "").split(",") if text.isdecimal()]
        return Response(pictures.sprite(found.images.images, chosen), mimetype="image/png", headers=DAY)

    @routes.get("/of/<id>/<int:image>.png")
    def picture(id: str, image: int) -> Response:
        """One image as it is stored."""
        images = _found(evaluations, id).images.images
        if image >= len(images):
            abort(404)
        return Response(pictures.png(images[image]), mimetype="image/png", headers=DAY)

    @routes.get("/of/<id>/metrics.<any(json, csv):kind>")
    def metrics(id: str, kind: str) -> Response:
        """Everything that was measured, as `layerscope evaluate` writes it."""
        found = _found(evaluations, id)
        name = f'attachment; filename="evaluation-{id}.{kind}"'
        if kind == "csv":
            text = as_csv({found.images.title: found.metrics})
            return Response(text, mimetype="text/csv", headers={"Content-Disposition": name})
        reply = as_json({"set": found.images.title, **reported(found.metrics), "seconds": found.seconds})
        reply.headers["Content-Disposition"] = name
        return reply

    server.register_blueprint(routes)


def choices_of(services: Services) -> dict[str, Any]:
    """What can be chosen, and what is chosen where an address says nothing."""
    models = services.models
    names = there(services.data)
    return {
        "models": [{"value": name, "label": title} for name, title in models.items()],
        "snapshots": {source: _snapshots(services, source) for source in models if source.startswith(SOURCE)},
        "backends": [
            {"value": entry.name, "label": entry.title, "missing": entry.missing or ""} for entry in services.backends
        ],
        "sets": [{"value": name, "label": SETS[name]} for name in names],
        "model": services.model,
        "backend": services.default_backend,
        "data": names[0],
    }


def _snapshots(services: Services, source: str) -> list[dict[str, str]]:
    assert services.store
    try:
        found = services.store.snapshots(source.removeprefix(SOURCE))
    except RunError:
        return []
    return [{"value": snapshot.name, "label": moment(snapshot)} for snapshot in reversed(found)]


def state_of(evaluations: Evaluations, work: Work, given: Mapping[str, Any]) -> dict[str, Any]:
    """How an evaluation stands.

    Args:
        evaluations: of the server.
        work: the evaluation.
        given: `have` (the key of what the page shows) and `normalise` (of the confusion matrix).

    Returns:
        `status`, `message`, `done`, `total`; `id` once it is finished; and, where the page has something else, `key`
        with `numbers`, `classes`, `mistakes`, `figures` and `notes`.
    """
    found = evaluations.finished(work)
    if work.status == "done" and found is None:
        return {"status": "none"}
    told = {**work.told, "id": found.id if found else None}
    normalise = next((each for each in figures.NORMALISATIONS if each == given.get("normalise")), "counts")
    count = found.metrics.count if found else work.done
    key = digest(found.id if found else str(id(work)), str(count), normalise)
    if key == given.get("have"):
        return told
    shown = evaluations.shown(work)
    if shown is None:
        return told
    return {**told, "key": key, "seconds": found and found.seconds, **_shown(shown, normalise)}


def _shown(shown: Shown, normalise: str) -> dict[str, Any]:
    metrics = shown.metrics
    of = len(metrics.per_class)
    drawn = len(figures.shown_classes(metrics))
    return {
        "title": shown.title,
        "count": metrics.count,
        "notes": list(shown.notes),
        "numbers": [
            {"name": each.name, "title": each.title, "words": each.words(metrics), "help": each.help}
            for each in QUANTITIES
        ],
        "classes": [{"name": each.name, "images": each.count, **class_words(each)} for each in metrics.per_class],
        "mistakes": figures.mistakes(metrics),
        "matrix_note": f"The {drawn} of {of:,} classes with the most mistakes." if drawn < of else "",
        "figures": {
            "matrix": figures.confusion(metrics, normalise).to_dict(),
            "confidence": figures.confidence(metrics).to_dict(),
            "reliability": figures.reliability(metrics).to_dict(),
            "thresholds": figures.thresholds(metrics).to_dict(),
        },
    }


def nearest_of(evaluations: Evaluations, found: Found, given: Mapping[str, Any]) -> dict[str, Any]:
    """How the search for the training images nearest to one image stands.

    Raises:
        BackendError: the model has no such layer.
    """
    image = _number(given, "image")
    if image >= len(found.images):
        return {"status": "failed", "message": f"There is no image {image}."}
    work = evaluations.neighbours(found, image, str(given.get("layer")), bool(given.get("start")))
    if work is None:
        return {"status": "none"}
    if given.get("stop"):
        work.stop()
    shown = work.result or work.partial
    return {**work.told, **(shown or {"items": []})}


def _found(evaluations: Evaluations, id: str) -> Found:
    """The finished evaluation; 404 where it has been forgotten, so that the page evaluates again."""
    return evaluations.found(id) or abort(404, "This evaluation has been forgotten; evaluate again.")


def _number(given: Mapping[str, Any], name: str) -> int:
    value = given.get(name)
    return value if type(value) is int and value >= 0 else abort(400, f"{name} is a number from 0.")
