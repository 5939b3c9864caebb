"""The training page's figures: curves of runs, and what their first layer looks like."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray
from plotly.graph_objects import Figure

from ...models.first_layer import FirstLayer
from ...models.run import Run
from ...visualizers.colours import BLUE, FAINT, GREEN, ORANGE, PURPLE, VERMILLION
from ...visualizers.figures import bars, figure, mosaic, note_below
from ...visualizers.words import part
from .rows import thinned

Trace = dict[str, Any]

MOST_POINTS = 500
LEAST_DECADES = 0.3
MOST_POWERS = 7
"""Powers of ten that have a tick each."""
MOST_TILES = 64
MOST_LABELS = 26
"""Bars that can be told apart by names below them."""
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, "#56B4E9", "#999999", "#882255")
"""One for each run, after Okabe and Ito; they repeat after the eighth."""


def curves(runs: Sequence[Run]) -> Figure:
    """Loss above and accuracy below, over epochs: each step faintly, each epoch, and the images kept out dashed.

    Args:
        runs: the first is the selected one; each has its own colour.
    """
    traces = [trace for number, run in enumerate(runs) for trace in _traces(run, number, len(runs) > 1)]
    empty = not any(len(run.losses) for run in runs)
    words = "epoch · faint: each step, solid: each epoch, dashed: validation" if len(runs) > 1 else "epoch"
    longest = max((run.epochs_in_all for run in runs), default=1)
    return figure(
        traces,
        height=420,
        revision=" ".join(run.id for run in runs),
        margin={"l": 52, "r": 12, "t": 52, "b": 40},
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1, "yref": "container", "yanchor": "top", "font": {"size": 11}},
        hovermode="closest",
        xaxis={**_axis(), "range": [0, longest], "anchor": "y2", "title": note_below(words), "minallowed": 0},
        yaxis={
            **_axis(),
            "domain": [0.55, 1],
            "type": "log",
            "title": _title("loss (nats)"),
            **_loss_axis(traces),
        },
        yaxis2={
            **_axis(),
            "domain": [0, 0.46],
            "anchor": "x",
            "title": _title("accuracy"),
            "tickformat": ".3~%",
            "autorangeoptions": {"clipmin": -0.002, "clipmax": 1.002},
            "nticks": 6,
            **({"range": [0, 1]} if empty else {}),
        },
    )


def _loss_axis(traces: Sequence[Trace]) -> dict[str, Any]:
    """Range and ticks of the logarithmic axis; Plotly's own ticks leave the zeros out: 5 for 0.5.

    It shows at least a factor of two, so that a training that has just begun does not look like a mountain range.
    """
    losses = np.concatenate([np.empty(0), *(trace["y"] for trace in traces if trace["yaxis"] == "y")])
    losses = np.log10(losses[np.isfinite(losses) & (losses > 0)])
    low, high = (float(losses.min()), float(losses.max())) if len(losses) else (-1.0, 0.5)
    wider = max(0.0, LEAST_DECADES - (high - low)) / 2
    low, high = low - wider, high + wider
    decades = high - low
    digits = (1.0,) if decades > 2.3 else (1.0, 2.0, 5.0) if decades > 0.7 else (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0)
    step = 1 + int(decades / MOST_POWERS)
    powers = range(math.floor(low) - 1, math.ceil(high) + 2, step)
    ticks = [digit * 10.0**power for power in powers for digit in digits]
    margin = 0.05 * decades
    words = [_loss_words(tick) for tick in ticks]
    return {"range": [low - margin, high + margin], "tickvals": ticks, "ticktext": words}


def _loss_words(loss: float) -> str:
    """`0.25`, `20`, `1e6`."""
    return f"1e{round(math.log10(loss))}" if loss >= 1e5 else f"{loss:.10f}".rstrip("0").rstrip(".")


def _axis() -> dict[str, Any]:
    return {"gridcolor": FAINT, "zeroline": False, "showline": False}


def _title(words: str) -> dict[str, Any]:
    return {"text": words, "standoff": 4, "font": {"size": 11}}


def _traces(run: Run, number: int, several: bool) -> list[Trace]:
    colour = COLOURS[number % len(COLOURS)]
    per_epoch = run.steps_in_all / run.epochs_in_all if run.steps_in_all and run.epochs_in_all else 1.0
    places, losses = thinned(run.losses, MOST_POINTS)
    accuracies = thinned(run.accuracies, MOST_POINTS)[1]
    places = places / np.float32(per_epoch)
    ends = np.array([epoch.step / per_epoch for epoch in run.epochs], np.float32)
    lines = [
        *_pair("each step", places, losses, accuracies, {"width": 1, "color": colour}, opacity=0.65, markers=False),
        *_pair(
            "each epoch",
            ends,
            np.array([epoch.loss for epoch in run.epochs], np.float32),
            np.array([epoch.accuracy for epoch in run.epochs], np.float32),
            {"width": 2, "color": colour},
        ),
        *_pair(
            "validation",
            ends,
            np.array([_or_nan(epoch.validation_loss) for epoch in run.epochs], np.float32),
            np.array([_or_nan(epoch.validation_accuracy) for epoch in run.epochs], np.float32),
            {"width": 2, "color": colour if several else VERMILLION, "dash": "dash"},
            symbol="diamond",
        ),
    ]
    return [{**trace, **_legend(kind, trace, run, several)} for kind, trace in lines]


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _legend(kind: str, trace: Trace, run: Run, several: bool) -> Trace:
    """One entry for each kind of line of a run that is alone, one for each run of several."""
    above = trace["yaxis"] == "y"
    if several:
        named = "each epoch" if run.epochs else "each step"
        title = escape(run.title if len(run.title) < 40 else f"{run.title[:38]}…")
        return {"name": title, "legendgroup": run.id, "showlegend": above and kind == named}
    shown = above and bool(np.isfinite(trace["y"]).any())
    return {"name": kind, "legendgroup": kind, "showlegend": shown}


def _pair(
    kind: str,
    x: Any,
    losses: Any,
    accuracies: Any,
    line: Mapping[str, Any],
    opacity: float = 1.0,
    markers: bool = True,
    symbol: str = "circle",
) -> list[tuple[str, Trace]]:
    """The same line of both curves, with the kind it is of."""
    common = {
        "type": "scatter",
        "mode": "lines+markers" if markers or len(x) < 2 else "lines",  # a line needs two points
        "x": x,
        "line": dict(line),
        "opacity": opacity,
        "cliponaxis": not markers,
        "marker": {"size": 6, "symbol": symbol, "color": line["color"]},
    }
    above = {"y": losses, "yaxis": "y", "hovertemplate": f"%{{y:.4f}} loss, {kind}<extra></extra>"}
    below = {"y": accuracies, "yaxis": "y2", "hovertemplate": f"%{{y:.2%}} accuracy, {kind}<extra></extra>"}
    return [(kind, {**common, **above}), (kind, {**common, **below})]


def filters(first: FirstLayer) -> Figure:
    """The weights of each unit of the first layer, as they lie on the image."""
    shown = first.filters[:MOST_TILES]
    return mosaic(shown, layer=first.layer.name, quantity="weight", note=part(len(shown), len(first.filters)))


def answers(layer: str, found: NDArray[np.float32], labels: Sequence[str] | None = None) -> Figure:
    """What a layer answers to one image: maps of a spatial layer, bars of a flat one.

    Args:
        layer: its name.
        found: `(height, width, channels)` or `(units,)`.
        labels: names of the units, where they are the classes.
    """
    if found.ndim == 1:
        return bars(found, layer=layer, labels=labels if labels and len(labels) <= MOST_LABELS else None)
    maps = found.transpose(2, 0, 1)
    shown = np.ascontiguousarray(maps[:MOST_TILES])
    return mosaic(shown, layer=layer, note=part(len(shown), len(maps)))
