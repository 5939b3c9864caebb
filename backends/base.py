"""The contract between Layerscope and a framework.

Above this line there are NumPy arrays only: float32, channels last, read-only when handed out. A backend converts at
its own border, so nothing above it knows which framework answered.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..models.architecture import Architecture
from ..models.layers import LayerInfo

Array = NDArray[np.float32]
Weights = Mapping[str, Mapping[str, Array]]
"""Layer name → canonical weight name → array in canonical layout (see `LayerInfo.weight_shapes`)."""
State = Mapping[str, NDArray[Any]]
"""What an optimiser has gathered: `layer/weight/slot` → array in the weight's canonical layout, for the slots `mean`,
`square` and `velocity` that it has; `steps`, `(1,)`, that Adam has made; and under `chance/…` where the chance stands
that decides what dropout mutes, in a form that only the backend itself reads."""

CHANCE = "chance"


class Capability(Enum):
    """What a model may lack. Callers ask `capability in model.capabilities` before they use it."""

    LOGITS = "logits"
    GRADIENTS = "gradients"
    EDITS = "edits"
    WEIGHTS = "weights"
    FIT = "fit"
    OTHER_WEIGHTS = "other weights"
    GUIDED = "guided gradients"


class BackendError(Exception):
    """Something a user can cause and mend; the message is one clear sentence meant for them."""


class BackendMissing(BackendError):  # noqa: N818
    """The framework is not installed or fails to import; the message names the extra to install."""


class UnknownLayer(BackendError, KeyError):  # noqa: N818
    """The model has no layer of that name; the message lists those it has."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True)
class Edit:
    """Multiplies one unit's output by `scale` (0 mutes it) for a single pass."""

    layer: str
    unit: int
    scale: float = 0.0


@dataclass(frozen=True)
class Target:
    """The number whose gradient is asked for: a unit's output, at one position or averaged over all of them."""

    layer: str
    unit: int
    position: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Optimiser:
    """Optimisers that both frameworks have, with every default that differs between them written out.

    Adam: Kingma and Ba 2015. RMSprop: Hinton, lecture 6e (2012). Weight decay is decoupled (Loshchilov and Hutter
    2019).
    """

    name: Literal["sgd", "adam", "rmsprop"] = "adam"
    weight_decay: float = 0.0
    momentum: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.999
    rho: float = 0.9
    epsilon: float = 1e-7
    label_smoothing: float = 0.0


@dataclass(frozen=True)
class Step:
    """What one training step measured on its batch, before the weights moved."""

    loss: float
    accuracy: float


