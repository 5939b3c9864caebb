"""The weights that come with Layerscope: whole, small, told how they were made, and as good as they are said to be."""

import json
from pathlib import Path

import numpy as np
import pytest
from layerscope.backends.base import Backend
from layerscope.backends.registry import backends
from layerscope.evaluation.evaluate import evaluate
from layerscope.evaluation.pens import HELD_OUT_WRITERS
from layerscope.evaluation.sets import MNIST_TEST, PEN_STROKES, evaluation_sets
from layerscope.models.bundled import BUNDLED, weights_path
from layerscope.models.weights import load_weights, read_architecture, read_metadata
from layerscope.training.recipes import FAST, Recipe

PARAMETERS = {
    "dense": 407_050,
    "cnn": 71_658,
    "cnn-compact": 93_322,
    "cnn-two-block": 225_034,
    "cnn-batchnorm": 905_418,
}
BARS = {
    "dense": (0.989, 0.975),
    "cnn": (0.994, 0.985),
    "cnn-compact": (0.994, 0.985),
    "cnn-two-block": (0.993, 0.985),
    "cnn-batchnorm": (0.994, 0.985),
    "dense-84x96": (0.98, 0.97),
}
"""Least accuracy on the MNIST test images, and on pen strokes of writers not trained on."""


@pytest.fixture(params=BUNDLED)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def pytorch() -> Backend:
    """The PyTorch backend; without it the test is skipped."""
    found = next(backend for backend in backends() if backend.name == "pytorch")
    if found.missing:
        pytest.skip(found.missing)
    return found


def test_the_networks_have_the_parameters_they_should() -> None:
    assert {name: BUNDLED[name].parameters for name in PARAMETERS} == PARAMETERS
    assert BUNDLED["dense-84x96"].parameters <= 1_500_000
    assert BUNDLED["dense-84x96"].input_shape == (96, 84, 1)
    assert set(BUNDLED) == set(BARS)


def test_every_network_comes_with_weights_of_its_own(name: str) -> None:
    path = weights_path(name)
    assert path.stat().st_size <= 6_000_000
    assert read_architecture(path) == BUNDLED[name]
    weights = load_weights(path, BUNDLED[name])
    assert sum(array.size for named in weights.values() for array in named.values()) == BUNDLED[name].parameters
    assert all(np.ptp(named["kernel"]) > 0 for named in weights.values() if "kernel" in named)


def test_the_weights_say_how_they_were_made(name: str) -> None:
    story = read_metadata(weights_path(name))
    assert Recipe.from_values(json.loads(story["recipe"])) == FAST[name]
    assert int(story["epochs"]) == FAST[name].epochs
    assert 0 < int(story["seconds"]) < 3600
    assert json.loads(story["data"])["mnist"].startswith("md5:6bbc9ace898e44ae57da46a324031adb+")
    assert json.loads(story["data"])["pendigits"].startswith("sha256:")
    assert tuple(json.loads(story["held_out_writers"])) == HELD_OUT_WRITERS
    assert {"python", "numpy", "layerscope"} < set(json.loads(story["versions"]))
    assert story["backend"] in {backend.name for backend in backends()}
    accuracies = json.loads(story["accuracies"])
    assert accuracies[MNIST_TEST] >= BARS[name][0]
    assert accuracies[PEN_STROKES] >= BARS[name][1]


@pytest.mark.slow
def test_the_networks_are_as_good_as_they_should_be(name: str, data_dir: Path, pytorch: Backend) -> None:
    model = pytorch.build(BUNDLED[name], load_weights(weights_path(name), BUNDLED[name]))
    told = json.loads(read_metadata(weights_path(name))["accuracies"])
    sets = evaluation_sets(data_dir, model.input_shape)
    for title, bar in zip((MNIST_TEST, PEN_STROKES), BARS[name], strict=True):
        images = sets[title]()
        measured = evaluate(model, images.images, images.labels).metrics.accuracy
        assert measured >= bar, title
        # A few images may lie on the edge between two answers and go the other way on another processor.
        assert measured == pytest.approx(told[title], abs=0.0015), title
