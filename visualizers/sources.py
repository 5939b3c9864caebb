"""From what an author calls their views to the views: a file, a folder of files, or an importable package."""

import pkgutil
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

from .contract import Visualizer
from .plugins import PluginFolder, Problem, defined_in, reason_of, visualizers_of


class SourceError(Exception):
    """No views can be taken from there; the message says why, in one sentence for the user."""


def visualizers_in(source: str) -> tuple[Visualizer, ...]:
    """Every visualizer of a Python file, of a folder of plugins, or of a package and all its modules.

    Raises:
        SourceError: there is no such thing, it cannot be imported, or it has no visualizers.
    """
    path = Path(source)
    if path.is_dir():
        return _in_folder(path)
    if path.suffix == ".py" or len(path.parts) > 1:
        return _in_file(path)
    return _in_package(source)


def _in_file(path: Path) -> tuple[Visualizer, ...]:
    if not path.is_file():
        raise SourceError(f"There is no file {path.name}. Received: {path}")
    try:
        return visualizers_of(path)
    except (Exception, SystemExit) as error:
        raise SourceError(f"{path.name} cannot be taken. {reason_of(error, path)}") from error


def _in_folder(path: Path) -> tuple[Visualizer, ...]:
    offers = PluginFolder(path).read()
    broken = [f"{offer.name} cannot be taken. {offer.reason}" for offer in offers if isinstance(offer, Problem)]
    if broken or not offers:
        raise SourceError(" ".join(broken) or f"There are no Python files in {path}.")
    return tuple(offer for offer in offers if isinstance(offer, Visualizer))


def _in_package(name: str) -> tuple[Visualizer, ...]:
    if str(Path.cwd()) not in sys.path and "" not in sys.path:  # as `python -m` would
        sys.path.insert(0, str(Path.cwd()))
    try:
        modules = list(_modules(name))
    except (Exception, SystemExit) as error:
        raise SourceError(f"{name} cannot be imported. {reason_of(error)}") from error
    found = {
        id(each): each
        for module in modules
        for each in defined_in(module, lambda origin: f"{origin}.".startswith(f"{name}."))
    }
    if not found:
        raise SourceError(f"{name} has no visualizers; decorate a function with @visualizer(title=…).")
    return tuple(found.values())


def _modules(name: str) -> Iterator[ModuleType]:
    module = import_module(name)
    yield module
    for entry in pkgutil.walk_packages(getattr(module, "__path__", ()), f"{name}."):
        if not entry.name.endswith(".__main__"):
            yield import_module(entry.name)
