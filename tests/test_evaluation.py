"""Measuring a model: numbers are scikit-learn's, images are those nobody trained on, faults are sentences."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layerscope.backends.base import Backend, Model
from layerscope.backends.opening import open_model
from layerscope.backends.registry import backends
from layerscope.datasets.base import Dataset, DatasetError
from layerscope.evaluation.calibration import between, binned, by_threshold, expected_calibration_error
from layerscope.evaluation.evaluate import evaluate
from layerscope.evaluation.metrics import AT_ONCE, answers_of, joined, measure, metrics_of
from layerscope.evaluation.predictions import predict
from layerscope.evaluation.report import QUANTITIES, as_csv, as_json
from layerscope.evaluation.sets import MNIST_TEST, PEN_STROKES, evaluation_sets, is_own, labelled, there
from layerscope.models.architecture import Activation, Architecture, Dense, Flatten, Input
from PIL import Image
from sklearn import metrics as scikit

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
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is found where nobody pointed to."""
    monkeypatch.delenv("LAYERSCOPE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture
def images() -> np.ndarray:
    """Six images; the brightest pixels are 0, 0, 0, 1, 1, 2."""
    pixels = np.zeros((6, 1, 3, 1), np.float32)
    pixels[range(6), 0, [0, 0, 0, 1, 1, 2], 0] = 1
    return pixels


def test_accuracy_loss_and_classes_are_those_counted_by_hand(brightest: Model, images: np.ndarray) -> None:
    measured = evaluate(brightest, images, np.array([0, 0, 1, 1, 1, 2]))
    right, wrong = np.e / (np.e + 2), 1 / (np.e + 2)
    assert measured.metrics.accuracy == pytest.approx(5 / 6)
    assert measured.metrics.loss == pytest.approx(-(5 * np.log(right) + np.log(wrong)) / 6, abs=1e-5)
    assert [each.recall for each in measured.metrics.per_class] == pytest.approx([1, 2 / 3, 1])
    assert measured.metrics.confusion.tolist() == [[2, 0, 0], [1, 2, 0], [0, 0, 1]]
    assert measured.metrics.count == 6
    assert measured.seconds > 0


def test_the_size_of_a_batch_changes_nothing_and_every_batch_is_told(brightest: Model, images: np.ndarray) -> None:
    labels, told = np.array([0, 1, 2, 1, 1, 2]), []
    whole = evaluate(brightest, images, labels)
    parts = evaluate(brightest, images, labels, batch=4, progress=lambda *done: told.append(done))
    assert told == [(4, 6), (6, 6)]
    assert whole.metrics.accuracy == parts.metrics.accuracy == pytest.approx(4 / 6)
    assert whole.metrics.loss == pytest.approx(parts.metrics.loss)
    np.testing.assert_allclose(predict(brightest, images, batch=4), brightest.probabilities(images), atol=1e-6)


def test_progress_may_end_the_work(brightest: Model, images: np.ndarray) -> None:
    done: list[int] = []

    def enough(count: int, _total: int) -> None:
        done.append(count)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict(brightest, images, batch=2, progress=enough)
    assert done == [2]


def test_images_of_any_size_are_brought_to_the_models_input(brightest: Model) -> None:
    bytes_of_another_size = np.zeros((2, 2, 6, 3), np.uint8)
    bytes_of_another_size[0, :, 2:4] = bytes_of_another_size[1, :, 4:] = 255
    assert predict(brightest, bytes_of_another_size).argmax(axis=1).tolist() == [1, 2]


def test_classes_without_images_are_counted_as_such(brightest: Model, images: np.ndarray) -> None:
    measured = evaluate(brightest, images[:3], np.array([0, 0, 2])).metrics
    assert [each.recall for each in measured.per_class] == [1, 0, 0]
    assert [each.count for each in measured.per_class] == [2, 0, 1]


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


def test_probabilities_that_are_no_numbers_or_of_other_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="answers 1 of 2 images with no numbers"):
        measure(np.array([[0.5, 0.5], [np.nan, 1]], np.float32), np.array([0, 1]), "ab")
    with pytest.raises(ValueError, match=r"Expected probabilities \(n, 3\)\. Received: shape=\(2, 2\)"):
        measure(np.full((2, 2), 0.5, np.float32), np.array([0, 1]), "abc")


