"""The frame of the page of data sets: empty places, which the scripts in `assets/` fill."""

from typing import Any

from dash import html

from ..frame import framed
from ..page import backend_option
from ..services import Services


def data_page(services: Services) -> Any:
    """The whole page, without data."""
    return framed(
        "data",
        "Skip to the images",
        [html.Div([_choice(), _classes()], className="data-side"), _images(), _way()],
        choices={"data": services.sources.offered(), **models(services)},
    )


def models(services: Services) -> dict[str, Any]:
    """The models and backends that can be chosen, as options of dropdowns, and those that come first."""
    return {
        "models": [{"value": name, "label": title} for name, title in services.models.items()],
        "backends": [backend_option(backend) for backend in services.backends],
        "model": services.model,
        "backend": services.default_backend,
    }


def _choice() -> Any:
    return html.Section(
        [html.H2("Data set"), html.Div(className="data-form"), html.Div(className="data-facts", role="status")],
        className="card",
        **{"aria-label": "Data set"},
    )


def _classes() -> Any:
    words = "The mean image of each class, and how many images it has. Choose one to see only these."
    return html.Section(
        [
            html.Div([html.H2("Classes"), html.Span(className="class-count note")], className="section-header"),
            html.P(words, className="note"),
            html.Div(className="class-list"),
        ],
        className="card classes",
        hidden=True,
        **{"aria-label": "Classes"},
    )


def _images() -> Any:
    words = "A click opens an image on the page one draws on. Arrow keys go from image to image."
    return html.Section(
        [
            html.Div(
                [
                    html.H2("Images", tabIndex="-1", className="images-title"),
                    html.Nav(className="pager", **{"aria-label": "Pages of images"}),
                ],
                className="section-header images-header",
            ),
            html.P(words, className="note images-words"),
            html.Div(className="thumbs"),
            html.P("Choose a data set to see its images.", className="empty-state images-empty"),
        ],
        className="card images",
        **{"aria-label": "Images"},
    )


def _way() -> Any:
    return html.Section(
        [
            html.H2("From stored pixels to input"),
            html.P("Point at an image to follow it into the network.", className="note way-words"),
            html.Div(className="way-form"),
            html.Ol(className="way"),
        ],
        className="card way-card",
        **{"aria-label": "From stored pixels to the input of a network"},
    )
