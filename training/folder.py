"""The folder of one run: what is in it, and how it stands.

`config.json`, `metrics.jsonl` (one JSON object a line, appended), `snapshots/*.safetensors`, `log.txt` and `status`.
Whoever trains holds the file `lock` until it ends, however it ends: the operating system lets go of it. That tells a
trainer that works from one that was killed, where a process id could belong to another program by now. Whoever else
changes how a run stands holds the lock for that moment.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
from filelock import FileLock, Timeout

from ..models.files import write_whole
from ..models.run import Snapshot
from ..models.weights import WeightsError, read_metadata
from .config import RunConfig, RunError

UNEXPECTED = "stopped unexpectedly"
"""How a run stands whose trainer has gone without a word; never written, only found."""

BEATING = 3.0
"""Seconds for which a trainer that has just written counts as alive without another look."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """How a run stands, as the file `status` keeps it.

    Attributes:
        state: `queued`, `training`, `stopped`, `done` or `failed`.
        message: one sentence about it, where there is something to say.
        pid: of the process that trains or trained.
        process_started: when that process began, in seconds since 1970.
        queued: when the run was put into the queue, likewise: the order in which runs begin.
        heartbeat: when the trainer last wrote, likewise.
        step: how many steps have been made.
        steps: how many there will be; 0 until the data has been read.
        epoch: how many epochs have been finished.
        epochs: how many there will be.
        images_per_second: at the last look.
        seconds: of training so far.
    """

    state: str
    message: str = ""
    pid: int = 0
    process_started: float = 0.0
    queued: float = 0.0
    heartbeat: float = 0.0
    step: int = 0
    steps: int = 0
    epoch: int = 0
    epochs: int = 0
    images_per_second: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class RunFolder:
    """Reads and writes the folder of one run."""

    path: Path

    @property
    def id(self) -> str:
        """The run's id, which is what its folder is called."""
        return self.path.name

    @property
    def config_file(self) -> Path:
        """What decides how the run goes."""
        return self.path / "config.json"

    @property
    def metrics_file(self) -> Path:
        """What has been measured, one JSON object a line."""
        return self.path / "metrics.jsonl"

    @property
    def status_file(self) -> Path:
        """How the run stands."""
        return self.path / "status"

    @property
    def log_file(self) -> Path:
        """What the trainer said."""
        return self.path / "log.txt"

    @property
    def stop_file(self) -> Path:
        """Asks the trainer to stop at its next step by being there."""
        return self.path / "stop"

    @property
    def snapshots_folder(self) -> Path:
        """Where the snapshots are."""
        return self.path / "snapshots"

    def config(self) -> RunConfig:
        """What decides how the run goes.

        Raises:
            RunError: it cannot be read.
        """
        try:
            return _config(self.config_file, self.config_file.stat().st_mtime_ns)
        except OSError as error:
            raise RunError(f"The config of the run {self.id} cannot be read: {error.strerror or error}.") from error

    def write_config(self, config: RunConfig) -> None:
        """Replaces the config."""
        write_whole(self.config_file, config.to_json().encode())

    def status(self) -> Status:
        """How the run stands; `UNEXPECTED` where it should be training and nobody trains it."""
        status = self.written_status()
        while status.state == "training" and not self._is_held(status.heartbeat):
            # It may have ended, or another trainer may have begun, between the two looks.
            again = self.written_status()
            if (again.state, again.pid, again.heartbeat) == (status.state, status.pid, status.heartbeat):
                return replace(again, state=UNEXPECTED, message=_unexpected(again))
            status = again
        return status

    def written_status(self) -> Status:
        """What the file says, whether it is still true or not."""
        try:
            return Status(**orjson.loads(self.status_file.read_bytes()))
        except (OSError, ValueError, TypeError) as error:
            return Status(state="failed", message=f"How this run stands cannot be read: {error}")

    def write_status(self, status: Status) -> None:
        """Replaces how the run stands; only while holding the lock."""
        write_whole(self.status_file, json.dumps(asdict(status)).encode())

    @contextmanager
    def held(self, seconds: float = 0.5) -> Iterator[None]:
        """Keeps everybody else from training this run or changing how it stands.

        Raises:
            RunError: somebody trains it, and did so for all the seconds that were waited.
        """
        lock = FileLock(self.path / "lock")
        try:
            lock.acquire(timeout=seconds, poll_interval=0.02)
        except Timeout:
            raise RunError(f"The run {self.id} is being trained; stop it first.") from None
        except OSError as error:
            raise RunError(f"There is no run {self.id!r} that could be changed: {error.strerror or error}.") from error
        try:
            yield
        finally:
            lock.release()

    def _is_held(self, heartbeat: float) -> bool:
        lock = FileLock(self.path / "lock")
        for _ in range(4):
            try:
                lock.acquire(blocking=False)
            except Timeout:
                # Either a trainer holds it, or somebody else is looking at this moment.
                if time.time() - heartbeat < BEATING:
                    return True
                time.sleep(0.01)
            except OSError:
                return False
            else:
                lock.release()
                return False
        return True

    def metrics(self) -> list[Mapping[str, Any]]:
        """The lines of `metrics.jsonl`; one that is only half there yet is left out."""
        try:
            content = self.metrics_file.read_bytes()
        except FileNotFoundError:
            return []
        lines = content.split(b"\n")[:-1]
        try:
            found: list[Mapping[str, Any]] = orjson.loads(b"[" + b",".join(lines) + b"]")
        except ValueError:
            found = []
            for line in lines:
                with suppress(ValueError):
                    found.append(orjson.loads(line))
        return found

    def keep_metrics_up_to(self, step: int) -> None:
        """Drops the lines after a step, and a half-written one, so that they can be measured again."""
        kept = [orjson.dumps(line) + b"\n" for line in self.metrics() if line["step"] <= step]
        write_whole(self.metrics_file, b"".join(kept))

    def snapshots(self) -> list[Snapshot]:
        """The run's snapshots in the order of time."""
        found = []
        for path in sorted(self.snapshots_folder.glob("*.safetensors"), key=lambda path: path.stem):
            with suppress(WeightsError, OSError):
                story = _story(path, path.stat().st_mtime_ns)
                found.append(Snapshot(name=path.stem, path=path, step=int(story["step"]), epoch=float(story["epoch"])))
        return found


def snapshot_name(step: int, steps_per_epoch: int) -> str:
    """What the snapshot after that many steps is called: `epoch-001`, or `epoch-001_step-000500` within the second."""
    epoch, within = divmod(step, steps_per_epoch)
    return f"epoch-{epoch:03}_step-{step:06}" if within else f"epoch-{epoch:03}"


def tidy(paths: Sequence[Path]) -> None:
    """Removes files that may be there."""
    for path in paths:
        path.unlink(missing_ok=True)


@lru_cache(maxsize=256)
def _config(path: Path, changed: int) -> RunConfig:
    return RunConfig.from_json(path.read_bytes())


@lru_cache(maxsize=4096)
def _story(path: Path, changed: int) -> Mapping[str, str]:
    return read_metadata(path)


def _unexpected(status: Status) -> str:
    if not status.step:
        return "The training ended before its first step without a word; resume it to begin anew."
    return f"The training ended at step {status.step:,} without a word; resume it from the last snapshot."