@st.composite
def answered(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Probabilities, labels and classes; some classes may have neither images nor answers."""
    classes, count = draw(st.integers(2, 30)), draw(st.integers(1, 200))
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    logits = random.normal(scale=draw(st.sampled_from([0.01, 1, 30])), size=(count, classes))
    rows = np.exp(logits - logits.max(axis=1, keepdims=True))
    labels = random.integers(0, draw(st.integers(1, classes)), count)
    return (rows / rows.sum(axis=1, keepdims=True)).astype(np.float32), labels, tuple(map(str, range(classes)))


@settings(max_examples=40)
@given(answered())
@pytest.mark.filterwarnings("ignore")
def test_every_metric_is_scikit_learns(case: tuple[np.ndarray, np.ndarray, tuple[str, ...]]) -> None:
    rows, labels, classes = case
    found, predicted, every = measure(rows, labels, classes), rows.argmax(axis=1), list(range(len(classes)))
    wide = rows.astype(np.float64) / rows.astype(np.float64).sum(axis=1, keepdims=True)
    assert found.accuracy == scikit.accuracy_score(labels, predicted)
    assert found.loss == pytest.approx(scikit.log_loss(labels, wide, labels=every), rel=1e-9)
    if len(classes) > 2:
        assert found.top_two == scikit.top_k_accuracy_score(labels, wide, k=2, labels=every)
    for name, score in (
        ("precision", scikit.precision_score),
        ("recall", scikit.recall_score),
        ("f1", scikit.f1_score),
    ):
        assert getattr(found, name) == pytest.approx(score(labels, predicted, average="macro", zero_division=0))
        each = score(labels, predicted, average=None, labels=every, zero_division=0)
        assert [getattr(one, name) for one in found.per_class] == pytest.approx(each.tolist())
    np.testing.assert_array_equal(found.confusion, scikit.confusion_matrix(labels, predicted, labels=every))
    assert [one.called for one in found.per_class] == np.bincount(predicted, minlength=len(classes)).tolist()


@settings(max_examples=40)
@given(answered())
def test_the_calibration_error_is_that_of_the_formula(case: tuple[np.ndarray, np.ndarray, tuple[str, ...]]) -> None:
    rows, labels, classes = case
    confidence, right = rows.max(axis=1), rows.argmax(axis=1) == labels
    expected = 0.0
    for number in range(15):  # Guo et al. 2017, equations 1 to 3, written out
        inside = (confidence > number / 15) & (confidence <= (number + 1) / 15)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean(dtype=np.float64))
    assert measure(rows, labels, classes).calibration_error == pytest.approx(expected, abs=1e-7)


def test_bins_hold_their_upper_end_and_the_first_also_nothing_at_all() -> None:
    confidence, right = np.array([0.0, 0.5, 0.5001, 1.0], np.float32), np.array([True, False, True, True])
    bins = binned(confidence, right, 2)
    assert bins.right.tolist() == [1, 2]
    assert bins.wrong.tolist() == [1, 0]
    assert between(confidence, 0, 0.5).tolist() == [True, True, False, False]
    assert between(confidence, 0.5, 1).tolist() == [False, False, True, True]
    tenth = np.array([0.1], np.float32)  # a little more than a tenth
    assert [int(count) for count in binned(tenth, np.array([True]), 10).count[:2]] == [0, 1]
    assert between(tenth, 0.1, 0.2).tolist() == [True]
    assert between(np.nextafter(np.ones(1, np.float32), np.float32(2)), 0.5, 1).tolist() == [True]
    assert np.isnan(
        [binned(tenth, np.array([True]), 10).accuracy[0], binned(tenth, np.array([True]), 10).confidence[0]]
    ).all()
    assert expected_calibration_error(bins) == pytest.approx((2 * 0.25 + 2 * (1 - 0.75005)) / 4)


def test_thresholds_keep_the_answers_of_at_least_so_much_confidence() -> None:
    found = by_threshold(np.array([0.25, 0.5, 0.75], np.float32), np.array([False, True, True]), steps=5)
    assert found.kept.tolist() == pytest.approx([1, 1, 2 / 3, 1 / 3, 0])
    assert found.accuracy[:4].tolist() == pytest.approx([2 / 3, 2 / 3, 1, 1])
    assert np.isnan(found.accuracy[4])
    rounded = np.array([0.7], np.float32)  # a little less than seven tenths
    assert by_threshold(rounded, np.array([True]), steps=11).kept.tolist() == [1.0] * 8 + [0.0] * 3


def test_parts_come_to_the_same_as_the_whole() -> None:
    rows = np.random.default_rng(0).dirichlet(np.ones(7), 100).astype(np.float32)
    labels = np.arange(100) % 7
    parts = [answers_of(rows[part], labels[part], "abcdefg") for part in (slice(0, 30), slice(30, 100))]
    whole, pieces = measure(rows, labels, "abcdefg"), metrics_of(joined(parts), "abcdefg")
    assert as_json(pieces) == {**as_json(whole), "loss": pytest.approx(whole.loss)}


def test_a_thousand_classes_are_looked_at_a_few_images_at_a_time() -> None:
    classes = [f"класс {number}" for number in range(1000)]
    count = AT_ONCE // 1000 + 500
    labels = np.random.default_rng(0).integers(0, 1000, count)
    rows = np.full((count, 1000), 0.5 / 999, np.float32)
    rows[np.arange(count), np.where(np.arange(count) % 4, labels, (labels + 1) % 1000)] = 0.5
    found = measure(rows, labels, classes)
    assert found.accuracy == pytest.approx(0.75, abs=0.001)
    assert found.loss == pytest.approx(scikit.log_loss(labels, rows.astype(np.float64), labels=range(1000)), rel=1e-5)
    assert found.per_class[999].name == "класс 999"


def test_json_and_csv_hold_every_number_and_names_in_any_script() -> None:
    rows = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]], np.float32)
    found = measure(rows, np.array([0, 1, 1]), ("猫", "собака"))
    told = json.loads(json.dumps(as_json(found)))
    assert {quantity.name: told[quantity.name] for quantity in QUANTITIES} == {
        quantity.name: getattr(found, quantity.name) for quantity in QUANTITIES
    }
    assert told["confusion"] == [[1, 0], [1, 1]]
    assert told["reliability"]["confidence"][0] is None
    lines = as_csv({"Mine": found}).splitlines()
    assert lines[0] == "set,class,images,called,accuracy,top_two,loss,precision,recall,f1,calibration_error"
    assert lines[1].startswith("Mine,,3,3,0.666666")
    assert lines[2].startswith("Mine,猫,1,2,,,,0.5,1.0,0.666666")
    assert len(lines) == 4


def test_what_can_be_measured_on_is_what_is_there(data_dir: Path, tmp_path: Path, alone: None) -> None:
    assert there(data_dir) == ["test", "pens", "digits", "train"]
    assert there(tmp_path) == ["digits"]
    assert list(evaluation_sets(data_dir, (28, 28, 1))) == [MNIST_TEST, PEN_STROKES]
    assert list(evaluation_sets(data_dir / "mnist", (28, 28, 1))) == [MNIST_TEST]
    with pytest.raises(DatasetError, match="There are no test images to measure with; name a folder") as caught:
        evaluation_sets(tmp_path, (28, 28, 1))
    assert "\n" not in str(caught.value)


def test_the_test_images_are_measured_as_they_are(data_dir: Path, mnist_test: Dataset) -> None:
    found = evaluation_sets(data_dir, (28, 28, 1))[MNIST_TEST]()
    np.testing.assert_array_equal(found.images, mnist_test.images)
    np.testing.assert_array_equal(found.labels, mnist_test.labels)
    assert (found.name, found.checksum) == ("test", mnist_test.checksum)


def test_pen_strokes_are_those_of_the_writers_held_out_prepared_as_on_the_page(data_dir: Path) -> None:
    found = evaluation_sets(data_dir, (28, 28, 1))[PEN_STROKES]()
    assert found.images.shape == (1_499, 28, 28, 1)
    assert 140 < np.bincount(found.labels).min() <= np.bincount(found.labels).max() < 160
    ink = found.images[..., 0] / 255
    centre = (ink * np.arange(28)).sum((1, 2)) / ink.sum((1, 2)) + 0.5
    assert 12 < centre.min() < centre.max() < 16
    assert (ink.max(axis=2) > 0.15).sum(axis=1).max() <= 21


def own(path: Path, labels: Sequence[object], **arrays: object) -> str:
    """A file of the user's own with an image for each label."""
    np.savez(path, images=np.eye(len(labels), 9, dtype=np.float32).reshape(-1, 3, 3), labels=labels, **arrays)
    return str(path)


def test_own_images_are_found_among_the_models_classes_by_name(tmp_path: Path) -> None:
    found = labelled(own(tmp_path / "mine.npz", ["c", "a", "c"]), None, (3, 3, 1), ("a", "b", "c"))
    assert found.labels.tolist() == [2, 0, 2]
    assert (found.title, found.notes) == ("mine", ("1 class with a single image: a.",))


def test_own_images_of_one_class_can_be_measured_on(tmp_path: Path, brightest: Model) -> None:
    found = labelled(own(tmp_path / "mine.npz", ["b", "b"]), None, (1, 3, 1), ("a", "b", "c"))
    assert [each.count for each in evaluate(brightest, found.images, found.labels).metrics.per_class] == [0, 2, 0]


def test_as_many_other_classes_are_taken_in_order_and_that_is_said(tmp_path: Path) -> None:
    found = labelled(own(tmp_path / "mine.npz", ["γ", "α", "β"]), None, (3, 3, 1), ("a", "b", "c"))
    assert found.labels.tolist() == [2, 0, 1]
    assert "Classes were taken in order: 3 classes, α, β, γ stand for 3 classes, a, b, c." in found.notes


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 2, 3], "has other classes than the model, which knows 3 classes, a, b, c. Received: 4 classes, 0, 1"),
        ([0, 1, -1], "labels that are whole numbers from 0. Received: -1"),
        ([0, 1, 0.5], "labels that are whole numbers from 0. Received: 0.5"),
        ([[0], [1], [2, 2]], "Python objects"),
    ],
)
def test_labels_that_do_not_fit_are_one_sentence(tmp_path: Path, labels: list[object], message: str) -> None:
    given = np.array(labels, dtype=object) if isinstance(labels[0], list) else labels
    with pytest.raises(DatasetError) as caught:
        labelled(own(tmp_path / "mine.npz", given), None, (3, 3, 1), ("a", "b", "c"))
    assert message in str(caught.value)


