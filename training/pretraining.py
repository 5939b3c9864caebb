"""Makes the bundled weights: `python -m layerscope.training.pretraining [NAME …] --data DIR`.

Each network is trained in a process of its own, so that it comes out the same alone and among the others.
"""

import argparse
import json
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from ..backends.base import BackendError, Model
from ..backends.registry import backend as backend_named
from ..datasets.base import DatasetError
from ..datasets.mnist import find_mnist, load_mnist
from ..datasets.pendigits import find_pendigits, load_pendigits
from ..drawing.fit import fit_images
from ..models.bundled import BUNDLED, PRETRAINED
from ..models.weights import save_weights
from .batches import ahead, epochs_of_batches
from .evaluation import evaluate, evaluation_sets
from .pens import HELD_OUT_WRITERS, by_writer, drawn
from .recipes import FAST, Recipe

PACKAGES = ("layerscope", "numpy", "scipy", "torch", "keras", "tensorflow")
"""Whose versions are recorded, where they are installed."""

BRUSHES_TO_TRAIN_WITH = ((0.05, 0.08, 0.11), (0.1, 0.14, 0.07))
"""Every digit is drawn once for each of these rows, with the row's widths in turn."""


@dataclass(frozen=True, eq=False)
class Material:
    """What a network learns from.

    Attributes:
        images: uint8 `(n, height, width, channels)`.
        labels: `(n,)`.
        checksums: of the files it came from, by what they are.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    checksums: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """Means over the batches of one epoch, and seconds since the training began."""

    number: int
    loss: float
    accuracy: float
    seconds: float


def material(data: Path | None, input_shape: tuple[int, int, int]) -> Material:
    """MNIST's training images, and the writing of all pen writers who are not held out, drawn with pens of many widths.

    Raises:
        DatasetError: either is missing or damaged.
    """
    folder, file = find_mnist(data, ("train",)), find_pendigits(data)
    if folder is None or file is None:
        missing = "the MNIST training images" if folder is None else "the pen digits"
        raise DatasetError(f"Training needs {missing}; name the folder that holds them with --data. Received: {data}")
    mnist = load_mnist(folder, "train")
    written = by_writer(load_pendigits(file))[0]
    pens = [drawn(written, input_shape, brushes) for brushes in BRUSHES_TO_TRAIN_WITH]
    return Material(
        images=np.concatenate([_as_bytes(mnist.images, input_shape), *(images for images, _ in pens)]),
        labels=np.concatenate([mnist.labels, *(labels for _, labels in pens)]),
        checksums={"mnist": mnist.checksum, "pendigits": f"sha256:{sha256(file.read_bytes()).hexdigest()}"},
    )


def train(model: Model, material: Material, recipe: Recipe) -> Iterator[Epoch]:
    """Trains a model by a recipe, and tells after each epoch how it went."""
    batches = ahead(epochs_of_batches(material.images, material.labels, recipe))
    steps = model.fit(batches, recipe.learning_rates(len(material.images)), recipe.optimiser)
    started, per_epoch = perf_counter(), recipe.steps_per_epoch(len(material.images))
    losses, accuracies = [], []
    for step in steps:
        losses.append(step.loss)
        accuracies.append(step.accuracy)
        if len(losses) % per_epoch == 0:
            yield Epoch(
                number=len(losses) // per_epoch,
                loss=float(np.mean(losses[-per_epoch:])),
                accuracy=float(np.mean(accuracies[-per_epoch:])),
                seconds=perf_counter() - started,
            )


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
    model = backend_named(backend).build(BUNDLED[name], seed=recipe.seed)
    learnt_from = material(data, model.input_shape)
    print(f"{name}: {len(learnt_from.images)} images", flush=True)
    seconds = 0.0
    for epoch in train(model, learnt_from, recipe):
        seconds = epoch.seconds
        print(
            f"{name}: epoch {epoch.number} of {recipe.epochs}, loss {epoch.loss:.4f}, "
            f"accuracy {epoch.accuracy:.4f}, {seconds:.0f} s",
            flush=True,
        )
    story = {
        "recipe": recipe.to_json(),
        "epochs": str(recipe.epochs),
        "seconds": f"{seconds:.0f}",
        "data": json.dumps(dict(learnt_from.checksums)),
        "images": str(len(learnt_from.images)),
        "held_out_writers": json.dumps(HELD_OUT_WRITERS),
        "backend": backend,
        "versions": json.dumps(_versions()),
        "accuracies": json.dumps(_accuracies(model, data)),
    }
    weights = {info.name: model.weights(info.name) for info in model.layers if info.weight_shapes}
    save_weights(out / f"{name}.safetensors", BUNDLED[name], weights, story)
    print(f"{name}: {story['accuracies']}", flush=True)
    return story


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains the named networks, or all six, one after the other. Returns the exit status."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.names if name not in BUNDLED]:
        parser.error(f"There is no bundled network {unknown[0]!r}; there are {', '.join(BUNDLED)}.")
    # A fresh process for each network: what one of them drew from the framework's own random numbers changes no other.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as processes:
        for name in given.names or BUNDLED:
            recipe = replace(FAST[name], epochs=given.epochs) if given.epochs else FAST[name]
            try:
                processes.submit(pretrain, name, given.data, given.backend, given.out, recipe).result()
            except (BackendError, DatasetError) as error:
                print(error, file=sys.stderr)
                return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m layerscope.training.pretraining",
        description="Trains the bundled networks and saves their weights; the same again with the same versions of "
        "everything and as many threads (OMP_NUM_THREADS).",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which of {', '.join(BUNDLED)}; all of them if none")
    parser.add_argument("--data", type=Path, help="folder that holds mnist/ and pendigits/ (default: LAYERSCOPE_DATA)")
    parser.add_argument("--backend", default="pytorch", help="which backend trains (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=PRETRAINED, help="folder for the weights (default: %(default)s)")
    parser.add_argument("--epochs", type=int, help="fewer epochs than the recipe has, for a trial")
    return parser


def _as_bytes(images: NDArray[np.uint8], input_shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """The images at a network's size, still as bytes: as floats, those of the largest would take 2 GB."""
    resized = np.empty((len(images), *input_shape), np.uint8)
    for start in range(0, len(images), 1000):
        part = slice(start, start + 1000)
        resized[part] = np.rint(fit_images(images[part], input_shape) * 255)
    return resized


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _accuracies(model: Model, data: Path | None) -> dict[str, float]:
    sets = evaluation_sets(data, model.input_shape)
    return {title: round(evaluate(model, *images).accuracy, 5) for title, images in sets.items()}


if __name__ == "__main__":
    sys.exit(main())
