"""What all routes have in common: what the page sent them, and how they answer."""

import logging
from collections.abc import Mapping
from typing import Any

import orjson
from flask import Response, abort, request

from .wire import packed

log = logging.getLogger(__name__)

FRESH = {"Cache-Control": "no-store"}


def sent() -> Mapping[str, Any]:
    """The JSON object that came with a POST, which no other site can send without being asked for permission first."""
    if not request.is_json:
        abort(415, "Send JSON.")
    given = request.get_json(silent=True)
    if not isinstance(given, dict):
        abort(400, "Send a JSON object.")
    return given


def as_json(told: Any) -> Response:
    """An answer as JSON; an array as a list: Plotly makes base64 of arrays, but leaves empty ones as they are."""
    return Response(orjson.dumps(told, option=orjson.OPT_SERIALIZE_NUMPY), mimetype="application/json", headers=FRESH)


def as_fault(error: Exception) -> Response:
    """An answer that says in a sentence why there is none; the log has it, too."""
    log.warning("%s: %s", request.path, error)
    return as_json({"fault": str(error)})


def as_frame(told: Any) -> Response:
    """An answer as one frame of bytes (see `wire`)."""
    return Response(packed(told), mimetype="application/octet-stream", headers=FRESH)
