"""Which layer of one network corresponds to which of another."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
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
    return _pairs(first, second)


def in_rows(networks: Sequence[Sequence[LayerInfo]]) -> tuple[tuple[LayerInfo | None, ...], ...]:
    """The layers of several networks side by side: each row holds one layer of each, or None where it has none.

    Each network is aligned with the rows that those before it make. What has no counterpart gets a row of its own, as
    deep as it lies in its network.
    """
    rows: list[list[LayerInfo | None]] = []
    for place, layers in enumerate(networks):
        heads = [next(layer for layer in row if layer) for row in rows]
        partner = {id(pair.second): at for at, pair in enumerate(_pairs(heads, layers))}
        merged: list[list[LayerInfo | None]] = []
        following = 0
        for layer in layers:
            at = partner.get(id(layer))
            if at is not None:
                merged += rows[following : at + 1]
                following = at + 1
            else:
                merged.append([None] * place)
            merged[-1].append(layer)
        merged += rows[following:]
        rows = [[*row, None] if len(row) == place else row for row in merged]
    return tuple(map(tuple, rows))


def _pairs(first: Sequence[LayerInfo], second: Sequence[LayerInfo]) -> tuple[Pair, ...]:
    """As `aligned`, but the first may have the same name twice, as rows of several networks do."""
    numbered = [replace(layer, name=f"{at} {layer.name}") for at, layer in enumerate(first)]
    counterparts: dict[str, LayerInfo] = {}
    own = {each.name: layer.name for each, layer in zip(numbered, first, strict=True)}
    for ours, theirs in _stretches(
        numbered, second, lambda layer: (own.get(layer.name, layer.name), layer.kind), counterparts
    ):
        for _ in _stretches(ours, theirs, lambda layer: layer.kind, counterparts):
            pass
    return tuple(Pair(layer, counterparts.get(each.name)) for each, layer in zip(numbered, first, strict=True))


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
