"""What a visualizer may take of the server: time, and room in the answer. More than that harms its own panel only."""

import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from cachetools import LRUCache

from ..backends.undisturbed import undisturbed
from ..visualizers.figures import PlainFigure

SECONDS = 2.0
"""How long a view that follows the pen may take before it is stopped."""
LARGEST_FIGURE = 8 * 2**20
"""Bytes of numbers and text in one figure."""

FIRST, SECOND = -2, -1
"""Stand for the memory of what has not been drawn yet, or only once."""

Result = TypeVar("Result")


class Stopped(BaseException):
    """Raised inside a visualizer that is to end; not an `Exception`, so that no visualizer catches it by accident."""


class TooLargeError(ValueError):
    """A figure that would make the page slow; the message is for the user."""


def raise_in(thread: int, error: type[BaseException] | None) -> None:
    """Raises an exception in another thread at its next line of Python, or as soon as its framework has come back.

    None takes back one that is still to come.
    """
    undisturbed.raise_in(thread, error)


class Watchdog:
    """Stops what takes too long, with one thread for all requests."""

    def __init__(self) -> None:
        self._ends: dict[int, float] = {}
        self._fired: set[int] = set()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def deadline(self, seconds: float = SECONDS) -> Iterator[None]:
        """Raises `Stopped` in the body when it takes longer.

        What computes outside Python for long is stopped only when it comes back.
        """
        thread = threading.get_ident()
        with self._lock:
            self._ends[thread] = time.monotonic() + seconds
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, daemon=True, name="watchdog")
                self._thread.start()
        self._wake.set()
        try:
            yield
        finally:
            with self._lock:
                self._ends.pop(thread, None)
                if thread in self._fired:
                    self._fired.discard(thread)
                    raise_in(thread, None)

    def _watch(self) -> None:
        while True:
            self._wake.wait()
            with self._lock:
                now = time.monotonic()
                for thread, end in list(self._ends.items()):
                    if now > end:
                        del self._ends[thread]
                        self._fired.add(thread)
                        raise_in(thread, Stopped)
                if not self._ends:
                    self._wake.clear()
            time.sleep(0.05)


@dataclass(frozen=True)
class Cost:
    """What drawing a figure took.

    Attributes:
        seconds: of the clock.
        peak: bytes of memory at the worst moment, as far as Python and NumPy know of them.
    """

    seconds: float
    peak: int

    @property
    def words(self) -> str:
        """`3.2 ms · 0.4 MB`, `<0.1 ms` for less; only the time before memory has been measured."""
        peak = f" · {self.peak / 2**20:.1f} MB" if self.peak else ""
        if self.seconds >= 1:
            return f"{self.seconds:.1f} s{peak}"
        if self.seconds < 1e-4:
            return f"<0.1 ms{peak}"
        return f"{1000 * self.seconds:.{1 if self.seconds < 0.01 else 0}f} ms{peak}"


class Costs:
    """Measures time always, and memory once for each kind of drawing: watching memory slows it down.

    It is measured at the second drawing, since the first also imports and compiles.
    """

    def __init__(self, kept: int = 1024) -> None:
        self._peaks: LRUCache[Any, int] = LRUCache(kept)
        self._lock = threading.Lock()
        self._watching = threading.Lock()

    def measured(self, kind: Any, draw: Callable[[], Result]) -> tuple[Result, Cost]:
        """What drawing gives, and what it cost.

        Args:
            kind: drawings of one kind need the same memory.
            draw: is called once.
        """
        with self._lock:
            peak = self._peaks.setdefault(kind, FIRST)
            if peak == FIRST:
                self._peaks[kind] = SECOND
        if peak == SECOND and self._watching.acquire(blocking=False):
            try:
                return self._with_memory(kind, draw)
            finally:
                self._watching.release()
        begin = time.perf_counter()
        result = draw()
        return result, Cost(time.perf_counter() - begin, max(peak, 0))

    def _with_memory(self, kind: Any, draw: Callable[[], Result]) -> tuple[Result, Cost]:
        tracemalloc.start()
        try:
            begin = time.perf_counter()
            result = draw()
            seconds = time.perf_counter() - begin
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        with self._lock:
            self._peaks[kind] = peak
        return result, Cost(seconds, peak)


def checked_figure(drawn: Any) -> dict[str, Any]:
    """A visualizer's figure as plain data.

    Raises:
        TypeError: it is no figure.
        TooLargeError: it holds more than a page can take.
    """
    from plotly.graph_objects import Figure

    if not isinstance(drawn, Figure):
        raise TypeError(f"a visualizer returns a plotly Figure. Received: {type(drawn).__name__}")
    figure: dict[str, Any] = drawn.plain if isinstance(drawn, PlainFigure) else drawn.to_dict()
    size = size_of(figure)
    if size > LARGEST_FIGURE:
        raise TooLargeError(
            f"the figure holds {size / 2**20:.0f} MB, and a panel takes {LARGEST_FIGURE >> 20} MB; show fewer units"
        )
    return figure


def size_of(value: Any) -> int:
    """Bytes that numbers and text take in the answer, about; eight for a number in a list."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(map(size_of, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(size_of, value))
    return int(getattr(value, "nbytes", 8))
