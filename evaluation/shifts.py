"""What a network says when the picture moves, and when its pixels are put in another order."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..backends.base import Array, Capability, Model
from ..models.layers import LayerInfo

FARTHEST = 10
"""Pixels of a picture of 28 that it is shifted by at most, in each direction."""
SEED = 2024
"""Of the order that the pixels are put in: always the same one."""


@dataclass(frozen=True, eq=False)
class Shifts:
    """The answers to one picture at every place of a square of shifts.

    Attributes:
        offsets: `(size,)`, pixels down or to the right, from negative to positive.
        predicted: `(size, size)`, the class at each shift, rows downwards, as a position in the model's classes.
        confidence: `(size, size)` float32, its probability.
        target: the class that is right: the label where it is known, else what the model says without a shift.
    """

    offsets: NDArray[np.int64]
    predicted: NDArray[np.int64]
    confidence: Array
    target: int

    @property
    def right(self) -> NDArray[np.bool_]:
        """`(size, size)`, where it is right."""
        found: NDArray[np.bool_] = self.predicted == self.target
        return found

    @property
    def share(self) -> float:
        """Share of the shifts at which it is right, in [0, 1]."""
        return float(self.right.mean())


def shifted(image: Array, down: int, right: int) -> Array:
    """The picture moved over a black ground; what leaves the field is lost.

    Args:
        image: `(height, width, channels)`.
        down: pixels, negative for up.
        right: pixels, negative for left.
    """
    height, width, _ = image.shape
    moved = np.zeros_like(image)
    rows, columns = slice(max(0, down), height + min(0, down)), slice(max(0, right), width + min(0, right))
    from_rows, from_columns = (
        slice(max(0, -down), height - max(0, down)),
        slice(max(0, -right), width - max(0, right)),
    )
    moved[rows, columns] = image[from_rows, from_columns]
    return moved


def shift_test(model: Model, image: Array, label: int | None = None, farthest: int = FARTHEST) -> Shifts:
    """Asks about one picture at every shift, in one batch.

    Args:
        model: any opened model.
        image: `(height, width, channels)` in [0, 1].
        label: the true class, where it is known.
        farthest: pixels in each direction; larger pictures are shifted by as large a share of their size.
    """
    step = max(1, round(max(image.shape[:2]) / 28))
    offsets = np.arange(-farthest, farthest + 1) * step
    pictures = np.stack([shifted(image, int(down), int(right)) for down in offsets for right in offsets])
    probabilities = model.probabilities(pictures)
    size = len(offsets)
    predicted = probabilities.argmax(1).reshape(size, size).astype(np.int64)
    target = int(predicted[farthest, farthest]) if label is None else label
    return Shifts(offsets, predicted, probabilities.max(1).reshape(size, size), target)


def shift_shares(model: Model, images: Array, labels: NDArray[np.int64], farthest: int = FARTHEST) -> Array:
    """Share of the pictures that are taken rightly at each shift, `(size, size)` in [0, 1].

    Args:
        model: any opened model.
        images: `(n, height, width, channels)` in [0, 1].
        labels: `(n,)`, positions in the model's classes.
        farthest: as for `shift_test`.
    """
    found = [shift_test(model, image, int(label), farthest).right for image, label in zip(images, labels, strict=True)]
    shares: Array = np.mean(found, axis=0, dtype=np.float32)
    return shares


def pixel_order(shape: tuple[int, int, int], seed: int = SEED) -> NDArray[np.int64]:
    """Where each pixel of the permuted picture comes from, `(height × width,)`; always the same for one shape."""
    return np.random.default_rng(seed).permutation(shape[0] * shape[1]).astype(np.int64)


def permuted(images: Array, order: NDArray[np.int64]) -> Array:
    """The pictures `(n, height, width, channels)` with their pixels in another order."""
    count, height, width, channels = images.shape
    moved: Array = images.reshape(count, height * width, channels)[:, order].reshape(images.shape)
    return moved


def used_to(model: Model, order: NDArray[np.int64]) -> Model | None:
    """The same network with the weights of its first dense layer in that order, which cannot tell the difference.

    Returns:
        None where the picture goes through anything but a flatten before its first dense layer, as in a convolutional
        network: no order of its weights would do.
    """
    first = _reads_pixels(model)
    if first is None or not {Capability.OTHER_WEIGHTS, Capability.WEIGHTS} <= model.capabilities:
        return None
    weights = {info.name: dict(model.weights(info.name)) for info in model.layers if info.weight_shapes}
    kernel = weights[first.name]["kernel"]
    channels = model.input_shape[2]
    weights[first.name]["kernel"] = kernel.reshape(len(order), channels, -1)[order].reshape(kernel.shape)
    return model.with_weights(weights, f"{model.name}, weights in that order")


def _reads_pixels(model: Model) -> LayerInfo | None:
    """The one dense layer that reads the flattened picture itself; None where something else reads it first."""
    passing = {model.layers[0].name}
    found: list[LayerInfo] = []
    for layer in model.layers[1:]:
        if passing & set(layer.inputs):
            if layer.kind in ("flatten", "dropout"):
                passing.add(layer.name)
            else:
                found.append(layer)
    return found[0] if len(found) == 1 and found[0].kind == "dense" else None


Ask = Callable[[Array], Array]


def accuracy_when_permuted(
    model: Model, images: Array, labels: NDArray[np.int64], order: NDArray[np.int64]
) -> tuple[float, float, float | None]:
    """Share of the pictures that are taken rightly: as they are, permuted, and permuted with the weights used to it.

    Args:
        model: any opened model.
        images: `(n, *input_shape)`.
        labels: `(n,)`, positions in the model's classes.
        order: of the pixels.
    """
    mixed = permuted(images, order)
    used = used_to(model, order)

    def share(ask: Ask, given: Array) -> float:
        return float((ask(given).argmax(1) == labels).mean())

    return (
        share(model.probabilities, images),
        share(model.probabilities, mixed),
        share(used.probabilities, mixed) if used else None,
    )
