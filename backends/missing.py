"""What to say when a framework is not there, or there and broken."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from .base import Backend, BackendMissing

_broken: dict[str, str] = {}
"""Module → why its import failed, so that the page can say so before the next try."""


def sentence_if_missing(backend: Backend, module: str) -> str | None:
    """Why the backend cannot be used, without importing anything; None when it looks installed."""
    if module in _broken:
        return _broken[module]
    if find_spec(module) is None:
        return f"{backend.title} is not installed; install it with: {_command(backend)}"
    return None


def import_framework(backend: Backend, module: str) -> None:
    """Imports a framework.

    Raises:
        BackendMissing: it is not installed, or its import fails, for whatever reason.
    """
    if (sentence := sentence_if_missing(backend, module)) and module not in _broken:
        raise BackendMissing(sentence)
    try:
        import_module(module)
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        _broken[module] = (
            f"{backend.title} is installed but does not start ({reason}); reinstall it with: {_command(backend)}"
        )
        raise BackendMissing(_broken[module]) from error
    _broken.pop(module, None)


def comes_from(source: Any, package: str) -> bool:
    """Whether an object is of a type, or of a descendant of a type, that a package defines."""
    return any(each.__module__.partition(".")[0] == package for each in type(source).__mro__)


def _command(backend: Backend) -> str:
    return f"pip install 'layerscope[{backend.extra}]'"
