"""What anyone may ask about one layer of an opened network, whichever framework runs it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class LayerInfo:
    """One layer of an opened model.

    Attributes:
        name: unique within the model.
        kind: one of the words in `models.architecture.KINDS`, or the framework's own class name for a foreign layer.
        inputs: names of the layers it reads, in order; empty for an input.
        output_shape: without the batch axis, channels last: `(height, width, channels)` or `(units,)`.
        weight_shapes: canonical weight name → shape, e.g. `kernel: (height, width, in, out)`, `bias: (out,)`.
        parameters: number of stored numbers, moving statistics included.
        multiply_adds: multiplications with an addition for one image.
        settings: what the layer was configured with, by canonical name (`strides`, `padding`, `function`, …).
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    output_shape: Shape
    weight_shapes: Mapping[str, Shape] = field(default_factory=dict)
    parameters: int = 0
    multiply_adds: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight_shapes", MappingProxyType(dict(self.weight_shapes)))
        object.__setattr__(self, "settings", MappingProxyType(dict(self.settings)))

    @property
    def is_spatial(self) -> bool:
        """Whether the output has height and width."""
        return len(self.output_shape) == 3

    @property
    def units(self) -> int:
        """Filters of a spatial layer, neurons of a dense one."""
        return self.output_shape[-1]
