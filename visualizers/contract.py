"""What a visualizer is: one pure function from a subject and settings to a Plotly figure, and what it declares.

Nothing here or in any visualizer knows of pages, callbacks, caching, threads or frameworks.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, is_dataclass, replace
from enum import Enum
from functools import cached_property
from types import MappingProxyType
from typing import Any, TypeAlias

from plotly.graph_objects import Figure

from ..backends.base import Array, Capability, Edit, Model
from ..datasets.base import Dataset
from ..models.layers import LayerInfo
from ..models.run import Run
from .controls import Control, controls_of


class Need(Enum):
    """What a visualizer may ask the page for; each has exactly one picker there."""

    IMAGE = "an image"
    LAYER = "a layer"
    UNIT = "a unit"
    POSITION = "a position"
    TARGET = "a target class"
    DATASET = "labelled images"
    SECOND_IMAGE = "a second image"
    SECOND_MODEL = "a second model"
    RUN = "a training run"


class VisualizerError(Exception):
    """A visualizer that cannot be registered; the message names it, the fault and the remedy."""


@dataclass(frozen=True)
class Condition:
    """Which layers a visualizer applies to, with the reason to give where it does not.

    `reason` completes the sentence "This view needs …".
    """

    test: Callable[[LayerInfo], bool]
    reason: str

    def __call__(self, layer: LayerInfo) -> bool:
        return self.test(layer)


any_layer = Condition(lambda layer: True, "a layer")
is_spatial = Condition(lambda layer: layer.is_spatial, "a layer whose output has height and width")
is_flat = Condition(lambda layer: len(layer.output_shape) == 1, "a layer whose output is one row of units")
has_kernel = Condition(lambda layer: "kernel" in layer.weight_shapes, "a convolution or a dense layer")


@dataclass(frozen=True)
class Frame:
    """One figure of a visualizer that takes its time, and how far it has come.

    Attributes:
        figure: what can be shown so far; None leaves the last one.
        share: of the whole work, in [0, 1].
        words: what an aside has to say so far. The first line stands in the panel, and whatever follows in its tooltip;
            up to the first ` · ` it is coloured where it begins with ✓ or ✗.
    """

    figure: Figure | None
    share: float
    words: str = ""


Drawn: TypeAlias = Figure | Iterator[Frame]
"""What a visualizer returns: a figure at once, or one frame after the other."""


@dataclass(frozen=True)
class Pass:
    """One forward pass of one image, computed when first asked for and shared by every panel that shows it."""

    model: Model
    image: Array
    edits: tuple[Edit, ...] = ()

    @cached_property
    def activations(self) -> Mapping[str, Array]:
        """Layer name → `(height, width, channels)` or `(units,)`."""
        trace = self.model.trace(self.image[None], edits=self.edits)
        return MappingProxyType({name: values[0] for name, values in trace.items()})


@dataclass(frozen=True)
class Subject:
    """What is being looked at.

    Attributes:
        model: the opened network.
        forward: the forward pass of the current image; None while there is no image.
        layer: the selected layer; None when the visualizer needs none.
        unit: the selected unit of that layer; None when nothing is selected.
        label: the image's true class, where it is known.
        position: `(row, column)` of the selected value in the layer's output; None when nothing is selected.
        target: the class that was chosen to be explained; None means the predicted one.
        dataset: labelled images to measure on.
        edits: units that are muted or scaled, in every pass; those of the forward pass, where there is one.
        second_image: the forward pass of another image through the same model, with the same edits.
        second_model: another network, or the same one on another backend.
        second_forward: the forward pass of the current drawing through that model, prepared for its input shape; with
            the same edits where it is the same network, else without any. None while there is no image.
        run: a training, with everything it has measured.
    """

    model: Model
    forward: Pass | None = None
    layer: LayerInfo | None = None
    unit: int | None = None
    label: int | None = None
    position: tuple[int, int] | None = None
    target: int | None = None
    dataset: Dataset | None = None
    edits: tuple[Edit, ...] = ()
    second_image: Pass | None = None
    second_model: Model | None = None
    second_forward: Pass | None = None
    run: Run | None = None

    def __post_init__(self) -> None:
        if self.forward is not None:
            object.__setattr__(self, "edits", self.forward.edits)

    def at(self, layer: str, unit: int | None = None, position: tuple[int, int] | None = None) -> "Subject":
        """The same subject at another layer of its model."""
        return replace(self, layer=self.model.layer(layer), unit=unit, position=position)

    @property
    def image(self) -> Array:
        """The network's input, `(height, width, channels)` in [0, 1]."""
        if self.forward is None:
            raise LookupError("There is no image to look at.")
        return self.forward.image

    @property
    def target_class(self) -> int:
        """The class to explain: the chosen one, else the predicted one."""
        return int(self.probabilities.argmax()) if self.target is None else self.target

    @property
    def activations(self) -> Mapping[str, Array]:
        """Every layer's activation for the image, without batch axis."""
        if self.forward is None:
            raise LookupError("There is no image to look at.")
        return self.forward.activations

    @property
    def activation(self) -> Array:
        """The selected layer's activation: `(height, width, channels)` or `(units,)`."""
        return self.activations[self.chosen.name]

    @property
    def chosen(self) -> LayerInfo:
        """The selected layer, for visualizers that declared `Need.LAYER`."""
        if self.layer is None:
            raise LookupError("No layer is selected.")
        return self.layer

    @property
    def probabilities(self) -> Array:
        """`(classes,)`, summing to 1."""
        return self.activations[self.model.layers[-1].name]


