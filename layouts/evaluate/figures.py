"""What was measured, as figures: the confusion matrix, and whether the model is as sure as it is right.

Points carry `customdata`, from which the page knows which images a click means.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from plotly.graph_objects import Figure

from ...evaluation.calibration import Bins
from ...evaluation.metrics import Metrics
from ...visualizers.colours import BLUE, FAINT, GREEN, GREY, VERMILLION
from ...visualizers.figures import figure

NORMALISATIONS = ("counts", "rows", "columns")
MOST_CLASSES = 60
"""Of a matrix; more would be smaller than anyone can point at."""
MOST_WRITTEN = 15
"""Classes of a matrix whose cells have their numbers written in."""
USUAL = 0.95
"""Up to this threshold everything is to be seen of how many images are still answered; beyond, few ever are."""
FEW = 10
"""Answers in a bin below which its share is chance."""


def confusion(metrics: Metrics, normalise: str = "counts") -> Figure:
    """The confusion matrix: right answers in green, mistakes in orange, the deeper the more.

    Green is the share of a class's images; mistakes have a scale of their own, on which the commonest one is deepest.

    Args:
        metrics: of an evaluation.
        normalise: `counts`, or shares of `rows` (of the images of a class) or `columns` (of those called so).
    """
    places = shown_classes(metrics)
    counts = metrics.confusion[np.ix_(places, places)]
    names = [metrics.per_class[place].name for place in places]
    shares = _shares(metrics.confusion, normalise)[np.ix_(places, places)]
    diagonal = np.eye(len(places), dtype=bool)
    wrong = np.where(diagonal, 0, shares)
    depth = np.sqrt(wrong / wrong.max()) if wrong.max() > 0 else wrong
    rows = _shares(metrics.confusion, "rows")[np.ix_(places, places)]
    written = len(places) <= MOST_WRITTEN
    text = _cells(counts, shares, normalise) if written else None
    base = {
        "type": "heatmap",
        "x": names,
        "y": names,
        "showscale": False,
        "xgap": 1,
        "ygap": 1,
        "zmin": 0,
        "zmax": 1,
        "customdata": np.stack(
            [counts, 100 * rows, *np.meshgrid(places, places, indexing="ij")], axis=-1, dtype=np.float32
        ),
        "hoverongaps": False,
        "hovertemplate": "%{customdata[0]:,.0f} images of %{y}, called %{x}<br>"
        "%{customdata[1]:.2f} % of all images of %{y}<extra></extra>",
        **({"text": text, "texttemplate": "%{text}", "textfont": {"size": 12}} if written else {}),
    }
    traces = [
        {**base, "z": np.where(diagonal, rows, np.nan).astype(np.float32), "colorscale": _fading(GREEN)},
        {**base, "z": np.where(diagonal, np.nan, depth).astype(np.float32), "colorscale": _fading(VERMILLION)},
    ]
    axis = {"showgrid": False, "zeroline": False, "type": "category", "constrain": "domain", "automargin": True}
    return figure(
        traces,
        height=520,
        revision=f"confusion {len(places)}",
        meta={"classes": places.tolist()},
        margin={"l": 60, "r": 8, "t": 8, "b": 52},
        xaxis={**axis, "title": {"text": "the model's answer", "standoff": 8}, "side": "bottom"},
        yaxis={
            **axis,
            "title": {"text": "what it really is", "standoff": 8},
            "autorange": "reversed",
            "scaleanchor": "x",
            "constraintoward": "top",
        },
    )


def shown_classes(metrics: Metrics) -> np.ndarray:
    """The classes of the matrix, in order: all of them, or those with the most mistakes where there are many."""
    count = len(metrics.per_class)
    if count <= MOST_CLASSES:
        return np.arange(count)
    wrong = metrics.confusion - np.diag(np.diag(metrics.confusion))
    worst = np.argsort(-(wrong.sum(axis=0) + wrong.sum(axis=1)), kind="stable")[:MOST_CLASSES]
    return np.sort(worst)


def mistakes(metrics: Metrics, most: int = 8) -> list[dict[str, Any]]:
    """The commonest confusions, as positions of classes, the commonest first."""
    wrong = metrics.confusion - np.diag(np.diag(metrics.confusion))
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    pairs = [divmod(int(place), len(wrong)) for place in order]
    return [
        {
            "true": true,
            "predicted": predicted,
            "count": int(wrong[true, predicted]),
        }
        for true, predicted in pairs
        if wrong[true, predicted]
    ]


def confidence(metrics: Metrics) -> Figure:
    """How sure the model is where it is right, and where it is wrong."""
    bins = metrics.histogram
    middle, low, high = _places(bins)
    traces = []
    for name, counts, colour in (("right", bins.right, GREEN), ("wrong", bins.wrong, VERMILLION)):
        shares = counts / max(1, counts.sum())
        traces.append(
            {
                "type": "bar",
                "name": f"{name} ({counts.sum():,})",
                "x": middle,
                "y": 100 * shares,
                "marker": {"color": colour},
                "customdata": [[low[at], high[at], name, int(counts[at])] for at in range(len(counts))],
                "hovertemplate": "confidence %{customdata[0]:.0%} to %{customdata[1]:.0%}:<br>"
                f"%{{customdata[3]:,}} {name} answers<extra></extra>",
            }
        )
    return _chart(traces, "how sure the model is", "% of all right, or of all wrong", barmode="group")


def reliability(metrics: Metrics) -> Figure:
    """Of the answers given with some confidence, how many are right; as many as it is sure on the dashed line."""
    bins = metrics.reliability
    middle, low, high = _places(bins)
    inside = bins.count > 0
    bars = {
        "type": "bar",
        "name": "right answers",
        "x": middle[inside],
        "y": 100 * bins.accuracy[inside],
        "width": np.full(inside.sum(), 0.94 / len(middle)),
        "marker": {"color": BLUE, "opacity": np.where(bins.count[inside] < FEW, 0.35, 1.0).tolist()},
        "customdata": [[low[at], high[at], "all", int(bins.count[at])] for at in np.flatnonzero(inside)],
        "hovertemplate": "confidence %{customdata[0]:.0%} to %{customdata[1]:.0%}:<br>%{y:.1f} % of "
        "%{customdata[3]:,} answers are right<extra></extra>",
    }
    ideal = {
        "type": "scatter",
        "mode": "lines",
        "name": "as sure as right",
        "x": [0, 1],
        "y": [0, 100],
        "line": {"color": GREY, "width": 2, "dash": "dash"},
        "hoverinfo": "skip",
    }
    return _chart([bars, ideal], "how sure the model is", "% of them right", highest=100)


def thresholds(metrics: Metrics) -> Figure:
    """Accuracy, and how many images are still answered, when unsure answers are not given at all."""
    found = metrics.thresholds
    lines = [("right among the answered", found.accuracy, GREEN), ("still answered", found.kept, BLUE)]
    traces = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "x": found.threshold,
            "y": 100 * values,
            "line": {"color": colour, "width": 2},
            "hovertemplate": f"from %{{x:.0%}} confidence on: %{{y:.2f}} % {name}<extra></extra>",
        }
        for name, values, colour in lines
    ]
    usual = found.kept[found.threshold <= USUAL].min()
    lowest = 10 * np.floor(10 * min(np.nanmin(found.accuracy), usual))
    return _chart(traces, "answers from this confidence on", "%", lowest=lowest, highest=100)


def _chart(
    traces: Sequence[Any], below: str, beside: str, lowest: float = 0, highest: float | None = None, **layout: Any
) -> Figure:
    scale = {"range": [lowest, highest + 0.02 * (highest - lowest)]} if highest else {"rangemode": "tozero"}
    axis = {"gridcolor": FAINT, "zeroline": False}
    return figure(
        traces,
        height=300,
        revision=f"{below} {beside}",
        margin={"l": 48, "r": 18, "t": 30, "b": 44},
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "bgcolor": "rgba(0,0,0,0)"},
        xaxis={**axis, "range": [0, 1.01], "dtick": 0.2, "tickformat": ".0%", "title": {"text": below, "standoff": 6}},
        yaxis={**axis, **scale, "title": {"text": beside, "standoff": 6}},
        **layout,
    )


def _places(bins: Bins) -> tuple[np.ndarray, list[float], list[float]]:
    edges = [float(edge) for edge in bins.edges]
    return (bins.edges[:-1] + bins.edges[1:]) / 2, edges[:-1], edges[1:]


def _shares(counts: np.ndarray, normalise: str) -> NDArray[np.float64]:
    """Counts, or shares of each row or column; 0 where it is empty."""
    if normalise == "counts":
        return counts.astype(np.float64)
    whole = counts.sum(axis=1 if normalise == "rows" else 0, keepdims=True)
    shares: NDArray[np.float64] = np.divide(counts, whole, out=np.zeros(counts.shape), where=whole > 0)
    return shares


def _cells(counts: np.ndarray, shares: np.ndarray, normalise: str) -> list[list[str]]:
    """What is written into the cells; nothing where there is nothing."""

    def words(count: int, share: float) -> str:
        if not count:
            return ""
        return f"{count:,}" if normalise == "counts" else _percent(share)

    rows = zip(counts.tolist(), shares.tolist(), strict=True)
    return [[words(count, share) for count, share in zip(*row, strict=True)] for row in rows]


def _percent(share: float) -> str:
    return f"{100 * share:.1f}" if share < 0.9995 else "100"


def _fading(colour: str) -> list[list[float | str]]:
    """From nothing to a colour, on whatever is behind it."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return [[0, f"rgba({red},{green},{blue},0)"], [1, f"rgba({red},{green},{blue},0.72)"]]