class Model(ABC):
    """One opened network. Safe to call from many threads at once.

    Attributes:
        name: what the user calls it.
        backend: name of the backend that runs it.
        input_shape: `(height, width, channels)` of one image.
        classes: names of the classes, in the order of the output.
        layers: every layer in an order in which each reads only earlier ones; the first is the input, the last gives
            the class probabilities.
        capabilities: what this model can be asked for.
        at_once: images in a call at which each of them costs least; more may be asked for.
    """

    name: str
    backend: str
    at_once: int = 64
    input_shape: tuple[int, int, int]
    classes: tuple[str, ...]
    layers: tuple[LayerInfo, ...]
    capabilities: frozenset[Capability]

    @property
    @abstractmethod
    def version(self) -> str:
        """A short text that changes whenever the weights change; equal for equal weights and architecture, whichever
        backend runs them."""

    @abstractmethod
    def trace(
        self, images: Array, layers: Sequence[str] | None = None, edits: Sequence[Edit] = ()
    ) -> Mapping[str, Array]:
        """Activations of one forward pass.

        Args:
            images: `(n, height, width, channels)` in [0, 1].
            layers: names wanted; all of them when None.
            edits: units to mute or scale in this pass only.

        Returns:
            Layer name → `(n, height, width, channels)` or `(n, units)`, in the model's order of layers.

        Raises:
            UnknownLayer: a name the model does not have.
            BackendError: images of another shape, or an edit of a unit that does not exist.
        """

    @abstractmethod
    def logits(self, images: Array, edits: Sequence[Edit] = ()) -> Array:
        """`(n, classes)`, what enters the final softmax."""

    @abstractmethod
    def weights(self, layer: str) -> Mapping[str, Array]:
        """Canonical weight name → array, e.g. `kernel: (height, width, in, out)`; empty for a layer without weights."""

    @abstractmethod
    def load(self, weights: Weights) -> None:
        """Replaces all weights.

        Raises:
            BackendError: a layer or weight is missing, surplus or of another shape; nothing has been changed then.
        """

    def with_weights(self, weights: Weights, name: str = "") -> "Model":
        """The same network with other weights; this one stays as it is, and neither sees what becomes of the other.

        What is expensive, such as compiled functions, is shared or made anew cheaply, so that one may step through the
        snapshots of a training.

        Args:
            weights: all of them, as for `load`.
            name: what to call it; by default as this one.

        Raises:
            BackendError: the weights do not fit, as for `load`, or the model lacks `Capability.OTHER_WEIGHTS`.
        """
        raise BackendError(f"{self.name} cannot be given other weights here; build it anew with them.")

    @abstractmethod
    def gradients(
        self,
        images: Array,
        target: int | Target,
        of: Sequence[str],
        edits: Sequence[Edit] = (),
        guided: bool = False,
    ) -> Mapping[str, Array]:
        """How the target moves with the outputs of layers, in inference mode.

        Args:
            images: `(n, height, width, channels)`.
            target: a class (its logit), or a unit of any layer.
            of: layer names; the first layer's name asks for the gradient in the image itself.
            edits: units to mute or scale in this pass only.
            guided: guided backpropagation: every relu lets only positive gradients through, as well as only those of
                units that are active (Springenberg et al. 2015, section 3.4).

        Returns:
            Layer name → array of the shape of that layer's activation.

        Raises:
            UnknownLayer: a name the model does not have.
            BackendError: images of another shape, a target or unit that does not exist, or `guided` where the model
                lacks `Capability.GUIDED`.
        """

    def activation_and_gradient(
        self, images: Array, target: int | Target, layer: str, edits: Sequence[Edit] = ()
    ) -> tuple[Array, Array]:
        """A layer's activation and how the target moves with it; a backend may find both in one pass.

        Arguments and errors are those of `trace` and `gradients`.

        Returns:
            Two arrays `(n, height, width, channels)` or `(n, units)`.
        """
        return self.trace(images, [layer], edits)[layer], self.gradients(images, target, [layer], edits)[layer]

    @abstractmethod
    def fit(
        self,
        batches: Iterable[tuple[Array, NDArray[np.int64]]],
        learning_rates: Iterable[float],
        optimiser: Optimiser,
        state: State | None = None,
    ) -> Iterator[Step]:
        """Trains on batches as they come, one step each, until batches or learning rates end or the caller stops.

        Args:
            batches: pairs of images `(n, height, width, channels)` and class indices `(n,)`.
            learning_rates: one for each step.
            optimiser: which, and its constants; cross-entropy is the loss.
            state: what `optimiser_state` told of the same optimiser, to go on as if it had never stopped. A backend
                that tells none need not take one.

        Raises:
            BackendError: images or labels of another shape, a state of another network or optimiser, or the model lacks
                `Capability.FIT`.
        """

    def optimiser_state(self) -> State:
        """A copy of what the optimiser of the last `fit` has gathered up to its last step; empty where none is told."""
        return {}

    def probabilities(self, images: Array, edits: Sequence[Edit] = ()) -> Array:
        """`(n, classes)`, each row summing to 1."""
        last = self.layers[-1].name
        return self.trace(images, [last], edits)[last]

    def layer(self, name: str) -> LayerInfo:
        """The layer of that name.

        Raises:
            UnknownLayer: there is none.
        """
        for info in self.layers:
            if info.name == name:
                return info
        raise UnknownLayer(f"{self.name} has no layer {name!r}; it has {', '.join(info.name for info in self.layers)}.")

    @property
    def parameters(self) -> int:
        """Stored numbers of the whole network."""
        return sum(info.parameters for info in self.layers)


class Backend(ABC):
    """A framework. Made without importing it; the import happens when a model is first built or opened.

    Attributes:
        name: what the command line calls it, e.g. `pytorch`.
        title: what the page calls it, e.g. `PyTorch`.
        extra: the extra that installs it, e.g. `torch`.
    """

    name: str
    title: str
    extra: str

    @property
    @abstractmethod
    def missing(self) -> str | None:
        """Why it cannot be used, as a sentence with the way out; None when it looks installed. Imports nothing."""

    @abstractmethod
    def start(self) -> None:
        """Imports the framework now, which takes seconds, rather than when the first model is opened.

        Raises:
            BackendMissing: the framework is not there.
        """

    def seed(self, seed: int) -> None:  # noqa: B027 - a backend whose training leaves nothing to chance needs none
        """Makes what chance decides in training, such as what dropout mutes, come out the same in every process.

        It holds for models built afterwards, in this process.
        """

    @abstractmethod
    def build(self, architecture: Architecture, weights: Weights | None = None, seed: int = 0) -> Model:
        """A model of a description, with the given weights or with fresh ones drawn from the seed.

        Raises:
            BackendMissing: the framework is not there.
            BackendError: the weights do not belong to this architecture.
        """

    @abstractmethod
    def open(self, source: Any, name: str = "", classes: Sequence[str] | None = None) -> Model:
        """A user's own network: a framework object, or a file this backend can read.

        Raises:
            BackendMissing: the framework is not there.
            BackendError: not a network this backend can follow; the message says why.
        """

    @abstractmethod
    def reads(self, path: Path) -> bool:
        """Whether `open` takes files like this one, judged by name alone."""

    def takes(self, source: Any) -> bool:
        """Whether `open` takes objects of this type, judged without importing the framework."""
        return False


def read_only(array: Any) -> Array:
    """The array as float32 that nobody can write to; copied only when it must be."""
    result: Array = np.asarray(array, dtype=np.float32)
    if result.flags.writeable:
        result = result.view()
        result.flags.writeable = False
    return result


def check_images(images: Array, input_shape: tuple[int, int, int]) -> Array:
    """The images as float32.

    Raises:
        BackendError: they are not `(n, *input_shape)`.
    """
    result: Array = np.asarray(images, dtype=np.float32)
    if result.ndim != 4 or result.shape[1:] != input_shape:
        wanted = ", ".join(map(str, input_shape))
        raise BackendError(f"Expected images of shape (n, {wanted}). Received: shape={result.shape}")
    return result
