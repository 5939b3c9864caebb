"""Training: images changed at random, learning rates, batches, recipes, and the script behind the bundled weights."""

import gzip
import json
import struct
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from layerscope.backends.base import Backend, Optimiser
from layerscope.backends.registry import backends
from layerscope.datasets.base import DatasetError
from layerscope.datasets.pendigits import PenDigit, find_pendigits, load_pendigits
from layerscope.evaluation.pens import HELD_OUT_WRITERS, by_writer, drawn
from layerscope.models.architecture import Activation, Architecture, Dense, Dropout, Flatten, Input
from layerscope.models.bundled import BUNDLED
from layerscope.models.weights import load_weights, read_architecture, read_metadata
from layerscope.training.augmentation import Augmentation, augmented
from layerscope.training.batches import ahead, epochs_of_batches
from layerscope.training.material import Material, material
from layerscope.training.pretraining import main, pretrain, train
from layerscope.training.recipes import FAST, ORIGINAL, QUICK, Recipe
from layerscope.training.schedules import constant, one_cycle
from sklearn.datasets import load_digits

NOTHING = Augmentation(shift=0, rotate=0, scale=0, shear=0, bend=0, pen=0)


@pytest.fixture
def bars() -> np.ndarray:
    """Forty images `(28, 28, 1)` of an upright bar, three pixels wide and fifteen tall, in the middle."""
    images = np.zeros((40, 28, 28, 1), np.float32)
    images[:, 7:22, 13:16] = 1
    return images


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(5)


def centres(images: np.ndarray) -> np.ndarray:
    """Row and column of each image's centre of mass."""
    ink = images.sum(axis=3)
    total = ink.sum(axis=(1, 2))
    rows, columns = np.indices(ink.shape[1:])
    return np.stack([(ink * rows).sum((1, 2)) / total, (ink * columns).sum((1, 2)) / total], axis=1)


def test_nothing_changes_when_every_amount_is_zero(random: np.random.Generator) -> None:
    images = random.random((6, 9, 12, 3), dtype=np.float32)
    np.testing.assert_allclose(augmented(images, NOTHING, random), images, atol=1e-6)


@pytest.mark.parametrize("shape", [(28, 28, 1), (96, 84, 1), (15, 10, 3)])
def test_images_keep_shape_and_range_and_are_the_same_for_the_same_seed(shape: tuple[int, int, int]) -> None:
    images = np.random.default_rng(0).random((7, *shape), dtype=np.float32)
    first, again = (augmented(images, Augmentation(), np.random.default_rng(3)) for _ in range(2))
    other = augmented(images, Augmentation(), np.random.default_rng(4))
    assert first.shape == images.shape
    assert first.dtype == np.float32
    assert first.min() >= 0
    assert first.max() <= 1 + 1e-6
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1


def test_every_channel_is_changed_alike(bars: np.ndarray, random: np.random.Generator) -> None:
    changed = augmented(np.repeat(bars, 3, axis=3), Augmentation(), random)
    np.testing.assert_array_equal(changed[..., 0], changed[..., 2])
    assert np.abs(changed[..., :1] - bars).max() > 0.3


def test_the_given_images_are_left_alone(bars: np.ndarray, random: np.random.Generator) -> None:
    before = bars.copy()
    augmented(bars, Augmentation(), random)
    np.testing.assert_array_equal(bars, before)


def test_shift_moves_every_image_by_another_amount_up_to_the_most(
    bars: np.ndarray, random: np.random.Generator
) -> None:
    moves = centres(augmented(bars, replace(NOTHING, shift=0.1), random)) - centres(bars)
    assert np.abs(moves).max() <= 2.8 + 1e-3
    assert np.abs(moves).max() > 2
    assert len(np.unique(moves.round(4), axis=0)) == len(bars)


