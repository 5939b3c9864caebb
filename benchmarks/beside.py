"""From the pen to the paint while a network is being trained by the same server, and while it rests."""

import os
import signal
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from measure import Timing
from pen import browsing, clear, collected, digits, draw, rest, serving, strokes_of, watched
from playwright.sync_api import Page
from timeline import inks

NETWORK = "cnn-compact"
DIGITS = 6
WITHIN = 90
"""Seconds for a training to begin."""


def beside(backend: str, count: int = DIGITS) -> dict[str, Any]:
    """Pen to paint on one backend, each digit drawn twice: while the training runs, and while it is held still."""
    with tempfile.TemporaryDirectory() as home, _page(Path(home), backend) as (page, trainer):
        found: dict[str, list[list[float]]] = {"training": [], "idle": []}
        for number, digit in enumerate(digits(count + 1)):
            for name in list(found)[:: 1 if number % 2 else -1]:
                os.kill(trainer, signal.SIGCONT if name == "training" else signal.SIGSTOP)
                found[name].append(_pen_to_paint(page, strokes_of(digit)))
        os.kill(trainer, signal.SIGCONT)
    # The first digit warms both up.
    pairs = [(one, other) for one, other in zip(*(each[1:] for each in found.values()), strict=True) if one and other]
    return {
        "network": NETWORK,
        "backend": backend,
        "milliseconds": {
            name: Timing.of([time for digit in each[1:] for time in digit]) for name, each in found.items()
        },
        "ratio": statistics.median(statistics.median(one) / statistics.median(other) for one, other in pairs),
    }


@contextmanager
def _page(home: Path, backend: str) -> Iterator[tuple[Page, int]]:
    """A page at rest, and the process id of a training that its server has begun, with its usual niceness."""
    from layerscope.training.runs import RunStore

    store = RunStore(home)
    command = ("-m", "layerscope", "serve", "--port", "0", "--home", str(home), "--model", NETWORK)
    with serving(*command) as address, browsing() as browser:
        page = watched(browser, f"{address}#model={quote(NETWORK)}&backend={backend}")
        page.wait_for_selector(".panel.has-figure", timeout=60_000)
        rest(page)
        id = store.create(_endless(backend))
        try:
            yield page, _began(store, id)
        finally:
            store.stop(id)
            _ended(store, id)


def _endless(backend: str) -> Any:
    """The bundled network's own recipe, with more epochs than anybody waits for."""
    from layerscope.training.config import RunConfig
    from layerscope.training.recipes import FAST

    return RunConfig(model=NETWORK, backend=backend, recipe=replace(FAST[NETWORK], epochs=1000))


def _began(store: Any, id: str) -> int:
    end = time.monotonic() + WITHIN
    while (status := store.status(id)).step < 100:
        if time.monotonic() > end or status.state not in ("queued", "training"):
            raise SystemExit(f"The training did not begin: {status.state}, {status.message}")
        time.sleep(0.1)
    return status.pid


def _ended(store: Any, id: str) -> None:
    end = time.monotonic() + WITHIN
    while store.status(id).state == "training" and time.monotonic() < end:
        time.sleep(0.1)


def _pen_to_paint(page: Page, strokes: Any) -> list[float]:
    clear(page)
    draw(page, strokes)
    rest(page)
    return [ink.pen_to_paint for ink in inks(collected(page))]
