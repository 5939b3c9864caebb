"""The app of the page that evaluates: its layout and its routes; everything else is done in the browser."""

from pathlib import Path

from dash import Dash

from ..frame import add_page
from ..services import Services
from .page import evaluate_page
from .routes import register_evaluate_routes

PREFIX = "/evaluate"


def add_evaluate_page(main: Dash, services: Services) -> Dash:
    """Adds the page to the server of the main page, at `/evaluate/`, in the same look."""
    scripts = [main.get_asset_url("timeline.js")]
    app = add_page(main, "evaluate", evaluate_page, Path(__file__).parent / "assets", scripts)
    register_evaluate_routes(app.server, services, PREFIX)
    return app