def test_rotation_tilts_up_to_the_most_and_stays_in_the_middle(bars: np.ndarray, random: np.random.Generator) -> None:
    turned = augmented(bars, replace(NOTHING, rotate=20), random)
    np.testing.assert_allclose(centres(turned), centres(bars), atol=0.25)
    ink = turned[..., 0]
    top, bottom = (
        (ink[:, half] * np.arange(28)).sum((1, 2)) / ink[:, half].sum((1, 2)) for half in (slice(14), slice(15, 28))
    )
    assert 0.8 < np.abs(top - bottom).max() <= 15 / 2 * np.tan(np.deg2rad(20)) + 0.1


def test_scale_changes_height_and_width_each_by_itself(bars: np.ndarray, random: np.random.Generator) -> None:
    heights = augmented(bars, replace(NOTHING, scale=0.2), random)[:, :, 14, 0].sum(axis=1)
    assert heights.min() >= 15 * np.exp(-0.2) - 0.1
    assert heights.max() <= 15 * np.exp(0.2) + 0.1
    assert heights.max() - heights.min() > 3


def test_shear_slants_without_changing_the_height(bars: np.ndarray, random: np.random.Generator) -> None:
    slanted = augmented(bars, replace(NOTHING, shear=0.3), random)
    rows = slanted.sum(axis=(2, 3))
    np.testing.assert_allclose(rows, bars.sum(axis=(2, 3)), atol=1e-4)
    assert np.abs(slanted[:, 8] - slanted[:, 20]).max() > 0.5


def test_bending_curves_a_straight_bar(bars: np.ndarray, random: np.random.Generator) -> None:
    ink = augmented(bars, replace(NOTHING, bend=0.06), random)[..., 0]
    middles = (ink[:, 10:19] * np.arange(28)).sum(2) / ink[:, 10:19].sum(2)
    straight = np.stack([np.polyval(np.polyfit(np.arange(9), row, 1), np.arange(9)) for row in middles])
    assert np.abs(middles - straight).max() > 0.3


def test_the_pen_gets_wider_and_narrower_in_half_of_the_images(random: np.random.Generator) -> None:
    images = np.zeros((400, 28, 28, 1), np.float32)
    images[:, 7:22, 13:16] = 1
    ink = augmented(images, replace(NOTHING, pen=1.0), random).sum(axis=(1, 2, 3)) / 45
    wider, narrower = (ink > 1.001).mean(), (ink < 0.999).mean()
    assert 0.18 < wider < 0.32
    assert 0.18 < narrower < 0.32
    assert ink.max() <= 17 * 5 / 45
    assert ink.min() >= 13 / 45 - 1e-6


def test_one_cycle_rises_to_the_peak_and_falls_to_almost_nothing() -> None:
    rates = one_cycle(100, 0.01, warm_up=0.3)
    assert len(rates) == 100
    assert rates[0] == pytest.approx(0.01 / 25)
    assert rates[29] == pytest.approx(0.01) == rates.max()
    assert rates[-1] == pytest.approx(1e-6)
    assert (np.diff(rates[:30]) > 0).all()
    assert (np.diff(rates[30:]) < 0).all()


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
def test_the_shortest_trainings_have_rates_too(steps: int) -> None:
    assert len(one_cycle(steps, 0.01)) == len(constant(steps, 0.01)) == steps
    assert (one_cycle(steps, 0.01) <= 0.01 + 1e-12).all()


def test_every_bundled_network_has_its_original_and_its_fast_recipe() -> None:
    assert set(ORIGINAL) == set(FAST) == set(QUICK) == set(BUNDLED)
    assert ORIGINAL["cnn-compact"] == Recipe(epochs=5, batch=128, learning_rate=1e-3, validation=0.2, seed=42)
    assert ORIGINAL["dense"].optimiser.name == "rmsprop"
    assert ORIGINAL["dense-84x96"].steps_per_epoch(60_000) == 1
    assert all(recipe.augmentation and recipe.schedule == "one-cycle" for recipe in FAST.values())
    assert all(recipe.epochs < FAST[name].epochs for name, recipe in QUICK.items())


