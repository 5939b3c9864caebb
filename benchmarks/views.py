"""What views that take their time cost, beside the same written plainly in the framework.

`python benchmarks/views.py` measures both backends, each in a process of its own; `--backend keras` only one.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import numpy as np
from each_backend import command_line, on_each_backend
from measure import Contender, in_turns, ratio, timing
from plain import keras_network, torch_network
from tables import views_tables

BLOCKS = 3
NETWORK = "cnn-compact"
STEPS, STEP_SIZE = 200, 0.05
CLIMBED = ("logits", 3)
SOUGHT = ("conv2_relu", 3)
IMAGES, TOP, BATCH, SINGLE = 10_000, 16, 256, 500
"""Single images are slow, so only some are passed through one by one, and their time is scaled up."""

Ways = dict[str, Contender]


def measured(blocks: int = BLOCKS) -> list[dict[str, Any]]:
    """One entry for each view and backend."""
    return on_each_backend(__file__, blocks)


def measured_here(backend: str, blocks: int) -> list[dict[str, Any]]:
    """The same for one backend, in this process."""
    from layerscope.backends.registry import backend as find_backend
    from layerscope.models.bundled import BUNDLED, weights_path
    from layerscope.models.weights import load_weights

    architecture = BUNDLED[NETWORK]
    weights = load_weights(weights_path(NETWORK), architecture)
    model = find_backend(backend).build(architecture, weights)
    images = np.random.default_rng(0).integers(0, 256, (IMAGES, *architecture.input_shape), dtype=np.uint8)
    ours = {"climb": _climbs(model), "top": _tops(model, images)}
    theirs = {"pytorch": _pytorch, "keras": _keras}[backend](architecture, weights, images)
    _check_equal(model, ours, theirs)
    return [
        _entry(backend, "Feature visualisation", ours["climb"], theirs["climb"], blocks),
        _entry(backend, "Top images", ours["top"], theirs["top"], blocks),
    ]


def _check_equal(model: Any, ours: Mapping[str, Ways], theirs: Mapping[str, Ways]) -> None:
    """Stops when what is compared does not come to the same."""
    climbs = ours["climb"]["its steps alone"].call(), theirs["climb"]["plain loop"].call()
    one, other = (model.logits(np.reshape(image, (1, *model.input_shape)))[0, CLIMBED[1]] for image in climbs)
    frames: Any = ours["top"]["the view"].call()
    captions = frames[-1].figure.data[1].hovertext
    found = [int(caption.split("<br>")[0].removeprefix("image ")) for caption in captions]
    if abs(one / other - 1) > 0.02 or found != theirs["top"][f"batches of {BATCH}"].call().tolist():
        raise SystemExit(f"What is compared does not come to the same: {one} and {other}, images {found}.")


def _entry(backend: str, view: str, ours: Ways, theirs: Ways, blocks: int) -> dict[str, Any]:
    times = in_turns({**ours, **theirs}, blocks)
    if "single images" in times:
        share = IMAGES / SINGLE
        times["single images"] = [[share * each for each in block] for block in times["single images"]]
    return {
        "view": view,
        "backend": backend,
        "milliseconds": {way: timing(found) for way, found in times.items()},
        "ratios": {way: ratio(times, "the view", way) for way in times if way != "the view"},
    }


def _climbs(model: Any) -> Ways:
    """The view with all its pictures, and its steps alone, without anything that keeps noise away."""
    from layerscope.backends.base import Target
    from layerscope.visualizers import Subject, registered
    from layerscope.visualizers.maximisation import Climb, maximised, starting_image

    entry, start = registered()["feature_visualisation"], starting_image(model, False, 0)
    subject, climb = Subject(model).at(*CLIMBED), Climb(steps=STEPS, step_size=STEP_SIZE)
    return {
        "the view": Contender(lambda: list(entry.draw(subject, entry.settings(steps=STEPS)))),
        "its steps alone": Contender(lambda: list(maximised(model, Target(*CLIMBED), start, climb))[-1]),
    }


def _tops(model: Any, images: np.ndarray) -> Ways:
    from layerscope.datasets.base import Dataset
    from layerscope.visualizers import Subject, registered

    labels, words = np.zeros(len(images), np.int64), dict.fromkeys(("name", "title", "source", "checksum"), "random")
    dataset = Dataset(images=images, labels=labels, classes=model.classes, **words)
    entry, subject = registered()["top_images"], Subject(model, dataset=dataset).at(*SOUGHT)
    return {"the view": Contender(lambda: list(entry.draw(subject, entry.settings(images=TOP))))}


def _best(values: Callable[[np.ndarray], np.ndarray], images: np.ndarray, batch: int) -> np.ndarray:
    """Indices of the best images by a plain loop over batches."""
    floats = (images[start : start + batch] / np.float32(255) for start in range(0, len(images), batch))
    return np.argsort(-np.concatenate([values(each) for each in floats]), kind="stable")[:TOP]


def _pytorch(architecture: Any, weights: Any, images: np.ndarray) -> Mapping[str, Ways]:
    import torch

    network = torch_network(architecture, weights)
    places = {layer.name: place for place, layer in enumerate(architecture.layers)}
    answering, seeking = network[: places[CLIMBED[0]]], network[: places[SOUGHT[0]]]

    def climb() -> Any:
        image = torch.full((1, 1, 28, 28), 0.5, requires_grad=True)
        optimiser = torch.optim.Adam([image], lr=STEP_SIZE, maximize=True)
        for _ in range(STEPS):
            optimiser.zero_grad()
            answering(image)[0, CLIMBED[1]].backward()
            optimiser.step()
            with torch.no_grad():
                image.clamp_(0, 1)
        return image.detach().numpy()

    def values(some: np.ndarray) -> Any:
        with torch.inference_mode():
            return seeking(torch.from_numpy(some).permute(0, 3, 1, 2))[:, SOUGHT[1]].amax((1, 2)).numpy()

    @contextmanager
    def on_one_core() -> Any:
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    one_core: Callable[[], AbstractContextManager[Any]] = on_one_core
    return {
        "climb": {"plain loop, one core": Contender(climb, one_core), "plain loop": Contender(climb)},
        "top": {
            f"batches of {BATCH}, one core": Contender(partial(_best, values, images, BATCH), one_core),
            f"batches of {BATCH}": Contender(partial(_best, values, images, BATCH)),
            "single images": Contender(partial(_best, values, images[:SINGLE], 1), one_core),
        },
    }


def _keras(architecture: Any, weights: Any, images: np.ndarray) -> Mapping[str, Ways]:
    import keras
    import tensorflow as tf
    from tf_keras_vis.activation_maximization import ActivationMaximization
    from tf_keras_vis.utils.scores import CategoricalScore

    network = keras_network(architecture, weights)
    named = dict(zip([layer.name for layer in architecture.layers[1:]], network.layers, strict=True))
    answering, seeking = (keras.Model(network.inputs[0], named[layer].output) for layer, _ in (CLIMBED, SOUGHT))

    def slope(image: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(image)
            answer = answering(image, training=False)[0, CLIMBED[1]]
        return tape.gradient(answer, image)

    def climb(slope: Callable[[Any], Any]) -> Any:
        image = tf.Variable(tf.fill((1, *architecture.input_shape), 0.5))
        optimiser = keras.optimizers.Adam(STEP_SIZE)
        for _ in range(STEPS):
            optimiser.apply_gradients([(-slope(image.value()), image)])
            image.assign(tf.clip_by_value(image, 0, 1))
        return image.numpy()

    compiled = tf.function(seeking).get_concrete_function(tf.TensorSpec((None, *architecture.input_shape), tf.float32))
    library = ActivationMaximization(answering, clone=True)
    score = CategoricalScore(CLIMBED[1])

    def values(some: np.ndarray) -> Any:
        return compiled(tf.constant(some)).numpy()[..., SOUGHT[1]].max((1, 2))

    return {
        "climb": {
            "plain loop": Contender(partial(climb, slope)),
            "plain loop, compiled gradient": Contender(partial(climb, tf.function(slope))),
            "tf-keras-vis": Contender(lambda: library(score, steps=STEPS, input_range=(0.0, 1.0))),
        },
        "top": {
            f"batches of {BATCH}": Contender(partial(_best, values, images, BATCH)),
            "single images": Contender(partial(_best, values, images[:SINGLE], 1)),
        },
    }


if __name__ == "__main__":
    raise SystemExit(command_line(__file__, "views", measured_here, views_tables, BLOCKS))
