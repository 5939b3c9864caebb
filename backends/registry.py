"""Which backends there are: built-ins and those of other packages, through one door and without their frameworks."""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from .base import Backend, BackendError

GROUP = "layerscope.backends"
"""The entry-point group: name → a subclass of `Backend`, made without arguments."""

BUILT_IN: Mapping[str, tuple[str, str]] = {
    "pytorch": (f"{__package__}.pytorch", "PyTorchBackend"),
    "keras": (f"{__package__}.keras", "KerasBackend"),
}
"""Name → module and class."""


@cache
def backends() -> tuple[Backend, ...]:
    """Every backend, the built-in ones first, whether its framework is installed or not.

    Raises:
        BackendError: two have the same name, or one cannot be made.
    """
    places = {name: f"{module}:{attribute}" for name, (module, attribute) in BUILT_IN.items()}
    found = [EntryPoint(name, value, GROUP) for name, value in places.items()]
    for entry in entry_points(group=GROUP):
        if entry.name in places:
            raise BackendError(f"Two backends are called {entry.name!r}: {places[entry.name]} and {entry.value}.")
        places[entry.name] = entry.value
        found.append(entry)
    return tuple(_made(entry) for entry in found)


def backend(name: str) -> Backend:
    """The backend of that name.

    Raises:
        BackendError: there is none; the message lists those there are.
    """
    for each in backends():
        if each.name == name:
            return each
    raise BackendError(f"There is no backend {name!r}; there are {', '.join(each.name for each in backends())}.")


def default_backend() -> Backend:
    """The first backend whose framework is installed.

    Raises:
        BackendError: no framework is installed.
    """
    for each in backends():
        if each.missing is None:
            return each
    raise BackendError(" ".join(f"{each.missing}" for each in backends()))


def _made(entry: EntryPoint) -> Backend:
    try:
        made = entry.load()()
    except Exception as error:
        raise BackendError(f"Backend {entry.name!r} ({entry.value}) cannot be made: {error}") from error
    if not isinstance(made, Backend) or made.name != entry.name:
        raise BackendError(
            f"Backend {entry.name!r} ({entry.value}) should be a Backend of that name. Received: {made!r}"
        )
    return made