Aside: TypeAlias = Callable[[Subject, Any], Iterator[Frame]]
"""A generator function of the same subject and settings as its visualizer; its frames hold words and no figure."""


@dataclass(frozen=True)
class NoSettings:
    """For a visualizer with nothing to set."""


@dataclass(frozen=True, kw_only=True)
class Visualizer:
    """A registered view. Made by the decorator `visualizer`, never by hand.

    Attributes:
        name: the function's name; unique among all registered ones.
        title: what the page calls it.
        explanation: the function's docstring; its first sentence speaks to a student.
        needs: what must be chosen before it can draw.
        applies_to: which layers it can show.
        follows_pen: whether it is cheap enough to be drawn anew for every stroke.
        on_request: whether it takes its time, and so runs only when asked to; it then gives one frame after the other.
        at_rest: whether a view on request is quick enough to begin by itself when the pen rests.
        aside: gives words that take their time, and stand beside the figure when the pen rests.
        capabilities: what the model must offer.
        wide: whether it takes two columns of the page, and the height that its figure asks for.
        settings: the frozen dataclass of its settings.
        draw: the function itself.
        defined_in: the module it comes from, for messages.
    """

    name: str
    title: str
    explanation: str
    needs: frozenset[Need]
    applies_to: Condition
    follows_pen: bool
    on_request: bool
    capabilities: frozenset[Capability]
    wide: bool
    settings: type[Any]
    draw: Callable[[Subject, Any], Drawn]
    defined_in: str
    at_rest: bool = False
    aside: Aside | None = None
    controls: tuple[Control, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "controls", controls_of(self.settings))

    def remedy(self, subject: Subject) -> dict[str, Any] | None:
        """The selection that would meet what is missing, such as `{"layer": "conv1"}`; None where no click can.

        Of what only the page can name it says in words what to take: `{"second_image": "this drawing"}`.
        """
        if Need.LAYER in self.needs and (subject.layer is None or not self.applies_to(subject.layer)):
            fitting = next((layer.name for layer in subject.model.layers if self.applies_to(layer)), None)
            return {"layer": fitting} if fitting else None
        if Need.UNIT in self.needs and subject.unit is None:
            return {"unit": 0}
        if Need.POSITION in self.needs and subject.position is None and subject.chosen.is_spatial:
            height, width, _ = subject.chosen.output_shape
            return {"position": [height // 2, width // 2]}
        if Need.SECOND_IMAGE in self.needs and subject.second_image is None:
            return {"second_image": "this drawing"} if subject.forward else None
        if Need.SECOND_MODEL in self.needs and subject.second_model is None:
            return {"second_model": "the same network on another backend"}
        return {"run": "the latest"} if Need.RUN in self.needs and subject.run is None else None

    def unmet(self, subject: Subject) -> str | None:
        """Why this subject cannot be shown, as one plain sentence; None when it can."""
        lacking = self.capabilities - subject.model.capabilities
        if lacking:
            words = " and ".join(sorted(each.value for each in lacking))
            return f"This view needs a model that offers {words}; {subject.model.name} does not."
        if Need.LAYER in self.needs and (subject.layer is None or not self.applies_to(subject.layer)):
            fitting = [layer.name for layer in subject.model.layers if self.applies_to(layer)]
            way_out = f"choose {fitting[0]}" if fitting else f"{subject.model.name} has none"
            return f"This view needs {self.applies_to.reason}; {way_out}."
        if Need.IMAGE in self.needs and subject.forward is None:
            return "Draw something, or choose a sample."
        if Need.UNIT in self.needs and subject.unit is None:
            return "Click a tile or a bar to choose a unit."
        if Need.POSITION in self.needs and subject.position is None:
            return "Click a pixel of a feature map to choose a position."
        if Need.DATASET in self.needs and subject.dataset is None:
            return "This view needs labelled images; fetch MNIST with: layerscope download"
        if Need.SECOND_IMAGE in self.needs and subject.second_image is None:
            return "This view needs a second image: keep a drawing, or choose a sample, above the panels."
        if Need.SECOND_MODEL in self.needs and subject.second_model is None:
            return "This view needs a second model; choose one to compare with above the panels."
        if Need.RUN in self.needs and subject.run is None:
            return "This view needs a training run; choose one above the panels."
        return None


def visualizer(
    *,
    title: str,
    needs: set[Need] | frozenset[Need] = frozenset(),
    applies_to: Condition = any_layer,
    follows_pen: bool = True,
    capabilities: set[Capability] | frozenset[Capability] = frozenset(),
    wide: bool = False,
    at_rest: bool = False,
    aside: Aside | None = None,
) -> Callable[[Callable[[Subject, Any], Drawn]], Visualizer]:
    """Declares a function `(subject, settings) -> Figure` as a visualizer.

    The type of `settings` is a frozen dataclass; each field becomes a control by its type (see `controls`). A generator
    function that yields frames runs on request only, or when the pen rests where it is declared `at_rest`.

    Raises:
        VisualizerError: no docstring, another signature, a setting that cannot become a control, an aside that is no
            generator function, or `at_rest` for a view that gives its figure at once.
    """

    def declare(function: Callable[[Subject, Any], Drawn]) -> Visualizer:
        name = getattr(function, "__name__", repr(function))
        explanation = inspect.getdoc(function)
        if not explanation:
            raise VisualizerError(f"Visualizer {name!r} needs a docstring; its first sentence is shown to students.")
        parameters = list(inspect.signature(function, eval_str=True).parameters.values())
        settings = parameters[1].annotation if len(parameters) == 2 else None
        if not (isinstance(settings, type) and is_dataclass(settings)):
            raise VisualizerError(
                f"Visualizer {name!r} takes (subject: Subject, settings: Settings), where Settings is a frozen "
                f"dataclass. Received: ({', '.join(map(str, parameters))})"
            )
        if aside is not None and not inspect.isgeneratorfunction(aside):
            raise VisualizerError(
                f"The aside of visualizer {name!r} is a generator function that yields Frame(None, share, words). "
                f"Received: {aside!r}"
            )
        if at_rest and not inspect.isgeneratorfunction(function):
            raise VisualizerError(
                f"Visualizer {name!r} is drawn at once, so at_rest has no meaning; leave it out, or yield frames."
            )
        try:
            return Visualizer(
                name=name,
                title=title,
                explanation=explanation,
                needs=frozenset(needs),
                applies_to=applies_to,
                follows_pen=follows_pen and not inspect.isgeneratorfunction(function),
                on_request=inspect.isgeneratorfunction(function),
                capabilities=frozenset(capabilities),
                wide=wide,
                settings=settings,
                draw=function,
                defined_in=function.__module__,
                at_rest=at_rest,
                aside=aside,
            )
        except TypeError as error:
            raise VisualizerError(f"Visualizer {name!r}: {error}") from error

    return declare
