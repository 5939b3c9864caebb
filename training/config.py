"""What decides how a run goes, as `config.json` keeps it, and what is wrong with it in one sentence."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from math import isfinite
from typing import Any, get_args, get_type_hints

import numpy as np

from ..backends.base import Optimiser
from ..backends.registry import backends
from ..datasets.own import Invert
from ..models.architecture import Architecture, ArchitectureError
from ..models.bundled import BUNDLED
from .recipes import Recipe, Schedule
from .schedules import Rates

OPTIMISERS: tuple[str, ...] = get_args(get_type_hints(Optimiser)["name"])
SCHEDULES: tuple[str, ...] = get_args(Schedule)


SOURCES = ("mnist", "mnist+pens", "digits")
"""The images that are known by name."""


class RunError(Exception):
    """Something about a run that the user can mend; the message is one sentence meant for them."""


@dataclass(frozen=True, kw_only=True)
class DataChoice:
    """Which images a run learns from.

    Attributes:
        source: `mnist`, `mnist+pens` (what the bundled networks learnt from), `digits` (those that come with
            scikit-learn), or the path of the user's own (see `datasets.own.load_own`).
        folder: where MNIST and the pen digits are; `LAYERSCOPE_DATA` and the user's cache are looked into as well.
        share: how much of it, in (0, 1].
        invert: whether light and dark are swapped in the user's own: `auto`, True or False.
        skip_unreadable: leave pictures of the user's own out that cannot be read; without it they are refused.
    """

    source: str = "mnist"
    folder: str = ""
    share: float = 1.0
    invert: Invert = "auto"
    skip_unreadable: bool = False


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything that decides how a run goes, with what the user calls it.

    Attributes:
        model: name of a bundled network, or of the architecture given.
        architecture: a network of the user's own; None for a bundled one.
        backend: name of the backend that trains.
        data: which images.
        recipe: how to train.
        further: epochs that were added after the recipe's, each number a course of the learning rate of its own.
        start: empty to begin from fresh weights; a bundled network's name, a weights file, `run:ID` or
            `run:ID@SNAPSHOT` to go on from theirs.
        title: what the user calls the run.
        notes: what the user writes about it.
        created: when, in seconds since 1970.
    """

    model: str
    backend: str
    recipe: Recipe
    data: DataChoice = field(default_factory=DataChoice)
    architecture: Architecture | None = None
    further: tuple[int, ...] = ()
    start: str = ""
    title: str = ""
    notes: str = ""
    created: float = 0.0

    @cached_property
    def network(self) -> Architecture:
        """The architecture that is trained.

        Raises:
            RunError: there is no bundled network of that name.
        """
        if self.architecture:
            return self.architecture
        if self.model not in BUNDLED:
            raise RunError(f"There is no bundled network {self.model!r}; there are {', '.join(BUNDLED)}.")
        return BUNDLED[self.model]

    @property
    def epochs(self) -> int:
        """How many there will be in all."""
        return self.recipe.epochs + sum(self.further)

    def learning_rates(self, images: int) -> Rates:
        """One rate for each step of the whole training on that many images."""
        courses = (self.recipe, *(self.recipe.with_epochs(epochs) for epochs in self.further))
        return np.concatenate([course.learning_rates(images) for course in courses])

    def to_json(self) -> str:
        """The config as JSON text that `from_json` reads back to an equal one."""
        architecture = json.loads(self.architecture.to_json()) if self.architecture else None
        parts = {"recipe": asdict(self.recipe), "data": asdict(self.data), "architecture": architecture}
        own = {name: getattr(self, name) for name in ("model", "backend", "further", "start", "title", "notes")}
        return json.dumps({**own, **parts, "created": self.created}, indent=1)

    @classmethod
    def from_json(cls, text: str | bytes) -> "RunConfig":
        """Reads a config.

        Raises:
            RunError: it is none.
        """
        try:
            values: dict[str, Any] = json.loads(text)
            architecture = values.pop("architecture", None)
            return cls(
                **{
                    **values,
                    "recipe": Recipe.from_values(values["recipe"]),
                    "data": DataChoice(**values.get("data", {})),
                    "further": tuple(values.get("further", ())),
                    "architecture": Architecture.from_json(json.dumps(architecture)) if architecture else None,
                }
            )
        except ArchitectureError as error:
            raise RunError(str(error)) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RunError(f"This config of a run cannot be read: {error}") from error


