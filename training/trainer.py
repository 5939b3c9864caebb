"""The process that trains one run: `python -m layerscope.training.trainer RUNFOLDER`.

It takes a queued run, or ends at once if another process has taken it. It stops at the next step when a file `stop`
appears in the folder, or on SIGTERM or SIGINT, and keeps what was learnt.
"""

import argparse
import errno
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Event

from ..backends.base import BackendError
from ..datasets.base import DatasetError
from ..models.weights import WeightsError
from .config import RunError
from .course import begin_of, prepare
from .folder import RunFolder, Status, tidy
from .recorder import Ballast, Recorder

log = logging.getLogger(__name__)

WAITED = 10.0
"""Seconds to wait for whoever changes the run's status at this moment."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains the run of a folder. Returns the exit status: 0, or 1 if the training failed."""
    parser = argparse.ArgumentParser(prog="python -m layerscope.training.trainer", description="Trains a queued run.")
    parser.add_argument("folder", type=Path, help="the run's folder")
    parser.add_argument("--niceness", type=int, default=0, help="how far to give way to other processes")
    given = parser.parse_args(arguments)
    folder = RunFolder(given.folder.absolute())
    if given.niceness and hasattr(os, "nice"):
        os.nice(given.niceness)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", force=True)
    logging.raiseExceptions = False  # where the log cannot be written, the status still can
    # Before a framework is imported: threads that spin while they wait for one another take many times as long as the
    # training itself on a machine that also serves a page.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    asked = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    try:
        with folder.held(WAITED):
            status = folder.written_status()
            if status.state != "queued":
                log.info("This run is not queued, but %s.", status.state)
                return 0
            return train(folder, status, asked)
    except RunError as error:
        log.info("%s", error)
        return 0


def train(folder: RunFolder, queued: Status, asked: Event) -> int:
    """Trains a run whose lock is held, and leaves behind how it ended. Returns the exit status."""
    status = replace(queued, state="training", pid=os.getpid(), process_started=time.time(), heartbeat=time.time())
    ballast = None
    try:
        ballast = Ballast(folder.path / ".ballast")
        folder.write_status(status)
        folder.snapshots_folder.mkdir(exist_ok=True)
        begin = begin_of(folder)
        kept = begin.step if begin else 0
        folder.keep_metrics_up_to(kept)
        with Recorder(folder, status, kept) as recorder:
            try:
                course = prepare(folder, recorder, lambda: asked.is_set() or folder.stop_file.exists())
                done = course.run()
                recorder.flush()
            finally:
                status = recorder.status
    except Exception as error:
        known = isinstance(error, RunError | BackendError | DatasetError | WeightsError | OSError | MemoryError)
        log.error("%s", error, exc_info=not known)
        if ballast:
            ballast.drop()
        _end(folder, replace(status, state="failed", message=_sentence(error, folder)))
        return 1
    ballast.drop()
    message = "" if done else f"Stopped after step {status.step:,} of {status.steps:,}; what was learnt is kept."
    _end(folder, replace(status, state="done" if done else "stopped", message=message))
    return 0


def _end(folder: RunFolder, status: Status) -> None:
    tidy([folder.stop_file])
    # If not even this can be written, the run is found to have stopped unexpectedly, which is true.
    with suppress(OSError):
        folder.write_status(replace(status, heartbeat=time.time(), images_per_second=0.0))
    log.info("%s. %s", status.state, status.message)


def _sentence(error: Exception, folder: RunFolder) -> str:
    if isinstance(error, OSError) and error.errno in FULL:
        return "The disk is full; make room and resume from the last snapshot."
    if isinstance(error, MemoryError):
        return "There is not enough memory; take a smaller batch or less of the data."
    if isinstance(error, RunError | BackendError | DatasetError | WeightsError):
        return str(error)
    return f"{type(error).__name__}: {error} (see {folder.log_file})"


if __name__ == "__main__":
    sys.exit(main())
