"""The app of the page of data sets: its layout and its routes; everything else is done by its own script."""

from functools import partial
from pathlib import Path

from dash import ClientsideFunction, Dash, Input

from ..frame import add_page
from ..services import Services
from . import ids
from .page import data_page
from .routes import register_data_routes
from .sources import Sources

PREFIX = "/data"


def add_data_page(main: Dash, services: Services, sources: Sources) -> Dash:
    """Adds the page of data sets to the server of the main page, at `/data/`, in the same look."""
    assets = Path(__file__).parent / "assets"
    app = add_page(main, "data", partial(data_page, services, sources), assets)
    register_data_routes(app.server, services, sources, PREFIX)
    app.clientside_callback(
        ClientsideFunction("layerscope", "switchScheme"), Input(ids.SCHEME, "n_clicks"), prevent_initial_call=True
    )
    return app
