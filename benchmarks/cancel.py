"""How soon *Stop* stops: every view that runs on request is started as a job and stopped at a random moment.

`python benchmarks/cancel.py` measures both backends, each in a process of its own; `--backend keras` only one.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from measure import Timing, plain, save
from tables import cancel_table

TIMES = 15
BACKENDS = ("pytorch", "keras")
NETWORK, LAYER, DIGIT, IMAGES = "cnn-compact", "conv2_relu", 3, 10_000
SETTINGS = {
    "feature_visualisation": {"steps": 500},
    "dead_units": {"images": IMAGES},
    "accuracy": {"images": IMAGES},
}
"""Long enough to be stopped on the way."""
LONGEST = 0.8
"""Seconds after which a view is stopped at the latest; one that has ended before is started again."""


def measured(times: int = TIMES) -> list[dict[str, Any]]:
    """One entry for each view and backend."""
    entries = []
    for backend in BACKENDS:
        command = [sys.executable, __file__, "--backend", backend, "--times", str(times)]
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "GLOG_minloglevel": "3"}
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
        entries += json.loads(done.stdout.splitlines()[-1])
    return entries


def measured_here(backend: str, times: int) -> list[dict[str, Any]]:
    """The same for one backend, in this process."""
    from layerscope.visualizers import registered

    subject = _subject(backend)
    entries = []
    for entry in registered().values():
        if entry.on_request and entry.unmet(subject) is None:
            waits = list(_waits(entry, subject, times))
            row = {"view": entry.title, "backend": backend, "milliseconds": Timing.of(waits), "worst": max(waits)}
            entries.append(row)
    return entries


def _subject(backend: str) -> Any:
    """A digit, a unit, and random images with labels."""
    from layerscope.backends.opening import open_model
    from layerscope.datasets.base import Dataset
    from layerscope.datasets.digits import load_digits
    from layerscope.drawing.fit import fit_images
    from layerscope.visualizers import Subject
    from layerscope.visualizers.contract import Pass

    model, digits, rng = open_model(NETWORK, backend), load_digits(), np.random.default_rng(0)
    image = fit_images(digits.images[digits.labels == DIGIT][:1], model.input_shape)[0]
    images = rng.integers(0, 256, (IMAGES, *model.input_shape), dtype=np.uint8)
    words = dict.fromkeys(("name", "title", "source", "checksum"), "random")
    dataset = Dataset(images=images, labels=rng.integers(0, 10, IMAGES), classes=model.classes, **words)
    return Subject(model, Pass(model, image), dataset=dataset).at(LAYER, 3, (5, 5))


def _waits(entry: Any, subject: Any, times: int) -> Iterator[float]:
    """Milliseconds from each stop until the job's thread has ended."""
    from layerscope.layouts.jobs import Jobs
    from layerscope.visualizers.controls import build_settings

    jobs, rng = Jobs(), random.Random(0)
    settings = build_settings(entry.settings, SETTINGS.get(entry.name, {}))

    def started(number: int) -> tuple[Any, threading.Thread]:
        job = jobs.start("panel", f"{entry.name} {number}", lambda: entry.draw(subject, settings))
        return job, next(each for each in threading.enumerate() if each.name == f"job {job.id}")

    started(-2)[1].join()
    begin = time.perf_counter()
    started(-1)[1].join()
    longest = min(LONGEST, time.perf_counter() - begin)
    counted = 0
    for number in range(10 * times):
        job, thread = started(number)
        thread.join(rng.uniform(0, 0.9) * longest)
        on_the_way = not job.over
        begin = time.perf_counter()
        jobs.stop(job)
        thread.join()
        waited = 1e3 * (time.perf_counter() - begin)
        if on_the_way:
            counted += 1
            yield waited
        if counted == times:
            return


def main() -> int:
    """Measures, prints and saves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", choices=BACKENDS)
    parser.add_argument("--times", type=int, default=TIMES)
    arguments = parser.parse_args()
    if arguments.backend:
        print(json.dumps(measured_here(arguments.backend, arguments.times), default=plain))
        return 0
    entries = measured(arguments.times)
    save("cancel", entries)
    print(cancel_table(entries))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
