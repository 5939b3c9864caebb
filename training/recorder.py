"""What a trainer writes while it trains: metrics, also for TensorBoard, half a second late at most; how it stands."""

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson

from .events import Events, next_file
from .folder import RunFolder, Status

LATEST = 0.5
"""Seconds for which a measurement may wait to be written."""


class Recorder:
    """Appends to a run's metrics and keeps its status; whoever uses it holds the run's lock."""

    def __init__(self, folder: RunFolder, status: Status, step: int = 0) -> None:
        """Goes on with a run whose metrics are kept up to a step."""
        self.folder = folder
        self.status = status
        self._waiting: list[bytes] = []
        self._began: float | None = None
        self._before = status.seconds
        self._flushed, self._images = time.monotonic(), 0
        self._epoch_began, self._images_in_epoch = self._flushed, 0
        self._events = Events(step)
        self._metrics_file = AppendedFile(folder.metrics_file)
        self._events_file = AppendedFile(next_file(folder.path))

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._metrics_file.close()
        self._events_file.close()

    @property
    def seconds(self) -> float:
        """Of training so far, those before a resumption included."""
        return round(self._before + (time.monotonic() - self._began if self._began else 0), 3)

    def start(self) -> None:
        """Counts seconds and images from now on; getting ready is not training."""
        self._began = self._flushed = self._epoch_began = time.monotonic()

    def add(self, images: int = 0, learning_rate: float | None = None, **line: Any) -> None:
        """Takes one line of metrics, with the number of images that it stands for and the rate that was learnt at."""
        line["seconds"] = self.seconds
        self._waiting.append(orjson.dumps(line) + b"\n")
        self._images += images
        self._images_in_epoch += images
        self._events.add({**line, "learning_rate": learning_rate} | self._pace(line), self.status.steps)
        if time.monotonic() - self._flushed > LATEST:
            self.flush(step=line["step"])

    def _pace(self, line: Mapping[str, Any]) -> dict[str, float]:
        """For a line about an epoch: images per second in it, looking at those kept out included."""
        if "epoch" not in line:
            return {}
        pace = self._images_in_epoch / max(1e-6, time.monotonic() - self._epoch_began)
        self._epoch_began, self._images_in_epoch = time.monotonic(), 0
        return {"images_per_second": pace}

    def flush(self, **changes: Any) -> None:
        """Writes the lines that wait, and how the training stands, with the changes given."""
        content, self._waiting = b"".join(self._waiting), []
        self._metrics_file.append(content)
        self._events_file.append(self._events.taken())
        now = time.monotonic()
        if now - self._flushed > LATEST:
            changes["images_per_second"] = round(self._images / (now - self._flushed), 1)
            self._flushed, self._images = now, 0
        self.status = replace(self.status, **changes, seconds=self.seconds, heartbeat=time.time())
        self.folder.write_status(self.status)


class AppendedFile:
    """A file that grows by whole pieces: a piece has been written, or an error says that nothing of it has."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def append(self, content: bytes) -> None:
        """Appends all of it or nothing; the file is made for the first that is something.

        Raises:
            OSError: there is no room for it.
        """
        if not content:
            return
        if self._file is None:
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        size = os.fstat(self._file).st_size
        try:
            while content:
                content = content[os.write(self._file, content) :]
        except OSError:
            os.ftruncate(self._file, size)
            raise

    def close(self) -> None:
        """Lets go of the file."""
        if self._file is not None:
            os.close(self._file)


class Ballast:
    """Room on the disk that is given up when the disk is full, so that there is some to say so."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(b"\0" * 2**16)

    def drop(self) -> None:
        """Makes room."""
        self.path.unlink(missing_ok=True)
