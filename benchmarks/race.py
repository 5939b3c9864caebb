"""Two recipes for the same network, trained in turns until each has read 99 % of the MNIST test images rightly."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import Any

import numpy as np

GOAL = 0.99
SHARE = 1 / 3
"""What the fast recipe may take of the original's time."""
PATIENCE = 1.05 / SHARE
"""The original is given up once it has taken so many times as long as the fast one: more is not needed to tell."""
TURN = 25
"""Steps between two looks at the test images."""
PROMISING = 0.965
"""Before so large a share of the last batches is right, nobody needs to look at test images."""
AT_ONCE = 250

Images = tuple[np.ndarray, np.ndarray]


class Runner:
    """One training, stopped after every turn; only its steps are timed, with the making of their batches."""

    def __init__(self, model: Any, recipe: Any, images: np.ndarray, labels: np.ndarray) -> None:
        from layerscope.training.batches import ahead, epochs_of_batches

        if recipe.validation:
            kept = np.random.default_rng(recipe.seed).permutation(len(labels))[round(recipe.validation * len(labels)) :]
            images, labels = images[kept], labels[kept]
        self.model = model
        self.recipe = recipe
        rates = recipe.learning_rates(len(labels))
        self._batches = ahead(epochs_of_batches(images, labels, recipe))
        self._training = model.fit(self._batches, rates, recipe.optimiser)
        self.steps, self.most = 0, len(rates)
        self.seconds = 0.0
        self.reached: float | None = None
        self.accuracy = 0.0
        self._order: np.ndarray | None = None

    @property
    def over(self) -> bool:
        """Whether the recipe has come to its end."""
        return self.steps >= self.most

    def turn(self, test: Images) -> None:
        """Trains a little, and looks at the test images where that may tell something."""
        begin = time.perf_counter()
        measured = list(islice(self._training, TURN))
        self.seconds += time.perf_counter() - begin
        self.steps += len(measured)
        promising = self.reached is None and np.mean([step.accuracy for step in measured]) >= PROMISING
        if (promising or self.over) and self._is_good(test):
            self.reached = self.seconds if self.reached is None else self.reached

    def close(self) -> None:
        """Ends the thread that makes the batches."""
        self._batches.close()

    def _is_good(self, test: Images) -> bool:
        """Whether the goal is reached: those misread the last time come first, and enough of these decide it."""
        if self._order is None:
            self._order = np.arange(len(test[1]))
        allowed, wrong = round((1 - GOAL) * len(self._order)), np.zeros(len(self._order), bool)
        for start in range(0, len(self._order), AT_ONCE):
            part = self._order[start : start + AT_ONCE]
            wrong[part] = self.model.logits(test[0][part]).argmax(axis=1) != test[1][part]
            if wrong.sum() > allowed and not self.over:
                break
        self._order = np.concatenate([self._order[wrong[self._order]], self._order[~wrong[self._order]]])
        self.accuracy = 1 - float(wrong.mean())
        return bool(wrong.sum() <= allowed)


def race(backend: str, network: str) -> dict[str, Any]:
    """Seconds of training until the goal, for both recipes; None where a recipe came to its end, or was given up."""
    from layerscope.backends.registry import backend as backend_named
    from layerscope.models.bundled import BUNDLED
    from layerscope.training.recipes import ORIGINAL, QUICK

    (images, labels), test = _mnist()
    recipes = {"fast": QUICK[network], "original": ORIGINAL[network]}
    models = {
        name: backend_named(backend).build(each.trained(BUNDLED[network]), seed=each.seed)
        for name, each in recipes.items()
    }
    for model in models.values():
        _warm_up(model, images, labels, test)
    runners = [Runner(models[name], recipe, images, labels) for name, recipe in recipes.items()]
    with closing(runners[0]) as fast, closing(runners[1]) as original:
        while not fast.over:
            fast.turn(test)
            # Both meet the same neighbours on the machine: the original is as far behind as it may be slower.
            _catch_up(original, fast, test)
        _catch_up(original, fast, test)
    known = fast.reached is not None
    return {
        "network": network,
        "backend": backend,
        "fast": fast.reached,
        "original": original.reached,
        "given up after": original.seconds,
        "ratio": fast.reached / (original.reached or original.seconds) if known else None,
        "images": [fast.steps * (fast.recipe.batch or 0), original.steps * (original.recipe.batch or 0)],
        "accuracy": fast.accuracy,
        "seconds": fast.seconds,
    }


def _catch_up(original: Runner, fast: Runner, test: Images) -> None:
    until = PATIENCE * (fast.seconds if fast.reached is None else fast.reached)
    while original.reached is None and not original.over and original.seconds < until:
        original.turn(test)


def _warm_up(model: Any, images: np.ndarray, labels: np.ndarray, test: Images) -> None:
    """Compiles what is compiled at first, outside the race; the weights stay."""
    from layerscope.backends.base import Optimiser

    weights = {info.name: model.weights(info.name) for info in model.layers if info.weight_shapes}
    batch = images[:64].astype(np.float32) / 255, labels[:64]
    list(model.fit([batch], [0.0], Optimiser()))
    model.logits(test[0][:AT_ONCE])
    model.load(weights)


def _mnist() -> Iterator[Images]:
    """To learn from as bytes, and to test with as the network takes them."""
    from layerscope.datasets.mnist import find_mnist, load_mnist

    folder = find_mnist()
    if folder is None:
        raise SystemExit("This needs MNIST; see LAYERSCOPE_DATA in CONTRIBUTING.md.")
    learnt, test = (load_mnist(folder, split) for split in ("train", "test"))
    yield learnt.images.reshape(-1, 28, 28, 1), learnt.labels.astype(np.int64)
    yield test.images.reshape(-1, 28, 28, 1).astype(np.float32) / 255, test.labels.astype(np.int64)


def agreement(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """How far the fast recipe comes on each backend, for every network that was trained on both."""
    found: dict[str, dict[str, float]] = {}
    for entry in entries:
        found.setdefault(entry["network"], {})[entry["backend"]] = entry["accuracy"]
    return [
        {"network": network, "accuracies": each, "apart": max(each.values()) - min(each.values())}
        for network, each in found.items()
        if len(each) > 1
    ]
