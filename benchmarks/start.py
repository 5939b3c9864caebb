"""How long a person waits before there is anything to see, and that no framework is loaded by then."""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from urllib.request import urlopen

from measure import Timing, save
from pen import serving
from tables import start_tables

REPEATS = 5
FRAMEWORKS = ("torch", "tensorflow", "keras")
PROGRAM = "import sys\nfrom layerscope.cli import main\ntry:\n    main({arguments})\nexcept SystemExit:\n    pass"
PAGE = "from layerscope.server import create_app\ncreate_app().server.test_client().get('/')"
LOADED = "\nimport sys\nprint('', *(name for name in {frameworks} if name in sys.modules))\nprint(len(sys.modules))"


def measured(repeats: int = REPEATS) -> dict[str, Any]:
    """Milliseconds of each way to start, and what each command imports."""
    ways: dict[str, Callable[[], float]] = {
        "an empty Python program": partial(_seconds, "-c", "pass"),
        "`layerscope --help`": partial(_seconds, "-m", "layerscope", "--help"),
        "`layerscope serve` until the page answers": _page_answers,
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for _ in range(repeats):
        for name, way in ways.items():
            times[name].append(1e3 * way())
    return {"milliseconds": {name: Timing.of(found) for name, found in times.items()}, "imports": _imports()}


def _seconds(*command: str) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def _page_answers() -> float:
    with tempfile.TemporaryDirectory() as home:
        begin = time.perf_counter()
        with serving("-m", "layerscope", "serve", "--port", "0", "--home", home) as address:
            with urlopen(address) as answer:
                if answer.status != 200:
                    raise SystemExit(f"The page does not answer. Received: status {answer.status}")
            return time.perf_counter() - begin


def _imports() -> dict[str, dict[str, Any]]:
    """What is in `sys.modules` after each, in a process of its own: frameworks, and the number of all modules."""
    commands = (["--help"], ["models"], ["backends"], ["visualizers"])
    programs = {f"`layerscope {' '.join(each)}`": PROGRAM.format(arguments=each) for each in commands}
    programs["the page itself"] = PAGE
    return {name: _imported(program) for name, program in programs.items()}


def _imported(program: str) -> dict[str, Any]:
    code = program + LOADED.format(frameworks=FRAMEWORKS)
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True)
    frameworks, count = done.stdout.splitlines()[-2:]
    return {"frameworks": frameworks.split(), "modules": int(count)}


def main(argv: Sequence[str] | None = None) -> int:
    """Measures, prints and saves; fails where a framework was loaded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    found = measured(parser.parse_args(argv).repeats)
    save("start", found)
    print(start_tables(found))
    return int(any(each["frameworks"] for each in found["imports"].values()))


if __name__ == "__main__":
    raise SystemExit(main())
