"""Which images of an evaluation are looked at: those of a cell of the confusion matrix, or of a bin of confidence."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from .calibration import between
from .metrics import Answers

Show = Literal["all", "right", "wrong"]
Order = Literal["sure", "unsure", "images"]
SHOWS: tuple[Show, ...] = get_args(Show)
ORDERS: tuple[Order, ...] = get_args(Order)


@dataclass(frozen=True)
class Selection:
    """What to look at.

    Attributes:
        true: the true class; any when None.
        predicted: the class that was answered; any when None.
        show: whether the model is right.
        low: the confidence is above this, unless it is 0.
        high: the confidence is at most this.
        order: the most or least confident first, or as the images come.
    """

    true: int | None = None
    predicted: int | None = None
    show: Show = "all"
    low: float = 0.0
    high: float = 1.0
    order: Order = "sure"

    def of(self, answers: Answers) -> NDArray[np.intp]:
        """The images `(m,)` in the order wanted; those equally confident as they come."""
        wanted = between(answers.confidence, self.low, self.high)
        if self.true is not None:
            wanted &= answers.labels == self.true
        if self.predicted is not None:
            wanted &= answers.predicted == self.predicted
        if self.show != "all":
            wanted &= answers.right == (self.show == "right")
        places = np.flatnonzero(wanted)
        if self.order == "images":
            return places
        confidence = answers.confidence[places]
        return places[np.argsort(confidence if self.order == "unsure" else -confidence, kind="stable")]
