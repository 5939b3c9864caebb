"""A sum written down like a bill: one bar for each entry, the result at the bottom."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from plotly.graph_objects import Figure

from .cells import LINE
from .colours import ABOVE, BELOW, BLUE, FAINT, GREY, extent
from .figures import figure, note_below
from .words import short

ROW = 21
"""Pixels of a row."""


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
    room = 0.45 * ((high - low) or 1.0)  # for the numbers beside the bars
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
        xaxis={
            "range": [low - (room if low < 0 else 0.02 * room), high + (room if high > 0 or low == 0 else 0.02 * room)],
            "fixedrange": True,
            "showgrid": False,
            "zerolinecolor": FAINT,
            "showticklabels": False,
            "title": note_below("<br>".join(lines)),
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


def _names(entries: Sequence[Entry]) -> dict[str, Any]:
    return {
        "tickvals": list(range(len(entries))),
        "ticktext": [f"<b>{entry.name}</b>" if entry.result else entry.name for entry in entries],
        "range": [len(entries) - 0.5, -0.5],
        "fixedrange": True,
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
        "automargin": True,
        "tickfont": {"size": 11},
    }
