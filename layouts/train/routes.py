"""What the training page asks the server for: how the runs stand, their curves and pictures, and what is to be done.

Whatever changes something is a POST of JSON, which no other site can send without being asked for permission first.
"""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Flask, Response, abort, request, send_file

from ...backends.base import BackendError
from ...datasets.base import DatasetError
from ...models.architecture import ArchitectureError
from ...models.weights import WeightsError
from ...training.config import RunError
from ...training.executor import Executor
from ..exchange import as_fault, as_json, sent
from ..pictures import Source
from ..services import Services
from ..state import sample_in
from .downloads import FORMATS, network_file, offered, written
from .form import with_epochs
from .images import Looks, images_of
from .layers import layers_of
from .pictures import pictures_of
from .rows import Rows
from .state import set_at_once, state_of


def register_train_routes(server: Flask, services: Services, looks: Looks, prefix: str) -> None:
    """Adds the routes below the page's own address."""
    executor = services.executor
    if executor is None:
        return
    routes = Blueprint("training", __name__, url_prefix=prefix)
    rows = Rows(executor.store, services.backends)

    @routes.post("/state")
    def state() -> Response:
        """Everything that has changed since the page asked last."""
        executor.advance()
        return as_json(state_of(executor, rows, sent()))

    @routes.post("/layers")
    def layers() -> Response:
        """The layers of a network after an edit."""
        return _answered(lambda: layers_of(sent()))

    @routes.post("/images")
    def images() -> Response:
        """What is in the images that were chosen, as far as it is known by now."""
        return _answered(lambda: images_of(looks, sent()))

    @routes.post("/at-once")
    def at_once() -> Response:
        """Sets how many runs are trained at the same time."""
        return _answered(lambda: set_at_once(executor, sent().get("runs")))

    @routes.post("/runs/<id>/<action>")
    def act(id: str, action: str) -> Response:
        """Does something with a run; `fault` says in a sentence why it cannot be done."""
        doing = _actions(executor, id, sent()).get(action) or abort(404)
        return _answered(lambda: {"fault": doing()})

    @routes.get("/runs/<id>/pictures")
    def pictures(id: str) -> Response:
        """The first filters after a snapshot, and what a layer answers to one image."""
        asked = request.args
        return _answered(
            lambda: pictures_of(
                services,
                id,
                asked.get("snapshot", ""),
                asked.get("layer", ""),
                Source(asked.get("ink") or None, sample_in(asked.get("sample", ""))),
            )
        )

    @routes.get("/formats")
    def formats() -> Response:
        """What networks can be downloaded as."""
        return as_json({"formats": offered(services)})

    @routes.post("/<any(runs, models):kind>/<name>/download/<format>")
    def download(kind: str, name: str, format: str) -> Response:
        """A run's or a bundled network in a format; where it cannot be had, JSON with the `fault`."""
        if format not in FORMATS:
            abort(404)
        try:
            path = network_file(services, kind, name, str(sent().get("snapshot") or ""))
            file, called = written(path, name, format)
        except (RunError, BackendError, OSError) as error:
            return as_fault(error)
        return send_file(file, "application/octet-stream", as_attachment=True, download_name=called)

    @routes.get("/runs/<id>/metrics.csv")
    def metrics(id: str) -> Response:
        """Everything that a run has measured."""
        try:
            text = executor.store.metrics_csv(id)
        except RunError as error:
            abort(404, str(error))
        headers = {"Content-Disposition": f'attachment; filename="{id}.csv"'}
        return Response(text, mimetype="text/csv", headers=headers)

    server.register_blueprint(routes)


def _actions(executor: Executor, id: str, given: Mapping[str, Any]) -> dict[str, Callable[[], None]]:
    return {
        "stop": lambda: executor.stop(id),
        "resume": lambda: executor.resume(id),
        "further": lambda: executor.train_further(id, with_epochs(given.get("epochs"))),
        "rename": lambda: executor.store.rename(id, str(given.get("title", ""))[:200]),
        "note": lambda: executor.store.note(id, str(given.get("notes", ""))[:20_000]),
        "delete": lambda: executor.delete(id),
    }


def _answered(find: Callable[[], Mapping[str, Any]]) -> Response:
    """What is found, or the `fault` in one sentence."""
    try:
        return as_json(find())
    except (RunError, ArchitectureError, WeightsError, DatasetError, OSError) as error:
        return as_fault(error)