def test_a_recipe_says_everything_as_json() -> None:
    said = json.loads(FAST["cnn"].to_json())
    assert said["augmentation"]["rotate"] == FAST["cnn"].augmentation.rotate
    assert said["optimiser"]["name"] == "adam"
    assert said["epochs"] == FAST["cnn"].epochs


def test_there_is_one_learning_rate_for_each_step() -> None:
    recipe = Recipe(epochs=3, batch=10, learning_rate=0.5)
    np.testing.assert_array_equal(recipe.learning_rates(47), np.full(12, 0.5))
    assert len(replace(recipe, schedule="one-cycle").learning_rates(47)) == 12


def numbered(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images whose every pixel is the image's number, which is its label as well."""
    labels = np.arange(count)
    return np.broadcast_to(labels.astype(np.uint8)[:, None, None, None], (count, 4, 3, 1)), labels


def test_each_epoch_shows_every_image_once_in_another_order() -> None:
    batches = list(epochs_of_batches(*numbered(30), Recipe(epochs=2, batch=10)))
    assert [images.shape for images, _ in batches] == [(10, 4, 3, 1)] * 6
    orders = [np.concatenate([labels for _, labels in batches[start : start + 3]]) for start in (0, 3)]
    assert all(sorted(order) == list(range(30)) for order in orders)
    assert (orders[0] != orders[1]).any()
    for images, labels in batches:
        np.testing.assert_allclose(images[:, 0, 0, 0] * 255, labels, atol=1e-4)


def test_a_full_batch_is_all_images_at_once() -> None:
    batches = list(epochs_of_batches(*numbered(7), Recipe(epochs=3, batch=None)))
    assert [len(labels) for _, labels in batches] == [7, 7, 7]


def test_a_batch_larger_than_the_data_is_all_of_it() -> None:
    assert [len(labels) for _, labels in epochs_of_batches(*numbered(7), Recipe(epochs=2, batch=128))] == [7, 7]


def test_the_same_seed_gives_the_same_batches_also_when_made_ahead() -> None:
    recipe = Recipe(epochs=2, batch=8, augmentation=Augmentation(), seed=4)
    plain = list(epochs_of_batches(*numbered(40), recipe))
    early = list(ahead(epochs_of_batches(*numbered(40), recipe)))
    assert len(plain) == len(early) == 10
    for (images, labels), (same_images, same_labels) in zip(plain, early, strict=True):
        np.testing.assert_array_equal(images, same_images)
        np.testing.assert_array_equal(labels, same_labels)


def test_only_a_few_batches_are_made_ahead_and_no_thread_stays() -> None:
    made = []

    def making() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for number in range(1000):
            made.append(number)
            yield np.zeros((1, 1, 1, 1), np.float32), np.array([number])

    batches = ahead(making(), depth=3)
    assert next(batches)[1] == 0
    batches.close()
    assert len(made) <= 5
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("batches")]


def test_an_error_in_making_a_batch_reaches_the_training() -> None:
    def failing() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        yield np.zeros((1, 1, 1, 1), np.float32), np.array([0])
        raise OSError("disk gone")

    batches = ahead(failing())
    next(batches)
    with pytest.raises(OSError, match="disk gone"):
        next(batches)


SMALL = Architecture(
    name="small",
    title="Small",
    layers=(
        Input(name="image", shape=(8, 8, 1)),
        Flatten(name="flatten"),
        Dense(name="hidden", units=32),
        Activation(name="hidden_relu", function="relu"),
        Dropout(name="dropout", rate=0.1),
        Dense(name="logits", units=10),
        Activation(name="softmax", function="softmax"),
    ),
)


