"""What the callbacks of one server share: opened models, sample images, registered visualizers. All safe to lose."""

import logging
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock

from cachetools import TTLCache

from ..backends import backends
from ..backends.base import Backend, BackendError, Model
from ..backends.opening import ModelPool
from ..datasets.base import Dataset
from ..datasets.samples import samples_or_digits
from ..models.bundled import BUNDLED
from ..models.layers import LayerInfo
from ..models.run import Run
from ..training.config import RunError
from ..training.executor import Executor, LocalProcesses
from ..training.runs import SOURCE, RunStore
from ..visualizers.contract import Visualizer
from ..visualizers.registry import registered
from .jobs import Jobs
from .limits import Costs, Watchdog

log = logging.getLogger(__name__)


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
        slow: kinds of drawing that had to be stopped; they are not tried again for ten minutes.
    """

    model: str
    backend: str = ""
    data: Path | None = None
    home: Path | None = None
    jobs: Jobs = field(default_factory=Jobs)
    costs: Costs = field(default_factory=Costs)
    watchdog: Watchdog = field(default_factory=Watchdog)
    slow: MutableMapping[str, bool] = field(default_factory=lambda: TTLCache(256, 600))
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
        """Name → title of every model that can be chosen: the server's own, the bundled ones, and what runs learnt."""
        titles = {name: architecture.title for name, architecture in BUNDLED.items()}
        learnt = self.store.learnt() if self.store else {}
        titles |= {f"{SOURCE}{id}": f"{title} · run" for id, title in learnt.items()}
        return titles if self.model in titles else {self.model: Path(self.model).name, **titles}

    def open(self, model: str, backend: str) -> Model:
        """The model, opened when first asked for.

        Raises:
            BackendError: there is no such model or backend, or it cannot be opened; the message says what to do.
        """
        missing = next((entry.missing for entry in self.backends if entry.name == backend), None)
        if missing and all(entry.missing for entry in self.backends):
            raise BackendError(" ".join(str(entry.missing) for entry in self.backends))
        return self.pool.open(model, backend)

    def layers(self, model: str, backend: str = "") -> Sequence[LayerInfo]:
        """The layers of a model; those of a bundled one, and of a run's, are known without opening it."""
        if model in BUNDLED:
            return BUNDLED[model].infos
        if self.store and model.startswith(SOURCE):
            return self.store.architecture(model).infos
        return self.open(model, backend or self.default_backend).layers

    def _located(self, source: str) -> Path | None:
        """The weights file of a run's model; None for what is no run's."""
        if self.store is None or not source.startswith(SOURCE):
            return None
        try:
            return self.store.weights_path(source)
        except RunError as error:
            raise BackendError(str(error)) from error

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
