"""The whole network at work: columns of units, and the connections that carry the most."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from plotly.graph_objects import Figure

from ..backends.base import Array
from .colours import ABOVE, BELOW, CLEAR, GREY, Scale, scale_of
from .connections import Bridge, Indices, bridges_of, contributions, strength
from .contract import Need, Subject, visualizer
from .controls import Help, Range
from .figures import HIDDEN_AXIS, figure

Place = tuple[float, float]


@dataclass(frozen=True)
class NetworkSettings:
    units: Annotated[int, Range(4, 32), Help("Units in a column at most; the strongest are shown.")] = 16
    connections: Annotated[int, Range(0, 150), Help("How many connections at most; the strongest are shown.")] = 90


@dataclass(frozen=True)
class Column:
    """Units of one layer in the drawing.

    Attributes:
        layer: the layer's name.
        total: how many units it has.
        units: which are shown, in their order.
        values: their activation, `(units,)`, averaged over height and width.
        x: where the column stands.
    """

    layer: str
    total: int
    units: Indices
    values: Array
    x: int

    def place(self, index: int) -> Place:
        """Where the unit at an index of `units` stands."""
        return self.x, index - (len(self.units) - 1) / 2


@visualizer(title="Network", needs={Need.IMAGE}, wide=True)
def network_view(subject: Subject, settings: NetworkSettings) -> Figure:
    """Your image on its way through the network: every dot is a unit, brighter the stronger it answers.

    The lines are the connections that carry the most from one layer to the next: what the sending unit says times the
    weight of the connection. Red lines push the receiving unit up, blue ones hold it down. The ringed unit at the end
    is the answer; follow the red lines backwards from it to see what it rests on. Click a dot to select it everywhere.

    Activations of shape (height, width, channels) are averaged over height and width; contributions, activation ×
    weight, are summed over all positions. Colours are relative to the strongest unit of each column.
    """
    bridges = bridges_of(subject.model)
    columns = _columns(subject, bridges, settings.units)
    lines = _strongest(subject, bridges, columns, settings.connections)
    final = list(columns.values())[-1]
    shares = np.concatenate([column.values / (np.abs(column.values).max() or 1) for column in columns.values()])
    cut = any(len(column.units) < column.total for column in columns.values())
    return figure(
        [
            _connections([ends for ends, up in lines if up is wanted], colour)
            for wanted, colour in ((True, ABOVE), (False, BELOW))
        ]
        + [_nodes(list(columns.values()), shares, 12 if settings.units <= 20 else 8), *_answer(subject, final)],
        height=138 + 20 * settings.units,
        revision="network",
        margin={"l": 4, "r": 4 + 6 * min(16, max(map(len, subject.model.classes))), "t": 4, "b": 120},
        hoverdistance=12,
        xaxis={
            **HIDDEN_AXIS,
            "range": [-0.5, len(columns) - 0.5],
            "showticklabels": True,
            "tickvals": list(range(len(columns))),
            "ticktext": _names(list(columns.values())),
            "tickangle": 0,
        },
        yaxis={**HIDDEN_AXIS, "range": [settings.units / 2, -settings.units / 2]},
        annotations=[_note(scale_of(shares), cut)],
    )


def _columns(subject: Subject, bridges: Sequence[Bridge], most: int) -> Mapping[str, Column]:
    """The layers that bridges lead from and to, in the model's order, each with its strongest units."""
    ends = {name for bridge in bridges for name in (bridge.source, bridge.target)} | {subject.model.layers[-1].name}
    names = [layer.name for layer in subject.model.layers if layer.name in ends]
    return {name: _column(name, strength(subject.activations[name]), most, x) for x, name in enumerate(names)}


def _column(name: str, values: Array, most: int, x: int) -> Column:
    strongest = np.sort(np.argsort(-np.abs(values), kind="stable")[:most])
    return Column(name, len(values), strongest, values[strongest], x)


