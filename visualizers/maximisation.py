"""Activation maximisation: from a start to an image that excites one unit, step by step along the gradient.

Erhan, Bengio, Courville and Vincent 2009, "Visualizing Higher-Layer Features of a Deep Network". What keeps the image
from turning into noise is collected in Olah, Mordvintsev and Schubert 2017, "Feature Visualization".
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..backends.base import Array, Edit, Model, Target

HANDS_ON = {"activation", "maxpool2d", "averagepool2d", "globalaveragepool2d", "dropout"}
"""Kinds of layers that have exactly the units of the layer they read."""
KEPT, KEPT_SQUARES, TINY = 0.9, 0.999, 1e-8
"""Adam's two shares and epsilon (Kingma and Ba 2015, algorithm 1)."""


@dataclass(frozen=True, kw_only=True)
class Climb:
    """How to climb.

    The unit's gradient is scaled to a root mean square of 1 before anything is taken from it, so that the weights
    below mean the same in every layer.

    Attributes:
        steps: one backward pass each.
        step_size: how far a pixel moves in one step, in [0, 1].
        total_variation: weight of half the sum of squared differences between neighbours (Mahendran and Vedaldi 2015,
            equation 4 with β = 2).
        l2: weight of half the sum of squared pixels, which pulls towards an empty image.
        blur_every: steps from one blur to the next; 0 never blurs (Yosinski et al. 2015).
        jitter: the image is shifted by up to so many pixels in each step (Mordvintsev et al. 2015).
    """

    steps: int = 200
    step_size: float = 0.05
    total_variation: float = 0.0
    l2: float = 0.0
    blur_every: int = 0
    jitter: int = 0


def starting_image(model: Model, noise: bool, seed: int) -> Array:
    """`(height, width, channels)`: an even grey of one half, or faint noise around it."""
    if not noise:
        return np.full(model.input_shape, 0.5, np.float32)
    around = np.random.default_rng(seed).normal(0.5, 0.1, model.input_shape)
    return np.clip(around, 0, 1).astype(np.float32)


def maximised(
    model: Model, target: Target, start: Array, climb: Climb, seed: int = 0, edits: Sequence[Edit] = ()
) -> Iterator[Array]:
    """The image after each step.

    While the unit is silent, as a relu may be at every pixel of the start, what enters it is climbed instead.

    Args:
        model: must offer gradients.
        target: what to excite.
        start: `(height, width, channels)` in [0, 1].
        climb: how.
        seed: of the shifts; the same one gives the same images.
        edits: units to mute or scale.

    Yields:
        `(height, width, channels)` in [0, 1], a new array each time.
    """
    shifts = np.random.default_rng(seed).integers(-climb.jitter, climb.jitter + 1, (climb.steps, 2)).tolist()
    awakening = replace(target, layer=entrance(model, target.layer), position=None)
    image, mean, squares = start, np.zeros_like(start), np.zeros_like(start)
    for step, (down, right) in enumerate(shifts, 1):
        slope = _slope(model, (target, awakening), _rolled(image, down, right), edits)
        slope = _rolled(slope, -down, -right)
        if climb.total_variation:
            slope -= climb.total_variation * (_roughness(image, 0) + _roughness(image, 1))
        if climb.l2:
            slope -= climb.l2 * image
        mean += (1 - KEPT) * (slope - mean)
        squares += (1 - KEPT_SQUARES) * (slope * slope - squares)
        size = climb.step_size / (1 - KEPT**step)
        image = image + size * mean / (np.sqrt(squares / (1 - KEPT_SQUARES**step)) + TINY)
        if climb.blur_every and step % climb.blur_every == 0 and step < climb.steps:
            image = blurred(image)
        np.clip(image, 0, 1, out=image)
        yield image


def entrance(model: Model, layer: str) -> str:
    """The layer whose units a layer hands on through activation functions, pooling and dropout; mostly itself."""
    info = model.layer(layer)
    while info.kind in HANDS_ON and info.inputs:
        info = model.layer(info.inputs[0])
    return info.name


def blurred(image: Array) -> Array:
    """An image `(height, width, channels)` under the window 1 2 1 in both directions; its border is repeated."""
    quarter = np.float32(0.25)
    image = image - quarter * _roughness(image, 0)
    softened: Array = image - quarter * _roughness(image, 1)
    return softened


def _slope(model: Model, targets: Sequence[Target], image: Array, edits: Sequence[Edit]) -> Array:
    """The gradient in the image of the first target that has any, its root mean square 1; zeros where none has."""
    name = model.layers[0].name
    for target in dict.fromkeys(targets):
        slope = model.gradients(image[None], target, [name], edits)[name][0]
        length = float(np.sqrt(np.vdot(slope, slope) / slope.size))
        if length > 0:
            scaled: Array = slope / np.float32(length)
            return scaled
    return np.zeros_like(image)


def _rolled(image: Array, down: int, right: int) -> Array:
    """The image shifted, what leaves on one side entering on the other."""
    return np.roll(image, (down, right), (0, 1)) if down or right else image


def _roughness(image: Array, axis: int) -> Array:
    """The gradient of half the sum of squared differences between neighbours along an axis."""
    steps = np.diff(image, axis=axis)
    along = steps.swapaxes(0, axis)
    rough = np.zeros_like(image)
    view = rough.swapaxes(0, axis)
    view[1:] += along
    view[:-1] -= along
    return rough
