"""Visualizers from a folder: every Python file in it is a plugin, read without being installed."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import TypeAlias

from .contract import Visualizer, VisualizerError
from .neighbours import is_neighbour, neighbours


@dataclass(frozen=True)
class Problem:
    """A plugin that could not be taken, and why, as one sentence."""

    name: str
    reason: str


Offer: TypeAlias = Visualizer | Problem
"""What a way in has to offer: a visualizer, or why there is none."""

Stamp: TypeAlias = tuple[int, int]
"""When a file was last modified, in nanoseconds, and its size in bytes; -1 for one that cannot be looked at."""


class PluginFolder:
    """The visualizers of a folder's Python files; a broken file is a problem of its own and harms no other.

    Names that start with `_` are left alone, but a plugin may import them; tests are left alone, too.
    """

    def __init__(self, path: Path, watch: bool = False) -> None:
        """
        Args:
            path: the folder.
            watch: whether to look for new, changed and removed files at every reading; otherwise at the first only.

        Raises:
            VisualizerError: there is no such folder.
        """
        if not path.is_dir():
            raise VisualizerError(f"There is no folder of plugins {path.name!r}; make it first. Received: {path}")
        self._path, self._watch = path.resolve(), watch
        self._stamps: dict[Path, Stamp] | None = None
        self._by_file: dict[Path, tuple[Offer, ...]] = {}
        self._offers: tuple[Offer, ...] = ()

    def read(self) -> tuple[Offer, ...]:
        """What the files offer, in the order of their names; the same object as before while nothing has changed."""
        if self._stamps is None or self._watch:
            files = sorted(self._path.glob("*.py"))
            stamps = {file: _stamp(file) for file in files if _is_plugin(file) or is_neighbour(file)}
            if stamps != self._stamps:
                self._update(stamps)
        return self._offers

    def _update(self, stamps: dict[Path, Stamp]) -> None:
        before: Mapping[Path, Stamp] = self._stamps or {}
        changed = {file for file in {**before, **stamps} if before.get(file) != stamps.get(file)}
        for file in list(self._by_file):
            if file in changed or any(map(is_neighbour, changed)):
                self._forget(file)
        for file in filter(_is_plugin, stamps):
            if file not in self._by_file:
                self._by_file[file] = offers_of(file)
        self._stamps = stamps
        self._offers = tuple(offer for file in filter(_is_plugin, stamps) for offer in self._by_file[file])

    def _forget(self, file: Path) -> None:
        for offer in self._by_file.pop(file, ()):
            if isinstance(offer, Visualizer):
                sys.modules.pop(offer.draw.__module__, None)


def offers_of(file: Path) -> tuple[Offer, ...]:
    """The visualizers that a file defines at its top level, or the one problem that it has."""
    try:
        return visualizers_of(file)
    except (Exception, SystemExit) as error:  # a plugin may fail in any way while it is imported
        return (Problem(file.name, reason_of(error, file)),)


def visualizers_of(file: Path) -> tuple[Visualizer, ...]:
    """The visualizers that a file defines at its top level, in its order; imported ones do not count.

    Raises:
        Exception: whatever the file raises while it is imported.
        VisualizerError: it defines none.
    """
    module = _imported(file)
    found = defined_in(module, lambda origin: origin == module.__name__)
    if not found:
        raise VisualizerError(f"{file.name} defines no visualizer; decorate a function with @visualizer(title=…).")
    return tuple(replace(each, defined_in=str(file)) for each in found)


def defined_in(module: ModuleType, belongs: Callable[[str], bool]) -> tuple[Visualizer, ...]:
    """The visualizers among a module's top-level names, each once, whose own module's name belongs."""
    values = [value for value in vars(module).values() if isinstance(value, Visualizer)]
    return tuple({id(value): value for value in values if belongs(value.draw.__module__)}.values())


def reason_of(error: BaseException, file: Path | None = None) -> str:
    """An error as one sentence, with the file's line that it came from where there is one."""
    lines = [frame.lineno for frame in extract_tb(error.__traceback__) if file and frame.filename == str(file)]
    place = f" (line {lines[-1]} of {file.name})" if file and lines else ""
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words}{place}" if words else f"{type(error).__name__}{place}"


def _imported(file: Path) -> ModuleType:
    """The file as a module whose name tells its content and that of its neighbours: another is another module.

    It is compiled here because Python's cache of compiled files cannot tell apart two versions of one second and size.
    """
    source, beside = file.read_bytes(), neighbours.of(file.parent)
    name = f"_layerscope_plugin_{file.stem}_{blake2b(source + beside, digest_size=4).hexdigest()}"
    module = ModuleType(name)
    module.__file__ = str(file)
    sys.modules[name] = module  # dataclasses look up their module there
    try:
        exec(compile(source, str(file), "exec"), module.__dict__)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _is_plugin(file: Path) -> bool:
    return not file.name.startswith(("_", "test_")) and file.name != "conftest.py"


def _stamp(file: Path) -> Stamp:
    try:
        found = file.stat()
    except OSError:  # removed this very moment, or a link that leads nowhere
        return (-1, -1)
    return found.st_mtime_ns, found.st_size
