"""Two networks on one drawing: layer by layer, how far their activations lie apart."""

from collections.abc import Mapping, Sequence
from math import log10
from typing import Any

import numpy as np
from plotly.graph_objects import Figure

from ..backends.base import Array, Model
from ..models.agreement import Compared, compared, first_apart
from ..models.alignment import aligned
from .colours import BLUE, FAINT, GREY, ORANGE, VERMILLION
from .contract import Need, NoSettings, Subject, visualizer
from .figures import figure, note_below
from .words import shape_words, short

LEAST = 1e-9
"""Where the logarithmic axis begins."""

ROW, CLASS_ROW, GAP, TICKS, LINE = 19, 26, 26, 30, 15
"""Pixels: a layer, a class with two bars, what lies between layers and classes, ticks, and a line of words below."""
MOST_CLASSES = 12


@visualizer(title="Two models", needs={Need.IMAGE, Need.SECOND_MODEL}, wide=True)
def model_differences(subject: Subject, settings: NoSettings) -> Figure:
    """Whether two networks compute the same from your drawing, and which layer is the first to differ.

    Compare a network with itself on the other backend: the weights are the same, so every bar should end near 1e-7,
    which is rounding. A bar that jumps from there to 1e-2 names the layer that the two frameworks understand
    differently, such as a padding or a constant of the batch normalisation; the layers after it inherit the
    difference. Two different networks differ in every layer that has learnt something, and have layers that cannot be
    compared; their answers stand side by side above.

    A bar is max |a − b| / max(|a|, |b|) over all values of a layer, on a logarithmic axis; up to 1e-4 two layers count
    as the same. Layers are aligned by name and kind, what lies between by kind and depth; activations have shape
    (height, width, channels) or (units,).
    """
    second, forward = subject.second_model, subject.second_forward
    if second is None or forward is None:
        raise LookupError("There is no second model, or nothing for it to look at.")
    pairs = aligned(subject.model.layers, second.layers)
    rows = compared(pairs, subject.activations, forward.activations)
    left = len(second.layers) - sum(pair.second is not None for pair in pairs)
    answers = _answers(subject.model, second, subject.probabilities, forward.activations[second.layers[-1].name])
    return _figure(subject.model, second, rows, answers, _conclusion(rows, left))


def _words(row: Compared) -> str:
    """What stands at a layer's bar."""
    if row.gap is not None:
        return "equal" if row.gap.largest == 0 else short(row.gap.largest)
    if row.pair.second is None:
        return "only here"
    return " against ".join(map(shape_words, (row.pair.first.output_shape, row.pair.second.output_shape)))


def _conclusion(rows: Sequence[Compared], left: int) -> str:
    """Which layer differs first, or that none does, in two lines; then how much could not be compared."""
    measured = {row.name: row.gap.largest for row in rows if row.gap is not None}
    apart = first_apart(row for row in rows if row.gap is not None)
    if apart:
        words = f"<b>{apart.name}</b> is the first layer beyond 1e-4:<br>it differs by {short(measured[apart.name])}"
    elif measured:
        most = max(measured, key=lambda layer: measured[layer])
        words = f"All {len(measured)} layers agree within 1e-4;<br>most apart is {most}, by {short(measured[most])}"
    else:
        words = "No layer can be compared:<br>all have other shapes"
    if len(rows) > len(measured):
        words += f"<br>not comparable: {len(rows) - len(measured)} of {len(rows)} layers"
    return words + (f"<br>only in the second: {left} layers" if left else "")


def _answers(first: Model, second: Model, one: Array, two: Array) -> list[dict[str, Any]]:
    """Both networks' probabilities as bars; none where they are the same network, or tell different classes apart."""
    if first.version == second.version or first.classes != second.classes:
        return []
    kept = np.sort(np.argsort(-np.maximum(one, two), kind="stable")[:MOST_CLASSES])
    common = {"type": "bar", "orientation": "h", "xaxis": "x2", "yaxis": "y2", "y": np.arange(len(kept), dtype="i2")}
    return [
        {
            **common,
            "x": values[kept],
            "text": [f"{100 * value:.1f} %" for value in values[kept]],
            "textposition": "outside",
            "textfont": {"size": 9},
            "cliponaxis": False,
            "marker": {"color": colour},
            "customdata": [[first.layers[-1].name, int(index)] for index in kept],
            "hoverinfo": "none",
        }
        for values, colour in ((one, BLUE), (two, ORANGE))
    ]


def _figure(first: Model, second: Model, rows: Sequence[Compared], answers: Sequence[Any], words: str) -> Figure:
    classes = len(answers[0]["y"]) if answers else 0
    tall = ROW * len(rows), CLASS_ROW * classes + (GAP if classes else 0)
    if classes:
        words += f"<br>{_key(first, BLUE)}<br>{_key(second, ORANGE)}"
    below = TICKS + LINE * (words.count("<br>") + 1)
    axes = {"xaxis": _difference_axis(words), "yaxis": _rows([row.name for row in rows], (0, tall[0] / sum(tall)))}
    if classes:
        names = [first.classes[index] for _, index in answers[0]["customdata"]]
        axes["xaxis2"] = {**HIDDEN, "range": [0, 1.35], "anchor": "y2"}
        axes["yaxis2"] = {**_rows(names, ((tall[0] + GAP) / sum(tall), 1)), "anchor": "x2"}
    return figure(
        [_bars(rows), *answers],
        height=sum(tall) + below,
        revision=f"{first.name} {second.name} {len(rows)} {classes}",
        margin={"l": 8, "r": 8, "t": 4, "b": below - 4},
        bargap=0.25,
        barmode="group",
        **axes,
    )


HIDDEN: Mapping[str, Any] = {
    "showgrid": False, "zeroline": False, "showticklabels": False, "ticks": "", "fixedrange": True,
}  # fmt: skip


def _key(model: Model, colour: str) -> str:
    return f'<span style="color:{colour}">█</span> {model.name} ({model.backend})'


def _bars(rows: Sequence[Compared]) -> dict[str, Any]:
    ends = np.array([LEAST if row.gap is None else max(row.gap.largest, LEAST) for row in rows])
    return {
        "type": "bar",
        "orientation": "h",
        "x": np.nan_to_num(ends, nan=1.0, posinf=1.0),
        "y": np.arange(len(rows), dtype="i2"),
        "text": [_words(row) for row in rows],
        "textposition": "outside",
        "cliponaxis": False,
        "customdata": [[row.name] for row in rows],
        "marker": {"color": [_colour(row) for row in rows]},
        "hoverinfo": "none",
    }


def _colour(row: Compared) -> str:
    return GREY if row.gap is None else BLUE if row.agrees() else VERMILLION


def _difference_axis(words: str) -> dict[str, Any]:
    ticks = [-8, -6, -4, -2, 0]
    return {
        "type": "log",
        "range": [log10(LEAST), 2.2],  # beyond 1 there is room for the number of a bar that ends there
        "tickvals": [10.0**power for power in ticks],
        "ticktext": [f"1e{power}" for power in ticks[:-1]] + ["1"],
        "gridcolor": FAINT,
        "zeroline": False,
        "fixedrange": True,
        "title": note_below(words),
    }


def _rows(names: Sequence[str], domain: tuple[float, float]) -> dict[str, Any]:
    return {
        "domain": list(domain),
        "range": [len(names) - 0.5, -0.5],
        "tickvals": list(range(len(names))),
        "ticktext": list(names),
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
        "ticks": "",
        "automargin": True,
    }