@pytest.mark.parametrize("backend", backends(), ids=lambda backend: backend.name)
def test_a_network_learns_to_read_and_tells_how_after_each_epoch(backend: Backend) -> None:
    if backend.missing:
        pytest.skip(backend.missing)
    digits = load_digits()
    images = np.rint(digits.images * 255 / 16).astype(np.uint8)[..., None]
    recipe = Recipe(
        epochs=8, batch=32, learning_rate=0.01, schedule="one-cycle", optimiser=Optimiser(label_smoothing=0.05)
    )
    model = backend.build(SMALL, seed=1)
    epochs = list(train(model, Material(images[:1500], digits.target[:1500], {}), recipe))
    assert [epoch.number for epoch in epochs] == list(range(1, 9))
    assert epochs[-1].loss < epochs[0].loss
    assert epochs[-1].accuracy > 0.95
    assert all(before.seconds < after.seconds for before, after in pairwise(epochs))
    unseen = model.probabilities(images[1500:].astype(np.float32) / 255).argmax(axis=1)
    assert (unseen == digits.target[1500:]).mean() > 0.84


def test_a_share_is_kept_out_of_the_training_to_watch_it_by(pytorch: Backend) -> None:
    digits = load_digits()
    images = np.rint(digits.images * 255 / 16).astype(np.uint8)[..., None]
    recipe = Recipe(epochs=2, batch=32, learning_rate=0.01, validation=0.2, seed=42)
    epochs = list(train(pytorch.build(SMALL, seed=1), Material(images, digits.target, {}), recipe))
    assert [epoch.validation.count for epoch in epochs] == [359, 359]
    assert epochs[1].validation.accuracy > 0.8


def test_what_is_kept_out_is_not_learnt_from() -> None:
    images, labels = numbered(50)
    learnt, kept_out = Material(images, labels, {"mnist": "md5:0"}).split(0.2, seed=42)
    assert len(kept_out.labels) == 10
    assert sorted([*learnt.labels, *kept_out.labels]) == list(range(50))
    np.testing.assert_array_equal(learnt.images[:, 0, 0, 0], learnt.labels)
    assert kept_out.checksums == {"mnist": "md5:0"}


def test_writers_are_held_out_as_a_whole_and_every_digit_is_drawn(data_dir: Path) -> None:
    digits = load_pendigits(find_pendigits(data_dir))
    learnt, held_out = by_writer(digits)
    assert {digit.writer for digit in held_out} == set(HELD_OUT_WRITERS)
    assert {digit.writer for digit in learnt} == set(range(1, 31)) - set(HELD_OUT_WRITERS)
    assert len(learnt) + len(held_out) == len(digits) == 7494
    images, labels = drawn(held_out[:30], (28, 28, 1))
    np.testing.assert_array_equal(labels, [digit.label for digit in held_out[:30]])
    thin, usual, wide = (images[start::3].mean() for start in range(3))
    assert thin < usual < wide
    assert images.reshape(30, -1).max(axis=1).min() > 200


def write_idx(path: Path, array: np.ndarray) -> None:
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes()))


def unipen(digit: PenDigit) -> str:
    strokes = "".join(
        ".PEN_DOWN\n" + "".join(f"{x * 500:.0f} {500 - y * 500:.0f}\n" for x, y in stroke) + ".PEN_UP\n"
        for stroke in digit.strokes
    )
    return f'.SEGMENT DIGIT ? "{digit.label}"\n.COMMENT {digit.label} {digit.writer} 0\n{strokes}'


