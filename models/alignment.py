"""Which layer of one network corresponds to which of another."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from .layers import LayerInfo


@dataclass(frozen=True)
class Pair:
    """A layer of the first network and its counterpart in the second; None where it has none."""

    first: LayerInfo
    second: LayerInfo | None = None


def aligned(first: Sequence[LayerInfo], second: Sequence[LayerInfo]) -> tuple[Pair, ...]:
    """One pair for each layer of the first network, in its order; counterparts keep their order, too.

    Layers of the same name and kind belong together. What lies between them is matched by kind and depth, so that
    networks with other names, such as the same one written for two frameworks, are aligned as well.
    """
    counterparts: dict[str, LayerInfo] = {}
    for ours, theirs in _stretches(first, second, lambda layer: (layer.name, layer.kind), counterparts):
        for _ in _stretches(ours, theirs, lambda layer: layer.kind, counterparts):
            pass
    return tuple(Pair(layer, counterparts.get(layer.name)) for layer in first)


def _stretches(
    first: Sequence[LayerInfo],
    second: Sequence[LayerInfo],
    key: Callable[[LayerInfo], Any],
    counterparts: dict[str, LayerInfo],
) -> Iterator[tuple[Sequence[LayerInfo], Sequence[LayerInfo]]]:
    """Notes the layers that match, and gives what is left between two matches."""
    matcher = SequenceMatcher(None, [key(layer) for layer in first], [key(layer) for layer in second], autojunk=False)
    for what, start, end, other_start, other_end in matcher.get_opcodes():
        ours, theirs = first[start:end], second[other_start:other_end]
        if what == "equal":
            counterparts.update((one.name, two) for one, two in zip(ours, theirs, strict=True))
        else:
            yield ours, theirs
