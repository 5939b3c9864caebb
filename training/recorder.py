"""What a trainer writes while it trains: metrics at most half a second late, and how it stands."""

import os
import time
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson

from .folder import RunFolder, Status

LATEST = 0.5
"""Seconds for which a measurement may wait to be written."""


class Recorder:
    """Appends to a run's metrics and keeps its status; whoever uses it holds the run's lock."""

    def __init__(self, folder: RunFolder, status: Status) -> None:
        self.folder = folder
        self.status = status
        self._waiting: list[bytes] = []
        self._began: float | None = None
        self._before = status.seconds
        self._flushed, self._images = time.monotonic(), 0
        # Not buffered: a line has been written, or an error says that it has not.
        self._file = os.open(folder.metrics_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    @property
    def seconds(self) -> float:
        """Of training so far, those before a resumption included."""
        return round(self._before + (time.monotonic() - self._began if self._began else 0), 3)

    def start(self) -> None:
        """Counts seconds and images from now on; getting ready is not training."""
        self._began = self._flushed = time.monotonic()

    def add(self, images: int = 0, **line: Any) -> None:
        """Takes one line of metrics, with the number of images that it stands for."""
        self._waiting.append(orjson.dumps({**line, "seconds": self.seconds}) + b"\n")
        self._images += images
        if time.monotonic() - self._flushed > LATEST:
            self.flush(step=line["step"])

    def flush(self, **changes: Any) -> None:
        """Writes the lines that wait, and how the training stands, with the changes given."""
        content, self._waiting = b"".join(self._waiting), []
        self._append(content)
        now = time.monotonic()
        if now - self._flushed > LATEST:
            changes["images_per_second"] = round(self._images / (now - self._flushed), 1)
            self._flushed, self._images = now, 0
        self.status = replace(self.status, **changes, seconds=self.seconds, heartbeat=time.time())
        self.folder.write_status(self.status)

    def _append(self, content: bytes) -> None:
        """Appends all of it or nothing."""
        size = os.fstat(self._file).st_size
        try:
            while content:
                content = content[os.write(self._file, content) :]
        except OSError:
            os.ftruncate(self._file, size)
            raise


class Ballast:
    """Room on the disk that is given up when the disk is full, so that there is some to say so."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(b"\0" * 2**16)

    def drop(self) -> None:
        """Makes room."""
        self.path.unlink(missing_ok=True)
