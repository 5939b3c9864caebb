"""From what the user calls a model to the opened model, and the pool that keeps opened ones."""

import sys
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from cachetools import LRUCache

from ..models.bundled import BUNDLED, weights_path
from ..models.weights import WeightsError, load_weights, read_architecture
from . import registry
from .base import Backend, BackendError, Capability, Model
from .foreign import explanation

Report = Callable[[str], None]

SNAPSHOTS, SNAPSHOT_BYTES = 64, 256 * 2**20
"""How many snapshots of trainings are kept opened at most, and how much memory their weights may take."""


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


class _Key(NamedTuple):
    """One opened model: what the user calls it, or its file; the backend; and when the file was written."""

    source: str
    backend: str | None
    changed: int = 0


class ModelPool:
    """Keeps opened models, the most recently used ones; safe to use from many threads at once.

    It opens only bundled networks and the sources it was told to trust, because what asks it may be an address that
    anyone wrote. The snapshots of one training share what is expensive: the first one is built, the others give that
    network their weights, which takes milliseconds.
    """

    def __init__(
        self, trusted: Iterable[str] = (), limit: int = 8, located: Callable[[str], Path | None] = lambda source: None
    ) -> None:
        """Trusts the sources given, and the files that `located` says a source stands for.

        Such a source is a training's, `run:ID` or `run:ID@SNAPSHOT`: all that begin with the same `run:ID` are
        snapshots of one network.
        """
        self._trusted = {*BUNDLED, *trusted}
        self._located = located
        self._models: LRUCache[_Key, Model] = LRUCache(limit)
        self._snapshots: LRUCache[_Key, Model] = LRUCache(SNAPSHOT_BYTES, getsizeof=_size)
        self._opening: dict[_Key, Future[Model]] = {}
        self._stages: dict[_Key, str] = {}
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
        if file is not None:
            return self._snapshot(file, _network_key(source, backend))
        if source not in self._trusted:
            raise unknown(source)
        key = _key(source, backend)
        return self._once(key, self._models, lambda: open_model(source, key.backend, self._reporting(key)))

    def stage(self, source: str, backend: str | None = None) -> str | None:
        """What is happening while the model is being opened; None when it is not."""
        try:
            is_snapshot = self._located(source) is not None
        except BackendError:
            return None
        return self._stages.get(_network_key(source, backend) if is_snapshot else _key(source, backend))

    def _snapshot(self, file: Path, network: _Key) -> Model:
        """The model of a snapshot's file; `network` is what all snapshots of its training share."""

        def anew() -> Model:
            return open_model(str(file), network.backend, self._reporting(network))

        def made() -> Model:
            sibling = self._once(network, self._models, anew)
            return _sibling(sibling, file) if Capability.OTHER_WEIGHTS in sibling.capabilities else anew()

        # A training that was resumed writes snapshots anew that were there before.
        return self._once(_Key(str(file), network.backend, _changed(file)), self._snapshots, made)

    def _reporting(self, key: _Key) -> Report:
        return lambda stage: self._stages.update({key: stage})

    def _once(self, key: _Key, kept: LRUCache[_Key, Model], make: Callable[[], Model]) -> Model:
        with self._lock:
            if key in kept:
                return kept[key]
            waiting = self._opening.get(key)
            opening: Future[Model] = waiting or self._opening.setdefault(key, Future())
        if waiting:
            return opening.result()
        try:
            model = make()
        except BaseException as error:
            self._close(key)
            opening.set_exception(error)
            raise
        self._close(key, kept, model)
        opening.set_result(model)
        return model

    def _close(self, key: _Key, kept: LRUCache[_Key, Model] | None = None, model: Model | None = None) -> None:
        with self._lock:
            self._stages.pop(key, None)
            self._opening.pop(key)
            if kept is not None and model is not None:
                with suppress(ValueError):  # one that is larger than all that may be kept
                    kept[key] = model


def _key(source: str, backend: str | None) -> _Key:
    """One key for a bundled network, whether its default backend was named or not."""
    return _Key(source, backend or (registry.default_backend().name if source in BUNDLED else None))


def _network_key(source: str, backend: str | None) -> _Key:
    """One key for the network of a training; its weights are written in our own format, which every backend reads."""
    return _Key(source.partition("@")[0], backend or registry.default_backend().name)


def _sibling(model: Model, file: Path) -> Model:
    try:
        return model.with_weights(load_weights(file, read_architecture(file)))
    except WeightsError as error:
        raise BackendError(str(error)) from error


def _changed(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:  # opening it says what is wrong
        return 0


def _size(model: Model) -> int:
    """What a snapshot counts for: its weights, and as much again for what a framework makes of them."""
    return max(SNAPSHOT_BYTES // SNAPSHOTS, 2 * 4 * model.parameters)


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
