"""The figure that says how far an explanation can be trusted: curves above, bars below."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan
from typing import Any

import numpy as np
from plotly.graph_objects import Figure

from .colours import BLUE, FAINT, GREEN, ORANGE
from .faithfulness import Faithfulness, Method
from .figures import HIDDEN_AXIS, figure, note_below
from .perturbation import Curve

LEFT = 36
AXIS: Mapping[str, Any] = {"tickvals": [0, 0.5, 1], "gridcolor": FAINT, "zerolinecolor": FAINT}
MARGIN = {"l": LEFT, "r": 20, "t": 51, "b": 36}
CURVES, ROW, ONE_LINE, TWO_LINES = 158, 24, 48, 62
"""Pixels: height of the curves and of one bar, and what is left for the words below a part."""
SAME, CHANGED = 0.7, 0.4


@dataclass
class Findings:
    """What is known so far.

    Attributes:
        others: methods to compare with.
        stages: what is forgotten at each stage, in words; empty where the network cannot forget.
        untested: why it cannot.
        tested: the curves.
        likenesses: of the map to that of each stage, as far as it is known.
        agreements: with other methods, as far as they are known.
    """

    others: Sequence[Method]
    stages: Sequence[str]
    untested: str
    tested: Faithfulness | None = None
    likenesses: list[float] = field(default_factory=list)
    agreements: dict[Method, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Part:
    """A block of bars, from `low` to `high` in pixels above the lowest."""

    number: int
    low: int
    high: int
    rows: Sequence[str]
    values: Sequence[float | None]
    words: str
    colour: str


def findings_figure(found: Findings) -> Figure:
    """Curves above, bars below; what is not known yet is left open."""
    assert found.tested is not None
    parts = list(_parts(found))
    top = parts[-1].high + ONE_LINE
    whole = top + CURVES
    return figure(
        [
            _line(found.tested.random_deletion, BLUE, "dot", "deletion, random order"),
            _line(found.tested.random_insertion, ORANGE, "dot", "insertion, random order"),
            _line(found.tested.deletion, BLUE, "solid", "deletion"),
            _line(found.tested.insertion, ORANGE, "solid", "insertion"),
            *(trace for part in reversed(parts) for trace in _bars(part)),
        ],
        height=whole + MARGIN["t"] + MARGIN["b"],
        margin=MARGIN,
        annotations=_summary(found),
        xaxis={**AXIS, "range": [0, 1], "anchor": "y", "tickformat": ".0%", "title": note_below("share of pixels")},
        yaxis={
            **AXIS, "range": [-0.02, 1.02], "domain": [top / whole, 1], "title": note_below("probability"),
        },
        **{key: axis for part in parts for key, axis in _axes(part, whole).items()},
    )  # fmt: skip


def withheld(method: Method, reason: str) -> Figure:
    """Words instead of a test."""
    hidden = {**HIDDEN_AXIS, "range": [0, 1]}
    words = {"x": 0.5, "y": 0.5, "showarrow": False, "text": f"{method} is withheld:<br>{reason}"}
    return figure([], height=120, annotations=[words], xaxis=hidden, yaxis=hidden)


def _parts(found: Findings) -> Iterator[_Part]:
    """Agreements lowest, then likenesses, if any."""
    high = ROW * len(found.others)
    agreements = [found.agreements.get(method) for method in found.others]
    yield _Part(2, 0, high, found.others, agreements, "agreement with other methods", BLUE)
    if found.stages:
        low = high + TWO_LINES
        likenesses = [*found.likenesses, *[None] * (len(found.stages) - len(found.likenesses))]
        words = f"likeness with shuffled weights{_verdict(likenesses[-1])}"
        yield _Part(3, low, low + ROW * len(found.stages), found.stages, likenesses, words, GREEN)


def _verdict(likeness: float | None) -> str:
    """What it means that the map is so much like that of a network that has forgotten everything."""
    if likeness is None:
        return ""
    if isnan(likeness):
        return "<br>once all is forgotten, a map is empty"
    if likeness >= SAME:
        return "<br>it stays the same, so it explains nothing"
    if likeness >= CHANGED:
        return "<br>part of it stays, whatever was learnt"
    return "<br>it changes with what was learnt, as it should"


def _axes(part: _Part, whole: int) -> dict[str, Any]:
    known = [value for value in part.values if value is not None]
    return {
        f"xaxis{part.number}": {
            **AXIS,
            "range": [min([0.0, *(value for value in known if value < 0)]), 1],
            "anchor": f"y{part.number}",
            "title": note_below(part.words),
        },
        f"yaxis{part.number}": {
            **HIDDEN_AXIS,
            "range": [len(part.rows) - 0.5, -0.5],
            "domain": [part.low / whole, part.high / whole],
            "anchor": f"x{part.number}",
        },
    }


def _line(curve: Curve, colour: str, dash: str, name: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": curve.shares,
        "y": curve.probabilities,
        "line": {"color": colour, "width": 2 if dash == "solid" else 1.5, "dash": dash},
        "hovertemplate": f"{name}: %{{y:.3f}} at %{{x:.0%}}<extra></extra>",
    }


def _bars(part: _Part) -> list[dict[str, Any]]:
    """A thin bar for each row and its name above, where a narrow panel has room for it."""
    values = np.array([0.0 if value is None else value for value in part.values], np.float32)
    rows = np.arange(len(part.rows), dtype=np.float32)
    shared = {"xaxis": f"x{part.number}", "yaxis": f"y{part.number}", "hoverinfo": "none"}
    return [
        {
            **shared, "type": "bar", "orientation": "h", "x": np.nan_to_num(values), "y": rows + np.float32(0.25),
            "width": 0.3, "marker": {"color": part.colour},
        },
        {
            **shared, "type": "scatter", "mode": "text", "x": np.zeros(len(part.rows), np.float32),
            "y": rows - np.float32(0.18), "textposition": "middle right", "cliponaxis": False,
            "text": [f"{row}  <b>{_words(value)}</b>" for row, value in zip(part.rows, part.values, strict=True)],
        },
    ]  # fmt: skip


def _words(value: float | None) -> str:
    """An agreement with two digits, or why there is none."""
    if value is None:
        return "…"
    return "none: one of the maps is the same everywhere" if isnan(value) else f"{value:.2f}".replace("-", "−")


def _summary(found: Findings) -> list[dict[str, Any]]:
    """Three lines above the curves, which are their legend too."""
    assert found.tested is not None
    tested = found.tested
    rows = [
        (BLUE, f"deletion {_area(tested.deletion, tested.random_deletion)}; best low)"),
        (ORANGE, f"insertion {_area(tested.insertion, tested.random_insertion)}; best high)"),
        (GREEN, f"shuffled weights {_forgotten(found)}"),
    ]
    return [
        {
            "xref": "paper", "yref": "paper", "x": 0, "y": 1, "xanchor": "left", "yanchor": "bottom",
            "xshift": 4 - LEFT, "yshift": 31 - 15 * row, "showarrow": False, "align": "left",
            "text": f'<span style="color:{colour}">█</span> {words}',
        }
        for row, (colour, words) in enumerate(rows)
    ]  # fmt: skip


def _area(curve: Curve, random: Curve) -> str:
    return f"<b>{curve.area:.2f}</b> (random {random.area:.2f}"


def _forgotten(found: Findings) -> str:
    """The likeness once everything is forgotten."""
    if not found.stages:
        return found.untested
    whole = found.likenesses[-1] if len(found.likenesses) == len(found.stages) else None
    if whole is not None and isnan(whole):
        return "<b>none</b> (a map is empty)"
    return f"<b>{_words(whole)}</b> (best near 0)"
