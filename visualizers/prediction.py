"""The answer: how probable the network finds each class."""

from typing import Any

import numpy as np
from plotly.graph_objects import Figure

from .colours import BLUE, GREEN, GREY, VERMILLION
from .contract import Need, NoSettings, Subject, visualizer
from .figures import figure, note_below
from .words import part

MOST_CLASSES = 20


@visualizer(title="Prediction", needs={Need.IMAGE})
def prediction(subject: Subject, settings: NoSettings) -> Figure:
    """How sure the network is of each class; the longest bar is its answer.

    The bars always sum to 100 %, so the network has to answer something even for a scribble. Two bars of similar
    length mean that it hesitates: look at what those two classes have in common. When the true class is known, it is
    marked, and the answer is green with a tick if it is right, red with a cross if it is wrong.

    Probabilities have shape (classes,) and come from the last layer, usually a softmax (Bridle 1990).
    """
    chances = subject.probabilities
    kept = _kept(chances, subject.label)
    answer = int(chances.argmax())
    return figure(
        [
            {
                "type": "bar",
                "orientation": "h",
                "x": chances[kept],
                "y": np.arange(len(kept), dtype=np.int16),
                "text": [_words(int(index), answer, subject.label, float(chances[index])) for index in kept],
                "textposition": "outside",
                "cliponaxis": False,
                "customdata": [[subject.model.layers[-1].name, int(index)] for index in kept],
                "marker": {"color": [_colour(int(index), answer, subject.label) for index in kept]},
                "hoverinfo": "none",
            }
        ],
        height=24 + 22 * len(kept) + (20 if len(kept) < len(chances) else 0),
        margin={"l": 8, "r": 8, "t": 4, "b": 24 if len(kept) < len(chances) else 4},
        bargap=0.25,
        xaxis=_probability_axis(part(len(kept), len(chances), "classes", "most probable")),
        yaxis=_class_axis([subject.model.classes[index] for index in kept]),
    )


def _kept(chances: Any, label: int | None) -> Any:
    """All classes in their order; of many, the most probable ones and the true one."""
    if len(chances) <= MOST_CLASSES:
        return np.arange(len(chances))
    best = np.argsort(-chances, kind="stable")[:MOST_CLASSES]
    if label is not None and label not in best:
        best[-1] = label
    return best


def _words(index: int, answer: int, label: int | None, chance: float) -> str:
    percent = f"{100 * chance:.1f} %"
    if index == answer:
        return f"<b>{percent}</b>" + ("" if label is None else "  ✓ right" if label == answer else "  ✗ wrong")
    return f"{percent}  ← true class" if index == label else percent


def _colour(index: int, answer: int, label: int | None) -> str:
    if index != answer:
        return GREEN if index == label else GREY
    return BLUE if label is None else GREEN if label == answer else VERMILLION


def _probability_axis(note: str) -> dict[str, Any]:
    return {
        "visible": bool(note),
        "range": [0, 1.8],
        "fixedrange": True,
        "showgrid": False,
        "zeroline": False,
        "showticklabels": False,
        "title": note_below(note),
    }


def _class_axis(names: list[str]) -> dict[str, Any]:
    return {
        "tickvals": list(range(len(names))),
        "ticktext": names,
        "range": [len(names) - 0.5, -0.5],
        "fixedrange": True,
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
        "automargin": True,
        "tickfont": {"size": 13},
    }
