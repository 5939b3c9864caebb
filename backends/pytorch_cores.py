"""How many cores a pass may use: one, where there is too little work to share.

PyTorch gives every core its part of each convolution, however small, and waits for all of them. Beside a busy browser
on two cores, a pass of a fifth of a millisecond then often waits tens of milliseconds.
"""

from threading import Lock
from types import TracebackType

import torch

SMALL = 50_000_000
"""Multiply-adds of a pass below which sharing gains less than waiting may cost."""


class _OneCore:
    """A context in which the calling thread uses one core.

    PyTorch counts cores for each thread, but a new thread takes over, when it first asks, what any thread has set last.
    So each is made to ask before its number is set, and goes back to the one from before all passes that are running.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._running = 0
        self._before = 1

    def __enter__(self) -> None:
        with self._lock:
            now = torch.get_num_threads()
            if not self._running:
                self._before = now
            self._running += 1
            torch.set_num_threads(1)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._lock:
            self._running -= 1
            torch.set_num_threads(self._before)


one_core = _OneCore()
