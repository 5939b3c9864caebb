"""A network as a list of calls that we make ourselves: nothing has to be hooked, and nothing is left behind."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from math import prod
from typing import Any

from ..models.layers import LayerInfo, Shape


@dataclass(frozen=True, slots=True)
class Operation:
    """One call: what is called on the results of which earlier operations. Not every result has to be a layer's."""

    name: str
    call: Callable[..., Any]
    inputs: tuple[str, ...]


def run(
    operations: Sequence[Operation],
    images: Any,
    factors: Mapping[str, Any],
    alias: Callable[[Any], Any] | None = None,
) -> dict[str, Any]:
    """The result of every operation by name; the first one is not called, its result is the images.

    Args:
        operations: in an order in which each reads only earlier ones.
        images: a tensor in the framework's order of axes.
        factors: operation name → what its result is multiplied by.
        alias: gives an operation that hands its input through a tensor of its own.
    """
    first = operations[0].name
    values = {first: images * factors[first] if first in factors else images}
    go_on(operations[1:], values, factors, alias)
    return values


def go_on(
    operations: Iterable[Operation],
    values: dict[str, Any],
    factors: Mapping[str, Any],
    alias: Callable[[Any], Any] | None = None,
) -> None:
    """Adds the results of further operations to those that are there already; arguments as in `run`."""
    for operation in operations:
        inputs = operation.inputs
        value = operation.call(values[inputs[0]]) if len(inputs) == 1 else operation.call(*[values[n] for n in inputs])
        if factors and operation.name in factors:
            value = value * factors[operation.name]
        elif alias and any(value is values[name] for name in inputs):
            value = alias(value)
        values[operation.name] = value


def replaced(operations: Sequence[Operation], names: Iterable[str], call: Callable[..., Any]) -> tuple[Operation, ...]:
    """The operations, where those of the names call something else."""
    chosen = set(names)
    return tuple(replace(each, call=call) if each.name in chosen else each for each in operations)


def free_name(name: str, taken: Iterable[str]) -> str:
    """The name itself, or with the first number that makes it unique: a layer may be called more than once."""
    used = set(taken)
    return next(each for each in chain([name], (f"{name}_{number}" for number in count(2))) if each not in used)


def describe(
    name: str,
    kind: str,
    inputs: Sequence[str],
    output_shape: Shape,
    weight_shapes: Mapping[str, Shape],
    settings: Mapping[str, Any],
) -> LayerInfo:
    """The layer of a user's own network, with its numbers counted."""
    parameters = sum(prod(shape) for shape in weight_shapes.values())
    multiply_adds = prod(output_shape) if kind == "batchnorm" else 0
    if "kernel" in weight_shapes:
        multiply_adds = prod(output_shape[:-1]) * prod(weight_shapes["kernel"])
    return LayerInfo(
        name=name,
        kind=kind,
        inputs=tuple(inputs),
        output_shape=output_shape,
        weight_shapes=weight_shapes,
        parameters=parameters,
        multiply_adds=multiply_adds,
        settings=settings,
    )
