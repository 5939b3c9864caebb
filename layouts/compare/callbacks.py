"""The compare page's app: its layout, its routes, and the callbacks of its drawing."""

import logging
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from dash import Dash, Input, Output, ctx

from .. import ids
from ..callbacks import known, picked, picture_of, register_drawing
from ..frame import add_page
from ..services import Services
from ..state import parse_address
from .page import FIRST, compare_page
from .routes import register_compare_routes

log = logging.getLogger(__name__)

PREFIX = "/compare"
SAMPLE = (5, 0)
"""What a preset begins with on empty paper: a digit, and which of its samples."""


def add_compare_page(main: Dash, services: Services, data: Dash, robustness: Dash) -> Dash:
    """Adds the compare page to the server of the main page, at `/compare/`, in the same look.

    Args:
        main: the app of the page one draws on.
        services: of the server.
        data: the app of the page of data sets, some of whose scripts are used.
        robustness: the app of the page of disturbed images, whose charts and sweeps are used.
    """
    assets = Path(__file__).parent / "assets"
    scripts = [main.get_asset_url(name) for name in ("arrays.js", "wire.js", "greys.js", "ink.js", "timeline.js")]
    scripts += [data.get_asset_url("form.js"), robustness.get_asset_url("chart.js")]
    styles = [robustness.get_asset_url("chart.css")]
    app = add_page(main, "compare", partial(compare_page, services), assets, scripts, styles)
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
        Input(FIRST, "data"),
    )
    def restored(fragment: str | None, first: int | None) -> Any:
        """The drawing that the address holds; what stands beside one another is the browser's own business.

        A preset without a drawing begins with a sample, so that everything answers at once.
        """
        wanted = parse_address(fragment or "", known(services))
        if not (wanted.sample or wanted.ink) and ("preset=" in (fragment or "") or ctx.triggered_id == FIRST):
            wanted = replace(wanted, sample=SAMPLE)
        picture, notices = picture_of(services, wanted)
        for notice in notices:
            log.warning("%s", notice)
        return picture, *picked(picture["sample"]), " ".join(notices), not notices