def _strongest(
    subject: Subject, bridges: Sequence[Bridge], columns: Mapping[str, Column], most: int
) -> list[tuple[tuple[Place, Place], bool]]:
    """Both ends of the strongest connections of every bridge, and whether each pushes up."""
    found = []
    for bridge in bridges:
        source, target = columns[bridge.source], columns[bridge.target]
        inside = (target.units >= bridge.offset) & (target.units < bridge.offset + bridge.layer.units)
        receivers = np.flatnonzero(inside)
        kernel = subject.model.weights(bridge.layer.name).get("kernel")
        if kernel is None:
            continue
        wanted = target.units[receivers] - bridge.offset
        carried = contributions(bridge.layer, kernel, subject.activations[bridge.source], source.units, wanted)
        if carried is None:
            continue
        for index in np.argsort(-np.abs(carried), axis=None, kind="stable")[: most // len(bridges)]:
            start, end = divmod(int(index), len(wanted))
            if carried[start, end]:
                found.append(((source.place(start), target.place(int(receivers[end]))), bool(carried[start, end] > 0)))
    return found


def _connections(ends: Sequence[tuple[Place, Place]], colour: str) -> dict[str, Any]:
    """All connections of one colour as one line, broken by NaN."""
    points = np.full((len(ends), 3, 2), np.nan, dtype=np.float32)
    if ends:
        points[:, :2] = ends
    x, y = points.reshape(-1, 2).T
    return {
        "type": "scatter",
        "mode": "lines",
        "x": x,
        "y": y,
        "line": {"color": colour, "width": 1.2},
        "opacity": 0.55,
        "hoverinfo": "skip",
    }


def _nodes(columns: Sequence[Column], shares: Array, size: int) -> dict[str, Any]:
    places = np.array(
        [column.place(index) for column in columns for index in range(len(column.units))], dtype=np.float32
    )
    scale = scale_of(shares)
    return {
        "type": "scatter",
        "mode": "markers",
        "x": places[:, 0],
        "y": places[:, 1],
        "marker": {
            "size": size,
            "color": shares,
            "cmin": scale.low,
            "cmax": scale.high,
            "colorscale": scale.colorscale,
            "line": {"color": GREY, "width": 1},
            "opacity": 1,
        },
        "customdata": [[column.layer, int(unit)] for column in columns for unit in column.units],
        "text": [f"{value:.3g}" for column in columns for value in column.values],
        "hovertemplate": "%{customdata[0]}, unit %{customdata[1]}: %{text}<extra></extra>",
    }


def _answer(subject: Subject, column: Column) -> list[dict[str, Any]]:
    """The classes' names beside the last column, and a ring around the predicted one."""
    places = np.array([column.place(index) for index in range(len(column.units))], dtype=np.float32)
    best = int(column.values.argmax())
    names = [subject.model.classes[unit] for unit in column.units]
    beside = {"type": "scatter", "hoverinfo": "skip", "cliponaxis": False}
    return [
        {
            **beside,
            "mode": "markers+text",
            "marker": {"size": 22, "color": CLEAR},  # holds the text at the same distance at every width
            "x": places[:, 0],
            "y": places[:, 1],
            "text": names,
            "textposition": "middle right",
            "textfont": {"size": 13},
        },
        {
            **beside,
            "mode": "markers",
            "x": places[best : best + 1, 0],
            "y": places[best : best + 1, 1],
            "marker": {"symbol": "circle-open", "size": 21, "color": "#ff8c00", "line": {"width": 3}},
        },
    ]


def _names(columns: Sequence[Column]) -> list[str]:
    """Layer names with how many units are shown, every second one lower so that long names find room."""
    below = ("", "<br><br>")
    return [f"{below[column.x % 2]}{column.layer}<br>{_how_many(column)}" for column in columns]


def _how_many(column: Column) -> str:
    shown = len(column.units)
    return f"{shown} of {column.total:,}" if shown < column.total else str(shown)


def _note(scale: Scale, cut: bool) -> dict[str, Any]:
    """What the colours of dots and lines mean, under the names of the columns."""
    lines = "<br>".join([*["strongest units shown"] * cut, "red lines push up, blue ones hold down"])
    legend = scale.legend("unit of its layer", low="lowest" if scale.signed else "silent", high="strongest", note=lines)
    place = {"x": 0.5, "y": 0, "xref": "paper", "yref": "paper", "yanchor": "top", "yshift": -64}
    return {"text": legend.text, "showarrow": False, **place}
