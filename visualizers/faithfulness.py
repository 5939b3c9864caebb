"""Whether an attribution is faithful to the network, and whether it agrees with those of other methods."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..backends.base import Array, Model
from ..drawing.resample import resized
from .attribution import (
    Fill,
    Question,
    baseline,
    grad_cam,
    gradient,
    gradient_times_input,
    guided_gradient,
    integrated_gradients,
    smooth_gradient,
    why_not_guided,
)
from .perturbation import Curve, Progress, deletion, insertion, occlusion, rise

Method = Literal[
    "gradient",
    "gradient × input",
    "integrated gradients",
    "SmoothGrad",
    "guided backpropagation",
    "Grad-CAM",
    "occlusion",
    "RISE",
]
METHODS: tuple[Method, ...] = get_args(Method)
RANDOM_ORDERS = 5


@dataclass(frozen=True)
class Faithfulness:
    """Deletion and insertion curves of an attribution, and those of pixels in random order, averaged."""

    deletion: Curve
    insertion: Curve
    random_deletion: Curve
    random_insertion: Curve


def methods_for(model: Model) -> list[Method]:
    """Those that can be asked of a model."""
    return [method for method in METHODS if method != "guided backpropagation" or not why_not_guided(model)]


def attributions(question: Question, method: Method, fill: Fill) -> Iterator[Progress]:
    """A method's attribution `(height, width)`, as it comes, with settings that suit small images."""
    start = baseline(question.image, fill)
    if method == "RISE":
        yield from rise(question, start, masks=1000, cells=7)
    elif method == "occlusion":
        side = max(1, round(max(question.image.shape[:2]) / 6))
        yield from occlusion(question, start, window=side, stride=max(1, side // 4))
    else:
        yield Progress(_from_gradients(question, method, start), 1.0)


def _from_gradients(question: Question, method: Method, start: Array) -> Array:
    height, width = question.image.shape[:2]
    match method:
        case "gradient":
            found = gradient(question)
        case "gradient × input":
            found = gradient_times_input(question)
        case "integrated gradients":
            found = integrated_gradients(question, start, steps=32).attribution
        case "SmoothGrad":
            found = smooth_gradient(question, noise=0.15, samples=32)
        case "guided backpropagation":
            found = guided_gradient(question)
        case _:
            last = [layer.name for layer in question.model.layers if layer.is_spatial][-1]
            return resized(grad_cam(question, last), height, width)
    total: Array = found.sum(axis=2)
    return total


def curves(question: Question, attribution: Array, fill: Fill, portions: int) -> Iterator[Curve]:
    """Deletion and insertion of an attribution `(height, width)`, and then of random ones from a fixed seed."""
    start, rng = baseline(question.image, fill), np.random.default_rng(0)
    for order in (attribution, *rng.random((RANDOM_ORDERS, *attribution.shape), np.float32)):
        yield deletion(question, order, start, portions)
        yield insertion(question, order, start, portions)


def faithfulness(found: Sequence[Curve]) -> Faithfulness:
    """All curves, the random ones averaged."""
    return Faithfulness(found[0], found[1], _mean(found[2::2]), _mean(found[3::2]))


def _mean(found: Sequence[Curve]) -> Curve:
    return Curve(found[0].shares, np.mean([curve.probabilities for curve in found], axis=0, dtype=np.float32))


def likeness(one: Array, other: Array) -> float:
    """The agreement of two maps `(height, width)` where at least one of them says something.

    Most of a drawing is empty; methods that say nothing there would seem to agree, whatever they say of the rest.
    """
    said = _says(one) | _says(other)
    return agreement(one[said], other[said]) if said.any() else float("nan")


def _says(attribution: Array) -> NDArray[np.bool_]:
    """Pixels with more than a millionth of the largest magnitude."""
    magnitudes = np.abs(attribution)
    found: NDArray[np.bool_] = magnitudes > 1e-6 * magnitudes.max()
    return found


def agreement(one: Array, other: Array) -> float:
    """Spearman's rank correlation of absolute values, in [−1, 1]; not a number where a map is the same everywhere."""
    from scipy.stats import spearmanr  # half a second, which the list of views should not wait for

    ranked = np.abs(one).ravel(), np.abs(other).ravel()
    if not all(np.ptp(values) for values in ranked):
        return float("nan")
    return float(spearmanr(*ranked).statistic)
