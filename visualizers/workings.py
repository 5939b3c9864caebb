"""The numbers that one value of a layer is made of, for every kind of layer: each has a `total`, which is the value.

Sums are made in float64, so that they differ from the network's own float32 only by the network's rounding.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import erf
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..backends.base import Array
from .windows import Position

Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Convolved:
    """A kernel laid over a patch: the sum of all products, and a bias.

    Attributes:
        source: the layer it reads.
        patch: `(height, width, channels)`, zeros where it is padding.
        inside: `(height, width)`, False where it is padding.
        kernel: `(height, width, channels)` of the unit.
        channels: `(channels,)`, their numbers in the source; not all of them where the convolution has groups.
        bias: 0 where it has none.
    """

    source: str
    patch: Array
    inside: Mask
    kernel: Array
    channels: NDArray[np.intp]
    bias: float

    @cached_property
    def products(self) -> Numbers:
        """`(height, width, channels)`."""
        return self.patch.astype(np.float64) * self.kernel

    @property
    def sums(self) -> Numbers:
        """What each input channel adds, `(channels,)`."""
        summed: Numbers = self.products.sum(axis=(0, 1))
        return summed

    @property
    def total(self) -> float:
        """The sum of all products, and the bias."""
        return float(self.products.sum()) + self.bias


@dataclass(frozen=True)
class Weighed:
    """Every input times its weight, summed, and a bias.

    Attributes:
        source: the layer it reads.
        inputs: `(inputs,)`.
        weights: `(inputs,)` of the unit.
        bias: 0 where it has none.
    """

    source: str
    inputs: Array
    weights: Array
    bias: float

    @cached_property
    def products(self) -> Numbers:
        """`(inputs,)`."""
        return self.inputs.astype(np.float64) * self.weights

    @property
    def total(self) -> float:
        """The sum of all products, and the bias."""
        return float(self.products.sum()) + self.bias


@dataclass(frozen=True)
class Pooled:
    """One number for the values under a window.

    Attributes:
        source: the layer it reads.
        window: `(height, width)`, zeros where it is padding.
        inside: `(height, width)`, False where it is padding.
        counted: `(height, width)`, False where a value does not count.
        taken: the largest of the values that count, or their mean.
    """

    source: str
    window: Array
    inside: Mask
    counted: Mask
    taken: Literal["largest", "mean"]

    @property
    def winner(self) -> Position | None:
        """`(row, column)` within the window of the first largest value; None for a mean."""
        if self.taken == "mean":
            return None
        best = np.where(self.counted, self.window, -np.inf).argmax()
        row, column = divmod(int(best), self.window.shape[1])
        return row, column

    @property
    def total(self) -> float:
        """The largest value, or the mean."""
        values = self.window[self.counted].astype(np.float64)
        return float(values.mean() if self.taken == "mean" else values.max())


@dataclass(frozen=True)
class Normalised:
    """Batch normalisation in inference: `(value − mean) / √(variance + epsilon) · gamma + beta`.

    Ioffe and Szegedy 2015, algorithm 2.
    """

    source: str
    value: float
    mean: float
    variance: float
    epsilon: float
    gamma: float
    beta: float

    @property
    def steps(self) -> tuple[float, float, float, float]:
        """What there is after each of the four steps: − mean, ÷ √(variance + epsilon), · gamma, + beta."""
        centred = self.value - self.mean
        scaled = centred / float(np.sqrt(self.variance + self.epsilon))
        return centred, scaled, scaled * self.gamma, scaled * self.gamma + self.beta

    @property
    def total(self) -> float:
        """After the last step."""
        return self.steps[-1]


@dataclass(frozen=True)
class Applied:
    """An activation function.

    Attributes:
        source: the layer it reads.
        function: a key of `FUNCTIONS`.
        inputs: `(units,)`, all units at the position; only softmax looks at others than its own.
        unit: which of them.
    """

    source: str
    function: str
    inputs: Array
    unit: int

    @property
    def total(self) -> float:
        """The function of the input."""
        return float(FUNCTIONS[self.function](self.inputs.astype(np.float64))[self.unit])


@dataclass(frozen=True)
class Term:
    """A number that is taken from another layer as it is; `position` is None where that has no height and width."""

    layer: str
    unit: int
    position: Position | None
    value: float


@dataclass(frozen=True)
class Gathered:
    """Numbers taken from other layers, and added where there are several."""

    terms: tuple[Term, ...]

    @property
    def total(self) -> float:
        """The sum of the terms."""
        return sum(term.value for term in self.terms)


Work: TypeAlias = Convolved | Weighed | Pooled | Normalised | Applied | Gathered


def _softmax(values: Numbers) -> Numbers:
    powers = np.exp(values - values.max())
    shares: Numbers = powers / powers.sum()
    return shares


FUNCTIONS: Mapping[str, Callable[[Numbers], Numbers]] = {
    "relu": lambda values: np.maximum(values, 0),
    "linear": lambda values: values,
    "sigmoid": lambda values: 1 / (1 + np.exp(-values)),
    "tanh": np.tanh,
    "softmax": _softmax,
    "log_softmax": lambda values: np.log(_softmax(values)),
    "silu": lambda values: values / (1 + np.exp(-values)),
    "gelu": lambda values: values * np.array([0.5 * (1 + erf(value / 2**0.5)) for value in values]),
}
"""Activation functions, from all units at one position `(units,)` to all their results."""
