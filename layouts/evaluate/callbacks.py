"""The app of the page that evaluates: its layout and its routes; everything else is done in the browser."""

from functools import partial
from pathlib import Path

from dash import ClientsideFunction, Dash, Input

from ..frame import add_page
from ..services import Services
from . import ids
from .page import evaluate_page
from .routes import register_evaluate_routes

PREFIX = "/evaluate"


def add_evaluate_page(main: Dash, services: Services) -> Dash:
    """Adds the page to the server of the main page, at `/evaluate/`, in the same look."""
    app = add_page(main, "evaluate", partial(evaluate_page, services), Path(__file__).parent / "assets")
    register_evaluate_routes(app.server, services, PREFIX)
    app.clientside_callback(
        ClientsideFunction("layerscope", "switchScheme"), Input(ids.SCHEME, "n_clicks"), prevent_initial_call=True
    )
    return app
