"""Two networks on one drawing: layer by layer, how far their activations lie apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log10
from typing import Any

import numpy as np
from plotly.graph_objects import Figure

from ..backends.base import Array, Model
from .alignment import Pair, aligned
from .colours import BLUE, FAINT, GREY, ORANGE, VERMILLION
from .contract import Need, NoSettings, Subject, visualizer
from .figures import figure, note_below
from .words import shape_words, short

AGREE = 1e-4
"""Relative difference up to which two layers count as the same: rounding in float32, added up over a deep network."""
LEAST = 1e-9
"""Where the logarithmic axis begins."""

ROW, CLASS_ROW, GAP, TICKS, LINE = 19, 26, 26, 30, 15
"""Pixels: a layer, a class with two bars, what lies between layers and classes, ticks, and a line of words below."""
MOST_CLASSES = 12


@dataclass(frozen=True)
class Compared:
    """One layer of the first network against its counterpart.

    Attributes:
        layer: its name in the first network.
        difference: the largest absolute difference over the largest magnitude; None where there is nothing to compare.
        words: what stands at its bar.
    """

    layer: str
    difference: float | None
    words: str


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
    rows = [_compared(pair, subject.activations, forward.activations) for pair in pairs]
    left = len(second.layers) - sum(pair.second is not None for pair in pairs)
    answers = _answers(subject.model, second, subject.probabilities, forward.activations[second.layers[-1].name])
    return _figure(subject.model, second, rows, answers, _conclusion(rows, left))


def difference(one: Array, two: Array) -> float:
    """The largest absolute difference of two arrays of one shape, relative to the largest magnitude in either."""
    largest = max(float(np.abs(one).max(initial=0)), float(np.abs(two).max(initial=0)))
    return float(np.abs(one - two).max(initial=0)) / largest if largest else 0.0


def _compared(pair: Pair, one: Mapping[str, Array], two: Mapping[str, Array]) -> Compared:
    name = pair.first.name
    if pair.second is None:
        return Compared(name, None, "only here")
    shapes = pair.first.output_shape, pair.second.output_shape
    if shapes[0] != shapes[1]:
        return Compared(name, None, " against ".join(map(shape_words, shapes)))
    found = difference(one[name], two[pair.second.name])
    return Compared(name, found, "equal" if found == 0 else short(found))


def _conclusion(rows: Sequence[Compared], left: int) -> str:
    """Which layer differs first, or that none does, in two lines; then how much could not be compared."""
    measured = {row.layer: row.difference for row in rows if row.difference is not None}
    apart = next((layer for layer, found in measured.items() if not found <= AGREE), None)  # NaN differs, too
    if apart:
        words = f"<b>{apart}</b> is the first layer beyond 1e-4:<br>it differs by {short(measured[apart])}"
    elif measured:
        most = max(measured, key=lambda layer: measured[layer])
        words = f"All {len(measured)} layers agree within 1e-4;<br>most apart is {most}, by {short(measured[most])}"
    else:
        words = "No layer can be compared:<br>all have other shapes"
    if len(rows) > len(measured):
        words += f"<br>not comparable: {len(rows) - len(measured)} of {len(rows)} layers"
    return words + (f"<br>only in the second: {left} layers" if left else "")


def _answers(first: Model, second: Model, one: Array, two: Array) -> list[dict[str, Any]]:
    """Both networks' probabilities as bars; none where they are the same network, or tell other classes apart."""
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
    axes = {"xaxis": _difference_axis(words), "yaxis": _rows([row.layer for row in rows], (0, tall[0] / sum(tall)))}
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
    ends = np.array([LEAST if row.difference is None else max(row.difference, LEAST) for row in rows])
    return {
        "type": "bar",
        "orientation": "h",
        "x": np.nan_to_num(ends, nan=1.0, posinf=1.0),
        "y": np.arange(len(rows), dtype="i2"),
        "text": [row.words for row in rows],
        "textposition": "outside",
        "cliponaxis": False,
        "customdata": [[row.layer] for row in rows],
        "marker": {"color": [_colour(row.difference) for row in rows]},
        "hoverinfo": "none",
    }


def _colour(found: float | None) -> str:
    return GREY if found is None else BLUE if found <= AGREE else VERMILLION


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
