"""Which units never answer, and which can no longer answer otherwise."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from plotly.graph_objects import Figure

from ..backends.base import Array
from ..models.layers import LayerInfo
from .colours import BLUE, FAINT, VERMILLION
from .contract import Frame, Need, Subject, visualizer
from .controls import Help, Range
from .figures import figure, note_below
from .portions import portions, spread
from .words import kind_words, part

CONSTANT = 1e-6
"""Units whose values differ less are taken to be constant."""
EDGE, MOSTLY = 0.95, 0.95
"""How near to an end of its range a value must lie to be extreme, and how often."""
RANGES: Mapping[str, tuple[float, float]] = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}
ROW = 30


@dataclass(frozen=True)
class DeadUnitsSettings:
    images: Annotated[int, Range(100, 10_000, 100), Help("How many images to look at, spread over all.")] = 2000


@dataclass(frozen=True)
class Tally:
    """What is remembered of a layer's activations, each `(units,)`; the activations themselves are not kept.

    Attributes:
        low: smallest value.
        high: largest value.
        extreme: how many values lay near an end of the function's range; zeros where it has none.
        cases: how many values each unit gave.
    """

    low: Array
    high: Array
    extreme: NDArray[np.int64]
    cases: int

    @classmethod
    def of(cls, layer: LayerInfo, activation: Array) -> "Tally":
        """Of an activation `(n, height, width, channels)` or `(n, units)`."""
        values = activation.reshape(-1, layer.units)
        extreme = np.zeros(layer.units, np.int64)
        if function_of(layer) in RANGES:
            low, high = RANGES[function_of(layer)]
            extreme = (np.abs(values - (low + high) / 2) > EDGE * (high - low) / 2).sum(axis=0)
        return cls(values.min(axis=0), values.max(axis=0), extreme, len(values))

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
            self.extreme + other.extreme,
            self.cases + other.cases,
        )


@visualizer(title="Dead and saturated units", needs={Need.DATASET}, wide=True)
def dead_units(subject: Subject, settings: DeadUnitsSettings) -> Iterator[Frame]:
    """How many units of each layer have nothing to say: they never answer, or they always answer alike.

    A relu whose input is below zero for every image gives zero for ever and, because no gradient passes it, cannot
    recover in training: it is dead. One whose input is always above zero passes everything on and decides nothing. A
    sigmoid or tanh that is nearly always at an end of its range is saturated, and hardly learns either. A few such
    units do no harm; many mean that the learning rate was too high or that the layer is larger than it needs to be.

    Counted over images and positions. Never active: the largest value of a relu is 0; in other layers the largest and
    smallest differ by less than 10⁻⁶. Saturated: 95 % of a sigmoid's or tanh's values lie in the outer 5 % of the way
    from the middle of its range to an end (after Glorot and Bengio 2010); a relu is above 0 in every case. Layers only
    hand on what is constant: pixels that are empty in every image are constant units of (units,) after a flatten.
    """
    assert subject.dataset is not None
    layers, tallies = subject.model.layers, dict[str, Tally]()
    chosen = spread(len(subject.dataset), settings.images)
    for portion in portions(subject.model, subject.dataset, chosen):
        for name, activation in subject.model.trace(portion.images, edits=subject.edits).items():
            more = Tally.of(subject.model.layer(name), activation)
            tallies[name] = tallies[name] + more if name in tallies else more
        drawn = _drawn(layers, tallies, portion.seen, len(subject.dataset)) if portion.shown else None
        yield Frame(drawn, portion.share)


def function_of(layer: LayerInfo) -> str:
    """The layer's activation function; nothing where it is no activation."""
    return str(layer.settings.get("function", "")) if layer.kind == "activation" else ""


def dead(layer: LayerInfo, tally: Tally) -> NDArray[np.bool_]:
    """Which units never answer, `(units,)`."""
    return tally.high <= 0 if function_of(layer) == "relu" else tally.high - tally.low < CONSTANT


def saturated(layer: LayerInfo, tally: Tally) -> NDArray[np.bool_]:
    """Which units can no longer answer otherwise, `(units,)`."""
    return tally.low > 0 if function_of(layer) == "relu" else tally.extreme >= max(1, MOSTLY * tally.cases)


def _drawn(layers: Sequence[LayerInfo], tallies: Mapping[str, Tally], seen: int, total: int) -> Figure:
    found = [(layer, tallies[layer.name]) for layer in layers]
    counts = [(int(dead(*each).sum()), int(saturated(*each).sum())) for each in found]
    note = part(seen, total, "images", "over") or f"over {seen:,} images"
    told = [_told(layer, *count) for layer, count in zip(layers, counts, strict=True)]
    words = [("never active", BLUE), ("saturated or always on", VERMILLION)]
    key = " ".join(f'<span style="color:{colour}">█</span> {word}' for word, colour in words)
    return figure(
        [
            _bars(layers, [count[0] for count in counts], BLUE, told),
            _bars(layers, [count[1] for count in counts], VERMILLION, None),
        ],
        height=72 + ROW * len(layers),
        margin={"l": 8, "r": 8, "t": 4, "b": 64},
        revision="dead units",
        barmode="group",
        bargap=0.3,
        hovermode="y",
        xaxis={
            "range": [0, 1.2],
            "tickvals": [0, 0.5, 1],
            "ticktext": ["0 %", "50 %", "100 % of units"],
            "gridcolor": FAINT,
            "zerolinecolor": FAINT,
            "fixedrange": True,
            "title": note_below(f"{key}<br>{note}"),
        },
        yaxis={
            "tickvals": list(range(len(layers))),
            "ticktext": [layer.name for layer in layers],
            "range": [len(layers) - 0.5, -0.5],
            "automargin": True,
            "fixedrange": True,
            "showgrid": False,
            "zeroline": False,
        },
    )


def _bars(
    layers: Sequence[LayerInfo], counts: Sequence[int], colour: str, told: Sequence[str] | None
) -> dict[str, Any]:
    units = np.array([layer.units for layer in layers], np.float32)
    return {
        "type": "bar",
        "orientation": "h",
        "x": np.array(counts, np.float32) / units,
        "y": np.arange(len(layers), dtype=np.int16),
        "text": [f"{count:,} of {layer.units:,}" if count else "" for count, layer in zip(counts, layers, strict=True)],
        "textposition": "outside",
        "cliponaxis": False,
        "customdata": [[layer.name] for layer in layers],
        "marker": {"color": colour, "line": {"width": 0}},
        **({"hoverinfo": "none"} if told is None else {"hovertext": list(told), "hoverinfo": "text"}),
    }


def _told(layer: LayerInfo, silent: int, stuck: int) -> str:
    """The numbers of a layer, one below the other."""
    lines = [f"<b>{layer.name}</b>  {kind_words(layer)}", _count(silent, layer.units, "never active")]
    if function_of(layer) == "relu":
        lines.append(_count(stuck, layer.units, "always on"))
    elif function_of(layer) in RANGES:
        lines.append(_count(stuck, layer.units, "saturated"))
    return "<br>".join(lines)


def _count(some: int, units: int, words: str) -> str:
    return f"{some:,} of {units:,} {words} ({100 * some / units:.1f} %)"