def test_images_without_labels_are_one_sentence(tmp_path: Path) -> None:
    np.savez(tmp_path / "bare.npz", images=np.zeros((2, 3, 3)))
    with pytest.raises(DatasetError, match="must hold arrays images and labels"):
        labelled(str(tmp_path / "bare.npz"), None, (3, 3, 1), ("a", "b", "c"))
    (tmp_path / "loose").mkdir()
    Image.new("L", (3, 3)).save(tmp_path / "loose" / "picture.png")
    with pytest.raises(DatasetError, match="no folder"):
        labelled(str(tmp_path / "loose"), None, (3, 3, 1), ("a", "b", "c"))


def test_pictures_of_mixed_sizes_come_to_the_models_and_that_is_said(tmp_path: Path) -> None:
    for name, size in (("a", (9, 9)), ("b", (5, 7))):
        (tmp_path / "own" / name).mkdir(parents=True)
        Image.new("L", size).save(tmp_path / "own" / name / "one.png")
    found = labelled(str(tmp_path / "own"), None, (3, 3, 1), ("a", "b", "c"))
    assert found.images.shape == (2, 3, 3, 1)
    assert "Pictures of other sizes were fitted to 3×3, their aspect kept." in found.notes


def test_a_path_is_of_own_images_or_of_a_folder_of_data(data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "own" / "a").mkdir(parents=True)
    assert [is_own(path) for path in (data_dir, data_dir / "mnist", tmp_path / "own" / "a", tmp_path / "none")] == [
        False
    ] * 4
    assert is_own(tmp_path / "own")
    assert is_own(tmp_path / "mine.npz")


@pytest.mark.slow
def test_both_backends_predict_the_same_for_every_test_image(
    pytorch: Backend, keras: Backend, mnist_test: Dataset
) -> None:
    one, other = (
        predict(open_model("cnn-compact", backend.name), mnist_test.images, batch=2000) for backend in (pytorch, keras)
    )
    np.testing.assert_allclose(one, other, atol=1e-4)
    np.testing.assert_array_equal(one.argmax(axis=1), other.argmax(axis=1))
    assert (one.argmax(axis=1) == mnist_test.labels).mean() > 0.99


def test_what_can_be_measured_is_known_without_scikit_learn_or_a_framework() -> None:
    script = (
        "import sys, layerscope.evaluation.evaluate, layerscope.evaluation.sets; "
        "print([name for name in ('sklearn', 'torch', 'keras', 'tensorflow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
