"""How each bundled network is trained: as its original program did it, and the faster way used here."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from ..backends.base import Optimiser
from ..models.architecture import Architecture, Dropout
from .augmentation import Augmentation
from .schedules import Rates, constant, one_cycle

Schedule = Literal["constant", "one-cycle"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides how a training goes, except the images.

    Attributes:
        epochs: how many times all images are seen.
        batch: images in one step; None for all of them at once.
        learning_rate: the rate, or the peak of the cycle.
        schedule: whether the rate stays or makes one cycle.
        optimiser: which, and its constants.
        augmentation: how far images are changed each time they are seen; None leaves them as they are.
        dropout: whether the network's dropout is at work; without it, its layers pass everything on.
        validation: share of the images kept out to watch the training by.
        seed: decides fresh weights, the order of the images and how each is changed, but not what dropout mutes: that
            is drawn by the framework.
    """

    epochs: int
    batch: int | None = 128
    learning_rate: float = 1e-3
    schedule: Schedule = "constant"
    optimiser: Optimiser = field(default_factory=Optimiser)
    augmentation: Augmentation | None = None
    dropout: bool = True
    validation: float = 0.0
    seed: int = 0

    def steps_per_epoch(self, images: int) -> int:
        """Steps that see that many images once; a last batch that would not be full is left out."""
        return max(1, images // self.batch) if self.batch else 1

    def learning_rates(self, images: int) -> Rates:
        """One rate for each step of the whole training on that many images."""
        steps = self.epochs * self.steps_per_epoch(images)
        return (
            one_cycle(steps, self.learning_rate)
            if self.schedule == "one-cycle"
            else constant(steps, self.learning_rate)
        )

    def trained(self, network: Architecture) -> Architecture:
        """The network as it learns by this recipe; its weights fit either."""
        if self.dropout:
            return network
        layers = (replace(each, rate=0.0) if isinstance(each, Dropout) else each for each in network.layers)
        return replace(network, layers=tuple(layers))

    def to_json(self) -> str:
        """The recipe as JSON text, as it is written beside the weights it made."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> "Recipe":
        """The recipe whose `to_json` gave those values.

        Raises:
            TypeError: a value of that name is not part of a recipe.
        """
        augmentation = values.get("augmentation")
        parts = {
            "optimiser": Optimiser(**values.get("optimiser", {})),
            "augmentation": Augmentation(**augmentation) if augmentation else None,
        }
        return cls(**{**values, **parts})

    def with_epochs(self, epochs: int) -> "Recipe":
        """The same recipe for another number of epochs."""
        return replace(self, epochs=epochs)


ORIGINAL: Mapping[str, Recipe] = {
    "dense": Recipe(epochs=25, optimiser=Optimiser(name="rmsprop")),
    "cnn": Recipe(epochs=10),
    "cnn-compact": Recipe(epochs=5, validation=0.2, seed=42),
    "cnn-two-block": Recipe(epochs=10),
    "cnn-batchnorm": Recipe(epochs=10),
    "dense-84x96": Recipe(epochs=100, batch=None, learning_rate=5e-3),
}
"""The recipes of the programs that the networks come from; `cnn-two-block` and `dense-84x96` name no epochs there."""


def _fast(epochs: int, learning_rate: float, weight_decay: float = 0.0) -> Recipe:
    return Recipe(
        epochs=epochs,
        learning_rate=learning_rate,
        schedule="one-cycle",
        optimiser=Optimiser(weight_decay=weight_decay),
        augmentation=Augmentation(),
    )


FAST: Mapping[str, Recipe] = {
    "dense": _fast(40, 2e-3),
    "cnn": _fast(12, 2e-3, weight_decay=0.01),
    "cnn-compact": _fast(15, 3e-3, weight_decay=0.01),
    "cnn-two-block": _fast(12, 2e-3, weight_decay=0.01),
    "cnn-batchnorm": _fast(10, 2e-3, weight_decay=0.01),
    "dense-84x96": _fast(15, 1e-3),
}
"""The recipes of the bundled weights.

Rates and augmentation were tried out on the last 5,000 MNIST training images and on three writers kept out of the
training, never on test images, in shorter trainings than these. `cnn` took over the recipe of `cnn-two-block`, and that
of `dense-84x96` was not tried out at all.
"""


def _quick(epochs: int = 1, learning_rate: float = 5e-3) -> Recipe:
    # What is learnt from one look at each image counts here: small batches, wanted answers a little smoothed, and a
    # shorter memory of squares than usual, which so short a cycle of such large steps needs. Nothing is dropped out:
    # no image comes a second time to be recognised, so that dropout would only slow the learning down.
    return Recipe(
        epochs=epochs,
        batch=64,
        learning_rate=learning_rate,
        schedule="one-cycle",
        optimiser=Optimiser(beta2=0.99, label_smoothing=0.05),
        dropout=False,
        validation=0.2,
    )


QUICK: Mapping[str, Recipe] = {
    "dense": _quick(3, 2e-3),
    "cnn": _quick(),
    "cnn-compact": _quick(),
    "cnn-two-block": _quick(),
    "cnn-batchnorm": _quick(),
    "dense-84x96": _quick(2, 1e-3),
}
"""The shortest way to a network that reads MNIST well: one cycle over one epoch of four images in five, as they are.

It takes a fraction of the original recipes' time to the same accuracy (`benchmarks/race.py`); `FAST` is the way to one
that reads what people draw. That of `cnn-batchnorm` was tried out on the last 10,000 MNIST training images, never on
test images; those of the two dense networks were not tried out.
"""