@pytest.fixture
def small_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of the usual form: 200 images to train on, 50 to test on, 40 pen digits by ten writers."""
    monkeypatch.delenv("LAYERSCOPE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "data"
    for name in ("mnist", "pendigits"):
        (folder / name).mkdir(parents=True)
    digits = load_digits()
    images = np.kron(digits.images[:250] * 15, np.ones((3, 3)))
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    for split, part in (("train", slice(200)), ("t10k", slice(200, 250))):
        write_idx(folder / "mnist" / f"{split}-images-idx3-ubyte.gz", padded[part])
        write_idx(folder / "mnist" / f"{split}-labels-idx1-ubyte.gz", digits.target[part])
    stroke = np.array([(0.5, 0.1), (0.5, 0.9)], np.float32)
    written = (PenDigit(1, 1 + number % 10, (stroke + 0.01 * number,)) for number in range(40))
    (folder / "pendigits" / "pendigits-orig.tra.gz").write_bytes(gzip.compress("".join(map(unipen, written)).encode()))
    return folder


def test_nobody_learns_from_test_images_or_from_writers_held_out(small_data: Path) -> None:
    learnt = material(small_data, (28, 28, 1))
    assert learnt.images.shape == (200 + 2 * 32, 28, 28, 1)
    assert learnt.images.dtype == np.uint8
    assert learnt.labels.shape == (264,)
    assert learnt.checksums["pendigits"].startswith("sha256:")
    assert material(small_data, (96, 84, 1)).images.shape == (264, 96, 84, 1)


def test_weights_are_saved_with_their_story_and_come_out_the_same_again(
    small_data: Path, tmp_path: Path, pytorch: Backend
) -> None:
    recipe = replace(FAST["dense"], epochs=2, batch=16)
    for out in ("first", "second"):
        story = pretrain("dense", small_data, "pytorch", tmp_path / out, recipe)
    files = [tmp_path / out / "dense.safetensors" for out in ("first", "second")]
    first, second = (load_weights(file, BUNDLED["dense"]) for file in files)
    for layer, named in first.items():
        for name, array in named.items():
            np.testing.assert_array_equal(array, second[layer][name])
    assert read_metadata(files[1]) == story
    assert read_architecture(files[0]) == BUNDLED["dense"]
    assert set(story) == {
        "recipe", "epochs", "seconds", "data", "images", "held_out_writers", "backend", "versions", "accuracies",
    }  # fmt: skip
    accuracies = json.loads(story["accuracies"])
    assert list(accuracies) == ["MNIST test images", "Pen strokes of writers not trained on"]
    assert accuracies["Pen strokes of writers not trained on"] == 1.0


def test_the_script_trains_what_it_is_told_to(
    small_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], pytorch: Backend
) -> None:
    assert main(["dense", "--epochs", "1", "--data", str(small_data), "--out", str(tmp_path / "out")]) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["dense.safetensors"]
    assert "dense: epoch 1 of 1, loss" in capfd.readouterr().out
    with pytest.raises(SystemExit):
        main(["dense", "--epochs", "0"])
    assert "Give a number of epochs from 1 upwards. Received: '0'" in capfd.readouterr().err


def test_the_original_recipes_can_be_trained_by_too(
    small_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], pytorch: Backend
) -> None:
    pretrain("cnn-compact", small_data, "pytorch", tmp_path, replace(ORIGINAL["cnn-compact"], epochs=1))
    assert "on images kept out 0." in capfd.readouterr().out


def test_missing_data_is_one_sentence(
    small_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], pytorch: Backend
) -> None:
    (small_data / "pendigits" / "pendigits-orig.tra.gz").unlink()
    with pytest.raises(DatasetError, match="Training needs the pen digits"):
        material(small_data, (28, 28, 1))
    assert main(["dense", "--data", str(tmp_path / "nowhere"), "--out", str(tmp_path / "out")]) == 1
    assert "Training needs the MNIST training images; name the folder" in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_unknown_network_or_backend_is_named(
    small_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["lenet", "--data", str(small_data)])
    assert "There is no bundled network 'lenet'; there are dense," in capfd.readouterr().err
    assert main(["dense", "--backend", "abacus", "--data", str(small_data), "--out", str(tmp_path / "out")]) == 1
    assert "There is no backend 'abacus'" in capfd.readouterr().err


@pytest.fixture
def pytorch() -> Backend:
    """The PyTorch backend; without it the test is skipped."""
    found = next(backend for backend in backends() if backend.name == "pytorch")
    if found.missing:
        pytest.skip(found.missing)
    return found
