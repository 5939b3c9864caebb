"""Why a network thinks so, from its gradients: how the score of one class moves with each pixel of an image.

The score is the class's logit, what enters the softmax: unlike a probability it does not level off where the network
is sure. A pixel that speaks for the class is positive, one that speaks against it negative.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from ..backends.base import Array, Capability, Edit, Model
from .contract import Subject

Fill = Literal["black", "white", "mean"]
"""What stands for "nothing there": a black or a white image, or one of the image's mean colour."""

MOST_IMAGES, MOST_MULTIPLY_ADDS = 16, 2 * 10**9
"""Of one call of the network: at most about a tenth of a second on one slow core. PyTorch does so few images of a small
network on one core, which beside a busy browser is several times as fast as waiting for all cores."""
BACKWARD = 3
"""A gradient costs about as much as three forward passes."""


@dataclass(frozen=True)
class Question:
    """Why does this model see this class in this image?

    Attributes:
        model: it offers logits and gradients.
        image: `(height, width, channels)` in [0, 1].
        target: number of the class.
        edits: units that are muted or scaled in every pass.
    """

    model: Model
    image: Array
    target: int
    edits: tuple[Edit, ...] = ()

    def scores(self, images: Array) -> Array:
        """The class's logit for each of `(n, height, width, channels)`: `(n,)`."""
        return self._of_class(self.model.logits, images)

    def probabilities(self, images: Array) -> Array:
        """The class's probability for each of `(n, height, width, channels)`: `(n,)`."""
        return self._of_class(self.model.probabilities, images)

    def gradients(self, images: Array, layer: str = "", guided: bool = False) -> Array:
        """The score's gradient in a layer's activation, `(n, height, width, channels)`; in the images by default."""
        name, edits = layer or self.model.layers[0].name, self.edits
        parts = self._parts(images, BACKWARD)
        return np.concatenate([self.model.gradients(part, self.target, [name], edits, guided)[name] for part in parts])

    def _of_class(self, rows: Callable[[Array, tuple[Edit, ...]], Array], images: Array) -> Array:
        return np.concatenate([rows(part, self.edits)[:, self.target] for part in self._parts(images)])

    def _parts(self, images: Array, passes: int = 1) -> list[Array]:
        size = batch_of(self.model, passes)
        return [images[first : first + size] for first in range(0, len(images), size)]


