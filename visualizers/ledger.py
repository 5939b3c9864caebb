"""A sum written down like a bill: one bar for each entry, the result at the bottom."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from plotly.graph_objects import Figure

from .cells import LINE
from .colours import ABOVE, BELOW, BLUE, FAINT, GREY, extent
from .figures import figure
from .words import short

ROW = 21
"""Pixels of a row."""
NAMES = 0.47
"""Share of the width that the names take: what a narrow panel needs for the longest."""
LONGEST = 20
"""Characters of a name; longer ones are cut."""


@dataclass(frozen=True)
class Entry:
    """One row.

    Attributes:
        name: what the number is.
        value: its length; NaN keeps the row free.
        layer: where a click on it leads; nowhere when empty.
        unit: the unit of that layer.
        result: whether it is what the others give.
    """

    name: str
    value: float
    layer: str = ""
    unit: int = 0
    result: bool = False


def ledger(entries: Sequence[Entry], *, lines: Sequence[str] = (), revision: str = "") -> Figure:
    """Entries from top to bottom, with lines of text below; empty lines keep their room."""
    values = np.array([entry.value for entry in entries], np.float32)
    low, high = extent(np.append(values, np.float32(0)))
    room = 0.7 * ((high - low) or 1.0)  # for the numbers beside the bars
    below = LINE * len(lines) + 8
    return figure(
        [
            {
                "type": "bar",
                "orientation": "h",
                "x": values,
                "y": np.arange(len(entries), dtype=np.int16),
                "text": [_words(entry) for entry in entries],
                "textposition": "outside",
                "cliponaxis": False,
                "customdata": [[entry.layer, entry.unit] if entry.layer else [] for entry in entries],
                "marker": {"color": [_colour(entry) for entry in entries]},
                "hoverinfo": "none",
            }
        ],
        height=ROW * len(entries) + below + 4,
        revision=revision,
        margin={"l": 8, "r": 4, "t": 4, "b": below},
        bargap=0.3,
        annotations=[_below("<br>".join(lines))],
        xaxis={
            "domain": [NAMES, 1],
            "range": [low - (1.3 * room if low < 0 else 0), high + (room if high > 0 or low == 0 else 0.02 * room)],
            "fixedrange": True,
            "showgrid": False,
            "zerolinecolor": FAINT,
            "showticklabels": False,
        },
        yaxis=_names(entries),
    )


def _words(entry: Entry) -> str:
    if np.isnan(entry.value):
        return ""
    return f"<b>{short(entry.value)}</b>" if entry.result else short(entry.value)


def _colour(entry: Entry) -> str:
    if entry.result:
        return BLUE
    return GREY if not entry.layer else ABOVE if entry.value > 0 else BELOW


def cut(name: str, longest: int = LONGEST) -> str:
    """The name, its middle left out where it is too long."""
    if len(name) <= longest:
        return name
    return f"{name[: longest // 2]}…{name[len(name) + 1 + longest // 2 - longest :]}"


def _below(text: str) -> dict[str, Any]:
    """Words in the middle of the whole figure; an axis title would stand in the middle of the bars."""
    place = {"xref": "paper", "x": 0.5, "yref": "paper", "y": 0, "yanchor": "top", "yshift": -4}
    return {"text": text, "showarrow": False, "font": {"size": 11}, **place}


def _names(entries: Sequence[Entry]) -> dict[str, Any]:
    return {
        "tickvals": list(range(len(entries))),
        "ticktext": [f"<b>{cut(entry.name)}</b>" if entry.result else cut(entry.name) for entry in entries],
        "range": [len(entries) - 0.5, -0.5],
        "fixedrange": True,
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
        "tickfont": {"size": 11},
    }
