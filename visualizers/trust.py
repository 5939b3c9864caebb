"""How far an explanation can be trusted: what the network says to it, and what other methods say."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isnan
from typing import Annotated, Any

import numpy as np
from plotly.graph_objects import Figure

from ..backends.base import Capability
from .attribution import Fill, question_of
from .colours import BLUE, FAINT, ORANGE
from .contract import Frame, Need, Subject, visualizer
from .controls import Help, Range
from .faithfulness import METHODS, RANDOM_ORDERS, Faithfulness, Method, agreement, attributions, curves, faithfulness
from .figures import HIDDEN_AXIS, figure, note_below
from .perturbation import Curve

LEFT = 36
AXIS: Mapping[str, Any] = {"tickvals": [0, 0.5, 1], "gridcolor": FAINT, "zerolinecolor": FAINT}


@dataclass(frozen=True)
class TrustSettings:
    method: Annotated[Method, Help("The explanation to test; Grad-CAM is that of the last layer with maps.")] = (
        "integrated gradients"
    )
    fill: Annotated[Fill, Help("What stands for an empty image, in all methods and in the test.")] = "black"
    portions: Annotated[int, Range(4, 100), Help("Portions in which pixels are covered and uncovered.")] = 28


@visualizer(
    title="How far to trust it",
    needs={Need.IMAGE, Need.TARGET},
    capabilities={Capability.GRADIENTS, Capability.LOGITS},
    wide=True,
)
def trust(subject: Subject, settings: TrustSettings) -> Iterator[Frame]:
    """An explanation may look convincing and be wrong, so the network is asked, and other methods are compared.

    **Deletion** covers the pixels that the explanation holds most important first: if it is right, the probability of
    the class falls at once, and the area under the curve is small. **Insertion** starts from an empty image and
    uncovers them first: the area should be large. Dotted lines are pixels in random order; an explanation that is no
    better than those explains nothing. **Agreement** compares the order of pixels with that of other methods: 1 is the
    same order, 0 none. Methods that agree can still be wrong together.

    Curves have shape (portions + 1,). Areas: Petsiuk et al. 2018, from a plain image instead of a blurred one.
    Agreement: Spearman's rank correlation of absolute values, as in Adebayo et al. 2018, "Sanity Checks for Saliency
    Maps".
    """
    question = question_of(subject)
    others = [method for method in METHODS if method != settings.method]
    parts = len(METHODS) + 1
    attribution = np.zeros(0, np.float32)
    for progress in attributions(question, settings.method, settings.fill):
        attribution = progress.attribution
        yield Frame(None, progress.share / parts)
    found: list[Curve] = []
    for curve in curves(question, attribution, settings.fill, settings.portions):
        found.append(curve)
        yield Frame(None, (1 + len(found) / (2 + 2 * RANDOM_ORDERS)) / parts)
    tested = faithfulness(found)
    agreements: dict[str, float] = {}
    yield Frame(_drawn(tested, agreements, others), 2 / parts)
    for done, method in enumerate(others, start=2):
        other = attribution
        for progress in attributions(question, method, settings.fill):
            other = progress.attribution
            yield Frame(None, (done + progress.share) / parts)
        agreements[method] = agreement(attribution, other)
        yield Frame(_drawn(tested, agreements, others), (done + 1) / parts)


def _drawn(tested: Faithfulness, agreements: Mapping[str, float], others: list[Method]) -> Figure:
    """Curves above, agreements below; what is not known yet is left open."""
    return figure(
        [
            _line(tested.random_deletion, BLUE, "dot", "deletion, random order"),
            _line(tested.random_insertion, ORANGE, "dot", "insertion, random order"),
            _line(tested.deletion, BLUE, "solid", "deletion"),
            _line(tested.insertion, ORANGE, "solid", "insertion"),
            *_bars(agreements, others),
        ],
        height=440,
        margin={"l": LEFT, "r": 20, "t": 36, "b": 36},
        annotations=_areas(tested),
        xaxis={**AXIS, "range": [0, 1], "anchor": "y", "tickformat": ".0%", "title": note_below("share of pixels")},
        yaxis={**AXIS, "range": [-0.02, 1.02], "domain": [0.57, 1], "title": note_below("probability")},
        xaxis2={
            **AXIS,
            "range": [min([0.0, *(value for value in agreements.values() if value < 0)]), 1],
            "anchor": "y2",
            "title": note_below("agreement with other methods"),
        },
        yaxis2={**HIDDEN_AXIS, "range": [len(others) - 0.5, -0.5], "domain": [0, 0.42], "anchor": "x2"},
    )


def _line(curve: Curve, colour: str, dash: str, name: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": curve.shares,
        "y": curve.probabilities,
        "line": {"color": colour, "width": 2 if dash == "solid" else 1.5, "dash": dash},
        "hovertemplate": f"{name}: %{{y:.3f}} at %{{x:.0%}}<extra></extra>",
    }


def _bars(agreements: Mapping[str, float], others: list[Method]) -> list[dict[str, Any]]:
    """A thin bar for each method and its name above, where a narrow panel has room for it."""
    values = np.array([agreements.get(method, 0.0) for method in others], np.float32)
    rows = np.arange(len(others), dtype=np.float32)
    shared = {"xaxis": "x2", "yaxis": "y2", "hoverinfo": "none"}
    return [
        {
            **shared, "type": "bar", "orientation": "h", "x": np.nan_to_num(values), "y": rows + np.float32(0.25),
            "width": 0.3, "marker": {"color": BLUE},
        },
        {
            **shared, "type": "scatter", "mode": "text", "x": np.zeros(len(others), np.float32),
            "y": rows - np.float32(0.18), "textposition": "middle right", "cliponaxis": False,
            "text": [f"{method}  <b>{_words(agreements.get(method))}</b>" for method in others],
        },
    ]  # fmt: skip


def _words(value: float | None) -> str:
    """An agreement with two digits, or why there is none."""
    if value is None:
        return "…"
    return "none: one of the maps is the same everywhere" if isnan(value) else f"{value:.2f}".replace("-", "−")


def _areas(tested: Faithfulness) -> list[dict[str, Any]]:
    """Two lines above the curves, which are their legend too."""
    rows = (
        ("deletion", BLUE, tested.deletion, tested.random_deletion, "best low"),
        ("insertion", ORANGE, tested.insertion, tested.random_insertion, "best high"),
    )
    return [
        {
            "xref": "paper", "yref": "paper", "x": 0, "y": 1, "xanchor": "left", "yanchor": "bottom",
            "xshift": 4 - LEFT, "yshift": 16 - 15 * row, "showarrow": False, "align": "left",
            "text": f'<span style="color:{colour}">█</span> {name} <b>{curve.area:.2f}</b> '
            f"(random {random.area:.2f}; {good})",
        }
        for row, (name, colour, curve, random, good) in enumerate(rows)
    ]  # fmt: skip
