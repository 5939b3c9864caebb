"""The app of the robustness page: its layout and its routes; everything else is done by its own scripts."""

from functools import partial
from pathlib import Path

from dash import Dash

from ..frame import add_page
from ..services import Services
from .page import robustness_page
from .routes import register_robustness_routes

PREFIX = "/robustness"


def add_robustness_page(main: Dash, services: Services, data: Dash) -> Dash:
    """Adds the robustness page to the server of the main page, at `/robustness/`, in the same look.

    Args:
        main: the app of the page one draws on.
        services: of the server.
        data: the app of that page, some of whose scripts are used.
    """
    app = add_page(
        main,
        "robustness",
        partial(robustness_page, services),
        Path(__file__).parent / "assets",
        scripts=[main.get_asset_url("timeline.js"), data.get_asset_url("form.js")],
        styles=[data.get_asset_url("form.css")],
    )
    register_robustness_routes(app.server, services, PREFIX)
    return app
