"""Who trains the queued runs: an interface, and processes on this machine behind it."""

import logging
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import replace
from threading import Lock, Thread

from .config import RunConfig, RunError
from .runs import RunStore
from .settings import keep_runs_at_once, runs_at_once

log = logging.getLogger(__name__)

LAST_WORDS = 300
"""Characters of a trainer's log that are shown where it could not even begin."""


class Executor(ABC):
    """Takes runs from the queue of a store and trains them.

    Attributes:
        store: the runs, whoever made them.
    """

    store: RunStore

    @property
    @abstractmethod
    def at_once(self) -> int:
        """How many runs are trained at the same time.

        It can be set at any time and holds from the next `advance` on; runs that train already are left alone.

        Raises:
            RunError: when set, what is given is no number of runs, or cannot be kept.
        """

    @at_once.setter
    @abstractmethod
    def at_once(self, number: int) -> None: ...

    @abstractmethod
    def advance(self) -> None:
        """Looks after the runs that train and begins the next ones; whoever polls may call it, as often as they like.

        Never waits, and fails for no run: what went wrong is in that run's status.
        """

    def submit(self, config: RunConfig) -> str:
        """Makes a run and queues it. Returns its id.

        Raises:
            RunError: the config cannot be trained by.
        """
        id = self.store.create(config)
        self.advance()
        return id

    def resume(self, id: str) -> None:
        """As `RunStore.resume`."""
        self.store.resume(id)
        self.advance()

    def train_further(self, id: str, epochs: int) -> None:
        """As `RunStore.train_further`."""
        self.store.train_further(id, epochs)
        self.advance()

    def stop(self, id: str) -> None:
        """As `RunStore.stop`."""
        self.store.stop(id)
        self.advance()

    def delete(self, id: str) -> None:
        """As `RunStore.delete`."""
        self.store.delete(id)
        self.advance()

    def watch(self, seconds: float = 1.0) -> Thread:
        """Advances for as long as this process lives, so that queued runs begin though nobody looks at a page."""

        def advancing() -> None:
            while True:
                try:
                    self.advance()
                except Exception:
                    log.exception("The queue of runs could not be advanced; it is tried again.")
                time.sleep(seconds)

        thread = Thread(target=advancing, name="runs", daemon=True)
        thread.start()
        return thread


class LocalProcesses(Executor):
    """One process for each run, a set number at once; they outlive this process, and are found again by the next.

    How many at once is kept in the home folder, so that it outlives this process as well.

    Several of these may look after one home folder: two may begin a process for the same run, and one of the two then
    finds the run taken and ends.
    """

    def __init__(self, store: RunStore, at_once: int | None = None, niceness: int = 10) -> None:
        """Begins processes that give way to others by `niceness`.

        With `at_once`, it is this number here, whatever the home folder says and until it is set; 0 begins no run by
        itself.
        """
        self.store = store
        self.niceness = niceness
        self._own = at_once
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = Lock()

    @property
    def at_once(self) -> int:
        """How many runs are trained at the same time; as the home folder says, so that all servers agree."""
        return runs_at_once(self.store.home) if self._own is None else self._own

    @at_once.setter
    def at_once(self, number: int) -> None:
        keep_runs_at_once(self.store.home, number)
        self._own = None

    def advance(self) -> None:
        with self._lock:
            states = {}
            for id in reversed(self.store.ids()):
                with suppress(RunError):
                    states[id] = self.store.status(id)
            ended = [id for id, process in self._processes.items() if process.poll() is not None]
            for id in ended:
                self._reap(id)
            waiting = sorted((id for id in states if states[id].state == "queued"), key=lambda id: states[id].queued)
            busy = {id for id in states if states[id].state == "training"} | set(self._processes)
            at_once = self.at_once
            for id in waiting:
                if len(busy) >= at_once:
                    break
                if id not in busy and id not in ended:
                    self._start(id)
                    busy.add(id)

    def start(self, id: str) -> None:
        """Begins a queued run now, however many are trained already; what goes wrong is in its status."""
        with self._lock:
            self._start(id)

    def _start(self, id: str) -> None:
        try:
            self._processes[id] = spawn(self.store, id, self.niceness)
        except (OSError, RunError) as error:
            self._fail(id, f"The trainer could not be started: {error}")

    def _reap(self, id: str) -> None:
        """Forgets a process that has ended, and says so where it ended before it could take its run."""
        process = self._processes.pop(id)
        if process.returncode == 0:
            return
        with suppress(RunError, OSError):
            said = self.store.folder(id).log_file.read_text(errors="replace")[-LAST_WORDS:].strip()
            last = said.splitlines()[-1] if said else f"exit status {process.returncode}"
            self._fail(id, f"The trainer ended before it began: {last}", process.pid)

    def _fail(self, id: str, message: str, pid: int = -1) -> None:
        """Ends a run that is still queued, unless it is queued again after that process trained it."""
        with suppress(RunError, OSError):
            folder = self.store.folder(id)
            with folder.held(0):
                status = folder.written_status()
                if status.state == "queued" and status.pid != pid:
                    folder.write_status(replace(status, state="failed", message=message))
                    log.error("Run %s: %s", id, message)


def spawn(store: RunStore, id: str, niceness: int = 0) -> subprocess.Popen[bytes]:
    """Begins the process that trains a run, in a session of its own; what it says goes to the run's `log.txt`.

    Raises:
        RunError: there is no such run.
        OSError: no process can be started.
    """
    folder = store.folder(id)
    command = [sys.executable, "-m", "layerscope.training.trainer", str(folder.path), "--niceness", str(niceness)]
    with folder.log_file.open("ab") as log_file:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
