"""The compare page's app: its layout, its routes, and the callbacks of its drawing."""

import logging
from functools import partial
from pathlib import Path
from typing import Any

from dash import Dash, Input, Output

from .. import ids
from ..callbacks import known, picked, picture_of, register_drawing
from ..frame import add_page
from ..services import Services
from ..state import parse_address
from .page import compare_page
from .routes import register_compare_routes

log = logging.getLogger(__name__)

PREFIX = "/compare"


def add_compare_page(main: Dash, services: Services) -> Dash:
    """Adds the compare page to the server of the main page, at `/compare/`, in the same look."""
    assets = Path(__file__).parent / "assets"
    scripts = [main.get_asset_url(name) for name in ("arrays.js", "wire.js", "greys.js", "ink.js")]
    app = add_page(main, "compare", partial(compare_page, services), assets, scripts)
    register_compare_routes(app.server, services, PREFIX)
    register_drawing(app, services)
    _register_address(app, services)
    return app


def _register_address(app: Dash, services: Services) -> None:
    @app.callback(
        Output(ids.PICTURE, "data"),
        Output(ids.DIGIT, "value"),
        Output(ids.SAMPLE_INDEX, "value"),
        Output(ids.NOTICE_TEXT, "children"),
        Output(ids.NOTICE, "hide"),
        Input(ids.ADDRESS, "hash"),
    )
    def restored(fragment: str | None) -> Any:
        """The drawing that the address holds; what stands beside one another is the browser's own business."""
        picture, notices = picture_of(services, parse_address(fragment or "", known(services)))
        for notice in notices:
            log.warning("%s", notice)
        return picture, *picked(picture["sample"]), " ".join(notices), not notices
