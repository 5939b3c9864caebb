"""The frame of the robustness page: empty places, which the scripts in `assets/` fill."""

from typing import Any

from dash import html

from ...evaluation.disturbances import DISTURBANCES
from ..data.page import models
from ..frame import framed
from ..services import Services
from .sweeps import MOST_IMAGES, MOST_NETWORKS

COUNTS = (200, 1_000, 2_000, 5_000, MOST_IMAGES)
"""Images that can be chosen: an accuracy of 90 % is then known to 4, 2, 1.3, 0.8 and 0.6 % on either side."""


def robustness_page(services: Services) -> Any:
    """The whole page, without curves."""
    return framed(
        "robustness",
        "Skip to the curves",
        [_choice(), _curves()],
        choices={
            "data": services.sources.offered(),
            **models(services),
            "counts": COUNTS,
            "mostNetworks": MOST_NETWORKS,
            "disturbances": disturbances(),
        },
    )


def disturbances() -> list[dict[str, Any]]:
    """What a chart has to know of each disturbance."""
    return [
        {
            "name": each.name,
            "title": each.title,
            "unit": each.unit,
            "explanation": each.explanation,
            "strengths": each.strengths,
            "neutral": each.neutral,
        }
        for each in DISTURBANCES
    ]


def _choice() -> Any:
    return html.Section(
        [
            html.H2("What to measure"),
            html.Div(className="data-form"),
            html.P(className="note data-words", role="status"),
            html.Div(className="sweep-form"),
            html.Div(className="sweep-state"),
        ],
        className="card sweep-card",
        **{"aria-label": "What to measure"},
    )


def _curves() -> Any:
    words = (
        "A network is right about clean digits. How far may they be moved, turned or blurred until it is not? Each "
        "curve shows the share of test images that a model is still right about; the band around it is where the truth "
        "lies with 95 % confidence. Click a point to see the images it is most wrong about."
    )
    return html.Section(
        [
            html.H2("Accuracy under disturbance", tabIndex="-1", className="curves-title"),
            html.P(words, className="curves-words"),
            html.Div(className="legend-line", **{"aria-hidden": "true"}),
            html.Div(className="charts"),
        ],
        className="curves-place",
        **{"aria-label": "Accuracy under disturbance"},
    )
