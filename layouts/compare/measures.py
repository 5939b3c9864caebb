"""What each network of the compare page costs and is worth: known at once, or measured when asked for."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from time import perf_counter
from typing import Any, Generic, TypeVar

import numpy as np
from cachetools import LRUCache

from ...backends.base import Model
from ...datasets.base import Dataset
from ...drawing.fit import fit_images
from ...evaluation.calibration import RELIABILITY_BINS, binned, expected_calibration_error
from ...models.bundled import BUNDLED, weights_path
from ...training.runs import SOURCE
from ..naming import Asked
from ..services import Services

T = TypeVar("T")

REPEATS = 50
"""Passes of one image whose median is the latency."""
WARM_UP = 3
BATCH = 500


class Kept(Generic[T]):
    """Keeps what took long to find, as much as fits; safe to use from many threads at once, and safe to lose."""

    def __init__(self, limit: int = 64) -> None:
        self._found: LRUCache[Hashable, T] = LRUCache(limit)
        self._lock = Lock()

    def get(self, key: Hashable, find: Callable[[], T]) -> T:
        """What was found for this key before, else what is found now."""
        with self._lock:
            if key in self._found:
                return self._found[key]
        found = find()
        with self._lock:
            self._found[key] = found
        return found


@dataclass(frozen=True)
class Measures:
    """Measures networks; what depends on weights and images alone is measured once."""

    services: Services
    _known: Kept[dict[str, Any]] = field(default_factory=Kept)

    def facts(self, asked: Asked, model: Model) -> dict[str, Any]:
        """What is known without measuring: parameters, multiply-adds of one image, bytes of the weights' file."""
        return {
            "parameters": model.parameters,
            "multiply_adds": sum(layer.multiply_adds for layer in model.layers),
            "bytes": self._bytes(asked),
            "layers": len(model.layers),
        }

    def measured(self, asked: Asked) -> dict[str, Any]:
        """Facts, latency, and accuracy, loss and calibration error on the test images.

        Raises:
            BackendError: the model cannot be opened.
        """
        model = self.services.open(asked.model, asked.backend)
        return {**self.facts(asked, model), "latency": latency(model), **self._worth(model)}

    def _worth(self, model: Model) -> dict[str, Any]:
        dataset, _ = self.services.samples
        if model.classes != dataset.classes:
            return {"unlike": f"{dataset.title} has other classes, so accuracy says nothing here."}
        return self._known.get((model.backend, model.version, dataset.checksum), lambda: worth(model, dataset))

    def _bytes(self, asked: Asked) -> int | None:
        """Of the file with the weights; None where there is none."""
        path = weights_path(asked.model) if asked.model in BUNDLED else self._path(asked.model)
        return path.stat().st_size if path.is_file() else None

    def _path(self, source: str) -> Path:
        """The file of a run's weights, or the one that was named."""
        store = self.services.store
        return store.weights_path(source) if store and source.startswith(SOURCE) else Path(source)


def latency(model: Model, repeats: int = REPEATS) -> float:
    """Seconds of one image from pixels to probabilities: the median of many passes."""
    image = np.zeros((1, *model.input_shape), np.float32)
    times = []
    for _ in range(WARM_UP + repeats):
        started = perf_counter()
        model.probabilities(image)
        times.append(perf_counter() - started)
    return float(np.median(times[WARM_UP:]))


def worth(model: Model, dataset: Dataset) -> dict[str, Any]:
    """Accuracy, mean cross-entropy in nats, and expected calibration error on every image of a data set."""
    answers = np.concatenate([
        model.probabilities(fit_images(dataset.images[start : start + BATCH], model.input_shape))
        for start in range(0, len(dataset), BATCH)
    ])  # fmt: skip
    right = answers.argmax(1) == dataset.labels
    loss = -np.log(np.clip(answers[np.arange(len(answers)), dataset.labels], 1e-12, 1))
    return {
        "accuracy": float(right.mean()),
        "loss": float(loss.mean()),
        "calibration_error": expected_calibration_error(binned(answers.max(1), right, RELIABILITY_BINS)),
        "images": len(dataset),
        "dataset": dataset.title,
    }
