"""The app of the robustness page: its layout and its routes; everything else is done by its own scripts."""

from functools import partial
from pathlib import Path

from dash import ClientsideFunction, Dash, Input

from ..data import ids
from ..data.sources import Sources
from ..frame import add_page
from ..services import Services
from .page import robustness_page
from .routes import register_robustness_routes

PREFIX = "/robustness"


def add_robustness_page(main: Dash, services: Services, sources: Sources, data: Dash) -> Dash:
    """Adds the robustness page to the server of the main page, at `/robustness/`, in the same look.

    Args:
        main: the app of the page one draws on.
        services: of the server.
        sources: the data sets, which the page of data sets has, too.
        data: the app of that page, some of whose scripts are used.
    """
    app = add_page(main, "robustness", partial(robustness_page, services, sources), Path(__file__).parent / "assets")
    app.config.external_scripts += [data.get_asset_url(name) for name in ("elements.js", "form.js")]
    app.config.external_stylesheets += [data.get_asset_url("form.css")]
    register_robustness_routes(app.server, services, sources, PREFIX)
    app.clientside_callback(
        ClientsideFunction("layerscope", "switchScheme"), Input(ids.SCHEME, "n_clicks"), prevent_initial_call=True
    )
    return app
