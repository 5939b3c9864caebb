"""Benchmarks that measure each backend in a process of its own, so that neither's threads are in the other's way."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from measure import plain, save

BACKENDS = ("pytorch", "keras")

Entries = list[dict[str, Any]]
MeasuredHere = Callable[[str, int], Entries]
"""A backend's name and a number of blocks → what was measured in this process."""


def on_each_backend(script: str, blocks: int) -> Entries:
    """What `script --backend NAME --blocks BLOCKS` prints last, of every backend."""
    entries = []
    for backend in BACKENDS:
        command = [sys.executable, script, "--backend", backend, "--blocks", str(blocks)]
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "GLOG_minloglevel": "3"}
        environment["PYTHONWARNINGS"] = "ignore"  # tf-keras-vis hands Keras a list where it expects a tensor
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
        entries += json.loads(done.stdout.splitlines()[-1])
    return entries


def command_line(script: str, name: str, measured_here: MeasuredHere, table: Callable[[Any], str], blocks: int) -> int:
    """Measures one backend, or every one, prints it and saves it as `results/NAME.json`."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--backend", choices=BACKENDS)
    parser.add_argument("--blocks", type=int, default=blocks)
    arguments = parser.parse_args()
    if arguments.backend:
        print(json.dumps(measured_here(arguments.backend, arguments.blocks), default=plain))
        return 0
    entries = on_each_backend(script, arguments.blocks)
    save(name, entries)
    print(table(entries))
    return 0
