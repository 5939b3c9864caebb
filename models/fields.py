"""The settings of layers, one by one: what each means, and which values it may have."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

Form = Literal["whole", "pair", "shape", "number", "choice"]

AXES: Mapping[Form, int] = {"pair": 2, "shape": 3}
"""How many whole numbers a value has that is made of several."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """One setting of a layer, as a page may offer it.

    Attributes:
        name: as the layer's description calls it.
        title: what a page calls it.
        help: one sentence for a student.
        form: a whole number, a pair or three of them (`height, width[, channels]`), any number, or one of `options`.
        low: smallest value of each number.
        high: largest one.
        options: all values of a choice.
    """

    name: str
    title: str
    help: str
    form: Form = "whole"
    low: float = 1
    high: float = 1024
    options: tuple[str, ...] = ()

    @property
    def expected(self) -> str:
        """What values are allowed, in words."""
        if self.form == "choice":
            return f"one of {', '.join(self.options)}"
        numbers = {"whole": "a whole number", "number": "a number", "pair": "two whole numbers"}
        return f"{numbers.get(self.form, 'three whole numbers')} from {self.low:g} to {self.high:,g}"

    def allows(self, value: Any) -> bool:
        """Whether a layer can have this value."""
        match self.form:
            case "choice":
                return isinstance(value, str) and value in self.options
            case "number":
                return (_is_whole(value) or _is_finite(value)) and bool(self.low <= value <= self.high)
            case "whole":
                return _is_whole(value) and self.low <= value <= self.high
            case _:
                return (
                    isinstance(value, tuple)
                    and len(value) == AXES[self.form]
                    and all(_is_whole(each) and self.low <= each <= self.high for each in value)
                )


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_finite(value: Any) -> bool:
    return isinstance(value, float) and isfinite(value)


FIELDS: Mapping[str, Field] = {
    field.name: field
    for field in (
        Field(
            name="shape",
            title="Image",
            help="Height, width and channels of an image; 1 channel is grey.",
            form="shape",
        ),
        Field(
            name="filters",
            title="Filters",
            help="How many patterns are looked for; each gives a channel.",
            high=65_536,
        ),
        Field(name="units", title="Units", help="How many neurons there are.", high=65_536),
        Field(name="window", title="Window", help="Height and width of what is looked at, at a time.", form="pair"),
        Field(name="strides", title="Strides", help="How far the window moves, down and to the right.", form="pair"),
        Field(
            name="padding",
            title="Padding",
            help="`same` adds zeros around so that no edge is lost; `valid` stays inside.",
            form="choice",
            options=("same", "valid"),
        ),
        Field(
            name="initialiser",
            title="Start",
            help="How the first weights are drawn: `he_normal` suits relu in deep networks.",
            form="choice",
            options=("glorot_uniform", "he_normal"),
        ),
        Field(
            name="function",
            title="Function",
            help="What is done to each value; softmax turns a row into probabilities.",
            form="choice",
            options=("relu", "softmax", "sigmoid", "tanh", "linear"),
        ),
        Field(
            name="rate",
            title="Rate",
            help="Share of the values that are dropped while training.",
            form="number",
            low=0,
            high=0.99,
        ),
        Field(
            name="epsilon",
            title="Epsilon",
            help="What is added to the variance, so that nothing is divided by zero.",
            form="number",
            low=1e-12,
            high=1,
        ),
        Field(
            name="momentum",
            title="Momentum",
            help="Share of the old mean and variance that is kept at each step.",
            form="number",
            low=0,
            high=1,
        ),
    )
}  # fmt: skip
"""Name → setting; one name means the same in every kind of layer."""