def check(config: RunConfig) -> None:
    """Whether a run could begin, as far as that can be told without its data.

    Raises:
        RunError: the first thing that is wrong, in one sentence with what was received.
    """
    known = [backend.name for backend in backends()]
    if config.backend not in known:
        raise RunError(f"There is no backend {config.backend!r}; there are {', '.join(known)}.")
    missing = next(backend.missing for backend in backends() if backend.name == config.backend)
    if missing:
        raise RunError(missing)
    assert config.network
    for wrong, sentence in _faults(config):
        if wrong:
            raise RunError(sentence)


def check_data(config: RunConfig, learnt: int, kept_out: int) -> None:
    """Whether there are images enough.

    Args:
        config: of the run.
        learnt: images to learn from.
        kept_out: images kept out of them to watch the training by.

    Raises:
        RunError: there are too few; the message says of what.
    """
    batch, validation = config.recipe.batch, config.recipe.validation
    if not learnt:
        raise RunError(
            "Nothing is left to learn from; take a larger share of the data or a smaller validation split. "
            f"Received: share={config.data.share:g}, validation={validation:g}"
        )
    if validation and not kept_out:
        raise RunError(
            f"A validation split of {validation:g} keeps no image out; take a larger one, or 0. "
            f"Received: {learnt:,} images"
        )
    if batch and batch > learnt:
        raise RunError(
            f"A batch cannot be larger than the {learnt:,} images to learn from; choose a smaller one. "
            f"Received: batch={batch}"
        )


def _faults(config: RunConfig) -> list[tuple[bool, str]]:
    recipe, optimiser, share = config.recipe, config.recipe.optimiser, config.data.share
    rate = recipe.learning_rate
    return [
        (recipe.epochs < 1, f"A training takes at least 1 epoch. Received: {recipe.epochs}"),
        (any(epochs < 1 for epochs in config.further), f"Add at least 1 epoch. Received: {config.further[-1:]}"),
        (not (isfinite(rate) and rate > 0), f"A learning rate is a number above 0. Received: {rate:g}"),
        (recipe.batch is not None and recipe.batch < 1, f"A batch has at least 1 image. Received: {recipe.batch}"),
        (not 0 <= recipe.validation < 1, f"A validation split is from 0 to below 1. Received: {recipe.validation:g}"),
        (not 0 < share <= 1, f"The share of the data is above 0 and at most 1. Received: {share:g}"),
        (recipe.seed < 0, f"A seed is a whole number from 0. Received: {recipe.seed}"),
        (
            optimiser.name not in OPTIMISERS,
            f"There is no optimiser {optimiser.name!r}; there are {', '.join(OPTIMISERS)}.",
        ),
        (
            recipe.schedule not in SCHEDULES,
            f"There is no schedule {recipe.schedule!r}; there are {', '.join(SCHEDULES)}.",
        ),
        (
            not (isfinite(optimiser.weight_decay) and optimiser.weight_decay >= 0),
            f"Weight decay is a number from 0. Received: {optimiser.weight_decay:g}",
        ),
        (not 0 <= optimiser.beta2 < 1, f"Adam's β₂ is from 0 to below 1. Received: {optimiser.beta2:g}"),
        (not 0 <= optimiser.momentum < 1, f"Momentum is from 0 to below 1. Received: {optimiser.momentum:g}"),
        (
            not 0 <= optimiser.label_smoothing < 1,
            f"Label smoothing is from 0 to below 1. Received: {optimiser.label_smoothing:g}",
        ),
    ]


def config_values(config: RunConfig) -> Mapping[str, Any]:
    """The config as plain values, as they stand in `config.json`."""
    values: dict[str, Any] = json.loads(config.to_json())
    return values
