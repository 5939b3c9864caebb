"""From what the user calls a model to the opened model, and the pool that keeps opened ones."""

import sys
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any

from cachetools import LRUCache

from ..models.bundled import BUNDLED, weights_path
from ..models.weights import WeightsError, load_weights, read_architecture
from . import registry
from .base import Backend, BackendError, Model
from .foreign import explanation

Report = Callable[[str], None]


def open_model(source: str, backend: str | None = None, report: Report = lambda stage: None) -> Model:
    """Opens a model; runs code when the source names code, so the source must come from whoever started the program.

    Args:
        source: a bundled network's name, a `.safetensors` file of ours, a file of a framework's own, or
            `package.module:attribute`, which gives a framework's network or something callable that returns one.
        backend: the name of the backend; the first installed one that can when None.
        report: told what is happening, one sentence at a time.

    Raises:
        BackendMissing: the framework is not installed.
        BackendError: there is no such model or backend, or the file cannot be used; the message is for the user.
    """
    chosen = registry.backend(backend) if backend else None
    try:
        if source in BUNDLED:
            return _build(source, weights_path(source), chosen, report)
        if source.endswith(".safetensors"):
            return _build(Path(source).stem, Path(source), chosen, report)
    except WeightsError as error:
        raise BackendError(str(error)) from error
    if Path(source).suffix and any(each.reads(Path(source)) for each in registry.backends()):
        return _read(Path(source), chosen, report)
    module, colon, attribute = source.partition(":")
    if colon and module and attribute:
        return _follow(source, module, attribute, chosen, report)
    if source and Path(source).exists():
        raise BackendError(explanation(Path(source)))
    raise unknown(source)


def unknown(source: str) -> BackendError:
    """The error for a source that names no model."""
    return BackendError(
        f"There is no model {source!r}; bundled are {', '.join(BUNDLED)}. Your own is a .safetensors or .keras file, "
        "or package.module:attribute; a new one is trained on the page Train, or with `layerscope train`."
    )


class ModelPool:
    """Keeps opened models, the most recently used ones; safe to use from many threads at once.

    It opens only bundled networks and the sources it was told to trust, because what asks it may be an address that
    anyone wrote.
    """

    def __init__(
        self, trusted: Iterable[str] = (), limit: int = 8, located: Callable[[str], Path | None] = lambda source: None
    ) -> None:
        """Trusts the sources given, and the files that `located` says a source stands for, such as a run's weights."""
        self._trusted = {*BUNDLED, *trusted}
        self._located = located
        self._models: LRUCache[tuple[str, str | None], Model] = LRUCache(limit)
        self._opening: dict[tuple[str, str | None], Future[Model]] = {}
        self._stages: dict[tuple[str, str | None], str] = {}
        self._lock = Lock()

    def trust(self, source: str) -> None:
        """Allows a source to be opened from now on."""
        self._trusted.add(source)

    def open(self, source: str, backend: str | None = None) -> Model:
        """The opened model; opened at most once however many threads ask, and tried again after a failure.

        Raises:
            BackendError: as `open_model`, or the source is not trusted.
        """
        file = self._located(source)
        if file is None and source not in self._trusted:
            raise unknown(source)
        key = _key(str(file or source), backend)
        with self._lock:
            if key in self._models:
                return self._models[key]
            waiting = self._opening.get(key)
            opening: Future[Model] = waiting or self._opening.setdefault(key, Future())
        return opening.result() if waiting else self._open(key, opening)

    def stage(self, source: str, backend: str | None = None) -> str | None:
        """What is happening while the model is being opened; None when it is not."""
        try:
            return self._stages.get(_key(str(self._located(source) or source), backend))
        except BackendError:
            return None

    def _open(self, key: tuple[str, str | None], opening: Future[Model]) -> Model:
        try:
            model = open_model(*key, lambda stage: self._stages.update({key: stage}))
        except BaseException as error:
            self._close(key, None)
            opening.set_exception(error)
            raise
        self._close(key, model)
        opening.set_result(model)
        return model

    def _close(self, key: tuple[str, str | None], model: Model | None) -> None:
        with self._lock:
            self._stages.pop(key, None)
            self._opening.pop(key)
            if model:
                self._models[key] = model


def _key(source: str, backend: str | None) -> tuple[str, str | None]:
    """One key for a bundled network, whether its default backend was named or not."""
    return source, backend or (registry.default_backend().name if source in BUNDLED else None)


def _build(name: str, path: Path, chosen: Backend | None, report: Report) -> Model:
    backend = _started(chosen or registry.default_backend(), report)
    report(f"Loading the weights of {name}…")
    architecture = BUNDLED[name] if name in BUNDLED and path == weights_path(name) else read_architecture(path)
    weights = load_weights(path, architecture)
    report(f"Building {name}…")
    return backend.build(architecture, weights)


def _read(path: Path, chosen: Backend | None, report: Report) -> Model:
    readers = [each for each in registry.backends() if each.reads(path)]
    if chosen and chosen not in readers:
        raise BackendError(f"{chosen.title} does not read {path.name}; {readers[0].title} does.")
    if not path.is_file():
        raise BackendError(f"There is no file {path.name}. Received: {path}")
    backend = _started(chosen or readers[0], report)
    report(f"Opening {path.name}…")
    return backend.open(path, path.stem)


def _follow(source: str, module: str, attribute: str, chosen: Backend | None, report: Report) -> Model:
    report(f"Importing {module}…")
    network = _imported(source, module, attribute)
    takers = [each for each in registry.backends() if each.takes(network)]
    if not takers and callable(network):
        report(f"Calling {source}…")
        network = _called(source, network)
        takers = [each for each in registry.backends() if each.takes(network)]
    if not takers or (chosen and chosen not in takers):
        wanted = chosen.title if chosen else " or ".join(each.title for each in registry.backends())
        raise BackendError(f"{source} should give a network of {wanted}. Received: {type(network).__name__}")
    backend = _started(chosen or takers[0], report)
    report(f"Following {source} through its layers…")
    return backend.open(network, attribute)


def _started(backend: Backend, report: Report) -> Backend:
    report(f"Starting {backend.title}…")
    backend.start()
    return backend


def _imported(source: str, module: str, attribute: str) -> Any:
    """What a module calls by that name; the working directory is looked in as `python -m` would."""
    if str(Path.cwd()) not in sys.path and "" not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found = import_module(module)
        for name in attribute.split("."):
            found = getattr(found, name)
    except Exception as error:
        raise BackendError(f"{source} cannot be imported: {type(error).__name__}: {error}") from error
    return found


def _called(source: str, network: Callable[[], Any]) -> Any:
    try:
        return network()
    except Exception as error:
        raise BackendError(f"{source} cannot be called without arguments: {type(error).__name__}: {error}") from error
