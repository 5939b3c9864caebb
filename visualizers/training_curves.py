"""How a training went: loss and accuracy, step by step and epoch by epoch."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from plotly.graph_objects import Figure

from ..models.run import EpochMetrics, Run
from .colours import BLUE, FAINT, ORANGE
from .contract import Need, Subject, visualizer
from .controls import Help, Range
from .figures import figure, note_below

MOST_POINTS = 1000
"""Of one line; more than that no panel can show."""


@dataclass(frozen=True)
class TrainingCurvesSettings:
    smoothing: Annotated[int, Range(1, 500), Help("Steps that the thick line averages over.")] = 25
    logarithmic: Annotated[bool, Help("A logarithmic axis for the loss, which shows small improvements.")] = False


@visualizer(title="Training curves", needs={Need.RUN}, wide=True)
def training_curves(subject: Subject, settings: TrainingCurvesSettings) -> Figure:
    """How the network learnt: its loss should fall and its accuracy rise, quickly at first and then ever more slowly.

    The thin line is each step, which jumps because each sees other images; the thick line is its average, and the
    orange dots are images that the network never trained on. While both go the same way, it learns something general.
    Where the blue loss goes on falling and the orange one rises, it begins to learn its own images by heart; the best
    epoch is the one before that. A loss that jumps up and stays there means a learning rate that is too high.

    The loss is the mean cross-entropy of a batch in nats, ln(classes) for pure guessing; the accuracy is the share that
    is right, in [0, 1]. The thick line is the mean over the steps before, so it lags behind by half as many. Blue
    diamonds are the means of whole epochs, in their middle; the orange dots stand where an epoch ended.
    """
    run = subject.run
    if run is None:
        raise LookupError("There is no training run.")
    last = max(int(run.steps[-1]) if len(run.steps) else 1, *[epoch.step for epoch in run.epochs], 1)
    return figure(
        [
            *_curves(run, run.losses, settings.smoothing, _epochs(run.epochs, "loss"), "loss", "y2"),
            *_curves(run, run.accuracies, settings.smoothing, _epochs(run.epochs, "accuracy"), "accuracy", "y"),
        ],
        height=360,
        revision=f"{run.id} {settings.logarithmic}",
        margin={"l": 44, "r": 10, "t": 6, "b": 72},
        xaxis={
            "range": [0, 1.02 * last],
            "gridcolor": FAINT,
            "zeroline": False,
            "title": note_below(f"step · {_KEY}<br>{_best(run)}"),
        },
        yaxis={**_AXIS, "domain": [0, 0.47], "tickformat": ".0%", "title": _name("accuracy")},
        yaxis2={
            **_AXIS,
            "domain": [0.53, 1],
            "title": _name("loss"),
            "type": "log" if settings.logarithmic else "linear",
            **({} if settings.logarithmic else {"rangemode": "tozero"}),
        },
    )


_AXIS: Mapping[str, Any] = {"gridcolor": FAINT, "zeroline": False, "nticks": 5}
_KEY = f'<span style="color:{BLUE}">█</span> training <span style="color:{ORANGE}">●</span> validation'


def smoothed(values: NDArray[np.floating], steps: int) -> NDArray[np.float32]:
    """Each value's mean with the `steps` − 1 before it, fewer at the beginning; `(n,)`. What is not finite is left out.

    A place whose values are all not finite is NaN.
    """
    known = np.isfinite(values)
    sums = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0), dtype=np.float64)])
    counts = np.concatenate([[0], np.cumsum(known)])
    end = np.arange(1, len(values) + 1)
    start = np.maximum(end - steps, 0)
    number = counts[end] - counts[start]
    total = np.where(number, sums[end] - sums[start], np.nan)
    mean: NDArray[np.float32] = (total / np.maximum(number, 1)).astype(np.float32)
    return mean


def _name(words: str) -> dict[str, Any]:
    return {"text": words, "standoff": 2, "font": {"size": 11}}


def _best(run: Run) -> str:
    """The best validation accuracy and its epoch; else how far the training has come."""
    checked = [epoch for epoch in run.epochs if epoch.validation_accuracy is not None]
    if checked:
        best = max(checked, key=lambda epoch: epoch.validation_accuracy or 0)
        return (
            f"best validation accuracy <b>{best.validation_accuracy:.2%}</b>,<br>"
            f"after epoch {best.number} of {run.epochs[-1].number}"
        )
    if run.epochs:
        last = run.epochs[-1]
        return f"no images kept out;<br>{last.accuracy:.2%} right in training in epoch {last.number}"
    return f"{len(run.steps):,} steps, no whole epoch yet" if len(run.steps) else "nothing measured yet"


def _epochs(epochs: Sequence[EpochMetrics], what: str) -> list[tuple[int, float | None, float | None]]:
    """Last step, training and validation value of each epoch."""
    return [(epoch.step, getattr(epoch, what), getattr(epoch, f"validation_{what}")) for epoch in epochs]


def _curves(
    run: Run,
    values: NDArray[np.float32],
    smoothing: int,
    epochs: Sequence[tuple[int, float | None, float | None]],
    what: str,
    axis: str,
) -> list[dict[str, Any]]:
    lines = _lines(run.steps, values, smoothing, what) if len(values) else []
    return [{**trace, "yaxis": axis} for trace in (*lines, *(_dots(epochs, what) if epochs else []))]


def _lines(
    steps: NDArray[np.int64], values: NDArray[np.float32], smoothing: int, what: str
) -> Iterator[dict[str, Any]]:
    """Each step, thin, and the mean of the last ones."""
    stride = -(-len(values) // MOST_POINTS)
    line = {"type": "scatter", "mode": "lines", "x": steps[::stride].astype(np.int32)}
    yield {
        **line,
        "y": values[::stride],
        "line": {"color": BLUE, "width": 0.7},
        "opacity": 0.4,
        "hoverinfo": "skip",
    }
    yield {
        **line,
        "y": smoothed(values, smoothing)[::stride],
        "line": {"color": BLUE, "width": 2.2},
        "hovertemplate": f"step %{{x}}: {what} %{{y:.4g}}<extra></extra>",
    }


def _dots(epochs: Sequence[tuple[int, float | None, float | None]], what: str) -> Iterator[dict[str, Any]]:
    """Each epoch: its mean in training, in its middle, and what was validated after it."""
    ends = np.array([step for step, _, _ in epochs], np.int32)
    trained, checked = (np.array([each[k] for each in epochs], np.float32) for k in (1, 2))
    yield {
        "type": "scatter",
        "mode": "markers",
        "x": (np.concatenate([[0], ends[:-1]]) + ends) / 2,
        "y": trained,
        "marker": {"color": BLUE, "size": 7, "symbol": "diamond"},
        "cliponaxis": False,
        "hovertemplate": f"mean {what} of the epoch %{{y:.4g}}<extra></extra>",
    }
    yield {
        "type": "scatter",
        "mode": "lines+markers",
        "x": ends,
        "y": checked,
        "line": {"color": ORANGE, "width": 1.5},
        "marker": {"color": ORANGE, "size": 7},
        "cliponaxis": False,
        "hovertemplate": f"validation {what} %{{y:.4g}}<extra></extra>",
    }
