"""Makes the bundled weights: `python -m layerscope.training.pretraining [NAME …] --data DIR`.

Each network is trained in a process of its own, so that nothing one of them leaves behind reaches the next.
"""

import argparse
import json
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import numpy as np

from ..backends.base import BackendError, Model
from ..backends.registry import backend as backend_named
from ..datasets.base import DatasetError
from ..evaluation.evaluate import evaluate
from ..evaluation.metrics import Metrics
from ..evaluation.pens import HELD_OUT_WRITERS
from ..evaluation.sets import evaluation_sets
from ..models.bundled import BUNDLED, PRETRAINED
from ..models.weights import save_weights
from .batches import ahead, epochs_of_batches
from .material import Material, material
from .recipes import FAST, ORIGINAL, QUICK, Recipe

PACKAGES = ("layerscope", "numpy", "scipy", "torch", "keras", "tensorflow")
"""Whose versions are recorded, where they are installed."""

RECIPES: Mapping[str, Mapping[str, Recipe]] = {"fast": FAST, "original": ORIGINAL, "quick": QUICK}


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """How one epoch of a training went.

    Attributes:
        number: 1 for the first.
        loss: mean over the batches, each measured before the step it caused.
        accuracy: likewise.
        validation: measured after the epoch on the images kept out; None when the recipe keeps none out.
        seconds: since the training began.
    """

    number: int
    loss: float
    accuracy: float
    validation: Metrics | None
    seconds: float


def train(model: Model, material: Material, recipe: Recipe) -> Iterator[Epoch]:
    """Trains a model by a recipe, and tells after each epoch how it went."""
    kept_out = None
    if recipe.validation:
        material, kept_out = material.split(recipe.validation, recipe.seed)
    batches = ahead(epochs_of_batches(material.images, material.labels, recipe))
    steps = model.fit(batches, recipe.learning_rates(len(material.images)), recipe.optimiser)
    started, per_epoch = perf_counter(), recipe.steps_per_epoch(len(material.images))
    for number in range(1, recipe.epochs + 1):
        measured = list(islice(steps, per_epoch))
        yield Epoch(
            number=number,
            loss=float(np.mean([step.loss for step in measured])),
            accuracy=float(np.mean([step.accuracy for step in measured])),
            validation=_evaluated(model, kept_out) if kept_out else None,
            seconds=perf_counter() - started,
        )


def _evaluated(model: Model, material: Material) -> Metrics:
    return evaluate(model, material.images, material.labels).metrics


def pretrain(name: str, data: Path | None, backend: str, out: Path, recipe: Recipe | None = None) -> dict[str, str]:
    """Trains one bundled network, measures it, and saves it with its story.

    Args:
        name: of a bundled network.
        data: the folder that holds `mnist/` and `pendigits/`.
        backend: name of the backend that trains.
        out: folder that `NAME.safetensors` goes into.
        recipe: how to train; the network's fast recipe when None.

    Returns:
        The metadata that was saved beside the weights.

    Raises:
        DatasetError: the data is missing or damaged.
        BackendError: there is no such backend, or its framework is missing.
    """
    recipe = recipe or FAST[name]
    model = backend_named(backend).build(recipe.trained(BUNDLED[name]), seed=recipe.seed)
    learnt_from = material(data, model.input_shape)
    print(f"{name}: {len(learnt_from.images)} images", flush=True)
    for epoch in train(model, learnt_from, recipe):
        print(f"{name}: {_said(epoch, recipe)}", flush=True)
    story = _story(model, learnt_from, recipe, data, epoch.seconds)
    weights = {info.name: model.weights(info.name) for info in model.layers if info.weight_shapes}
    save_weights(out / f"{name}.safetensors", BUNDLED[name], weights, story)
    print(f"{name}: {story['accuracies']}", flush=True)
    return story


def _said(epoch: Epoch, recipe: Recipe) -> str:
    said = f"epoch {epoch.number} of {recipe.epochs}, loss {epoch.loss:.4f}, accuracy {epoch.accuracy:.4f}"
    validation = f", on images kept out {epoch.validation.accuracy:.4f}" if epoch.validation else ""
    return f"{said}{validation}, {epoch.seconds:.0f} s"


def _story(model: Model, learnt_from: Material, recipe: Recipe, data: Path | None, seconds: float) -> dict[str, str]:
    """What is told beside the weights; lists and tables as JSON."""
    sets = {title: read() for title, read in evaluation_sets(data, model.input_shape).items()}
    accuracies = {
        title: round(evaluate(model, found.images, found.labels).metrics.accuracy, 5) for title, found in sets.items()
    }
    return {
        "recipe": recipe.to_json(),
        "epochs": str(recipe.epochs),
        "seconds": f"{seconds:.0f}",
        "data": json.dumps(dict(learnt_from.checksums)),
        "images": str(len(learnt_from.images)),
        "held_out_writers": json.dumps(HELD_OUT_WRITERS),
        "backend": model.backend,
        "versions": json.dumps(_versions()),
        "accuracies": json.dumps(accuracies),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains the named networks, or all six, one after the other. Returns the exit status."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.names if name not in BUNDLED]:
        parser.error(f"There is no bundled network {unknown[0]!r}; there are {', '.join(BUNDLED)}.")
    # A fresh process for each network: no framework state and no memory of one reaches the next.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as processes:
        for name in given.names or BUNDLED:
            recipe = RECIPES[given.recipe][name]
            recipe = replace(recipe, epochs=given.epochs) if given.epochs else recipe
            try:
                processes.submit(pretrain, name, given.data, given.backend, given.out, recipe).result()
            except (BackendError, DatasetError) as error:
                print(error, file=sys.stderr)
                return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m layerscope.training.pretraining",
        description="Trains the bundled networks and saves their weights. Without dropout they come out the same again "
        "with the same versions of everything and OMP_NUM_THREADS=1; cnn and cnn-batchnorm come out only alike.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which of {', '.join(BUNDLED)}; all of them if none")
    parser.add_argument("--data", type=Path, help="folder that holds mnist/ and pendigits/ (default: LAYERSCOPE_DATA)")
    parser.add_argument("--backend", default="pytorch", help="which backend trains (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=PRETRAINED, help="folder for the weights (default: %(default)s)")
    parser.add_argument("--recipe", choices=RECIPES, default="fast", help="how to train (default: %(default)s)")
    parser.add_argument("--epochs", type=_at_least_one, help="other than the recipe has, for a trial")
    return parser


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"Give a number of epochs from 1 upwards. Received: {text!r}")
    return int(text)


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


if __name__ == "__main__":
    sys.exit(main())
