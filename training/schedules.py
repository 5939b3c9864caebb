"""Learning rates, one for each step of a training."""

import numpy as np
from numpy.typing import NDArray

Rates = NDArray[np.float64]

FIRST = 1 / 25
"""Where one cycle begins, as a share of its peak."""
LAST = 1e-4
"""Where it ends."""


def constant(steps: int, rate: float) -> Rates:
    """The same rate at each of the steps, `(steps,)`."""
    return np.full(steps, rate)


def one_cycle(steps: int, peak: float, warm_up: float = 0.2) -> Rates:
    """One rise and one long fall, both along a half cosine, `(steps,)` (Smith and Topin 2018, "Super-Convergence").

    Args:
        steps: how many steps the training has.
        peak: the highest rate.
        warm_up: share of the steps that rise, in [0, 1].
    """
    rising = round(steps * warm_up)
    rise = FIRST + (1 - FIRST) * _half_cosine(rising)
    fall = 1 + (LAST - 1) * _half_cosine(steps - rising)
    return peak * np.concatenate([rise, fall])


def _half_cosine(steps: int) -> Rates:
    """From 0 to 1, both included, slowly at both ends."""
    return (1 - np.cos(np.linspace(0, np.pi, steps))) / 2
