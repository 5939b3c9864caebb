"""The training page's frame: the form, and empty places for the runs, which `assets/train.js` fills.

It is an app of its own on the same server, so that the page one draws on gets not one component more.
"""

from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from ...visualizers.colours import CLEAR
from ..frame import THEME, header, tool_button
from ..services import Services
from . import ids
from .fields import form
from .form import defaults
from .presets import presets

NO_HOME = "Nothing can be trained here: this server was started without a folder to keep runs in."


def train_page(services: Services) -> Any:
    """The whole page, without runs."""
    return dmc.MantineProvider(
        [
            dcc.Store(id=ids.STARTED),
            dcc.Store(id=ids.LEARNT),
            dcc.Store(id=ids.AGAIN),
            dcc.Store(id=ids.LOOK),
            dcc.Store(id=ids.LOOKED),
            dcc.Store(id=ids.field("architecture"), storage_type="session"),
            dcc.Store(id=ids.FILLED, storage_type="session", data=presets(defaults(services)["network"])),
            html.Button("Skip to the runs", className="skip-link", id="skip-link"),
            header("train", tools=(tool_button("scheme", "Switch between light and dark", ids.SCHEME),)),
            html.Div(className="notice-line", role="alert", id="page-fault", hidden=True),
            html.Main(
                [form(services), _runs(), _details()]
                if services.executor
                else html.P(NO_HOME, className="card empty-state"),
                className="train-page",
            ),
            html.Div(className="announcer", role="status", **{"aria-live": "polite"}),
        ],
        id=ids.PROVIDER,
        theme=THEME,
        defaultColorScheme="auto",
    )


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
                    html.H3("Loss and accuracy"),
                    _graph(ids.CURVES, "curves"),
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
                                        [html.Figcaption("Filters of the first layer"), _graph(ids.FILTERS, "picture")],
                                        className="filters",
                                    ),
                                    html.Figure(
                                        [
                                            html.Figcaption(className="answer-pickers"),
                                            html.P(className="answer-words note"),
                                            _graph(ids.ANSWERS, "picture"),
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


def _graph(id: str, name: str) -> Any:
    graph = dcc.Graph(
        id=id,
        figure={"data": [], "layout": {"paper_bgcolor": CLEAR, "plot_bgcolor": CLEAR}},
        config={"displayModeBar": False, "responsive": True},
        responsive=True,
        style={"height": "100%"},
    )
    return html.Div(graph, className=f"graph-{name}")
