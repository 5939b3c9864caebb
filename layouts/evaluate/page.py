"""The frame of the page that evaluates; `assets/` fills it."""

from typing import Any

from dash import html

from ..frame import empty_graph, framed
from . import ids


def evaluate_page() -> Any:
    """The whole page, without numbers."""
    return framed(
        "evaluate",
        "Skip to the numbers",
        [
            _subject(),
            html.P(
                "Choose a model and images, and press “Evaluate”: how often is it right, what does it confuse, "
                "and is it as sure as it should be? Every number leads to the images behind it.",
                className="card empty-state nothing-yet",
            ),
            html.Div([_numbers(), _matrix(), _gallery(), _sureness(), _classes()], className="found", hidden=True),
        ],
    )


def _subject() -> Any:
    return html.Section(
        [
            html.H2("Evaluate"),
            html.Form(className="subject-form"),
            html.Div(
                [
                    html.Div(
                        html.Div(),
                        className="evaluation-bar",
                        role="progressbar",
                        hidden=True,
                        **{"aria-label": "Progress"},
                    ),
                    html.P(className="evaluation-words note", role="status"),
                ],
                className="evaluation-progress",
            ),
        ],
        className="card subject",
        **{"aria-label": "What to evaluate"},
    )


def _numbers() -> Any:
    return html.Section(
        [
            html.Div(
                [html.H2("Numbers", className="numbers-title"), html.Span(className="downloads")],
                className="section-header",
            ),
            html.Dl(className="measured"),
            html.Ul(className="notes note"),
        ],
        className="card numbers-card",
        tabIndex="-1",  # where skipping leads
        **{"aria-label": "Numbers"},
    )


def _matrix() -> Any:
    return html.Section(
        [
            html.Div(
                [
                    html.H2("What it takes for what"),
                    html.Div(className="normalise", role="group", **{"aria-label": "Numbers in the cells"}),
                ],
                className="section-header",
            ),
            html.P(
                "Each row holds the images of one class, each column what the model called them: right answers are "
                "green, mistakes orange. Click a cell to see its images.",
                className="note",
            ),
            _graph(ids.MATRIX),
            html.P(className="note matrix-note"),
            html.H3("Commonest mistakes"),
            html.Ul(className="mistakes"),
        ],
        className="card matrix-card",
        **{"aria-label": "Confusion matrix"},
    )


def _gallery() -> Any:
    return html.Section(
        [
            html.Div(className="gallery-list"),
            html.Div(className="image-detail", hidden=True),
        ],
        className="card gallery-card",
        tabIndex="-1",
        **{"aria-label": "Images"},
    )


def _sureness() -> Any:
    return html.Section(
        [
            html.H2("Is it as sure as it should be?"),
            html.Div(
                [
                    _chart(
                        ids.CONFIDENCE,
                        "Sure when right, unsure when wrong?",
                        "A good model has its mistakes on the left and its right answers on the right. Click a bar to "
                        "see its images.",
                    ),
                    _chart(
                        ids.RELIABILITY,
                        "As sure as it is right?",
                        "Bars below the dashed line: too sure of itself. Above it: too modest. Pale bars stand for "
                        "fewer than ten answers. Click a bar to see its images.",
                    ),
                    _chart(
                        ids.THRESHOLDS,
                        "And if it said nothing when unsure?",
                        "If answers below some confidence were left to people, how many would be left, and how often "
                        "would the others be right?",
                    ),
                ],
                className="charts",
            ),
        ],
        className="card sureness",
        **{"aria-label": "Confidence"},
    )


def _classes() -> Any:
    heads = (
        ("Class", ""),
        ("Images", "How many images of this class there are."),
        ("Precision", "Of all images it called so, how many were."),
        ("Recall", "Of all images of this class, how many it called so."),
        ("F1", "Both in one number: high only where both are."),
    )
    return html.Section(
        [
            html.H2("Class by class"),
            html.Div(
                html.Table(
                    [
                        html.Thead(html.Tr([html.Th(name, scope="col", title=words) for name, words in heads])),
                        html.Tbody(className="class-rows"),
                    ]
                ),
                className="class-table",
                tabIndex="0",
            ),
        ],
        className="card classes",
        **{"aria-label": "Class by class"},
    )


def _chart(id: str, title: str, words: str) -> Any:
    return html.Figure([html.Figcaption([html.H3(title), html.P(words, className="note")]), _graph(id)])


def _graph(id: str) -> Any:
    return empty_graph(id, f"graph graph-{id}")
