"""One training, as it can be looked at: what was measured while it went on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class EpochMetrics:
    """What one epoch came to.

    Attributes:
        number: 1 for the first.
        step: the training's last step in it, from 1.
        loss: mean cross-entropy over its batches in nats, each measured before the step it caused.
        accuracy: likewise, in [0, 1].
        validation_loss: after the epoch, on images kept out; None when none are kept out.
        validation_accuracy: likewise, in [0, 1].
        seconds: of training since the run began.
    """

    number: int
    step: int
    loss: float
    accuracy: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """One training, with everything it has measured so far.

    Attributes:
        id: what its folder is called.
        title: what the user calls it.
        model: name of the network that is trained.
        backend: name of the backend that trains it.
        status: how it stands, in a word or a few.
        steps: `(n,)`, the steps that were measured, from 1.
        losses: `(n,)`, cross-entropy of each step's batch in nats.
        accuracies: `(n,)`, share of each step's batch that was right, in [0, 1].
        epochs: what each finished epoch came to.
    """

    id: str
    title: str
    model: str
    backend: str
    status: str
    steps: NDArray[np.int64]
    losses: NDArray[np.float32]
    accuracies: NDArray[np.float32]
    epochs: tuple[EpochMetrics, ...] = ()

    @property
    def version(self) -> str:
        """A short text that changes whenever there is more to see."""
        return f"{self.id} {self.status} {len(self.steps)} {len(self.epochs)}"
