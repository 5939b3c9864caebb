"""Measuring a model: the numbers are right, the images are those nobody trained on, and faults are one sentence."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from layerscope.backends.base import Backend, Model
from layerscope.backends.registry import backends
from layerscope.datasets.base import Dataset, DatasetError
from layerscope.models.architecture import Activation, Architecture, Dense, Flatten, Input
from layerscope.training.evaluation import MNIST_TEST, PEN_STROKES, evaluate, evaluation_sets

THREE = Architecture(
    name="three",
    title="Three classes",
    layers=(
        Input(name="image", shape=(1, 3, 1)),
        Flatten(name="flatten"),
        Dense(name="logits", units=3),
        Activation(name="softmax", function="softmax"),
    ),
    classes=("a", "b", "c"),
)


@pytest.fixture(scope="module", params=backends(), ids=lambda backend: backend.name)
def brightest(request: pytest.FixtureRequest) -> Model:
    """A model whose logits are its three pixels, so the answer is the brightest one."""
    backend: Backend = request.param
    if backend.missing:
        pytest.skip(backend.missing)
    weights = {"logits": {"kernel": np.eye(3, dtype=np.float32), "bias": np.zeros(3, np.float32)}}
    return backend.build(THREE, weights)


@pytest.fixture
def images() -> np.ndarray:
    """Six images; the brightest pixels are 0, 0, 0, 1, 1, 2."""
    pixels = np.zeros((6, 1, 3, 1), np.float32)
    pixels[range(6), 0, [0, 0, 0, 1, 1, 2], 0] = 1
    return pixels


def test_accuracy_loss_and_classes_are_those_counted_by_hand(brightest: Model, images: np.ndarray) -> None:
    measured = evaluate(brightest, images, np.array([0, 0, 1, 1, 1, 2]))
    right, wrong = np.e / (np.e + 2), 1 / (np.e + 2)
    assert measured.accuracy == pytest.approx(5 / 6)
    assert measured.loss == pytest.approx(-(5 * np.log(right) + np.log(wrong)) / 6, abs=1e-5)
    assert measured.per_class == {"a": 1.0, "b": pytest.approx(2 / 3), "c": 1.0}
    assert measured.count == 6
    assert measured.seconds > 0


def test_the_size_of_a_batch_changes_nothing(brightest: Model, images: np.ndarray) -> None:
    labels = np.array([0, 1, 2, 1, 1, 2])
    whole, parts = (replace(evaluate(brightest, images, labels, batch), seconds=0.0) for batch in (500, 4))
    assert whole.accuracy == parts.accuracy == pytest.approx(4 / 6)
    assert whole.loss == pytest.approx(parts.loss)


def test_classes_without_images_are_left_out(brightest: Model, images: np.ndarray) -> None:
    measured = evaluate(brightest, images[:3], np.array([0, 0, 2]))
    assert measured.per_class == {"a": 1.0, "c": 0.0}


@pytest.mark.parametrize(
    ("count", "labels", "message"),
    [
        (0, [], "Received: 0 images"),
        (6, [0, 1], r"Received: 6 images, labels of shape \(2,\)"),
        (6, [0, 1, 2, 0, 1, 3], "Received: labels from 0 to 3"),
        (6, [0, 1, 2, 0, 1, -1], "Received: labels from -1 to 2"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(
    brightest: Model, images: np.ndarray, count: int, labels: list[int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate(brightest, images[:count], np.array(labels, np.int64))


def test_a_network_is_measured_on_all_test_images_as_they_are(data_dir: Path, mnist_test: Dataset) -> None:
    sets = evaluation_sets(data_dir, (28, 28, 1))
    assert list(sets) == [MNIST_TEST, PEN_STROKES]
    images, labels = sets[MNIST_TEST]
    assert images.shape == (10_000, 28, 28, 1)
    np.testing.assert_allclose(images[::100] * 255, mnist_test.images[::100], atol=1e-4)
    np.testing.assert_array_equal(labels, mnist_test.labels)


def test_pen_strokes_are_those_of_the_writers_held_out_prepared_as_on_the_page(data_dir: Path) -> None:
    images, labels = evaluation_sets(data_dir, (28, 28, 1))[PEN_STROKES]
    assert images.shape == (1_499, 28, 28, 1)
    assert 140 < np.bincount(labels).min() <= np.bincount(labels).max() < 160
    ink = images[..., 0]
    centre = (ink * np.arange(28)).sum((1, 2)) / ink.sum((1, 2)) + 0.5
    assert 12 < centre.min() < centre.max() < 16
    assert (ink.max(axis=2) > 0.15).sum(axis=1).max() <= 21


def test_other_input_sizes_are_measured_too(data_dir: Path) -> None:
    sets = evaluation_sets(data_dir, (96, 84, 1))
    assert {images.shape[1:] for images, _ in sets.values()} == {(96, 84, 1)}
    assert all(0.5 < images.max() <= 1 and images.min() == 0 for images, _ in sets.values())


def test_without_pen_strokes_there_is_still_mnist(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LAYERSCOPE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert list(evaluation_sets(data_dir / "mnist", (28, 28, 1))) == [MNIST_TEST]


def test_no_data_at_all_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAYERSCOPE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(DatasetError, match="There are no test images to measure with; name a folder") as caught:
        evaluation_sets(tmp_path, (28, 28, 1))
    assert "\n" not in str(caught.value)


def test_what_can_be_measured_is_known_without_scikit_learn_or_a_framework() -> None:
    script = (
        "import sys, layerscope.training.evaluation; "
        "print([name for name in ('sklearn', 'torch', 'keras', 'tensorflow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
