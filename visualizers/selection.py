"""From a click in a figure to the layer, unit and position it means."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Selected:
    """What was clicked.

    Attributes:
        layer: its name.
        unit: the unit; None when the click means the layer as a whole.
        position: `(row, column)` in the unit's tile, where there is one.
    """

    layer: str
    unit: int | None = None
    position: tuple[int, int] | None = None


def selection_of(point: Mapping[str, Any], meta: Mapping[str, Any]) -> Selected | None:
    """The selection that a click on a point makes; None when it hit nothing, such as the gap between two tiles.

    Args:
        point: one entry of Plotly's `clickData["points"]`.
        meta: the figure's `layout.meta` (see `figures`).
    """
    custom = point.get("customdata")
    if isinstance(custom, list | tuple) and custom:
        return Selected(str(custom[0]), _whole(custom[1]) if len(custom) > 1 else None)
    if isinstance(custom, Mapping) and "layer" in custom:
        return Selected(str(custom["layer"]), _whole(custom.get("unit")))
    if "tiles" in meta:
        return _in_tiles(_whole(point.get("x")), _whole(point.get("y")), meta["tiles"])
    if "bars" in meta:
        unit = _whole(point.get("pointNumber"))
        return None if unit is None else Selected(meta["bars"]["layer"], unit)
    return None


def _in_tiles(x: int | None, y: int | None, tiles: Mapping[str, Any]) -> Selected | None:
    if x is None or y is None or min(x, y) < 0:
        return None
    row, below = divmod(y, tiles["height"] + tiles["gap"])
    column, right = divmod(x, tiles["width"] + tiles["gap"])
    unit = row * tiles["columns"] + column
    inside = below < tiles["height"] and right < tiles["width"] and column < tiles["columns"] and unit < tiles["units"]
    return Selected(tiles["layer"], unit, (below, right)) if inside else None


def _whole(value: Any) -> int | None:
    """The value as a whole number; None for anything else a browser might send."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        return None
    return int(value)
