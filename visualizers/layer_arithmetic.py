"""How one single number of a layer is made, with the real numbers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, TypeAlias

import numpy as np
from numpy.typing import NDArray
from plotly.graph_objects import Figure

from ..backends.base import Array
from .arithmetic import Explained, explained, is_known
from .cells import MOST_NUMBERED, Table, Word, cells
from .colours import scale_of
from .contract import Need, Subject, visualizer
from .controls import Help, Range
from .figures import arrange
from .ledger import Entry, cut, ledger
from .windows import place_words
from .words import added, short
from .workings import Applied, Convolved, Gathered, Normalised, Pooled, Weighed, Work

Lines: TypeAlias = tuple[str, ...]


@dataclass(frozen=True)
class ArithmeticSettings:
    channels: Annotated[int, Range(1, 8), Help("Input channels of a convolution, those that add most.")] = 2
    inputs: Annotated[int, Range(1, 24), Help("Inputs of a dense unit, those that add most.")] = 10


@visualizer(title="Layer arithmetic", needs={Need.IMAGE, Need.LAYER, Need.UNIT}, applies_to=is_known, wide=True)
def layer_arithmetic(subject: Subject, settings: ArithmeticSettings) -> Figure:
    """How the network works out this one number, step by step, so that you can check it with a calculator.

    A convolution lays its kernel over a patch of its input, multiplies cell by cell, and adds everything up with a
    bias. Pooling keeps the largest value of a window (ringed) or their mean. A dense unit multiplies every input by its
    weight: the bars are what each of them adds. Empty cells lie outside the input: padding. Click a pixel of a feature
    map to choose the number to be explained; otherwise it is the largest of the selected unit.

    A patch and its kernel have shape (height, width, channels); the channels that add most are shown and the others
    summed. The numbers in the cells are rounded, the result is not made of rounded ones. Convolution: LeCun et al.
    1989, "Backpropagation Applied to Handwritten Zip Code Recognition"; batch normalisation: Ioffe and Szegedy 2015,
    algorithm 2.
    """
    found = explained(subject)
    return _DRAWINGS[type(found.work)](found, found.work, place_words(subject, found.position), settings)


def _convolution(found: Explained, work: Convolved, place: Lines, settings: ArithmeticSettings) -> Figure:
    kept = _strongest(work.sums, settings.channels)
    height, width = work.inside.shape
    gap = max(0.8, 2.8 - width)
    numbered = max(height, width) <= MOST_NUMBERED
    empty = ~np.tile(np.vstack([work.inside, np.zeros((1, width), bool)]), (len(kept), 1))[:-1]
    between = np.tile(np.arange(height + 1) < height, len(kept))[:-1]
    written = np.broadcast_to(between[:, None], empty.shape)
    tables = []
    for number, values in enumerate((work.patch, work.kernel, work.products.astype(np.float32))):
        picture = arrange(values[..., kept].transpose(2, 0, 1), 1, 1)[: len(empty), :width]
        if number != 1:
            picture = np.where(empty, np.float32(np.nan), picture)
        tables.append(Table(picture, number * (width + gap), scale_of(values), numbered, "0", written))
    return cells(
        tables,
        words=[word for row, channel in enumerate(kept) for word in _headings(work, row, int(channel), gap)],
        lines=[*place, *_sum_lines(work, kept), *_ending(found, f"{added(work.bias)} bias")],
        revision=f"{found.layer.name} {empty.shape}",
    )


def _headings(work: Convolved, row: int, channel: int, gap: float) -> list[Word]:
    """What stands above the three tables of one input channel, and between them."""
    height, width = work.inside.shape
    middle, pitch, top = (width - 1) / 2, width + gap, row * (height + 1)
    name = "patch" if len(work.channels) == 1 else f"channel {work.channels[channel]}"
    above = [
        Word(text, middle + number * pitch, top - 0.95)
        for number, text in enumerate((name, "kernel", f"sum {short(float(work.sums[channel]))}"))
    ]
    signs = [
        Word(sign, (number + 1) * pitch - (gap + 1) / 2, top + (height - 1) / 2, 15) for number, sign in enumerate("×=")
    ]
    return above + signs


def _sum_lines(work: Convolved, kept: NDArray[np.intp]) -> list[str]:
    """The sum of what is shown, and that of all other channels."""
    shown = float(work.sums[kept].sum())
    others = len(work.channels) - len(kept)
    if not others:
        return [f"{short(shown)}, all products together"]
    rest = f"{added(float(work.sums.sum()) - shown)} from {others:,} more {'channel' if others == 1 else 'channels'}"
    return [f"{short(shown)} from {'this channel' if len(kept) == 1 else 'these channels'}", rest]


def _pooling(found: Explained, work: Pooled, place: Lines, settings: ArithmeticSettings) -> Figure:
    values = np.where(work.inside, work.window, np.float32(np.nan))
    counted = int(work.counted.sum())
    padding = "0" if counted > work.inside.sum() else "–"
    return cells(
        [Table(values, 0, scale_of(values), max(values.shape) <= MOST_NUMBERED, padding)],
        ring=work.winner,
        lines=[*place, f"{work.taken} of {counted:,} values", *_ending(found, f"of {cut(work.source)}")],
        revision=f"{found.layer.name} {values.shape}",
    )


def _dense(found: Explained, work: Weighed, place: Lines, settings: ArithmeticSettings) -> Figure:
    kept = _strongest(work.products, settings.inputs)
    entries = [
        Entry(f"{index}: {short(float(work.inputs[index]))} × {short(float(work.weights[index]))}",
              float(work.products[index]), work.source, int(index))
        for index in kept
    ]  # fmt: skip
    others = len(work.inputs) - len(kept)
    if others:
        entries.append(Entry(f"{others:,} other inputs", float(work.products.sum() - work.products[kept].sum())))
    entries += [Entry("bias", work.bias), *_results(found, "sum")]
    lines = [*place, f"unit of {cut(work.source)}: value × weight"]
    return ledger(entries, lines=lines, revision=found.layer.name)


def _normalisation(found: Explained, work: Normalised, place: Lines, settings: ArithmeticSettings) -> Figure:
    names = (
        f"{added(-work.mean)} mean",
        f"÷ √({short(work.variance)} + {short(work.epsilon)})",
        f"× {short(work.gamma)} gamma",
    )
    entries = [Entry(work.source, work.value, work.source, found.unit)]
    entries += [Entry(name, value) for name, value in zip(names, work.steps, strict=False)]
    entries += _results(found, f"{added(work.beta)} beta")
    lines = [*place, "(value − mean) ÷ √(variance + epsilon)", "× gamma + beta: left after each step"]
    return ledger(entries, lines=lines, revision=found.layer.name)


def _function(found: Explained, work: Applied, place: Lines, settings: ArithmeticSettings) -> Figure:
    if work.function == "softmax":
        return _shares(found, work, place, settings)
    value = float(work.inputs[work.unit])
    entries = [
        Entry(work.source, value, work.source, work.unit),
        *_results(found, f"{work.function}({short(value)})"),
    ]
    lines = [*place, FORMULAS.get(work.function, work.function)]
    return ledger(entries, lines=lines, revision=found.layer.name)


def _shares(found: Explained, work: Applied, place: Lines, settings: ArithmeticSettings) -> Figure:
    """Softmax: the powers of all units, and which share of them the unit has."""
    values = work.inputs.astype(np.float64)
    powers = np.exp(values - values.max())
    kept = _strongest(powers, settings.inputs)
    entries = [
        Entry(f"{index}: exp({short(float(values[index] - values.max()))})", float(powers[index]), work.source,
              int(index))
        for index in kept
    ]  # fmt: skip
    others = len(powers) - len(kept)
    if others:
        entries.append(Entry(f"{others:,} other units", float(powers.sum() - powers[kept].sum())))
    entries.append(Entry("all together", float(powers.sum())))
    own = f"{short(float(powers[work.unit]))} ÷ {short(float(powers.sum()))}"
    lines = [*place, "unit: exp(value − largest value),", "divided by all of them together"]
    return ledger([*entries, *_results(found, own)], lines=lines, revision=found.layer.name)


def _gathering(found: Explained, work: Gathered, place: Lines, settings: ArithmeticSettings) -> Figure:
    entries = [Entry(f"{term.layer} unit {term.unit}", term.value, term.layer, term.unit) for term in work.terms]
    lines = [*place, ORIGINS.get(found.layer.kind, "")]
    origin = work.terms[0].position
    if origin != found.position and origin is not None:
        lines.append(f"from row {origin[0]}, column {origin[1]}")
    result = _results(found, "sum" if len(entries) > 1 else "the same")
    return ledger([*entries, *result], lines=lines, revision=found.layer.name)


def _results(found: Explained, name: str) -> list[Entry]:
    """The result, and what an edit makes of it."""
    if found.factor == 1:
        return [Entry(name, found.value, result=True)]
    edited = Entry(f"× {short(found.factor)} (edited)", found.value, result=True)
    return [Entry(name, found.work.total), edited]


def _ending(found: Explained, words: str) -> list[str]:
    """The last step in words, what an edit makes of it, and the result in bold."""
    if found.factor == 1:
        return [f"{words} = <b>{short(found.value)}</b>"]
    return [
        f"{words} = {short(found.work.total)}",
        f"× {short(found.factor)} (edited) = <b>{short(found.value)}</b>",
    ]


def _strongest(values: Array | NDArray[np.float64], most: int) -> NDArray[np.intp]:
    """The indices of the largest magnitudes, all in their own order when there are no more than that."""
    if len(values) <= most:
        return np.arange(len(values))
    return np.argsort(-np.abs(values), kind="stable")[:most]


FORMULAS: Mapping[str, str] = {
    "relu": "what is negative becomes 0",
    "linear": "passes the value on",
    "sigmoid": "1 ÷ (1 + exp(−value))",
    "tanh": "squeezes the value between −1 and 1",
    "log_softmax": "log of its share of all exp(value)",
    "silu": "value ÷ (1 + exp(−value))",
    "gelu": "value × the normal distribution up to it",
}
ORIGINS: Mapping[str, str] = {
    "input": "a pixel of your image",
    "dropout": "passes it on, drops in training only",
    "flatten": "puts all values in one row",
    "add": "adds its inputs",
    "concatenate": "puts its inputs side by side",
}

_DRAWINGS: Mapping[type[Work], Callable[..., Figure]] = {
    Convolved: _convolution,
    Pooled: _pooling,
    Weighed: _dense,
    Normalised: _normalisation,
    Applied: _function,
    Gathered: _gathering,
}
