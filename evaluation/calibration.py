"""Whether a model is as sure as it should be: of its answers given with 80 % confidence, are 80 % right?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Flags = NDArray[np.bool_]

RELIABILITY_BINS = 15
"""As in Guo et al. 2017, figure 4."""
HISTOGRAM_BINS = 20
THRESHOLDS = 101


@dataclass(frozen=True, eq=False)
class Bins:
    """Answers sorted by confidence into bins of equal width; a bin holds its upper end, the first also its lower one.

    Attributes:
        edges: `(bins + 1,)` from 0 to 1.
        right: `(bins,)`, how many answers of each bin are right.
        wrong: `(bins,)`, how many are wrong.
        confidence: `(bins,)`, the mean confidence in each bin; NaN where a bin is empty.
    """

    edges: Floats
    right: NDArray[np.int64]
    wrong: NDArray[np.int64]
    confidence: Floats

    @property
    def count(self) -> NDArray[np.int64]:
        """`(bins,)`, how many answers are in each bin."""
        return self.right + self.wrong

    @property
    def accuracy(self) -> Floats:
        """`(bins,)`, the share that is right; NaN where a bin is empty."""
        shares: Floats = np.divide(self.right, self.count, out=np.full(len(self.right), np.nan), where=self.count > 0)
        return shares


def binned(confidence: Floats, right: Flags, bins: int) -> Bins:
    """Answers by confidence.

    Args:
        confidence: `(n,)` in [0, 1], the probability of the class that was answered.
        right: `(n,)`, whether that was the true one.
        bins: how many, of equal width.
    """
    edges = np.linspace(0, 1, bins + 1)
    place = np.searchsorted(edges[1:-1], confidence, side="left")
    count = np.bincount(place, minlength=bins)
    hits = np.bincount(place[right], minlength=bins)
    sums = np.bincount(place, confidence, minlength=bins)
    mean = np.divide(sums, count, out=np.full(bins, np.nan), where=count > 0)
    return Bins(edges, hits, count - hits, mean)


def between(confidence: Floats, low: float, high: float) -> Flags:
    """Which answers lie in the bin from `low` to `high`: above `low`, unless that is 0, and up to `high`.

    A softmax may come to a little more than 1; that is in the last bin, too.
    """
    wide = confidence.astype(np.float64)  # Otherwise the ends would be rounded to the precision of the confidence.
    inside: Flags = ((wide > low) | (low <= 0)) & ((wide <= high) | (high >= 1))
    return inside


def expected_calibration_error(bins: Bins) -> float:
    """How far confidence and accuracy are apart on average, in [0, 1]: Σ |bin| / n · |accuracy − confidence|.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", equation 3; after Naeini et al. 2015.
    """
    gaps = np.abs(bins.accuracy - bins.confidence)
    return float(np.nansum(gaps * bins.count) / bins.count.sum())


@dataclass(frozen=True, eq=False)
class Thresholds:
    """What remains when only answers of at least some confidence are given.

    Attributes:
        threshold: `(steps,)` from 0 to 1.
        kept: `(steps,)`, the share of images that are still answered.
        accuracy: `(steps,)`, the share of those that is right; NaN where none is answered.
    """

    threshold: Floats
    kept: Floats
    accuracy: Floats


def by_threshold(confidence: Floats, right: Flags, steps: int = THRESHOLDS) -> Thresholds:
    """Accuracy among the answers of at least each of `steps` confidences from 0 to 1.

    Args:
        confidence: `(n,)` in [0, 1].
        right: `(n,)`.
        steps: how many thresholds.
    """
    threshold = np.linspace(0, 1, steps)
    order = np.argsort(confidence, kind="stable")
    below = np.searchsorted(confidence[order], threshold.astype(confidence.dtype), side="left")
    hits_from = np.concatenate((np.cumsum(right[order][::-1])[::-1], [0]))[below]
    kept = len(confidence) - below
    accuracy = np.divide(hits_from, kept, out=np.full(steps, np.nan), where=kept > 0)
    return Thresholds(threshold, kept / len(confidence), accuracy)
