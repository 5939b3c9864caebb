"""What the callbacks of one server share: opened models, sample images, registered visualizers. All safe to lose."""

import logging
from collections.abc import Callable, Hashable, Iterator, Mapping, MutableMapping, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock, Thread
from typing import Any, Literal

from cachetools import LRUCache, TTLCache

from ..backends import backends
from ..backends.base import Backend, BackendError, Model
from ..backends.opening import ModelPool
from ..datasets.base import Dataset
from ..datasets.samples import samples_or_digits
from ..models.bundled import BUNDLED
from ..models.layers import LayerInfo
from ..models.run import ACTIVE, Run, Snapshot
from ..training.config import RunError
from ..training.executor import Executor, LocalProcesses
from ..training.runs import SOURCE, RunStore
from ..visualizers.contract import Pass, Visualizer
from ..visualizers.registry import registered
from ..visualizers.words import joined
from .data.choice import Named
from .data.sources import Sources
from .jobs import Jobs
from .keeping import kept
from .limits import Costs, Watchdog
from .moments import moment, network_of
from .pictures import Source, Stored

log = logging.getLogger(__name__)

PATIENCE = 0.3
"""Seconds that an answer waits for a second model, which is enough once its framework has started."""
REMEMBERED = 20.0
"""Seconds until a second model that could not be opened is tried again."""
RECENT = 2.0
"""Seconds that a list of runs may be old where it is asked for at every stroke."""


