"""Where the layers of a network stand in a drawing: one row for each, branches side by side in lanes."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, count

from ..models.layers import LayerInfo

Point = tuple[int, int]


@dataclass(frozen=True)
class Lanes:
    """A drawing of a network on a grid.

    Attributes:
        places: layer name → `(lane, row)`; rows follow the order of the layers.
        paths: one list of points `(lane, row)` for each connection, from the layer read to the reader.
    """

    places: dict[str, Point]
    paths: tuple[tuple[Point, ...], ...]

    @property
    def width(self) -> int:
        """Lanes in use."""
        return 1 + max(lane for path in (*self.paths, tuple(self.places.values())) for lane, _ in path)


def lanes_of(layers: Sequence[LayerInfo]) -> Lanes:
    """Lays a network out as version control draws its history: no layer beside another, no line through a layer.

    A layer stays in the lane of the first layer it reads while that lane is free; everything else takes the first free
    lane.
    """
    taken: dict[int, set[int]] = defaultdict(set)
    places: dict[str, Point] = {}
    paths: list[tuple[Point, ...]] = []
    for row, layer in enumerate(layers):
        sources = [places[name] for name in layer.inputs]
        start = sources[0] if sources else (0, row - 1)
        lane = _free(taken, range(start[1] + 1, row + 1), start[0])
        taken[lane].update(range(start[1] + 1, row + 1))
        places[layer.name] = (lane, row)
        if sources:
            paths.append(_path(start, lane, (lane, row)))
        for source in sources[1:]:
            between = range(source[1] + 1, row)
            side = _free(taken, between, source[0])
            taken[side].update(between)
            paths.append(_path(source, side, (lane, row)))
    return Lanes(places, tuple(paths))


def _free(taken: dict[int, set[int]], rows: Iterable[int], preferred: int) -> int:
    wanted = set(rows)
    return next(lane for lane in chain([preferred], count()) if not taken[lane] & wanted)


def _path(start: Point, lane: int, end: Point) -> tuple[Point, ...]:
    """Into the lane in one step, along it, and out in one step."""
    via = [(lane, start[1] + 1), (lane, end[1] - 1)] if end[1] - start[1] > 1 else []
    return tuple(dict.fromkeys([start, *via, end]))
