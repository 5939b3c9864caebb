"""All visualizers there are: the built-in ones and those of installed packages, through one door."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType

from .accuracy import accuracy
from .architecture_graph import architecture_graph
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
from .network_view import network_view
from .occlusion import occlusion
from .prediction import prediction
from .receptive_field import receptive_field
from .top_images import top_images
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
)


@dataclass(frozen=True)
class Problem:
    """A plugin that could not be taken, and why, as one sentence."""

    name: str
    reason: str


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
    """Name → visualizer, built-in ones first."""
    return _registry().visualizers


def problems() -> tuple[Problem, ...]:
    """Plugins that are left out, each with its reason; everything else works without them."""
    return _registry().problems


def collect(plugins: Iterable[EntryPoint]) -> Registry:
    """The built-in visualizers and those that entry points name."""
    found: dict[str, Visualizer] = {}
    for built_in in BUILT_IN:
        add(found, built_in)
    broken = []
    for plugin in plugins:
        try:
            add(found, _load(plugin))
        except (Exception, SystemExit) as error:  # a plugin may fail in any way while it is imported
            broken.append(Problem(plugin.name, f"{type(error).__name__}: {error}"))
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


def _load(plugin: EntryPoint) -> Visualizer:
    loaded = plugin.load()
    if not isinstance(loaded, Visualizer):
        raise VisualizerError(
            f"The entry point {plugin.name!r} must lead to a function decorated with @visualizer. Received: {loaded!r}"
        )
    return loaded


@cache
def _registry() -> Registry:
    return collect(entry_points(group=GROUP))