def batch_of(model: Model, passes: int = 1) -> int:
    """Images for one call; it depends on the network only, so that results do not depend on the machine's speed.

    Args:
        model: the network.
        passes: how many forward passes the call takes as long as.
    """
    costs = passes * sum(layer.multiply_adds for layer in model.layers)
    return max(1, min(MOST_IMAGES, MOST_MULTIPLY_ADDS // max(1, costs)))


def question_of(subject: Subject) -> Question:
    """Why the class to explain is seen in the subject's image."""
    return Question(subject.model, subject.image, subject.target_class, subject.edits)


def baseline(image: Array, fill: Fill) -> Array:
    """An image with nothing on it, of the same shape `(height, width, channels)`."""
    values = {"black": 0.0, "white": 1.0, "mean": image.mean(axis=(0, 1))}
    return np.broadcast_to(np.asarray(values[fill], np.float32), image.shape)


def gradient(question: Question) -> Array:
    """How the score moves with each pixel, `(height, width, channels)`.

    Simonyan et al. 2014, "Deep Inside Convolutional Networks", section 3; with its sign.
    """
    found: Array = question.gradients(question.image[None])[0]
    return found


def gradient_times_input(question: Question) -> Array:
    """What each pixel adds to the score if the network were linear, `(height, width, channels)`.

    Shrikumar et al. 2016, "Not Just a Black Box", section 3.
    """
    added: Array = question.image * gradient(question)
    return added


def guided_gradient(question: Question) -> Array:
    """The gradient in which every relu lets only positive gradients through, `(height, width, channels)`.

    Springenberg et al. 2015, "Striving for Simplicity: The All Convolutional Net", section 3.4.

    Raises:
        BackendError: the model lacks `Capability.GUIDED`.
    """
    found: Array = question.gradients(question.image[None], guided=True)[0]
    return found


def why_not_guided(model: Model) -> str:
    """Why a model has no guided gradients, in a few words; nothing where it has them."""
    if Capability.GUIDED in model.capabilities:
        return ""
    has_relus = any(layer.settings.get("function") == "relu" for layer in model.layers)
    return f"not offered by {model.backend}" if has_relus else "no relu layers in this network"


@dataclass(frozen=True)
class Integrated:
    """Integrated gradients, and whether they add up.

    Attributes:
        attribution: `(height, width, channels)`.
        change: the score of the image less that of the baseline, which the attribution should add up to.
        gap: what the sum of the attribution exceeds the change by; it shrinks with more steps.
    """

    attribution: Array
    change: float
    gap: float


def integrated_gradients(question: Question, start: Array, steps: int) -> Integrated:
    """What each pixel adds to the score on the straight way from a baseline to the image.

    Sundararajan et al. 2017, "Axiomatic Attribution for Deep Networks", equation 1; the integral by Gauss–Legendre
    quadrature, in one backward pass of `steps` images.

    Args:
        question: what to explain.
        start: the baseline, `(height, width, channels)`.
        steps: points on the way.
    """
    image = question.image
    shares, weights = _quadrature(steps)
    way = image - start
    slopes = question.gradients(start + shares[:, None, None, None] * way)
    attribution: Array = way * np.tensordot(weights, slopes, axes=1)
    first, last = question.scores(np.stack([start, image])).tolist()
    return Integrated(attribution, last - first, float(attribution.sum(dtype=np.float64)) - (last - first))


def smooth_gradient(question: Question, noise: float, samples: int, seed: int = 0) -> Array:
    """The gradient averaged over noisy copies of the image, `(height, width, channels)`.

    Smilkov et al. 2017, "SmoothGrad: removing noise by adding noise", section 3. The seed is fixed, so that the map
    does not flicker.

    Args:
        question: what to explain.
        noise: standard deviation, as a share of the image's range.
        samples: noisy copies, all in one backward pass.
        seed: of the noise.
    """
    image = question.image
    drawn = np.random.default_rng(seed).standard_normal((samples, *image.shape), np.float32)
    slopes = question.gradients(image + np.float32(noise * np.ptp(image)) * drawn)
    mean: Array = slopes.mean(axis=0)
    return mean


def grad_cam(question: Question, layer: str, plus_plus: bool = False, signed: bool = False) -> Array:
    """Where a layer finds what speaks for the class, `(height, width)` of that layer.

    Selvaraju et al. 2017, "Grad-CAM", equations 1 and 2. With `plus_plus`, Chattopadhay et al. 2018, "Grad-CAM++",
    equations 5 and 19, for the exponential of the score, whose own size is left out as it scales the whole map. They
    suit maps that are not negative, as behind a ReLU; elsewhere a weight may come near to a division by zero.

    Args:
        question: what to explain.
        layer: name of a layer whose output has height and width.
        plus_plus: weigh positions by higher derivatives too.
        signed: keep what speaks against the class, which both papers cut away.
    """
    found = question.model.activation_and_gradient(question.image[None], question.target, layer, question.edits)
    activation, slopes = (part[0] for part in found)
    weights = _weights_plus_plus(activation, slopes) if plus_plus else slopes.mean(axis=(0, 1))
    seen: Array = activation @ weights
    return seen if signed else np.maximum(seen, 0)


def _weights_plus_plus(activation: Array, slopes: Array) -> Array:
    """`(channels,)`; equation 19 is shortened by the square of the slope, which may be too small for a float."""
    below = 2 + activation.sum(axis=(0, 1)) * slopes
    alphas = np.divide(slopes != 0, np.where(below == 0, np.float32(1), below))
    weights: Array = np.einsum("hwc,hwc->c", alphas, np.maximum(slopes, 0)).astype(np.float32)
    return weights


@cache
def _quadrature(steps: int) -> tuple[Array, Array]:
    """Points in (0, 1) and their weights, which sum to 1."""
    points, weights = np.polynomial.legendre.leggauss(steps)
    return ((1 + points) / 2).astype(np.float32), (weights / 2).astype(np.float32)
