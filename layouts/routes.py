"""What the page asks the server for past Dash: an answer to a stroke, and how something stands that takes its time."""

import logging
from typing import Any

from dash import Dash
from flask import Response, abort, request

from ..backends.base import BackendError
from ..datasets.base import DatasetError
from ..drawing.ink import InkError
from ..drawing.uploads import too_large
from ..training.config import RunError
from .answer import Request, answer, run
from .callbacks import picture_of_stored
from .exchange import as_fault, as_frame, as_json, sent
from .moments import time_line
from .page import model_options, second_model_options
from .panels import placed
from .services import Services
from .snapshots import Question, prediction_curves

log = logging.getLogger(__name__)


def register_routes(app: Dash, services: Services) -> None:
    """Adds the routes to the app's server."""
    server = app.server

    @server.post("/answer")
    def answered() -> Response:
        """Everything that the page shows for its ink and its stores, as a frame (see `wire`)."""
        return as_frame(answer(services, _asked()))

    @server.post("/run")
    def ran() -> Response:
        """Begins the views that are named, and how each stands."""
        return as_frame([run(services, _asked(), name) for name in sent().get("names", [])])

    @server.post("/stored")
    def stored() -> Response:
        """The picture of an image of a data set, how far reading that has come, or why there is none."""
        try:
            return as_json(picture_of_stored(services, str(sent().get("image"))))
        except DatasetError as error:
            return as_fault(error)

    @server.get("/loading")
    def loading() -> Response:
        """What the server is doing for a model that is being opened, in words."""
        return as_json(services.pool.stage(request.args.get("model", ""), request.args.get("backend", "")))

    @server.get("/models")
    def models() -> Response:
        """What the page's two pickers of models offer: trainings that ended since it was loaded have come to it."""
        return as_json({"model": model_options(services), "second": second_model_options(services)})

    @server.get("/too-large")
    def refused() -> Response:
        """The sentence, and the log entry, for a file that the browser does not even send."""
        sentence = too_large(request.args.get("name", "The file")[:100], request.args.get("size", 0, int))
        log.warning("Upload refused: %s", sentence)
        return as_json(sentence)

    @server.get("/snapshots/<id>")
    def snapshots(id: str) -> Response:
        """The moments of a training that can be looked at; null when there is no such run any more."""
        try:
            return as_json(services.store and time_line(services.store, id))
        except RunError:
            return as_json(None)

    @server.post("/snapshots/curves")
    def curves() -> Response:
        """What every snapshot of a training answers to one drawing; `fault` says in a sentence why it cannot be had."""
        try:
            question = Question.of(sent())
        except (ValueError, TypeError, KeyError, AttributeError, LookupError) as error:
            abort(400, f"This asks nothing: {error}")
        try:
            return as_json(prediction_curves(services, question))
        except (BackendError, DatasetError, InkError) as error:
            return as_fault(error)

    @server.get("/jobs/<id>")
    def job(id: str) -> Any:
        """How a job stands, with its figure where the page has seen fewer frames (`?have=3`); null when it is gone."""
        found = services.jobs.job(id)
        if found is None:
            return as_frame(None)
        told, figure = found.data, found.figure
        if figure is not None and told["frames"] > request.args.get("have", 0, int):
            told |= placed(figure)
        return as_frame(told)

    @server.post("/jobs/<id>/<any(stop, pause, resume):what>")
    def change(id: str, what: str) -> Response:
        """Ends a job, lets it stand still, or lets it go on; what it has shown so far stays."""
        found = services.jobs.job(id)
        if found:
            {"stop": services.jobs.stop, "pause": services.jobs.pause, "resume": services.jobs.resume}[what](found)
        return as_json(found and found.data["status"])


def _asked() -> Request:
    """The page's question; anything else is refused."""
    try:
        return Request.of(sent())
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        sentence = f"This is no question of the page's: {type(error).__name__}: {error}"
        log.warning("%s", sentence)
        abort(Response(sentence, 400))
