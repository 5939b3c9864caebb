"""What the training page asks the server for: how the runs stand, their curves and pictures, and what is to be done.

Whatever changes something is a POST of JSON, which no other site can send without being asked for permission first.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from flask import Blueprint, Flask, Response, abort, request, send_file

from ...datasets.base import DatasetError
from ...datasets.samples import choose
from ...drawing.fit import fit_images
from ...models.first_layer import FirstLayer, first_layer
from ...models.weights import WeightsError, load_weights
from ...training.config import RunError
from ...training.executor import Executor
from ..panels import digest
from ..services import Services
from .figures import answers, curves, filters
from .form import with_epochs
from .layers import layers_of
from .rows import Row, Rows

log = logging.getLogger(__name__)

MOST_COMPARED = 8
DIGIT = 5
"""The digit whose answers are shown: it has curves, corners and a gap."""


def register_train_routes(server: Flask, services: Services, prefix: str) -> None:
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
        return _json(state_of(services, executor, rows, _sent()))

    @routes.post("/layers")
    def layers() -> Response:
        """The layers of a network after an edit."""
        try:
            return _json(layers_of(_sent()))
        except RunError as error:
            return _json({"fault": str(error)})

    @routes.post("/runs/<id>/<action>")
    def act(id: str, action: str) -> Response:
        """Does something with a run; `fault` says in a sentence why it cannot be done."""
        sent = _sent()
        doing = _actions(executor, id, sent).get(action) or abort(404)
        try:
            doing()
        except RunError as error:
            log.warning("%s %s: %s", action, id, error)
            return _json({"fault": str(error)})
        return _json({"fault": None})

    @routes.get("/runs/<id>/first-layer")
    def pictures(id: str) -> Response:
        """The first layer of a snapshot: its filters, and what they answer to one digit."""
        try:
            return _json(first_layer_of(services, id, request.args.get("snapshot", "")))
        except (RunError, WeightsError, DatasetError, OSError) as error:
            return _json({"fault": str(error)})

    @routes.get("/runs/<id>/model.safetensors")
    def model(id: str) -> Response:
        """The weights of the last snapshot, with the architecture beside them."""
        try:
            path = executor.store.weights_path(f"run:{executor.store.folder(id).id}")
        except RunError as error:
            abort(404, str(error))
        return send_file(path, "application/octet-stream", as_attachment=True, download_name=f"{id}.safetensors")

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


def state_of(services: Services, executor: Executor, rows: Rows, sent: Mapping[str, Any]) -> dict[str, Any]:
    """What the page does not have yet.

    Args:
        services: of the server.
        executor: who trains.
        rows: of the runs.
        sent: `have` (id → version of the rows the page has), `run` (the selected run), `compare` (ids of others whose
            curves are laid over it), and `curves` (the key of the curves it has).

    Returns:
        `runs` (a row for each, or only id and version where the page has it), `active` (whether any run goes on by
        itself), and `selected`: `curves` (only if changed) with their `key`, and `snapshots`; None without a run.
    """
    have = sent.get("have")
    have = have if isinstance(have, dict) else {}
    found = rows.all()
    return {
        "runs": [
            {"id": row["id"], "version": row["version"]} if have.get(row["id"]) == row["version"] else row
            for row in found
        ],
        "active": any(row["active"] for row in found),
        "selected": _selected(executor, found, sent),
    }


def _selected(executor: Executor, rows: list[Row], sent: Mapping[str, Any]) -> dict[str, Any] | None:
    versions = {row["id"]: row["version"] for row in rows}
    compare = sent.get("compare")
    wanted = [sent.get("run"), *(compare if isinstance(compare, list) else [])]
    ids = [id for id in dict.fromkeys(str(id) for id in wanted) if id in versions][:MOST_COMPARED]
    if not ids or ids[0] != sent.get("run"):
        return None
    key = digest(*(part for id in ids for part in (id, versions[id])))
    try:
        snapshots = [
            {"name": snapshot.name, "epoch": snapshot.epoch, "step": snapshot.step}
            for snapshot in executor.store.snapshots(ids[0])
        ]
        told: dict[str, Any] = {"id": ids[0], "key": key, "snapshots": snapshots}
        if sent.get("curves") != key:
            told["curves"] = curves([executor.store.read(id) for id in ids]).to_dict()
    except RunError:
        return None  # it has been deleted meanwhile
    return told


def first_layer_of(services: Services, id: str, snapshot: str = "") -> dict[str, Any]:
    """The pictures of a run's first layer after a snapshot, the last one where none is named.

    Raises:
        RunError: there is no such run or snapshot.
        WeightsError: the snapshot is damaged.
        DatasetError: there is no digit to answer to.
    """
    assert services.store
    architecture = services.store.folder(id).config().network
    path = services.store.weights_path(f"run:{id}@{snapshot}" if snapshot else f"run:{id}")
    dataset = services.samples[0]
    place = choose(dataset, min(DIGIT, len(dataset.classes) - 1), 0)
    image = fit_images(dataset.images[place : place + 1], architecture.input_shape)[0]
    found = first_layer(architecture, load_weights(path, architecture), image)
    return {"fault": None, "snapshot": path.stem, **(_pictures(found) if found else {"filters": None})}


def _pictures(found: FirstLayer) -> dict[str, Any]:
    return {"layer": found.layer.name, "filters": filters(found).to_dict(), "answers": answers(found).to_dict()}


def _actions(executor: Executor, id: str, sent: Mapping[str, Any]) -> dict[str, Callable[[], None]]:
    return {
        "stop": lambda: executor.stop(id),
        "resume": lambda: executor.resume(id),
        "further": lambda: executor.train_further(id, with_epochs(sent.get("epochs"))),
        "rename": lambda: executor.store.rename(id, str(sent.get("title", ""))[:200]),
        "note": lambda: executor.store.note(id, str(sent.get("notes", ""))[:20_000]),
        "delete": lambda: executor.delete(id),
    }


def _sent() -> Mapping[str, Any]:
    """The JSON object that came with a POST."""
    if not request.is_json:
        abort(415, "Send JSON.")
    sent = request.get_json(silent=True)
    if not isinstance(sent, dict):
        abort(400, "Send a JSON object.")
    return sent


def _json(told: Mapping[str, Any]) -> Response:
    # Plotly makes base64 of arrays, but leaves empty ones as they are.
    content = orjson.dumps(told, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(content, mimetype="application/json", headers={"Cache-Control": "no-store"})
