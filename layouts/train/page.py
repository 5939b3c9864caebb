"""The training page's frame: the form, and empty places for the runs, which `assets/train.js` fills.

It is an app of its own on the same server, so that the page one draws on gets not one component more.
"""

from typing import Any

from dash import dcc, html

from ..frame import empty_graph, framed
from ..services import Services
from . import ids
from .fields import form
from .form import defaults
from .presets import presets

NO_HOME = "Nothing can be trained here: this server was started without a folder to keep runs in."


def train_page(services: Services) -> Any:
    """The whole page, without runs."""
    return framed(
        "train",
        "Skip to the runs",
        [form(services), _runs(), _details()] if services.executor else html.P(NO_HOME, className="card empty-state"),
        stores=[
            *(dcc.Store(id=name) for name in _STORES),
            dcc.Store(id=ids.field("architecture"), storage_type="session"),
            dcc.Store(id=ids.FILLED, storage_type="session", data=presets(defaults(services)["network"])),
        ],
    )


_STORES = (ids.STARTED, ids.LEARNT, ids.AGAIN, ids.LOOK, ids.LOOKED)


def _runs() -> Any:
    return html.Section(
        [
            html.Div(
                [
                    html.H2("Runs"),
                    html.Span(className="run-count note"),
                    html.Label(
                        className="at-once note",
                        title="How many runs are trained at the same time; the others wait for their turn.",
                    ),
                ],
                className="section-header",
            ),
            html.P(
                "No runs yet. Press “Start training”, and watch the first filters form within seconds.",
                className="empty-state",
                hidden=True,
            ),
            html.Div(className="run-list", role="list"),
        ],
        className="card runs",
        tabIndex="-1",  # where skipping leads
        **{"aria-label": "Runs"},
    )


def _details() -> Any:
    return html.Section(
        [
            html.P("Choose a run to see its curves.", className="empty-state no-run"),
            html.Div(
                [
                    html.Div(className="run-header"),
                    html.Div(
                        [html.H3("Loss and accuracy"), empty_graph(ids.CURVES, "graph-curves")], className="run-curves"
                    ),
                    html.Div(
                        [
                            html.Div(
                                [
                                    html.H3("What it learns to see"),
                                    html.Span(className="snapshot-words note", role="status"),
                                ],
                                className="section-header",
                            ),
                            html.Div(className="snapshot-slider"),
                            html.Div(
                                [
                                    html.Figure(
                                        [
                                            html.Figcaption("Filters of the first layer"),
                                            empty_graph(ids.FILTERS, "graph-picture"),
                                        ],
                                        className="filters",
                                    ),
                                    html.Figure(
                                        [
                                            html.Figcaption(className="answer-pickers"),
                                            html.P(className="answer-words note"),
                                            empty_graph(ids.ANSWERS, "graph-picture"),
                                        ],
                                        className="answers",
                                    ),
                                ],
                                className="pictures",
                            ),
                        ],
                        className="snapshot-pictures",
                    ),
                ],
                className="run-details",
                hidden=True,
            ),
        ],
        className="card details",
        **{"aria-label": "The chosen run"},
    )
