"""One training, as it can be looked at: what was measured while it went on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ACTIVE = ("queued", "training")
"""How a run stands that will go on by itself."""


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


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The weights of a run at one moment.

    Attributes:
        name: of the file without its ending, such as `epoch-001`; names sort by time.
        path: the safetensors file.
        step: how many steps had been made.
        epoch: how many epochs had been made, such as 0.125.
    """

    name: str
    path: Path
    step: int
    epoch: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """One training, with everything it has measured so far.

    Attributes:
        id: what its folder is called.
        title: what the user calls it.
        model: name of the network that is trained.
        backend: name of the backend that trains it.
        status: how it stands: `queued`, `training`, `stopped`, `done`, `failed` or `stopped unexpectedly`.
        steps: `(n,)`, the steps that were measured, from 1.
        losses: `(n,)`, cross-entropy of each step's batch in nats.
        accuracies: `(n,)`, share of each step's batch that was right, in [0, 1].
        epochs: what each finished epoch came to.
        message: one sentence about how it stands; empty when there is nothing to say.
        notes: what the user wrote about it.
        config: everything that decides how it goes, as it is written in `config.json`.
        created: when it was made, in seconds since 1970.
        step: how many steps have been made.
        steps_in_all: how many there will be; 0 until the training has begun.
        epochs_in_all: how many epochs there will be.
        images_per_second: at the last look; 0 when not known.
        seconds: of training so far.
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
    message: str = ""
    notes: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    created: float = 0.0
    step: int = 0
    steps_in_all: int = 0
    epochs_in_all: int = 0
    images_per_second: float = 0.0
    seconds: float = 0.0

    @property
    def version(self) -> str:
        """A short text that changes whenever there is more to see."""
        return f"{self.id} {self.status} {len(self.steps)} {len(self.epochs)}"

    @property
    def active(self) -> bool:
        """Whether it trains or waits to."""
        return self.status in ACTIVE

    @property
    def share_done(self) -> float:
        """Share of the training that is behind, in [0, 1]."""
        return min(1.0, self.step / self.steps_in_all) if self.steps_in_all else 0.0

    @property
    def seconds_left(self) -> float | None:
        """How long it will still take at the pace so far; None unless it trains and the pace is known."""
        if self.status != "training" or not self.step or not self.seconds:
            return None
        return self.seconds / self.step * (self.steps_in_all - self.step)
