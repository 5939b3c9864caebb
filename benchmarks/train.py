"""Training: how soon it is good, what it costs over a plain loop, whether the page stays quick, and both frameworks.

Each backend races and is compared in a process of its own, as a trainer has one.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from beside import beside
from cost import cost
from measure import plain, save
from race import agreement, race
from training_tables import training_tables

BACKENDS = ("pytorch", "keras")
CONVOLUTIONAL = ("cnn-compact", "cnn", "cnn-two-block", "cnn-batchnorm")
PARTS = ("race", "cost", "beside")


def measured(networks: Sequence[str] = CONVOLUTIONAL, parts: Sequence[str] = PARTS) -> dict[str, Any]:
    """Everything this benchmark measures, or some of it."""
    found: dict[str, Any] = {}
    if "race" in parts:
        # The two backends in turns, network by network.
        found["race"] = [_in_a_process(backend, network) for network in networks for backend in BACKENDS]
        found["agreement"] = agreement(found["race"])
    if "cost" in parts:
        found["cost"] = [_in_a_process(backend, "") for backend in BACKENDS]
    if "beside" in parts:
        found["beside"] = [beside(backend) for backend in BACKENDS]
    return found


def _in_a_process(backend: str, network: str) -> dict[str, Any]:
    """The race of one network, or what a run costs, with threads that wait as those of a trainer do."""
    command = [sys.executable, str(Path(__file__)), "--here", backend, "--networks", network]
    result = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
    )
    if result.returncode:
        raise SystemExit(f"The training benchmark failed in {backend}.")
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


def main() -> int:
    """Measures, prints and saves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="*", default=list(CONVOLUTIONAL), metavar="NAME", help="which race")
    parser.add_argument("--parts", nargs="*", default=list(PARTS), choices=PARTS)
    parser.add_argument("--here", choices=BACKENDS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.here:
        network = arguments.networks[0]
        print(json.dumps(race(arguments.here, network) if network else cost(arguments.here), default=plain))
        return 0
    found = measured(arguments.networks, arguments.parts)
    save("training", found)
    print(training_tables(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
