"""All runs of one home folder, whoever made them: listed, read, named, noted, queued, stopped and deleted.

Any number of servers and terminals may use one home folder at the same time.
"""

import csv
import io
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from threading import Lock
from typing import Any

import numpy as np
from cachetools import LRUCache
from filelock import FileLock, Timeout

from ..models.architecture import Architecture
from ..models.bundled import BUNDLED, weights_path
from ..models.run import EpochMetrics, Run, Snapshot
from .config import RunConfig, RunError, check, config_values
from .folder import UNEXPECTED, RunFolder, Status, tidy

ID = re.compile(r"[0-9a-z][0-9a-z-]{0,79}")
SOURCE = "run:"
"""What the source of a model begins with that is a run's: `run:ID` or `run:ID@SNAPSHOT`."""

REMEMBERED = 5_000_000
"""Steps of all runs together whose measurements are kept in memory, 16 bytes each."""
Measured = tuple[tuple[int, int], dict[str, Any]]
"""Size and time of a file of metrics, and what is in it."""


class RunStore:
    """The runs in `HOME/runs`. Safe to use from many threads and processes at once."""

    def __init__(self, home: Path) -> None:
        self.home = Path(home).absolute()
        self.path = self.home / "runs"
        self._measured: LRUCache[str, Measured] = LRUCache(
            REMEMBERED, getsizeof=lambda known: 1 + len(known[1]["steps"])
        )
        self._lock = Lock()

    def folder(self, id: str) -> RunFolder:
        """The folder of a run.

        Raises:
            RunError: there is no such run.
        """
        if not ID.fullmatch(id) or not (self.path / id / "config.json").is_file():
            raise RunError(f"There is no run {id!r} in {self.path}.")
        return RunFolder(self.path / id)

    def create(self, config: RunConfig) -> str:
        """Writes a new run, queued, and returns its id.

        Raises:
            RunError: the config cannot be trained by, or the folder cannot be written; the message says why.
        """
        check(config)
        if config.start:
            self.start_weights(config)
        config = replace(config, title=config.title.strip() or config.network.title, created=time.time())
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            new = Path(mkdtemp(dir=self.path, prefix=".new-"))
            new.chmod(0o755)
            (new / "snapshots").mkdir()
            folder = RunFolder(new)
            folder.write_config(config)
            folder.write_status(Status(state="queued", queued=config.created, epochs=config.epochs))
            return self._take_id(new, config)
        except OSError as error:
            raise RunError(f"A run cannot be kept in {self.path}: {error.strerror or error}.") from error

    def _take_id(self, new: Path, config: RunConfig) -> str:
        moment = time.strftime("%Y%m%d-%H%M%S", time.localtime(config.created))
        name = re.sub(r"[^0-9a-z]+", "-", config.network.name.lower()).strip("-")[:40] or "network"
        for number in range(1, 1000):
            id = f"{moment}-{name}" if number == 1 else f"{moment}-{name}-{number}"
            # Renaming onto a folder with something in it fails on every system: the id is another run's then.
            with suppress(OSError):
                new.rename(self.path / id)
                return id
        raise RunError(f"A thousand runs were made in this second in {self.path}.")

    def ids(self) -> list[str]:
        """The ids of all runs, newest first."""
        try:
            found = [path.name for path in self.path.iterdir() if ID.fullmatch(path.name)]
        except OSError:
            return []
        return sorted((id for id in found if (self.path / id / "config.json").is_file()), reverse=True)

    def runs(self) -> list[Run]:
        """All runs with their curves, newest first; one that is deleted meanwhile, or cannot be read, is left out."""
        found = []
        for id in self.ids():
            with suppress(RunError):
                found.append(self.read(id))
        return sorted(found, key=lambda run: run.created, reverse=True)

    def titles(self) -> Mapping[str, str]:
        """Id → title of all runs, newest first."""
        configs = {}
        for id in self.ids():
            with suppress(RunError):
                configs[id] = self.folder(id).config()
        return {
            id: config.title for id, config in sorted(configs.items(), key=lambda pair: pair[1].created, reverse=True)
        }

    def learnt(self) -> Mapping[str, str]:
        """Id → title of the runs that have ended, in whatever way but failing, with something learnt; newest first."""
        return {
            id: title
            for id, title in self.titles().items()
            if (status := RunFolder(self.path / id).status()).step and status.state in ("done", "stopped", UNEXPECTED)
        }

    def architecture(self, source: str) -> Architecture:
        """The network of `run:ID` or `run:ID@SNAPSHOT`.

        Raises:
            RunError: there is no such run.
        """
        return self.folder(source.removeprefix(SOURCE).partition("@")[0]).config().network

    def status(self, id: str) -> Status:
        """How a run stands, found out now.

        Raises:
            RunError: there is no such run.
        """
        return self.folder(id).status()

    def read(self, id: str) -> Run:
        """A run with everything it has measured so far.

        Raises:
            RunError: there is no such run, or its config cannot be read.
        """
        folder = self.folder(id)
        config, status = folder.config(), folder.status()
        return Run(
            id=id,
            title=config.title,
            model=config.network.name,
            backend=config.backend,
            status=status.state,
            message=status.message,
            notes=config.notes,
            config=config_values(config),
            created=config.created,
            step=status.step,
            steps_in_all=status.steps,
            epochs_in_all=config.epochs,
            images_per_second=status.images_per_second,
            seconds=status.seconds,
            **self._measurements(folder),
        )

    def _measurements(self, folder: RunFolder) -> dict[str, Any]:
        """Steps, losses, accuracies and epochs; read again only when there is more."""
        try:
            stat = folder.metrics_file.stat()
            key = (stat.st_size, stat.st_mtime_ns)
        except OSError:
            key = (0, 0)
        with self._lock:
            known = self._measured.get(folder.id)
        if known is None or known[0] != key:
            known = key, _measurements(folder.metrics())
            with self._lock, suppress(ValueError):  # a run of more steps than are ever remembered
                self._measured[folder.id] = known
        return known[1]

    def snapshots(self, id: str) -> Sequence[Snapshot]:
        """The snapshots of a run in the order of time.

        Raises:
            RunError: there is no such run.
        """
        return self.folder(id).snapshots()

    def weights_path(self, source: str) -> Path:
        """The weights file that `run:ID` (its last snapshot) or `run:ID@SNAPSHOT` stands for.

        Raises:
            RunError: there is no such run or snapshot.
        """
        id, _, name = source.removeprefix(SOURCE).partition("@")
        found = {snapshot.name: snapshot.path for snapshot in self.snapshots(id)}
        if not found:
            raise RunError(f"The run {id} has no snapshot yet.")
        if name and name not in found:
            raise RunError(f"The run {id} has no snapshot {name!r}; it has {', '.join(found)}.")
        return found[name] if name else [*found.values()][-1]

    def start_weights(self, config: RunConfig) -> Path:
        """The weights file that a run begins from.

        Raises:
            RunError: there is none.
        """
        if config.start.startswith(SOURCE):
            return self.weights_path(config.start)
        path = weights_path(config.start) if config.start in BUNDLED else Path(config.start)
        if path.suffix != ".safetensors" or not path.is_file():
            raise RunError(
                f"A training begins from a .safetensors file, a bundled network or a run. Received: {config.start}"
            )
        return path

    def rename(self, id: str, title: str) -> None:
        """Gives a run another title.

        Raises:
            RunError: there is no such run, or the title is empty.
        """
        if not title.strip():
            raise RunError("A run needs a title.")
        with self._editing(id) as (folder, config):
            folder.write_config(replace(config, title=title.strip()))

    def note(self, id: str, notes: str) -> None:
        """Replaces what is written about a run.

        Raises:
            RunError: there is no such run.
        """
        with self._editing(id) as (folder, config):
            folder.write_config(replace(config, notes=notes))

    def delete(self, id: str) -> None:
        """Removes a run with all it has learnt.

        Raises:
            RunError: there is no such run, or it is being trained.
        """
        folder = self.folder(id)
        gone = folder.path.with_name(f".deleted-{id}-{time.time_ns()}")
        with folder.held():
            # A trainer that was waiting for the lock finds that there is nothing to train.
            folder.write_status(Status(state="failed", message="This run is being deleted."))
        folder.path.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
        with self._lock:
            self._measured.pop(id, None)

    def resume(self, id: str) -> None:
        """Puts a run that stopped, in whatever way, back into the queue; it goes on from its last snapshot.

        Raises:
            RunError: there is no such run, it is queued or trained already, or it has made all its steps.
        """
        with self._resting(id) as (folder, _, status):
            if status.state == "done":
                raise RunError("This run has made all its steps; train it further.")
            self._queue(folder, status)

    def train_further(self, id: str, epochs: int) -> None:
        """Adds epochs to a run, and puts it back into the queue; the learning rate makes a course of its own in them.

        Raises:
            RunError: there is no such run, it is queued or trained already, or the number is not above 0.
        """
        with self._resting(id) as (folder, config, status):
            longer = replace(config, further=(*config.further, epochs))
            check(longer)
            folder.write_config(longer)
            steps = status.steps // config.epochs * longer.epochs
            self._queue(folder, replace(status, epochs=longer.epochs, steps=steps))

    def stop(self, id: str) -> None:
        """Asks the trainer of a run to stop at its next step and keep what was learnt; one in the queue leaves it.

        Raises:
            RunError: there is no such run.
        """
        folder = self.folder(id)
        if folder.status().state not in ("queued", "training"):
            return
        folder.stop_file.touch()
        with suppress(RunError), folder.held(0.1):
            status = folder.written_status()
            if status.state == "queued":
                folder.write_status(replace(status, state="stopped", message="Taken out of the queue."))

    def metrics_csv(self, id: str) -> str:
        """Everything a run measured as CSV: one line for each step and for each epoch, empty where it has no value.

        Raises:
            RunError: there is no such run.
        """
        columns = ("step", "epoch", "loss", "accuracy", "validation_loss", "validation_accuracy", "seconds")
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.folder(id).metrics())
        return text.getvalue()

    def _queue(self, folder: RunFolder, status: Status) -> None:
        tidy([folder.stop_file])
        folder.write_status(replace(status, state="queued", message="", queued=time.time(), images_per_second=0.0))

    @contextmanager
    def _resting(self, id: str) -> Iterator[tuple[RunFolder, RunConfig, Status]]:
        """The run while nobody trains it and nobody else can change how it stands."""
        folder = self.folder(id)
        with folder.held():
            status = folder.written_status()
            if status.state == "queued":
                raise RunError(f"The run {id} waits to be trained already.")
            with self._editing(id) as (_, config):
                yield folder, config, status

    @contextmanager
    def _editing(self, id: str) -> Iterator[tuple[RunFolder, RunConfig]]:
        """The run's config while nobody else edits one."""
        folder = self.folder(id)
        try:
            with FileLock(self.path / ".editing", timeout=5):
                yield folder, folder.config()
        except Timeout:
            raise RunError("The runs are being changed by another program; try again.") from None
        except OSError as error:
            raise RunError(f"The run {id} cannot be changed: {error.strerror or error}.") from error


def _measurements(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    steps = [line for line in lines if "epoch" not in line]
    return {
        "steps": np.array([line["step"] for line in steps], np.int64),
        "losses": np.array([line["loss"] for line in steps], np.float32),
        "accuracies": np.array([line["accuracy"] for line in steps], np.float32),
        "epochs": tuple(
            EpochMetrics(**{"number" if name == "epoch" else name: value for name, value in line.items()})
            for line in lines
            if "epoch" in line
        ),
    }


def located(source: str, home: Path) -> str:
    """The model that was named; the weights file of a run's in that home folder.

    Raises:
        RunError: there is no such run or snapshot.
    """
    return str(RunStore(home).weights_path(source)) if source.startswith(SOURCE) else source
