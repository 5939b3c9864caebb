"""Visualizers that take their time, each in a thread of its own: frames as they come, progress, pause, cancel."""

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
UNWATCHED_PAUSED = 150.0
"""The same for one that is paused: browsers let a page in the background ask once a minute only."""
LOOKS = 0.1
"""Seconds from one look to the next of a job that waits, whether it still has to."""
ALONE = "Stopped, because nobody was looking."

Status = Literal["waiting", "running", "paused", "done", "failed", "stopped"]


@dataclass
class Job:
    """One run of one visualizer.

    Attributes:
        panel: whose it is; a panel has one job at a time, and one more beside it for its aside.
        key: what is computed, so that the same need not be computed twice.
        status: how it stands; one that is to go on is `waiting` too, until there is a place.
        share: how much is done, in [0, 1].
        figure: the last one, as plain data.
        words: the last ones of an aside.
        frames: how many figures there have been.
        message: what went wrong.
        seconds: how long it has run, without the stretch that it is running now.
        begun: when it began to stand as it does.
        asked: when somebody asked for it last.
        going: whether it is to run on; otherwise it stands still after its next frame.
        watch: ends it when it runs too long; there is one exactly while it has a place.
    """

    panel: str
    key: str
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    status: Status = "waiting"
    share: float = 0.0
    figure: dict[str, Any] | None = None
    words: str = ""
    frames: int = 0
    message: str = ""
    seconds: float = 0.0
    begun: float = 0.0
    asked: float = field(default_factory=time.monotonic)
    going: threading.Event = field(default_factory=threading.Event)
    watch: threading.Timer | None = None
    thread: int = 0
    lock: Any = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.going.set()

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.status in ("done", "failed", "stopped")

    @property
    def unwatched(self) -> bool:
        """Whether nobody has asked for it for so long that nobody will."""
        return time.monotonic() - self.asked > (UNWATCHED if self.going.is_set() else UNWATCHED_PAUSED)

    @property
    def took(self) -> float:
        """Seconds that it has run; those in which it waited or stood still do not count."""
        return self.seconds + (time.monotonic() - self.begun if self.status == "running" else 0.0)

    @property
    def data(self) -> dict[str, Any]:
        """What the page is told; `figure` is added where the page has not got it.

        A job that is to stand still, but has not come to its next frame, is `pausing`.
        """
        status, took = self.status, self.took
        left = took * (1 - self.share) / self.share if self.share > 0 and not self.over else None
        return {
            "id": self.id, "panel": self.panel, "key": self.key, "share": self.share, "seconds": took, "left": left,
            "status": "pausing" if status == "running" and not self.going.is_set() else status,
            "frames": self.frames, "message": self.message, "words": self.words,
        }  # fmt: skip

    def become(self, status: Status, message: str = "") -> None:
        """Changes how it stands, unless it is over; to be called with its lock held."""
        if not self.over:
            now = time.monotonic()
            self.seconds, self.begun, self.status, self.message = self.took, now, status, message


class Jobs:
    """All jobs of one server: a few at once, results kept by content."""

    def __init__(self, at_once: int = AT_ONCE, kept: int = 64) -> None:
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
        for other in others:
            if other.panel == panel or other.unwatched:
                self.stop(other)
        if known:
            job.figure, job.frames, job.words = known.figure, int(known.figure is not None), known.words
            job.share, job.seconds, job.status = 1.0, known.seconds, "done"
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

    def pause(self, job: Job) -> None:
        """Lets a job stand still after its next frame; its place is another's until it goes on."""
        job.going.clear()

    def resume(self, job: Job) -> None:
        """Lets a job go on where it stands, as soon as there is a place."""
        job.going.set()

    def stop(self, job: Job, message: str = "") -> None:
        """Ends a job at the next line of Python that it runs, or where it stands; its last figure stays."""
        with job.lock:
            if job.status == "running":
                raise_in(job.thread, Stopped)
            job.become("stopped", message)
        job.going.set()

    def _run(self, job: Job, draw: Callable[[], Iterator[Frame]]) -> None:
        job.thread = threading.get_ident()
        with suppress(Stopped):
            try:
                self._enter(job)
                self._follow(job, draw())
            finally:
                self._leave(job)

    def _enter(self, job: Job) -> None:
        """Begins a stretch as soon as there is a place.

        Raises:
            Stopped: the job ends before.
        """
        while not self._places.acquire(timeout=LOOKS):
            self._still_wanted(job)
        words = f"Stopped after {LONGEST / 60:.0f} minutes."
        job.watch = threading.Timer(LONGEST - job.seconds, self.stop, [job, words])
        job.watch.daemon = True
        job.watch.start()
        with job.lock:
            job.become("running")
        if job.over:
            raise Stopped

    def _leave(self, job: Job) -> None:
        """Ends a stretch. `stop` raises nothing in this thread here, since the job does not count as running."""
        if job.watch:
            job.watch.cancel()
            job.watch = None
            self._places.release()

    def _stand_still(self, job: Job) -> None:
        """Returns when the job is to go on and has a place again.

        Raises:
            Stopped: the job ends before.
        """
        with job.lock:
            job.become("paused")
        self._leave(job)
        while not job.going.wait(LOOKS):
            self._still_wanted(job)
        with job.lock:
            job.become("waiting")
        self._enter(job)

    def _still_wanted(self, job: Job) -> None:
        if job.unwatched:
            self.stop(job, ALONE)
        if job.over:
            raise Stopped

    def _follow(self, job: Job, frames: Iterator[Frame]) -> None:
        message = ""
        try:
            for frame in frames:
                self._take(job, frame)
                if job.unwatched:
                    message = ALONE
                    break
                if not job.going.is_set() and job.share < 1:
                    self._stand_still(job)
        except Exception as error:
            log.exception("The job of panel %s failed", job.panel)
            self._finish(job, "failed", f"This view failed: {type(error).__name__}: {error}")
            return
        self._finish(job, "stopped" if message else "done", message)

    def _take(self, job: Job, frame: Frame) -> None:
        if not isinstance(frame, Frame):
            raise TypeError(f"a visualizer yields Frames. Received: {type(frame).__name__}")
        if frame.figure is not None:
            job.figure = checked_figure(frame.figure)
            job.frames += 1
        job.words = frame.words or job.words
        job.share = min(1.0, max(0.0, frame.share))

    def _finish(self, job: Job, status: Status, message: str) -> None:
        with job.lock:
            if job.over:
                return
            job.become(status, message)
            if status == "done":
                job.share = 1.0
        if status == "done" and (job.figure is not None or job.words):
            with self._lock:
                self._results[job.key] = job