@dataclass(frozen=True)
class Services:
    """Shared by all browsers; holds nothing that belongs to one of them.

    Attributes:
        model: the model a page without an address shows.
        backend: likewise; the first installed one when empty.
        data: folder with the user's data, where there is one.
        home: folder that runs are kept in; without one there are none.
        jobs: visualizers that take their time.
        costs: what drawing takes.
        watchdog: stops views that follow the pen and take too long.
        slow: kinds of drawing that had to be stopped → whether twice in a row; these rest for ten minutes.
    """

    model: str
    backend: str = ""
    data: Path | None = None
    home: Path | None = None
    jobs: Jobs = field(default_factory=Jobs)
    costs: Costs = field(default_factory=Costs)
    watchdog: Watchdog = field(default_factory=Watchdog)
    slow: MutableMapping[str, bool] = field(default_factory=lambda: TTLCache(256, 600))
    _passes: MutableMapping[Any, Pass] = field(default_factory=lambda: LRUCache(4))
    _answers: MutableMapping[Any, tuple[float, ...]] = field(default_factory=lambda: LRUCache(8192))
    _beside: MutableMapping[tuple[str, str], Future[Model]] = field(default_factory=lambda: TTLCache(16, REMEMBERED))
    _recent: MutableMapping[str, Mapping[str, str]] = field(default_factory=lambda: TTLCache(4, RECENT))
    _lock: Lock = field(default_factory=Lock)

    @cached_property
    def pool(self) -> ModelPool:
        """The opened models; of sources that name code or files, only the server's own is opened."""
        return ModelPool(trusted=[self.model], located=self._located)

    @cached_property
    def store(self) -> RunStore | None:
        """The training runs of the home folder; None without one."""
        return RunStore(self.home) if self.home else None

    @cached_property
    def executor(self) -> Executor | None:
        """Who trains them; None without a home folder."""
        return LocalProcesses(self.store) if self.store else None

    @property
    def runs(self) -> Mapping[str, str]:
        """Id → title of every training run that can be looked at, newest first."""
        return self.store.titles() if self.store else {}

    def run(self, id: str) -> Run | None:
        """A training run, with everything it has measured so far; None when there is none of that id."""
        try:
            return self.store.read(id) if self.store else None
        except RunError:
            return None

    @property
    def visualizers(self) -> Mapping[str, Visualizer]:
        """Every registered visualizer by name, as of now."""
        return registered()

    @cached_property
    def backends(self) -> Sequence[Backend]:
        """Every backend, installed or not."""
        return backends()

    @property
    def default_backend(self) -> str:
        """The backend a page without an address uses."""
        usable = [backend.name for backend in self.backends if backend.missing is None]
        return self.backend or next(iter(usable), self.backends[0].name)

    @property
    def models(self) -> Mapping[str, str]:
        """Name → title of every model that can be chosen: the server's own, the bundled ones, and what runs learn."""
        titles = {name: architecture.title for name, architecture in BUNDLED.items()}
        titles |= {f"{SOURCE}{id}": f"{title} · run" for id, title in self._learnt().items()}
        return titles if self.model in titles else {self.model: Path(self.model).name, **titles}

    def _learnt(self) -> Mapping[str, str]:
        """Id → title of the runs that can be looked at: also those that go on, once there is a snapshot."""
        if self.store is None:
            return {}
        learnt, going = self.store.learnt(), {}
        for id, title in self.store.titles().items():
            with suppress(RunError):  # it is being deleted
                if id not in learnt and self.store.status(id).state in ACTIVE and self.store.snapshots(id):
                    going[id] = title
        return {**going, **learnt}

    def title(self, model: str) -> str:
        """What the page calls a model; a snapshot of a training by its moment, too."""
        if model in BUNDLED:
            return BUNDLED[model].title
        if model == self.model:
            return Path(model).name
        network = network_of(model)
        title = self.recent("models").get(network, network)
        snapshot = next((each for each in self.snapshots(model) if model == f"{network}@{each.name}"), None)
        return joined(title, moment(snapshot)) if snapshot else title

    def snapshots(self, model: str) -> Sequence[Snapshot]:
        """The snapshots of the run whose model this is, in the order of time; none for what is no run's."""
        if self.store is None or not model.startswith(SOURCE):
            return []
        try:
            return self.store.snapshots(network_of(model).removeprefix(SOURCE))
        except RunError:
            return []

    def recent(self, what: Literal["models", "runs"]) -> Mapping[str, str]:
        """`models` or `runs` as of a moment ago: finding all runs takes longer than a stroke should."""
        with self._lock:
            known = self._recent.get(what)
        if known is None:
            known = self.models if what == "models" else self.runs
            with self._lock:
                self._recent[what] = known
        return known

    def open(self, model: str, backend: str) -> Model:
        """The model, opened when first asked for.

        Raises:
            BackendError: there is no such model or backend, or it cannot be opened; the message says what to do.
        """
        missing = next((entry.missing for entry in self.backends if entry.name == backend), None)
        if missing and all(entry.missing for entry in self.backends):
            raise BackendError(" ".join(str(entry.missing) for entry in self.backends))
        return self.pool.open(model, backend)

    def open_beside(self, model: str, backend: str) -> Model | None:
        """The model, or None while it is being opened in a thread of its own, so that the page goes on meanwhile.

        Raises:
            BackendError: as `open`.
        """
        key = model, backend
        with self._lock:
            opening = self._beside.get(key)
            fresh = opening is None
            if opening is None:
                opening = self._beside[key] = Future()
        if fresh:
            Thread(target=self._open_into, args=(opening, model, backend), daemon=True, name=f"open {model}").start()
            wait([opening], timeout=PATIENCE)
        return opening.result() if opening.done() else None

    def _open_into(self, opening: Future[Model], model: str, backend: str) -> None:
        try:
            opening.set_result(self.open(model, backend))
        except BackendError as error:
            log.warning("The second model %s on %s cannot be opened: %s", model, backend, error)
            opening.set_exception(error)
        except Exception as error:
            log.exception("The second model %s on %s cannot be opened", model, backend)
            opening.set_exception(BackendError(f"{type(error).__name__}: {error}; the log says more."))

    def kept_pass(self, key: Hashable, make: Callable[[], Pass]) -> Pass:
        """The pass made for this key before, else a new one; a few are kept."""
        return kept(self._passes, self._lock, key, make)

    def kept_answer(self, key: Hashable, make: Callable[[], tuple[float, ...]]) -> tuple[float, ...]:
        """The probabilities found for this key before, else those found now; some thousands are kept."""
        return kept(self._answers, self._lock, key, make)

    def layers(self, model: str, backend: str = "") -> Sequence[LayerInfo]:
        """The layers of a model; those of a bundled one, and of a run's, are known without opening it."""
        if model in BUNDLED:
            return BUNDLED[model].infos
        if self.store and model.startswith(SOURCE):
            with _as_backend_error():
                return self.store.architecture(model).infos
        return self.open(model, backend or self.default_backend).layers

    def _located(self, source: str) -> Path | None:
        """The weights file of a run's model; None for what is no run's."""
        if self.store is None or not source.startswith(SOURCE):
            return None
        with _as_backend_error():
            return self.store.weights_path(source)

    @cached_property
    def sources(self) -> Sources:
        """The data sets that can be looked at."""
        return Sources(self.data, lambda: self.samples[0])

    def stored(self, source: Source) -> Stored | None:
        """The stored image that a source names, read first where that has not been done; None for ink.

        Raises:
            DatasetError: there is no such image.
        """
        if source.sample:
            return Stored.sample(self.samples[0], source.sample)
        return self.sources.image(Named.of(source.image)) if source.image else None

    @property
    def samples(self) -> tuple[Dataset, str | None]:
        """The images to choose from, and what is wrong with the user's own where they cannot be read."""
        with self._lock:
            return self._samples

    @cached_property
    def _samples(self) -> tuple[Dataset, str | None]:
        dataset, problem = samples_or_digits(self.data)
        if problem:
            log.error("%s", problem)
        return dataset, problem


@contextmanager
def _as_backend_error() -> Iterator[None]:
    """What is wrong with a run is, to whoever opens its model, wrong with the model."""
    try:
        yield
    except RunError as error:
        raise BackendError(str(error)) from error
