"""All visualizers there are. Four ways in, one door: built in, installed, in a folder, handed over by a call."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from threading import RLock
from types import MappingProxyType

from .accuracy import accuracy
from .architecture_graph import architecture_graph
from .compare_images import compare_images
from .contract import Visualizer, VisualizerError
from .dead_units import dead_units
from .dense_outputs import dense_outputs
from .feature_maps import feature_maps
from .feature_visualisation import feature_visualisation
from .filter_response import filter_response
from .filters import filters
from .grad_cam import grad_cam
from .gradient_maps import gradient_map
from .layer_arithmetic import layer_arithmetic
from .layer_table import layer_table
from .model_differences import model_differences
from .network_view import network_view
from .occlusion import occlusion
from .plugins import Offer, PluginFolder, Problem, reason_of
from .prediction import prediction
from .receptive_field import receptive_field
from .top_images import top_images
from .training_curves import training_curves
from .trust import trust

GROUP = "layerscope.visualizers"
BUILT_IN = (
    prediction,
    filters,
    feature_maps,
    dense_outputs,
    architecture_graph,
    network_view,
    layer_table,
    layer_arithmetic,
    filter_response,
    receptive_field,
    feature_visualisation,
    top_images,
    dead_units,
    accuracy,
    gradient_map,
    grad_cam,
    occlusion,
    trust,
    compare_images,
    model_differences,
    training_curves,
)


@dataclass(frozen=True)
class Registry:
    """What was found.

    Attributes:
        visualizers: name → visualizer, built-in ones first.
        problems: plugins that are left out.
    """

    visualizers: Mapping[str, Visualizer]
    problems: tuple[Problem, ...]


def registered() -> Mapping[str, Visualizer]:
    """Name → visualizer, built-in ones first, as of now; the same object while nothing has changed."""
    return _doors.registry().visualizers


def problems() -> tuple[Problem, ...]:
    """Plugins that are left out, each with its reason; everything else works without them."""
    return _doors.registry().problems


def register(candidate: Visualizer) -> Callable[[], None]:
    """Adds a visualizer to this process, e.g. from a notebook, and returns what takes it away again.

    One of the same name from the same module is replaced, so that a cell can be run twice.

    Raises:
        VisualizerError: not a visualizer, or its name is taken; the message names both.
    """
    return _doors.register(candidate)


def use_folder(path: Path | None, watch: bool = False) -> None:
    """Takes the plugins of a folder, instead of those of the folder before; None takes none.

    Args:
        path: a folder of Python files.
        watch: whether later changes of the files take effect.

    Raises:
        VisualizerError: there is no such folder.
    """
    _doors.use_folder(PluginFolder(path, watch) if path else None)


def collect(plugins: Iterable[EntryPoint], offers: Iterable[Offer] = ()) -> Registry:
    """The built-in visualizers, those that entry points name, and what else is offered; the first of a name stays."""
    found: dict[str, Visualizer] = {}
    broken: list[Problem] = []
    for offer in (*BUILT_IN, *map(_load, plugins), *offers):
        try:
            if isinstance(offer, Problem):
                broken.append(offer)
            else:
                add(found, offer)
        except VisualizerError as error:
            broken.append(Problem(offer.name, reason_of(error)))
    return Registry(MappingProxyType(found), tuple(broken))


def add(found: dict[str, Visualizer], candidate: Visualizer) -> None:
    """Adds a visualizer under its name.

    Raises:
        VisualizerError: the name is taken; the message names both.
    """
    other = found.get(candidate.name)
    if other is not None:
        raise VisualizerError(
            f"Two visualizers are called {candidate.name!r}, in {other.defined_in} and in {candidate.defined_in}; "
            "rename one."
        )
    found[candidate.name] = candidate


def _load(plugin: EntryPoint) -> Offer:
    try:
        loaded = plugin.load()
    except (Exception, SystemExit) as error:  # a plugin may fail in any way while it is imported
        return Problem(plugin.name, reason_of(error))
    if isinstance(loaded, Visualizer):
        return loaded
    wanted = f"The entry point {plugin.name!r} must lead to a function decorated with @visualizer."
    return Problem(plugin.name, reason_of(VisualizerError(f"{wanted} Received: {loaded!r}")))


@cache
def _installed() -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=GROUP))


class _Doors:
    """The ways in that can change while the program runs, and what they came to last."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._folder: PluginFolder | None = None
        self._handed: dict[str, Visualizer] = {}
        self._read: tuple[Offer, ...] = ()
        self._registry: Registry | None = None

    def registry(self) -> Registry:
        with self._lock:
            read = self._folder.read() if self._folder else ()
            if self._registry is None or read is not self._read:
                self._read = read
                self._registry = collect(_installed(), (*read, *self._handed.values()))
            return self._registry

    def use_folder(self, folder: PluginFolder | None) -> None:
        with self._lock:
            self._folder, self._registry = folder, None

    def register(self, candidate: Visualizer) -> Callable[[], None]:
        if not isinstance(candidate, Visualizer):
            raise VisualizerError(
                f"Only a function decorated with @visualizer can be registered. Received: {candidate!r}"
            )
        with self._lock:
            before = self._handed.get(candidate.name)
            if before is None or before.defined_in != candidate.defined_in:
                add(dict(self.registry().visualizers), candidate)
            self._handed[candidate.name], self._registry = candidate, None

        def undo() -> None:
            with self._lock:
                if self._handed.get(candidate.name) is candidate:
                    del self._handed[candidate.name]
                    self._registry = None

        return undo


_doors = _Doors()
