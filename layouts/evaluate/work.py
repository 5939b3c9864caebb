"""What takes its time: done once in a thread of its own, however many browsers ask for it, and kept by content."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Literal

from cachetools import LRUCache

from ...backends.base import BackendError
from ...datasets.base import DatasetError
from ...training.config import RunError

log = logging.getLogger(__name__)

UNWATCHED = 20.0
"""Seconds after which work that nobody asks for any more is stopped."""
GRACE = 1.0
"""Seconds in which another browser may ask for work that one has left."""
ALONE = "Stopped, because nobody was looking."
STOPPED = "Stopped."
REMEMBERED = 64

Status = Literal["waiting", "running", "done", "failed", "stopped"]


class Stopped(Exception):  # noqa: N818
    """The work is no longer wanted; the message says why."""


class Work:
    """One piece of work.

    Attributes:
        status: how it stands.
        message: what it is doing, or why it ended.
        done: how much is done.
        total: of how much; 0 while that is not known.
        partial: what there is to see before it is done.
        result: what came of it.
    """

    def __init__(self) -> None:
        self.status: Status = "waiting"
        self.message = "Waits for its turn…"
        self.done = self.total = 0
        self.partial: Any = None
        self.result: Any = None
        self.asked = time.monotonic()
        self._wanted = True

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.status in ("done", "failed", "stopped")

    @property
    def told(self) -> dict[str, Any]:
        """How it stands, as the page is told."""
        return {"status": self.status, "message": self.message, "done": self.done, "total": self.total}

    def stop(self) -> None:
        """Ends it at its next step."""
        self._wanted = False

    def leave(self) -> None:
        """Says that a browser looks at something else now; the work ends unless another one asks for it soon."""
        self.asked = time.monotonic() - UNWATCHED + GRACE

    def step(self, done: int, total: int, message: str = "") -> None:
        """Says how far the work is.

        Raises:
            Stopped: it is no longer wanted.
        """
        if not self._wanted:
            raise Stopped(STOPPED)
        if time.monotonic() - self.asked > UNWATCHED:
            raise Stopped(ALONE)
        self.done, self.total = done, total
        self.message = message or self.message


class Desk:
    """Work by key: what is asked for twice is done once. The results themselves are kept by whoever does the work."""

    def __init__(self, at_once: int = 1) -> None:
        self._places = threading.Semaphore(at_once)
        self._known: LRUCache[str, Work] = LRUCache(REMEMBERED)
        self._lock = threading.Lock()

    def known(self, key: str) -> Work | None:
        """The last work of that key, and a sign that somebody wants it."""
        with self._lock:
            work = self._known.get(key)
        if work:
            work.asked = time.monotonic()
        return work

    def result(self, key: str) -> Any:
        """What came of the last work of that key; None before it is done. This is no sign that somebody wants it."""
        with self._lock:
            work = self._known.get(key)
        return work.result if work else None

    def begin(self, key: str, do: Callable[[Work], Any]) -> Work:
        """Begins the work of that key, unless it is under way.

        Args:
            key: what it is.
            do: does it, calls `step` as it goes, and returns the result.
        """
        with self._lock:
            work = self._known.get(key)
            if work and not work.over:
                work.asked = time.monotonic()
                return work
            work = self._known[key] = Work()
        threading.Thread(target=self._do, args=(work, do), daemon=True, name=f"work {key[:40]}").start()
        return work

    def _do(self, work: Work, do: Callable[[Work], Any]) -> None:
        try:
            while not self._places.acquire(timeout=0.1):
                work.step(0, 0)
            try:
                work.status, work.message = "running", ""
                work.result = do(work)
                work.status, work.message = "done", ""
            finally:
                self._places.release()
        except Stopped as error:
            work.message, work.status = str(error), "stopped"
        except (BackendError, DatasetError, RunError, ValueError) as error:
            log.warning("Not evaluated: %s", error)
            work.message, work.status = str(error), "failed"
        except Exception as error:
            log.exception("The evaluation failed")
            work.message, work.status = f"{type(error).__name__}: {error}; the log says more.", "failed"
