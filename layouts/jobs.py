"""Visualizers that take their time, each in a thread of its own: frames as they come, progress, cancel."""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from cachetools import LRUCache

from ..visualizers.contract import Frame
from .limits import Stopped, checked_figure, raise_in

log = logging.getLogger(__name__)

AT_ONCE = 2
LONGEST = 600.0
"""Seconds after which a job is stopped."""
UNWATCHED = 20.0
"""Seconds after which a job that nobody asks for any more is stopped."""

Status = Literal["waiting", "running", "done", "failed", "stopped"]


@dataclass
class Job:
    """One run of one visualizer.

    Attributes:
        panel: whose it is; a panel has one job at a time.
        key: what is computed, so that the same need not be computed twice.
        status: how it stands.
        share: how much is done, in [0, 1].
        figure: the last one, as plain data.
        frames: how many figures there have been.
        message: what went wrong.
        seconds: how long it has run.
    """

    panel: str
    key: str
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    status: Status = "waiting"
    share: float = 0.0
    figure: dict[str, Any] | None = None
    frames: int = 0
    message: str = ""
    begun: float = 0.0
    seconds: float = 0.0
    asked: float = field(default_factory=time.monotonic)
    thread: int = 0
    lock: Any = field(default_factory=threading.Lock)

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.status in ("done", "failed", "stopped")

    @property
    def data(self) -> dict[str, Any]:
        """What the page is told; `figure` is added where the page has not got it."""
        took = time.monotonic() - self.begun if self.status == "running" else self.seconds
        left = took * (1 - self.share) / self.share if self.share > 0 and not self.over else None
        return {
            "id": self.id, "panel": self.panel, "key": self.key, "status": self.status, "share": self.share,
            "seconds": took, "left": left, "frames": self.frames, "message": self.message,
        }  # fmt: skip


class Jobs:
    """All jobs of one server: a few at once, results kept by content."""

    def __init__(self, at_once: int = AT_ONCE, kept: int = 32) -> None:
        self._places = threading.Semaphore(at_once)
        self._jobs: LRUCache[str, Job] = LRUCache(64)
        self._results: LRUCache[str, Job] = LRUCache(kept)
        self._lock = threading.Lock()

    def start(self, panel: str, key: str, draw: Callable[[], Iterator[Frame]]) -> Job:
        """Begins a job; the panel's last one is stopped. What has been computed before is there at once."""
        job = Job(panel, key)
        with self._lock:
            others = [other for other in self._jobs.values() if not other.over]
            self._jobs[job.id] = job
            known = self._results.get(key)
        now = time.monotonic()
        for other in others:
            if other.panel == panel or now - other.asked > UNWATCHED:
                self.stop(other)
        if known:
            job.figure, job.frames, job.share, job.seconds, job.status = known.figure, 1, 1.0, known.seconds, "done"
        else:
            threading.Thread(target=self._run, args=(job, draw), daemon=True, name=f"job {job.id}").start()
        return job

    def job(self, id: str) -> Job | None:
        """The job of that name, and a sign that somebody wants it."""
        with self._lock:
            job = self._jobs.get(id)
        if job:
            job.asked = time.monotonic()
        return job

    def result(self, key: str) -> Job | None:
        """A finished job of this content."""
        with self._lock:
            return self._results.get(key)

    def stop(self, job: Job, message: str = "") -> None:
        """Ends a job at the next line of Python that it runs; its last figure stays."""
        with job.lock:
            if job.over:
                return
            if job.status == "running":
                job.seconds = time.monotonic() - job.begun
                raise_in(job.thread, Stopped)
            job.status, job.message = "stopped", message

    def _run(self, job: Job, draw: Callable[[], Iterator[Frame]]) -> None:
        with suppress(Stopped), self._places:
            with job.lock:
                if job.over:
                    return
                job.status, job.begun, job.thread = "running", time.monotonic(), threading.get_ident()
            watch = threading.Timer(LONGEST, self.stop, [job, f"Stopped after {LONGEST / 60:.0f} minutes."])
            watch.daemon = True
            watch.start()
            try:
                self._follow(job, draw())
            finally:
                watch.cancel()

    def _follow(self, job: Job, frames: Iterator[Frame]) -> None:
        message = ""
        try:
            for frame in frames:
                if not isinstance(frame, Frame):
                    raise TypeError(f"a visualizer yields Frames. Received: {type(frame).__name__}")
                if frame.figure is not None:
                    job.figure = checked_figure(frame.figure)
                    job.frames += 1
                job.share = min(1.0, max(0.0, frame.share))
                if time.monotonic() - job.asked > UNWATCHED:
                    message = "Stopped, because nobody was looking."
                    break
        except Exception as error:
            log.exception("The job of panel %s failed", job.panel)
            self._finish(job, "failed", f"This view failed: {type(error).__name__}: {error}")
            return
        self._finish(job, "stopped" if message else "done", message)

    def _finish(self, job: Job, status: Status, message: str) -> None:
        with job.lock:
            if job.over:
                return
            job.status, job.message, job.seconds = status, message, time.monotonic() - job.begun
            if status == "done":
                job.share = 1.0
        if status == "done" and job.figure is not None:
            with self._lock:
                self._results[job.key] = job
