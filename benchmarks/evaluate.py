"""What it costs to evaluate 10,000 images, metrics and all, beside the framework's own batched forward pass over them.

`python benchmarks/evaluate.py` measures both backends, each in a process of its own; `--backend keras` only one.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from measure import Timing, plain, ratio, save
from plain import keras_network, torch_network
from tables import evaluation_table

BACKENDS = ("pytorch", "keras")
NETWORKS = ("cnn-compact", "cnn-batchnorm")
BATCHES = (250, 1000)
"""Images of a batch of the plain pass; the quicker counts."""
TURNS = 3

Pass = Callable[[], np.ndarray]


def measured() -> list[dict[str, Any]]:
    """One entry for each network and backend."""
    entries = []
    for backend in BACKENDS:
        command = [sys.executable, __file__, "--backend", backend]
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "GLOG_minloglevel": "3"}
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
        entries += json.loads(done.stdout.splitlines()[-1])
    return entries


def measured_here(backend: str, networks: Sequence[str]) -> list[dict[str, Any]]:
    """The same for one backend, in this process."""
    from layerscope.datasets.mnist import find_mnist, load_mnist

    folder = find_mnist(splits=("test",))
    if folder is None:
        raise SystemExit("This needs the MNIST test images; see LAYERSCOPE_DATA in CONTRIBUTING.md.")
    test = load_mnist(folder, "test")
    return [_measured(name, backend, test) for name in networks]


def _measured(name: str, backend: str, test: Any) -> dict[str, Any]:
    from layerscope.backends.registry import backend as find_backend
    from layerscope.evaluation.evaluate import evaluate
    from layerscope.models.bundled import BUNDLED, weights_path
    from layerscope.models.weights import load_weights

    architecture = BUNDLED[name]
    weights = load_weights(weights_path(name), architecture)
    model = find_backend(backend).build(architecture, weights)
    images = test.floats(slice(None))
    passes = {"pytorch": _pytorch, "keras": _keras}[backend](architecture, weights, images)
    found = evaluate(model, test.images, test.labels)
    for way, call in passes.items():
        share = float((call().argmax(axis=1) == test.labels).mean())
        if abs(share - found.metrics.accuracy) > 1e-4:
            raise SystemExit(f"The plain pass of {name}, {way}, computes something else than is evaluated.")
    quickest = min(passes, key=lambda way: _seconds(passes[way]))
    ways = {"evaluated": lambda: evaluate(model, test.images, test.labels), quickest: passes[quickest]}
    times: dict[str, list[list[float]]] = {way: [] for way in ways}
    for turn in range(TURNS):
        for way in list(ways)[:: 1 if turn % 2 else -1]:
            times[way].append([1e3 * _seconds(ways[way])])
    return {
        "network": name,
        "backend": backend,
        "accuracy": found.metrics.accuracy,
        "way": quickest,
        "milliseconds": {way: Timing.of([each for [each] in found]) for way, found in times.items()},
        "ratio": ratio(times, "evaluated", quickest),
    }


def _seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def _pytorch(architecture: Any, weights: Any, images: np.ndarray) -> dict[str, Pass]:
    import torch

    network = torch_network(architecture, weights).to(memory_format=torch.channels_last)

    def forward(batch: int) -> np.ndarray:
        with torch.inference_mode():
            parts = torch.from_numpy(images).permute(0, 3, 1, 2).split(batch)
            return torch.cat([network(part) for part in parts]).numpy()

    return {f"batches of {batch}": lambda batch=batch: forward(batch) for batch in BATCHES}


def _keras(architecture: Any, weights: Any, images: np.ndarray) -> dict[str, Pass]:
    network = keras_network(architecture, weights)

    def forward(batch: int) -> np.ndarray:
        return np.asarray(network.predict(images, batch_size=batch, verbose=0))

    return {f"`predict`, batches of {batch}": lambda batch=batch: forward(batch) for batch in BATCHES}


def main() -> int:
    """Measures, prints and saves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", choices=BACKENDS)
    arguments = parser.parse_args()
    if arguments.backend:
        print(json.dumps(measured_here(arguments.backend, NETWORKS), default=plain))
        return 0
    entries = measured()
    save("evaluation", entries)
    print(evaluation_table(entries))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
