"""The app of the page of data sets: its layout and its routes; everything else is done by its own script."""

from functools import partial
from pathlib import Path

from dash import Dash

from ..frame import add_page
from ..services import Services
from .page import data_page
from .routes import register_data_routes

PREFIX = "/data"


def add_data_page(main: Dash, services: Services) -> Dash:
    """Adds the page of data sets to the server of the main page, at `/data/`, in the same look."""
    assets = Path(__file__).parent / "assets"
    app = add_page(main, "data", partial(data_page, services), assets)
    register_data_routes(app.server, services, PREFIX)
    return app
